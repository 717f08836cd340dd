"""The description of answers that some checkpoints carry -> how they write calls.

It is transformers' `response_template`: fields of a message, each between marks.  Marks can be
regular expressions of strangers; they are never run, but read as the texts, blanks and names that
they nearly always are.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .format import Body, Format
from .named import Named
from .objects import Objects
from .pythonic import Pythonic
from .tagged import Tagged
from .values import Style

# A part of a regular expression: a hole (?P<name>...), an escape, any other character.
PART = re.compile(r"\(\?P<(\w+)>(?:[^()\\]|\\.)*\)|\\(.)|(.)", re.DOTALL)
HOLE = "\0"             # stands for each hole; no mark has one
SPECIAL = frozenset("()[]{}.*+?|^$")


def read(template: object) -> Format | None:
    """Returns the format that is described; None where nothing is, or nothing that we know."""
    fields = template.get("fields") if isinstance(template, Mapping) else None
    field = fields.get("tool_calls") if isinstance(fields, Mapping) else None
    if not isinstance(field, Mapping):
        return None
    begin, end = mark(field, "open"), mark(field, "close")
    if not begin or end is None or HOLE in end:
        return None
    arguments = field.get("content_args")
    arguments = arguments if isinstance(arguments, Mapping) else {}
    content = field.get("content")
    if content == "json":
        return around_json(begin, end, field, arguments)
    if content == "xml-inline":
        return around_tags(begin, end, arguments)
    if content == "python-call-list" and HOLE not in begin:
        return Format(Pythonic(), open=begin, close=end)
    return None


def mark(field: Mapping[str, Any], name: str) -> str | None:
    """Returns the mark called name, with blanks for blanks and HOLE for each group that has a
    name; "" where there is none, None where it is something else."""
    literal, pattern = field.get(name), field.get(f"{name}_pattern")
    if isinstance(literal, list) and literal:
        literal = literal[0]
    if isinstance(literal, str):
        return literal
    return "" if pattern is None else plain(pattern)


def plain(pattern: object) -> str | None:
    """Returns the text that a regular expression stands for."""
    if not isinstance(pattern, str):
        return None
    text = ""
    for hole, escaped, char in PART.findall(re.sub(r"\\s[*+]\??", r"\\n", pattern)):
        if hole:
            text += HOLE
        elif escaped:
            if escaped.isalnum() and escaped not in "nt":
                return None
            text += " " if escaped in ("n", "t") else escaped
        elif char in SPECIAL:
            return None
        else:
            text += char
    return text


def around_json(begin: str, end: str, field: Mapping[str, Any],
                arguments: Mapping[str, Any]) -> Format | None:
    function = field.get("transform")
    function = function.get("function", function) if isinstance(function, Mapping) else function
    style = Style(quote(arguments.get("string_delims")), bool(arguments.get("unquoted_keys")))
    body: Body
    if HOLE in begin:
        before, between = begin.split(HOLE, 1)
        body, begin = Named(between.strip(), style=style), before
    elif isinstance(function, Mapping):
        body = Objects(key(function.get("name"), "name"),
                       key(function.get("arguments"), "arguments"))
    else:
        body = Objects()
    return Format(body, before=begin, after=end) if begin.strip() and HOLE not in begin else None


def quote(delimiters: object) -> str:
    match delimiters:
        case [[str(first), *_], *_]:
            return first
    return ""


def key(placeholder: object, usual: str) -> str:
    """Returns the key that "{content.key}" or "{key}" speaks of."""
    found = re.fullmatch(r"\{(?:content\.)?(\w+)\}", str(placeholder))
    return found[1] if found and found[1] != "content" else usual


def around_tags(begin: str, end: str, arguments: Mapping[str, Any]) -> Format | None:
    pair = plain(arguments.get("tag_pattern"))
    if pair is None or pair.count(HOLE) != 2 or begin.count(HOLE) != 1 or not end.strip():
        return None
    before, name_end = begin.split(HOLE)
    key, key_end, value_end = pair.split(HOLE)
    key_end, _, value = key_end.strip().partition(" ")
    if not (key.strip() and key_end and value_end.strip() and before.strip()):
        return None
    body = Tagged(name_end.strip(), key.strip(), key_end, value_end.strip(), value.strip(),
                  lines=value_end[0].isspace())
    return Format(body, before=before, after=end)
