"""What users tell of themselves: attributes, their values and phrasings (world/memory.toml)."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from .. import words
from .facts import load

WORLD = load("memory")
NEVER = set(WORLD["never"].split())
VALUES: dict[str, list[str]] = {
    kind: text.replace("\n", "").split("|") for kind, text in WORLD["values"].items()}
ENDINGS = {"colour": "", "food": "", "drink": "", "animal": "", "sport": "", "fruit": "",
           "job": "er", "hobby": "ing", "team": "s", "word": ""}      # of values that are invented
INVENTED = {"word": .6, "job": .1, "hobby": .1}                      # others .25
TURNED = {"I am": "you are", "am I": "are you", "I was": "you were", "I": "you", "my": "your",
          "My": "Your", "me": "you", "mine": "yours", "our": "your", "Our": "Your", "we": "you",
          "We": "You"}
TURN = re.compile(r"\b(I am|am I|I was|I|[Mm]y|me|mine|[Oo]ur|[Ww]e)\b")
SHORTER = {"I am ": "I'm ", "What is ": "What's ", "what is ": "what's ", "do not ": "don't ",
           "can not ": "can't ", "I have forgotten": "I've forgotten", "It is ": "It's ",
           "Where is ": "Where's ", "Who is ": "Who's ", "did not ": "didn't "}


@dataclass(frozen=True)
class Attribute:
    """Something that users tell: see the head of memory.toml."""
    id: str
    value: str
    noun: str
    clause: list[str]
    state: list[str]
    ack: list[str]
    ask: list[str]
    wh: list[str]
    answer: list[str]
    third: list[str]
    things: list[str] = field(default_factory=lambda: [""])
    pairs: list[list[str]] = field(default_factory=list)    # told, and asked in the same words


PAIRS = {entry["id"]: entry["pairs"] for entry in load("told")["told"]}
ATTRIBUTES = [Attribute(**entry, pairs=PAIRS[entry["id"]]) for entry in WORLD["attribute"]]
KINDS = [a for a in ATTRIBUTES if a.id in ("name", "city", "colour", "food")] + ATTRIBUTES


@dataclass
class Fact:
    """What the user told: an attribute and its value."""
    attribute: Attribute
    thing: str
    value: str
    asked: str = ""                     # the question that goes with how it was told

    def fill(self, template: str) -> str:
        return (template.replace("{v}", self.value).replace("{V}", capital(self.value))
                .replace("{at}", article(self.thing)).replace("{t}", self.thing)
                .replace("{a}", article(self.value)))

    def noun(self) -> str:
        return self.fill(self.attribute.noun)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def article(noun: str) -> str:
    """The noun with "a" or "an"."""
    vowel = noun[:1].lower() in "aeiou" and not noun.startswith(("user", "uni"))
    return f"{'an' if vowel else 'a'} {noun}"


def turned(text: str) -> str:
    """What the user says of himself, as the assistant says it to him."""
    return TURN.sub(lambda found: TURNED[found[0]], text)


def drawn(random: Random, kind: str) -> str:
    """A value of a kind, none that is held out."""
    if kind.startswith("number"):
        low, high = map(int, kind.split()[1:])
        return str(words.number(random, low, min(high, 99 if random.random() < .4 else high)
                                if low < 90 else high))
    while (value := anything(random, kind)).lower() in NEVER:
        pass
    return value


def anything(random: Random, kind: str) -> str:
    if kind in ("name", "city"):
        return words.name(random) if kind == "name" else words.city(random)
    if kind in ENDINGS and random.random() < INVENTED.get(kind, .25):
        word = words.invented(random) + ENDINGS[kind]
        return capital(word) if kind == "team" else word
    return random.choice(VALUES[kind])


def loose(random: Random, text: str) -> str:
    """A sentence as people type it."""
    if random.random() < .25:
        for long, short in SHORTER.items():
            text = text.replace(long, short)
    if random.random() < .12:
        text = text.lower()
    if random.random() < .12:
        text = text.rstrip(".?!")
    return text
