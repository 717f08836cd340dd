"""Python types -> JSON schemas: what an answer, or an argument of a tool, may be.

A class stands where it is used, for templates that spell a tool's parameters follow no
reference; only one that holds itself has a name, in "$defs".
"""
from __future__ import annotations

import collections
import copy
import datetime
import decimal
import inspect
import ipaddress
import json
import pathlib
import re
import types
import uuid
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from .errors import RequestError
from .records import ALLOWED, NOTHING, Field, about, asked, fields, is_record, substituted

__all__ = ["arguments", "inside", "is_model", "is_type", "schema", "within"]

Schema = dict[str, Any]
NULL: Schema = {"type": "null"}
DEFS = "#/$defs/"
DEPTH = 100                             # of classes in classes: no honest one comes near

# A class has the schema of the first that it is or derives from.
SCALARS: dict[type, Schema] = {
    bool: {"type": "boolean"}, int: {"type": "integer"}, float: {"type": "number"},
    decimal.Decimal: {"type": "number"}, str: {"type": "string"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    datetime.timedelta: {"type": "string", "format": "duration"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    ipaddress.IPv4Address: {"type": "string", "format": "ipv4"},
    ipaddress.IPv6Address: {"type": "string", "format": "ipv6"},
    pathlib.PurePath: {"type": "string"},
}
ARRAYS = (list, set, frozenset, collections.deque)
ABSTRACT_ARRAYS = (abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable, abc.Set,
                   abc.MutableSet)
ABSTRACT_OBJECTS = (abc.Mapping, abc.MutableMapping)
QUALIFIERS = ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar")
TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null",
         list: "array", dict: "object"}

# What pydantic's Field and annotated_types call a bound, and JSON schema.
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum",
          "multiple_of": "multipleOf", "pattern": "pattern"}
LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}

# Keys of a schema under which schemas stand by name, and those under which one or a list does.
NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
NESTED = ("items", "additionalProperties", "additionalItems", "prefixItems", "anyOf", "oneOf",
          "allOf", "not", "contains", "propertyNames", "if", "then", "else")


def schema(given: Any, place: str = "format") -> Schema:
    """Returns the JSON schema of a type or of a pydantic model or adapter.

    Annotated's strings and the description and bounds of pydantic's Field are kept.  A class's
    docstring is its description.  Raises RequestError for a type that JSON cannot say.
    """
    document = Document()
    return document.whole(document.of(given, place))


def arguments(given: Iterable[Field], place: str) -> Schema:
    """Returns the schema of a call's arguments.

    Of a parameter that is None by default no null is told: leaving it out says the same.
    """
    document, parameters = Document(), list(given)
    made = document.of_fields(parameters, place)
    for each in parameters:
        if each.default is None:
            made["properties"][each.name] = without_null(made["properties"][each.name])
    return document.whole(made)


def is_type(given: object) -> bool:
    """Returns whether given is a type, or what stands for one, and no value."""
    return (isinstance(given, type) or get_origin(given) is not None or is_alias(given)
            or hasattr(given, "__supertype__") or is_adapter(given))


def is_alias(given: object) -> bool:
    return type(given).__name__ == "TypeAliasType"      # typing's from Python 3.12 on


def is_adapter(given: object) -> bool:
    return not isinstance(given, type) and callable(getattr(given, "json_schema", None))


def is_model(given: object) -> bool:
    return isinstance(given, type) and callable(getattr(given, "model_json_schema", None))


