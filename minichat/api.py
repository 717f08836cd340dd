"""chat, achat, load, unload and ps: one call each, on the models that this process keeps."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from . import chunks, hub
from . import load as loading
from .aside import Aside
from .chat import Arguments, ChatStream, Messages, Model
from .chunks import Chunk, Clock
from .load import Progress
from .request import Format, Request
from .residency import Key, Residency, chatting, pinned

QUANTIZATION = "q4"

_residency = Residency()


class CallArguments(Arguments, total=False):
    """And of a model that is named, beside."""
    keep_alive: float | str | None
    quantization: str | None
    progress: Progress | None


@overload
def chat(model: str | Path, messages: Messages | None = None, *, stream: Literal[True] = True,
         **arguments: Unpack[CallArguments]) -> ChatStream: ...
@overload
def chat(model: str | Path, messages: Messages | None = None, *, stream: Literal[False],
         **arguments: Unpack[CallArguments]) -> Chunk: ...
@overload
def chat(model: str | Path, messages: Messages | None = None, *, stream: bool,
         **arguments: Unpack[CallArguments]) -> ChatStream | Chunk: ...
def chat(model: str | Path, messages: Messages | None = None, *,
         tools: Sequence[Any] | None = None, format: Format | type | None = None,
         options: Mapping[str, Any] | None = None, stream: bool = True,
         think: bool | str | None = None, keep_alive: float | str | None = None,
         truncate: bool | None = None, shift: bool | None = None, logprobs: bool | None = None,
         top_logprobs: int | None = None, template: str | None = None,
         quantization: str | None = None, strict: bool = False,
         progress: Progress | None = None) -> ChatStream | Chunk:
    """Generates the next message of a chat.

        for chunk in minichat.chat("nano", [{"role": "user", "content": "Hi!"}]):
            print(chunk["message"]["content"], end="", flush=True)

    Parameters
    ----------
    model
        The path of a model's folder, or the name of a repository in the local Hugging Face
        cache.  It is loaded if need be, and kept for keep_alive.
    messages
        The chat so far, each with role (system, user, assistant, tool) and content.  A last
        message of the assistant is continued.  None at all: the model is only loaded, or with
        keep_alive=0 unloaded.
    tools
        What the model may call: Python functions, whose names, annotations and docstrings it is
        told of, or tools as the endpoint has them, with JSON schemas.  A call is one chunk, with
        message.tool_calls.
    format
        Holds the answer's content to "json" (an object), a JSON schema, which may be given as a
        dataclass, TypedDict or pydantic model, a compiled regular expression, or a grammar
        (minichat.Lark).  It fits, unless a limit (done_reason "length") or a string of
        options.stop has cut it short.  With tools it may be calls instead, and nothing else.
    options
        temperature, top_k, top_p, min_p, typical_p, seed, num_predict, num_ctx, num_keep, stop,
        repeat_penalty, repeat_last_n, presence_penalty, frequency_penalty, num_thread,
        num_batch, as the endpoint knows them; an unknown name is a MinichatWarning.
    stream
        False: one Chunk, the whole answer, instead of a ChatStream.
    think
        Whether, or how hard ("low" ... "max"), a model that can think should; None: as its
        template has it.
    keep_alive
        How long the model stays after the last chat: seconds, or "5m" (the default), "1h30m";
        0: not at all; negative: for ever.
    truncate
        False: an error, not fewer messages, where they do not fit num_ctx.
    shift
        False: the answer ends (done_reason "length") where the context is full; else the
        older half of it is dropped and the answer goes on.
    logprobs, top_logprobs
        Log probabilities of each token, and of so many (20 at most) likeliest others.
    template
        A chat template instead of the model's own.
    quantization
        "q4" (the default), "q8", "bf16" or "f32".
    strict
        Unknown options are errors.
    progress
        Called with (stage, done, total), in bytes, while a model is loaded.

    Returns a ChatStream: an iterator and context manager; its last chunk has done=True, the
    counts and the durations in nanoseconds.

    Raises RequestError for what is wrong with the request, ModelNotFound, ModelError for a
    broken model, Unsupported, OutOfMemory: all from the call itself, before the first chunk.
    """
    clock = Clock()
    request = Request.parse(model, messages, tools=tools, format=format, options=options,
                            stream=stream, think=think, keep_alive=keep_alive, truncate=truncate,
                            shift=shift, logprobs=logprobs, top_logprobs=top_logprobs,
                            template=template, quantization=quantization, strict=strict)
    path = hub.resolve(request.model).resolve()
    if not request.messages and request.keep_alive == 0:
        _residency.unload(path, request.quantization)
        return ChatStream.of(chunks.last(request.model, "unload", clock), request.stream)
    key: Key = path, request.quantization or QUANTIZATION
    with clock.measure("load"):
        resident = _residency.acquire(key, lambda room: loading.load(*key, progress, room),
                                      chatting(request.keep_alive))
    if not request.messages:
        _residency.release(resident)
        return ChatStream.of(chunks.last(request.model, "load", clock), request.stream)
    return resident.model.answer(request, clock, lambda: _residency.release(resident))


@overload
async def achat(model: str | Path, messages: Messages | None = None, *,
                stream: Literal[True] = True, **arguments: Unpack[CallArguments]
                ) -> AsyncChatStream: ...
@overload
async def achat(model: str | Path, messages: Messages | None = None, *, stream: Literal[False],
                **arguments: Unpack[CallArguments]) -> Chunk: ...
@overload
async def achat(model: str | Path, messages: Messages | None = None, *, stream: bool,
                **arguments: Unpack[CallArguments]) -> AsyncChatStream | Chunk: ...
async def achat(model: str | Path, messages: Messages | None = None, *, stream: bool = True,
                **arguments: Unpack[CallArguments]) -> AsyncChatStream | Chunk:
    """chat() for asyncio: the event loop runs on while the model loads and answers.

        async for chunk in await minichat.achat("nano", [{"role": "user", "content": "Hi!"}]):
            print(chunk.message.content, end="", flush=True)

    Takes chat()'s arguments and raises its errors.  A cancelled task ends its answer.
    """
    call: Callable[..., ChatStream | Chunk] = chat
    thread = Aside("minichat-reader")
    try:
        # Streaming too where the whole is wanted: a stream can be cancelled.
        made = await thread.awaited(partial(call, model, messages, **arguments,
                                            stream=True if stream is False else stream))
    except BaseException:
        thread.close()
        raise
    assert isinstance(made, ChatStream)
    answer = AsyncChatStream(made, thread)
    if stream is not False:
        return answer
    async with answer:
        return chunks.join([chunk async for chunk in answer])


class AsyncChatStream:
    """A ChatStream for `async for` and `async with`.

    It is read on a thread of its own: the event loop's executor has few, which the program wants.
    """

    def __init__(self, stream: ChatStream, thread: Aside):
        self._stream, self._thread, self._over = stream, thread, False

    def __aiter__(self) -> AsyncChatStream:
        return self

    async def __anext__(self) -> Chunk:
        if self._over:
            raise StopAsyncIteration
        chunk: Chunk | None = None
        try:
            chunk = await self._thread.awaited(partial(next, self._stream, None))
        finally:
            if chunk is None:           # the end, an error, a cancellation
                await self.aclose()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def __aenter__(self) -> AsyncChatStream:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the answer; what it held is free at the engine's next step."""
        self._over = True
        self._stream.close()
        self._thread.close()

    def __del__(self) -> None:
        self._thread.close()


