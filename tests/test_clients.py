"""The server as it runs, and the official clients."""
import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

from minichat import api

from .asgi_client import CHAT, GREEDY, SKY
from .random_model import TINY, write

pytest.importorskip("starlette", reason="no starlette: NOTHING OF THE SERVER IS TESTED")
uvicorn = pytest.importorskip("uvicorn", reason="no uvicorn: THE SERVER ITSELF IS NOT TESTED")

from minichat import asgi  # noqa: E402


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where a server runs, with a model "talker" that answers with 5120 tokens."""
    folder = tmp_path_factory.mktemp("models")
    write(folder / "talker", TINY)
    server = uvicorn.Server(uvicorn.Config(asgi.create_app(folders=[folder]), port=0,
                                           log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def url(address):
    return f"http://127.0.0.1:{address[1]}"


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


@pytest.mark.xfail(reason="tools are not supported", strict=True)
def test_the_python_client_with_a_function(ollama, url):
    def weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: the name of a city
        """

    asked = [{"role": "user", "content": "What is the weather in Paris?"}]
    client = ollama.Client(url)
    answer = client.chat("nano", asked, tools=[weather], options=GREEDY)
    [call] = answer.message.tool_calls
    assert call.function.name == "weather" and "Paris" in call.function.arguments["city"]
    asked += [answer.message, {"role": "tool", "content": "sun", "tool_name": "weather"}]
    assert client.chat("nano", asked, tools=[weather], options=GREEDY).message.content


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


def test_a_connection_that_breaks(address):
    """In mid-answer, and before anything was sent of it."""
    for stream in (True, False):
        body = json.dumps({"model": "talker", "messages": SKY, "stream": stream,
                           "logprobs": True, "top_logprobs": 20, "options": {"seed": 1}})
        with socket.create_connection(address) as connection:
            connection.sendall(f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                               f"{len(body)}\r\n\r\n{body}".encode())
            wait_until(lambda: users("talker") == [1])
            if stream:
                assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
        wait_until(lambda: users("talker") == [0])


SCRIPT = """
const {Ollama} = require('ollama')
const [url, chat] = JSON.parse(process.argv[1])
const ollama = new Ollama({host: url})
async function main() {
    const parts = []
    for await (const part of await ollama.chat({...chat, stream: true})) parts.push(part)
    const whole = await ollama.chat(chat)
    let error
    try { await ollama.chat({...chat, model: 'llama3.2'}) } catch (e) { error = e }
    console.log(JSON.stringify({
        said: parts.map(part => part.message.content).join(''), done: parts.at(-1).done,
        whole, error: error.message, status: error.status_code,
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
    ran = subprocess.run([node, "-e", SCRIPT, json.dumps([url, CHAT])], text=True, timeout=60,
                         capture_output=True, env={**os.environ, "NO_PROXY": "127.0.0.1"})
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["done"] and found["said"] == found["whole"]["message"]["content"] != ""
    assert (found["error"], found["status"]) == ("model 'llama3.2' not found", 404)
    assert "nano" in found["models"] and "nano" in found["running"] and found["shown"]
