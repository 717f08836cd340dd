"""Models and fields of pydantic, which nothing here depends on."""
import decimal
import enum
import pathlib
from collections import abc
from dataclasses import make_dataclass
from typing import Literal, Optional, Union

import pytest

from minichat.errors import RequestError
from minichat.functions import tool
from minichat.grammars import grammar
from minichat.schemas import is_type, schema

pydantic = pytest.importorskip("pydantic")


class Unit(enum.Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


def test_pydantic_models():
    class City(pydantic.BaseModel):
        """A town."""
        name: str = pydantic.Field(description="in full", min_length=1)
        size: Literal["big", "small"] = "big"

    class Ride(pydantic.BaseModel):
        start: City
        end: City
        unit: Unit
        ref: list[dict[Literal["$ref"], int]]

    class Node(pydantic.BaseModel):
        value: int
        next: Optional["Node"] = None

    city = City.model_json_schema()
    assert schema(City) == schema(pydantic.TypeAdapter(City)) == city
    assert is_type(City) and is_type(pydantic.TypeAdapter(City)) and not is_type(City(name="a"))
    ride = schema(Ride)
    assert "$defs" not in ride and ride["required"] == ["start", "end", "unit", "ref"]
    assert ride["properties"]["start"] == ride["properties"]["end"] == city
    assert ride["properties"]["unit"]["enum"] == ["celsius", "kelvin"]
    node = schema(Node)
    assert node["$defs"]["Node"] == Node.model_json_schema()["$defs"]["Node"]
    assert node["properties"] == node["$defs"]["Node"]["properties"]
    assert schema(list[City]) == {"type": "array", "items": city}
    chain = schema(make_dataclass("Chain", [("a", Node), ("b", Node)]))
    assert set(chain["$defs"]) == {"Node"}
    assert chain["properties"]["a"] == chain["properties"]["b"] == {"$ref": "#/$defs/Node"}
    for each in (City, Node, list[City]):
        grammar(schema(each))


def test_tagged_pydantic_models():
    class Cat(pydantic.BaseModel):
        kind: Literal["cat"]

    class Dog(pydantic.BaseModel):
        kind: Literal["dog"]

    class Owner(pydantic.BaseModel):
        pet: Union[Cat, Dog] = pydantic.Field(discriminator="kind")
        discriminator: int

    given = schema(Owner)["properties"]
    assert [each["properties"]["kind"]["const"] for each in given["pet"]["oneOf"]] == ["cat", "dog"]
    assert given["discriminator"]["type"] == "integer" and "discriminator" not in given["pet"]
    grammar(schema(Owner))


def test_pydantic_s_field_beside_other_classes():
    @pydantic.dataclasses.dataclass
    class Guess:
        low: int = pydantic.Field(description="at least", ge=0)
        high: int = pydantic.Field(9, le=10)

    assert schema(Guess) == {"type": "object", "properties": {
        "low": {"type": "integer", "description": "at least", "minimum": 0},
        "high": {"type": "integer", "maximum": 10, "default": 9}},
        "required": ["low"], "additionalProperties": False}

    class Calls(pydantic.BaseModel):
        back: abc.Callable[[], int]

    with pytest.raises(RequestError, match="format: found PydanticInvalidForJsonSchema"):
        schema(Calls)


def test_what_pydantic_says_and_a_model_means():
    """Formats of its own, and sets, which take what comes twice."""
    class Order(pydantic.BaseModel):
        price: decimal.Decimal
        tags: set[str]
        photo: pathlib.Path
        data: bytes
        secret: pydantic.SecretStr
        page: pydantic.HttpUrl

    assert schema(Order)["properties"]["tags"] == {
        "title": "Tags", "type": "array", "items": {"type": "string"}}
    grammar(schema(Order))


def test_a_decimal_as_some_versions_describe_it():
    class Price:
        @staticmethod
        def model_json_schema():
            text = {"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"}
            return {"type": "object", "properties": {
                "price": {"anyOf": [{"type": "number"}, text], "title": "Price"},
                "less": {"anyOf": [{"type": "number"}, text, {"type": "null"}]}}}

    price, less = schema(Price)["properties"].values()
    assert price == {"title": "Price", "type": "number"}
    assert less == {"anyOf": [{"type": "number"}, {"type": "null"}]}


def test_in_a_tool():
    class City(pydantic.BaseModel):
        """A town."""
        name: str

    def visit(city: City, days: int = pydantic.Field(description="how many", ge=1),
              why: str = pydantic.Field("", description="the reason")): ...

    about = tool(City)["function"]
    assert about["description"] == "A town." and "title" not in about["parameters"]
    assert about["parameters"]["required"] == ["name"]
    parameters = tool(visit)["function"]["parameters"]
    assert parameters["required"] == ["city", "days"]
    city, days, why = parameters["properties"].values()
    assert city == City.model_json_schema()
    assert days == {"type": "integer", "description": "how many", "minimum": 1}
    assert why == {"type": "string", "description": "the reason", "default": ""}
