"""Texts that tell several facts of a domain in one breath (world/joint.toml)."""
from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Any

from .domains import ARTICLE, DOMAINS, Domain, Field, Property, clause, shown, value
from .facts import load

SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Text:
    """Words with slots for properties, and the bools that they tell."""
    words: str
    truths: dict[str, bool]

    @property
    def told(self) -> set[str]:
        return {*self.truths, *SLOT.findall(self.words)}


def parsed(line: str) -> Text:
    """A line of joint.toml: "married; glasses=no | The wife of {name} ..."."""
    bools, mark, text = line.rpartition(" | ")
    truths = [one.strip().partition("=") for one in bools.split(";")] if mark else []
    return Text(text, {name: answer != "no" for name, _, answer in truths})


TEXTS = {name: [parsed(line) for line in lines.strip().splitlines()]
         for name, lines in load("joint")["joint"].items()}


def told(name: str, random: Random) -> list[Property]:
    """The properties that some text of a domain tells."""
    ids = random.choice(TEXTS[name]).told
    return [one for one in DOMAINS[name].properties if one.names[0] in ids]


def facts(name: str, fields: list[Field], random: Random) -> tuple[str, dict[str, Any]] | None:
    """A text that tells the fields, and perhaps more, and the object of the fields; None if no
    text tells them all."""
    wanted = {one.property.names[0] for one in fields}
    fitting = [text for text in TEXTS[name] if wanted <= text.told]
    if not fitting:
        return None
    text, domain = random.choice(fitting), DOMAINS[name]
    values = {one.property.names[0]: one.drawn(random) for one in fields} | text.truths
    for one in domain.properties:
        if one.names[0] in text.told and one.names[0] not in values:
            values[one.names[0]] = value(one.kind, random)
    spoken = ARTICLE.sub(r"\1n ", SLOT.sub(
        lambda slot: shown(values[slot[1]], random), text.words))
    if random.random() < .25:
        spoken += rest(domain, text.told, random)
    return spoken[0].upper() + spoken[1:], {one.name: values[one.property.names[0]]
                                            for one in fields}


def rest(domain: Domain, told: set[str], random: Random) -> str:
    """A sentence about something else."""
    one = random.choice([each for each in domain.properties[1:] if each.names[0] not in told])
    text, form = clause(one, value(one.kind, random), "pw", random)
    if form == "p":
        text = f"{random.choice(domain.pronouns)} {text}."
    return " " + ARTICLE.sub(r"\1n ", text)
