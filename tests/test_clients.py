"""The server as it runs, and the official clients."""
import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from typing import Literal
from urllib.parse import urlsplit

import pytest

from minichat import api, cli

from .asgi_client import CHAT, GREEDY, SKY
from .process import python
from .random_model import TINY, write
from .served import served

pytest.importorskip("starlette", reason="no starlette: NOTHING OF THE SERVER IS TESTED")
pytest.importorskip("uvicorn", reason="no uvicorn: THE SERVER ITSELF IS NOT TESTED")

from minichat import asgi  # noqa: E402


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Where a server runs, with a model "talker" that answers with 5120 tokens."""
    folder = tmp_path_factory.mktemp("models")
    write(folder / "talker", TINY)
    with served(asgi.create_app(folders=[folder])) as url:
        yield url


@pytest.fixture
def ollama():
    return pytest.importorskip("ollama", reason="no ollama client: IT IS NOT TESTED")


def users(name):
    return [resident.users for key, resident in api._residency._residents.items()
            if key[0].name == name]


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def test_the_python_client(ollama, url):
    client = ollama.Client(url)
    whole = client.chat("nano", SKY, options=GREEDY)
    assert whole.done_reason == "stop" and whole.eval_count > 5 and whole.total_duration > 0
    parts = list(client.chat("nano", SKY, stream=True, options=GREEDY, logprobs=True))
    assert "".join(part.message.content for part in parts) == whole.message.content
    assert parts[-1].done and all(part.logprobs for part in parts[:-1])
    assert "nano" in [model.model for model in client.list().models]
    assert "nano" in [model.model for model in client.ps().models]
    assert client.show("nano").modelinfo["general.architecture"]
    for stream in (False, True):
        with pytest.raises(ollama.ResponseError) as caught:
            list(client.chat("llama3.2", SKY, stream=stream))
        assert caught.value.status_code == 404
        assert caught.value.error == "model 'llama3.2' not found"


PARIS = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "Tells the weather.", "parameters": {
        "type": "object", "required": ["city"],
        "properties": {"city": {"type": "string", "description": "the name of a city"}}}}}


def test_the_python_client_with_a_function(ollama, url):
    def weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: the name of a city
        """

    asked, client = [*PARIS], ollama.Client(url)
    answer = client.chat("nano", asked, tools=[weather], options=GREEDY)
    [call] = answer.message.tool_calls
    assert call.function.name == "weather" and "Paris" in call.function.arguments["city"]
    asked += [answer.message, {"role": "tool", "content": "sun", "tool_name": "weather"}]
    whole = client.chat("nano", asked, tools=[weather], options=GREEDY)
    parts = [*client.chat("nano", asked, tools=[weather], options=GREEDY, stream=True)]
    assert "".join(part.message.content for part in parts) == whole.message.content != ""


def test_the_python_client_streams_calls_and_leaves_between(ollama, url):
    client = ollama.Client(url)
    parts = [*client.chat("nano", PARIS, tools=[WEATHER], think=True, options=GREEDY, stream=True)]
    [at] = [i for i, part in enumerate(parts) if part.message.tool_calls]
    assert not parts[at].message.content and not parts[at].done and parts[-1].done
    assert any(part.message.thinking for part in parts[:at])
    stream = client.chat("nano", PARIS, tools=[WEATHER], stream=True, options=GREEDY)
    next(stream)
    stream.close()
    wait_until(lambda: users("nano") == [0])