class Document:
    """One schema and its definitions."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {}
        self._names: dict[object, str] = {}     # of what is being written, or is in defs
        self._recursive: set[object] = set()

    def whole(self, made: Schema) -> Schema:
        """Returns made with the definitions, and no reference at its root."""
        name = str(made.get("$ref", "")).removeprefix(DEFS)
        if name in self.defs:
            made = {**self.defs[name], **{key: made[key] for key in made if key != "$ref"}}
        return {**made, "$defs": self.defs} if self.defs else made

    def of_fields(self, given: Iterable[Field], place: str) -> Schema:
        properties, required = {}, []
        for field in given:
            needed, default = field.required, field.default
            notes = [field.description, *getattr(field.hint, "__metadata__", ())]
            if callable(is_required := getattr(default, "is_required", None)):
                needed, notes = is_required(), [*notes, default]    # pydantic's Field()
                default = default.default
            made = noted(self.of(field.hint, f"{place}.{field.name}"), notes)
            if default is not None and (value := in_json(default)) is not NOTHING:
                made["default"] = value
            properties[field.name] = made
            if needed:
                required.append(field.name)
        return {"type": "object", "properties": properties,
                **({"required": required} if required else {})}

    def of(self, hint: Any, place: str) -> Schema:
        """Returns the schema of one type, a new dict."""
        origin, args = get_origin(hint), get_args(hint)
        kind = origin or hint
        if hint is Any or hint is object:
            return {}
        if hint is None or hint is type(None):
            return dict(NULL)
        if isinstance(hint, TypeVar):
            return union([self.of(each, place) for each in
                          hint.__constraints__ or (hint.__bound__ or Any,)])
        if hasattr(hint, "__supertype__"):
            return self.of(hint.__supertype__, place)
        if origin is Annotated:
            return noted(self.of(args[0], place), args[1:])
        if origin is Literal:
            return choice(args, place)
        if origin in (Union, types.UnionType):
            return union([self.of(each, place) for each in args])
        if str(getattr(origin, "_name", "")) in QUALIFIERS:
            return self.of(args[0], place)
        if is_alias(kind):
            value = asked(place, lambda: substituted(kind.__value__, kind.__type_params__, args))
            return self._named((kind, str(args)), kind.__name__, place,
                               lambda: self.of(value, place))
        if is_model(kind):
            return self._adopted(asked(place, kind.model_json_schema), kind, place)
        if is_adapter(hint):
            return self._adopted(asked(place, hint.json_schema), hint, place)
        if is_record(kind):
            return self._named((kind, str(args)), kind.__name__, place,
                               lambda: self._record(kind, args, place))
        if isinstance(kind, type) and (made := self._plain(kind, origin, args, place)) is not None:
            return made
        raise RequestError(f"{place}: found {inspect.formatannotation(hint)[:80]}; {ALLOWED}")

    def _record(self, kind: Any, args: Sequence[Any], place: str) -> Schema:
        made = self.of_fields(fields(kind, place, args), place)
        # Its constructor takes no other names.
        return {"type": made.pop("type"), **described(about(kind).description), **made,
                "additionalProperties": False}

    def _plain(self, kind: type, origin: Any, args: Sequence[Any], place: str) -> Schema | None:
        if issubclass(kind, Enum):
            return {**choice(kind, place), **described(about(kind).description)}
        for scalar, made in SCALARS.items():
            if issubclass(kind, scalar):
                return dict(made)
        if issubclass(kind, tuple) and origin and args[-1:] != (...,):
            each = [self.of(arg, f"{place}[{i}]") for i, arg in enumerate(args)]
            prefix = {"prefixItems": each, "minItems": len(each)} if each else {}
            return {"type": "array", **prefix, "maxItems": len(each)}
        if issubclass(kind, (*ARRAYS, tuple)) or kind in ABSTRACT_ARRAYS:
            items = self.of(args[0], f"{place}[]") if args else {}
            return {"type": "array", **({"items": items} if items else {})}
        if issubclass(kind, dict) or kind in ABSTRACT_OBJECTS:
            keys = self.of(args[0], f"a key of {place}") if args else {}
            values = self.of(args[1], f"{place}[]") if args[1:] else {}
            if all(isinstance(name, str) for name in keys.get("enum", [None])):
                return {"type": "object", "properties": {
                    name: copy.deepcopy(values) for name in keys["enum"]},
                    "additionalProperties": False}
            return {"type": "object", **({"additionalProperties": values} if values else {})}
        return None

    def _named(self, key: object, name: str, place: str, write: Callable[[], Schema]) -> Schema:
        """Returns what write does, or a reference where that holds itself."""
        if key not in self._names:
            if len(self._names) > DEPTH:
                raise RequestError(f"{place}: found classes in classes without end; {DEPTH} deep "
                                   "is allowed")
            name = re.sub(r"\W+", "_", name)
            while name in self._names.values():
                name += "_"
            self._names[key] = name
            made = write()
            if key not in self._recursive:
                del self._names[key]
                return made
            self.defs[name] = made
        self._recursive.add(key)
        return {"$ref": DEFS + self._names[key]}

    def _adopted(self, given: Mapping[str, Any], owner: object, place: str) -> Schema:
        """Returns the schema that a model has made of itself, its definitions among ours."""
        defs = given.get("$defs", {})

        def settled(node: Any) -> Any:
            if not isinstance(node, Mapping):
                return node
            name = str(node.get("$ref", "")).removeprefix(DEFS)
            known = self._named((owner, name), name, place, lambda: settled(defs[name])) \
                if name in defs else {}
            # A discriminator tells tagged classes apart by references; of what comes twice a
            # model's set takes one.
            passed = ("$defs", "discriminator", "uniqueItems", *(["$ref"] if known else []))
            node = {key: value for key, value in node.items() if key not in passed}
            if choices := [each for each in node.pop("anyOf", ()) if not is_decimal(each)]:
                node = {"anyOf": choices, **node} if choices[1:] else {**choices[0], **node}
            return {**known, **within(node, settled)}

        made: Schema = settled(given)
        return made


def is_decimal(given: Mapping[str, Any]) -> bool:
    """Returns whether it is the text that pydantic takes for a Decimal, beside a number: its
    pattern looks ahead, which an answer cannot be held to."""
    return given.get("type") == "string" and "(?!" in given.get("pattern", "")


def within(given: Mapping[str, Any], change: Callable[[Any], Any]) -> Schema:
    """Returns a schema with what change makes of each that stands right inside it."""
    made = {}
    for key, value in given.items():
        if key in NAMED and isinstance(value, Mapping):
            value = {name: change(each) for name, each in value.items()}
        elif key in NESTED:
            value = [change(each) for each in value] if isinstance(value, list) else change(value)
        made[key] = value
    return made


def inside(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the schemas that stand right inside one, and where: ".properties.a", ".anyOf[1]"."""
    for key, value in given.items():
        if key in NAMED and isinstance(value, Mapping):
            yield from ((f".{key}.{name}", each) for name, each in value.items())
        elif key in NESTED and isinstance(value, list):
            yield from ((f".{key}[{i}]", each) for i, each in enumerate(value))
        elif key in NESTED:
            yield f".{key}", value


