"""What a way of writing tool calls is made of."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from . import lark
from .source import Source, Steps

# Of functions, as models write them outside of quotes.
NAME = re.compile(r"[^\s<>(){}\[\]\"'`,;:=|]+")
NAME_LENGTH = 200


@dataclass(frozen=True)
class Call:
    name: str
    arguments: dict[str, Any]               # in the order in which the model wrote them


Part = str | Call                           # content, or a call
Tools = Mapping[str, Mapping[str, Any]]     # a function's name -> the JSON schema of its arguments


class Body(Protocol):
    """How one call is written."""

    @property
    def listed(self) -> bool:
        """Whether several may stand in brackets, with commas between them."""

    @property
    def whole(self) -> bool:
        """Whether it can be told where a call ends without the mark after it."""

    @property
    def marks(self) -> Iterable[str]:
        """What it has of marks."""

    def read(self, source: Source, tools: Tools) -> Steps[Call]:
        """Reads one call.  Raises Malformed."""

    def rules(self, names: Sequence[str]) -> str:
        """Returns rules of a grammar, that of one call named call."""


@dataclass(frozen=True)
class Format:
    """One way of writing calls: open, then each with before and after it, then close.

    A blank in a mark stands for any blanks, or none.  What comes after a call may be missing.
    """
    body: Body
    open: str = ""
    before: str = ""
    after: str = ""
    close: str = ""
    bare: bool = False          # an answer may begin with a call, without open
    silent: tuple[str, ...] = ()        # marks that are neither content nor of calls

    @property
    def begins(self) -> str:
        """The mark that begins calls."""
        return next(iter((self.open or self.before).split()), "")

    def rules(self, names: Sequence[str]) -> str:
        """Returns rules of a grammar, that of an answer which calls some of names named calls."""
        body = self.body
        begin = lark.maybe(self.open) if self.bare else lark.mark(self.open)
        after = lark.maybe(self.after) if body.whole else lark.mark(self.after)
        each = f"{lark.mark(self.before)} ws group {after}"
        more = each if self.before else f'";"? {each}'
        listed = f'"[" ws {lark.several("call")} ws "]"'
        return "\n".join((
            lark.rules(names), f"calls: ({begin} {each} ({more})* {lark.maybe(self.close)})+",
            f"group: call | {listed}" if body.listed else "group: call", body.rules(names)))

    def kept(self, special: Iterable[str]) -> tuple[str, ...]:
        """Returns those special tokens that must not be silent in the text of an answer."""
        marks = (self.open, self.before, self.after, self.close, *self.silent, *self.body.marks)
        return tuple(token for token in special if token and any(token in mark for mark in marks))


def schemas(tools: Sequence[Mapping[str, Any]]) -> Tools:
    """Returns the schemas of functions that were declared as chats do."""
    found = {}
    for tool in tools:
        function = tool.get("function")
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            parameters = function.get("parameters")
            found[function["name"]] = parameters if isinstance(parameters, Mapping) else {}
    return found
