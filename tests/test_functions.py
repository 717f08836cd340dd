"""minichat/functions.py: what a model is told of a Python function."""
import dataclasses
import enum
import functools
import math
import typing
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict

import pytest

from minichat.errors import RequestError
from minichat.functions import tool

INTEGER, STRING = {"type": "integer"}, {"type": "string"}


def function(made):
    """The function of a tool, and its parameters."""
    whole = tool(made)
    assert whole["type"] == "function" and set(whole) == {"type", "function"}
    assert set(whole["function"]) == {"name", "description", "parameters"}
    assert whole["function"]["parameters"]["type"] == "object"
    return whole["function"], whole["function"]["parameters"]


def properties(made):
    return function(made)[1]["properties"]


class Unit(enum.Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


@dataclasses.dataclass
class Place:
    """Where it is.

    Attributes:
        city: The town.
        country: Two letters.
    """
    city: str
    country: str = "NO"


class Options(TypedDict, total=False):
    unit: Unit


def weather(city: str, days: int = 3, unit: Literal["celsius", "kelvin"] = "celsius") -> str:
    """Tells the weather.

    Asks a service that knows.

    Args:
        city: The town, and
            its country.
        days (int, optional): How many days: at most ten.
        unit (Callable[[int], str]): Of
          the temperature.

    Returns:
        What it will be.
    """


def test_a_tool():
    assert tool(weather) == {"type": "function", "function": {
        "name": "weather", "description": "Tells the weather.\n\nAsks a service that knows.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The town, and its country."},
                "days": {"type": "integer", "description": "How many days: at most ten.",
                         "default": 3},
                "unit": {"type": "string", "enum": ["celsius", "kelvin"],
                         "description": "Of the temperature.", "default": "celsius"}},
            "required": ["city"]}}}


def test_what_is_required():
    def f(a: int, b: Optional[int], c: int | None = None, *, d: str, e: str = "x"): ...

    assert function(f)[1] == {"type": "object", "properties": {
        "a": INTEGER, "b": {"anyOf": [INTEGER, {"type": "null"}]}, "c": INTEGER,
        "d": STRING, "e": {"type": "string", "default": "x"}}, "required": ["a", "b", "d"]}


def test_without_annotations_only_a_default_tells_the_type():
    def f(a, b=1, c=None, d=math.pi, e=True, f=Unit.KELVIN): ...

    assert properties(f) == {"a": {}, "b": {"type": "integer", "default": 1}, "c": {},
                             "d": {"type": "number", "default": math.pi},
                             "e": {"type": "boolean", "default": True}, "f": {"default": "kelvin"}}


def test_a_function_without_anything():
    def now(): ...

    assert function(now)[0] == {"name": "now", "description": "", "parameters": {
        "type": "object", "properties": {}}}


def test_descriptions_may_stand_in_annotations():
    def f(a: Annotated[str, "the nearest"], b: Annotated[int, "alone"] = 1):
        """Does.

        Args:
            a: not read
        """

    assert [each["description"] for each in properties(f).values()] == ["the nearest", "alone"]


def test_classes_as_parameters():
    def travel(to: Place, units: list[Unit], via: Optional[Place] = None):
        """Goes there.

        Args:
            to: The end.
        """

    made, parameters = function(travel)
    to, units, via = parameters["properties"].values()
    assert to["description"] == "The end." and via["description"] == "Where it is."
    assert to["properties"] == via["properties"] == {
        "city": {**STRING, "description": "The town."},
        "country": {**STRING, "default": "NO", "description": "Two letters."}}
    assert units == {"type": "array", "items": {"type": "string", "enum": ["celsius", "kelvin"]}}


def test_a_type_that_holds_itself():
    class Node(TypedDict):
        next: Optional["Node"]

    def walk(a: Node, b: Node): ...

    parameters = function(walk)[1]
    assert parameters["properties"] == dict.fromkeys("ab", {"$ref": "#/$defs/Node"})
    assert set(parameters["$defs"]) == {"Node"}


class Station:
    """A place with instruments."""

    def measure(self, what: str) -> float:
        """Measures."""

    @classmethod
    def find(cls, name: str) -> "Station":
        """Finds."""

    @staticmethod
    def count(near: str) -> "Nowhere":     # noqa: F821 (what is returned is not looked at)
        """Counts."""

    async def wait(self, what: str): ...

    def __call__(self, what: str):
        """Asks."""


@pytest.mark.parametrize("made, name, description", [
    (Station().measure, "measure", "Measures."), (Station.measure, "measure", "Measures."),
    (Station.find, "find", "Finds."), (Station.__dict__["find"].__func__, "find", "Finds."),
    (Station.count, "count", "Counts."), (Station().wait, "wait", ""),
    (Station(), "Station", "Asks."),
    (functools.partial(Station.measure, Station()), "measure", "Measures."),
    (functools.lru_cache(Station.count), "count", "Counts."),
])
def test_methods_and_objects(made, name, description):
    about, parameters = function(made)
    assert (about["name"], about["description"]) == (name, description)
    assert [*parameters["properties"].values()] == [STRING]


