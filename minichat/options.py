"""The options of a request: one table of names, types, ranges and defaults."""
from __future__ import annotations

import difflib
import math
import numbers
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import FrameType
from typing import Any

from .errors import MinichatWarning, ModelError, RequestError

__all__ = ["Options"]

INT_MAX = 2**31 - 1


def integer(default: int | None, low: int, high: int = INT_MAX) -> Any:
    """A whole number in [low, high]; a fraction is truncated toward zero, as the endpoint does."""
    return field(default=default, metadata={"type": "integer", "low": low, "high": high})


def number(default: float, low: float = -math.inf, high: float = math.inf, *,
           above: float | None = None) -> Any:
    """A finite number in [low, high] or, where above is given, greater than that."""
    return field(default=default,
                 metadata={"type": "float32", "low": low, "high": high, "above": above})


def boolean(default: bool | None) -> Any:
    return field(default=default, metadata={"type": "boolean"})


def strings() -> Any:
    """A list of texts; a single text stands for a list of one."""
    return field(default=(), metadata={"type": "array"})


@dataclass(frozen=True)
class Options:
    """How to answer: this is the table of what `options` may hold.

    A value comes from the request, else from the model's generation_config.json, else from
    here.  None in the request is as good as absent.
    """
    num_ctx: int | None = integer(None, 1)  # positions of prompt and answer; None: all it has
    num_predict: int = integer(-1, -2)      # tokens of the answer; below 0: until it ends
    num_keep: int = integer(4, -1)          # positions that a shift keeps; -1: the whole prompt
    num_batch: int | None = integer(None, 1)    # prompt tokens in one step; changes no answer
    num_thread: int = integer(0, 0, 4096)   # 0: each core that the process may use; the most
    seed: int = integer(-1, -1, 2**63 - 1)  # -1: another one each time
    temperature: float = number(0.8, 0)     # 0: always the likeliest token
    top_k: int = integer(40, 0)             # 0: off
    top_p: float = number(0.9, 0, 1)        # 1: off
    min_p: float = number(0.0, 0, 1)        # 0: off
    typical_p: float = number(1.0, 0, 1)    # 1: off
    repeat_last_n: int = integer(64, -1)    # tokens that the penalties look at; -1: num_ctx
    repeat_penalty: float = number(1.0, 0, 1000, above=0)   # 1: off
    presence_penalty: float = number(0.0, -1000, 1000)      # 0: off
    frequency_penalty: float = number(0.0, -1000, 1000)     # 0: off
    stop: tuple[str, ...] = strings()       # texts that end the answer, beside the model's own
    num_gpu: int = integer(-1, -1)          # from here on: accepted, and without a meaning here
    main_gpu: int = integer(0, 0)
    use_mmap: bool | None = boolean(None)
    draft_num_predict: int = integer(0, 0)

    @staticmethod
    def parse(given: object, *, strict: bool = False) -> dict[str, Any]:
        """Returns what the caller set, checked, by name.

        Raises RequestError for a wrong type or value and, where strict, for an unknown name,
        which is a MinichatWarning otherwise.
        """
        if not isinstance(given, Mapping):
            raise RequestError(f"options: found {type(given).__name__}; a mapping is allowed")
        known = {f.name: f.metadata for f in fields(Options)}
        chosen = {}
        for name, value in given.items():
            if not isinstance(name, str):
                raise RequestError(f"options: found a name of type {type(name).__name__}; "
                                   "a string is allowed")
            if value is None:
                continue
            if name in known:
                chosen[name] = checked(value, known[name], "options.", name)
            elif strict:
                raise RequestError(unknown(name))
            else:
                warn(unknown(name))
        if chosen.get("num_gpu", 0) > 0:
            warn(f"options.num_gpu: found {chosen['num_gpu']}; the model runs on the CPU")
        return chosen

    @classmethod
    def layered(cls, generation_config: Mapping[str, Any], chosen: Mapping[str, Any]) -> Options:
        """Returns defaults, below the model's values, below what parse() returned.

        Stop strings are added to the model's.  Raises ModelError for a value of
        generation_config.json that is out of range or of a wrong type.
        """
        model = of_model(generation_config)
        stop = (*model.get("stop", ()), *chosen.get("stop", ()))
        return cls(**{**model, **chosen, "stop": stop})


