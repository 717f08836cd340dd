"""Every field of a request, with valid values, those at their bounds and wrong ones: whole chats,
by the call and over HTTP, which agree on what is a chat and what is whose fault."""
import json

import pytest

import minichat
from minichat.errors import MinichatError
from minichat.options import Options

from .asgi_client import ask

HI = {"role": "user", "content": "Hi!"}
CALL = {"function": {"name": "f", "arguments": {"b": 1, "a": None}}}
TOOL = {"type": "function", "function": {"name": "f"}}
FLAG = [True, False], [1, "true", []]
LARGE = 2**31 - 1

# Beside null, which is "not given" everywhere.
FIELDS = {
    "model": (["nano", " nano\n"], ["", " ", 5, [], "none", "no/such-model"]),
    "messages": (
        [[], [HI], [{**HI, "role": "USER"}], [{**HI, "content": ""}], [{"role": "user"}],
         [{"role": "system", "content": "Be short."}, HI], [HI, {**HI, "role": "assistant"}],
         [HI, {**HI, "role": "assistant", "thinking": "hm"}, HI], [{**HI, "unknown": 1}],
         [HI, {"role": "assistant", "tool_calls": [CALL]},
          {"role": "tool", "content": "1", "tool_name": "f"}],
         [{**HI, "images": []}], [{**HI, "content": "\0 \u2028 \U0001f600"}], [HI] * 300],
        ["hi", {}, 5, [5], ["hi"], [[]], [{}], [{"role": "bot"}], [{**HI, "role": 5}],
         [{**HI, "content": 5}], [{**HI, "content": [{"type": "text", "text": "hi"}]}],
         [{**HI, "thinking": []}], [{**HI, "images": "aGk="}], [{**HI, "images": [5]}],
         [{**HI, "images": ["aGk="]}], [{**HI, "tool_calls": {}}], [{**HI, "tool_calls": [{}]}],
         [{**HI, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]]),
    "stream": FLAG, "truncate": FLAG, "shift": FLAG, "logprobs": FLAG,
    "top_logprobs": ([0, 1, 20], [-1, 21, 1.5, "3", True, []]),
    "format": (["", "json", {}, {"type": "object"}, {"type": "integer", "format": "int32"}],
               ["xml", "JSON", [], 5, True, {"type": "text"}, {"not": {}}]),
    "think": ([True, False, "low", "medium", "high", "max"], ["", "High", "xx", 0, 1, [], {}]),
    "keep_alive": ([0, -0.0, 0.5, 300, -1, 1e30, "0", "-1", "300", "1h30m", ".5s", "+5m"],
                   ["", "abc", "1d", "5 m", "10000000h", True, [], {}]),
    "tools": ([[], [TOOL], [TOOL, {**TOOL, "type": "x"}]],
              [{}, "f", 5, [5], [{"type": 5}], [{}], [{"function": {"name": ""}}]]),
    "options": ([{}, {"seed": None}], [[], "seed", 5, True]),
}
OPTIONS = {
    "num_ctx": ([128, 128.9], [0, -1, LARGE, "x", True, []]),
    "num_predict": ([0, 1, 1.9], [-3, 2**31, "x", True]),
    "num_keep": ([-1, 0, LARGE], [-2, "x"]), "num_batch": ([1, LARGE], [0, "x"]),
    "num_thread": ([0, 1, 4096], [-1, 4097, "x"]), "seed": ([-1, 0, 2**63 - 1], [-2, 2**63, "x"]),
    "temperature": ([0, 0.0, 2, 1e9], [-0.1, "hot", True, []]),
    "top_k": ([0, 1, LARGE], [-1, "x"]), "top_p": ([0, 0.5, 1], [-0.1, 1.1, "x"]),
    "min_p": ([0, 1], [-0.1, 1.1, "x"]), "typical_p": ([0, 1], [-0.1, 1.1, "x"]),
    "repeat_last_n": ([-1, 0, LARGE], [-2, "x"]), "repeat_penalty": ([0.01, 1000], [0, -1, "x"]),
    "presence_penalty": ([-1000, 1000], [-1001, "x"]),
    "frequency_penalty": ([-1000, 1000], [1001, []]),
    "stop": ([[], ["x", "\n"], "x"], [5, [5], {}, [None]]),
    "num_gpu": ([-1, 0, 1], [-2, "x"]), "main_gpu": ([0], [-1, "x"]),
    "use_mmap": ([True, False], [1, "true"]), "draft_num_predict": ([0, 4], [-1, "x"]),
}
CASES = [(field, value, right) for field, both in FIELDS.items()
         for values, right in zip(both, (True, False)) for value in values]
CASES += [("options", {name: value}, right) for name, both in OPTIONS.items()
          for values, right in zip(both, (True, False)) for value in values]
CASES += [(field, None, field != "model") for field in FIELDS]


def test_no_option_is_left_out():
    assert list(OPTIONS) == list(Options.__dataclass_fields__)


@pytest.fixture(scope="module")
def app():
    pytest.importorskip("starlette", reason="no starlette: THE MATRIX IS OF THE CALL ALONE")
    from minichat import asgi
    return asgi.create_app()


def request(field, value):
    asked = {"model": "nano", "messages": [HI], "options": {"num_predict": 2}}
    if field == "options" and isinstance(value, dict):
        value = {**asked["options"], **value}
    return {**asked, field: value}


@pytest.mark.filterwarnings("ignore::minichat.errors.MinichatWarning")
@pytest.mark.parametrize("field, value, right", CASES, ids=lambda each: ascii(each)[:40])
def test_the_call(field, value, right):
    asked = request(field, value)
    if right:
        said = minichat.chat(**asked)
        last = said if value is False and field == "stream" else list(said)[-1]
        assert last["done"] and last["done_reason"] in ("stop", "length", "load", "unload")
    else:
        with pytest.raises(MinichatError) as caught:
            minichat.chat(**asked)
        assert caught.value.status_code == (404 if value in ("none", "no/such-model") else 400)
        assert caught.value.error


@pytest.mark.parametrize("field, value, right", CASES, ids=lambda each: ascii(each)[:40])
def test_over_http(app, field, value, right):
    answer = ask(app, "POST", "/api/chat", request(field, value))
    if right:
        assert answer.status == 200
        last = json.loads(answer.body.splitlines()[-1])
        assert last["done"] and "error" not in last
    else:
        assert answer.status == (404 if value in ("none", "no/such-model") else 400)
        assert set(answer.json) == {"error"} and answer.json["error"]
