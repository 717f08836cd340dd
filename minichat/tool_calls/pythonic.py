"""Calls as in Python: f(k=1, s="text")."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import lark
from .format import NAME, NAME_LENGTH, Call, Tools
from .objects import Objects
from .source import Malformed, Source, Steps
from .values import WORDS, value

METHOD = ".call"        # of tools that are built into a model


@dataclass(frozen=True)
class Pythonic:
    """Models that write these write JSON too."""
    objects: Objects = Objects()

    listed = whole = True
    marks = ()

    def read(self, source: Source, tools: Tools) -> Steps[Call]:
        if (yield from source.peek()) == "{":
            return (yield from self.objects.read(source, tools))
        name = yield from source.token(NAME, NAME_LENGTH)
        if not source.text.startswith("(", source.at):
            raise Malformed
        source.at += 1
        arguments: dict[str, Any] = {}
        while not (yield from source.take(")")):
            key = yield from source.token(KEY, NAME_LENGTH)
            yield from source.expect("=")
            arguments[key] = yield from value(source)
            if (yield from source.peek()) != ")":
                yield from source.expect(",")
        if name not in tools:
            name = name.removesuffix(METHOD)
        return Call(name, arguments)

    def rules(self, names: Sequence[str]) -> str:
        argument, part = lark.several("argument"), lark.several("part")
        return "\n".join((
            f'call: json | names "(" ({argument})? ")"',
            f"json: {lark.of_json(self.objects.schema(names))}",
            'argument: word "=" part',
            f"""part: value | {lark.one_of([*WORDS])} | "'" quoted | "[" ({part})? "]" """,
            r"quoted: /([^'\\\n]|\\[\\'nt])*'/"))


KEY = re.compile(r"\w+")
