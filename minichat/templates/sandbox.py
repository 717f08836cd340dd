"""Chat templates run here: Jinja2 as transformers sets it up, fenced in.

A template is a stranger's program.  It reaches the listed attributes of plain data
and no others, and each of its operations is paid for from a budget: a loop's turn, a
call, a character or an element made.  What would be large is priced before it is
made.  A container is weighed with all that it holds, again and again where it is
held twice, and what a container holds cannot grow any more: so the price of
printing or comparing a value is known from its weight.
"""
from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from types import BuiltinMethodType
from typing import Any, Iterator

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Namespace

from . import functions
from .origin import Text, joined

UNITS, UNITS_PER_CHARACTER = 1 << 22, 64    # of work, for a template and for its input
WEIGHT, WEIGHT_PER_CHARACTER = 1 << 20, 4   # of one value
SECONDS, SECONDS_PER_CHARACTER = 2.0, 2e-6  # of this thread's time, which no other program takes
DEPTH = 64

METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (str, frozenset(
        "capitalize casefold center count endswith find format index isalnum isalpha isascii "
        "isdecimal isdigit islower isnumeric isspace istitle isupper join ljust lower lstrip "
        "partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip "
        "split splitlines startswith strip swapcase title upper zfill".split())),
    (list, frozenset(("copy", "count", "index"))),
    (dict, frozenset(("copy", "get", "items", "keys", "values"))),
    (tuple, frozenset(("count", "index", "grouper", "list"))),
    (LoopContext, frozenset(
        "index index0 revindex revindex0 first last length depth depth0 previtem nextitem cycle "
        "changed".split())),
    (Cycler, frozenset(("current", "next", "reset"))),
    (Macro, frozenset(("arguments", "caller", "name"))),
)


class Overrun(Exception):
    """A template went beyond its budget."""


class Refused(TemplateError):
    """A template called raise_exception: these are its words."""


class Items(list[Any]):
    """A list inside another value; it does not change any more."""
    __slots__ = ("weight",)


class Fields(dict[Any, Any]):
    """A dict; it does not change any more."""
    __slots__ = ("weight",)


class Row(tuple[Any, ...]):
    """A tuple."""
    weight: int


class Budget:
    """What one render may still spend."""

    def __init__(self, characters: int = 0):
        self.left = UNITS + UNITS_PER_CHARACTER * characters
        self.weight = WEIGHT + WEIGHT_PER_CHARACTER * characters
        self.seconds = SECONDS + SECONDS_PER_CHARACTER * characters
        self.depth = 0
        self._begun, self._look = time.thread_time(), time.monotonic() + 0.05

    def spend(self, units: int = 1) -> None:
        self.left -= units
        if self.left < 0:
            raise Overrun("does too much work")
        if time.monotonic() > self._look:
            self._look = time.monotonic() + 0.05
            if time.thread_time() - self._begun > self.seconds:
                raise Overrun(f"runs for more than {self.seconds:.1f} seconds")

    def make(self, size: int) -> None:
        """Pays for a value of so many characters or elements."""
        if size > self.weight:
            raise Overrun(f"makes a value of {size} characters or elements")
        self.spend(1 + max(size, 0))

    def weigh(self, value: Any) -> int:
        weight = weight_of(value)
        if weight > self.weight:
            raise Overrun("makes too large a value")
        return weight


_budget: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def budget(characters: int) -> Iterator[None]:
    """What is rendered inside pays from one budget, for an input of so many characters."""
    token = _budget.set(Budget(characters))
    try:
        yield
    finally:
        _budget.reset(token)


def weight_of(value: Any) -> int:
    """Returns the number of characters and elements that printing a value would visit."""
    if isinstance(value, str):
        return 1 + len(value)
    if isinstance(value, (Items, Fields, Row)):
        return value.weight
    if isinstance(value, dict):
        return 1 + sum(map(weight_of, value)) + sum(map(weight_of, value.values()))
    if isinstance(value, (list, tuple)):
        return 1 + sum(map(weight_of, value))
    return 1


def settled(value: Any) -> Any:
    """Returns a value as it can be kept inside another: unable to grow."""
    if isinstance(value, (Items, Fields, Row)):
        return value
    kept: Items | Fields | Row
    if type(value) is list:
        kept = Items(map(settled, value))
        kept.weight = 1 + sum(map(weight_of, kept))
    elif type(value) is tuple:
        kept = Row(map(settled, value))
        kept.weight = 1 + sum(map(weight_of, kept))
    elif type(value) is dict:
        kept = Fields((key, settled(item)) for key, item in value.items())
        kept.weight = 1 + sum(map(weight_of, kept)) + sum(map(weight_of, kept.values()))
    else:
        return value
    _budget.get().weigh(kept)
    return kept


