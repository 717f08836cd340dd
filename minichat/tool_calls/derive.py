"""What a template writes where an assistant calls -> how its model writes calls.

What is written for one call and for two is searched for the names and the arguments; the marks
are what is between them.
"""
from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from string import ascii_letters
from typing import Any

from .format import Body, Call, Format
from .named import Named
from .objects import Objects
from .pythonic import Pythonic
from .source import Malformed, Source, Steps
from .tagged import Tagged
from .values import JSON, Style, value

Found = tuple[Body, int, int]       # how a call is written, and where one is
FIRST_MARK = re.compile(r"\s*(?:<[^>]*>|\[[^\]]*\]|\S*)")


def derive(one: str, two: str | None, calls: tuple[Call, Call], end: str) -> Format | None:
    """Returns the format of an answer that is the first of calls, and of one that is both, where
    there can be two; end is what the template writes after any answer."""
    for find in (as_object, as_named, as_pythonic, as_tagged):
        found = find(one, calls[0])
        if not found:
            continue
        body, start, stop = found
        before, after = one[:start], one[stop:].removesuffix(end)
        if two is None:
            return tidied(body, "", before, FIRST_MARK.findall(after)[0], "")
        first, second = find(two, calls[0]), find(two, calls[1])
        if first and second:
            return around(alike(body, second[0]), before, after, two[first[2]:second[1]])
    return None


def alike(body: Body, other: Body) -> Body:
    """Returns body without what is different for each call, as an id."""
    if isinstance(body, Named) and isinstance(other, Named):
        return replace(body, between=common_end(body.between, other.between))
    return body


def around(body: Body, before: str, after: str, between: str) -> Format:
    """Returns the format with these marks around all calls and between two of them."""
    own = common_end(before, between)
    ends = after[:to_mark(after, len(os.path.commonprefix([after, between])))]
    close = FIRST_MARK.findall(after[len(ends):])[0]
    return tidied(body, before[:len(before) - len(own)], own, ends, close)


def tidied(body: Body, open: str, before: str, after: str, close: str) -> Format:
    """Leaves out the brackets of lists, which are the parser's, and blanks, which mean nothing."""
    open, before, after, close = (mark.strip() for mark in (open, before, after, close))
    if body.listed:
        open, before = (mark.removesuffix("[").strip() for mark in (open, before))
        after, close = (mark.removeprefix("]").strip() for mark in (after, close))
    return Format(body, open, before, after, close, bare=not (open or before))


def common_end(a: str, b: str) -> str:
    """Returns the marks with which both end."""
    size = len(os.path.commonprefix([a[::-1], b[::-1]]))
    return a[from_mark(a, len(a) - size):]


def from_mark(text: str, at: int) -> int:
    """Returns the first place from at on where a mark can begin."""
    while not is_edge(text, at):
        at += 1
    return at


def to_mark(text: str, at: int) -> int:
    """Returns the last place up to at where a mark can end."""
    while not is_edge(text, at):
        at -= 1
    return at


def is_edge(text: str, at: int) -> bool:
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    return before in ">]" or after in "<[" or before.isspace() or after.isspace()


def finish(steps: Steps[Any]) -> Any:
    """Returns what is read from a text that is all there.  Raises Malformed."""
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    raise AssertionError("unreachable")


def read(text: str, at: int, style: Style = JSON) -> tuple[Any, int]:
    """Returns the value that begins at a place, None if none does, and where it ends."""
    source = Source(text, ended=True)
    source.at = at
    try:
        return finish(value(source, style)), source.at
    except Malformed:
        return None, at


def objects(text: str, last: int) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yields the objects that begin before a place, the nearest first, and where they are."""
    at = text.rfind("{", 0, last)
    while at >= 0:
        said, end = read(text, at)
        if isinstance(said, dict):
            yield said, at, end
        at = text.rfind("{", 0, at)


def as_object(text: str, call: Call) -> Found | None:
    body = None
    for said, start, end in objects(text, text.find(call.name)):
        if said == {call.name: call.arguments}:
            return Objects(""), start, end
        keys = [key for what in (call.name, call.arguments)
                for key, value in said.items() if value == what]
        if not body and len(keys) == 2:
            body, inner = Objects(keys[0], keys[1]), (start, end)
        elif body and body.name in said.get("function", ()):
            return body, start, end
    return (body, *inner) if body else None


def as_named(text: str, call: Call) -> Found | None:
    start = text.find(call.name)
    end = start + len(call.name)
    brace = text.find("{", end)
    if start < 0 or brace < 0:
        return None
    key, said = next(iter(call.arguments.items()))
    bare = re.compile(rf"\{{\s*{key}\s*:\s*(\S*?){said}").match(text, brace)
    style = Style(bare[1].strip("\"'"), bare_keys=True) if bare else JSON
    arguments, stop = read(text, brace, style)
    return (Named(text[end:brace].strip(), style=style), start, stop) \
        if arguments == call.arguments else None


def as_pythonic(text: str, call: Call) -> Found | None:
    source = Source(text, ended=True)
    source.at = start = max(text.find(f"{call.name}("), 0)
    try:
        return (Pythonic(), start, source.at) \
            if finish(Pythonic().read(source, {})) == call else None
    except Malformed:
        return None


def as_tagged(text: str, call: Call) -> Found | None:
    start = at = text.find(call.name)
    gaps = []                       # before the name, and each key and value
    for word in (call.name, *(str(word) for pair in call.arguments.items() for word in pair)):
        found = text.find(word, at)
        if found < 0:
            return None
        gaps.append(text[at:found])
        at = found + len(word)
    _, to_first, to_value, to_second, to_other = gaps
    key = common_end(to_first, to_second)
    key = key[max(key.rfind("<"), key.rfind("["), 0):]
    value_end = to_second.removesuffix(key).rstrip()
    key_end, _, value = to_value.strip().partition("\n")
    if to_value != to_other:        # what is said of a value, as its type
        key_end = re.sub(r"\w+$", "", os.path.commonprefix([to_value, to_other])).strip()
        value = os.path.commonprefix([to_value[::-1], to_other[::-1]])[::-1].lstrip(ascii_letters)
    if not (key and key_end and value_end and text.startswith(value_end, at)):
        return None
    body = Tagged(to_first.removesuffix(key).strip(), key.strip(), key_end, value_end.strip(),
                  value.strip(), lines=value_end[0] == "\n")
    return body, start, at + len(value_end)
