"""Values as models write them: JSON, as Python spells it too, or with other marks around strings.

What JSON cannot say, as NaN or a number beyond a double, is no value.
"""
from __future__ import annotations

import math
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from . import lark
from .source import BLANKS, Malformed, Source, Steps

DEPTH = 100             # no honest value comes near
DIGITS = 300

WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
SCALAR = re.compile(r"[\w.+-]+")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
BARE_KEY = re.compile(r"[^\s:,{}\[\]\"'<>|]+")
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?"
                    r"|(?:x([0-9a-fA-F]{2})|U(00[01][0-9a-fA-F]{5}))|(.))", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "/": "/",
           '"': '"', "'": "'", "\n": ""}


@dataclass(frozen=True)
class Style:
    """What is different from JSON."""
    quote: str = ""             # around strings in which nothing is escaped
    bare_keys: bool = False

    def rules(self) -> tuple[str, ...]:
        """Returns rules of a grammar, that of an object named dict."""
        rules = (f'dict: "{{" ({lark.several("pair")})? "}}"', 'pair: key ":" part',
                 f'part: dict | "[" ({lark.several("part")})? "]" | one')
        if not self.quote:
            return *rules, "one: value"
        return (*rules, f"one: {lark.one_of([self.quote])} text | scalar",
                "scalar: " + lark.of_json({"type": ["number", "boolean", "null"]}),
                lark.up_to("text", self.quote))


JSON = Style()


def parse(text: str, style: Style = JSON) -> Any:
    """Returns the value that a whole text is.  Raises Malformed."""
    source = Source(text, ended=True)
    try:
        next(value(source, style))
    except StopIteration as end:
        if text[source.at:].strip(BLANKS):
            raise Malformed from None
        return end.value
    raise AssertionError("unreachable")


def value(source: Source, style: Style = JSON, first: Container[str] | None = None) -> Steps[Any]:
    """Reads one value; a comma may trail in lists and objects.

    first are the keys that an object may begin with.
    """
    around: list[Any] = []              # the lists and objects that are open
    keys: list[str] = []                # of those objects: what the value will be called
    while True:
        char = yield from source.peek()
        if around and char == closing(around[-1]):
            source.at += 1
            done = around.pop()
        else:
            if around and isinstance(around[-1], dict):
                keys.append((yield from key(source, style, char)))
                if first is not None and keys[-1] not in first:
                    raise Malformed
                first = None
                yield from source.expect(":")
                char = yield from source.peek()
            if char == "[" or char == "{":
                if len(around) == DEPTH:
                    raise Malformed
                source.at += 1
                around.append([] if char == "[" else {})
                continue
            done = yield from scalar(source, style, char)
        while around:
            if isinstance(around[-1], dict):
                around[-1][keys.pop()] = done
            else:
                around[-1].append(done)
            char = yield from source.peek()
            if char == ",":
                source.at += 1
                break
            if char != closing(around[-1]):
                raise Malformed
            source.at += 1
            done = around.pop()
        else:
            return done


def closing(container: Any) -> str:
    return "]" if isinstance(container, list) else "}"


def key(source: Source, style: Style, char: str) -> Steps[str]:
    text = yield from string(source, style, char)
    if text is None and style.bare_keys:
        text = yield from source.token(BARE_KEY)
    if text is None:
        raise Malformed
    return text


def scalar(source: Source, style: Style, char: str) -> Steps[Any]:
    text = yield from string(source, style, char)
    if text is not None:
        return text
    text = yield from source.token(SCALAR)
    if text in WORDS:
        return WORDS[text]
    return number(text)


def number(text: str) -> int | float:
    found = NUMBER.fullmatch(text)
    if not found or len(text) > DIGITS:
        raise Malformed
    if found.group(1) is None and found.group(2) is None:
        return int(text)
    if math.isinf(made := float(text)):
        raise Malformed
    return made


def string(source: Source, style: Style, quote: str) -> Steps[str | None]:
    """Reads a string if quote, the next character, begins one."""
    if style.quote and (yield from source.take(style.quote)):
        return (yield from source.until(style.quote))
    if quote != '"' and quote != "'":
        return None
    source.at += 1
    text = yield from source.until(quote)
    if "\\" not in text:
        return text
    pieces = [text]
    while (len(text) - len(text.rstrip("\\"))) % 2:     # the quote is escaped
        text = yield from source.until(quote)
        pieces += [quote, text]
    return ESCAPE.sub(unescaped, "".join(pieces))


def unescaped(found: re.Match[str]) -> str:
    first, second, byte, point, char = found.groups()
    if char is not None:
        return ESCAPED.get(char, found[0])
    code = min(int(first or byte or point, 16), 0x110000)
    if 0xD800 <= code <= 0xDBFF and second:
        return chr(0x10000 + ((code - 0xD800) << 10) + int(second, 16) - 0xDC00)
    rest = "" if second is None else chr(0xFFFD)        # half a pair is no character
    return (chr(0xFFFD) if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else chr(code)) + rest
