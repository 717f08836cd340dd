"""The pipeline: request -> prompt -> tokens -> engine -> tokens -> text -> chunks."""
from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypedDict, Unpack, overload

from . import chunks, cpus, sample
from .answer import Prompt, answer
from .chunks import Chunk, Clock
from .constrain import Constraint, Thinking, Vocabulary
from .engine import STEP_TOKENS, Engine, Run
from .errors import MinichatError, RequestError
from .families.spec import Family
from .fit import fit
from .grammars import grammar, or_calls
from .prompt import Template
from .request import Format, Message, Options, Request
from .sequence import Work
from .text import opens_thinking
from .tokens import Tokenizer
from .tool_calls.format import Format as CallFormat

# Weights that a thread reads in a step: with fewer, waiting for each other costs more.
THREAD_BYTES = 8 << 20

Messages = Sequence[Mapping[str, Any]]


class Arguments(TypedDict, total=False):
    """What a chat takes by name, beside stream."""
    tools: Sequence[Any] | None
    format: Format | type | None
    options: Mapping[str, Any] | None
    think: bool | str | None
    truncate: bool | None
    shift: bool | None
    logprobs: bool | None
    top_logprobs: int | None
    template: str | None
    strict: bool


class Model:
    """A loaded model, made by minichat.load().  Use it in a `with`, or close() it."""

    def __init__(self, name: str, *, template: Template, tokenizer: Tokenizer,
                 call_format: Callable[[Template], CallFormat | None],
                 family: Family, engine: Engine, generation_config: Mapping[str, Any],
                 config: Mapping[str, Any], long_after: int | None, size_bytes: int):
        self.name, self.family, self.engine = name, family, engine
        self.template, self.tokenizer = template, tokenizer
        self.call_format = call_format
        self.generation_config = generation_config
        self.context = engine.model.architecture.max_position_embeddings
        self.end = tokenizer.end_tokens(generation_config, config, family.stop)
        self.long_after, self.size_bytes = long_after, size_bytes
        self.threads = max(1, min(cpus.available(), size_bytes // THREAD_BYTES))
        self._release: Callable[[], None] | None = None
        # As a grammar sees it, where some special tokens are text; templates of requests.
        self.vocabulary = lru_cache(2)(lambda marks, n=engine.model.vocab_size, end=self.end: (
            Vocabulary(tokenizer.spelled(n), tokenizer.silent(marks), end, tokenizer.encode)))
        self.other_template = lru_cache(2)(lambda source: Template(
            source, tokenizer.special_tokens))

    def pinned(self, name: str, release: Callable[[], None]) -> Model:
        """Returns a handle on the same model whose close() calls release, once."""
        handle = copy.copy(self)
        handle.name, handle._release = name, release
        return handle

    @overload
    def chat(self, messages: Messages | None = None, *, stream: Literal[True] = True,
             **arguments: Unpack[Arguments]) -> ChatStream: ...
    @overload
    def chat(self, messages: Messages | None = None, *, stream: Literal[False],
             **arguments: Unpack[Arguments]) -> Chunk: ...
    @overload
    def chat(self, messages: Messages | None = None, *, stream: bool,
             **arguments: Unpack[Arguments]) -> ChatStream | Chunk: ...
    def chat(self, messages: Messages | None = None, *,
             tools: Sequence[Any] | None = None, format: Format | type | None = None,
             options: Mapping[str, Any] | None = None, stream: bool | None = True,
             think: bool | str | None = None, truncate: bool | None = None,
             shift: bool | None = None, logprobs: bool | None = None,
             top_logprobs: int | None = None, template: str | None = None,
             strict: bool = False) -> ChatStream | Chunk:
        """Answers a chat: a ChatStream of chunks, or with stream=False one Chunk.

        The arguments are minichat.chat's, and so are the errors.

            with minichat.load("nano") as model:
                for chunk in model.chat([{"role": "user", "content": "Hi!"}]):
                    print(chunk.message.content, end="", flush=True)
        """
        clock = Clock()
        request = Request.parse(self.name, messages, tools=tools, format=format, options=options,
                                stream=stream, think=think, truncate=truncate, shift=shift,
                                logprobs=logprobs, top_logprobs=top_logprobs, template=template,
                                strict=strict)
        if not request.messages:
            return ChatStream.of(chunks.last(request.model, "load", clock), request.stream)
        return self.answer(request, clock)

    def answer(self, request: Request, clock: Clock,
               on_close: Callable[[], None] | None = None) -> ChatStream | Chunk:
        """Starts a checked request; on_close is called once, when its stream is over."""
        try:
            work, prompt, options = self.work(request)
        except BaseException:
            if on_close is not None:
                on_close()
            raise
        run = Run(self.engine, work)
        stream = ChatStream(answer(request, options, prompt, self.tokenizer, run, clock),
                            run, on_close)
        return stream if request.stream else chunks.join(stream)

    def memory(self) -> tuple[int, int]:
        """Returns bytes: that its cache takes, and that it may take in all."""
        pages, most = self.engine.store.made, self.engine.store.limit
        page_bytes = self.engine.model.page_bytes
        return pages * page_bytes, self.size_bytes + most * page_bytes

    def close(self) -> None:
        """Lets go of the model: it is unloaded when nobody else holds it."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def prompt(self, request: Request, num_ctx: int) -> Prompt:
        """Renders and encodes the messages that fit in num_ctx with one token to spare."""
        template = self.template if request.template is None \
            else self.other_template(request.template)
        calls = self.call_format(template) if request.tools else None
        if request.tools and calls is None:
            request.refuse_tools()
        tags = self.family.thinking or template.thinking(bool(request.tools))
        last = request.messages[-1]
        prefill = last.role == "assistant"
        rendered: dict[int, tuple[str, tuple[int, ...]]] = {}

        def render(messages: list[Message], think: bool | str | None) -> str:
            return template.render([m.to_dict() for m in messages], tools=request.tools,
                                   add_generation_prompt=not prefill,
                                   continue_final_message=prefill,
                                   **self.thinking_arguments(request, template, tags, think))

        def count(messages: list[Message]) -> int:
            text = render(messages, request.think)
            ids = tuple(self.tokenizer.encode(text))
            rendered[len(messages)] = text, ids
            return len(ids)

        messages, dropped = fit(request.messages, count, num_ctx - 1, truncate=request.truncate)
        text, ids = rendered[len(messages)]
        if not ids:
            raise RequestError("messages: the prompt is empty; the model needs one token at least")
        inside = opens_thinking(text, tags) or bool(
            tags and prefill and last.thinking and not last.content)
        said = last.content if prefill and not inside else ""
        if said:
            tags = None                     # which come before any content
        may_think = tags is not None and request.think is not False and (
            not text.rstrip().endswith(tags[1])             # ended already
            # A template that writes something else to make it think does not do so now; that
            # costs a rendering, and only a format wants to know.
            and (request.think is not None or request.format is not None
                 and render(messages, True) == text))
        kept = calls.kept(self.tokenizer.special_names()) if calls else ()
        return Prompt(ids, said, tags, inside, may_think, calls, (*(tags or ()), *kept), dropped)

    def thinking_arguments(self, request: Request, template: Template,
                           tags: tuple[str, str] | None,
                           think: bool | str | None) -> dict[str, Any]:
        """What the template is told about thinking: nothing, unless the request says so."""
        if think is None:
            return {}
        switches = {"enable_thinking", "thinking"} & template.variables(bool(request.tools))
        if request.think and not switches and tags is None:
            request.refuse_thinking()
        level = {"reasoning_effort": think} if isinstance(think, str) else {}
        return {**dict.fromkeys(switches, bool(think)), **level}

    def work(self, request: Request) -> tuple[Work, Prompt, Options]:
        """Everything that a request needs before the engine starts; raises what is wrong."""
        options = Options.layered(self.generation_config, request.options or {})
        num_ctx = options.num_ctx or self.context
        if num_ctx > self.context:
            raise RequestError(f"options.num_ctx: found {num_ctx}; {self.context} at most, "
                               "which is what the model was made for")
        prompt = self.prompt(request, num_ctx)
        sampler = sample.sampler(options, self.engine.model.vocab_size, num_ctx=num_ctx,
                                 logprobs=request.logprobs, top_logprobs=request.top_logprobs)
        sampler.prompt(prompt.ids)
        most = 10 * num_ctx             # the endpoint's bound on any answer
        most_threads = cpus.available()     # more would only be in each other's way
        work = Work(
            prompt=prompt.ids, sampler=sampler, end=self.end, num_ctx=num_ctx,
            num_predict=min(options.num_predict, most) if options.num_predict >= 0 else most,
            num_keep=self.num_keep(options, prompt), shift=request.shift,
            num_thread=min(options.num_thread or self.threads, most_threads),
            num_batch=options.num_batch or STEP_TOKENS, long_after=self.long_after,
            constraint=self.constraint(request, prompt))
        return work, prompt, options

    def constraint(self, request: Request, prompt: Prompt) -> Constraint | None:
        """Returns what holds the answer to format: from the end of the thinking on."""
        if request.format is None:
            return None
        source, tags = grammar(request.format), prompt.thinking
        if prompt.calls is not None:
            source = or_calls(source, prompt.calls.rules(
                [tool["function"]["name"] for tool in request.tools]))
        gate = None
        if tags and (prompt.inside_thinking or prompt.may_think):
            gate = Thinking(tags, prompt.inside_thinking, self.tokenizer.decoder(tags).push)
        return Constraint(self.vocabulary(prompt.marks), source, gate=gate,
                          single=request.logprobs, said=prompt.said)

    def num_keep(self, options: Options, prompt: Prompt) -> int:
        """Positions that a shift spares: a BOS that the template writes comes on top."""
        if options.num_keep < 0:
            return len(prompt.ids)
        bos = self.tokenizer.special_tokens.get("bos_token")
        starts = bos is not None and prompt.ids[0] == self.tokenizer.token_id(bos)
        return options.num_keep + starts


class ChatStream(Iterator[Chunk]):
    """The answer as it comes: chunks, the last one with done=True.

    close(), leaving a `with`, or an exception in the reader ends the sequence at once.
    """

    def __init__(self, made: Iterator[Chunk], run: Run | None = None,
                 on_close: Callable[[], None] | None = None):
        self._chunks, self._run = made, run
        self._reading = threading.Lock()
        self._on_close = [] if on_close is None else [on_close]

    @classmethod
    def of(cls, only: Chunk, stream: bool) -> ChatStream | Chunk:
        """Returns a stream of one chunk, or without stream the chunk."""
        return cls(iter([only])) if stream else only

    def __next__(self) -> Chunk:
        if not self._reading.acquire(blocking=False):
            raise MinichatError("stream: another thread reads it; let one thread read a stream")
        try:
            return next(self._chunks)
        except BaseException:           # StopIteration among them
            self.close()
            raise
        finally:
            self._reading.release()

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Ends the answer; what it held is free at the engine's next step."""
        if (run := self._run) is not None:
            run.close()
        self._run, self._chunks = None, iter(())    # which hold the model
        try:
            on_close = self._on_close.pop()     # of many threads one gets it
        except IndexError:
            return
        on_close()
