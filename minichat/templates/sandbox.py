"""Where chat templates run: Jinja2 as transformers sets it up, fenced in.

A template is a stranger's program.  It reaches the listed attributes of plain data
and no others, and pays for all it does from a budget.
"""
from __future__ import annotations

import functools
from collections.abc import Iterable
from types import BuiltinMethodType
from typing import Any

from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import loopcontrols
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Namespace

from . import functions
from .budget import DEPTH, Overrun, current, settled, weight_of
from .compiler import Generation, Generator
from .origin import Text, joined

ATTRIBUTES = {kind: frozenset(names.split()) for kind, names in {
    str: """capitalize casefold center count endswith find format index isalnum isalpha isascii
        isdecimal isdigit islower isnumeric isspace istitle isupper join ljust lower lstrip
        partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip
        split splitlines startswith strip swapcase title upper zfill""",
    list: "copy count index",
    dict: "copy get items keys values",
    tuple: "count index grouper list",
    LoopContext: """changed cycle depth depth0 first index index0 last length nextitem previtem
        revindex revindex0""",
    Cycler: "current next reset",
    Macro: "arguments caller name",
}.items()}


class Refused(TemplateError):
    """A template called raise_exception: these are its words."""


class Spaces(Namespace):
    """namespace(): an object with attributes, for the template's own use."""

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)

    def __init__(*args: Any, **kwargs: Any) -> None:    # so that namespace(self=1) works
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            _check_name(name)
        Namespace.__init__(self, attributes)

    def __repr__(self) -> str:
        return "<namespace>"


def _check_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"namespace: attribute {name!r}; must not begin with _")


def followed(value: Any) -> Any:
    """Returns a string as one whose origin is known: the user's, if nothing is said of it."""
    return Text(value) if type(value) is str else value


class Environment(ImmutableSandboxedEnvironment):
    """One for the process: a render's state is its budget alone."""
    code_generator_class = Generator
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, optimized=False,
                         extensions=[Generation, loopcontrols], finalize=self.printable)
        self.globals = {"range": self.globals["range"], "cycler": Cycler,
                        "joiner": self.globals["joiner"], "namespace": Spaces,
                        "dict": functions.make_dict,
                        "raise_exception": self._refuse}
        known = {name: self.filters[name] for name in functions.KEPT.split()} | functions.FILTERS
        self.filters = {name: self._paid(filter) for name, filter in known.items()}
        self.filters |= {"join": self._join, "replace": self._replace, "format": self._format}

    # What compiled templates call.

    def literal(self, value: str) -> Text:
        return Text.by_template(value)

    def turn(self) -> None:
        current.get().spend()

    def made(self, value: Any) -> Any:
        """Pays for a container that the template made."""
        current.get().make(len(value))
        if type(value) is not list:
            return settled(value)
        value = [settled(item) for item in value]
        current.get().weigh(value)
        return value

    def sliced(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        return self._result(value[start:stop:step])

    def printable(self, value: Any) -> Any:
        if not isinstance(value, str):
            current.get().weigh(value)
        return value

    def concatenated(self, parts: Iterable[Any]) -> Text:
        return self.concat(str(self.printable(part)) for part in parts)

    def concat(self, parts: Iterable[str]) -> Text:
        budget, pieces, size = current.get(), [], 0
        for part in parts:
            size += len(part)
            if size > budget.weight:
                raise Overrun("makes too large a text")
            budget.spend(1 + len(part))
            pieces.append(part)
        return joined(pieces)

    # What they reach, and what that costs.

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if attr.startswith("_"):
            return False
        if isinstance(obj, Namespace):
            return True
        if type(obj) is list and attr in ("append", "pop"):
            return True
        return any(attr in names for kind, names in ATTRIBUTES.items()
                   if isinstance(obj, kind))

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        if attribute.startswith("_"):
            raise SecurityError(f"attribute {attribute!r} of a {type(obj).__name__}: out of reach")
        return super().unsafe_undefined(obj, attribute)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        budget = current.get()
        budget.spend()
        budget.depth += 1
        try:
            if budget.depth > DEPTH:
                raise Overrun(f"nests more than {DEPTH} calls")
            owner = getattr(obj, "__self__", None)
            if isinstance(owner, str):
                kwargs.pop("_loop_vars", None)      # for Context.call, which is not asked
                kwargs.pop("_block_vars", None)
                return self._text_method(followed(owner), obj.__name__, args, kwargs)
            if type(owner) is list and isinstance(obj, BuiltinMethodType):
                args = tuple(map(settled, args))
            return self._result(super().call(context, obj, *args, **kwargs))
        finally:
            budget.depth -= 1

    def wrap_str_format(self, value: Any) -> Any:
        return None                         # _text_method formats

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            return self._result(functions.percent(self, left, right))
        current.get().make(functions.size(operator, left, right))
        return self._result(super().call_binop(context, operator, left, right))

    def _text_method(self, text: Text, name: str, args: Any, kwargs: Any) -> Any:
        if name == "join":
            return self._join(*reversed((text, *args)))
        if name == "replace":
            return self._replace(text, *args)
        if name == "format":
            return self._result(functions.braces(self, text, args, kwargs))
        if name in ("center", "ljust", "rjust", "zfill"):
            current.get().make(args[0])
        result = getattr(text, name)(*args, **kwargs)
        current.get().make(weight_of(result))
        return self._result(result)

    def _result(self, value: Any) -> Any:
        """Pays for what an operation returned."""
        if isinstance(value, str):
            current.get().make(len(value))
        elif type(value) in (list, dict, tuple):
            return self.made(value)
        return value

    def _paid(self, filter: Any) -> Any:
        @functools.wraps(filter)
        def paid(*args: Any, **kwargs: Any) -> Any:
            budget = current.get()
            budget.spend()
            for value in (*args, *kwargs.values()):
                budget.weigh(value)
            price = functions.PRICES.get(filter.__name__)
            if price:
                budget.make(price(*args, **kwargs))
            return self._result(filter(*map(followed, args), **kwargs))
        return paid

    def _join(self, parts: Any, separator: Any = "", attribute: Any = None) -> Text:
        if attribute is not None:
            parts = [self.getitem(part, attribute) for part in parts]
        pieces: list[Any] = []
        for part in parts:
            if pieces:
                pieces.append(separator)
            pieces.append(part)
        return self.concatenated(pieces)

    def _replace(self, text: Any, old: Any, new: Any, count: Any = None) -> Text:
        text, old, new = (followed(str(self.printable(value))) for value in (text, old, new))
        current.get().make(len(text) + text.count(old) * max(len(new) - len(old), 0))
        replaced: Text = text.replace(old, new, -1 if count is None else count)
        return replaced

    def _format(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        return self._result(functions.percent(self, str(text), kwargs or args))

    def _refuse(self, message: Any) -> None:
        raise Refused(str(self.printable(message)))