class Generator(CodeGenerator):
    """Compiles templates whose literals know that they are, and whose loops pay."""

    def _output_const_repr(self, group: Iterable[Any]) -> str:
        return f"environment.literal({''.join(map(str, group))!r})"

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if isinstance(node, nodes.TemplateData):
            return node.data
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            return node.value
        raise nodes.Impossible

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:
        if isinstance(node.value, str):
            self.write(f"environment.literal({node.value!r})")
        else:
            super().visit_Const(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.concatenated((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self._made(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self._made(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx == "load":
            self._made(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def _made(self, visit: Any, node: nodes.Expr, frame: Frame) -> None:
        self.write("environment.made(")
        visit(node, frame)
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.sliced(")
        self.visit(node.node, frame)
        for bound in (node.arg.start, node.arg.stop, node.arg.step):
            self.write(", ")
            self.visit(bound or nodes.Const(None), frame)
        self.write(")")

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        turn = nodes.EnvironmentAttribute("turn()")
        node.body = [nodes.ExprStmt(turn, lineno=node.lineno), *node.body]
        if node.test is not None:
            node.test = nodes.And(turn, node.test, lineno=node.lineno)
        super().visit_For(node, frame)


class Generation(Extension):
    """`{% generation %}`: marks an assistant's words for training; here, just a scope."""
    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=lineno)


class Spaces(Namespace):
    """namespace(): an object with attributes, for the template's own use."""

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)

    def __init__(*args: Any, **kwargs: Any) -> None:    # noqa: N805 - namespace(self=1) works
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
        known = {name: self.filters[name] for name in functions.KEPT} | functions.FILTERS
        self.filters = {name: self._paid(filter) for name, filter in known.items()}
        self.filters |= {"join": self._join, "replace": self._replace, "format": self._format}

    # What compiled templates call.

    def literal(self, value: str) -> Text:
        return Text.by_template(value)

    def turn(self) -> bool:
        _budget.get().spend()
        return True

    def made(self, value: Any) -> Any:
        """Pays for a container that the template made."""
        _budget.get().make(len(value))
        if type(value) is not list:
            return settled(value)
        value = [settled(item) for item in value]
        _budget.get().weigh(value)
        return value

    def sliced(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        return self._result(value[start:stop:step])

    def printable(self, value: Any) -> Any:
        if not isinstance(value, str):
            _budget.get().weigh(value)
        return value

    def concatenated(self, parts: Iterable[Any]) -> Text:
        return self.concat(str(self.printable(part)) for part in parts)

    def concat(self, parts: Iterable[str]) -> Text:   # type: ignore[override]
        budget, pieces, size = _budget.get(), [], 0
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
        return any(attr in names for kind, names in METHODS if isinstance(obj, kind))

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        if attribute.startswith("_"):
            raise SecurityError(f"attribute {attribute!r} of a {type(obj).__name__}: out of reach")
        return super().unsafe_undefined(obj, attribute)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        budget = _budget.get()
        budget.spend()
        budget.depth += 1
        try:
            if budget.depth > DEPTH:
                raise Overrun(f"nests more than {DEPTH} calls")
            owner = getattr(obj, "__self__", None)
            if isinstance(owner, str):
                kwargs.pop("_loop_vars", None)      # for Context.call, which is not asked
                kwargs.pop("_block_vars", None)
                return self._text_method(Text(owner) if type(owner) is str else owner,
                                         obj.__name__, args, kwargs)
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
        _budget.get().make(functions.size(operator, left, right))
        return self._result(super().call_binop(context, operator, left, right))

    def _text_method(self, text: Text, name: str, args: Any, kwargs: Any) -> Any:
        if name == "join":
            return self._join(*reversed((text, *args)))
        if name == "replace":
            return self._replace(text, *args)
        if name == "format":
            return self._result(functions.braces(self, text, args, kwargs))
        if name in ("center", "ljust", "rjust", "zfill"):
            _budget.get().make(args[0])
        result = getattr(text, name)(*args, **kwargs)
        _budget.get().make(weight_of(result))
        return self._result(result)

    def _result(self, value: Any) -> Any:
        """Pays for what an operation returned."""
        if isinstance(value, str):
            _budget.get().make(len(value))
        elif type(value) in (list, dict, tuple):
            return self.made(value)
        return value

    def _paid(self, filter: Any) -> Any:
        @functools.wraps(filter)
        def paid(*args: Any, **kwargs: Any) -> Any:
            budget = _budget.get()
            budget.spend()
            for value in (*args, *kwargs.values()):
                budget.weigh(value)
            price = functions.PRICES.get(filter.__name__)
            if price:
                budget.make(price(*args, **kwargs))
            return self._result(filter(*[Text(a) if type(a) is str else a for a in args],
                                       **kwargs))
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
        text, old, new = (Text(value) if type(value) is str else Text(str(self.printable(value)))
                          if not isinstance(value, str) else value for value in (text, old, new))
        times = text.count(old)
        _budget.get().make(len(text) + times * max(len(new) - len(old), 0))
        return text.replace(old, new, -1 if count is None else count)

    def _format(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        return self._result(functions.percent(self, str(text), kwargs or args))

    def _refuse(self, message: Any) -> None:
        raise Refused(str(self.printable(message)))
