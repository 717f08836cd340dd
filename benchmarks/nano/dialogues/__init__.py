"""Seeded dialogues: the text that nano learns from, made here and nowhere else."""
from __future__ import annotations

from random import Random

from . import memory, objects, questions, roles, sums, tools
from .dialogue import Dialogue

__all__ = ["KINDS", "Dialogue", "dialogue"]

# What share of the dialogues each kind has.
KINDS = {
    questions.dialogue: .34,
    questions.unknown: .07,
    memory.dialogue: .15,
    roles.dialogue: .08,
    tools.dialogue: .18,
    objects.dialogue: .11,
    sums.dialogue: .07,
}


def dialogue(random: Random) -> Dialogue:
    made, = random.choices(list(KINDS), list(KINDS.values()))
    return made(random)
