"""What the caller asked for, checked once: after this file every field is valid.

The fields, their types and the texts of `.error` are those of Ollama's /api/chat.  Nothing of
the caller's is kept or changed: values are copied as they are checked.
"""
from __future__ import annotations

import json
import math
import numbers
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from . import functions, schemas
from .errors import RequestError, Unsupported
from .options import Options, encodable, shown

__all__ = ["Format", "Lark", "Message", "Options", "Request", "keep_alive_seconds"]

ROLES = ("system", "user", "assistant", "tool")
THINK_LEVELS = ("low", "medium", "high", "max")
QUANTIZATIONS = ("q4", "q8", "bf16", "f32")
TOP_LOGPROBS = 20
# Limits of what is nested in a request (tools, arguments, a schema): no honest one comes near.
DEPTH, VALUES = 100, 100_000


class Lark(str):
    """A grammar for format=, in Lark's syntax as the package llguidance reads it.

        grammar = minichat.Lark('start: "yes" | "no" (", " /[a-z ]{1,40}/)?')
        for chunk in minichat.chat("nano", [{"role": "user", "content": "Is it?"}], format=grammar):
            print(chunk.message.content, end="", flush=True)

    The rule called start is the whole answer.
    """


# "json", a JSON schema, a regular expression or a grammar, for the whole of an answer.
Format = str | Mapping[str, Any] | re.Pattern[str] | Lark


@dataclass(frozen=True)
class Message:
    """One message of the chat."""
    role: str                               # one of ROLES
    content: str = ""
    thinking: str | None = None             # of an earlier answer
    images: tuple[Any, ...] = ()
    tool_calls: tuple[dict[str, Any], ...] = ()     # {"id"?, "function": {"name", "arguments"}}
    tool_name: str | None = None            # whose result a tool message holds
    tool_call_id: str | None = None

    @classmethod
    def parse(cls, given: object, place: str) -> Message:
        """Checks a mapping, or any object with these fields as attributes."""
        names = [each.name for each in fields(cls)]
        given = members(given, place, names)
        role = text(given.get("role"), f"{place}.role", "").lower()
        if role not in ROLES:
            raise RequestError(f"{place}.role: found {shown(given.get('role'))}; "
                               f"{', '.join(ROLES)} are allowed")
        calls = listed(given.get("tool_calls"), f"{place}.tool_calls")
        return cls(
            role=role,
            content=text(given.get("content"), f"{place}.content", ""),
            thinking=text(given.get("thinking"), f"{place}.thinking"),
            images=tuple(image(each, f"{place}.images[{i}]") for i, each in
                         enumerate(listed(given.get("images"), f"{place}.images"))),
            tool_calls=tuple(tool_call(each, f"{place}.tool_calls[{i}]")
                             for i, each in enumerate(calls)),
            tool_name=text(given.get("tool_name"), f"{place}.tool_name"),
            tool_call_id=text(given.get("tool_call_id"), f"{place}.tool_call_id"))

    def to_dict(self) -> dict[str, Any]:
        """Returns role, content and whatever else is set, as new dicts and lists."""
        rest = {"thinking": self.thinking, "images": list(self.images),
                "tool_calls": [plain(call, "tool_calls") for call in self.tool_calls],
                "tool_name": self.tool_name, "tool_call_id": self.tool_call_id}
        return {"role": self.role, "content": self.content,
                **{name: value for name, value in rest.items() if value}}


