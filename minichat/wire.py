"""The body of an HTTP request -> the arguments of a chat, as the endpoint decodes it.

Keys match in any case, null is "not given", unknown keys and what follows the first JSON value
are ignored; `.error` of what is wrong has the words of the endpoint's decoder.
"""
from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import RequestError
from .request import keep_alive_seconds, think_level, top_count

BLANK = re.compile(r"[ \t\n\r]*")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")


@dataclass(frozen=True)
class Kind:
    """What a field may hold."""
    go: str                             # the type's name in the endpoint's errors
    json: str = ""                      # string, number, bool, array or object; "": any
    item: Kind | None = None            # of an array
    fields: Mapping[str, Kind] | None = None    # of an object with known ones; None: any
    read: Callable[[Any], Any] | None = None    # raises what else may be wrong


def several(go: str, item: Kind) -> Kind:
    return Kind(go, "array", item=item)


def struct(go: str, **fields: Kind) -> Kind:
    return Kind(go, "object", fields=fields)


def picture(given: str) -> bytes:
    """Returns the bytes of padded standard base64, line ends allowed: never a path or a URL."""
    text = given.replace("\r", "").replace("\n", "")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        bad = NO_BASE64.search(text)
        at = bad.start() if bad else len(text) // 4 * 4
        raise RequestError(f"images: found no base64 at {at}; standard base64 with its padding "
                           "is allowed", error=f"illegal base64 data at input byte {at}") from None


TEXT, FLAG, ANY = Kind("string", "string"), Kind("bool", "bool"), Kind("")
MAP = Kind("map[string]interface {}", "object")
TOOL = struct("api.Tool", type=TEXT, items=ANY, function=struct(
    "api.ToolFunction", name=TEXT, description=TEXT, parameters=MAP))
TOOL_CALL = struct("api.ToolCall", id=TEXT, function=struct(
    "api.ToolCallFunction", index=Kind("int", "number"), name=TEXT, arguments=MAP))
MESSAGE = struct(
    "api.Alias", role=TEXT, content=TEXT, thinking=TEXT, tool_name=TEXT, tool_call_id=TEXT,
    images=several("[]api.ImageData", Kind("api.ImageData", "string", read=picture)),
    tool_calls=several("[]api.ToolCall", TOOL_CALL))
CHAT = struct(
    "api.ChatRequest", model=TEXT, messages=several("[]api.Message", MESSAGE),
    tools=several("api.Tools", TOOL), format=ANY, options=MAP, stream=FLAG,
    think=Kind("", read=think_level), keep_alive=Kind("", read=keep_alive_seconds),
    truncate=FLAG, shift=FLAG, logprobs=FLAG, top_logprobs=Kind("int", "number", read=top_count),
    _debug_render_only=FLAG)
SHOW = struct("api.ShowRequest", model=TEXT, name=TEXT, verbose=FLAG)


def decoded(body: bytes, kind: Kind) -> dict[str, Any]:
    """Returns the fields of kind that body sets, checked; raises RequestError."""
    value = first_value(body.decode(errors="replace"))
    checked: dict[str, Any] = {} if value is None else converted(value, kind, kind.go, [])
    return checked


def converted(value: Any, kind: Kind, owner: str, path: list[str]) -> Any:
    """Returns value as kind has it; path are the fields that led to it, from owner on."""
    found = json_type(value)
    if kind.json and found != kind.json or kind.go == "int" and not isinstance(value, int):
        raise mismatch(value, kind, owner, path)
    if kind.item is not None:
        value = [converted({} if each is None and kind.item.fields else each, kind.item, owner,
                           path) for each in value]
    elif kind.fields is not None:
        given = {name.lower(): each for name, each in value.items() if each is not None}
        value = {name: converted(given[name], field, owner, [*path, name])
                 for name, field in kind.fields.items() if name in given}
    return kind.read(value) if kind.read else value


