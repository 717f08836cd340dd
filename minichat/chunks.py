"""Parts of an answer -> the objects of the endpoint's stream.

Every object is a real dict with the endpoint's keys in the endpoint's order; its fields can be
read as attributes too.  Durations are nanoseconds of a monotonic clock.
"""
from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

__all__ = ["Chunk", "ChunkMessage", "Clock", "Counts", "Logprob", "ToolCall", "ToolFunction"]

ID_CHARACTERS = string.ascii_lowercase + string.digits


class Record(dict[str, Any]):
    """A dict whose known fields are attributes as well: read-only, None where the key is absent."""
    __slots__ = ()

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any:
            if name in type(self).__annotations__:
                return self.get(name)
            raise AttributeError(f"{type(self).__name__} has no {name!r}; "
                                 f"it has {', '.join(type(self).__annotations__)}")

        def __dir__(self) -> list[str]:
            return [*super().__dir__(), *type(self).__annotations__]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is read-only")


class Logprob(Record):
    """What the model thought of a token, before any option had its say."""
    __slots__ = ()
    token: str
    logprob: float                          # natural
    bytes: list[int]                        # the token's UTF-8, which may be a part of a character
    top_logprobs: list[Logprob] | None      # likeliest first; only where some were asked for


class ToolFunction(Record):
    __slots__ = ()
    index: int
    name: str
    arguments: dict[str, Any]


class ToolCall(Record):
    __slots__ = ()
    id: str
    function: ToolFunction


class ChunkMessage(Record):
    __slots__ = ()
    role: str
    content: str
    images: None
    thinking: str | None
    tool_calls: list[ToolCall] | None

    if TYPE_CHECKING:
        @overload
        def __getitem__(self, key: Literal["role", "content", "thinking"]) -> str: ...
        @overload
        def __getitem__(self, key: Literal["tool_calls"]) -> list[ToolCall]: ...
        @overload
        def __getitem__(self, key: str) -> Any: ...
        def __getitem__(self, key: str) -> Any: ...


class Chunk(Record):
    """One object of the stream; the fields from done_reason on are those of the last one."""
    __slots__ = ()
    model: str
    created_at: str                         # RFC 3339, UTC
    message: ChunkMessage
    done: bool
    done_reason: str | None                 # stop, length, load or unload
    logprobs: list[Logprob] | None
    total_duration: int | None
    load_duration: int | None
    prompt_eval_count: int | None
    prompt_eval_cached_count: int | None
    prompt_eval_duration: int | None
    eval_count: int | None
    eval_duration: int | None
    dropped_messages: int | None            # only where some were
    shifted_tokens: int | None              # only where some were

    if TYPE_CHECKING:
        @overload
        def __getitem__(self, key: Literal["model", "created_at", "done_reason"]) -> str: ...
        @overload
        def __getitem__(self, key: Literal["message"]) -> ChunkMessage: ...
        @overload
        def __getitem__(self, key: Literal["done"]) -> bool: ...
        @overload
        def __getitem__(self, key: Literal["logprobs"]) -> list[Logprob]: ...
        @overload
        def __getitem__(self, key: Literal[
            "total_duration", "load_duration", "prompt_eval_count", "prompt_eval_cached_count",
            "prompt_eval_duration", "eval_count", "eval_duration", "dropped_messages",
            "shifted_tokens"]) -> int: ...
        @overload
        def __getitem__(self, key: str) -> Any: ...
        def __getitem__(self, key: str) -> Any: ...


