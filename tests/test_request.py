"""minichat/request.py: every field, valid, at its bounds and wrong."""
import copy
import enum
import json
import math
import pathlib
import types
from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minichat.chunks import chunk
from minichat.errors import MinichatError, RequestError, Unsupported
from minichat.request import Message, Request, keep_alive_seconds

HI = [{"role": "user", "content": "hi"}]


def parse(**fields):
    return Request.parse(fields.pop("model", "m"), fields.pop("messages", HI), **fields)


def refusal(**fields):
    """The RequestError of a request."""
    with pytest.raises(RequestError) as raised:
        parse(**fields)
    assert raised.value.status_code == 400
    return raised.value


def message(**fields):
    return parse(messages=[{"role": "user", **fields}]).messages[0]


def test_what_is_not_given_has_the_endpoint_s_defaults():
    request = Request.parse("m")
    assert request == Request(model="m", messages=(), stream=True, truncate=True, shift=True,
                              logprobs=False, top_logprobs=0, think=None, keep_alive=None)
    nothing = dict.fromkeys(["tools", "format", "options", "stream", "think", "keep_alive",
                             "truncate", "shift", "logprobs", "top_logprobs", "template",
                             "quantization", "strict"])
    assert Request.parse("m", None, **nothing) == request
    assert Request.parse("m", [], tools=[], format="", options={}) == request


@pytest.mark.parametrize("model, name", [("m", "m"), (" a/b:c\n", "a/b:c"),
                                         (pathlib.PurePosixPath("x/y"), "x/y")])
def test_a_model_is_a_name_or_a_path(model, name):
    assert parse(model=model).model == name


@pytest.mark.parametrize("model", ["", " \n", None])
def test_a_model_is_required(model):
    assert refusal(model=model).error == "model is required"


@pytest.mark.parametrize("model", [5, b"m", ["m"], "\ud800", "a\0b", pathlib.PurePosixPath("a\0b")])
def test_a_model_is_text(model):
    assert str(refusal(model=model)).startswith("model: found ")


@pytest.mark.parametrize("name", ["stream", "truncate", "shift", "logprobs"])
def test_flags_are_true_or_false(name):
    assert getattr(parse(**{name: True}), name) is True
    assert getattr(parse(**{name: False}), name) is False
    for wrong in (0, 1, "true", "false", [], 1.0):
        found = type(wrong).__name__
        assert str(refusal(**{name: wrong})) == f"{name}: found {found}; true or false is allowed"


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool", "USER", "Assistant"])
def test_roles_are_lower_cased(role):
    assert parse(messages=[{"role": role, "content": ""}]).messages[0].role == role.lower()


@pytest.mark.parametrize("role", ["", "bot", "developer", None, "user "])
def test_an_unknown_role_is_told_the_known(role):
    assert str(refusal(messages=[*HI, {"role": role, "content": "x"}])) == (
        f"messages[1].role: found {role!r}; system, user, assistant, tool are allowed")
    assert "messages[0].role: found None" in str(refusal(messages=[{"content": "x"}]))


@pytest.mark.parametrize("field", ["content", "thinking", "tool_name", "tool_call_id", "role"])
def test_texts_of_a_message_are_strings(field):
    for wrong in (1, True, ["x"], {"a": 1}, b"x", [{"type": "text", "text": "hi"}]):
        assert str(refusal(messages=[*HI, {"role": "user", field: wrong}])) == (
            f"messages[1].{field}: found {type(wrong).__name__}; a string is allowed")
    assert "lone surrogate at 1" in str(refusal(messages=[{"role": "user", field: "a\ud83d"}]))


def test_a_message_keeps_what_it_was_given_and_no_more():
    full = {"role": "tool", "content": "x", "thinking": "t", "tool_name": "f", "tool_call_id": "1"}
    assert message(**full).to_dict() == full
    assert message(content=None, thinking=None, images=None, extra=1).to_dict() == {
        "role": "user", "content": ""}
    assert message(content="\0 \u2028 😀").content == "\0 \u2028 😀"


def test_a_chunk_s_message_can_be_sent_back():
    assert Message.parse(chunk("m", "hi", thinking="hm")["message"], "m").to_dict() == {
        "role": "assistant", "content": "hi", "thinking": "hm"}


class Slotted:
    __slots__ = ("content", "role")

    def __init__(self):
        self.role, self.content = "user", "hi"