def json_type(value: object) -> str:
    kinds = {str: "string", bool: "bool", dict: "object", list: "array", type(None): "null"}
    return kinds.get(type(value), "number")


def mismatch(value: object, kind: Kind, owner: str, path: list[str]) -> RequestError:
    found, place = json_type(value), ".".join(path) or "the request"
    number = f" {value}" if kind.json == found == "number" else ""
    where = f"struct field {owner.removeprefix('api.')}.{'.'.join(path)} of" if path else "value of"
    return RequestError(
        f"{place}: found {found}; {kind.go if kind.go == 'int' else kind.json} is allowed",
        error=f"json: cannot unmarshal {found}{number} into Go {where} type {kind.go}")


def first_value(text: str) -> Any:
    """Returns the JSON value that text begins with."""
    start = match.end() if (match := BLANK.match(text)) else 0
    if start == len(text):
        raise RequestError("the request: empty; a JSON object is allowed",
                           error="missing request body")
    try:
        return DECODER.raw_decode(text, start)[0]
    except json.JSONDecodeError as error:
        words = complaint(text, error.msg, error.pos)
        raise RequestError(f"the request: no JSON at character {error.pos}: {words}",
                           error=words) from None
    except RequestError:
        raise
    except RecursionError:
        raise RequestError("the request: nested too deeply", error="exceeded max depth") from None
    except ValueError:                  # of int(): more digits than Python reads
        raise RequestError("the request: found a number of thousands of digits; at most "
                           "4300 are allowed") from None


def no_constant(name: str) -> float:
    at, where = ("I", "in numeric literal") if name[0] == "-" else \
                (name[0], "looking for beginning of value")
    raise RequestError(f"the request: found {name}; what JSON can say is allowed",
                       error=f"invalid character '{at}' {where}")


DECODER = json.JSONDecoder(parse_constant=no_constant)

# How Python's decoder begins a complaint, what the endpoint's says there, and what lies between
# the character that the one points at and the other's.
KEY, VALUE = "looking for beginning of object key string", "looking for beginning of value"
COMPLAINTS = (
    ("Expecting property name", KEY, ""),
    ("Illegal trailing comma before end of object", KEY, r",\s*"),
    ("Illegal trailing comma before end of array", VALUE, r",\s*"),
    ("Expecting value", VALUE, r"(-|tr?u?|fa?l?s?|nu?l?)$|"),     # cut short
    ("Expecting ':'", "after object key", ""),
    ("Expecting ','", "", ""),
    ("Invalid control character", "in string literal", ""),
    ("Invalid \\escape", "in string escape code", r"\\"),
    ("Invalid \\u", "in \\u hexadecimal character escape", r"\\?u?[0-9A-Fa-f]*"))


def complaint(text: str, problem: str, at: int) -> str:
    """Returns what the endpoint says of text where Python's decoder saw this problem."""
    # The rest are strings without an end.
    where, between = next(((where, between) for begins, where, between in COMPLAINTS
                           if problem.startswith(begins)), ("", r".*\Z"))
    if found := re.compile(between, re.DOTALL).match(text, at):
        at = found.end()
    if at >= len(text):
        return "unexpected EOF"
    return f"invalid character {quoted(text[at])} {where or 'after ' + enclosing(text[:at])}"


def quoted(character: str) -> str:
    """Returns the first of the character's bytes as the endpoint shows one."""
    byte = chr(character.encode(errors="replace")[0])
    if byte in "'\"":
        return {"'": "'\\''", '"': "'\"'"}[byte]
    return f"'{json.dumps(byte, ensure_ascii=False)[1:-1]}'"


def enclosing(text: str) -> str:
    """Returns what has come to an end behind text: an element, or a pair."""
    depth = 0
    for bracket in reversed(re.findall(r"[\[\]{}]", STRING.sub("", text))):
        depth += 1 if bracket in "]}" else -1
        if depth < 0:
            return "array element" if bracket == "[" else "object key:value pair"
    return "top-level value"
