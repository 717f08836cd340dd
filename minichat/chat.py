"""The pipeline: request -> prompt -> tokens -> engine -> tokens -> text -> chunks."""
from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack, overload

from . import chunks, cpus, sample
from .chunks import Chunk, Clock, Counts
from .constrain import Constraint, Thinking, Vocabulary
from .engine import STEP_TOKENS, End, Engine, Run
from .errors import RequestError
from .families.spec import Family
from .fit import fit
from .grammars import grammar, or_calls
from .prompt import Template
from .request import Format, Message, Options, Request
from .sequence import Work
from .text import Part, Splitter, opens_thinking
from .tokens import Tokenizer
from .tool_calls.format import Call
from .tool_calls.format import Format as CallFormat
from .tool_calls.parser import Parser

# Weights that a thread reads in a step: with fewer, waiting for each other costs more.
THREAD_BYTES = 8 << 20


@dataclass(frozen=True)
class Prompt:
    """What a request became: ids, and what had to go."""
    ids: tuple[int, ...]
    inside_thinking: bool
    may_think: bool             # or the answer is content from its beginning
    calls: CallFormat | None    # how tools are called; None: there are none
    dropped_messages: int


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
        self._vocabularies: dict[tuple[str, ...], Vocabulary] = {}  # by the marks that are text

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
        stream = ChatStream(answer(self, request, clock, run, prompt, options), run, on_close)
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
        template = Template(request.template, self.tokenizer.special_tokens) \
            if request.template is not None else self.template
        calls = self.call_format(template) if request.tools else None
        if request.tools and calls is None:
            request.refuse_tools()
        prefill = request.messages[-1].role == "assistant"
        rendered: dict[int, tuple[str, tuple[int, ...]]] = {}

        def render(messages: list[Message], think: bool | str | None) -> str:
            return template.render([m.to_dict() for m in messages], tools=request.tools,
                                   add_generation_prompt=not prefill,
                                   continue_final_message=prefill,
                                   **self.thinking_arguments(request, template, think))

        def count(messages: list[Message]) -> int:
            text = render(messages, request.think)
            ids = tuple(self.tokenizer.encode(text))
            rendered[len(messages)] = text, ids
            return len(ids)

        messages, dropped = fit(request.messages, count, num_ctx - 1, truncate=request.truncate)
        text, ids = rendered[len(messages)]
        if not ids:
            raise RequestError("messages: the prompt is empty; the model needs one token at least")
        tags = self.family.thinking
        may_think = tags is not None and request.think is not False and (
            not text.rstrip().endswith(tags[1])             # ended already
            and not (prefill and request.messages[-1].content)
            # A template that writes something else to make it think does not do so now.
            and (request.think is not None or render(messages, True) == text))
        return Prompt(ids, opens_thinking(text, tags), may_think, calls, dropped)

    def thinking_arguments(self, request: Request, template: Template,
                           think: bool | str | None) -> dict[str, Any]:
        """What the template is told about thinking: nothing, unless the request says so."""
        if think is None:
            return {}
        switches = {"enable_thinking", "thinking"} & template.variables(bool(request.tools))
        if request.think and not switches and self.family.thinking is None:
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
        source, tags, keep = grammar(request.format), self.family.thinking, self.marks(prompt)
        if prompt.calls is not None:
            source = or_calls(source, "" if prompt.calls.bare else prompt.calls.begins,
                              [tool["function"]["name"] for tool in request.tools])
        vocabulary = self._vocabularies.get(keep)
        if vocabulary is None:
            vocabulary = self._vocabularies[keep] = Vocabulary(
                self.tokenizer.spelled(self.engine.model.vocab_size),
                self.tokenizer.silent(keep), self.end, self.tokenizer.encode)
        gate = None
        if tags and (prompt.inside_thinking or prompt.may_think):
            gate = Thinking(tags, prompt.inside_thinking, self.tokenizer.decoder(tags).push)
        last = request.messages[-1]
        return Constraint(vocabulary, source, gate=gate, single=request.logprobs,
                          said=last.content if last.role == "assistant" else "")

    def marks(self, prompt: Prompt) -> tuple[str, ...]:
        """Returns the special tokens that belong to the text of an answer."""
        tags = self.family.thinking or ()
        if prompt.calls is None:
            return tags
        return *tags, *prompt.calls.kept(self.tokenizer.special_names())

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
        self._on_close = [] if on_close is None else [on_close]

    @classmethod
    def of(cls, only: Chunk, stream: bool) -> ChatStream | Chunk:
        """Returns a stream of one chunk, or without stream the chunk."""
        return cls(iter([only])) if stream else only

    def __next__(self) -> Chunk:
        try:
            return next(self._chunks)
        except BaseException:           # StopIteration among them
            self.close()
            raise

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


