"""The name outside, the arguments as JSON: f[ARGS]{"k": 1}."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import lark
from .format import NAME, NAME_LENGTH, Call, Tools
from .source import Malformed, Source, Steps
from .values import JSON, Style, value

BETWEEN = 100           # characters of an id, a type of content and the like
GAP = r"([\s:<\[|][^{}]{0,60})?"         # the same in a grammar


@dataclass(frozen=True)
class Named:
    between: str = ""               # before the arguments; whatever else is there means nothing
    prefix: str = ""                # that a name may have
    style: Style = JSON

    listed = False
    whole = True

    @property
    def marks(self) -> tuple[str, ...]:
        return (self.between, self.prefix, self.style.quote)

    def read(self, source: Source, tools: Tools) -> Steps[Call]:
        yield from source.peek()
        name = yield from source.token(NAME, NAME_LENGTH)
        if self.between:
            yield from source.until(self.between, BETWEEN)
        if (yield from source.peek()) != "{":
            raise Malformed
        return Call(name.removeprefix(self.prefix), (yield from value(source, self.style)))

    def rules(self, names: Sequence[str]) -> str:
        prefix = f"{lark.one_of([self.prefix])} " if self.prefix else ""
        first, *words = self.between.split() or [""]
        call = f"call: {prefix}names {'gap' if first else ''} {lark.mark(' '.join(words))} ws "
        return "\n".join((call + ("object" if self.style == JSON else "dict"),
                          *([lark.up_to("gap", first, GAP)] if first else ()),
                          *(self.style.rules() if self.style != JSON else ())))
