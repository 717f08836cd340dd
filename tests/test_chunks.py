"""minichat/chunks.py: the endpoint's objects, key by key."""
import copy
import json
import pickle
import re
import time

import pytest

from minichat import chunks
from minichat.chunks import Chunk, Clock, Counts

FIGURES = ["total_duration", "load_duration", "prompt_eval_count", "prompt_eval_cached_count",
           "prompt_eval_duration", "eval_count", "eval_duration"]


class Ticks:
    """A clock of nanoseconds that moves when it is told to."""
    now = 1000

    def __call__(self):
        return self.now


def without_time(chunk):
    return {key: value for key, value in chunk.items() if key != "created_at"}


def test_a_content_chunk_is_the_specification_s_object():
    made = chunks.chunk("m", "Hel")
    assert json.dumps(without_time(made)) == json.dumps(
        {"model": "m", "message": {"role": "assistant", "content": "Hel", "images": None},
         "done": False})
    assert list(made) == ["model", "created_at", "message", "done"]


def test_a_thinking_chunk_has_empty_content():
    message = chunks.chunk("m", thinking="hm")["message"]
    assert list(message.items()) == [("role", "assistant"), ("content", ""), ("images", None),
                                     ("thinking", "hm")]


def test_a_call_is_whole_and_has_its_keys_in_order():
    call = chunks.tool_call(0, "f", {"z": 1, "a": 2})
    assert re.fullmatch("call_[a-z0-9]{8}", call.id)
    made = chunks.chunk("m", tool_calls=[call])
    assert json.dumps(made["message"]) == (
        '{"role": "assistant", "content": "", "images": null, "tool_calls": [{"id": '
        '"%s", "function": {"index": 0, "name": "f", "arguments": {"z": 1, "a": 2}}}]}' % call.id)
    assert made.message.tool_calls[0].function.name == "f"


def test_logprobs_stand_beside_the_message():
    top = [("hé", -0.25, b"h\xc3\xa9"), ("x", -2.0, b"x")]
    entry = chunks.logprob("hé", -0.25, "hé".encode(), top)
    made = chunks.chunk("m", "hé", logprobs=[entry])
    assert list(made) == ["model", "created_at", "message", "done", "logprobs"]
    assert made["logprobs"] == [{
        "token": "hé", "logprob": -0.25, "bytes": [104, 195, 169], "top_logprobs": [
            {"token": "hé", "logprob": -0.25, "bytes": [104, 195, 169]},
            {"token": "x", "logprob": -2.0, "bytes": [120]}]}]
    assert list(entry) == ["token", "logprob", "bytes", "top_logprobs"]
    assert list(chunks.logprob("a", 0.0, b"a")) == ["token", "logprob", "bytes"]


def test_the_last_chunk_has_every_figure_even_where_it_is_0():
    ticks = Ticks()
    made = chunks.last("m", "stop", Clock(ticks))
    assert list(made) == ["model", "created_at", "message", "done", "done_reason", *FIGURES]
    assert made["message"] == {"role": "assistant", "content": "", "images": None}
    assert made["done"] is True and made["done_reason"] == "stop"
    assert [made[key] for key in FIGURES] == [0] * 7


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_load_and_unload_have_the_last_chunk_s_shape(reason):
    made = chunks.last("m", reason, Clock())
    assert made["done_reason"] == reason and made["message"]["content"] == ""
    assert list(made)[5:] == FIGURES


def test_what_was_lost_is_told_last_and_only_then():
    made = chunks.last("m", "length", Clock(), Counts(26, 20, 12, 3, 0),
                       [chunks.logprob("", 0, b"")])
    assert list(made)[4:6] == ["done_reason", "logprobs"]
    assert list(made)[6:] == [*FIGURES, "dropped_messages"]
    assert (made.prompt_eval_count, made.prompt_eval_cached_count, made.eval_count,
            made.dropped_messages, made.shifted_tokens) == (26, 20, 12, 3, None)
    both = chunks.last("m", "length", Clock(), Counts(dropped_messages=1, shifted_tokens=2))
    assert list(both)[-2:] == ["dropped_messages", "shifted_tokens"]


