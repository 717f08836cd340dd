"""What a template may spend, and what the values that it makes weigh.

Each operation pays: a loop's turn, a call, a character or an element made.  What would
be large is priced before it is made.  A container is weighed with all that it holds,
again and again where it is held twice, and what a container holds cannot grow any more:
so what it costs to print or compare a value is known from its weight.
"""
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

UNITS, UNITS_PER_CHARACTER = 1 << 21, 64    # of work, for a template and for its input
WEIGHT, WEIGHT_PER_CHARACTER = 1 << 20, 4   # of one value
SECONDS, SECONDS_PER_CHARACTER = 1.0, 2e-6  # of this thread's time, which no other program takes
DEPTH = 64


class Overrun(Exception):
    """A template went beyond its budget."""


class Items(list[Any]):
    """A list inside another value; it does not change any more."""
    weight: int


class Fields(dict[Any, Any]):
    """A dict; it does not change any more."""
    weight: int


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


current: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def budget(characters: int) -> Iterator[None]:
    """What is rendered inside pays from one budget, for an input of so many characters."""
    token = current.set(Budget(characters))
    try:
        yield
    finally:
        current.reset(token)


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
    current.get().weigh(kept)
    return kept
