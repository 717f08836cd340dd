"""Strings that know which of their characters a chat template wrote.

What a template computes from the user's words is the user's again, through any
cutting and joining; what it spells itself is its own.  Operations that are not
followed here give ordinary strings, which count as the user's: losing track can
turn a control token into text, and never text into a control token.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self, SupportsIndex

Spans = tuple[tuple[int, int], ...]


class Text(str):
    """A string; written are the (start, end) of what the template wrote, in order, apart."""
    __slots__ = ("written",)
    written: Spans

    def __new__(cls, value: str, written: Spans = ()) -> Self:
        self = super().__new__(cls, value)
        self.written = written
        return self

    @classmethod
    def by_template(cls, value: str) -> Text:
        return cls(value, ((0, len(value)),) if value else ())

    @property
    def plain(self) -> Spans:
        """The (start, end) of all that the template did not write."""
        out, at = [], 0
        for start, end in (*self.written, (len(self), len(self))):
            if at < start:
                out.append((at, start))
            at = end
        return tuple(out)

    def __str__(self) -> Text:
        return self

    def __add__(self, other: str) -> Text:
        return joined((self, other)) if isinstance(other, str) else NotImplemented

    def __radd__(self, other: str) -> Text:
        return joined((other, self)) if isinstance(other, str) else NotImplemented

    def __mul__(self, times: SupportsIndex) -> Text:
        return joined([self] * times.__index__())

    __rmul__ = __mul__

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            return self._cut(start, stop) if step == 1 else super().__getitem__(key)
        at = range(len(self))[key.__index__()]
        return self._cut(at, at + 1)

    def _cut(self, start: int, stop: int) -> Text:
        return Text(str.__getitem__(self, slice(start, stop)), tuple(
            (max(a, start) - start, min(b, stop) - start)
            for a, b in self.written if a < stop and b > start))

    def _same_length(self, value: str) -> Text:
        return Text(value, self.written if len(value) == len(self) else ())

    def lower(self) -> Text:
        return self._same_length(super().lower())

    def upper(self) -> Text:
        return self._same_length(super().upper())

    def casefold(self) -> Text:
        return self._same_length(super().casefold())

    def title(self) -> Text:
        return self._same_length(super().title())

    def capitalize(self) -> Text:
        return self._same_length(super().capitalize())

    def swapcase(self) -> Text:
        return self._same_length(super().swapcase())

    def lstrip(self, chars: str | None = None, /) -> Text:
        return self._cut(len(self) - len(super().lstrip(chars)), len(self))

    def rstrip(self, chars: str | None = None, /) -> Text:
        return self._cut(0, len(super().rstrip(chars)))

    def strip(self, chars: str | None = None, /) -> Text:
        return self.rstrip(chars).lstrip(chars)

    def removeprefix(self, prefix: str, /) -> Text:
        return self._cut(len(prefix) * self.startswith(prefix), len(self))

    def removesuffix(self, suffix: str, /) -> Text:
        return self._cut(0, len(self) - len(suffix) * self.endswith(suffix))

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[Any]:
        return self._found(super().split(sep, maxsplit), len(sep or ""))

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[Any]:
        return self._found(super().rsplit(sep, maxsplit), len(sep or ""))

    def splitlines(self, keepends: bool = False) -> list[Any]:
        return self._found(super().splitlines(keepends), 0)

    def _found(self, pieces: list[str], apart: int) -> list[Text]:
        """Cuts out pieces that lie in this order, so many characters or some blanks apart."""
        if not self.written:
            return list(map(Text, pieces))
        out, at = [], 0
        for piece in pieces:
            start = at if apart else self.find(piece, at)
            at = start + len(piece)
            out.append(self._cut(start, at))
            at += apart
        return out

    def partition(self, sep: str, /) -> tuple[Any, Any, Any]:
        return self._parted(self.find(sep), len(sep), (self, Text(""), Text("")))

    def rpartition(self, sep: str, /) -> tuple[Any, Any, Any]:
        return self._parted(self.rfind(sep), len(sep), (Text(""), Text(""), self))

    def _parted(self, at: int, width: int, otherwise: tuple[Text, Text, Text]
                ) -> tuple[Text, Text, Text]:
        if not width:
            raise ValueError("empty separator")
        if at < 0:
            return otherwise
        return self._cut(0, at), self._cut(at, at + width), self._cut(at + width, len(self))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> Text:
        if not (self.written or isinstance(new, Text) and new.written):
            return Text(super().replace(old, new, count))
        if not self.plain and isinstance(new, Text) and not new.plain:
            return Text.by_template(super().replace(old, new, count))
        if not old:
            return Text(super().replace(old, new, count))
        return joined(_between(new, self.split(old, count)))

    def join(self, parts: Iterable[str], /) -> Text:
        return joined(_between(self, parts))


def joined(parts: Iterable[str]) -> Text:
    """Returns the parts as one text."""
    parts = tuple(parts)
    written: list[tuple[int, int]] = []
    at = 0
    for part in parts:
        if isinstance(part, Text):
            for start, end in part.written:
                begun = start + at
                if written and written[-1][1] == begun:
                    begun, _ = written.pop()
                written.append((begun, end + at))
        at += len(part)
    return Text("".join(parts), tuple(written))


def _between(separator: str, parts: Iterable[str]) -> Iterable[str]:
    for order, part in enumerate(parts):
        if order:
            yield separator
        yield part
