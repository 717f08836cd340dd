"""minichat/records.py: what classes say of their fields."""
import dataclasses
import sys
import types
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, NamedTuple, NotRequired, Required, TypedDict, TypeVar

import pytest

from minichat.errors import RequestError
from minichat.records import Field, about, fields, is_record

T = TypeVar("T")


class Loose(TypedDict, total=False):
    title: Required["str"]
    year: "Required[Annotated[int, 'of release']]"
    rating: "float"


class Tight(Loose):
    genre: Annotated["NotRequired[str]", "one word"]
    length: int


@dataclass
class Trip:
    """A way.

    Attributes:
        first: By ship.
        second: By bus.
        third: On foot.
    """
    first: str
    second: str = field(default="Oslo", metadata={"description": "by train"})
    seen: int = field(default=0, init=False)
    third: list[str] = field(default_factory=list)


@dataclass
class Tour(Trip):
    """There and back."""
    fourth: "Tour | None" = None


class Point(NamedTuple):
    x: float
    y: float = 0.5


@dataclass
class Box(Generic[T]):
    inside: T
    spare: list[T] | None
    label: str


@pytest.mark.parametrize("record, found", [
    (Tour, [Field("first", str, description="By ship."),
            Field("second", str, False, "Oslo", "by train"),
            Field("third", list[str], False, description="On foot."),
            Field("fourth", Tour | None, False, None)]),
    (Point, [Field("x", float), Field("y", float, False, 0.5)]),
    (namedtuple("Pair", "a b", defaults=[1]), [Field("a", Any), Field("b", Any, False, 1)]),
    (Tight, [Field("title", Required[str]), Field("year", Required[Annotated[int, "of release"]]),
             Field("rating", float, False),
             Field("genre", Annotated[NotRequired[str], "one word"], False),
             Field("length", int)]),
])
def test_fields(record, found):
    assert fields(record, "format") == found and is_record(record)


def test_what_is_no_record():
    assert not any(map(is_record, [int, tuple, dict, Point(1), Tour("a"), {"a": 1}, None]))


def test_the_parameters_of_a_generic_class():
    hints = [each.hint for each in fields(Box, "format", (list[int],))]
    assert hints == [list[int], list[list[int]] | None, str]
    assert [each.hint for each in fields(Box, "format")] == [T, list[T] | None, str]


@dataclass
class Crate(Box[list[T]], Generic[T]):
    label: T


@dataclass
class Wine(Crate[str]):
    year: int


@dataclass
class Port(Wine):
    sweet: bool


class Pair(TypedDict, Generic[T]):
    first: T


class Words(Pair[str]):
    second: int


def test_what_the_bases_of_a_class_stand_for():
    assert [each.hint for each in fields(Crate, "format", (int,))] == [
        list[int], list[list[int]] | None, int]
    assert [each.hint for each in fields(Wine, "format")] == [
        list[str], list[list[str]] | None, str, int]
    assert [each.hint for each in fields(Port, "format")][:3] == [
        list[str], list[list[str]] | None, str]
    assert [each.hint for each in fields(Words, "format")] == [str, int]


def test_a_docstring_that_nobody_wrote_says_nothing():
    assert about(Tour).description == "There and back."
    assert [about(kind).description for kind in (Point, Box, Tight)] == ["", "", ""]


def test_annotations_that_are_all_in_quotes(monkeypatch):
    module = types.ModuleType("quoted")
    monkeypatch.setitem(sys.modules, "quoted", module)
    exec("from __future__ import annotations\n"
         "from typing import Annotated, NotRequired, TypedDict\n"
         "class Song(TypedDict):\n"
         "    title: Annotated[str, 'in full']\n"
         "    year: NotRequired[int]\n", vars(module))
    assert fields(module.Song, "format") == [
        Field("title", Annotated[str, "in full"]), Field("year", NotRequired[int], False)]


def test_a_class_of_a_function():
    @dataclass
    class Inner:
        n: "int"
        next: "list[Inner]"

    assert [each.hint for each in fields(Inner, "format")] == [int, list[Inner]]


@pytest.mark.parametrize("annotation, message", [
    ("Nowhere", "^format: found NameError: name 'Nowhere' is not defined; str, int, "),
    ("a b", "^format: found SyntaxError: "), ("1 / 0", "^format: found ZeroDivisionError: "),
])
def test_annotations_that_cannot_be_evaluated(annotation, message):
    with pytest.raises(RequestError, match=message):
        fields(dataclasses.make_dataclass("Odd", [("a", annotation)]), "format")
