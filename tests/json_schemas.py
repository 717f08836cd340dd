"""Two hundred JSON schemas over all keywords that an answer can be held to."""
from random import Random
from typing import Any

Schema = dict[str, Any]

STRINGS: list[Schema] = [
    {"type": "string"}, {"type": "string", "minLength": 3}, {"type": "string", "maxLength": 5},
    {"type": "string", "minLength": 2, "maxLength": 2}, {"type": "string", "maxLength": 0},
    {"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"}, {"type": "string", "pattern": "o"},
    {"type": "string", "pattern": "^(red|green)\\.$"}, {"type": "string", "pattern": "^\\w+$"},
    *({"type": "string", "format": name} for name in (
        "date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
        "password")),
    {"type": "string", "format": "uri", "maxLength": 30},
    {"type": ["string", "null"], "format": "date", "pattern": "^20", "maxLength": 10},
    {"type": "string", "pattern": "^a+b?$", "minLength": 2, "maxLength": 4},
    {"type": "string", "pattern": "^[^\"\\\\]*\\.(png|jpe?g)$", "maxLength": 12},
    {"type": "string", "contentEncoding": "base64", "maxLength": 9},
]
NUMBERS: list[Schema] = [
    {"type": "integer"}, {"type": "number"}, {"type": "integer", "minimum": 5, "maximum": 17},
    {"type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 3},
    {"type": "integer", "minimum": -1000}, {"type": "integer", "maximum": -7},
    {"type": "number", "minimum": 0, "maximum": 1}, {"type": "number", "exclusiveMinimum": 99.5},
    {"type": "number", "minimum": -2.5, "maximum": -2.25}, {"type": "integer", "multipleOf": 5},
    {"type": "integer", "multipleOf": 7, "minimum": 700, "maximum": 800},
    {"type": "number", "multipleOf": 0.5, "minimum": 0.2, "maximum": 1.9},
    {"type": "number", "maximum": -1e3}, {"type": "integer", "minimum": 0, "maximum": 0},
    {"type": "integer", "format": "int32", "minimum": -5, "maximum": 123456789},
]
PLAIN: list[Schema] = [
    {"type": "null"}, {"type": "boolean"}, {"type": ["string", "null"]}, {"type": "object"},
    {"type": ["integer", "boolean"]}, {"const": 42}, {"const": "a \"quoted\" word\n"},
    {"const": {"deep": [1, None, {"x": False}]}}, {"enum": ["red", "green", 3, None]},
    {"enum": ["one", "oneself", "ones"]}, {"type": "string", "enum": ["\u00fc", "\U0001f600"]},
    {"type": "string", "enum": ["a", 1]}, {"enum": ["ab", "c", 5], "pattern": "^a"},
    {"type": ["number", "null", "array"], "maximum": 3, "maxItems": 1},
]
ARRAYS: list[Schema] = [
    {"type": "array", "items": {"type": "integer"}, "maxItems": 4},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
    {"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 5, "maxItems": 5},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string", "maxLength": 4}],
     "items": False, "minItems": 2},
    {"type": "array", "prefixItems": [{"const": 1}], "items": {"type": "null"}, "maxItems": 3},
    {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
     "maxItems": 2},
    {"type": "array", "maxItems": 0}, {"type": "array", "items": True, "maxItems": 1},
    {"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": False, "maxItems": 3},
]
OBJECTS: list[Schema] = [
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}},
     "required": ["a", "b"], "additionalProperties": False},
    {"type": "object", "properties": {"z": {"type": "null"}, "a": {"type": "boolean"}},
     "required": ["a"], "additionalProperties": False},
    {"type": "object", "properties": {"first name": {"type": "string", "maxLength": 8}},
     "required": ["first name"]},
    {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"},
     "maxProperties": 3},
    {"type": "object", "patternProperties": {"^[xy]$": {"type": "boolean"}},
     "additionalProperties": False},
    {"type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 1,
     "maxProperties": 2},
    {"type": "object", "properties": {"k": {"const": "\u20ac"}}, "required": ["k"]},
    {"type": "object", "required": ["a", "b"], "additionalProperties": {"type": "boolean"}},
    {"type": "object", "properties": {"a": {"type": "null"}, "b": {"const": 0}},
     "patternProperties": {"^c": {"type": "boolean"}}, "minProperties": 2,
     "required": ["b", "a"], "additionalProperties": False},
    {"type": "object", "properties": {"a": False, "b": {"type": "null"}},
     "additionalProperties": False},
    {"type": "object", "properties": {"format": {"enum": ["x"]}, "uniqueItems": {"const": False}},
     "required": ["format", "uniqueItems"], "additionalProperties": False},
]
COMBINED: list[Schema] = [
    {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "integer", "minimum": 0}]},
    {"oneOf": [{"type": "boolean"}, {"type": "null"}]},
    {"oneOf": [
        {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}},
         "required": ["kind", "lives"], "additionalProperties": False},
        {"type": "object", "properties": {"kind": {"const": "dog"}, "barks": {"type": "boolean"}},
         "required": ["kind", "barks"], "additionalProperties": False}]},
    {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 9}]},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
               {"properties": {"b": {"type": "null"}}, "required": ["b"]}]},
    {"$ref": "#/$defs/point", "$defs": {"point": {
        "type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
        "required": ["x", "y"], "additionalProperties": False}}},
    {"$ref": "#/definitions/yes", "definitions": {"yes": {"const": True}}},
    {"$ref": "#/$defs/least", "maximum": 12, "$defs": {"least": {"type": "integer", "minimum": 9}}},
    {"$ref": "#some", "$defs": {"named": {"$anchor": "some", "enum": [None, "x"]}}},
    {"type": "object", "properties": {"a": {"type": "null"}, "b": {"$ref": "#/properties/a"}},
     "required": ["b"], "additionalProperties": False},
    {"type": "object", "properties": {"deeper": {"$ref": "#"}}, "additionalProperties": False},
    {"allOf": [{"type": "string", "pattern": "^a"}, {"pattern": "b$", "maxLength": 6}]},
    {"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object",
     "properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "additionalProperties": False},
    {"$ref": "#/$defs/tree", "$defs": {"tree": {
        "type": "object", "properties": {
            "leaf": {"type": "boolean"},
            "below": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 1}},
        "required": ["leaf", "below"], "additionalProperties": False}}},
    {"title": "Described", "description": "Words that hold nothing.", "type": "boolean",
     "default": True, "examples": [False], "deprecated": True, "$comment": "none"},
]
BASES = [*STRINGS, *NUMBERS, *PLAIN, *ARRAYS, *OBJECTS, *COMBINED]
NAMES = "name age city tags when why size next_one Kind 2nd a.b".split()


def inner(random: Random) -> Schema:
    """One that may stand inside another: references are of the whole document."""
    while "$ref" in str(drawn := random.choice(BASES)):
        pass
    return drawn


def composed(random: Random) -> Schema:
    """An object, a list or a choice of some of them."""
    kind = random.random()
    if kind < .6:
        names = random.sample(NAMES, random.randint(1, 4))
        return {"type": "object", "properties": {name: inner(random) for name in names},
                "required": random.sample(names, random.randint(0, len(names))),
                "additionalProperties": False}
    if kind < .8:
        return {"type": "array", "items": inner(random), "minItems": 1, "maxItems": 2}
    return {"anyOf": [inner(random), inner(random)]}


def schemas(count: int = 200) -> list[Schema]:
    random = Random(4)
    return [*BASES, *(composed(random) for _ in range(count - len(BASES)))]
