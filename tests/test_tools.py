"""Tools through whole chats with the model in the box: what is called, and what is not lost."""
import json
import re
from itertools import pairwise

import pytest

import minichat
from minichat import RequestError

from .random_model import TINY, write

GREEDY = {"temperature": 0}
ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]
PARIS = ('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}\n'
         '</tool_call>')
ROME = PARIS.replace("Paris", "Rome")


def get_weather(city: str, days: int = 1) -> str:
    """Tells the weather in a city.

    Args:
        city: the name of the city
    """
    return f"sun in {city}"


def say(text, stream=True, **more):
    """What becomes of an answer that goes on with this text: where it has begun as content, a
    format holds it, and no call can take its place."""
    return minichat.chat("nano", [*ASKED, {"role": "assistant", "content": ">"}],
                         tools=[get_weather], format=re.compile(">" + re.escape(text)),
                         stream=stream, **{"options": GREEDY, **more})


def calls(message):
    return [call["function"] for call in message.get("tool_calls", ())]


def test_a_function_is_called_and_its_result_put_into_words():
    messages = [*ASKED]
    answer = minichat.chat("nano", messages, tools=[get_weather], options=GREEDY, stream=False)
    [call] = answer.message.tool_calls
    assert re.fullmatch(r"call_[a-z0-9]{8}", call.id) and call.function.index == 0
    assert call.function.name == "get_weather" and call.function.arguments["city"] == "Paris"
    assert answer.message.content == "" and answer.done_reason == "stop"
    messages += [answer.message, {"role": "tool", "tool_name": "get_weather",
                                  "content": get_weather(**call.function.arguments)}]
    assert minichat.chat("nano", messages, tools=[get_weather], options=GREEDY,
                         stream=False).message.content


def test_each_call_is_a_chunk_as_soon_as_it_is_complete():
    chunks = [each.message for each in say(f"Let me see.\n{PARIS}\n{ROME}")]
    kinds = ["call" if each.tool_calls else "text" for each in chunks if
             each.tool_calls or each.content]
    assert kinds[-2:] == ["call", "call"] and {*kinds[:-2]} == {"text"}
    assert "".join(each.content for each in chunks) == "Let me see."
    found = [function for each in chunks for function in calls(each)]
    assert found == [
        {"index": 0, "name": "get_weather", "arguments": {"city": "Paris", "days": 2}},
        {"index": 1, "name": "get_weather", "arguments": {"city": "Rome", "days": 2}}]
    assert all(a.tool_calls is None or a.content == "" for a in chunks)
    ids = [call.id for each in chunks for call in each.tool_calls or ()]
    assert len({*ids}) == 2


def test_stream_false_has_them_all():
    message = say(f"Now.\n{PARIS}\n{ROME}", stream=False).message
    assert message.content == "Now." and [each["index"] for each in calls(message)] == [0, 1]


@pytest.mark.parametrize("text", [
    'No.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": }}\n</tool_call> So.',
    'No. <tool_call> {"name": 5}', "No. <tool_call>", "No. <tool_ca", "No. <tool_call></tool_call>",
    "No. </tool_call> {}"])
def test_what_is_no_call_is_content(text):
    message = say(text, stream=False).message
    assert message.content == text and "tool_calls" not in message


def test_an_answer_that_is_cut_in_a_call_loses_nothing():
    whole = f"Now. {PARIS}"
    answer = say(whole, stream=False, options={**GREEDY, "num_predict": 12})
    assert answer.done_reason == "length" and answer.eval_count == 12
    assert whole.startswith(answer.message.content) and len(answer.message.content) > 20
    stopped = say(whole, stream=False, options={**GREEDY, "stop": ['"Paris"']})
    assert stopped.done_reason == "stop"
    assert stopped.message.content == whole.partition('"Paris"')[0]


def test_without_tools_an_answer_is_text():
    text = f"Now. {PARIS}"
    answer = minichat.chat("nano", ASKED, format=re.compile(re.escape(text)), stream=False)
    assert answer.message.content == text and "tool_calls" not in answer.message


def test_logprobs_of_calls_come_with_them():
    chunks = [*say(f"Yes. {PARIS}", logprobs=True)]
    entries = [entry for each in chunks for entry in each.get("logprobs", ())]
    assert b"".join(bytes(each.bytes) for each in entries).decode() == f"Yes. {PARIS}"
    assert any(each.message.tool_calls and each.logprobs for each in chunks)


def test_a_stop_string_takes_none_of_what_a_call_that_is_none_was():
    answer = say("<tool_call>\n{sun} END", options=GREEDY | {"stop": ["END"]}, logprobs=True,
                 stream=False)
    assert answer.message.content == "<tool_call>\n{sun} " and answer.done_reason == "stop"
    assert b"".join(bytes(each.bytes) for each in answer.logprobs).decode().rstrip("END") == \
        answer.message.content


def test_an_answer_goes_on_from_the_thinking_it_is_given():
    asked = [{"role": "user", "content": "why is the sky blue?"},
             {"role": "assistant", "thinking": "The user asks"}]
    message = minichat.chat("nano", asked, think=True, options=GREEDY, stream=False).message
    assert message.thinking and "think>" not in message.thinking + message.content


def test_thinking_comes_before_calls():
    chunks = [each.message for each in minichat.chat(
        "nano", ASKED, tools=[get_weather], think=True, options=GREEDY)]
    kinds = ["thinking" if each.thinking else "call" if each.tool_calls else "text"
             for each in chunks if each.thinking or each.tool_calls or each.content]
    assert "thinking" in kinds and "call" in kinds
    assert all(not (a == "call" and b == "thinking") for a, b in pairwise(kinds))


def test_a_format_holds_what_is_no_call():
    schema = {"type": "object", "required": ["color"], "additionalProperties": False,
              "properties": {"color": {"enum": ["blue", "red"]}}}
    for asked in (ASKED[0]["content"], "What is the color of the sky?"):
        message = minichat.chat("nano", [{"role": "user", "content": asked}], tools=[get_weather],
                                format=schema, options=GREEDY, stream=False).message
        if not message.tool_calls:
            assert json.loads(message.content)["color"] in ("blue", "red")
    assert "Paris" in str(calls(minichat.chat("nano", ASKED, tools=[get_weather], format=schema,
                                              options=GREEDY, stream=False).message))


@pytest.mark.parametrize("tools, place", [
    ([lambda city: city], r"tools\[0\]"), ([get_weather, 5], r"tools\[1\]"),
    ([{"type": "function"}], r"tools\[0\].function"),
    ([{"type": "function", "function": {"name": ""}}], r"tools\[0\].function.name"),
    ([{"type": "function", "function": {"name": 5}}], r"tools\[0\].function.name")])
def test_a_wrong_tool_is_told_by_its_place(tools, place):
    with pytest.raises(RequestError, match=place):
        minichat.chat("nano", ASKED, tools=tools)


def test_a_model_without_tools_says_so(tmp_path):
    folder = write(tmp_path / "model", TINY)
    with pytest.raises(RequestError, match="does not tell it of tools") as raised:
        minichat.chat(folder, ASKED, tools=[get_weather])
    assert raised.value.error == f"{folder} does not support tools"
    assert raised.value.status_code == 400


def test_a_template_of_the_request_decides():
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(RequestError, match="does not tell it of tools"):
        minichat.chat("nano", ASKED, tools=[get_weather], template=template)
