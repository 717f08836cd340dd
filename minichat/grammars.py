"""format -> a grammar for the `llguidance` package, or why an answer cannot be held to it."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, cast

import llguidance

from . import schemas
from .errors import RequestError
from .request import Format, Lark
from .tool_calls.lark import WHITESPACE

__all__ = ["grammar", "or_calls"]

LOOKED_AT = 200                         # schemas in one that is refused, for where it is
FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}
# Classes of characters mean one thing to the library, another to Python's re, and a third to ECMA,
# whose patterns a schema has: here they are what all of them mean.  In a class that is negated,
# "[^...]", they are as wide as any has them.
WIDE = {r"\d": r"\p{Nd}", r"\w": r"\p{Alphabetic}\p{M}\p{N}\p{Pc}", r"\s": r"\s\x1c-\x1f\x{feff}"}
UNICODE = {r"\d": "[0-9]", r"\w": r"[\p{L}\p{Nd}_]",
           **{each.upper(): f"[^{wide}]" for each, wide in WIDE.items()}}
ASCII = {**UNICODE, r"\w": "[0-9A-Za-z_]", r"\s": r"[ \t\n\r\f\v]",
         "[^": r"[^\x00"}       # with all of \x00-\x1f the library would take a quoted " too

# JSON schema's own names of formats; any other is a note to people, as its specification has it.
FORMATS = frozenset("""date date-time time duration email idn-email hostname idn-hostname ipv4 ipv6
uri uri-reference uri-template iri iri-reference uuid json-pointer relative-json-pointer
regex""".split())
# What the library's dates and times allow too much: leap days of any year, the year 0, and
# leap seconds, which few programs read.
YEAR, LEAP = (r"([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)",
              r"([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)")
DAY = f"^({YEAR}-(0[13-9]|1[0-2]|02-([01]|2[0-8]))|{LEAP}-02-29)"
STRICTER = {"date": DAY, "date-time": DAY + "[-0-9]*[tT][0-9:]{6}[0-5]", "time": "^[0-9:]{6}[0-5]"}


def grammar(format: Format) -> str:
    """Returns what llguidance compiles of "json", a JSON schema, a regular expression or a Lark
    grammar.  Raises RequestError for one that it cannot hold an answer to: nothing of a schema
    is passed over."""
    if isinstance(format, Lark):
        return checked("format", llguidance.LLMatcher.grammar_from_lark(format))
    if isinstance(format, re.Pattern):
        flags = "".join(letter for flag, letter in FLAGS.items() if format.flags & flag)
        pattern = narrowed(format.pattern, ASCII if format.flags & re.ASCII else UNICODE)
        pattern = f"(?{flags}:{pattern})" if flags else pattern
        return checked("format", llguidance.LLMatcher.grammar_from_regex(pattern))
    schema = {"type": "object"} if isinstance(format, str) else format
    source = of_schema(schema)
    if problem := problem_of(source):
        definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        # The first that is refused alone.
        place = next((place for place, each in islice(places(schema, "format"), LOOKED_AT)
                      if problem_of(of_schema({**definitions, **each}))), "format")
        raise RequestError(f"{place}: {problem}; a JSON schema that can be held is allowed",
                           error="invalid JSON schema in format")
    return source


def or_calls(source: str, rules: str) -> str:
    """Returns the grammar of an answer that source holds, or the rule called calls of rules."""
    answer, *others = json.loads(source)["grammars"] if source.startswith("{") else [
        {"lark_grammar": source}]
    return json.dumps({"grammars": [{"lark_grammar": f"start: @answer | calls\n{rules}"},
                                    {**answer, "name": "answer"}, *others]})


def checked(place: str, source: str) -> str:
    if problem := problem_of(source):
        raise RequestError(f"{place}: {problem}; see llguidance's syntax")
    return source


def of_schema(schema: Mapping[str, Any]) -> str:
    # json.dumps, or the library would put the keys in another order.
    return llguidance.LLMatcher.grammar_from_json_schema(
        json.dumps(told(schema)), overrides=cast(Any, {
            "whitespace_flexible": True, "whitespace_pattern": WHITESPACE}))


def problem_of(source: str) -> str:
    """Returns why a grammar cannot be used; "" where it can."""
    wrong, messages = llguidance.LLMatcher.validate_grammar_with_warnings(source)
    return " ".join("; ".join(messages).split()) if wrong or messages else ""


def narrowed(pattern: str, classes: Mapping[str, str]) -> str:
    made, known = "", classes
    for part in re.findall(r"\\.|\[\^|.", pattern, re.DOTALL):
        made += known.get(part, part)
        known = {"[^": WIDE, "]": classes}.get(part, known)
    return made


def told(schema: Any) -> Any:
    """Returns a schema as the library has to be told it: without what holds nothing, and which
    it would refuse, and with what it would let pass."""
    if not isinstance(schema, Mapping):
        return schema
    made = schemas.within(schema, told)
    format = str(schema.get("format"))
    if isinstance(schema.get("format"), str) and format not in FORMATS:
        del made["format"]
    if schema.get("uniqueItems") is False:
        del made["uniqueItems"]
    if isinstance(pattern := schema.get("pattern"), str):
        made["pattern"] = narrowed(pattern, ASCII)
    if isinstance(patterns := made.get("patternProperties"), dict):
        made["patternProperties"] = {narrowed(pattern, ASCII): each
                                     for pattern, each in patterns.items()}
    if format in STRICTER and isinstance(others := made.get("allOf", []), list):
        made["allOf"] = [*others, {"pattern": STRICTER[format]}]
    return made


def places(schema: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the schemas in one, the innermost first, and itself."""
    if isinstance(schema, Mapping):
        for where, each in schemas.inside(schema):
            yield from places(each, place + where)
        yield place, schema
