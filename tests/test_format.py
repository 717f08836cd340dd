"""format, through the API, with the model in the box."""
import dataclasses
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TypedDict

import jsonschema
import pytest

import minichat
from minichat import Lark, RequestError, constrain
from tests.json_schemas import schemas

SCHEMAS = schemas()
SKY = [{"role": "user", "content": "why is the sky blue?"}]
DEFINED = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"enum": ["x", "y"]}},
           "required": ["b", "a"], "additionalProperties": False}


@pytest.fixture(scope="module")
def nano():
    with minichat.load("nano") as model:
        yield model


def ask(model, format, **more):
    options = {"seed": 1, "num_predict": 400, **more.pop("options", {})}
    return model.chat(SKY, format=format, stream=False, options=options, **more)


def check(said, schema):
    if said.done_reason == "stop":
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(schema, format_checker=checker).validate(
            json.loads(said.message.content))
    return said.done_reason


@pytest.mark.parametrize("temperature", [0, .8, 2])
def test_the_answer_is_valid_or_too_long(nano, temperature):
    """Two hundred schemas over all that can be held."""
    assert len(SCHEMAS) == 200
    ends = [check(ask(nano, schema, options={"temperature": temperature, "seed": i}), schema)
            for i, schema in enumerate(SCHEMAS)]
    assert set(ends) <= {"stop", "length"} and ends.count("stop") > 150


def test_json_is_an_object(nano):
    for seed in range(20):
        said = ask(nano, "json", options={"seed": seed})
        assert said.done_reason == "length" or isinstance(json.loads(said.message.content), dict)


@dataclasses.dataclass
class Pet:
    name: str
    legs: int


class City(TypedDict):
    name: str
    old: bool


@pytest.mark.parametrize("kind, names", [(Pet, ["name", "legs"]), (City, ["name", "old"])])
def test_python_types(nano, kind, names):
    said = ask(nano, kind, options={"temperature": 0})
    assert list(json.loads(said.message.content)) == names


class Model:
    """As pydantic's models look from outside."""

    @classmethod
    def model_json_schema(cls):
        return DEFINED


def test_models(nano):
    assert check(ask(nano, Model), DEFINED) == "stop"


@pytest.mark.parametrize("format, pattern", [
    (re.compile("(yes|no), (sir|madam)"), "(yes|no), (sir|madam)"),
    (re.compile("[A-C]{3}", re.I), "(?i)[A-C]{3}"),
    (Lark('start: "so" ("u" | "\\n"){2,4} "th"'), "so[u\\n]{2,4}th")])
def test_patterns_and_grammars(nano, format, pattern):
    for seed in range(5):
        assert re.fullmatch(pattern, ask(nano, format, options={"seed": seed}).message.content)


@pytest.mark.parametrize("think", [None, False])
def test_without_thinking_the_first_token_is_held(nano, think):
    said = ask(nano, DEFINED, think=think)
    assert said.message.thinking is None and check(said, DEFINED) == "stop"


def test_after_thinking(nano):
    said = ask(nano, DEFINED, think=True, options={"temperature": 0})
    assert len(said.message.thinking) > 10
    assert check(said, DEFINED) == "stop"


def test_it_streams(nano):
    chunks = list(nano.chat(SKY, format=DEFINED, options={"seed": 3}))
    assert chunks[-1].done and chunks[-1].done_reason == "stop" and len(chunks) > 4
    check(minichat.chunks.join(chunks), DEFINED)


def test_logprobs_change_nothing(nano):
    """Forced tokens are the same, each with its forward pass."""
    for seed in range(5):
        plain = ask(nano, DEFINED, options={"seed": seed})
        told = ask(nano, DEFINED, options={"seed": seed}, logprobs=True, top_logprobs=2)
        assert told.message == plain.message and told.eval_count == plain.eval_count
        assert "".join(each.token for each in told.logprobs).strip() == plain.message.content
        assert all(each.logprob <= 0 and len(each.top_logprobs) == 2 for each in told.logprobs)


def test_forced_tokens_take_no_step_of_their_own(nano, monkeypatch):
    steps, step = [], nano.engine._step
    monkeypatch.setattr(nano.engine, "_step", lambda batch: steps.append(batch) or step(batch))
    text = "a sentence of many words, all of which are known before the model says the first"
    schema = {"type": "object", "required": ["text", "sure"], "additionalProperties": False,
              "properties": {"text": {"const": text}, "sure": {"type": "boolean"}}}
    said = ask(nano, schema)
    assert json.loads(said.message.content)["text"] == text
    assert 2 * len(steps) < said.eval_count     # the others choose blanks, and "sure"
    steps.clear()
    assert ask(nano, schema, logprobs=True).eval_count == said.eval_count <= len(steps)


def test_a_grammar_that_fails_ends_its_own_chat_alone(nano, monkeypatch):
    mask = constrain.Constraint.mask
    monkeypatch.setattr(constrain.Constraint, "mask", lambda held: 1 // 0
                        if held._matcher.is_accepting() else mask(held))
    with nano.chat(SKY, options={"seed": 1}) as other:
        next(other)
        with pytest.raises(ZeroDivisionError):
            ask(nano, {"type": "integer"})
        assert list(other)[-1].done
    assert ask(nano, None).message.content


def test_neither_company_nor_chunking_changes_it(nano):
    alone = [ask(nano, schema, options={"seed": i}) for i, schema in enumerate(SCHEMAS[:40])]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(
            lambda i: ask(nano, SCHEMAS[i], options={"seed": i, "num_batch": 1 + i % 3}),
            range(40)))
    assert [each.message for each in together] == [each.message for each in alone]
    assert [each.eval_count for each in together] == [each.eval_count for each in alone]


def test_a_continued_answer(nano):
    said = nano.chat([*SKY, {"role": "assistant", "content": '{"b": 1'}], format=DEFINED,
                     stream=False, options={"seed": 1})
    assert json.loads('{"b": 1' + said.message.content)["b"] >= 1
    with pytest.raises(RequestError, match="does not fit format"):
        nano.chat([*SKY, {"role": "assistant", "content": "Well"}], format=DEFINED)


def test_the_limit_ends_it(nano):
    said = ask(nano, DEFINED, options={"num_predict": 3})
    assert said.done_reason == "length" and said.eval_count == 3


def test_a_context_that_is_full(nano):
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 90}
    said = ask(nano, schema, options={"num_ctx": 64, "num_predict": 300})
    assert said.shifted_tokens and check(said, schema) in ("stop", "length")


@pytest.mark.parametrize("format, error", [
    ("xml", r'invalid format: "\"xml\""; expected "json" or a valid JSON Schema object'),
    (["json"], 'invalid format: "[\\"json\\"]"; expected "json" or a valid JSON Schema object'),
    ({"type": "strin"}, "invalid JSON schema in format"),
    (True, 'invalid format: "true"; expected "json" or a valid JSON Schema object'),
])
def test_wrong_ones(nano, format, error):
    with pytest.raises(RequestError) as caught:
        nano.chat(SKY, format=format)
    assert caught.value.error == error and str(caught.value).startswith("format: ")


@pytest.mark.parametrize("given", ["", None])
def test_nothing_is_no_format(nano, given):
    assert ask(nano, given).message.content == ask(nano, None).message.content
