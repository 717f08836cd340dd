"""The tokens of an answer -> its chunks: what is thought, said and called, up to its end."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import chunks
from .chunks import Chunk, Clock, Counts
from .engine import End, Run, Token
from .request import Options, Request
from .text import Part, Splitter
from .tokens import Tokenizer
from .tool_calls.format import Call, Format
from .tool_calls.parser import Parser

__all__ = ["Prompt", "answer"]


@dataclass(frozen=True)
class Prompt:
    """What a request became: ids, and how to read what comes after them."""
    ids: tuple[int, ...]
    said: str                           # content that the answer continues
    thinking: tuple[str, str] | None    # tags around it; None: there is none
    inside_thinking: bool
    may_think: bool                     # under a format: or it holds from the beginning on
    calls: Format | None                # how tools are called; None: there are none
    marks: tuple[str, ...]              # special tokens that belong to the text
    dropped_messages: int


def answer(request: Request, options: Options, prompt: Prompt, tokenizer: Tokenizer, run: Run,
           clock: Clock) -> Iterator[Chunk]:
    """Yields the chunks of one answer, the last one with the reason why it ends."""
    reader = Reader(request, options, prompt, tokenizer)
    most, eval_count, last = run.work.num_predict, 0, None
    reason = None if most else "length"
    for item in run if most else ():
        if isinstance(item, End):
            reason = item.done_reason
            break
        eval_count, last = eval_count + 1, item
        if item.id not in run.work.end:
            yield from reader.push(item, limit=eval_count == most)
        if reader.stopped:
            reason = "stop"
            break
    if reason is None:          # closed by who reads, or by another thread
        return
    run.close()
    yield from reader.finish()
    if last is not None:
        clock.add("prompt_eval", last.prompt_ns)
        clock.add("eval", last.eval_ns)
    yield chunks.last(request.model, reason, clock, Counts(
        prompt_eval_count=len(prompt.ids), prompt_eval_cached_count=run.cached,
        eval_count=eval_count, dropped_messages=prompt.dropped_messages,
        shifted_tokens=last.shifted_tokens if last else 0), logprobs=reader.held())


class Reader:
    """Reads one answer, token by token."""

    def __init__(self, request: Request, options: Options, prompt: Prompt, tokenizer: Tokenizer):
        self._request, self._tokenizer = request, tokenizer
        self._decoder = tokenizer.decoder(prompt.marks,
                                          continues=request.messages[-1].role == "assistant")
        self._splitter = Splitter(options.stop, prompt.thinking, prompt.inside_thinking)
        self._parser = Parser(prompt.calls, request.tools, prompt.said) if prompt.calls else None
        self._length = self._called = 0     # characters that came, calls that are out
        # Of tokens whose text is not out yet, with the place where that begins.
        self._held: list[tuple[int, chunks.Logprob]] = []

    @property
    def stopped(self) -> bool:
        """Whether a stop string has come."""
        return self._splitter.stopped

    def push(self, token: Token, limit: bool = False) -> Iterator[Chunk]:
        """Yields what this token completes; at the limit a stop string comes too late."""
        if token.logprob is not None:
            self._held.append((self._length, self._logprob(token)))
        text = self._decoder.push(token.id)
        self._length += len(text)
        parts = self._splitter.finish(text) if limit else self._splitter.push(text)
        if self.stopped:
            self._held = [(at, each) for at, each in self._held if at < self._splitter.length]
        yield from self._chunks(parts)

    def finish(self) -> Iterator[Chunk]:
        """Yields what was held back, now that the answer has ended."""
        if not self.stopped:
            yield from self._chunks(self._splitter.finish(self._decoder.finish()))
        if self._parser:
            yield from self._content(self._parser.finish())

    def held(self) -> list[chunks.Logprob]:
        """Returns those of the tokens since the last chunk."""
        held, self._held = self._held, []
        return [each for _, each in held]

    def _chunks(self, parts: Iterable[Part]) -> Iterator[Chunk]:
        for part in parts:
            if part.kind == "thinking":
                yield self._chunk(thinking=part.text)
            else:
                yield from self._content(self._parser.push(part.text) if self._parser
                                         else [part.text])

    def _content(self, parts: Iterable[str | Call]) -> Iterator[Chunk]:
        for part in parts:
            if isinstance(part, Call):
                call = chunks.tool_call(self._called, part.name, part.arguments)
                self._called += 1
                yield self._chunk(tool_calls=[call])
            else:
                yield self._chunk(part)

    def _chunk(self, text: str = "", **more: Any) -> Chunk:
        return chunks.chunk(self._request.model, text, logprobs=self.held(), **more)

    def _logprob(self, token: Token) -> chunks.Logprob:
        assert token.logprob is not None
        top: Sequence[tuple[int, float]] | None = token.top if self._request.top_logprobs else None
        return chunks.logprob(*self._spelled(token.id, token.logprob),
                              None if top is None else [self._spelled(*each) for each in top])

    def _spelled(self, id: int, value: float) -> tuple[str, float, bytes]:
        spelled = self._tokenizer.token_bytes(id)
        return spelled.decode(errors="replace"), value, spelled
