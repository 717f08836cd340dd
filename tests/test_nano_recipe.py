"""The text that nano learns from and is judged by.  The training itself needs PyTorch."""
import json
from collections import Counter
from random import Random

import pytest

from benchmarks.nano import dialogues, evaluate, held_out
from benchmarks.nano.dialogues import questions
from benchmarks.nano.dialogues.dialogue import Dialogue, system, user
from benchmarks.nano.evaluate import Answer
from benchmarks.nano.held_out import Item

ITEMS = held_out.items()
OVERLAP = held_out.Overlap(ITEMS)


def kinds():
    return pytest.mark.parametrize("make", dialogues.LESSONS["world"], ids=lambda make: ".".join(
        (make.__module__.rpartition(".")[2], make.__name__)))


@kinds()
def test_dialogues(make):
    for seed in range(300):
        dialogue = make(Random(seed))
        assert dialogue == make(Random(seed))
        json.dumps([dialogue.messages, dialogue.tools])
        roles = [message["role"] for message in dialogue.messages]
        assert roles[-1] == "assistant" and "user" in roles
        for before, after in zip(roles, roles[1:]):
            assert after != before
        names = {tool["function"]["name"] for tool in dialogue.tools}
        for message in dialogue.messages:
            assert message["content"].isascii()
            calls = message.get("tool_calls", ())
            assert message["content"] or calls
            assert {call["function"]["name"] for call in calls} <= names
        if dialogue.think:
            assert dialogue.messages[-1]["thinking"]


@kinds()
def test_little_is_thrown_away(make):
    """Or the generators would not write what they seem to."""
    found = [OVERLAP.found(make(Random(seed))) for seed in range(500)]
    assert sum(map(bool, found)) < 15, Counter(found).most_common(5)


def test_overlap():
    item = Item("tool-choice", [system("Speak like an old king of the sea."),
                                user("Where did I put the green hat?"), user("My hat?")], {},
                [{"function": {"name": "find_hat"}}])
    overlap = held_out.Overlap([item])

    def found(*messages, tools=()):
        return overlap.found(Dialogue(list(messages), list(tools)))

    assert found(user("where did i PUT, the red one?")) == "phrase where did i put the"
    assert found(user("my hat")) == "phrase my hat"
    assert found(system("like an old king of")) == "phrase like an old king of"
    assert found(user("I am Ophelia")) == "name ophelia"
    assert found(user("12 or 19?")) == "number"
    assert found(user("the hat"), tools=[{"function": {"name": "find_hat"}}]) == "tool find_hat"
    assert not found(user("where did i find the hat"), system("12 or 18"))


def test_the_held_out_set():
    count = Counter(item.kind for item in ITEMS)
    assert min(count.values()) >= 15 and count["everyday"] >= 500
    for item in ITEMS:
        assert item.messages[-1]["role"] in ("user", "tool")
        assert item.expect and set(item.expect) <= set(evaluate.CHECKS)
    for item, known in held_out.asked():
        assert Answer(item, known, True).right(), (item, known)


def test_every_fact_is_asked_for():
    for facts in questions.FACTS.values():
        assert len({fact["id"] for fact in facts}) == len(facts)
        assert all(len({*fact["ask"]}) >= 10 for fact in facts)
    assert sum(map(len, questions.FACTS.values())) > 350


CALL = '<tool_call>\n{"name": "find_hat", "arguments": {"color": "Green", "size": 3}}\n</tool_call>'
WANTED = {"name": "find_hat", "arguments": {"size": 3, "color": "green"}}


@pytest.mark.parametrize("expect, good, bad", [
    ({"all": [["Scatter", "bend"], ["blue"]]}, "It scatters blue light.", "It scatters light."),
    ({"none": ["Anna"]}, "Nora.", "anna."),
    ({"number": 45}, "19 plus 26 is 45.", "45 is 19 plus 26."),
    ({"json": {"a": 1, "b": "x"}}, '{"b": "x", "a": 1}', '{"a": 1, "b": "X"}'),
    ({"json": {"a": 1}}, '{"a": 1}', "a is 1"),
    ({"capitals": True}, "AIR.", "Air."),
    ({"words": 1}, "Air.", "The air."),
    ({"call": None}, "I have no tool for that.", CALL),
    ({"call": WANTED}, CALL, CALL.replace("3", "4")),
    ({"call": WANTED}, CALL, CALL.replace("}}", "}")),
    ({"call": WANTED}, CALL, CALL + CALL),
])
def test_scores(expect, good, bad):
    item = Item("kind", [user("?")], expect)
    assert Answer(item, good, True).right()
    assert not Answer(item, bad, True).right()
    assert not Answer(item, good, False).right()        # did not end
    thinking = Item("kind", [user("?")], expect, think=True)
    assert Answer(thinking, f"Hm.\n</think>\n\n{good}", True).right()
    assert not Answer(thinking, good, True).right()


def test_a_tool_call_has_two_scores():
    item = Item("tool-choice", [user("?")], {"call": WANTED})
    other = CALL.replace("Green", "red")
    assert Answer(item, CALL, True).scores() == {"tool choice": True, "tool arguments": True}
    assert Answer(item, other, True).scores() == {"tool choice": True, "tool arguments": False}
    assert Answer(item, "No.", True).scores() == {"tool choice": False, "tool arguments": False}