def load(model: str | Path, *, quantization: str = QUANTIZATION,
         progress: Progress | None = None) -> Model:
    """Loads a model and pins it in memory until its close(); a `with` closes it too.

        with minichat.load("nano") as model:
            print(model.chat([{"role": "user", "content": "Hi!"}], stream=False).message.content)

    Raises ModelNotFound, ModelError, Unsupported, OutOfMemory, and RequestError for an unknown
    quantization.
    """
    request = Request.parse(model, quantization=quantization)
    key: Key = hub.resolve(request.model).resolve(), request.quantization or QUANTIZATION
    resident = _residency.acquire(key, lambda room: loading.load(*key, progress, room),
                                  pinned)
    return resident.model.pinned(request.model, lambda: _residency.release(resident))


def unload(model: str | Path) -> None:
    """Lets a model go: at once, or as soon as no chat runs on it and no load() pins it.

        minichat.unload("nano")

    Its memory is the system's again then.  One that is not in memory is none to let go; raises
    ModelNotFound where there is none of that name.
    """
    _residency.unload(hub.resolve(Request.parse(model).model).resolve(), None)


def ps() -> list[dict[str, Any]]:
    """Returns the models in memory: the fields of the endpoint's /api/ps, as far as they mean
    something here.

        for model in minichat.ps():
            print(model["name"], model["size"], "bytes, until", model["expires_at"])
    """
    return _residency.ps()