def answer(model: Model, request: Request, clock: Clock, run: Run, prompt: Prompt,
           options: Options) -> Iterator[Chunk]:
    """Yields the chunks of one answer."""
    family, tokenizer = model.family, model.tokenizer
    decoder = tokenizer.decoder(keep=model.marks(prompt),
                                continues=request.messages[-1].role == "assistant")
    splitter = Splitter(options.stop, family.thinking, prompt.inside_thinking)
    parser = Parser(prompt.calls, request.tools) if prompt.calls else None
    held: list[chunks.Logprob] = []         # of tokens whose text is not out yet
    eval_count, called, last = 0, 0, None
    reason = None if run.work.num_predict else "length"

    def emit(parts: list[Part]) -> Iterator[Chunk]:
        for part in parts:
            if part.kind == "thinking":
                yield said(thinking=part.text)
            else:
                yield from content(parser.push(part.text) if parser else [part.text])

    def content(parts: Sequence[str | Call]) -> Iterator[Chunk]:
        nonlocal called
        for part in parts:
            if isinstance(part, Call):
                yield said(tool_calls=[chunks.tool_call(called, part.name, part.arguments)])
                called += 1
            else:
                yield said(part)

    def said(text: str = "", **more: Any) -> Chunk:
        nonlocal held
        logprobs, held = held, []
        return chunks.chunk(request.model, text, logprobs=logprobs, **more)

    for item in run if run.work.num_predict else ():
        if isinstance(item, End):
            reason = item.done_reason
            break
        eval_count, last = eval_count + 1, item
        if item.id in model.end:
            continue
        if item.logprob is not None:
            held.append(logprob(tokenizer, (item.id, item.logprob),
                                item.top if request.top_logprobs else None))
        ended = eval_count == run.work.num_predict      # the limit comes before a stop string
        parts = splitter.push(decoder.push(item.id))
        if splitter.stopped and not ended:
            reason, held = "stop", held if parts else []
        yield from emit(parts)
        if splitter.stopped:
            break
    if reason is None:          # closed by who reads, or by another thread
        return
    run.close()
    if not splitter.stopped:
        yield from emit(splitter.push(decoder.finish()))
        if not splitter.stopped:
            yield from emit(splitter.finish())
    if parser:
        yield from content(parser.finish())
    if last is not None:
        clock.add("prompt_eval", last.prompt_ns)
        clock.add("eval", last.eval_ns)
    yield chunks.last(request.model, reason, clock, Counts(
        prompt_eval_count=len(prompt.ids), prompt_eval_cached_count=run.cached,
        eval_count=eval_count, dropped_messages=prompt.dropped_messages,
        shifted_tokens=last.shifted_tokens if last else 0), logprobs=held)


def logprob(tokenizer: Tokenizer, said: tuple[int, float],
            top: Sequence[tuple[int, float]] | None) -> chunks.Logprob:
    def entry(id: int, value: float) -> tuple[str, float, bytes]:
        spelled = tokenizer.token_bytes(id)
        return spelled.decode(errors="replace"), value, spelled

    return chunks.logprob(*entry(*said), None if top is None else [entry(*each) for each in top])
