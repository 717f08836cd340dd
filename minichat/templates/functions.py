"""What chat templates can call: filters as transformers has them, formatting, and prices."""
from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import Any

from .origin import Text

KEPT = """abs attr capitalize center count d default dictsort first float groupby indent int items
    last length list lower map max min reject rejectattr reverse round select selectattr sort
    striptags title trim truncate unique upper urlencode wordcount"""     # of Jinja's own filters
DIGITS = 4                                  # of a width or a precision
DIRECTIVE = re.compile(r"%(?:\((?P<name>[^)]*)\))?(?P<spec>[-#0 +]*(?P<width>\*|\d*)"
                       r"(?:\.(?P<precision>\*|\d*))?)(?P<kind>[a-zA-Z%])")


def size(operator: str, left: Any, right: Any) -> int:
    """Returns the size of left operator right, before it is made; of numbers, in bits."""
    if operator == "+":
        return _length(left) + _length(right) if _sized(left) and _sized(right) else _bits(left)
    if operator == "*":
        if _sized(left) or _sized(right):
            return _length(left) * max(right, 0) if isinstance(right, int) else (
                _length(right) * max(left, 0) if isinstance(left, int) else 0)
        return _narrow(_bits(left) + _bits(right))
    if operator == "**" and isinstance(left, int) and isinstance(right, int):
        return _narrow(_bits(left) * abs(right))
    return 0


def _sized(value: Any) -> bool:
    return isinstance(value, (str, bytes, list, tuple))


def _length(value: Any) -> int:
    return len(value) if _sized(value) else 0


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _narrow(bits: int) -> int:
    if bits > 4096:
        raise OverflowError("an integer of more than 4096 bits")
    return bits


def percent(env: Any, text: str, values: Any) -> str:
    """Returns text % values, as long as no field is wider than the budget."""
    positional = list(values) if isinstance(values, tuple) else [values]
    pieces, at = [], 0
    for match in DIRECTIVE.finditer(text):
        pieces.append(text[at:match.start()])
        at = match.end()
        if match["kind"] == "%":
            pieces.append(text[at - 1:at])
            continue
        if _wide(match["width"]) or _wide(match["precision"]):
            raise OverflowError(f"format {match[0]!r} is too wide")
        if match["name"] is not None:
            value = values[match["name"]]
        elif positional:
            value = positional.pop(0)
        else:
            raise TypeError("not enough arguments for format string")
        env.printable(value)
        directive = f"%{match['spec']}{match['kind']}"
        pieces.append(value if directive == "%s" and isinstance(value, str)
                      else directive % (value,))
    if "%" in text[at:]:
        raise ValueError("incomplete format")
    if positional and not isinstance(values, Mapping):
        raise TypeError("not all arguments converted during string formatting")
    pieces.append(text[at:])
    result: str = env.concat(pieces)
    return result


def braces(env: Any, text: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Returns text.format(*args, **kwargs); the template wrote what it wrote of text."""
    own = isinstance(text, Text) and not text.plain
    pieces, order = [], 0
    formatter = Formatter()
    for literal, field, spec, conversion in formatter.parse(text):
        pieces.append(Text.by_template(literal) if own else literal)
        if field is None:
            continue
        if field[:1] in ("", ".", "["):
            field, order = f"{order}{field}", order + 1
        value = _field(env, field, args, kwargs)
        if conversion:
            value = formatter.convert_field(env.printable(value), conversion)
        if "{" in (spec or "") or any(_wide(digits) for digits in re.findall(r"\d+", spec or "")):
            raise OverflowError(f"format {spec!r} is too wide")
        env.printable(value)
        pieces.append(value if isinstance(value, str) and not spec else format(value, spec or ""))
    result: str = env.concat(pieces)
    return result


def _field(env: Any, field: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    name, rest = re.match(r"([^.\[]*)(.*)", field, re.DOTALL).groups()  # type: ignore[union-attr]
    value = args[int(name)] if name.isdigit() else kwargs[name]
    for attribute, item in re.findall(r"\.([^.\[]+)|\[([^\]]+)\]", rest):
        if attribute:
            value = env.getattr(value, attribute)
        else:
            value = env.getitem(value, int(item) if item.isdigit() else item)
    return value


def _wide(digits: str | None) -> bool:
    return len(digits or "") > DIGITS


def tojson(value: Any, ensure_ascii: bool = False, indent: int | str | None = None,
           separators: tuple[str, str] | None = None, sort_keys: bool = False) -> str:
    if indent is not None and (len(indent) if isinstance(indent, str) else indent) > 64:
        raise OverflowError(f"tojson: indent {indent!r}; must be at most 64")
    if separators is not None and max(map(len, separators)) > 64:
        raise OverflowError("tojson: separators; must have at most 64 characters")
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def add(values: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    if attribute is not None or not isinstance(start, (int, float)):
        raise TypeError("sum: adds numbers only")
    values = list(values)
    if not all(isinstance(value, (int, float)) for value in values):
        raise TypeError("sum: adds numbers only")
    return sum(values, start)


def make_dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    return dict(*args, **kwargs)


def string(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def escape(value: Any) -> str:
    return html.escape(string(value)).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def _indent_price(text: str, width: int | str = 4, *args: Any, **kwargs: Any) -> int:
    width = len(width) if isinstance(width, str) else width
    return (str(text).count("\n") + 2) * width


FILTERS: dict[str, Callable[..., Any]] = {
    "tojson": tojson, "from_json": json.loads, "string": string, "safe": string,
    "escape": escape, "e": escape, "sum": add,
}
PRICES: dict[str, Callable[..., int]] = {
    "do_indent": _indent_price,
    "do_center": lambda text, width=80: width,
    "do_round": lambda value, precision=0, method="common": 1 << 2 * min(abs(precision), 64),
}
