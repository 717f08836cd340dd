"""Grammars and what they allow, token by token."""
import datetime
import json
import re
import time
from functools import lru_cache
from random import Random

import jsonschema
import numpy as np
import pytest

from minichat import hub
from minichat.constrain import Constraint, Thinking, Vocabulary, grammar
from minichat.errors import RequestError
from minichat.request import Lark
from minichat.tokens import Tokenizer
from tests.json_schemas import schemas

SCHEMAS = schemas()
DEFINED = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "string"}},
           "required": ["b", "a"], "additionalProperties": False}


@lru_cache
def vocabulary(end=True):
    folder = hub.resolve("nano")
    tokenizer = Tokenizer.open(folder / "tokenizer.json")
    spelled = [tokenizer.token_bytes(id) for id in range(4096 + 5)]     # a padded embedding
    return Vocabulary(spelled, [0, 1, 2], [2] if end else [], tokenizer.encode)


def allowed(constraint):
    mask = constraint.mask()
    assert mask.dtype == np.uint32 and len(mask) == -(-constraint.vocabulary.size // 32)
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[:constraint.vocabulary.size]
    return np.flatnonzero(bits).tolist()


def walk(constraint, random, most=400):
    """Says anything that is allowed; returns the text, the ids, and whether it ended itself."""
    known, ids, ended = constraint.vocabulary, [], False
    while len(ids) < most and not (ended := constraint.done):
        choices = allowed(constraint)
        if known.eos_token_id in choices and (random.random() < .3 or len(choices) == 1):
            ended = True
            break
        short = [id for id in choices if id != known.eos_token_id]
        if random.random() < .8:        # or strings would never end
            short = [id for id in short if set(known.spelled[id]) & set(b'"]}')] or short
        id = random.choice(short)
        ids += [id, *constraint.accept(id)]
    return b"".join(known.spelled[id] for id in ids), ids, ended


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


@pytest.mark.parametrize("format, pattern", [
    (re.compile("[a-c]{3}x+y"), "[a-c]{3}x+y"),
    (re.compile("ab*c", re.I), "(?i)ab*c"),
    (re.compile("a . c", re.X | re.S), "(?xs)a . c"),
    (Lark('start: "a" ("b" | NUMBER)+ "d"\nNUMBER: /[0-9]{2}/'), "a(b|[0-9][0-9])+d"),
])
def test_patterns_and_grammars(format, pattern):
    for seed in range(20):
        said, _, ended = walk(Constraint(vocabulary(), grammar(format)), Random(seed))
        assert not ended or re.fullmatch(pattern, said.decode())


EXTREMES = ["7", "\u0664", "a", "_", "\u00fc", "\u0301", "\u00b2", " ", "\t", "\x0b",
            "\x1c", "\x85", "\xa0", "\u2028", "\u3000", "\ufeff", "-", "\u212a", "\u0966", "d",
            "\\", "\"", "\n", "\x00", "\x1f"]


@pytest.mark.parametrize("text", [
    r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"[\d-]", r"[^\d]", r"[^\w]", r"[^\s]", r"[\S]",
    r"[\s\d_]", r"[\W\d]", r"\\d|\d", r"[^\]\w]", ".", '[^"]', r'[^"\\]', r'[^\n"]', "[^d]"])
def test_classes_of_characters_are_never_wider_than_python_s(text):
    for flags in (0, re.ASCII):
        pattern, held = re.compile(text, flags), grammar(re.compile(text, flags))
        taken = [each for each in EXTREMES if continued(held, each)]
        assert taken and all(map(pattern.fullmatch, taken)), taken
    schema = {"type": "string", "pattern": f"^({text})$"}
    taken = [each for each in EXTREMES if fits(schema, each)]
    assert all(map(re.compile(text).fullmatch, taken)) and taken
    if text in (r"\d", r"\w", r"\s"):      # as ECMA has them, which is JSON schema's
        assert all(map(re.compile(text, re.ASCII).fullmatch, taken))
    assert grammar({"type": "object", "patternProperties": {text: {"type": "null"}}})


@pytest.mark.parametrize("schema, place, reason", [
    ({"properties": {"a": {"items": {"not": {"type": "string"}}}}},
     "format.properties.a.items", "not"),
    ({"$defs": {"x": {"type": "strin"}}, "$ref": "#/$defs/x"}, "format.$defs.x", "strin"),
    ({"anyOf": [{"type": "string"}, {"type": "array", "uniqueItems": True}]},
     "format.anyOf[1]", "uniqueItems"),
    ({"type": "string", "minLength": 3, "maxLength": 1}, "format", "minLength"),
    ({"$ref": "#/nowhere"}, "format", "nowhere"),
    ({"type": "string", "pattern": "(?=a)"}, "format", "look-around"),
])
def test_what_cannot_be_held_is_refused(schema, place, reason):
    with pytest.raises(RequestError) as caught:
        grammar(schema)
    assert str(caught.value).startswith(f"{place}: ") and reason in str(caught.value)
    assert caught.value.error == "invalid JSON schema in format"


def fits(schema, value):
    return continued(grammar(schema), json.dumps(value, ensure_ascii=False))


def continued(source, text):
    """Whether text is a whole answer."""
    try:
        constraint = Constraint(vocabulary(), source, said=text)
    except RequestError:
        return False
    return constraint.done or vocabulary().eos_token_id in allowed(constraint)


@pytest.mark.parametrize("year", [1, 4, 100, 400, 1900, 2000, 2024, 2025, 9999, 0])
def test_days_are_those_of_the_calendar(year):
    for month, day in [(1, 1), (1, 31), (2, 28), (2, 29), (2, 30), (4, 30), (4, 31), (12, 31)]:
        text = f"{year:04}-{month:02}-{day:02}"
        try:
            real = bool(datetime.date.fromisoformat(text))
        except ValueError:
            real = False
        assert fits({"format": "date"}, text) == real, text
        assert fits({"format": "date-time", "type": "string"}, f"{text}T23:59:59.5Z") == real


@pytest.mark.parametrize("name, text, real", [
    ("time", "23:59:60Z", False), ("time", "23:59:59.25+02:00", True), ("time", "24:00:00Z", False),
    ("date-time", "2026-01-01T23:59:60Z", False), ("date-time", "2026-01-01t00:00:00z", True)])
def test_times_are_those_that_programs_read(name, text, real):
    assert fits({"type": "string", "format": name}, text) == real


@pytest.mark.parametrize("schema", [
    {"type": "string", "format": "path"}, {"type": "integer", "format": "int32"},
    {"type": "array", "uniqueItems": False},
    {"properties": {"format": {"enum": ["path"]}, "uniqueItems": {"const": False}}}])
def test_what_holds_nothing_is_passed_over(schema):
    assert grammar(schema)


def test_the_library_prints_nothing(capfd):
    with pytest.raises(RequestError) as caught:
        Constraint(vocabulary(), grammar(DEFINED)).accept(vocabulary()("Hello")[0])
    with pytest.raises(RequestError):
        grammar({"type": "strin"})
    assert not fits({"type": "integer"}, "text")
    assert capfd.readouterr() == ("", "") and "<state>" not in str(caught.value)


@pytest.mark.parametrize("format", [re.compile("(?<=a)b"), Lark("start: nothing")])
def test_a_wrong_pattern_or_grammar(format):
    with pytest.raises(RequestError, match="format: "):
        grammar(format)


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


def test_a_wrong_schema_in_a_large_one_is_found_in_time():
    start = time.monotonic()
    for wrong in ({"p1": {"type": "text"}}, {"z": {"type": "text"}}):
        with pytest.raises(RequestError, match="^format"):
            grammar({"properties": {**{f"p{i}": {"type": "null"} for i in range(3000)}, **wrong},
                     "$defs": {str(i): {"type": "null"} for i in range(3000)}})
    assert time.monotonic() - start < 30


def test_an_error_of_the_library_is_ours():
    constraint = Constraint(vocabulary(), grammar(DEFINED))
    with pytest.raises(RequestError, match="format: "):
        constraint.accept(vocabulary()("Hello")[0])
