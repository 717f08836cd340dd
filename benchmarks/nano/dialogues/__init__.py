"""Seeded dialogues: the text that nano learns from, made here and nowhere else."""
from __future__ import annotations

from collections.abc import Callable
from random import Random

from . import echo, memory, notes, objects, questions, roles, sums, tools
from .dialogue import Dialogue

__all__ = ["LESSONS", "Dialogue", "dialogue"]

# What each lesson is made of: a generator, and how often it is asked.
LESSONS: dict[str, dict[Callable[[Random], Dialogue], float]] = {
    "echo": {echo.dialogue: 1.},
    "world": {
        questions.dialogue: .22,
        questions.unknown: .05,
        memory.dialogue: .12,
        notes.dialogue: .08,
        roles.dialogue: .08,
        tools.dialogue: .18,
        objects.dialogue: .18,
        sums.dialogue: .07,
        echo.dialogue: .02,
    },
    "practice": {
        questions.dialogue: .14,
        questions.unknown: .05,
        memory.dialogue: .12,
        notes.dialogue: .06,
        roles.dialogue: .06,
        tools.dialogue: .28,
        objects.dialogue: .23,
        sums.dialogue: .06,
    },
}


def dialogue(random: Random, lesson: str) -> Dialogue:
    kinds = LESSONS[lesson]
    made, = random.choices(list(kinds), list(kinds.values()))
    return made(random)
