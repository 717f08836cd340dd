"""compat.py: what is written for the official Python client runs unchanged, in process."""
import asyncio
import base64
import copy
import inspect
import json
import pickle
from datetime import datetime
from pathlib import Path

import pytest

from minichat import api, compat
from minichat import compat as ollama
from minichat.errors import OutOfMemory

SKY = [{"role": "user", "content": "why is the sky blue?"}]
GREEDY = {"temperature": 0}


@pytest.fixture
def official():
    return pytest.importorskip("ollama", reason="no ollama client: ITS FACE IS NOT COMPARED")


def test_a_chat():
    response = ollama.chat(model="nano", messages=SKY, options=GREEDY)
    assert response["message"]["content"] == response.message.content
    assert "scatter" in response.message.content and response.message.role == "assistant"
    assert response.done and response["done_reason"] == "stop" and response.eval_count > 5
    assert response.message.thinking is None and response.message.tool_calls is None
    assert "tool_calls" not in response.message and response.get("nothing", 7) == 7
    with pytest.raises(KeyError):
        response["nothing"]
    with pytest.raises(AttributeError):
        response.nothing  # noqa: B018


def test_a_stream():
    stream = ollama.chat(model="nano", messages=SKY, stream=True, options=GREEDY)
    said, parts = "", []
    for part in stream:
        said += part["message"]["content"]
        parts.append(part)
    assert said == ollama.chat("nano", SKY, options=GREEDY).message.content
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(isinstance(part, ollama.ChatResponse) for part in parts)
    assert parts[0].done_reason is None and "done_reason" not in parts[0]


def test_a_client_and_a_dialogue():
    with ollama.Client(host="http://10.0.0.1:11434", headers={"x": "y"}, timeout=3) as client:
        messages = [*SKY]
        answer = client.chat("nano", messages=messages, options=ollama.Options(temperature=0))
        messages += [answer.message, ollama.Message(role="user", content="Hi!")]
        assert client.chat("nano", messages=messages, options=GREEDY).prompt_eval_count > 20


def test_an_async_client():
    async def talk():
        async with ollama.AsyncClient("localhost") as client:
            whole = await client.chat("nano", SKY, options=GREEDY)
            parts = [part async for part in
                     await client.chat("nano", SKY, stream=True, options=GREEDY)]
            assert "".join(p.message.content for p in parts) == whole["message"]["content"]
            assert (await client.list()).models and (await client.ps()).models
            assert (await client.show("nano")).modelinfo
            with pytest.raises(ollama.ResponseError):
                await client.chat("none")
            with pytest.raises(ollama.ResponseError):
                await anext(await client.chat("none", stream=True))

    asyncio.run(talk())


def test_leaving_the_loop_ends_the_answer(monkeypatch):
    streams = []
    chat = api.chat
    monkeypatch.setattr(api, "chat", lambda *given, **how: streams.append(chat(*given, **how))
                        or streams[-1])
    for _ in (stream := ollama.chat("nano", SKY, stream=True)):
        break
    stream.close()
    assert next(streams[0], None) is None


def test_errors():
    with pytest.raises(ollama.ResponseError) as caught:
        ollama.chat("no-such-model", SKY)
    assert caught.value.status_code == 404
    assert caught.value.error == "model 'no-such-model' not found"
    assert str(caught.value) == "model 'no-such-model' not found (status code: 404)"
    for wrong in ({"model": ""}, {"model": "nano", "messages": SKY, "format": "xml"},
                  {"model": "nano", "messages": SKY, "options": {"top_p": 2}}):
        with pytest.raises(ollama.ResponseError) as caught:
            ollama.chat(**wrong)
        assert caught.value.status_code == 400
    with pytest.raises(ollama.ResponseError):
        ollama.show("no-such-model")


def test_errors_of_a_stream_come_where_it_is_read(monkeypatch):
    stream = ollama.chat("no-such-model", SKY, stream=True)
    with pytest.raises(ollama.ResponseError):
        next(stream)

    def failing(*given, **how):
        raise OutOfMemory("memory: none left")

    monkeypatch.setattr(api, "chat", failing)
    with pytest.raises(ollama.ResponseError) as caught:
        list(ollama.chat("nano", SKY, stream=True))
    assert (caught.value.error, caught.value.status_code) == ("memory: none left", 500)


def weather(city: str) -> str:
    """Tells the weather.

    Args:
        city: the name of a city
    """
    return f"sun in {city}"


WEATHER = ollama.Tool(function=ollama.Tool.Function(
    name="weather", description="Tells the weather.", parameters=ollama.Tool.Function.Parameters(
        required=["city"], properties={
            "city": ollama.Tool.Function.Parameters.Property(type="string")})))


@pytest.mark.parametrize("tool", [weather, WEATHER, dict(WEATHER)], ids=["python", "Tool", "dict"])
def test_tools(tool):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    response = ollama.chat("nano", messages, tools=[tool], options=GREEDY)
    [call] = response.message.tool_calls
    assert isinstance(call, ollama.Message.ToolCall)
    assert {"weather": weather}[call.function.name](**call.function.arguments) == "sun in Paris"
    messages += [response.message, {"role": "tool", "content": "sun", "tool_name": "weather"}]
    assert ollama.chat("nano", messages, tools=[tool], options=GREEDY).message.content


