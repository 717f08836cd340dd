"""Saying again what was said: the shortest lesson in looking things up in the chat."""
from __future__ import annotations

import json
from random import Random

from .. import words
from .dialogue import Dialogue, assistant, user

VERBS = "find takes likes sees has paints carries sold hears wants moved lost".split()
THINGS = """apple ball bell bird boat book bottle box bread bus cake cap card chair clock cloud coat
comb cup door drum fish flag flower fork glass goat hat horse house key kite knife leaf letter map
mask moon nest nut paper pear pen piano plate pot ring road rope sack ship shoe spoon star stone
table tent tiger toy train tree wheel window""".split()
COLORS = "red blue green yellow black white brown pink gray silver golden dark light".split()
FRAMES = ["Repeat: {}", "Say after me: {}", "repeat after me: {}", "Please repeat this: {}",
          "Write this again: {}", "Say {}", "Please say \"{}\".", "Copy this: {}", "Echo: {}",
          "Can you repeat \"{}\" for me?", "Give me back these words: {}", "{} - say it again",
          "The words are: {}. Repeat them.", "Copy \"{}\"", "say exactly this: {}"]
QUOTED = ["Put quotes around this: {}", "Write {} in quotes.", "As a JSON string: {}",
          "{} - in quotes, please", "Give me {} as a string of JSON."]
FIRST = ["Which word comes first: {}?", "The first word of \"{}\"?", "First word: {}"]
LAST = ["Which word comes last: {}?", "The last word of \"{}\"?", "Last word: {}"]
AFTER = ["Which word comes after {}: {}?", "What follows {} in \"{}\"?", "After {}: {}"]
KEYS = ["{} What is {}?", "{} And {}?", "{} Tell me {}.", "{} Now {}, please.", "{} {}?"]


def word(random: Random) -> str:
    kind = random.random()
    if kind < .3:
        return words.invented(random)
    if kind < .4:
        return words.invented(random).capitalize()
    if kind < .55:
        return words.name(random)
    if kind < .65:
        return words.city(random)
    if kind < .75:
        return str(words.number(random, 1, 9999))
    one = random.choice(random.choice([VERBS, THINGS, COLORS]))
    return one.capitalize() if kind > .95 else one


def dialogue(random: Random) -> Dialogue:
    """One to three times: words said again, in quotes, one of them, or looked up by a key."""
    messages = []
    for _ in range(random.choice([1, 2, 3])):
        said = [word(random) for _ in range(random.randint(2, 8))]
        text = " ".join(said)
        kind = random.random()
        if kind < .4:
            asked, answer = random.choice(FRAMES).format(text), text
        elif kind < .6:
            asked, answer = random.choice(QUOTED).format(text), json.dumps(text)
        elif kind < .65:
            asked, answer = random.choice(FIRST).format(text), said[0]
        elif kind < .7:
            asked, answer = random.choice(LAST).format(text), said[-1]
        elif kind < .8 and len({*said}) == len(said):
            i = random.randrange(len(said) - 1)
            asked, answer = random.choice(AFTER).format(said[i], text), said[i + 1]
        else:
            asked, answer = looked_up(random)
        messages += [user(asked), assistant(answer)]
    return Dialogue(messages)


def looked_up(random: Random) -> tuple[str, str]:
    """Several keys with values, and one of the keys."""
    keys = random.sample(THINGS, random.randint(2, 5))
    values = [word(random) for _ in keys]
    form = random.choice(["{} is {}.", "{}: {}.", "The {} is {}.", "{} = {}.", "{} -> {},"])
    told = " ".join(form.format(key, value) for key, value in zip(keys, values))
    wanted = random.randrange(len(keys))
    return random.choice(KEYS).format(told, keys[wanted]), values[wanted]
