"""Messages -> those of them that fit the context."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from .errors import MinichatError, RequestError


class HasRole(Protocol):
    @property
    def role(self) -> str: ...


M = TypeVar("M", bound=HasRole)     # a request.Message


def units(messages: Sequence[M]) -> list[list[int]]:
    """Groups indices of messages that may go, oldest first: a tool call with its results.

    System messages stay, and so does everything from the last user message on.
    """
    users = [i for i, m in enumerate(messages) if m.role == "user"]
    groups: list[list[int]] = []
    for i in range(users[-1] if users else 0):
        if messages[i].role == "system":
            continue
        if messages[i].role == "tool" and groups and messages[groups[-1][0]].role == "assistant":
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def fit(messages: Sequence[M], count: Callable[[list[M]], int], limit: int, *,
        truncate: bool = True) -> tuple[list[M], int]:
    """Returns the messages whose prompt is of limit tokens at most, and how many were dropped.

    count renders messages and counts the tokens; it may raise for a list that the template
    refuses, as one that begins with the assistant: then one more goes.  Raises RequestError
    where even the least does not fit.
    """
    everything = list(messages)
    found = count(everything)
    if found <= limit:
        return everything, 0
    groups = units(messages) if truncate else []

    def without(n: int) -> tuple[list[M], int, int]:
        """Drops n groups, or as many more as the template wants; counts what is left."""
        for k in range(n, len(groups) + 1):
            gone = {i for group in groups[:k] for i in group}
            kept = [m for i, m in enumerate(messages) if i not in gone]
            try:
                return kept, len(gone), count(kept)
            except MinichatError:
                if k == len(groups):
                    raise
        raise AssertionError("unreachable")

    low, high = 1, len(groups)
    while low < high:           # more messages are more tokens
        middle = (low + high) // 2
        low, high = (low, middle) if without(middle)[2] <= limit else (middle + 1, high)
    if groups:
        kept, dropped, found = without(low)
        if found <= limit:
            return kept, dropped
    what = "the system messages and those from the last user's on" if truncate else "the messages"
    raise RequestError(f"messages: {what} make {found} tokens; num_ctx leaves {limit} for the "
                       "prompt", error="the input length exceeds the context length")