def test_a_format():
    schema = {"type": "object", "required": ["color"], "additionalProperties": False,
              "properties": {"color": {"enum": ["blue", "red"]}}}
    response = ollama.chat("nano", SKY, format=schema, options=GREEDY)
    assert json.loads(response.message.content)["color"] in ("blue", "red")


def test_logprobs():
    response = ollama.chat("nano", SKY, logprobs=True, top_logprobs=2, options=GREEDY)
    first = response.logprobs[0]
    assert first.token == first["token"] and len(first.top_logprobs) == 2
    assert response["logprobs"][0]["logprob"] <= 0


def test_models():
    listed = ollama.list()
    nano = next(model for model in listed.models if model.model == "nano")
    assert isinstance(nano.modified_at, datetime) and nano.size > 1e6 and nano.details.family
    assert listed["models"][0]["details"]["format"] == "safetensors"
    ollama.chat("nano", keep_alive=60)
    running = next(model for model in ollama.ps().models if model.model == "nano")
    assert isinstance(running.expires_at, datetime) and running.context_length > 100
    assert running.size_vram == 0 and running.name == "nano"
    shown = ollama.show("nano")
    assert shown.modelinfo["general.architecture"] and "completion" in shown.capabilities
    assert "model_info" not in shown and isinstance(shown.modified_at, datetime)


def test_for_ever_is_no_time():
    ollama.chat("nano", keep_alive=-1)
    try:
        assert next(m for m in ollama.ps().models if m.model == "nano").expires_at is None
    finally:
        ollama.chat("nano", keep_alive=0)


def test_records_are_dicts_with_attributes():
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    message = ollama.Message(role="assistant", tool_calls=[call])
    assert message.tool_calls[0].function.arguments == {"a": 1}
    message["content"] = "text"
    message.thinking = "hm"
    assert (message.content, message["thinking"]) == ("text", "hm")
    assert message == {"role": "assistant", "content": "text", "thinking": "hm",
                       "tool_calls": [call]}
    assert "type" in ollama.Tool() and ollama.Tool().type == "function"
    assert ollama.Options(num_ctx=8).num_ctx == 8 and ollama.Options().seed is None
    response = ollama.ChatResponse(model="m", message={"role": "user", "images": None})
    assert isinstance(response.message, ollama.Message) and "images" not in response.message
    for same in (copy.deepcopy(response), pickle.loads(pickle.dumps(response))):
        assert same == response and isinstance(same.message, ollama.Message)
    dumped = message.model_dump()
    assert type(dumped["tool_calls"][0]) is dict and dumped["images"] is None
    assert "images" not in message.model_dump(exclude_none=True)
    assert json.loads(response.model_dump_json(exclude_none=True)) == response
    assert "Z" in ollama.list().model_dump_json() or "+00:00" in ollama.list().model_dump_json()


def test_images(tmp_path):
    file = tmp_path / "picture.png"
    file.write_bytes(b"data")
    text = base64.b64encode(b"data" * 2000).decode()
    sent = compat.as_sent([{"role": "user", "content": "", "images": [
        str(file), file, b"data", ollama.Image(value=file), text]}])
    assert sent == [{"role": "user", "images": [b"data"] * 4 + [text]}]
    for wrong in ("none.png", "abcde"):
        with pytest.raises(ValueError, match=r"does not exist|Invalid image data"):
            ollama.chat("nano", [{"role": "user", "images": [wrong]}])
    with pytest.raises(FileNotFoundError):
        ollama.Image(Path("none.png")).data()


def test_every_name_of_ours_is_one_of_theirs(official):
    for name in set(compat.__all__) - {"Logprob"}:      # theirs is not exported
        assert hasattr(official, name), name


def test_the_calls_take_what_theirs_take(official):
    """By name; ours forward the rest to minichat.chat(), which knows more."""
    ours = {**inspect.signature(api.chat).parameters,
            **inspect.signature(compat.Client.chat).parameters}
    theirs = inspect.signature(official.Client.chat).parameters
    assert set(theirs) <= set(ours) and list(theirs)[:3] == ["self", "model", "messages"]
    for name in ("list", "ps", "pull", "show"):
        for client in ("Client", "AsyncClient"):
            assert list(inspect.signature(getattr(getattr(compat, client), name)).parameters) \
                == list(inspect.signature(getattr(getattr(official, client), name)).parameters)


@pytest.mark.parametrize("name", [
    "ChatResponse", "Message", "Message.ToolCall", "Message.ToolCall.Function", "Tool",
    "Tool.Function", "ListResponse", "ListResponse.Model", "ProcessResponse",
    "ProcessResponse.Model", "ProgressResponse", "ShowResponse"])
def test_records_have_their_fields(official, name):
    ours, theirs = compat, official
    for part in name.split("."):
        ours, theirs = getattr(ours, part), getattr(theirs, part)
    assert set(theirs.model_fields) <= set(ours.__annotations__)


def test_their_types_accept_our_objects(official):
    for part in ollama.chat("nano", SKY, stream=True, logprobs=True, options=GREEDY):
        assert official.ChatResponse(**part).message.content == part.message.content
    official.ListResponse(**ollama.list())
    official.ProcessResponse(**ollama.ps())
    shown = ollama.show("nano")
    official.ShowResponse(**shown, model_info=shown.modelinfo)


def test_our_calls_accept_their_objects(official):
    answer = ollama.chat("nano", [official.Message(role="user", content="Hi!")],
                         options=official.Options(temperature=0))
    assert answer.message.content
