"""minichat/schemas.py: what the types of a program are in JSON."""
import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import pathlib
import sys
import typing
import uuid
from collections import abc
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, Union

import pytest

from minichat.errors import RequestError
from minichat.grammars import grammar
from minichat.records import Field
from minichat.schemas import arguments, is_type, schema

INTEGER, NUMBER, STRING, BOOLEAN, NULL = (
    {"type": name} for name in ("integer", "number", "string", "boolean", "null"))
T = typing.TypeVar("T")
Word = typing.TypeVar("Word", bound=str)
Either = typing.TypeVar("Either", int, str)
UserId = NewType("UserId", int)


class Unit(enum.Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Level(enum.IntEnum):
    """How loud."""
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    WORD, COUNT, SHARE, NONE = "a", 2, 0.5, None


class Name(str):
    pass


@dataclass
class Place:
    """Somewhere on the map."""
    city: str
    country: str = "NO"
    tags: list[str] = field(default_factory=list)
    area: float | None = None
    unit: Unit = Unit.KELVIN
    seen: int = field(default=0, init=False)


PLACE = {
    "type": "object", "description": "Somewhere on the map.",
    "properties": {
        "city": STRING, "country": {"type": "string", "default": "NO"},
        "tags": {"type": "array", "items": STRING}, "area": {"anyOf": [NUMBER, NULL]},
        "unit": {"type": "string", "enum": ["celsius", "kelvin"], "default": "kelvin"}},
    "required": ["city"], "additionalProperties": False}


class Point(NamedTuple):
    x: float
    y: float = 0.5


class Movie(TypedDict):
    title: str
    year: typing.NotRequired[int]


@dataclass
class Tree:
    value: int
    below: list["Tree"]
    parent: Optional["Tree"] = None


@dataclass
class Egg:
    hen: "Hen"


@dataclass
class Hen:
    eggs: tuple[Egg, ...]


@dataclass
class Box(Generic[T]):
    inside: T
    spare: list[T] | None = None


@dataclass
class Endless(Generic[T]):
    deeper: "Endless[list[T]]"


@pytest.mark.parametrize("hint, made", [
    (str, STRING), (int, INTEGER), (float, NUMBER), (bool, BOOLEAN), (None, NULL),
    (type(None), NULL), (Any, {}), (object, {}), (Name, STRING), (decimal.Decimal, NUMBER),
    (UserId, INTEGER), (T, {}), (Word, STRING), (Either, {"type": ["integer", "string"]}),
    (bytes, {"type": "string", "contentEncoding": "base64"}),
    (datetime.datetime, {"type": "string", "format": "date-time"}),
    (datetime.date, {"type": "string", "format": "date"}),
    (datetime.time, {"type": "string", "format": "time"}),
    (datetime.timedelta, {"type": "string", "format": "duration"}),
    (uuid.UUID, {"type": "string", "format": "uuid"}), (pathlib.Path, STRING),
    (ipaddress.IPv4Address, {"type": "string", "format": "ipv4"}),
    (list, {"type": "array"}), (typing.List, {"type": "array"}), (list[Any], {"type": "array"}),
    (list[int], {"type": "array", "items": INTEGER}),
    (typing.List[int], {"type": "array", "items": INTEGER}),
    (set[str], {"type": "array", "items": STRING}), (frozenset, {"type": "array"}),
    (abc.Sequence[float], {"type": "array", "items": NUMBER}),
    (typing.Iterable[bool], {"type": "array", "items": BOOLEAN}),
    (collections.deque[int], {"type": "array", "items": INTEGER}),
    (list[list[int]], {"type": "array", "items": {"type": "array", "items": INTEGER}}),
    (tuple, {"type": "array"}), (tuple[()], {"type": "array", "maxItems": 0}),
    (tuple[int, ...], {"type": "array", "items": INTEGER}),
    (tuple[int, str], {"type": "array", "prefixItems": [INTEGER, STRING], "minItems": 2,
                       "maxItems": 2}),
    (dict, {"type": "object"}), (dict[str, Any], {"type": "object"}),
    (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (abc.Mapping[str, list[int]], {"type": "object", "additionalProperties": {
        "type": "array", "items": INTEGER}}),
    (collections.defaultdict[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (collections.Counter[str], {"type": "object"}),
    (dict[Unit, int], {"type": "object", "properties": {"celsius": INTEGER, "kelvin": INTEGER},
                       "additionalProperties": False}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Literal["a", 1, None], {"anyOf": [{"type": ["string", "integer"], "enum": ["a", 1]}, NULL]}),
    (Literal[None], NULL),
    (Literal[Unit.KELVIN], {"type": "string", "enum": ["kelvin"]}),
    (Unit, {"type": "string", "enum": ["celsius", "kelvin"]}),
    (Level, {"type": "integer", "enum": [1, 2], "description": "How loud."}),
    (Mixed, {"anyOf": [{"type": ["string", "integer", "number"], "enum": ["a", 2, 0.5]}, NULL]}),
    (str | int, {"type": ["string", "integer"]}), (str | None, {"anyOf": [STRING, NULL]}),
    (Union[None, int, str], {"anyOf": [INTEGER, STRING, NULL]}),
    (str | Name, STRING), (int | Any, {}),
    (list[int] | None, {"anyOf": [{"type": "array", "items": INTEGER}, NULL]}),
    (Optional[Unit], {"anyOf": [{"type": "string", "enum": ["celsius", "kelvin"]}, NULL]}),
    (Literal["a"] | None, {"anyOf": [{"type": "string", "enum": ["a"]}, NULL]}),
    (list[int] | str, {"anyOf": [{"type": "array", "items": INTEGER}, STRING]}),
    (list[int] | str | None, {"anyOf": [{"type": "array", "items": INTEGER}, STRING, NULL]}),
    (Annotated[str, "a town"], {"type": "string", "description": "a town"}),
    (Annotated[str, object(), "a town"], {"type": "string", "description": "a town"}),
    (Annotated[Annotated[int, "inner"], "outer"], {"type": "integer", "description": "outer"}),
    (list[Annotated[int, "one"]], {"type": "array", "items": {"type": "integer",
                                                              "description": "one"}}),
    (Optional[Annotated[int, "n"]], {"anyOf": [{"type": "integer", "description": "n"}, NULL]}),
    (Annotated[Optional[int], "n"], {"anyOf": [INTEGER, NULL], "description": "n"}),
    (Place, PLACE),
    (Annotated[Place, "where to"], {**PLACE, "description": "where to"}),
    (Point, {"type": "object", "properties": {"x": NUMBER, "y": {"type": "number", "default": .5}},
             "required": ["x"], "additionalProperties": False}),
    (collections.namedtuple("Pair", "a b", defaults=[1]),
     {"type": "object", "properties": {"a": {}, "b": {"default": 1}}, "required": ["a"],
      "additionalProperties": False}),
    (Movie, {"type": "object", "properties": {"title": STRING, "year": INTEGER},
             "required": ["title"], "additionalProperties": False}),
    (Box[int], {"type": "object", "properties": {
        "inside": INTEGER, "spare": {"anyOf": [{"type": "array", "items": INTEGER}, NULL]}},
        "required": ["inside"], "additionalProperties": False}),
], ids=str)
def test_types(hint, made):
    assert schema(hint) == made
    grammar(schema(hint))
    assert is_type(hint) or hint in (None, T, Word, Either)


def test_a_class_that_is_used_twice_stands_in_both_places():
    way = arguments([Field("start", Place), Field("end", Place, description="the goal")], "way")
    assert way == {"type": "object", "properties": {
        "start": PLACE, "end": {**PLACE, "description": "the goal"}}, "required": ["start", "end"]}


def test_what_holds_itself_is_referred_to():
    tree = {"type": "object", "properties": {
        "value": INTEGER, "below": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
        "parent": {"anyOf": [{"$ref": "#/$defs/Tree"}, NULL]}},
        "required": ["value", "below"], "additionalProperties": False}
    assert schema(Tree) == {**tree, "$defs": {"Tree": tree}}
    assert schema(list[Tree] | None) == {
        "anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Tree"}}, NULL],
        "$defs": {"Tree": tree}}
    grammar(schema(Tree))


def test_what_holds_itself_through_another():
    egg = {"type": "object", "required": ["hen"], "additionalProperties": False, "properties": {
        "hen": {"type": "object", "required": ["eggs"], "additionalProperties": False,
                "properties": {"eggs": {"type": "array", "items": {"$ref": "#/$defs/Egg"}}}}}}
    assert schema(Egg) == {**egg, "$defs": {"Egg": egg}}
    grammar(schema(Hen))


def test_two_classes_of_one_name():
    one, other = (dataclasses.make_dataclass("Node", [("next", "Node | None"), (name, int)])
                  for name in "ab")
    defs = schema(tuple[one, other])["$defs"]
    assert [list(each["properties"]) for each in defs.values()] == [["next", "a"], ["next", "b"]]
    assert defs["Node_"]["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Node_"}


def test_aliases():
    extensions = pytest.importorskip("typing_extensions")
    Pair = extensions.TypeAliasType("Pair", tuple[T, list[T]], type_params=(T,))
    assert schema(Pair[int])["prefixItems"] == [INTEGER, {"type": "array", "items": INTEGER}]
    assert is_type(Pair)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs the type statement of Python 3.12")
def test_an_alias_that_holds_itself():
    exec("type Json = str | list[Json]", names := {})
    json = {"anyOf": [STRING, {"type": "array", "items": {"$ref": "#/$defs/Json"}}]}
    assert schema(names["Json"]) == {**json, "$defs": {"Json": json}}


def test_bounds():
    @dataclass(frozen=True)
    class Within:
        ge: float | None = None
        lt: float | None = None
        min_length: int | None = None
        max_length: int | None = None
        pattern: str | None = None

    assert schema(Annotated[int, Within(ge=1, lt=9)]) == {
        "type": "integer", "minimum": 1, "exclusiveMaximum": 9}
    assert schema(Annotated[str | None, Within(min_length=1, pattern="a+")]) == {
        "anyOf": [STRING, NULL], "minLength": 1, "pattern": "a+"}
    assert schema(Annotated[list[int], Within(max_length=3)]) == {
        "type": "array", "items": INTEGER, "maxItems": 3}
    assert schema(Annotated[int, Within(max_length=3)]) == INTEGER


def test_arguments_that_are_none_by_default_are_left_out_instead():
    name = Annotated[str | None, "in full"]
    made = arguments([Field("a", name, False, None), Field("b", int | str | None, False, None),
                      Field("c", name), Field("d", None, False, None)], "f")["properties"]
    assert made == {"a": {**STRING, "description": "in full"},
                    "b": {"type": ["integer", "string"]},
                    "c": {"anyOf": [STRING, NULL], "description": "in full"}, "d": NULL}


def test_defaults_that_json_cannot_say_are_not_told():
    @dataclass
    class Options:
        share: float = float("nan")
        when: datetime.date = datetime.date(2026, 1, 1)
        names: tuple[str, ...] = ("a",)
        level: Level = Level.HIGH
        nothing: int | None = None

    given = schema(Options)["properties"]
    assert {name: each.get("default") for name, each in given.items()} == {
        "share": None, "when": None, "names": ["a"], "level": 2, "nothing": None}
    assert not any("default" in given[name] for name in ("share", "when", "nothing"))
    assert "required" not in schema(Options)


class Custom:
    pass


class Empty(enum.Enum):
    pass


@dataclass
class Wrong:
    names: list[dict[str, Custom]]


@pytest.mark.parametrize("hint, message", [
    (Custom, "format: found .*Custom; str, int, "),
    (Wrong, r"format.names\[\]\[\]: found .*Custom; str"),
    (abc.Callable[[int], str], "format: found .*Callable"), (type[int], "format: found type"),
    (complex, "format: found complex"), (Empty, "format: found an enumeration"),
    (enum.Enum("Odd", {"A": object()}), "format: found an enumeration"),
    (Literal[b"a"], "format: found an enumeration"), (list[5], r"format\[\]: found 5"),
    (tuple[int, Custom], r"format\[1\]: found"), (5, "format: found 5"), ("int", "format: found"),
    (Endless[int], "classes in classes without end"),
])
def test_what_json_cannot_say_is_refused(hint, message):
    with pytest.raises(RequestError, match=message):
        schema(hint)


@pytest.mark.parametrize("given", ["json", "int", {"type": "object"}, 5, None, Place("Oslo")])
def test_a_value_is_no_type(given):
    assert not is_type(given)
