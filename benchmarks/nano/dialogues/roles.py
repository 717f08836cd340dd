"""Dialogues in which the system prompt says how to answer: as a pirate, in one word ...

The prompts are in world/roles.toml; what is asked comes from questions.fact.
"""
from __future__ import annotations

import re
from random import Random
from typing import Any

from .dialogue import Dialogue, assistant, system, user
from .facts import load
from .profile import drawn
from .questions import fact, phrased

WORLD = load("roles")
WORDS = WORLD["words"].replace("\n", "").split("|")
KINDS = {"pirate": 3, "word": 3, "capitals": 3, "refuse": 5, "short": 3, "persona": 2,
         "ending": 3, "plain": 2}                       # and how often each comes
PIRATES = {"you": "ye", "You": "Ye", "your": "yer", "Your": "Yer", "my": "me", "My": "Me",
           "friend": "matey", "friends": "mateys", "yes": "aye", "Yes": "Aye",
           "hello": "ahoy", "Hello": "Ahoy"}
PIRATE_WORD = re.compile(r"\b(" + "|".join(PIRATES) + r")\b")


def of_pirates(random: Random, text: str) -> str:
    """The text as a pirate says it; the first word is always Arr."""
    text = PIRATE_WORD.sub(lambda found: PIRATES[found[0]], text)
    start: str = random.choice(WORLD["pirate_start"])
    end: str = random.choice(WORLD["pirate_end"])
    return start + text + end


class Role:
    """A way of answering: the system prompt and its manner."""

    def __init__(self, random: Random, kind: str) -> None:
        self.random, self.kind = random, kind
        self.name = drawn(random, "name")
        self.word = random.choice(WORDS) if random.random() < .5 else drawn(random, "word")
        self.topic = self.subject(everyday=False)["topic"]

    def subject(self, everyday: bool) -> dict[str, Any]:
        """Something to ask; everyday: it may be a greeting and the like."""
        roll = self.random.random()
        if everyday and roll < .2:
            return dict(self.random.choice(WORLD["greeting" if roll < .07 else "fact"]))
        return fact(self.random)

    def fill(self, template: str) -> str:
        return (template.replace("{n}", self.name).replace("{w}", self.word)
                .replace("{t}", self.topic))

    def prompt(self) -> str:
        template: str = self.random.choice(WORLD[self.kind])
        text = self.fill(template)
        if template.startswith("{"):
            text = text[0].upper() + text[1:]
        if self.kind != "plain" and self.random.random() < .15:
            text = self.random.choice(WORLD["before"]) + text
        text = self.scene(text)
        return text.lower() if self.random.random() < .05 else text

    def scene(self, text: str) -> str:
        """The text, sometimes among sentences about the assistant and its users."""
        before, after = self.random.sample(WORLD["scene"], 2)
        if self.random.random() < .25:
            text = f"{before} {text}"
        if text[-1] in ".!?" and self.random.random() < .15:
            text = f"{text} {after}"
        return text

    def answer(self, text: str, about: dict[str, Any]) -> str:
        """The text, which is an answer about a fact, in the manner."""
        if self.kind == "pirate":
            return of_pirates(self.random, text)
        if self.kind == "word":
            return f"{about['word']}."
        if self.kind == "capitals":
            return text.upper()
        if self.kind == "refuse" and about["topic"] == self.topic:
            return self.fill(self.random.choice(WORLD["refusal"]))
        if self.kind == "ending":
            return f"{text} {self.word.capitalize()}."
        return text

    def question(self) -> dict[str, Any]:
        """What is asked about; where a topic is forbidden, half the time that."""
        about = self.subject(everyday=True)
        if self.kind == "refuse":
            forbidden = self.random.random() < .5
            while (about["topic"] == self.topic) != forbidden:
                about = fact(self.random)
        return about

    def part(self) -> str:
        """Which answer of a fact is given."""
        brief = self.kind in ("capitals", "short")
        return "short" if brief or self.kind == "pirate" and self.random.random() < .5 else "answer"

    def thought(self, topic: str) -> str:
        return self.fill(WORLD["thinking"][self.kind]) + f"The user asks about {topic}."


def dialogue(random: Random) -> Dialogue:
    role = Role(random, random.choices(list(KINDS), list(KINDS.values()))[0])
    think = random.random() < .08
    messages = [system(role.prompt())]

    def say(question: str, answer: str, topic: str) -> None:
        more = {"thinking": role.thought(topic)} if think else {}
        messages.extend([user(question), assistant(answer, **more)])

    for _ in range(random.choice([1, 1, 1, 2, 2, 3])):
        if role.kind == "persona" and random.random() < .6:
            asked = random.choice(WORLD["who"])
            asked = phrased(random, [asked]) if random.random() < .5 else asked
            say(asked, role.fill(random.choice(WORLD["self"])), "my name")
            continue
        about = role.question()
        say(phrased(random, about["ask"]), role.answer(about[role.part()], about), about["topic"])
        follow = about.get("follow", [])
        if role.kind not in ("word", "short", "refuse") and follow and random.random() < .3:
            after = follow[0]
            say(phrased(random, after["ask"]), role.answer(after["answer"], about), about["topic"])
    return Dialogue(messages, think=think)
