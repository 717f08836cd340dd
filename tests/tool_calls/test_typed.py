"""Texts get the type that the schema of a function names."""
import pytest

from minichat.tool_calls.typed import typed


def value(text, schema, **root):
    return typed(text, "k", {"type": "object", "properties": {"k": schema}, **root})


@pytest.mark.parametrize("text, schema, made", [
    ("5", {"type": "string"}, "5"), ("5", {"type": "integer"}, 5), ("5.0", {"type": "integer"}, 5),
    ("5.5", {"type": "integer"}, "5.5"), ("5", {"type": "number"}, 5),
    (" 5\n", {"type": "number"}, 5),
    ("5.5", {"type": "number"}, 5.5), ("NaN", {"type": "number"}, "NaN"),
    ("1e999", {"type": "number"}, "1e999"), ("true", {"type": "boolean"}, True),
    ("False", {"type": "boolean"}, False), ("1", {"type": "boolean"}, "1"),
    ("None", {"type": "null"}, None), ("five", {"type": "integer"}, "five"),
    ("[1, 'a']", {"type": "array"}, [1, "a"]), ('{"a": 1}', {"type": "object"}, {"a": 1}),
    ('{"a": 1', {"type": "object"}, '{"a": 1'), ("[1]", {"type": "object"}, "[1]"),
    ("null", {"type": ["string", "null"]}, None), ("x", {"type": ["string", "null"]}, "x"),
    ('"x"', {"type": ["string", "integer"]}, '"x"'), ("7", {"type": ["string", "integer"]}, 7),
    ("7", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, 7),
    ("null", {"type": "integer", "nullable": True}, None),
    ("2", {"enum": [1, 2]}, 2), ("2", {"enum": ["1", "2"]}, "2"), ("2", {"const": 2}, 2),
    ("2", {}, "2"), ("2", True, "2"), ("2", {"type": 5}, "2"), ("2", {"anyOf": "x"}, "2"),
    ("2", {"$ref": "#/$defs/Count"}, 2), ("2", {"$ref": "#/$defs/Loop"}, "2"),
    ("2", {"$ref": "#/nowhere"}, "2"), ("2", {"$ref": 5}, "2"),
    ("[" * 5000, {"type": "array"}, "[" * 5000),
])
def test_values(text, schema, made):
    found = value(text, schema, **{"$defs": {"Count": {"type": "integer"},
                                             "Loop": {"$ref": "#/$defs/Loop"}}})
    assert found == made and type(found) is type(made)


@pytest.mark.parametrize("schema", [{}, {"properties": None}, {"properties": {"other": {}}}])
def test_without_a_schema_a_text_is_a_text(schema):
    assert typed("5", "k", schema) == "5"