@dataclass(frozen=True)
class Request:
    model: str                              # as the caller wrote it, blanks around it removed
    messages: tuple[Message, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    format: Format | None = None            # "json", a JSON schema, a regex, a grammar
    options: Mapping[str, Any] = field(default_factory=dict)    # what was set: Options.layered
    stream: bool = True
    think: bool | str | None = None         # None: as the template has it
    keep_alive: float | None = None         # seconds; inf: for ever; None: not given
    truncate: bool = True
    shift: bool = True
    logprobs: bool = False
    top_logprobs: int = 0
    template: str | None = None             # instead of the model's
    quantization: str | None = None

    @classmethod
    def parse(cls, model: object, messages: object = None, *, tools: object = None,
              format: object = None, options: object = None, stream: object = None,
              think: object = None, keep_alive: object = None, truncate: object = None,
              shift: object = None, logprobs: object = None, top_logprobs: object = None,
              template: object = None, quantization: object = None,
              strict: object = None) -> Request:
        """Returns the checked request; None stands for "not given" everywhere.

        Raises RequestError, the message naming the place, what is there and what may be;
        Unsupported for what is valid and cannot be done.
        """
        top = top_count(top_logprobs)       # the endpoint looks at this before the model
        known = [each.name for each in fields(Options)]
        request = cls(
            model=model_name(model),
            messages=tuple(Message.parse(each, f"messages[{i}]")
                           for i, each in enumerate(listed(messages, "messages"))),
            tools=tuple(tool(each, f"tools[{i}]") for i, each in enumerate(listed(tools, "tools"))),
            format=answer_format(format),
            options=Options.parse({} if options is None else members(options, "options", known),
                                  strict=flag(strict, "strict", False)),
            stream=flag(stream, "stream", True),
            think=think_level(think),
            keep_alive=keep_alive_seconds(keep_alive),
            truncate=flag(truncate, "truncate", True),
            shift=flag(shift, "shift", True),
            logprobs=flag(logprobs, "logprobs", False),
            top_logprobs=top,
            template=text(template, "template"),
            quantization=one_of(quantization, QUANTIZATIONS, "quantization"))
        request.refuse()
        return request

    def refuse(self) -> None:
        """Raises Unsupported for what no model can do here."""
        if any(message.images for message in self.messages):
            raise Unsupported("messages: images given; not supported yet",
                              error="this model does not support image input")

    def refuse_tools(self) -> None:
        """For a model that knows nothing of tools: raises RequestError."""
        raise RequestError(f"tools: found {len(self.tools)}; the chat template of {self.model} "
                           "does not tell it of tools, so none are allowed",
                           error=f"{self.model} does not support tools")

    def refuse_thinking(self) -> None:
        """For a model that cannot think: raises RequestError where the caller wants it to."""
        if self.think:
            raise RequestError(f"think: found {shown(self.think)}; {self.model} does not think, "
                               "so false is allowed",
                               error=f'"{self.model}" does not support thinking')


def model_name(given: object) -> str:
    name = os.fspath(given) if isinstance(given, os.PathLike) else given
    if name is not None and not isinstance(name, str):
        raise wrong("model", given, "a string or a path")
    name = encodable((name or "").strip(), "model")
    if not name:
        raise RequestError("model: nothing; the name or path of a model is needed",
                           error="model is required")
    if "\0" in name:
        raise RequestError("model: found a NUL; no name or path has one",
                           error="invalid model name")
    return name


def think_level(given: object) -> bool | str | None:
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, str) and text(given, "think") in THINK_LEVELS:
        return str(text(given, "think"))
    choices = '"high", "medium", "low", "max", true, or false'
    error = (f"invalid think value: {json.dumps(given, ensure_ascii=False)} (must be {choices})"
             if isinstance(given, str) else f"think must be a boolean or string ({choices})")
    raise RequestError(f"think: found {shown(given)}; true, false, {', '.join(THINK_LEVELS)} "
                       "are allowed", error=error)


def answer_format(given: object) -> Format | None:
    if given is None or isinstance(given, str) and given in ("", "json"):
        return "json" if given else None
    if isinstance(given, Lark):
        return Lark(encodable(given, "format"))
    if isinstance(given, re.Pattern) and isinstance(given.pattern, str):
        encodable(given.pattern, "format")
        return given
    if isinstance(given, Mapping):
        return dict(plain(given, "format"))
    if schemas.is_type(given):
        return schemas.schema(given, "format")
    raw = json.dumps(plain(given, "format"), ensure_ascii=False, separators=(",", ":"))
    quoted = json.dumps(raw, ensure_ascii=False)
    raise RequestError(f'format: found {shown(given)}; "json", a JSON schema (a mapping, a '
                       "dataclass, a pydantic model), a compiled regular expression or "
                       "minichat.Lark is allowed",
                       error=f'invalid format: {quoted}; expected "json" or a valid JSON Schema '
                             "object")


def top_count(given: object) -> int:
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, numbers.Integral):
        raise wrong("top_logprobs", given, "a whole number")
    if not 0 <= (count := int(given)) <= TOP_LOGPROBS:
        raise RequestError(f"top_logprobs: found {shown(count)}; 0 to {TOP_LOGPROBS} is allowed",
                           error=f"top_logprobs must be between 0 and {TOP_LOGPROBS}")
    return count


def image(given: object, place: str) -> Any:
    if isinstance(given, str):
        return encodable(given, place)
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    if isinstance(given, os.PathLike):
        return given
    raise wrong(place, given, "base64, bytes or a path")


def tool(given: object, place: str) -> dict[str, Any]:
    """Returns a tool as templates have it, of a mapping or of a Python function."""
    if callable(given):
        return functions.tool(given, place)
    if callable(dump := getattr(given, "model_dump", None)):
        given = dump(exclude_none=True)     # or templates would show the model what is not there
    given = dict(plain(members(given, place, ("type", "function")), place))
    function = members(given.get("function"), f"{place}.function", ("name",))
    if not text(function.get("name"), f"{place}.function.name"):
        raise RequestError(f"{place}.function.name: nothing; a name is needed")
    return given