class Dumped:
    def model_dump(self):
        return {"role": "user", "content": "hi", "images": None}


class Role(str, enum.Enum):
    USER = "user"


@pytest.mark.parametrize("given_message", [
    HI[0], OrderedDict(HI[0]), types.MappingProxyType(HI[0]), types.SimpleNamespace(**HI[0]),
    Slotted(), Dumped(), {"role": Role.USER, "content": "hi"}])
def test_a_message_is_a_mapping_or_has_attributes(given_message):
    [parsed] = parse(messages=[given_message]).messages
    assert parsed == Message("user", "hi") and type(parsed.role) is str


@pytest.mark.parametrize("messages, place", [
    ("hi", "messages"), ({"role": "user"}, "messages"), (5, "messages"), (b"hi", "messages"),
    (["hi"], "messages[0]"), ([None], "messages[0]"), ([HI], "messages[0]"), ([5], "messages[0]"),
    ([object()], "messages[0]")])
def test_messages_are_a_list_of_them(messages, place):
    assert str(refusal(messages=messages)).startswith(f"{place}: found ")


def test_messages_may_be_a_tuple_or_an_iterator():
    assert len(parse(messages=tuple(HI * 3)).messages) == 3
    assert len(parse(messages=iter(HI * 3)).messages) == 3


def call(**function):
    return [{"function": {"name": "f", "arguments": {"a": [1, {"b": None}]}, **function}}]


def test_calls_keep_the_order_of_their_arguments_and_no_unknown_keys():
    sent = [{"id": "1", "type": "function", "function": {
        "index": 0, "name": "f", "arguments": {"z": 1, "a": [1.5, True, None, {"k": "v"}]}}}]
    parsed = message(tool_calls=sent)
    assert json.dumps(parsed.to_dict()["tool_calls"]) == json.dumps(
        [{"id": "1", "function": {"name": "f", "arguments": sent[0]["function"]["arguments"]}}])
    assert message(tool_calls=call(arguments=None)).tool_calls[0]["function"]["arguments"] == {}


@pytest.mark.parametrize("calls, place", [
    ("f", "tool_calls"), ({}, "tool_calls"), (["f"], "tool_calls[0]"),
    ([{}], "tool_calls[0].function"), ([{"function": "f"}], "tool_calls[0].function"),
    (call(arguments='{"a": 1}'), "tool_calls[0].function.arguments"),
    (call(arguments=[1]), "tool_calls[0].function.arguments"),
    (call(name=5), "tool_calls[0].function.name"),
    ([{"id": 5, **call()[0]}], "tool_calls[0].id"),
    (call(arguments={"a": {"b": math.nan}}), "tool_calls[0].function.arguments.a.b"),
    (call(arguments={"a": [1, {2}]}), "tool_calls[0].function.arguments.a[1]"),
    (call(arguments={"a": 10**5000}), "tool_calls[0].function.arguments.a"),
    (call(arguments={"a": "\udfff"}), "tool_calls[0].function.arguments.a")])
def test_a_wrong_call_is_found_where_it_is(calls, place):
    error = refusal(messages=[*HI, {"role": "assistant", "tool_calls": calls}])
    assert str(error).startswith(f"messages[1].{place}: found ")


@pytest.mark.parametrize("key", [1, None, True, ("a",)])
def test_keys_of_arguments_are_strings(key):
    error = refusal(messages=[{"role": "assistant", "tool_calls": call(arguments={key: 1})}])
    assert str(error) == (f"a key of messages[0].tool_calls[0].function.arguments: found "
                          f"{type(key).__name__}; a string is allowed")


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_has_a_bottom():
    message(tool_calls=call(arguments={"a": nested(90)}))
    cycle = {}
    cycle["a"] = cycle
    wide = [0]
    for _ in range(60):
        wide = [wide, wide]
    for hostile in (nested(100_000), cycle, wide):
        calls = call(arguments={"a": hostile})
        error = refusal(messages=[{"role": "assistant", "tool_calls": calls}])
        assert "nested too deeply or too large" in str(error) and len(str(error)) < 1000


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def test_tools_are_checked():
    for wrong in ("f", [5], [None], ["f"], [{"type": {1}}], [{1: 2}], [{}], [{"function": {}}]):
        assert "tools" in str(refusal(tools=wrong))
    assert parse(tools=[TOOL]).tools == (TOOL,) and parse(tools=[TOOL]).tools[0] is not TOOL


