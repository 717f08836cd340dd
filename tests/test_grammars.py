"""minichat/grammars.py: what a format allows, and which ones are refused."""
import datetime
import re
import time
from random import Random

import pytest

from minichat.constrain import Constraint
from minichat.errors import RequestError
from minichat.grammars import grammar
from minichat.request import Lark

from .held import continued, fits, vocabulary, walk

EXTREMES = ["7", "\u0664", "a", "_", "\u00fc", "\u0301", "\u00b2", " ", "\t", "\x0b",
            "\x1c", "\x85", "\xa0", "\u2028", "\u3000", "\ufeff", "-", "\u212a", "\u0966", "d",
            "\\", "\"", "\n", "\x00", "\x1f"]


@pytest.mark.parametrize("format, pattern", [
    (re.compile("[a-c]{3}x+y"), "[a-c]{3}x+y"),
    (re.compile("ab*c", re.I), "(?i)ab*c"),
    (re.compile("a . c", re.X | re.S), "(?xs)a . c"),
    (Lark('start: "a" ("b" | NUMBER)+ "d"\nNUMBER: /[0-9]{2}/'), "a(b|[0-9][0-9])+d"),
])
def test_patterns_and_grammars(format, pattern):
    for seed in range(20):
        said, _, ended = walk(Constraint(vocabulary(), grammar(format)), Random(seed))
        assert not ended or re.fullmatch(pattern, said.decode())


@pytest.mark.parametrize("text", [
    r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"[\d-]", r"[^\d]", r"[^\w]", r"[^\s]", r"[\S]",
    r"[\s\d_]", r"[\W\d]", r"\\d|\d", r"[^\]\w]", ".", '[^"]', r'[^"\\]', r'[^\n"]', "[^d]"])
def test_classes_of_characters_are_never_wider_than_python_s(text):
    for flags in (0, re.ASCII):
        pattern, held = re.compile(text, flags), grammar(re.compile(text, flags))
        taken = [each for each in EXTREMES if continued(held, each)]
        assert taken and all(map(pattern.fullmatch, taken)), taken
    schema = {"type": "string", "pattern": f"^({text})$"}
    taken = [each for each in EXTREMES if fits(schema, each)]
    assert all(map(re.compile(text).fullmatch, taken)) and taken
    if text in (r"\d", r"\w", r"\s"):      # as ECMA has them, which is JSON schema's
        assert all(map(re.compile(text, re.ASCII).fullmatch, taken))
    assert grammar({"type": "object", "patternProperties": {text: {"type": "null"}}})


@pytest.mark.parametrize("schema, place, reason", [
    ({"properties": {"a": {"items": {"not": {"type": "string"}}}}},
     "format.properties.a.items", "not"),
    ({"$defs": {"x": {"type": "strin"}}, "$ref": "#/$defs/x"}, "format.$defs.x", "strin"),
    ({"anyOf": [{"type": "string"}, {"type": "array", "uniqueItems": True}]},
     "format.anyOf[1]", "uniqueItems"),
    ({"type": "string", "minLength": 3, "maxLength": 1}, "format", "minLength"),
    ({"$ref": "#/nowhere"}, "format", "nowhere"),
    ({"type": "string", "pattern": "(?=a)"}, "format", "look-around"),
])
def test_what_cannot_be_held_is_refused(schema, place, reason):
    with pytest.raises(RequestError) as caught:
        grammar(schema)
    assert str(caught.value).startswith(f"{place}: ") and reason in str(caught.value)
    assert caught.value.error == "invalid JSON schema in format"


@pytest.mark.parametrize("year", [1, 4, 100, 400, 1900, 2000, 2024, 2025, 9999, 0])
def test_days_are_those_of_the_calendar(year):
    for month, day in [(1, 1), (1, 31), (2, 28), (2, 29), (2, 30), (4, 30), (4, 31), (12, 31)]:
        text = f"{year:04}-{month:02}-{day:02}"
        try:
            real = bool(datetime.date.fromisoformat(text))
        except ValueError:
            real = False
        assert fits({"format": "date"}, text) == real, text
        assert fits({"format": "date-time", "type": "string"}, f"{text}T23:59:59.5Z") == real


@pytest.mark.parametrize("name, text, real", [
    ("time", "23:59:60Z", False), ("time", "23:59:59.25+02:00", True), ("time", "24:00:00Z", False),
    ("date-time", "2026-01-01T23:59:60Z", False), ("date-time", "2026-01-01t00:00:00z", True)])
def test_times_are_those_that_programs_read(name, text, real):
    assert fits({"type": "string", "format": name}, text) == real


@pytest.mark.parametrize("schema", [
    {"type": "string", "format": "path"}, {"type": "integer", "format": "int32"},
    {"type": "array", "uniqueItems": False},
    {"properties": {"format": {"enum": ["path"]}, "uniqueItems": {"const": False}}}])
def test_what_holds_nothing_is_passed_over(schema):
    assert grammar(schema)


@pytest.mark.parametrize("format", [re.compile("(?<=a)b"), Lark("start: nothing")])
def test_a_wrong_pattern_or_grammar(format):
    with pytest.raises(RequestError, match="format: "):
        grammar(format)


def test_a_wrong_schema_in_a_large_one_is_found_in_time():
    start = time.monotonic()
    for wrong in ({"p1": {"type": "text"}}, {"z": {"type": "text"}}):
        with pytest.raises(RequestError, match="^format"):
            grammar({"properties": {**{f"p{i}": {"type": "null"} for i in range(3000)}, **wrong},
                     "$defs": {str(i): {"type": "null"} for i in range(3000)}})
    assert time.monotonic() - start < 30
