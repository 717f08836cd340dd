"""What the dialogues with JSON tell of: domains, their properties, values and clauses.

They are in world/domains.toml; beside them there are objects made on the fly of a noun and of
names of properties.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Any

from .. import words
from .facts import load

WORLD = load("objects")
LISTS = {kind: [one.strip().replace("-", " ")
                for one in (text.split(",") if "," in text else text.split())]
         for kind, text in WORLD["lists"].items()}
ARTICLES = ("The", "A", "Our", "This", "My", "Today's")
SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!uni|use|usu|eu|one|Uni|Eu|One)")
NEVER = set(WORLD["never"].split())
PHRASES = {name: text.splitlines() for name, text in WORLD["phrases"].items()}


@dataclass(frozen=True)
class Property:
    """Names that mean the same, the kind of value, and clauses (those for false apart)."""
    names: list[str]
    kind: str
    clauses: list[str]
    negative: list[str]


@dataclass(frozen=True)
class Domain:
    """Pronouns, and properties of which the first is the subject."""
    pronouns: list[str]
    properties: list[Property]


@dataclass
class Field:
    """A property as one dialogue uses it: its name, schema and perhaps its choices."""
    property: Property
    name: str
    schema: dict[str, Any]
    choices: list[str]

    def drawn(self, random: Random) -> Any:
        """A value of it."""
        return random.choice(self.choices) if self.choices else value(self.property.kind, random)


def parsed(text: str) -> Domain:
    """A domain of domains.toml."""
    first, *lines = text.strip().splitlines()
    properties = []
    for line in lines:
        names, kind, *clauses = line.split(" = ")
        both = [[one.strip() if one.strip() != "," else one for one in part.split(" | ")]
                for part in clauses]
        properties.append(Property(names.split(", "), kind.strip(), both[0],
                                   both[1] if len(both) > 1 else []))
    return Domain(first.split("/"), properties)


DOMAINS = {name: parsed(text) for name, text in load("domains")["domains"].items()}


def person(random: Random) -> str:
    while (one := words.name(random)) in NEVER:
        pass
    return one


def town(random: Random) -> str:
    while (one := words.city(random)) in NEVER:
        pass
    return one


def surname(random: Random) -> str:
    while (one := words.invented(random, 2).capitalize()) in NEVER:
        pass
    return one


def price(random: Random) -> float | int:
    amount = round(words.price(random, random.choice([20, 90, 400])), 2)
    return int(amount) if amount == int(amount) or random.random() < .3 else amount


def decimal(random: Random, low: int, high: int) -> float | int:
    whole = words.number(random, low, high)
    return whole if random.random() < .4 else whole + random.randint(1, 9) / 10


def title(random: Random) -> str:
    style = random.random()
    if style < .6:
        return f"The {random.choice(LISTS['adjective'])} {random.choice(LISTS['noun'])}"
    if style < .8:
        return f"{random.choice(LISTS['noun'])} of {surname(random)}"
    return f"{random.choice(LISTS['adjective'])} {surname(random)}"


def team(random: Random) -> str:
    """Names of teams, shops, hotels and boats."""
    style = random.random()
    if style < .5:
        return f"{random.choice(LISTS['adjective'])} {random.choice(LISTS['noun'])}"
    return surname(random) if style < .8 else f"{surname(random)} {random.choice(LISTS['noun'])}"


def value(kind: str, random: Random) -> Any:
    """A value of a kind: a list of objects.toml, or one that is made here."""
    kind, *more = kind.split()
    match kind:
        case "bool":
            return random.random() < .5
        case "int":
            low, high = (int(one) for one in more)
            if high > 2000 and low < 1000 and random.random() < .7:
                high = random.choice([100, 1000, high])
            return words.number(random, low, max(low + 9, high))
        case "decimal":
            return decimal(random, int(more[0]), int(more[1]))
        case "enum":
            return random.choice(more)
        case "many":
            return random.sample(LISTS[more[0]], random.choice([2, 2, 3, 3, 4]))
        case "names":
            return [*dict.fromkeys(person(random) for _ in range(random.choice([2, 3, 4])))]
        case "date":
            month, day = random.choice(LISTS["month"]), words.number(random, 1, 31)
            return random.choice([f"{month} {day}", f"{day} {month}"])
        case "time":
            if random.random() < .25:
                return f"{words.number(random, 1, 12)} {random.choice(['am', 'pm'])}"
            return f"{words.number(random, 6, 23)}:{words.number(random, 0, 59):02}"
        case "code":
            letter = random.choice("ABCDEFGHKLMNPRST")
            return f"{letter}{words.number(random, 1, random.choice([9, 99, 999]))}"
        case "email":
            return f"{surname(random).lower()}@{words.invented(random)}.com"
        case "street":
            return f"{surname(random)} {random.choice(['Street', 'Road', 'Lane', 'Square'])}"
        case "word":
            return words.invented(random)
    made = {"name": person, "city": town, "surname": surname, "price": price, "title": title,
            "team": team}
    if kind in made:
        return made[kind](random)
    if kind == "fullname":
        return f"{person(random)} {surname(random)}"
    if kind in ("job", "hobby", "food", "dish", "thing", "brand", "plant", "topic") \
            and random.random() < .12:
        return words.invented(random).capitalize() if kind == "brand" else words.invented(random)
    return random.choice(LISTS[kind])


def listed(items: list[str]) -> str:
    """Such as "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def shown(one: Any, random: Random) -> str:
    """A value as it stands in a sentence."""
    if isinstance(one, bool):
        return "yes" if one else "no"
    if isinstance(one, list):
        return listed(one)
    if isinstance(one, int) and one <= 12 and random.random() < .15:
        return SMALL[one]
    return str(one)