def choice(values: Iterable[object], place: str) -> Schema:
    """Returns the schema of a value that is one of these; enumerations' members by value."""
    known = [in_json(each) for each in values]
    if not known or NOTHING in known:
        raise RequestError(f"{place}: found an enumeration of what JSON cannot say, or of nothing; "
                           f"{ALLOWED}")
    some = [each for each in known if each is not None]
    kinds = list(dict.fromkeys(TYPES[type(each)] for each in some))
    made = {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": some}
    return made if len(some) == len(known) else union([made, NULL] if some else [NULL])


def union(members: Sequence[Schema]) -> Schema:
    """Returns the schema of a value that is one of these.

    A list of types where that says all, for more templates know it than anyOf; but never null in
    one, which some do not survive.
    """
    distinct = [each for i, each in enumerate(members) if each not in members[:i]]
    if len(distinct) == 1 or {} in distinct:
        return distinct[0] if len(distinct) == 1 else {}
    if NULL not in distinct and all(isinstance(each.get("type"), str) and len(each) == 1
                                    for each in distinct):
        return {"type": [each["type"] for each in distinct]}
    return {"anyOf": sorted(distinct, key=lambda each: each == NULL)}


def without_null(made: Schema) -> Schema:
    members = [each for each in made.get("anyOf", ()) if each != NULL]
    rest = {key: value for key, value in made.items() if key != "anyOf"}
    return {**union(members), **rest} if members else made


def noted(made: Schema, notes: Iterable[Any]) -> Schema:
    """Returns made with what Annotated, or a Field, says about it; of several texts the last."""
    kind = made.get("anyOf", [made])[0].get("type")
    length = LENGTHS.get(str(kind))
    bounds = BOUNDS | ({"min_length": f"min{length}", "max_length": f"max{length}"}
                       if length else {})
    made = dict(made)
    for note in notes:
        text = note if isinstance(note, str) else getattr(
            note, "description", None) or getattr(note, "documentation", None)
        made.update(described(text))
        for part in (note, *(getattr(note, "metadata", None) or ())):
            for name, key in bounds.items():
                if isinstance(value := getattr(part, name, None), (int, float, str)):
                    made[key] = value
    return made


def in_json(value: object) -> Any:
    """Returns value in JSON's types, or NOTHING where they cannot say it."""
    def simple(value: object) -> object:
        if isinstance(value, Enum):
            return value.value
        raise TypeError

    try:
        return json.loads(json.dumps(value, allow_nan=False, default=simple))
    except (TypeError, ValueError, RecursionError):
        return NOTHING


def described(text: object) -> Schema:
    return {"description": text} if text and isinstance(text, str) else {}
