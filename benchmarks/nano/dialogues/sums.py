"""Dialogues with sums, and little stories that need one step.

The questions are in world/sums.toml.  Most sums have numbers of two digits, many have longer ones:
there all pairs of digits occur, also those that are held out as numbers.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .. import words
from .dialogue import Dialogue, assistant, user
from .domains import person
from .facts import load

WORLD = load("sums")
WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
THINGS, BOXES = WORLD["things"].split(), WORLD["boxes"].split()
ASK: dict[str, list[str]] = {
    kind: lines.splitlines() for kind, lines in WORLD["ask"].items()}
STORY = [line.split("|") for line in WORLD["stories"].splitlines()]
TALK = [line.split("|") for line in WORLD["talk"].splitlines()]
DIGITS = re.compile(r"\d+")
# The largest number of a sum, as often as it stands here.
HIGHS = (12, 50, 100, 100, 100, 1000, 1000, 10000)


@dataclass
class Sum:
    """A question, the steps to its answer, and the answer."""
    question: str
    steps: str
    answer: str


def ask(kind: str, random: Random, **values: int | str) -> str:
    """A wording of the question; small numbers are sometimes words."""
    text = random.choice(ASK[kind])
    spelled = random.random() < .2 and not re.search(r"[-+*/=]| x ", text)
    for key, value in values.items():
        if spelled and isinstance(value, int) and value <= 12:
            values[key] = WORDS[value]
    return text.format(**values)


def clean(text: str) -> bool:
    """Whether no number of the held-out set is in it."""
    return not any(words.held_out_number(int(number)) for number in DIGITS.findall(text))


def columns(a: int, b: int) -> list[tuple[int, int]]:
    """The digits of two numbers, one above the other, from the ones on."""
    size = max(len(str(a)), len(str(b)))
    return [(int(one), int(other)) for one, other in zip(
        reversed(f"{a:0{size}}"), reversed(f"{b:0{size}}"), strict=True)]


def added(a: int, b: int) -> str:
    """The steps of an addition: column by column, with what is carried."""
    if a < 10 and b < 10 or a + b <= 12:
        return f"{a} + {b} = {a + b}."
    text, carry, pairs = f"{a} + {b}:", 0, columns(a, b)
    for i, (one, other) in enumerate(pairs):
        total = one + other + carry
        text += f" {one} + {other}{' + 1' if carry else ''} = {total}"
        carry = total // 10
        text += f", {total % 10} and carry 1." if carry and i < len(pairs) - 1 else "."
    return f"{text} So {a + b}."


def taken(a: int, b: int) -> str:
    """The steps of a subtraction: column by column, with what is borrowed."""
    if a <= 12:
        return f"{a} - {b} = {a - b}."
    text, borrowed = f"{a} - {b}:", 0
    for one, other in columns(a, b):
        less, borrows = " - 1" if borrowed else "", one - other - borrowed < 0
        left = one + 10 * borrows
        text += f" {left} - {other}{less} = {left - other - borrowed}"
        text += ", borrow 1." if borrows else "."
        borrowed = int(borrows)
    return f"{text} So {a - b}."


def halved(a: int) -> str:
    """The steps that halve an even number: digit by digit, with what is over."""
    if a <= 12:
        return f"{a} / 2 = {a // 2}."
    text, over = f"{a}:", 0
    for digit in str(a):
        part = 10 * over + int(digit)
        over = part % 2
        text += f" {part} / 2 = {part // 2}{', 1 over' if over else ''}."
    return f"{text} So {a // 2}."


def operands(random: Random, low: int = 0, highs: tuple[int, ...] = HIGHS) -> tuple[int, int]:
    """Two numbers, mostly of about the same size."""
    high = random.choice(highs)
    other = min(high, random.choice(highs)) if random.random() < .3 else high
    pair = [words.number(random, low, high), words.number(random, low, other)]
    random.shuffle(pair)
    return pair[0], pair[1]


def result(text: str, value: int, random: Random) -> str:
    """The answer to a sum."""
    return random.choice([f"{text} is {value}.", f"{text} is {value}.", f"{text} is {value}.",
                          f"That is {value}.", f"It is {value}.", f"The answer is {value}.",
                          f"{value}"])


def plus(random: Random) -> Sum:
    a, b = operands(random)
    return Sum(ask("plus", random, a=a, b=b), added(a, b), result(f"{a} plus {b}", a + b, random))


def minus(random: Random) -> Sum:
    b, a = sorted(operands(random))
    return Sum(ask("minus", random, a=a, b=b), taken(a, b), result(f"{a} minus {b}", a - b, random))


def times(random: Random) -> Sum:
    a, b = random.randint(1, 12), random.randint(1, 12)
    return Sum(ask("times", random, a=a, b=b), f"{a} x {b} = {a * b}.",
               result(f"{a} times {b}", a * b, random))


def double(random: Random) -> Sum:
    a = words.number(random, 1, random.choice([12, 100, 1000]))
    return Sum(ask("double", random, a=a), added(a, a),
               result(f"The double of {a}", 2 * a, random))


def half(random: Random) -> Sum:
    h = words.number(random, 1, random.choice([6, 50, 50, 500]))
    a = 2 * h
    return Sum(ask("half", random, a=a), halved(a), result(f"Half of {a}", h, random))


def compared(a: int, b: int) -> str:
    """The steps that find the larger of two different numbers."""
    more, less = max(a, b), min(a, b)
    if len(str(more)) != len(str(less)):
        return f"{more} has more digits than {less}. So {more} is more."
    for i, (one, other) in enumerate(zip(str(more), str(less), strict=True)):
        if one != other:
            same = "" if i == 0 else f"{a} and {b} begin with {str(more)[:i]}. "
            return f"{same}{one} is more than {other}. So {more} is more than {less}."
    return ""


def larger(random: Random) -> Sum:
    a, b = operands(random)
    while a == b:
        a, b = operands(random)
    up = random.random() < .6
    more = random.choice(["larger", "bigger", "greater", "more"] if up
                         else ["smaller", "less", "lower"])
    text = ask("larger", random, a=a, b=b, more=more)
    more = {"more": "larger", "less": "smaller"}.get(more, more)
    if "the more" in text or "the less" in text:
        return larger(random)
    best = max(a, b) if up else min(a, b)
    answer = random.choice([f"The {more} number is {best}.", f"It is {best}.",
                            f"The {more} one is {best}.", f"{best}"])
    return Sum(text, f"{compared(a, b)} So {best} is {more}.", answer)


def largest(random: Random) -> Sum:
    high = random.choice([12, 100, 200, 1000, 10000])
    a, b, c = (words.number(random, 0, high) for _ in range(3))
    if len({a, b, c}) < 3:
        return largest(random)
    up = random.random() < .6
    most = random.choice(["largest", "biggest", "greatest"] if up else ["smallest", "lowest"])
    pick = max if up else min
    best = pick(a, b)
    steps = f"{compared(a, b)} {compared(best, c)}"
    best = pick(best, c)
    steps += f" So {best} is the {most}."
    return Sum(ask("largest", random, a=a, b=b, c=c, most=most), steps,
               random.choice([f"The {most} number is {best}.", f"The {most} is {best}.",
                              f"It is {best}.", f"{best}"]))


def neighbour(random: Random) -> Sum:
    high = random.choice([150, 150, 1000, 10000])
    a, up = words.number(random, 1, high), random.random() < .6
    value = a + 1 if up else a - 1
    side = "after" if up else "before"
    answer = random.choice([f"{side.capitalize()} {a} comes {value}.", f"It is {value}.",
                            f"The number {side} {a} is {value}.", f"{value}"])
    return Sum(ask(side, random, a=a), f"{a} {'+' if up else '-'} 1 = {value}.", answer)


def count(random: Random) -> Sum:
    if random.random() < .45:
        start = random.randint(1, random.choice([12, 60, 60, 990]))
        end = start + random.randint(2, 11)
        row = ", ".join(str(i) for i in range(start, end + 1))
        return Sum(ask("count", random, a=start, b=end),
                   f"I start at {start} and stop at {end}.", f"{row}")
    number, thing = random.randint(2, 12), random.choice(THINGS)
    if random.random() < .5:
        thing = words.invented(random)
    text = random.choice(ASK["many"]).format(
        t="words", row=random.choice([" ", ", "]).join([thing] * number))
    return Sum(text, ", ".join(str(i) for i in range(1, number + 1)) + ".",
               random.choice([f"There are {number}.", f"I count {number}.", f"It is {number}.",
                              f"The number of words is {number}."]))


def story(random: Random) -> Sum:
    """A little story with one step; the last sentence asks."""
    sign, told, asked = random.choice(STORY)
    a, b = operands(random, 2, (12, 30, 60) if sign[0] == "~" else (12, 30, 100, 100, 1000))
    sign = sign[-1]
    if sign in "x/":
        a, b = random.randint(2, 12), random.randint(2, 12)
    if sign == "-":
        a, b = max(a, b) + 1, min(a, b)
    value, steps, last = {
        "+": lambda: (a + b, added(a, b), f"{a} + {b} = {a + b}."),
        "-": lambda: (a - b, taken(a, b), f"{a} - {b} = {a - b}."),
        "x": lambda: (a * b, f"{a} x {b} = {a * b}.", f"{a} x {b} = {a * b}."),
        "/": lambda: (b, f"{a * b} / {a} = {b}.", f"{a * b} / {a} = {b}."),
    }[sign]()
    name, other = person(random), person(random)
    while name == other:
        other = person(random)
    shown: list[str] = [str(one) for one in (a, b)]
    if random.random() < .25:
        shown = [WORDS[one] if one <= 12 else str(one) for one in (a, b)]
    question = f"{told} {asked}".format(
        a=shown[0], b=shown[1], p=a * b, n=name, m=other, t=random.choice(THINGS),
        x=random.choice(BOXES))
    question = question[0].upper() + question[1:]
    why = {"+": "I add.", "-": "I take away.", "x": "I multiply.", "/": "I divide."}[sign]
    answer = random.choice([last, last, f"The answer is {value}.", f"It is {value}.",
                            f"That makes {value}.", f"The number is {value}."])
    return Sum(question, f"{why} {steps}", answer)


KINDS: list[Callable[[Random], Sum]] = [
    plus, plus, plus, plus, plus, plus, minus, minus, minus, minus, minus, times, times, double,
    half, larger, larger, largest, neighbour, neighbour, count, story, story, story, story, story]


def drawn(random: Random, think: bool) -> Sum:
    """A sum without a held-out number in its question, its answer or, if shown, its steps."""
    kind = random.choice(KINDS)
    while True:
        one = kind(random)
        if clean(f"{one.question} {one.steps if think else ''} {one.answer}"):
            break
    style = random.random()
    if style < .1:
        one.question = one.question.lower().rstrip("?.") if kind is not story else one.question
    elif style < .15:
        one.question = random.choice(["Please tell me: ", "A question: ", "Ok. ", "Hey, ",
                                      "Next one: ", "Quick: "]) + one.question
    elif style < .2 and one.question[-1] in "?.":
        one.question += random.choice([" Thanks.", " Please.", " Just the number.",
                                       " Do you know it?", " It is for school."])
    return one


def dialogue(random: Random) -> Dialogue:
    """One to three sums, sometimes after small talk."""
    think = random.random() < .3

    def thought(text: str) -> dict[str, str]:
        return {"thinking": text} if think else {}

    messages = []
    if random.random() < .1:
        hello, reply = random.choice(TALK)
        messages += [user(hello), assistant(reply, **thought("The user only talks. I answer."))]
    for _ in range(random.choice([1, 1, 2, 3])):
        one = drawn(random, think)
        messages += [user(one.question), assistant(one.answer, **thought(one.steps))]
    return Dialogue(messages, think=think)
