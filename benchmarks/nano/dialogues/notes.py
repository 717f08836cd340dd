"""Dialogues about small things that a user mentions once and asks for later (world/notes.toml).

Questions take up words of what was said: it is found by them, whatever it is about.
"""
from __future__ import annotations

import re
from random import Random
from typing import Any

from .. import words
from . import slots
from .dialogue import Dialogue, system
from .facts import load
from .memory import Talk
from .profile import capital, drawn, turned

WORLD = load("notes")
NOTES: list[dict[str, Any]] = WORLD["note"]
VALUES: dict[str, list[str]] = WORLD["values"]
SLOT = re.compile(r"\{v:([^}]+)\}")
MADE = {"time": slots.time, "code": slots.code, "price": slots.price}
UNKNOWN = ["You have not told me that.", "You did not tell me that.",
           "I do not know that. You have not told me yet.",
           "I am sorry, but you have not told me that yet."]
LISTED = [", and ", ". ", ". ", ". Also, ", "; ", ". And "]


def value(random: Random, kind: str) -> str:
    """A value of a kind, none that is held out."""
    if kind in MADE:
        return str(MADE[kind](random))
    if kind in VALUES and random.random() > .15:
        return random.choice(VALUES[kind])
    if kind in VALUES or kind == "word":
        return words.invented(random)
    return drawn(random, kind)


class Note:
    """One of notes.toml with its value."""

    def __init__(self, random: Random) -> None:
        self.note = random.choice(NOTES)
        slot = SLOT.search(self.note["told"])
        assert slot
        self.value = value(random, slot[1])
        self.told = capital(SLOT.sub(lambda _: self.value, self.note["told"]))

    def answer(self, random: Random) -> str:
        roll = random.random()
        if roll < .1:
            return f"{capital(self.value)}."
        if roll < .25:
            told = self.told if self.told.startswith(("I ", self.value)) else \
                self.told[0].lower() + self.told[1:]
            return f"You told me that {turned(told).rstrip('.!')}."
        return capital(str(self.note["answer"]).replace("{v}", self.value))


def tell(talk: Talk, notes: list[Note]) -> None:
    """One message about some of them; a profile's fact may stand before or after."""
    random = talk.random
    told = [note.told for note in notes]
    if random.random() < .15:
        told.insert(random.randint(0, len(told)), talk.statement(talk.learn(1)))
    text = told[0]
    for each in told[1:]:
        text = text.rstrip(".!") + random.choice(LISTED) + each
    talk.say(talk.loosely(text), talk.pick("noted"),
             "The user tells me something. I will remember it.")


def ask(talk: Talk, note: Note, known: bool) -> None:
    random = talk.random
    question = talk.loosely(random.choice(note.note["asks"]))
    if known:
        talk.say(question, note.answer(random), f"I was told: {note.told}")
    else:
        talk.say(question, random.choice(UNKNOWN), "The user has not told me that.")


def dialogue(random: Random) -> Dialogue:
    """Some notes, something else between, and questions about most of them."""
    talk = Talk(random)
    if random.random() < .15:
        talk.messages.append(system(talk.pick("plain")))
    notes: list[Note] = []
    while len(notes) < random.choice([1, 1, 2, 2, 3, 4]):
        note = Note(random)
        if all(note.note is not old.note and note.value != old.value for old in notes):
            notes.append(note)
    left = notes[:]
    while left:
        count = random.choice([1, 1, 1, 2])
        tell(talk, left[:count])
        left = left[count:]
        if random.random() < .3:
            talk.fill_in()
        if random.random() < .1:
            talk.tell()
    for _ in range(random.choice([0, 0, 1, 1, 2, 3])):
        talk.fill_in()
    for note in random.sample(notes, random.randint(1, len(notes))):
        ask(talk, note, known=True)
        if random.random() < .1:
            talk.fill_in()
    if talk.facts and random.random() < .6:
        talk.ask()
    other = Note(random)
    if random.random() < .12 and all(other.note is not note.note for note in notes):
        ask(talk, other, known=False)
    return Dialogue(talk.messages, think=talk.think)