def test_what_a_partial_binds_is_no_parameter():
    partial = functools.partial(weather, "Oslo", unit="kelvin")
    about, parameters = function(partial)
    assert about["name"] == "weather" and about["description"].startswith("Tells")
    assert parameters == {"type": "object", "properties": {
        "days": {**INTEGER, "description": "How many days: at most ten.", "default": 3}}}
    assert properties(functools.partial(partial, days=2)) == {}
    assert function(functools.update_wrapper(partial, Station.find))[0]["name"] == "find"


def test_a_decorator_that_keeps_the_signature():
    @functools.wraps(weather)
    def wrapper(*args, **kwargs): ...

    assert tool(wrapper) == tool(weather)


def test_other_names_are_told_of_where_they_have_types():
    def f(a: int, **kwargs: str): ...
    def g(a: int, **options: typing.Unpack[Options]): ...

    assert function(f)[1] == {"type": "object", "properties": {"a": INTEGER}, "required": ["a"]}
    assert function(g)[1]["properties"]["unit"]["enum"] == ["celsius", "kelvin"]
    assert function(g)[1]["required"] == ["a"]


class Reading(NamedTuple):
    """One value."""
    value: float


def test_classes_are_tools_with_their_fields():
    about, parameters = function(Place)
    assert about["name"] == "Place" and about["description"] == "Where it is."
    assert parameters == {"type": "object", "properties": {
        "city": {"type": "string", "description": "The town."},
        "country": {"type": "string", "default": "NO", "description": "Two letters."}},
        "required": ["city"], "additionalProperties": False}
    assert function(Reading)[0]["description"] == "One value."
    assert function(Options)[0]["description"] == ""


def positional(a, /): ...


def several(a, *numbers: float): ...


def wrapped(*args, **kwargs): ...


def strange(a: "Nowhere"): ...     # noqa: F821


def custom(a: int, b: list[Station]): ...


@pytest.mark.parametrize("made, message", [
    (lambda a: a, r"^tools\[2\]: found a lambda, which has no name; a function made with def is"),
    (positional, r"^tools\[2\].positional: found a, which cannot be given by name; "),
    (several, r"several: found \*numbers, which cannot be"),
    (wrapped, r"wrapped: found \*args, which"), (math.sqrt, "sqrt: found x, which"),
    (min, "min: found a function that does not tell its parameters"),
    (strange, r"tools\[2\].strange: found NameError: name 'Nowhere' is not defined; str, int, "),
    (custom, r"tools\[2\].custom.b\[\]: found .*Station; str, int"),
    (Station, r"Station: found a class without named fields"), (Unit, "Unit: found a class"),
    (5, r"^tools\[2\]: found int; a function is allowed"), (None, "found NoneType"),
])
def test_what_no_model_can_call_is_refused(made, message):
    with pytest.raises(RequestError, match=message) as refused:
        tool(made, "tools[2]")
    assert "\n" not in str(refused.value)


def add(a: int, b: float, note: str, sure: bool) -> float:
    """Adds two numbers.

    Args:
        a: The first one.
        b: The second one, which may
            have a fraction.
        note: What for.
        sure: Whether to.

    Returns:
        The sum.
    """


def pick(words: list, counts: dict, of: Any, nested: list[list[int]], by: dict[str, float],
         pair: tuple[int, str], level: Literal["low", "high"], unit: Unit, id: int | str,
         most: int = 5):
    """
    Picks.

    Args:
        words: a
        counts: b
        of: c
        nested: d
        by: e
        pair: f
        level: g
        unit: h
        id: i
        most: j
    """


def test_plain_functions_are_what_ollama_s_client_makes_of_them():
    theirs = pytest.importorskip("ollama._utils").convert_function_to_tool
    for made in (add, Station().measure, Station.count):
        ours, other = function(made)[0], theirs(made).model_dump(exclude_none=True)["function"]
        for name, each in other["parameters"]["properties"].items():
            assert each.pop("description") == ours["parameters"]["properties"][name].pop(
                "description", "")
        assert (ours["name"], ours["description"]) == (other["name"], other["description"].strip())
        assert ours["parameters"] == other["parameters"]


def test_more_than_ollama_s_client_says():
    theirs = pytest.importorskip("ollama._utils").convert_function_to_tool
    ours = properties(pick)
    other = theirs(pick).model_dump(exclude_none=True)["function"]["parameters"]["properties"]
    for name in ("words", "counts"):
        assert ours[name] == other[name]
    for name in ("nested", "by", "pair", "level", "unit"):
        assert {**ours[name], **other[name]} == ours[name] != other[name]


def test_what_transformers_says():
    theirs = pytest.importorskip("transformers.utils.chat_template_utils").get_json_schema
    for made in (add, pick):
        ours, other = tool(made), theirs(made)
        other["function"].pop("return", None)
        for each in ours["function"]["parameters"]["properties"].values():
            for more in ("default", "minItems", "maxItems"):        # which it leaves out
                each.pop(more, None)
            if isinstance(each.get("type"), list):
                each["type"].sort()
        assert ours == other