def test_durations_are_of_their_phase():
    ticks = Ticks()
    clock = Clock(ticks)
    with clock.measure("load"):
        ticks.now += 100
    ticks.now += 10
    clock.add("prompt_eval", 30)
    ticks.now += 50
    with pytest.raises(KeyError), clock.measure("eval"):
        ticks.now += 7
        raise KeyError
    made = chunks.last("m", "stop", clock)
    assert (made.load_duration, made.prompt_eval_duration, made.eval_duration,
            made.total_duration) == (100, 30, 7, 167)


def test_the_total_is_never_less_than_its_parts():
    clock = Clock(Ticks())
    clock.add("eval", 500)
    clock.add("prompt_eval", -5)
    assert clock.total_ns() == 500 and clock.spent["prompt_eval"] == 0


@pytest.mark.parametrize("now_ns, written", [
    (0, "1970-01-01T00:00:00Z"), (1_767_323_045_678_900_000, "2026-01-02T03:04:05.6789Z"),
    (1_767_323_045_000_000_001, "2026-01-02T03:04:05.000000001Z"),
    (1_767_323_045_100_000_000, "2026-01-02T03:04:05.1Z")])
def test_times_are_rfc_3339_without_trailing_zeros(now_ns, written):
    assert chunks.created_at(now_ns) == written


def test_created_at_is_now():
    before = chunks.created_at(time.time_ns())[:19]
    made = chunks.chunk("m")["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", made)
    assert before <= made[:19] <= chunks.created_at(time.time_ns())[:19]


def test_a_chunk_is_a_dict_with_attributes():
    made = chunks.chunk("m", "Hi")
    assert isinstance(made, dict) and made == dict(made) and json.loads(json.dumps(made)) == made
    assert made.message.content == made["message"]["content"] == "Hi"
    assert made.done is False and made.message.thinking is None and made.done_reason is None
    assert "message" in dir(made) and "done_reason" not in made


def test_attributes_are_known_and_read_only():
    made = chunks.chunk("m", "Hi")
    for name in ("contents", "__len_hint__", "_x"):
        with pytest.raises(AttributeError, match=name):
            getattr(made, name)
    with pytest.raises(AttributeError, match="Chunk.done is read-only"):
        made.done = True
    with pytest.raises(AttributeError):
        made.message.content = ""
    assert made["done"] is False


def test_a_chunk_survives_copies_and_pickles():
    made = chunks.chunk("m", "Hi", logprobs=[chunks.logprob("Hi", -1.0, b"Hi", [])])
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
        assert again == made and type(again) is Chunk and again.message.content == "Hi"


def test_chunks_join_into_one():
    one, two = chunks.logprob("a", -1.0, b"a"), chunks.logprob("b", -2.0, b"b")
    call = chunks.tool_call(0, "f", {})
    end = chunks.last("m", "stop", Clock(), Counts(5, 0, 3, shifted_tokens=1), [two])
    whole = chunks.join(iter([
        chunks.chunk("m", thinking="h"), chunks.chunk("m", thinking="m", logprobs=[one]),
        chunks.chunk("m", "Hel"), chunks.chunk("m", "lo"), chunks.chunk("m", tool_calls=[call]),
        end]))
    assert list(whole) == list(end) and type(whole) is Chunk
    assert whole["message"] == {"role": "assistant", "content": "Hello", "images": None,
                                "thinking": "hm", "tool_calls": [call]}
    assert whole["logprobs"] == [one, two]
    rest = [key for key in end if key not in ("message", "logprobs")]
    assert [whole[key] for key in rest] == [end[key] for key in rest]


def test_the_end_alone_joins_into_itself():
    end = chunks.last("m", "load", Clock())
    assert chunks.join([end]) == end and list(chunks.join([end])) == list(end)
