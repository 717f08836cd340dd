"""Seeded dialogues: the text that nano learns from, made here and nowhere else."""
from __future__ import annotations

from collections.abc import Callable
from random import Random

from . import echo, memory, objects, questions, roles, sums, tools
from .dialogue import Dialogue

__all__ = ["LESSONS", "Dialogue", "dialogue"]

# What each lesson is made of: a generator, and how often it is asked.
LESSONS: dict[str, dict[Callable[[Random], Dialogue], float]] = {
    "echo": {echo.dialogue: 1.},
    "world": {
        questions.dialogue: .38,
        questions.unknown: .06,
        memory.dialogue: .16,
        roles.dialogue: .07,
        tools.dialogue: .17,
        objects.dialogue: .11,
        sums.dialogue: .1,
        echo.dialogue: .05,
    },
}


def dialogue(random: Random, lesson: str) -> Dialogue:
    kinds = LESSONS[lesson]
    made, = random.choices(list(kinds), list(kinds.values()))
    return made(random)