def test_many_async_clients(ollama, url):
    async def talk(seed):
        client = ollama.AsyncClient(url)
        stream = await client.chat("talker", SKY, stream=True,
                                   options={"seed": seed, "num_predict": 30, "temperature": 9})
        return "".join([part.message.content async for part in stream])

    async def many():
        return await asyncio.gather(*(talk(n // 2) for n in range(20)))

    said = asyncio.run(many())
    assert said[::2] == said[1::2] and len(set(said)) == 10


def test_a_python_client_that_leaves(ollama, url):
    stream = ollama.Client(url).chat("talker", SKY, stream=True,
                                     options={"seed": 1}, logprobs=True, top_logprobs=20)
    next(stream)
    assert users("talker") == [1]
    stream.close()
    wait_until(lambda: users("talker") == [0])


def test_a_connection_that_breaks(url):
    """In mid-answer, and before anything was sent of it."""
    for stream in (True, False):
        body = json.dumps({"model": "talker", "messages": SKY, "stream": stream,
                           "logprobs": True, "top_logprobs": 20, "options": {"seed": 1}})
        with socket.create_connection(("127.0.0.1", urlsplit(url).port)) as connection:
            connection.sendall(f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                               f"{len(body)}\r\n\r\n{body}".encode())
            wait_until(lambda: users("talker") == [1])
            if stream:
                assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
        wait_until(lambda: users("talker") == [0])


COLOR = {"type": "object", "required": ["color"], "additionalProperties": False,
         "properties": {"color": {"enum": ["blue", "red"]}}}


def test_the_python_client_with_a_format_and_thinking(ollama, url):
    pydantic = pytest.importorskip("pydantic")

    class Color(pydantic.BaseModel):
        color: Literal["blue", "red"]

    client = ollama.Client(url)
    held = client.chat("nano", SKY, format=Color.model_json_schema(), think=True, options=GREEDY)
    assert Color.model_validate_json(held.message.content) and held.message.thinking
    parts = list(client.chat("nano", SKY, think=True, stream=True, options=GREEDY))
    assert "".join(part.message.thinking or "" for part in parts).strip()
    assert "scatter" in "".join(part.message.content for part in parts)
    assert not any(part.message.thinking and part.message.content for part in parts)
    assert client.chat("nano", SKY, think=False, options=GREEDY).message.thinking is None
    with pytest.raises(ollama.ResponseError, match="does not support thinking"):
        client.chat("talker", SKY, think=True)


SCRIPT = """
const {Ollama} = require('ollama')
const [url, chat, format, call] = JSON.parse(process.argv[1])
const ollama = new Ollama({host: url})
async function gathered(stream) {
    const parts = []
    for await (const part of await stream) parts.push(part)
    const all = name => parts.map(part => part.message[name] ?? '').join('')
    return {content: all('content'), thinking: all('thinking'), done: parts.at(-1).done}
}
async function aborted(abort) {
    const stream = await ollama.chat({...chat, model: 'talker', options: {seed: 1}, stream: true})
    try {
        for await (const part of stream) abort(stream)
    } catch (error) { return error.name }
}
async function called() {
    const messages = [...call.messages], calls = []
    for await (const {message} of await ollama.chat({...call, stream: true, think: true})) {
        for (const {function: {name, arguments: given}} of message.tool_calls ?? []) {
            calls.push([name, given])
            messages.push(message, {role: 'tool', content: 'sun', tool_name: name})
        }
    }
    const {message} = await ollama.chat({...call, messages})
    return {calls, message}
}
async function main() {
    const refused = await ollama.chat({...chat, model: 'llama3.2'}).catch(error => error)
    console.log(JSON.stringify({
        whole: await ollama.chat(chat),
        stream: await gathered(ollama.chat({...chat, stream: true})),
        thought: await gathered(ollama.chat({...chat, stream: true, think: true})),
        held: JSON.parse((await ollama.chat({...chat, format})).message.content),
        tools: await called(), streamed: JSON.parse(
            (await gathered(ollama.chat({...chat, format, stream: true}))).content),
        error: refused.message, status: refused.status_code,
        one: await aborted(stream => stream.abort()), all: await aborted(() => ollama.abort()),
        models: (await ollama.list()).models.map(model => model.name),
        running: (await ollama.ps()).models.map(model => model.name),
        shown: (await ollama.show({model: 'nano'})).capabilities}))
}
main()
"""


def test_the_javascript_client(url):
    """NODE_PATH says where the package "ollama" lies, if not where node looks by itself."""
    node = shutil.which("node")
    if not node or subprocess.run([node, "-e", "require('ollama')"],
                                  capture_output=True).returncode:
        pytest.skip("no node with the package ollama (npm install ollama; NODE_PATH): "
                    "THE JAVASCRIPT CLIENT IS NOT TESTED")
    call = {**CHAT, "messages": PARIS, "tools": [WEATHER]}
    ran = subprocess.run([node, "-e", SCRIPT, json.dumps([url, CHAT, COLOR, call])], text=True,
                         timeout=60, capture_output=True,
                         env={**os.environ, "NO_PROXY": "127.0.0.1"})
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["stream"]["done"] and not found["stream"]["thinking"]
    assert found["stream"]["content"] == found["whole"]["message"]["content"] != ""
    assert found["thought"]["thinking"].strip() and "scatter" in found["thought"]["content"]
    assert found["held"]["color"] in ("blue", "red") and found["streamed"] == found["held"]
    assert found["tools"]["calls"] == [["weather", {"city": "Paris"}]]
    assert found["tools"]["message"]["content"]
    assert (found["error"], found["status"]) == ("model 'llama3.2' not found", 404)
    assert found["one"] == found["all"] == "AbortError"
    wait_until(lambda: users("talker") == [0])
    assert "nano" in found["models"] and "nano" in found["running"] and found["shown"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_program(end, capsys):
    """`minichat serve`, asked, and ended in mid-answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = python("from minichat import cli\nsys.exit(cli.main(sys.argv[1:]))",
                     "serve", "--port", port)
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as server:
        def asked(method, path, body=None):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request(method, path, body)
            return connection.getresponse()

        for line in server.stderr:
            if "running on" in line:
                break
        try:
            assert asked("HEAD", "/").status == 200
            assert asked("GET", "/api/version").status == 200
            answer = asked("POST", "/api/chat", json.dumps({**CHAT, "options": {"seed": 1}}))
            assert not json.loads(answer.readline())["done"]
            assert cli.main(["ps", "--port", str(port)]) == 0
            assert "nano " in capsys.readouterr().out
            server.send_signal(end)
            assert server.wait(10) in (0, 130, -end)
        finally:
            server.kill()