# What generation_config.json may set, and as which option.
OF_MODEL = {"temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
            "typical_p": "typical_p", "repetition_penalty": "repeat_penalty",
            "stop_strings": "stop"}


def of_model(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that generation_config.json sets."""
    known = {f.name: f.metadata for f in fields(Options)}
    values = {}
    for name, option in OF_MODEL.items():
        if (value := config.get(name)) is None:
            continue
        try:
            values[option] = checked(value, known[option], "generation_config.json: ", name)
        except RequestError as error:
            raise ModelError(str(error)) from None
    if config.get("do_sample") is False:
        values["temperature"] = 0.0
    return values


def checked(value: object, rule: Mapping[str, Any], source: str, name: str) -> Any:
    """Returns value as the table wants it, or raises RequestError."""
    place, kind = source + name, rule["type"]
    if kind == "boolean":
        if isinstance(value, bool):
            return value
    elif kind == "array":
        if (texts := stop_texts(value, place)) is not None:
            return texts
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        return in_range(value, rule, place)
    wanted = {"array": "an array of strings"}.get(kind, f"of type {kind}")
    allowed = {"integer": "a whole number", "float32": "a number", "boolean": "true or false",
               "array": "a list of strings"}[kind]
    raise RequestError(f"{place}: found {shown(value)}; {allowed} is allowed",
                       error=f'option "{name}" must be {wanted}')


def in_range(value: Any, rule: Mapping[str, Any], place: str) -> int | float:
    whole, low, high = rule["type"] == "integer", rule["low"], rule["high"]
    above = rule.get("above")
    try:
        exact = int(value) if whole else float(value)
        fits = low <= exact <= high and (whole or math.isfinite(exact))
    except (OverflowError, ValueError):     # int(inf), int(nan), float(10**400)
        fits = False
    if fits and (above is None or exact > above):
        return exact
    least = f"above {above}" if above is not None else f">= {low}" if low > -math.inf else ""
    most = f"<= {high}" if high < math.inf else ""
    allowed = " and ".join(filter(None, (least, most))) or "a finite number"
    raise RequestError(f"{place}: found {shown(value)}; {allowed} is allowed")


def stop_texts(value: object, place: str) -> tuple[str, ...] | None:
    """Returns the stop strings, None where value holds something else."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(t, str) for t in texts):
        return None
    for i, text in enumerate(texts):
        if not text:
            raise RequestError(f"{place}[{i}]: found an empty string; at least one character "
                               "is allowed")
    return tuple(encodable(str.__str__(text), f"{place}[{i}]") for i, text in enumerate(texts))


def encodable(text: str, place: str) -> str:
    """Returns text, or raises RequestError where UTF-8 cannot carry it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{place}: found a lone surrogate at {error.start}; text that UTF-8 "
                           "can carry is allowed") from None
    return text


def shown(value: object) -> str:
    """Returns value for a message: short, and safe for whatever it is."""
    if value is None or isinstance(value, (bool, float)):
        return repr(value)
    if isinstance(value, int):
        return repr(value) if value.bit_length() < 80 else f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return ascii(value if len(value) <= 40 else value[:37] + "...")
    return type(value).__name__


def unknown(name: str) -> str:
    known = [f.name for f in fields(Options)]
    near = difflib.get_close_matches(name[:80], known, n=1)
    hint = f"; did you mean {near[0]}" if near else f"; known are {', '.join(known)}"
    return f"options.{name[:80] if name.isprintable() else shown(name)}: unknown{hint}"


def warn(message: str) -> None:
    """Warns at the line that called into this package."""
    package, level = __name__.partition(".")[0], 1
    frame: FrameType | None = sys._getframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, MinichatWarning, stacklevel=level)
