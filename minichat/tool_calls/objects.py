"""JSON: {"name": "f", "arguments": {"k": 1}}."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import lark
from .format import Call, Tools
from .source import Malformed, Source, Steps
from .values import parse, value

NAMES = ("name", "tool_name")
ARGUMENTS = ("arguments", "parameters")
ANY, TEXT = {"type": "object"}, {"type": "string"}
BESIDE = ("type", "function", "id", "index", "tool_call_id")


@dataclass(frozen=True)
class Objects:
    name: str = "name"              # the keys; "": the name is the key of the arguments
    arguments: str = "arguments"
    optional: bool = True           # there may be no arguments

    listed = whole = True
    marks = ()

    def read(self, source: Source, tools: Tools) -> Steps[Call]:
        if (yield from source.peek()) != "{":
            raise Malformed
        keys = {self.name, self.arguments, *NAMES, *ARGUMENTS, *BESIDE}
        return self.call((yield from value(source, first=keys if self.name else None)))

    def rules(self, names: Sequence[str]) -> str:
        return f"call: {lark.of_json(self.schema(names))}"

    def schema(self, names: Sequence[str]) -> dict[str, Any]:
        """Returns the JSON schema of a call."""
        if not self.name:
            return {"anyOf": [closed({name: ANY}) for name in names]}
        name = {self.name: {"enum": [*names]}}
        return {"anyOf": [closed({"tool_call_id": TEXT, **name, arguments: ANY, "id": TEXT},
                                 optional=("tool_call_id", "id"))
                          for arguments in dict.fromkeys((self.arguments, *ARGUMENTS))]}

    def call(self, said: dict[str, Any]) -> Call:
        """Returns the call that an object is.  Raises Malformed."""
        if isinstance(said.get("function"), dict):
            said = said["function"]
        if not self.name:
            if len(said) != 1:
                raise Malformed
            [(name, arguments)] = said.items()
        else:
            name = first(said, self.name, *NAMES)
            arguments = first(said, self.arguments, *ARGUMENTS)
        if isinstance(arguments, str) and arguments.strip():
            arguments = parse(arguments)
        if self.optional and not arguments and arguments not in (0, []):
            arguments = {}
        if not isinstance(name, str) or not name or not isinstance(arguments, dict):
            raise Malformed
        return Call(name, arguments)


def closed(properties: dict[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the schema of an object that has these properties and no other."""
    return {"type": "object", "properties": properties, "additionalProperties": False,
            "required": [name for name in properties if name not in optional]}


def first(said: dict[str, Any], *keys: str) -> Any:
    return next((said[key] for key in keys if key in said), None)
