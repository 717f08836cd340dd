"""Dialogues with sums of small numbers, and little stories that need one step."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from benchmarks.nano import words
from benchmarks.nano.dialogues.dialogue import Dialogue, assistant, user
from benchmarks.nano.dialogues.objects import person

WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
THINGS = """apples pears plums nuts coins books pens stamps cards balls shells stones keys cups
plates eggs cakes sweets tickets flowers roses marbles pictures hats boxes bottles candles toys
stickers buttons lemons carrots cookies letters bags shirts socks beans ropes chairs lamps maps
leaves feathers kites dolls bricks spoons forks oranges berries peaches fish ducks hens""".split()
BOXES = "boxes bags baskets shelves drawers rooms tables jars rows packs cases trays".split()
TALK = [
    ("Hello!", "Hello! How can I help you?"),
    ("hi there", "Hello! What can I do for you?"),
    ("Good morning", "Good morning! What can I do for you?"),
    ("Can you do sums?", "Yes, small ones. What is the sum?"),
    ("can you count", "Yes, I can count. What do you want to know?"),
    ("I have some homework in maths.", "I am glad to help. What is the first question?"),
    ("Are you good with numbers?", "I know small numbers well. What is your question?"),
    ("let's do some maths", "Good idea. What is the first question?"),
    ("I need help with numbers.", "I am happy to help. What is the question?"),
    ("How are you?", "I am well, thank you. What can I do for you?"),
    ("Maths is fun.", "I think so too. Do you have a sum for me?"),
    ("do you like maths?", "Yes, I like small sums. Ask me one."),
]
DIGITS = re.compile(r"\d+")


@dataclass
class Sum:
    """A question, the steps to its answer, and the answer."""
    question: str
    steps: str
    answer: str


PLUS = """What is {a} plus {b}?|What is {a} + {b}?|{a} + {b}|{a} + {b} = ?|
how much is {a} plus {b}|How much is {a} and {b}?|Add {a} and {b}.|Please add {b} to {a}.|
Calculate {a} + {b}.|Can you add {a} and {b}?|what's {a} + {b}|Tell me the sum of {a} and {b}.|
The sum of {a} and {b}?|What do {a} and {b} make together?|{a} plus {b} is what?|
What do I get if I add {a} and {b}?|Work out {a} plus {b} for me.|
Do you know what {a} plus {b} is?|{a} plus {b}|{a} and {b} more?|I want to know {a} + {b}.|
Solve {a} + {b}.|Count {a} and {b} together.|Give me {a} + {b}.|what does {a} plus {b} make|
{a}+{b}|{a}+{b}=|If I put {a} and {b} together, what is it?"""
MINUS = """What is {a} minus {b}?|What is {a} - {b}?|{a} - {b}|{a} - {b} = ?|
how much is {a} minus {b}|How much is {a} less {b}?|Take {b} from {a}.|
Please take {b} away from {a}.|Calculate {a} - {b}.|Subtract {b} from {a}.|what's {a} - {b}|
Tell me the difference of {a} and {b}.|{a} minus {b}|What is left of {a} if I take away {b}?|
{a} minus {b} is what?|Can you subtract {b} from {a}?|Work out {a} minus {b} for me.|
Do you know what {a} minus {b} is?|Solve {a} - {b}.|{a}-{b}|I want to know {a} - {b}.|
Give me {a} - {b}.|what does {a} minus {b} make|{a}-{b}=|How far is it from {b} to {a}?|
What do I get when I take {b} from {a}?"""
TIMES = """What is {a} times {b}?|What is {a} x {b}?|{a} x {b}|{a} * {b}|{a} x {b} = ?|
{a} times {b}|How much is {a} times {b}?|Multiply {a} by {b}.|Please multiply {a} and {b}.|
Calculate {a} * {b}.|what's {a} times {b}|Can you multiply {a} by {b}?|Tell me {a} times {b}.|
{a} times {b} is what?|Work out {a} x {b}.|Do you know {a} times {b}?|
The product of {a} and {b}?|Solve {a} x {b}.|What do I get if I multiply {a} by {b}?|
I want to know {a} * {b}.|Give me {a} times {b}.|{a}*{b}|how many are {a} times {b}"""
DOUBLE = """What is the double of {a}?|Double {a}.|What is two times {a}?|double {a} please|
How much is twice {a}?|What is twice {a}?|Can you double {a}?|Please double the number {a}.|
Tell me the double of {a}.|I have {a} and want the double.|What do I get if I double {a}?|
twice {a}|Give me twice the number {a}.|{a} doubled is what?|the double of {a}|
What does {a} doubled make?"""
HALF = """What is half of {a}?|Half of {a}?|how much is half of {a}|What is the half of {a}?|
Halve {a}.|Can you halve {a}?|Please halve the number {a}.|Tell me half of {a}.|
What is {a} divided by 2?|{a} / 2|I want half of {a}.|If I cut {a} in half, what is it?|
half of {a} please|{a} divided by two|Give me one half of {a}.|Divide {a} by 2.|
Split {a} into two halves. How much is one?"""
LARGER = """Which number is {more}, {a} or {b}?|Which is {more}: {a} or {b}?|
What is {more}, {a} or {b}?|{a} or {b}, which is {more}?|Is {a} or {b} {more}?|
Tell me the {more} number: {a} or {b}.|Of {a} and {b}, which is {more}?|
Name the {more} one: {a}, {b}.|which one is {more} {a} or {b}|
Compare {a} and {b}. Which is {more}?|Find the {more} number of {a} and {b}.|
{a} and {b}: the {more} one?|Here are {a} and {b}. Which one is {more}?|
Say which number is {more}: {a} or {b}.|Do you know what is {more}, {a} or {b}?|
Pick the {more} one of {a} and {b}."""
LARGEST = """Which number is the {most}: {a}, {b} or {c}?|Which is the {most}, {a}, {b} or {c}?|
What is the {most} number of {a}, {b} and {c}?|Find the {most} of {a}, {b} and {c}.|
{a}, {b}, {c}: which is the {most}?|Tell me the {most} one of {a}, {b} and {c}.|
Of the numbers {a}, {b} and {c}, which is the {most}?|the {most} of {a}, {b}, {c}|
Name the {most} number: {a}, {b}, {c}.|Here are {a}, {b} and {c}. What is the {most}?|
Pick the {most} from {a}, {b} and {c}.|which one is the {most} {a} {b} or {c}|
Compare {a}, {b} and {c}. Which one is {most}?"""
AFTER = """What comes after {a}?|Which number comes after {a}?|what number follows {a}|
What is the next number after {a}?|Say the number after {a}.|Tell me what comes after {a}.|
I count and I am at {a}. What is next?|The number after {a}, please.|After {a} comes what?|
Which number follows {a}?|what is one more than {a}|Count one further than {a}.|next after {a}?|
Name the number that comes right after {a}.|When I count up, what do I say after {a}?|
{a}, and then?"""
BEFORE = """What comes before {a}?|Which number comes before {a}?|what number stands before {a}|
What is the number before {a}?|Say the number before {a}.|Tell me what comes before {a}.|
I count down and I am at {a}. What is next?|The number before {a}, please.|
Before {a} comes what?|Which number is just before {a}?|what is one less than {a}|
Count one down from {a}.|before {a}?|Name the number that comes right before {a}.|
When I count down, what do I say after {a}?"""
COUNT = """Count from {a} to {b}.|Please count from {a} up to {b}.|
can you count from {a} to {b}|Count up from {a} to {b}, please.|
Say the numbers from {a} to {b}.|Write the numbers from {a} to {b}.|
List all numbers from {a} to {b}.|Start at {a} and count to {b}.|
Give me the numbers {a} to {b}.|count {a} to {b}|
Tell me the numbers between {a} and {b}, with both.|Begin with {a} and count up to {b}."""
MANY = """How many {t} are here: {row}?|Count the words: {row}|
How many words do you see: {row}?|{row} - how many are these?|count these: {row}|
How many times do I say it: {row}?|Here is a row: {row}. How many words has it?|
Tell me how many there are: {row}.|How many are there? {row}|Please count these words: {row}.|
How long is this row: {row}?"""

# Stories: the operation, the question (several wordings end it), the noun of the answer.
STORIES = """+|{n} has {a} {t} and gets {b} more.|How many {t} has {n} now?
+|{n} had {a} {t}. Then {n} found {b} {t}.|How many {t} are there now?
+|There are {a} {t} on the table. {n} puts {b} more on it.|How many {t} are on the table?
+|{n} has {a} {t} and {m} has {b} {t}.|How many {t} do they have together?
+|{n} buys {a} {t} on Monday and {b} {t} on Friday.|How many {t} is that in all?
+|In a bag are {a} {t}, in a box are {b} {t}.|How many {t} are there in all?
+|{a} people are in the bus. {b} people get in.|How many people are in the bus now?
+|{n} is {a} years old.|How old will {n} be in {b} years?
+|{n} read {a} pages in the morning and {b} pages in the evening.|How many pages is that?
+|The {t} cost {a} euros and the bag costs {b} euros.|How much must {n} pay?
-|{n} has {a} {t} and gives {b} to {m}.|How many {t} are left?
-|{n} had {a} {t} and lost {b} of them.|How many {t} has {n} still?
-|There were {a} {t} in the box. {n} took {b} out.|How many {t} are still in the box?
-|{n} bakes {a} cakes. The guests eat {b} cakes.|How many cakes remain?
-|{a} birds sit on a roof. {b} birds fly away.|How many birds stay?
-|{n} has {a} euros and pays {b} euros.|How many euros does {n} keep?
-|A book has {a} pages. {n} has read {b} pages.|How many pages are still to read?
-|{n} has {a} {t}, {m} has {b} {t}.|How many more {t} has {n} than {m}?
-|{n} needs {a} {t} and has {b} {t}.|How many {t} does {n} still need?
x|{n} has {a} {x} with {b} {t} each.|How many {t} is that in all?
x|There are {a} {x}. In each are {b} {t}.|How many {t} are there?
x|{n} eats {a} {t} every day.|How many {t} does {n} eat in {b} days?
x|One of the {t} costs {a} euros. {n} buys {b} of them.|How much does {n} pay?
x|{a} friends bring {b} {t} each.|How many {t} do they bring?
x|{n} walks {a} km every day for {b} days.|How many km does {n} walk?
/|{n} shares {p} {t} among {a} friends.|How many {t} does each friend get?
/|{n} puts {p} {t} into {a} {x}, the same number in each.|How many {t} are in each?
/|{p} {t} are for {a} children.|How many {t} does every child get?
/|{a} of the {t} cost {p} euros together.|How much does one cost?"""


def table(text: str) -> list[str]:
    return [one.strip() for one in text.split("|")]


ASK = {name: table(text) for name, text in (
    ("plus", PLUS), ("minus", MINUS), ("times", TIMES), ("double", DOUBLE), ("half", HALF),
    ("larger", LARGER), ("largest", LARGEST), ("after", AFTER), ("before", BEFORE),
    ("count", COUNT), ("many", MANY))}
STORY = [line.split("|") for line in STORIES.splitlines()]


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


def added(a: int, b: int) -> str:
    """The steps of an addition: ones, tens, both."""
    if a < 10 and b < 10:
        return f"{a} + {b} = {a + b}."
    if a + b <= 20 or a % 10 == 0 and b % 10 == 0:
        return f"{a} + {b} = {a + b}."
    ones, tens = a % 10 + b % 10, a - a % 10 + b - b % 10
    text = f"{a} + {b}: {a % 10} + {b % 10} = {ones}. "
    if a >= 10 and b >= 10:
        text += f"{a - a % 10} + {b - b % 10} = {tens}. "
    return text + f"{tens} + {ones} = {a + b}."


def taken(a: int, b: int) -> str:
    """The steps of a subtraction: first the tens, then the ones."""
    if b < 10 or b % 10 == 0:
        return f"{a} - {b} = {a - b}."
    tens = b - b % 10
    return f"{a} - {b}: {a} - {tens} = {a - tens}. {a - tens} - {b % 10} = {a - b}."


def result(text: str, value: int, random: Random) -> str:
    """The answer to a sum."""
    return random.choice([f"{text} is {value}.", f"{text} is {value}.", f"{text} is {value}.",
                          f"That is {value}.", f"It is {value}.", f"The answer is {value}.",
                          f"{value}"])


def plus(random: Random) -> Sum:
    high = random.choice([12, 50, 100, 100])
    a, b = words.number(random, 0, high), words.number(random, 0, high)
    return Sum(ask("plus", random, a=a, b=b), added(a, b), result(f"{a} plus {b}", a + b, random))


def minus(random: Random) -> Sum:
    high = random.choice([12, 50, 100, 100])
    b, a = sorted((words.number(random, 0, high), words.number(random, 0, high)))
    return Sum(ask("minus", random, a=a, b=b), taken(a, b), result(f"{a} minus {b}", a - b, random))


def times(random: Random) -> Sum:
    a, b = random.randint(1, 12), random.randint(1, 12)
    return Sum(ask("times", random, a=a, b=b), f"{a} x {b} = {a * b}.",
               result(f"{a} times {b}", a * b, random))


def double(random: Random) -> Sum:
    a = words.number(random, 1, random.choice([12, 100]))
    return Sum(ask("double", random, a=a), added(a, a),
               result(f"The double of {a}", 2 * a, random))


def half(random: Random) -> Sum:
    h = words.number(random, 1, random.choice([6, 50]))
    a, tens = 2 * h, 2 * h - 2 * h % 10
    steps = f"{a} / 2 = {h}."
    if a > 20 and tens != a:
        steps = f"{a}: {tens} / 2 = {tens // 2}. {a - tens} / 2 = {(a - tens) // 2}. " \
                f"{tens // 2} + {(a - tens) // 2} = {h}."
    return Sum(ask("half", random, a=a), steps, result(f"Half of {a}", h, random))


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
    a, b = words.number(random, 0, 100), words.number(random, 0, 100)
    while a == b or random.random() < .3:
        a, b = words.number(random, 0, 200), words.number(random, 0, 100)
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
    high = random.choice([12, 100, 200])
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
    a, up = words.number(random, 1, 150), random.random() < .6
    value = a + 1 if up else a - 1
    side = "after" if up else "before"
    answer = random.choice([f"{side.capitalize()} {a} comes {value}.", f"It is {value}.",
                            f"The number {side} {a} is {value}.", f"{value}"])
    return Sum(ask(side, random, a=a), f"{a} {'+' if up else '-'} 1 = {value}.", answer)


def count(random: Random) -> Sum:
    if random.random() < .45:
        start = random.randint(1, 60)
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
    high = random.choice([12, 30, 100])
    a, b = words.number(random, 2, high), words.number(random, 2, high)
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
    plus, plus, plus, plus, minus, minus, minus, times, times, double, half, larger, larger,
    largest, neighbour, neighbour, count, story, story, story, story, story]


def drawn(random: Random) -> Sum:
    """A sum without a held-out number in its question, its steps or its answer."""
    kind = random.choice(KINDS)
    while True:
        one = kind(random)
        if clean(f"{one.question} {one.steps} {one.answer}"):
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
        one = drawn(random)
        messages += [user(one.question), assistant(one.answer, **thought(one.steps))]
    return Dialogue(messages, think=think)
