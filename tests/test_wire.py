"""wire.py: bodies of requests, decoded and refused in the endpoint's words."""
import base64
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minichat import wire
from minichat.errors import RequestError

CHAT = "json: cannot unmarshal {} into Go struct field ChatRequest.{} of type {}"


def chat(body):
    return wire.decoded(body.encode() if isinstance(body, str) else body, wire.CHAT)


def test_what_is_ignored_and_what_is_not():
    assert chat("null") == chat(" {} x") == chat('{"model": null, "unknown": [1]}') == {}
    assert chat('{"MoDeL": "A", "KEEP_ALIVE": "1h"} {') == {"model": "A", "keep_alive": 3600.0}
    assert chat('{"model": "a", "Model": "b"}') == {"model": "b"}
    assert chat(b'{"model": "\xff"}') == {"model": "\ufffd"}
    assert chat('{"messages": [null, {"Role": "user", "CONTENT": null, "x": 1}]}') == {
        "messages": [{}, {"role": "user"}]}


def test_what_is_the_callers_keeps_its_case_and_its_order():
    arguments, schema = {"Z": 1, "a": None, "B": {"C": []}}, {"TYPE": "object", "Z": None}
    call = {"id": "1", "Function": {"Index": 0, "Name": "F", "Arguments": arguments}}
    tool = {"Type": "function", "function": {"NAME": "F", "Parameters": schema, "strict": True}}
    made = chat(json.dumps({"tools": [tool], "format": schema, "options": {"Seed": 1},
                            "messages": [{"tool_calls": [call]}]}))
    assert json.dumps(made["messages"][0]["tool_calls"][0]["function"]["arguments"]) \
        == json.dumps(arguments)
    assert made["tools"] == [{"type": "function", "function": {"name": "F", "parameters": schema}}]
    assert made["format"] == schema and made["options"] == {"Seed": 1}


@pytest.mark.parametrize("sent, kept", [
    (0.5, 0.5), ("1h30m", 5400.0), (-1, math.inf), ("-1", math.inf), (0, 0.0)])
def test_keep_alive(sent, kept):
    assert chat(json.dumps({"keep_alive": sent})) == {"keep_alive": kept}


def test_pictures_are_base64_and_never_paths():
    data = bytes(range(256))
    text = base64.encodebytes(data).decode()
    assert chat(json.dumps({"messages": [{"images": [text, ""]}]})) == {
        "messages": [{"images": [data, b""]}]}
    for wrong, at in (("!!notb64", 0), ("data:image/png;base64,AAAA", 4), ("/etc/passwd", 8),
                      ("aGk", 0), ("AAAAaG", 4), ("YWJj\u00e9", 4)):
        with pytest.raises(RequestError) as caught:
            chat(json.dumps({"messages": [{"images": [wrong]}]}))
        assert caught.value.error == f"illegal base64 data at input byte {at}"


@pytest.mark.parametrize("body, error", [
    ("", "missing request body"),
    (" \n", "missing request body"),
    ("{", "unexpected EOF"),
    ('{"model', "unexpected EOF"),
    ('{"model":"a\\', "unexpected EOF"),
    ('{"stream":tru', "unexpected EOF"),
    ('{"top_logprobs":-', "unexpected EOF"),
    ('{"model":"m",}', "invalid character '}' looking for beginning of object key string"),
    ("{'model':1}", r"invalid character '\'' looking for beginning of object key string"),
    ('{"model" 1}', "invalid character '1' after object key"),
    ('{"a":{"b":[]} "c":2}', "invalid character '\"' after object key:value pair"),
    ('{"a":["]" 2]}', "invalid character '2' after array element"),
    ('{"a":[1,]}', "invalid character ']' looking for beginning of value"),
    ("\u00e9", "invalid character '\u00c3' looking for beginning of value"),
    ('{"a":NaN}', "invalid character 'N' looking for beginning of value"),
    ('{"a":-Infinity}', "invalid character 'I' in numeric literal"),
    ('{"a":"\n"}', r"invalid character '\n' in string literal"),
    (r'{"a":"\x"}', "invalid character 'x' in string escape code"),
    (r'{"a":"\u00g0"}', r"invalid character 'g' in \u hexadecimal character escape"),
    ("[" * 100_000, "exceeded max depth"),
    ("[]", "json: cannot unmarshal array into Go value of type api.ChatRequest"),
    ('"x"', "json: cannot unmarshal string into Go value of type api.ChatRequest"),
    ('{"model":1}', CHAT.format("number", "model", "string")),
    ('{"messages":"hi"}', CHAT.format("string", "messages", "[]api.Message")),
    ('{"messages":[1]}', CHAT.format("number", "messages", "api.Alias")),
    ('{"messages":[{"content":1}]}', CHAT.format("number", "messages.content", "string")),
    ('{"messages":[{"content":[]}]}', CHAT.format("array", "messages.content", "string")),
    ('{"messages":[{"images":"aGk="}]}',
     CHAT.format("string", "messages.images", "[]api.ImageData")),
    ('{"stream":"false"}', CHAT.format("string", "stream", "bool")),
    ('{"options":[]}', CHAT.format("array", "options", "map[string]interface {}")),
    ('{"tools":{}}', CHAT.format("object", "tools", "api.Tools")),
    ('{"top_logprobs":1.5}', CHAT.format("number 1.5", "top_logprobs", "int")),
    ('{"top_logprobs":-1}', "top_logprobs must be between 0 and 20"),
    ('{"think":"xx"}',
     'invalid think value: "xx" (must be "high", "medium", "low", "max", true, or false)'),
    ('{"think":[]}',
     'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'),
    ('{"keep_alive":"abc"}', 'time: invalid duration "abc"'),
    ('{"keep_alive":""}', 'time: invalid duration ""'),
    ('{"keep_alive":"1d"}', 'time: unknown unit "d" in duration "1d"'),
    ('{"keep_alive":{}}', "Unsupported type: 'map[string]interface {}'")])
def test_errors(body, error):
    with pytest.raises(RequestError) as caught:
        chat(body)
    assert caught.value.error == error and caught.value.status_code == 400


@pytest.mark.parametrize("text, problem, error", [
    ('{"a":1, }', "Illegal trailing comma before end of object",
     "invalid character '}' looking for beginning of object key string"),
    ("[1,]", "Illegal trailing comma before end of array",
     "invalid character ']' looking for beginning of value")])
def test_what_newer_pythons_complain_of(text, problem, error):
    assert wire.complaint(text, problem, text.index(",")) == error


def test_numbers_too_long_for_python():
    with pytest.raises(RequestError, match="thousands of digits"):
        chat("1" * 5000)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([*wire.CHAT.fields, *wire.MESSAGE.fields, "function", "name", "x"]),
        inner, max_size=4), max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=30) | VALUES.map(lambda value: json.dumps(value).encode()),
       st.integers(0, 60))
def test_nothing_but_request_errors(body, cut):
    for kind in (wire.CHAT, wire.SHOW):
        for sent in (body, body[:cut]):
            try:
                assert isinstance(wire.decoded(sent, kind), dict)
            except RequestError as error:
                assert error.error
