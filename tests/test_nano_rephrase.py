"""Questions in other words: nano/dialogues/rephrase.py and world/synonyms.toml."""
import re
from random import Random

import pytest

from benchmarks.nano.dialogues import rephrase
from benchmarks.nano.dialogues.facts import FACTS

ASKS = [ask for facts in FACTS.values() for fact in facts
        for ask in fact["ask"] + [more for each in fact.get("follow", []) for more in each["ask"]]]
ANSWERS = [each[key] for facts in FACTS.values() for fact in facts
           for each in [fact, *fact.get("follow", [])] for key in ("answer", "short", "word")
           if key in each]
SEEDS = range(300)


def test_rephrased():
    random = Random(1)
    changed = 0
    for ask in random.sample(ASKS, 3000):
        said = rephrase.rephrased(Random(7), ask)
        assert said == rephrase.rephrased(Random(7), ask)
        assert said.strip() == said != "" and said.isascii()
        assert "  " not in said and "{" not in said.replace(ask, "") or "{" in ask
        changed += said != ask
    assert changed > 1800


@pytest.mark.parametrize("asked, said", [
    ("Why is the sea salty?", "Why is the ocean salty?"),
    ("Tell me why pigs lie in mud.", "Explain to me why hogs lie in dirt."),
    ("What is the largest ocean?", "What is the biggest sea?"),
    ("In which way does a plane fly?", "How does an aircraft fly?"),
    ("I saw a plane.", "I noticed an airplane."),
    ("an animal", "a beast"),
    ("How do I pay for an option?", "How can I pay for a setting?"),
    ("Who invented the telephone?", "Who came up with the phone?"),
    ("What is a black hole?", "What is a black hole?"),
    ("the color of a flower", "the colour of a blossom"),
    ("What does stop=True do?", "What does stop=True do?"),
    ("I wonder why people snore.", "I ask myself why humans snore."),
])
def test_swapped(asked, said):
    assert said in {rephrase.swapped(Random(seed), asked, .8) for seed in range(1500)}


@pytest.mark.parametrize("asked, said", [
    ("Why does a cat purr?", "What is the reason that a cat purrs?"),
    ("why do bees dance", "bees dance, why"),
    ("Why is the sky blue?", "The sky is blue - what is behind it?"),
    ("How come Mars is red?", "Do you know why Mars is red?"),
    ("The sea is full of salt. Why?", "How come the sea is full of salt?"),
    ("Why do ducks not get wet?", "Can you explain why ducks do not get wet?"),
    ("How does a thermos work?", "In what way does a thermos work?"),
    ("How do I stream an answer?", "Tell me how to stream an answer."),
    ("How many stomachs does a cow have?", "A cow has how many stomachs?"),
    ("Where does cotton come from?", "I wonder where cotton comes from."),
    ("How is cheese made?", "Do you know how cheese is made?"),
    ("What is a tornado?", "A tornado is what?"),
    ("What are clouds made of?", "Clouds are made of what?"),
    ("How many planets are there?", "I wonder how many planets there are."),
    ("Who invented jeans?", "Who was it that invented jeans?"),
    ("Do goldfish sleep?", "Is it true that goldfish sleep?"),
    ("Explain prefill.", "What do you know about prefill?"),
])
def test_reframed(asked, said):
    assert said in {rephrase.reframed(Random(seed), asked) for seed in SEEDS}


@pytest.mark.parametrize("asked", [
    "Thank you!", "Salty is the ocean, why?", "The sunset colors, why?", "What is it?",
    "Can you help me?", "sea water salty, reason please", "Who are you?", "Explain it.",
])
def test_not_reframed(asked):
    assert {rephrase.reframed(Random(seed), asked) for seed in SEEDS} == {asked}


def test_synonyms():
    text = "\n".join(ASKS + ANSWERS).lower()

    def occurs(words):
        return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None

    for group in rephrase.SYNONYMS["groups"]:
        assert len(set(group)) == len(group) > 1 and any(map(occurs, group)), group
    for word, others in rephrase.SYNONYMS["swap"].items():
        assert occurs(word), word
        assert len({word, *others}) == len(others) + 1 > 1, word
        assert all(other == other.lower().strip() and other.isascii() for other in others), word
    assert not rephrase.KEEP & set(rephrase.SYNONYMS["swap"])