def test_a_function_is_a_tool():
    def double(number: int) -> int:
        """Doubles a number."""

    [tool] = parse(tools=[double]).tools
    assert tool["function"]["name"] == "double"
    assert tool["function"]["parameters"]["properties"] == {"number": {"type": "integer"}}


@pytest.mark.parametrize("value, raw", [("xml", '\\"xml\\"'), ("JSON", '\\"JSON\\"'), (5, "5"),
                                        ([], "[]"), (["a", 1], '[\\"a\\",1]'), (True, "true")])
def test_a_wrong_format_has_the_endpoint_s_text(value, raw):
    assert refusal(format=value).error == (
        f'invalid format: "{raw}"; expected "json" or a valid JSON Schema object')


@pytest.mark.parametrize("value", ["json", {"type": "object"}, {}, OrderedDict(type="object")])
def test_a_right_format(value):
    assert parse(format=value).format == value


def test_images_are_checked_and_then_not_supported():
    for wrong in ("aGk=", [5], {"a": b""}, [None], ["\ud800"]):
        error = refusal(messages=[{"role": "user", "images": wrong}])
        assert str(error).startswith("messages[0].images")
    for image in ("aGk=", b"\x89PNG", bytearray(b"x"), pathlib.PurePosixPath("a.png")):
        with pytest.raises(Unsupported, match="images") as raised:
            message(images=[image])
        assert raised.value.error == "this model does not support image input"
    assert message(images=[]).images == ()


@pytest.mark.parametrize("value", [True, False, "low", "medium", "high", "max", None])
def test_think_is_a_switch_or_a_level(value):
    assert parse(think=value).think is value or parse(think=value).think == value


CHOICES = '"high", "medium", "low", "max", true, or false'


@pytest.mark.parametrize("value, error", [
    ("xx", f'invalid think value: "xx" (must be {CHOICES})'),
    ("", f'invalid think value: "" (must be {CHOICES})'),
    ("High", f'invalid think value: "High" (must be {CHOICES})'),
    (1, f"think must be a boolean or string ({CHOICES})"),
    (0.0, f"think must be a boolean or string ({CHOICES})"),
    ([], f"think must be a boolean or string ({CHOICES})")])
def test_a_wrong_think_has_the_endpoint_s_text(value, error):
    assert refusal(think=value).error == error


def test_a_model_that_cannot_think_says_so_only_where_it_should():
    for silent in (None, False):
        parse(think=silent).refuse_thinking()
    for asked in (True, "low"):
        with pytest.raises(RequestError) as raised:
            parse(model="my/m", think=asked).refuse_thinking()
        assert raised.value.error == '"my/m" does not support thinking'


def test_top_logprobs_are_few():
    for count in (0, 1, 20):
        assert parse(logprobs=True, top_logprobs=count).top_logprobs == count
    for count in (-1, 21, 10**5000, -10**30):
        assert refusal(top_logprobs=count).error == "top_logprobs must be between 0 and 20"
    for wrong in (True, 1.5, 2.0, "3", [1], math.nan):
        assert "a whole number is allowed" in str(refusal(top_logprobs=wrong))
    assert refusal(model="", top_logprobs=21).error.startswith("top_logprobs")


@pytest.mark.parametrize("name, good, bad", [
    ("quantization", "q8", "q5"), ("quantization", "f32", ""), ("quantization", "bf16", 4),
    ("template", "{{ x }}", 5), ("template", "", ["a"])])
def test_template_and_quantization(name, good, bad):
    assert getattr(parse(**{name: good}), name) == good
    assert str(refusal(**{name: bad})).startswith(f"{name}: found ")


def test_options_are_checked_with_the_request():
    assert parse(options={"top_k": 3.7}).options == {"top_k": 3}
    assert parse(options=types.SimpleNamespace(top_k=3)).options == {"top_k": 3}
    assert str(refusal(options={"top_k": "x"})).startswith("options.top_k: found 'x'")
    assert "unknown" in str(refusal(options={"topk": 1}, strict=True))
    for wrong in ([], "x", 5, [("top_k", 1)]):
        assert str(refusal(options=wrong)).startswith("options: found ")


