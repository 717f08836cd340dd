"""minichat/constrain.py: what a grammar allows, token by token."""
import json
import re
from random import Random

import jsonschema
import pytest

from minichat.constrain import Constraint, Thinking, Vocabulary
from minichat.errors import RequestError
from minichat.grammars import grammar

from .held import allowed, fits, vocabulary, walk
from .json_schemas import schemas

SCHEMAS = schemas()
DEFINED = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "string"}},
           "required": ["b", "a"], "additionalProperties": False}


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("single", [False, True])
def test_what_is_allowed_is_valid(end, single):
    ended_in_all = 0
    for i, schema in enumerate(SCHEMAS):
        constraint = Constraint(vocabulary(end), grammar(schema), single=single)
        said, _, ended = walk(constraint, Random(i))
        ended_in_all += ended
        if ended:
            check = jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
            check.validate(json.loads(said))
    assert ended_in_all > .95 * len(SCHEMAS)


def test_a_text_that_spells_a_control_token_is_said_in_others():
    control = vocabulary().spelled[2].decode()
    assert len(control) > 3
    for single in (False, True):
        constraint = Constraint(vocabulary(), grammar(re.compile("a" + re.escape(control))),
                                single=single)
        said, ids, ended = walk(constraint, Random(1))
        assert said.decode() == "a" + control and ended and not {0, 1, 2} & {*ids}


def test_tokens_that_say_nothing_are_never_allowed():
    constraint = Constraint(vocabulary(), grammar("json"))
    assert not {0, 1, 2, *range(4096, 4101)} & set(allowed(constraint))


def test_forced_tokens_follow_at_once():
    once = Constraint(vocabulary(), grammar(DEFINED))
    single = Constraint(vocabulary(), grammar(DEFINED), single=True)
    brace = vocabulary()('{"')[0]
    forced = once.accept(brace)
    assert forced and single.accept(brace) == []
    for id in forced:                       # the same tokens, one by one
        assert allowed(single) == [id] and not single.done
        assert single.accept(id) == []
    assert allowed(single) == allowed(once)


def test_blanks_are_bounded():
    constraint = Constraint(vocabulary(), grammar(DEFINED))
    said = ""
    for _ in range(300):
        choices = allowed(constraint)
        blanks = [id for id in choices if not vocabulary().spelled[id].strip()
                  and id != vocabulary().eos_token_id]
        if not blanks:
            break
        id = max(blanks, key=lambda id: len(vocabulary().spelled[id]))
        said += vocabulary().spelled[id].decode()
        constraint.accept(id)
    assert len(said) < 100


def test_properties_come_in_the_schemas_order():
    text = walk(Constraint(vocabulary(), grammar(DEFINED)), Random(1))[0]
    assert list(json.loads(text)) == ["b", "a"]


def test_the_library_prints_nothing(capfd):
    with pytest.raises(RequestError) as caught:
        Constraint(vocabulary(), grammar(DEFINED)).accept(vocabulary()("Hello")[0])
    with pytest.raises(RequestError):
        grammar({"type": "strin"})
    assert not fits({"type": "integer"}, "text")
    assert capfd.readouterr() == ("", "") and "<state>" not in str(caught.value)


def test_a_text_that_is_continued():
    constraint = Constraint(vocabulary(), grammar(DEFINED), said='{"b": 1')
    text, _, ended = walk(constraint, Random(0))
    assert ended and json.loads('{"b": 1' + text.decode())["b"] >= 1
    with pytest.raises(RequestError, match="the last one"):
        Constraint(vocabulary(), grammar(DEFINED), said="Well, ")


def thinking(inside=False):
    return Thinking(("<think>", "</think>"), inside, lambda id: vocabulary().spelled[id].decode())


def say(constraint, text):
    known = vocabulary()
    ids = known(text)
    while ids:
        id = ids.pop(0)
        mask = constraint.mask()
        assert mask is None or mask[id // 32] >> id % 32 & 1, known.spelled[id]
        for forced in constraint.accept(id):
            assert forced == ids.pop(0)


def refused(constraint, text):
    id = vocabulary()(text)[0]
    mask = constraint.mask()
    return mask is not None and not mask[id // 32] >> id % 32 & 1


def test_thinking_is_free_and_the_rest_is_not():
    constraint = Constraint(vocabulary(), grammar(DEFINED), gate=thinking())
    assert refused(constraint, "Hello")
    say(constraint, "<think>")
    assert vocabulary().eos_token_id not in allowed(constraint)
    assert not refused(constraint, "Hello")
    say(constraint, "\nThe user wants {}. </thin\n</think>")
    assert refused(constraint, "Hello")
    say(constraint, "\n\n")
    assert refused(constraint, "\n")        # that is enough
    say(constraint, '{"b": 3, "a": "x"}')
    assert constraint.done


def test_thinking_that_the_prompt_began():
    constraint = Constraint(vocabulary(), grammar(DEFINED), gate=thinking(inside=True))
    say(constraint, "Hm.\n</think>")
    assert refused(constraint, "Hello") and not refused(constraint, "{")


def test_an_answer_that_does_not_think():
    constraint = Constraint(vocabulary(), grammar(DEFINED), gate=thinking())
    say(constraint, '{"b": 3, "a": "<think>"}')
    assert constraint.done


def test_no_token_goes_from_thinking_into_content():
    known = vocabulary()
    spelled = [*known.spelled, b"nk>", b"nk> {", b"nk>\n", b"x</think>yes", b"</think>"]
    ids = {each: id for id, each in enumerate(spelled)}
    more = Vocabulary(spelled, [0, 1, 2], [2], known._encode)
    assert more.crossings("</think>", 5) == {2, ids[b"nk> {"], ids[b"x</think>yes"]}
    assert more.crossings("</think>", 0) == {2, ids[b"x</think>yes"]}


def test_what_comes_before_the_content():
    for text, held, inside, begun in [
            ("  \n", "", False, False), (" <thi", "<thi", False, False), ("{", "", False, True),
            ("<thing", "", False, True), ("<think>", "", True, False),
            ("<think>a </th", "</th", True, False), ("<think>a</think>", "", True, True)]:
        for cut in range(len(text) + 1):
            gate = Thinking(("<think>", "</think>"), False, [text[:cut], text[cut:]].__getitem__)
            gate.push(0)
            if not gate.begun:
                gate.push(1)
            assert (gate.inside, gate.begun) == (inside, begun), (text, cut)
            assert begun or gate.held == held


def test_a_tokenizer_that_puts_a_blank_before_each_text():
    known = vocabulary()
    blank = Vocabulary(known.spelled, [0, 1, 2], [2], lambda text: known._encode(" " + text))
    ids = blank("name: \u20ac")
    assert b"".join(known.spelled[id] for id in ids).decode() == "name: \u20ac"
    text = walk(Constraint(blank, grammar(DEFINED)), Random(3))[0]
    jsonschema.validate(json.loads(text), DEFINED)


def test_a_model_without_a_character():
    known = vocabulary()
    poor = Vocabulary([b"x" if b"{" in each else each for each in known.spelled], [0, 1, 2], [2],
                      known._encode)
    with pytest.raises(RequestError, match="^format: found what no token of the model can say"):
        Constraint(poor, grammar("json"))
    assert Constraint(poor, grammar(re.compile("yes|no"))).mask() is not None


def test_an_error_of_the_library_is_ours():
    constraint = Constraint(vocabulary(), grammar(DEFINED))
    with pytest.raises(RequestError, match="format: "):
        constraint.accept(vocabulary()("Hello")[0])
