"""The slots of a template -> values: times, places, prices, words of a list (world/tools.toml)."""
from __future__ import annotations

import re
from calendar import month_name
from collections.abc import Callable
from random import Random
from typing import Any

from .. import words
from .facts import load

WORLD = load("tools")
PHRASES: dict[str, list[str]] = WORLD["phrases"]
LISTS = {kind: " ".join(text.split()).split(", ") for kind, text in WORLD["lists"].items()}

SLOT = re.compile(r"\{(\w+)(?::([\w| ]+))?\}")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!uni|use|usu|eu|one)")
ON_DAY = re.compile(r"\b[Oo]n (?=(?:today|tomorrow|(?:next|this) [A-Z]\w+day)\b)")


def fill(template: str, values: dict[str, Any], random: Random) -> str:
    """The template with its slots filled; a slot without a value gets one of its kind."""
    def text(slot: re.Match[str]) -> str:
        name, kind = slot.groups()
        if name not in values:
            values[name] = value(kind or name, random)
        return shown(values[name])
    return SLOT.sub(text, template)


def spoken(template: str, values: dict[str, Any], random: Random) -> str:
    """As fill, with "an" where a vowel follows, and without "on" before "tomorrow"."""
    return ON_DAY.sub("", ARTICLE.sub(r"\1n ", fill(template, values, random)))


def shown(one: Any) -> str:
    """A value as it stands in a sentence."""
    return ("off", "on")[one] if isinstance(one, bool) else str(one)


def price(random: Random) -> float | int:
    amount = round(words.price(random), 2)
    return int(amount) if amount == int(amount) else amount


def time(random: Random) -> str:
    """Such as 7:30, 18:05, 6 pm or noon."""
    style, half = random.random(), random.choice(["am", "pm"])
    if style < .05:
        return random.choice(["noon", "midnight"])
    if style < .25:
        return f"{words.number(random, 1, 12)} {half}"
    minute = f"{words.number(random, 0, 59):02}"
    if style < .4:
        return f"{words.number(random, 1, 12)}:{minute} {half}"
    return f"{words.number(random, 0, 23)}:{minute}"


def date(random: Random) -> str:
    """Such as May 4, 12 June or 2027-03-14."""
    month, day = random.randint(1, 12), words.number(random, 1, 28)
    style = random.random()
    if style < .6:
        return f"{month_name[month]} {day}"
    if style < .85:
        return f"{day} {month_name[month]}"
    return f"{words.number(random, 2020, 2035)}-{month:02}-{day:02}"


def address(random: Random) -> str:
    """A house in a street."""
    street = random.choice([words.name(random), random.choice(LISTS["street"])])
    kind = random.choice(["Street", "Road", "Lane", "Square", "Avenue"])
    return f"{words.number(random, 1, 99)} {street} {kind}"


def code(random: Random) -> str:
    """Such as B17 or KX-204."""
    letters = "".join(random.choice("ABCDEFGHKLMNPRSTX") for _ in range(random.choice([1, 2])))
    return letters + random.choice(["", "-"]) + str(words.number(random, 1, 999))


INTEGERS = {"few": (2, 12), "count": (2, 99), "big": (100, 5000), "minutes": (2, 95),
            "percent": (2, 100), "degrees": (-9, 36), "year": (1900, 2035)}
KINDS: dict[str, Callable[[Random], Any]] = {
    "name": words.name, "city": words.city, "price": price, "time": time,
    "date": date, "address": address, "code": code, "word": words.invented,
    "on_off": lambda random: random.random() < .5,
    "phone": lambda random: " ".join(str(words.number(random, 100, 999))
                                     for _ in range(random.choice([2, 2, 3]))),
    "email": lambda random: f"{words.name(random)}@{value('site', random)}".lower().replace(
        "@www.", "@")}
TYPES = {**dict.fromkeys(INTEGERS, "integer"), "price": "number", "on_off": "boolean"}


def value(kind: str, random: Random) -> Any:
    """A value of a kind: one of a|b|c, a number, a word of a list or a phrase."""
    if "|" in kind:
        return random.choice(kind.split("|"))
    if kind in INTEGERS:
        return words.number(random, *INTEGERS[kind])
    if kind in KINDS:
        return KINDS[kind](random)
    if kind in PHRASES:
        return spoken(random.choice(PHRASES[kind]), {}, random)
    if random.random() < .12:
        return words.invented(random)
    one = random.choice(LISTS[kind])
    if kind in ("thing", "clothes", "animal", "plant") and random.random() < .25:
        return f"{random.choice(LISTS['adjective'])} {one}"
    return one