class Clock:
    """How long one request took, by phase.

    Phases are "load", "prompt_eval" and "eval"; what is in none of them, such as the time
    until the caller asks for the next chunk, is in the total alone.
    """

    def __init__(self, now: Callable[[], int] = time.perf_counter_ns):
        self.now, self.start = now, now()
        self.spent = {"load": 0, "prompt_eval": 0, "eval": 0}

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Counts the time inside the with block."""
        start = self.now()
        try:
            yield
        finally:
            self.add(phase, self.now() - start)

    def add(self, phase: str, duration_ns: int) -> None:
        """Counts time that was measured elsewhere."""
        self.spent[phase] += max(0, duration_ns)

    def total_ns(self) -> int:
        """Returns the time since the request came, never less than its parts."""
        return max(self.now() - self.start, sum(self.spent.values()))


@dataclass(frozen=True)
class Counts:
    """What the last object tells, beside the durations."""
    prompt_eval_count: int = 0              # tokens of the prompt, found in the cache or not
    prompt_eval_cached_count: int = 0       # those found
    eval_count: int = 0                     # tokens of the answer, the end token included
    dropped_messages: int = 0               # of the oldest, to make the prompt fit
    shifted_tokens: int = 0                 # dropped to make room while answering


def created_at(now_ns: int) -> str:
    """Returns a time since 1970 as the endpoint writes it: 2026-01-02T03:04:05.6789Z."""
    seconds, ns = divmod(now_ns, 10**9)
    fraction = f".{ns:09}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"


def chunk(model: str, content: str = "", *, thinking: str = "",
          tool_calls: Sequence[ToolCall] = (), logprobs: Sequence[Logprob] = ()) -> Chunk:
    """Returns an object of the running stream; what is empty has no key, content excepted."""
    message = ChunkMessage(role="assistant", content=content, images=None)
    if thinking:
        message["thinking"] = thinking
    if tool_calls:
        message["tool_calls"] = list(tool_calls)
    made = Chunk(model=model, created_at=created_at(time.time_ns()), message=message, done=False)
    if logprobs:
        made["logprobs"] = list(logprobs)
    return made


def last(model: str, reason: str, clock: Clock, counts: Counts = Counts(),
         logprobs: Sequence[Logprob] = ()) -> Chunk:
    """Returns the object that ends a stream; reason is stop, length, load or unload."""
    made = chunk(model)
    made.update(done=True, done_reason=reason)
    if logprobs:
        made["logprobs"] = list(logprobs)
    made.update(
        total_duration=clock.total_ns(),
        load_duration=clock.spent["load"],
        prompt_eval_count=counts.prompt_eval_count,
        prompt_eval_cached_count=counts.prompt_eval_cached_count,
        prompt_eval_duration=clock.spent["prompt_eval"],
        eval_count=counts.eval_count,
        eval_duration=clock.spent["eval"])
    if counts.dropped_messages:
        made["dropped_messages"] = counts.dropped_messages
    if counts.shifted_tokens:
        made["shifted_tokens"] = counts.shifted_tokens
    return made


def logprob(token: str, value: float, token_bytes: bytes,
            top: Iterable[tuple[str, float, bytes]] | None = None) -> Logprob:
    """Returns the entry of one token; top is None where no others were asked for."""
    made = Logprob(token=token, logprob=value, bytes=list(token_bytes))
    if top is not None:
        made["top_logprobs"] = [logprob(*each) for each in top]
    return made


def tool_call(index: int, name: str, arguments: dict[str, Any]) -> ToolCall:
    """Returns the index-th call of an answer, with a new id as the endpoint has them."""
    id = "call_" + "".join(secrets.choice(ID_CHARACTERS) for _ in range(8))
    return ToolCall(id=id, function=ToolFunction(index=index, name=name, arguments=arguments))


def join(stream: Iterable[Chunk]) -> Chunk:
    """Returns the one object of stream=False: the last one, with all texts, calls and logprobs."""
    chunks = list(stream)
    messages = [each["message"] for each in chunks]
    end = chunks[-1]
    whole = chunk(end["model"], "".join(each["content"] for each in messages),
                  thinking="".join(each.get("thinking", "") for each in messages),
                  tool_calls=[call for each in messages for call in each.get("tool_calls", ())])
    logprobs = [entry for each in chunks for entry in each.get("logprobs", ())]
    figures = {key: value for key, value in end.items()
               if key not in ("model", "created_at", "message", "done", "done_reason", "logprobs")}
    whole.update(created_at=end["created_at"], done=True, done_reason=end["done_reason"],
                 **({"logprobs": logprobs} if logprobs else {}), **figures)
    return whole
