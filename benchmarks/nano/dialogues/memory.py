"""Dialogues in which the user tells something about himself and asks for it later.

The phrasings are in world/memory.toml; most values are open, so that copying is learned.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

from .dialogue import Dialogue, assistant, system, user
from .profile import ATTRIBUTES, KINDS, WORLD, Fact, capital, drawn, loose, turned
from .questions import pair


class Talk:
    """A dialogue as it grows."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.messages: list[dict[str, Any]] = []
        self.facts: list[Fact] = []
        self.think = random.random() < .05

    def say(self, question: str, answer: str, thinking: str) -> None:
        self.messages += [user(question), assistant(
            capital(answer), **{"thinking": thinking} if self.think else {})]

    def pick(self, *names: str, **parts: str) -> str:
        """One of the phrasings of memory.toml, filled; a part's capital fills its capital."""
        text: str = self.random.choice([one for name in names for one in WORLD[name]])
        for name, part in parts.items():
            text = text.replace("{" + name + "}", part)
            text = text.replace("{" + name.upper() + "}", capital(part))
        return text

    def one(self, fact: Fact, part: str) -> str:
        """One of an attribute's phrasings, filled."""
        templates: list[str] = getattr(fact.attribute, part)
        return fact.fill(self.random.choice(templates))

    def loosely(self, text: str) -> str:
        return loose(self.random, capital(text))

    def thought(self, *facts: Fact) -> str:
        return capital(self.pick("thought", c=" and that ".join(
            self.one(fact, "third") for fact in facts)))

    # Telling.

    def fact(self, near: Fact | None = None) -> Fact:
        """A new one; near: of the same kind of value where there is one."""
        while True:
            attribute = self.random.choice(KINDS)
            if near and self.random.random() < .5:
                attribute = self.random.choice(
                    [a for a in ATTRIBUTES if a.value[:6] == near.attribute.value[:6]])
            thing = self.random.choice(attribute.things)
            value = drawn(self.random, attribute.value)
            if all((attribute.id, thing) != (old.attribute.id, old.thing)
                   and value != old.value and thing != (old.thing or None)
                   and not (attribute is old.attribute and "pet" in (thing, old.thing))
                   for old in self.facts):
                return Fact(attribute, thing, value)

    def learn(self, count: int) -> list[Fact]:
        """So many new facts."""
        new = []
        for _ in range(count):
            near = self.facts and self.random.random() < .4
            new.append(self.fact(self.random.choice(self.facts) if near else None))
            self.facts.append(new[-1])
        return new

    def acknowledged(self, facts: list[Fact]) -> str:
        """What is said when something was told."""
        roll = self.random.random()
        if roll < .3:
            return self.pick("noted")
        if roll < .65 or len(facts) > 1:
            clauses = [turned(self.one(fact, "clause")) for fact in facts]
            text = ", ".join(clauses[:-1]) + " and " + clauses[-1] if clauses[1:] else clauses[0]
            if facts[0].attribute.id == "name" and roll < .8:
                name, rest = facts[0].value, turned(self.one(facts[-1], "clause"))
                return f"Nice to meet you, {name}!" + f" So {rest}." * (len(facts) > 1)
            return self.pick("noted_value", c=text)
        return self.one(facts[0], "ack")

    def statement(self, facts: list[Fact]) -> str:
        clauses = [self.one(fact, "clause") for fact in facts]
        if len(facts) == 1:
            roll = self.random.random()
            if roll < .4:
                told, facts[0].asked = self.random.choice(facts[0].attribute.pairs)
                return capital(facts[0].fill(told))
            if roll < .7:
                return self.one(facts[0], "state")
            return self.pick("tell", c=clauses[0])
        return self.pick(f"join{len(facts)}", **dict(zip("cde", clauses)))

    def tell(self) -> None:
        facts = self.learn(self.random.choice([1, 1, 1, 2, 2, 3]))
        self.say(self.loosely(self.statement(facts)), self.acknowledged(facts),
                 capital(self.pick("thought_told", c=" and that ".join(
                     self.one(fact, "third") for fact in facts))))

    def tell_and_ask(self) -> None:
        """Both in one message."""
        question, answer = self.question(fact := self.learn(1)[0])
        text = f"{self.statement([fact]).rstrip('.!?')}. {capital(question)}"
        self.say(self.loosely(text), answer, self.thought(fact))

    def correct(self) -> None:
        """One of the facts turns out to be another; the last counts."""
        fact = self.random.choice(self.facts)
        old, taken = fact.value, [other.value for other in self.facts]
        while fact.value in taken:
            fact.value = drawn(self.random, fact.attribute.value)
        clause = self.one(fact, "clause")
        self.say(self.loosely(self.pick("correct", c=clause, o=old)),
                 self.pick("corrected", c=turned(clause)),
                 f"The user corrects it: {self.one(fact, 'third')}.")

    def fill_in(self) -> None:
        """A turn about something else."""
        if self.random.random() < .6:
            question, answer = pair(self.random)
            thinking = "This is an everyday question. I know the answer."
        else:
            chat = self.random.choice(WORLD["chat"])
            question = self.loosely(self.random.choice(chat["user"]))
            answer = self.random.choice(chat["answer"])
            thinking = "The user is chatting. I answer in a friendly way."
        self.say(question, answer, thinking)

    # Asking.

    def question(self, fact: Fact) -> tuple[str, str]:
        """A plain question for a fact and its answer."""
        roll = self.random.random()
        if fact.asked and roll < .6:
            return capital(fact.fill(fact.asked)), self.answer(fact)
        if roll < .5:
            question = self.one(fact, "ask")
        elif roll < .75:
            question = self.pick("ask_noun", n=fact.noun())
        else:
            question = self.pick("ask_wh", w=self.one(fact, "wh"))
        return question, self.answer(fact)

    def answer(self, fact: Fact) -> str:
        said = self.pick("told", c=turned(self.one(fact, "clause")))
        return said if self.random.random() < .2 else self.one(fact, "answer")

    def ask(self) -> None:
        """A question about what was told, or was not."""
        fact = self.random.choice(self.facts)
        roll = self.random.random()
        manners: list[tuple[float, Callable[[Fact], tuple[str, str]]]] = [
            (.12, self.unknown), (.20, self.two), (.25, self.everything), (.32, self.true),
            (.37, self.in_a_word), (.42, self.shaped), (1, self.question)]
        if fact.attribute.id == "name" and self.random.random() < .25:
            manners = [(1, self.request)]
        manner = next(manner for limit, manner in manners if roll < limit)
        if manner == self.unknown:
            fact = self.fact()
            noun = fact.noun().replace("my ", "the user's ")
            thinking = f"The user has not told me {noun}."
            question, answer = self.unknown(fact)
        else:
            question, answer = manner(fact)
            several = manner in (self.everything, self.two)
            thinking = self.thought(*(self.facts if several else [fact]))
        self.say(self.loosely(question), answer, thinking)

    def unknown(self, fact: Fact) -> tuple[str, str]:
        """Asked for what was never told."""
        if self.random.random() < .2:
            fact.asked = self.random.choice(fact.attribute.pairs)[1]
        question = self.question(fact)[0]
        if self.random.random() < .7:
            return question, self.pick("unknown_noun", n=turned(fact.noun()))
        return question, self.pick("unknown_wh", w=turned(self.one(fact, "wh")))

    def two(self, fact: Fact) -> tuple[str, str]:
        """Two things asked at once."""
        others = [other for other in self.facts if other is not fact]
        if not others:
            return self.question(fact)
        other = self.random.choice(others)
        if self.random.random() < .5:
            question = self.pick("ask_two", w=self.one(fact, "wh"), x=self.one(other, "wh"))
        else:
            first, second = self.one(fact, "ask"), self.one(other, "ask")
            question = f"{first.rstrip('.?!')}? {capital(second)}"
        return question, f"{self.one(fact, 'answer')} {capital(self.one(other, 'answer'))}"

    def everything(self, fact: Fact) -> tuple[str, str]:
        """Everything that was told."""
        if len(self.facts) > 4:
            return self.question(fact)
        clauses = [turned(self.one(told, "clause")) for told in self.facts]
        joined = " and that ".join(filter(None, [", that ".join(clauses[:-1]), clauses[-1]]))
        return self.pick("ask_all"), f"You told me that {joined}."

    def true(self, fact: Fact) -> tuple[str, str]:
        """Yes or no."""
        clause = self.one(fact, "clause")
        if self.random.random() < .5:
            return self.pick("ask_true", c=clause), f"Yes, {turned(clause)}."
        while (value := drawn(self.random, fact.attribute.value)) == fact.value:
            pass
        wrong = self.one(Fact(fact.attribute, fact.thing, value), "clause")
        return self.pick("ask_true", c=wrong), f"No, {turned(clause)}."

    def in_a_word(self, fact: Fact) -> tuple[str, str]:
        return self.pick("ask_word", n=fact.noun()), capital(fact.value) + "."

    def shaped(self, fact: Fact) -> tuple[str, str]:
        """The value in capitals or twice."""
        if self.random.random() < .5 and not fact.value.isdigit():
            return self.pick("ask_capitals", n=fact.noun()), fact.value.upper()
        return self.pick("ask_twice", n=fact.noun()), f"{capital(fact.value)}, {fact.value}."

    def request(self, fact: Fact) -> tuple[str, str]:
        """A greeting by name and the like."""
        request = self.random.choice(list(WORLD["requests"].values()))
        return (self.random.choice(request["ask"]),
                fact.fill(self.random.choice(request["answer"])))

    # Whole dialogues.

    def open(self) -> None:
        """The system prompt, which may tell of the user."""
        roll = self.random.random()
        if roll < .14:
            facts = self.learn(self.random.choice([1, 1, 2, 3]))
            thirds = [self.one(fact, "third") for fact in facts]
            if roll < .05 and (facts := [f for f in facts if f.attribute.id != "name"]):
                name = Fact(ATTRIBUTES[0], "", drawn(self.random, "name"))
                self.facts = [name, facts[0]]
                third = self.one(facts[0], "third")
                clause = re.sub("^the user's ", "whose ", re.sub("^the user ", "who ", third))
                clause = clause if clause != third else f"and you know that {third}"
                self.messages.append(system(self.pick("with_name", v=name.value, c=clause)))
                return
            text = " and ".join(thirds) if self.random.random() < .5 else ". ".join(
                [thirds[0], *map(capital, thirds[1:])])
            self.messages.append(system(self.pick("with_user", c=text)))
        elif roll < .25:
            self.messages.append(system(self.pick("plain")))

    def about_user(self) -> None:
        """Tells and asks, with other turns between."""
        random = self.random
        self.open()
        if random.random() < .08:
            self.say(self.loosely(self.pick("greeting")), "Hello! How can I help you?",
                     "The user greets me. I greet back.")
        if not self.facts or random.random() < .3:
            for _ in range(random.choice([1, 1, 1, 2, 2, 3])):
                self.tell_and_ask() if random.random() < .06 else self.tell()
                for chance, turn in ((.12, self.correct), (.25, self.fill_in)):
                    if random.random() < chance:
                        turn()
        for _ in range(random.choice([0, 0, 0, 1, 1, 2, 3])):
            self.fill_in()
        if random.random() < .05:
            self.correct()
        for _ in range(random.choice([1, 1, 2, 2, 3, 4])):
            self.ask()
            if random.random() < .08:
                self.fill_in()

    def about_others(self) -> None:
        """Two or three people, of whom one thing each is said."""
        random = self.random
        topic = random.choice(WORLD["people"])
        people: dict[str, str] = {}
        for _ in range(random.choice([2, 2, 3])):
            value = drawn(random, topic["value"])
            if value not in people.values():
                people[drawn(random, "name")] = value

        def fill(template: str, person: str) -> str:
            return Fact(ATTRIBUTES[0], "", people[person]).fill(template).replace("{p}", person)

        state = random.choice(topic["state"])
        parts = [fill(state if random.random() < .7 else random.choice(topic["state"]), person)
                 for person in people]
        text = " ".join(parts) if random.random() < .6 else " and ".join(
            part.rstrip(".") for part in parts) + "."
        asked = random.sample(list(people), random.randint(1, len(people)))
        for turn, person in enumerate(asked):
            question = fill(random.choice(topic["who" if random.random() < .35 else "ask"]), person)
            if turn == 0 and random.random() < .5:
                question = f"{text} {question}"
            elif turn == 0:
                self.say(self.loosely(text), self.pick("noted"),
                         "The user tells me about some people. I will remember it.")
            self.say(self.loosely(question), fill(topic["answer"][0], person),
                     "I was told that " + fill(topic["answer"][0], person))


def dialogue(random: Random) -> Dialogue:
    talk = Talk(random)
    talk.about_others() if random.random() < .1 else talk.about_user()
    return Dialogue(talk.messages, think=talk.think)