FOREVER = math.inf
DURATIONS = [
    (None, None), (0, 0), (300, 300), (0.5, 0.5), (-1, FOREVER), (-0.001, FOREVER), (-0.0, 0),
    (1 << 3000, FOREVER), (1e30, FOREVER), (math.inf, FOREVER), ("5m", 300), ("1h30m", 5400),
    ("1.5h", 5400), (".5s", 0.5), ("1.s", 1), ("500ms", 0.5), ("2us", 2e-6), ("2\xb5s", 2e-6),
    ("2\u03bcs", 2e-6), ("3ns", 3e-9), ("0", 0), ("-0", 0), ("+0", 0), ("+5m", 300),
    ("-1s", FOREVER), ("-1", FOREVER), ("300", 300), ("1h0m0s", 3600), ("1.5", 1.5),
]


@pytest.mark.parametrize("value, seconds", DURATIONS, ids=ascii)
def test_keep_alive_is_seconds(value, seconds):
    assert keep_alive_seconds(value) == parse(keep_alive=value).keep_alive
    if seconds is None:
        assert keep_alive_seconds(value) is None
    else:
        assert keep_alive_seconds(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value, error", [
    ("abc", 'time: invalid duration "abc"'), ("", 'time: invalid duration ""'),
    ("10000000h", 'time: invalid duration "10000000h"'), ("-", 'time: invalid duration "-"'),
    (".", 'time: invalid duration "."'), ("--1s", 'time: invalid duration "--1s"'),
    (" 5m", 'time: invalid duration " 5m"'), ("nan", 'time: invalid duration "nan"'),
    ("1d", 'time: unknown unit "d" in duration "1d"'),
    ("5 m", 'time: unknown unit " m" in duration "5 m"'),
    ("5M", 'time: unknown unit "M" in duration "5M"'),
    ("1h30", 'time: missing unit in duration "1h30"'),
    ("1.2.3s", 'time: missing unit in duration "1.2.3s"'),
    ("\u0661s", 'time: invalid duration "\u0661s"'),
    ("9" * 5000, f'time: invalid duration "{"9" * 5000}"'),
    (True, "Unsupported type: 'bool'"), ([], "Unsupported type: '[]interface {}'"),
    ({}, "Unsupported type: 'map[string]interface {}'")], ids=lambda x: repr(x)[:30])
def test_a_wrong_keep_alive_has_the_endpoint_s_text(value, error):
    raised = refusal(keep_alive=value)
    assert raised.error == error and len(str(raised)) < 200


@pytest.mark.parametrize("value", [math.nan, b"5m", (1,), object(), "\ud800"])
def test_a_strange_keep_alive_is_refused_too(value):
    assert str(refusal(keep_alive=value)).startswith("keep_alive: found ")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([b"x", 1 << 3000, "\ud800", "user", "json", "5m", "q8", "low"]),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner)
    | st.dictionaries(st.sampled_from(["role", "content", "function", "arguments", "name", "x"])
                      | st.integers(), inner, max_size=4), max_leaves=6)
FIELDS = ["model", "messages", "tools", "format", "options", "stream", "think", "keep_alive",
          "truncate", "shift", "logprobs", "top_logprobs", "template", "quantization", "strict"]


@pytest.mark.filterwarnings("ignore::minichat.errors.MinichatWarning")
@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
       st.lists(st.dictionaries(st.sampled_from(["role", "content", "images", "tool_calls"]),
                                VALUES, max_size=3), max_size=3))
def test_whatever_is_sent_is_a_request_or_an_error_of_ours(fields, messages):
    request = {"model": "m", "messages": messages, **fields}
    before = copy.deepcopy(request)
    try:
        made = parse(**dict(request))
    except MinichatError as error:
        assert error.status_code == 400 and str(error) and error.error
    else:
        json.dumps([message.to_dict() for message in made.messages]).encode()
    assert same(request, before)


def same(a, b):
    """Equal, where NaN is itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or math.isnan(a) and math.isnan(b)


def test_nothing_of_the_caller_s_is_kept():
    calls = call()
    messages = [{"role": "assistant", "content": "x", "tool_calls": calls}]
    parsed = parse(messages=messages).messages[0]
    calls[0]["function"]["arguments"]["a"].append("later")
    messages[0]["content"] = "later"
    parsed.to_dict()["tool_calls"][0]["function"]["name"] = "later"
    assert parsed.content == "x" and parsed.tool_calls[0] == call()[0]
