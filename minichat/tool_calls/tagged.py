"""Keys and values in tags: <function=f><parameter=k>1</parameter></function>."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import lark
from .format import NAME, NAME_LENGTH, Call, Tools
from .named import BETWEEN
from .source import Source, Steps
from .typed import typed


@dataclass(frozen=True)
class Tagged:
    """Values are text; the schema of the function says what it means."""
    name_end: str
    key: str
    key_end: str
    value_end: str
    value: str = ""                 # before a value; whatever is before it means nothing
    lines: bool = False             # a value stands on lines of its own

    listed = whole = False

    @property
    def marks(self) -> tuple[str, ...]:
        return (self.name_end, self.key, self.key_end, self.value, self.value_end)

    def read(self, source: Source, tools: Tools) -> Steps[Call]:
        yield from source.peek()
        name = yield from source.token(NAME, NAME_LENGTH)
        yield from source.expect(self.name_end)
        arguments: dict[str, Any] = {}
        while (yield from source.take(self.key)):
            key = (yield from source.until(self.key_end, NAME_LENGTH)).strip()
            if self.value:
                yield from source.until(self.value, BETWEEN)
            text = yield from source.until(self.value_end)
            if self.lines:
                text = text.removeprefix("\n").removesuffix("\n")
            arguments[key] = typed(text, key, tools.get(name, {}))
        return Call(name, arguments)

    def rules(self, names: Sequence[str]) -> str:
        before = f"{lark.mark(self.key)} key {lark.mark(self.key_end)}"
        rules = [f"call: names {lark.mark(self.name_end)} "
                 f"({before} {'gap' if self.value else ''} text)*",
                 lark.up_to("text", self.value_end)]
        return "\n".join(rules + [lark.up_to("gap", self.value, "[^<>]{0,60}")] * bool(self.value))