def tool_call(given: object, place: str) -> dict[str, Any]:
    given = members(given, place, ("id", "function"))
    function = members(given.get("function"), f"{place}.function", ("name", "arguments"))
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise wrong(f"{place}.function.arguments", arguments, "a mapping")
    call = {"function": {
        "name": text(function.get("name"), f"{place}.function.name", ""),
        "arguments": plain(arguments or {}, f"{place}.function.arguments")}}
    known = text(given.get("id"), f"{place}.id")
    return call if known is None else {"id": known, **call}


def members(given: object, place: str, names: Iterable[str]) -> Mapping[str, Any]:
    """Returns the fields of a mapping, of a pydantic model, or those attributes named."""
    if callable(dump := getattr(given, "model_dump", None)):
        given = dump()
    if not isinstance(given, Mapping):
        found = {name: getattr(given, name) for name in names if hasattr(given, name)}
        if not found:
            raise wrong(place, given, "a mapping")
        return found
    return given


def listed(given: object, place: str) -> tuple[object, ...]:
    if given is None:
        return ()
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise wrong(place, given, "a list")
    return tuple(given)


def flag(given: object, place: str, default: bool) -> bool:
    if given is not None and not isinstance(given, bool):
        raise wrong(place, given, "true or false")
    return default if given is None else given


def text(given: object, place: str, default: str | None = None) -> Any:
    if given is None:
        return default
    if not isinstance(given, str):
        raise wrong(place, given, "a string")
    return encodable(str.__str__(given), place)     # of an enumeration's member: its value


def one_of(given: object, choices: tuple[str, ...], place: str) -> str | None:
    choice: str | None = text(given, place)
    if choice is not None and choice not in choices:
        raise RequestError(f"{place}: found {shown(given)}; {', '.join(choices)} are allowed")
    return choice


def wrong(place: str, found: object, allowed: str) -> RequestError:
    return RequestError(f"{place}: found {type(found).__name__}; {allowed} is allowed")


def plain(given: object, place: str, depth: int = 0, count: list[int] | None = None) -> Any:
    """Returns a copy in JSON's types, or raises RequestError where there is none."""
    count = [0] if count is None else count
    count[0] += 1
    if depth > DEPTH or count[0] > VALUES:
        raise RequestError(f"{place}: nested too deeply or too large; {DEPTH} levels and {VALUES} "
                           "values are allowed")
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, str):
        return text(given, place)
    if isinstance(given, numbers.Integral) and int(given).bit_length() <= 1024:
        return int(given)
    if isinstance(given, float) and math.isfinite(given):
        return float(given)
    if isinstance(given, Mapping):
        for key in given:
            if not isinstance(key, str):
                raise wrong(f"a key of {place}", key, "a string")
        return {text(key, f"a key of {place}"): plain(value, f"{place}.{key}", depth + 1, count)
                for key, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [plain(value, f"{place}[{i}]", depth + 1, count) for i, value in enumerate(given)]
    raise RequestError(f"{place}: found {shown(given)}; what JSON can say is allowed")


UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "\xb5s": 1e-6, "\u03bcs": 1e-6, "ms": 1e-3, "s": 1.0,
                "m": 60.0, "h": 3600.0}
LONGEST = 2**63 / 1e9       # seconds that the endpoint can count: 292 years
TERM = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)")


def keep_alive_seconds(value: object) -> float | None:
    """Returns how long to keep a model: None as given, inf for a negative value.

    A number counts seconds; so does a string that is one ("300", "-1"), which the endpoint
    refuses.  Other strings are durations: "5m", "1h30m", "1.5h", "500ms".
    """
    if value is None:
        return None
    if isinstance(value, str):
        return duration(text(value, "keep_alive"))
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
        if not math.isnan(seconds):
            return seconds if 0 <= seconds < LONGEST else math.inf
    kind = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}.get(type(value))
    raise RequestError(f'keep_alive: found {shown(value)}; seconds or a duration such as "5m" '
                       "is allowed", error=kind and f"Unsupported type: '{kind}'")


def duration(given: str) -> float:
    terms = given[1:] if given[:1] in ("-", "+") else given
    seconds, end, problem = 0.0, 0, None
    for term in TERM.finditer(terms):
        number, unit = term.groups()
        if term.start() != end:
            break
        if unit not in UNIT_SECONDS and not (unit == "" and term.group() == terms):
            problem = f"unknown unit {json.dumps(unit)} in" if unit else "missing unit in"
            break
        seconds, end = seconds + float(number) * UNIT_SECONDS.get(unit, 1.0), term.end()
    if not terms or end != len(terms) or seconds >= LONGEST:
        quoted = json.dumps(given, ensure_ascii=False)
        raise RequestError(f'keep_alive: found {shown(given)}; seconds or a duration such as '
                           '"5m", "1h30m", "-1" is allowed',
                           error=f"time: {problem or 'invalid'} duration {quoted}")
    return math.inf if given[0] == "-" and seconds else seconds
