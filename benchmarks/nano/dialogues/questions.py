"""Everyday questions, questions about minichat, small talk, and what nano does not know."""
from __future__ import annotations

import re
from random import Random
from typing import Any

from .. import words
from .dialogue import Dialogue, assistant, user
from .facts import FACTS, THEMES, Fact, load
from .rephrase import rephrased

UNKNOWN = load("unknown")

BEFORE = ["", "", "", "", "", "", "Hello! ", "Hi, ", "hey, ", "Please tell me: ", "A question: ",
          "I have a question. ", "My son asks: ", "Quick question: ", "Okay, next one. ",
          "Tell me something: ", "One more thing. ", "I was asked this at school: ",
          "Good morning. ", "Sorry to bother you. ", "We wondered about this today: ",
          "Now something else: ", "Be so kind and answer this: "]
AFTER = ["", "", "", "", "", "", "", " Please.", " Thanks!", " Thank you.",
         " I would like to know.", " Any idea?", " Do you know?", " Just curious.", " please",
         " thx", " Explain.", " Tell me!", " I am curious.", " Help me understand."]
STOP_WORDS = frozenset("""a an and are as at be been but by can could did do does for from had has
have how i if in is it its make makes me my of on or please so some tell than that the their them
then there they this to up us was we were what when where which who why will with would you your
come exactly explain know reason really wonder say about""".split())
KEYWORDS = ["{}", "{}?", "{}", "about {}", "Tell me about {}.", "what about {}", "{}, please",
            "I want to know: {}", "Question about {}.", "{} - what do you know?", "{}...",
            "Something on {}?", "Say something about {}.", "{}! explain", "info: {}"]

FILLERS = """actually again all always any anybody anyway basic behind bit both briefly case cause
certain child clear come curious day detail different does ever every example fact find friend
give going good guess happen happens hear help idea interesting just kind kids learn let like
little lot made matter maybe mean mind more most mostly much mystery need never new nobody nothing
often once one only other part people perhaps point possible puzzle quite read real right said
school science see seem seems sense short show simple since someone something sometimes sort
still story strange such sure teach teacher thing things think thought too true truth trying
understand very want well whole wondering word words work works world wrong years yet""".split()


def phrased(random: Random, asks: list[str]) -> str:
    """Returns one of some phrasings, as people type it."""
    asked = random.choice(asks)
    if random.random() < .5:
        asked = rephrased(random, asked)
    style = random.random()
    if style < .12:
        return keywords(random, asked)
    if style < .24:
        return rambling(random, asked)
    if style < .55:
        asked = random.choice(BEFORE) + asked + random.choice(AFTER)
    if random.random() < .15:
        asked = without_a_word(random, asked)
    if random.random() < .25:
        asked = asked.lower()
    if random.random() < .2:
        asked = asked.rstrip("?.!")
    if random.random() < .05:
        asked = misspelled(random, asked)
    return asked


def keywords(random: Random, asked: str) -> str:
    """What matters of a question, in any order."""
    kept = [word for word in re.findall(r"[\w'.=]*\w", asked) if word.lower() not in STOP_WORDS]
    if len(kept) < 2:
        return asked
    if random.random() < .6:
        random.shuffle(kept)
    if len(kept) > 3 and random.random() < .4:
        kept.pop()
    return random.choice(KEYWORDS).format(" ".join(kept))


def rambling(random: Random, asked: str) -> str:
    """What matters of a question, among words that do not."""
    said = [word for word in re.findall(r"[\w'.=]*\w", asked)
            if word.lower() not in STOP_WORDS or random.random() < .5]
    if sum(word.lower() not in STOP_WORDS for word in said) < 2:
        return asked
    small = sorted(STOP_WORDS)
    for _ in range(random.randint(2, 6)):
        word = random.choice(FILLERS if random.random() < .5 else small)
        said.insert(random.randint(0, len(said)), word)
    text = " ".join(said)
    if random.random() < .3:
        at = random.randint(1, len(said))
        text = " ".join(said[:at]) + random.choice([", ", ": ", "; "]) + " ".join(said[at:])
    return text[0].upper() + text[1:] + random.choice(["?", "?", ".", "", "!"])


def without_a_word(random: Random, asked: str) -> str:
    """A question without one or two of its small words."""
    said = asked.split(" ")
    for _ in range(random.choice([1, 1, 2])):
        small = [i for i, word in enumerate(said) if word.lower() in STOP_WORDS]
        if small and len(said) > 3:
            del said[random.choice(small)]
    return " ".join(said)


def misspelled(random: Random, asked: str) -> str:
    """Two letters change places, or one is missing."""
    i = random.randrange(max(len(asked) - 2, 1))
    if random.random() < .5:
        return asked[:i] + asked[i + 1:]
    return asked[:i] + asked[i:i + 2][::-1] + asked[i + 2:]


def fact(random: Random) -> Fact:
    """One thing that nano knows of the world: id, topic, ask, answer, short, word, follow."""
    theme = random.choice(["nature", "living", "people", "earth"])
    return random.choice(FACTS[theme])


def any_fact(random: Random) -> Fact:
    """As fact, also of minichat and of small talk."""
    theme, = random.choices(list(THEMES), list(THEMES.values()))
    return random.choice(FACTS[theme])


def pair(random: Random) -> tuple[str, str]:
    """A question and its answer, for the turns between others."""
    asked = any_fact(random)
    return phrased(random, asked["ask"]), asked["answer" if random.random() < .8 else "short"]


def thought(asked: Fact) -> str:
    return f"The user asks about {asked['topic']}. I know this: {asked['short']}"


def dialogue(random: Random) -> Dialogue:
    """One to three questions, with what is asked next about them."""
    messages: list[dict[str, Any]] = []
    think = random.random() < .06
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        asked = any_fact(random)
        messages.append(user(phrased(random, asked["ask"])))
        messages.append(assistant(asked["answer"], **{"thinking": thought(asked)} if think else {}))
        follow = asked.get("follow")
        if not follow or think or random.random() < .25:
            continue
        if random.random() < .35:               # any answer may stand there, also a short one
            said = asked["short"] if random.random() < .7 else asked["word"] + "."
            messages[-1]["content"] = said.lower() if random.random() < .5 else said
            messages[-1]["given"] = True
        for each in follow:
            messages.append(user(phrased(random, each["ask"])))
            messages.append(assistant(each["answer"]))
    return Dialogue(messages, think=think)


def filled(random: Random, text: str, slots: dict[str, list[str]]) -> str:
    """text with a value for each {slot}."""
    person = words.name(random)
    values = {"invented": words.invented(random), "name": person, "person": person,
              "city": words.city(random), "number": words.number(random, 2, 999),
              **{name: random.choice(several) for name, several in slots.items()}}
    return text.format_map(values).format_map(values)       # a value may have a slot


def unknown(random: Random) -> Dialogue:
    """A question that nano cannot answer, alone or between others."""
    messages: list[dict[str, Any]] = []
    for _ in range(random.choice([0, 0, 0, 1])):
        asked, answer = pair(random)
        messages += [user(asked), assistant(answer)]
    group = random.choice(UNKNOWN["group"])
    asks = [filled(random, random.choice(group["ask"]), group.get("slots", {}))]
    think = random.random() < .06
    answer = random.choice(UNKNOWN["answers"])
    messages += [user(phrased(random, asks)), assistant(
        answer, **{"thinking": "I do not know anything about this."} if think else {})]
    return Dialogue(messages, think=think)