def made_domain(random: Random) -> Domain:
    """An object with properties that nobody would guess."""
    thing = words.invented(random) if random.random() < .3 else random.choice(LISTS["object"])
    names = random.sample(LISTS["property"], 6)
    names = [words.invented(random) if random.random() < .25 else one for one in names]
    properties = [Property(["object", "item", "thing"], "word",
                           [f"The {thing} {{}}", f"{thing.capitalize()} {{}}",
                            f"The {thing} named {{}}"], [])]
    for name in dict.fromkeys(names):
        kind = random.choice(["int 1 99", "int 1 999", "word", "word", "name", "city", "color",
                              "decimal 1 90", "code", "material", "thing", "day"])
        clauses = [text.replace("{p}", name) for text in PHRASES["made_clauses"]]
        properties.append(Property([name], kind, clauses, []))
    return Domain(["It"], properties)


def field(one: Property, random: Random) -> Field:
    """A property with one of its names and its schema."""
    name = one.names[0] if random.random() < .4 else random.choice(one.names)
    if "_" in name and random.random() < .15:
        head, *tail = name.split("_")
        name = head + "".join(part.capitalize() for part in tail)
    kind, *more = one.kind.split()
    choices: list[str] = []
    schema: dict[str, Any] = {"type": "string"}
    if kind == "bool":
        schema = {"type": "boolean"}
    elif kind in ("price", "decimal") or kind == "int" and random.random() < .06:
        schema = {"type": "number"}
    elif kind == "int":
        schema = {"type": "integer"}
    elif kind in ("many", "names"):
        schema = {"type": "array", "items": {"type": "string"}}
    elif kind == "enum" or kind in LISTS and random.random() < .2:
        choices = random.sample(more or LISTS[kind], random.choice([2, 3, 3, 4]))
        schema = {"type": "string", "enum": choices}
    return Field(one, name, schema, choices)


def clause(one: Property, drawn: Any, forms: str, random: Random) -> tuple[str, str]:
    """A clause with the value, and its form: predicate, bit, lead, whole or opening."""
    clauses = one.negative if drawn is False else one.clauses
    texts: dict[str, list[str]] = {"p": [], "b": [], "l": [], "w": [], "o": []}
    for text in clauses:
        form = "o" if "{n}" in text else "b" if text.startswith(", ") else \
            "l" if text.endswith(",") else "w" if text.endswith(".") else "p"
        texts[form].append(text)
    fits = [(text, form) for form in forms for text in texts[form]]
    text, form = random.choice(fits)
    return text.replace("{}", shown(drawn, random)), form
