"""Text -> the value that a schema takes it for."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .source import Malformed
from .values import parse

DEPTH = 8               # of references and alternatives


def typed(text: str, key: str, schema: Mapping[str, Any]) -> Any:
    """Returns the value of the argument key, whose text this is: the text itself unless schema,
    which is that of all arguments, wants something else that the text can be."""
    properties = schema.get("properties")
    wanted = kinds(properties.get(key), schema) if isinstance(properties, Mapping) else set()
    if wanted <= {"string"}:
        return text
    try:
        value = parse(text)
    except Malformed:
        return text
    kind = kind_of(value)
    if kind == "number" and "number" not in wanted and value.is_integer():
        kind, value = "integer", int(value)
    if kind == "integer" and "number" in wanted:
        return value
    return value if kind in wanted - {"string"} else text


def kinds(schema: Any, root: Mapping[str, Any], depth: int = 0) -> set[str]:
    """Returns the types that a schema allows, as far as it names them."""
    if not isinstance(schema, Mapping) or depth > DEPTH:
        return set()
    named = schema.get("type")
    found = {each for each in (named if isinstance(named, list) else [named])
             if isinstance(each, str)}
    if found:
        return found | ({"null"} if schema.get("nullable") is True else set())
    if isinstance(schema.get("enum"), list):
        found |= {kind_of(each) for each in schema["enum"]}
    if "const" in schema:
        found.add(kind_of(schema["const"]))
    others = [target(schema.get("$ref"), root)]
    for several in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(several), list):
            others += schema[several]
    return found.union(*(kinds(other, root, depth + 1) for other in others))


def target(reference: Any, root: Mapping[str, Any]) -> Any:
    """Returns what a reference within root points at."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: Any = root
    for name in reference[2:].split("/"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
