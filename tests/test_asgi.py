"""asgi.py: the endpoint's objects and errors over HTTP."""
import asyncio
import json
import logging
import subprocess
import textwrap
import threading
import warnings

import pytest

import minichat
from minichat.errors import MinichatError, OutOfMemory

from .asgi_client import CHAT, GREEDY, SKY, ask, faked, request
from .process import python
from .random_model import TINY, write

pytest.importorskip("starlette", reason="no starlette: NOTHING OF THE SERVER IS TESTED")

from minichat import asgi  # noqa: E402

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Tells the weather in a city.",
    "parameters": {"type": "object", "required": ["city"],
                   "properties": {"city": {"type": "string"}}}}}
PARIS = [{"role": "user", "content": "What is the weather in Paris?"}]


@pytest.fixture
def app():
    return asgi.create_app()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write(folder / "tiny", TINY)
    write(folder / "org" / "Deep", TINY)
    write(folder / "broken", TINY)
    (folder / "broken" / "tokenizer.json").unlink()
    return [folder]


def without_times(made):
    return {name: value for name, value in made.items()
            if not name.endswith("_duration") and name not in ("created_at",
                                                               "prompt_eval_cached_count")}


def test_a_stream(app):
    answer = ask(app, "POST", "/api/chat", CHAT)
    assert answer.status == 200 and answer.complete
    want = list(minichat.chat(**CHAT))
    assert [without_times(line) for line in answer.lines] == [without_times(c) for c in want]
    assert list(answer.lines[-1]) == list(want[-1])


def test_a_whole_answer(app):
    answer = ask(app, "POST", "/api/chat", {**CHAT, "stream": False})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    want = minichat.chat(**CHAT, stream=False)
    assert "scatter" in answer.json["message"]["content"]
    assert without_times(answer.json) == without_times(want)


def test_lines_reach_the_reader_one_by_one(app, monkeypatch):
    read = threading.Event()
    faked(monkeypatch, ["first", lambda closed: read.wait(5) or pytest.fail("held back"), "second"])

    async def on_piece(answer):
        read.set()

    asyncio.run(request(app, "POST", "/api/chat", CHAT, on_piece=on_piece))


def test_the_request_is_read_as_the_endpoint_reads_it(app):
    body = json.dumps({"MODEL": " nano ", "Messages": [{"ROLE": "USER", "Content": "Hi!", "x": 1}],
                       "Options": GREEDY, "think": None, "stream": False, "unknown": []})
    answer = ask(app, "POST", "/api/chat", body.encode() + b' and "more"')
    assert answer.status == 200 and answer.json["model"] == "nano"
    assert answer.json["message"]["content"]


@pytest.mark.parametrize("asked", [
    {}, {"logprobs": True, "top_logprobs": 2}, {"think": True}, {"format": "json"},
    {"tools": [WEATHER], "messages": PARIS, "think": True, "logprobs": True},
    {"tools": [WEATHER], "messages": PARIS, "format": "json"}, {"messages": []},
    {"messages": SKY * 300}, {"options": {"num_predict": 400, "num_ctx": 128, "seed": 1}},
    {"messages": [], "keep_alive": 0}], ids=str)
def test_every_object_is_what_the_client_knows(app, asked):
    ollama = pytest.importorskip("ollama", reason="no ollama client: ITS TYPES CHECK NOTHING")
    for stream in (True, False):
        body = ask(app, "POST", "/api/chat", {**CHAT, **asked, "stream": stream}).body
        for line in map(json.loads, body.splitlines()):
            made = ollama.ChatResponse(**line)
            kept = made.model_dump(exclude_unset=True)
            assert kept["message"]["content"] == line["message"]["content"]
            assert set(line) - set(kept) <= {"prompt_eval_cached_count", "dropped_messages",
                                             "shifted_tokens"}
            assert set(line["message"]) == set(kept["message"])


def test_its_lists_are_what_the_client_knows(app):
    ollama = pytest.importorskip("ollama", reason="no ollama client: ITS TYPES CHECK NOTHING")
    assert ask(app, "POST", "/api/chat", CHAT).status == 200
    assert ollama.ListResponse(**ask(app, "GET", "/api/tags").json).models[0].model == "nano"
    assert ollama.ProcessResponse(**ask(app, "GET", "/api/ps").json).models
    shown = ollama.ShowResponse(**ask(app, "POST", "/api/show", {"model": "nano"}).json)
    assert "completion" in shown.capabilities and shown.modelinfo["general.architecture"]


def test_load_and_unload_are_one_object_even_as_a_stream(app):
    for keep_alive, reason in ((60, "load"), (0, "unload"), (0, "unload")):
        answer = ask(app, "POST", "/api/chat", {"model": "nano", "keep_alive": keep_alive})
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.json["done"] and answer.json["done_reason"] == reason
        assert answer.json["message"] == {"role": "assistant", "content": "", "images": None}


@pytest.mark.parametrize("body, status, error", [
    (b"", 400, "missing request body"),
    (b"{", 400, "unexpected EOF"),
    ({}, 400, "model is required"),
    ({"model": " "}, 400, "model is required"),
    ({"model": "", "top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
    ({"model": "llama3.2"}, 404, "model 'llama3.2' not found"),
    ({**CHAT, "messages": "hi"}, 400, "json: cannot unmarshal string into Go struct field "
                                      "ChatRequest.messages of type []api.Message"),
    ({**CHAT, "options": {"num_ctx": "x"}}, 400, 'option "num_ctx" must be of type integer'),
    ({**CHAT, "format": "xml"}, 400,
     r'invalid format: "\"xml\""; expected "json" or a valid JSON Schema object'),
    ({**CHAT, "keep_alive": "5 m"}, 400, 'time: unknown unit " m" in duration "5 m"'),
    ({**CHAT, "truncate": False, "options": {"num_ctx": 4}}, 400,
     "the input length exceeds the context length"),
    ({**CHAT, "_debug_render_only": True}, 400,
     "_debug_render_only: found true; false is allowed")])
def test_errors(app, body, status, error):
    for stream in (True, False):
        asked = body if isinstance(body, bytes) else {**body, "stream": stream}
        answer = ask(app, "POST", "/api/chat", asked)
        assert (answer.status, answer.json) == (status, {"error": error})


@pytest.mark.parametrize("method, path, status", [
    ("POST", "/api/generate", 404), ("GET", "/api/chat", 405), ("GET", "/x", 404)])
def test_what_is_not_here(app, method, path, status):
    answer = ask(app, method, path)
    assert answer.status == status and "POST /api/chat" in answer.json["error"]


def test_an_error_in_mid_stream_is_the_last_line(app, monkeypatch):
    faked(monkeypatch, ["so", " far", OutOfMemory("memory: none left")])
    answer = ask(app, "POST", "/api/chat", CHAT)
    assert answer.status == 200 and answer.complete
    assert [line.get("error") for line in answer.lines] == [None, None, "memory: none left"]
    whole = ask(app, "POST", "/api/chat", {**CHAT, "stream": False})
    assert (whole.status, whole.json) == (500, {"error": "memory: none left"})


def test_an_error_before_the_first_chunk_has_a_status(app, monkeypatch):
    faked(monkeypatch, [MinichatError("model: it was closed")])
    answer = ask(app, "POST", "/api/chat", CHAT)
    assert (answer.status, answer.json) == (500, {"error": "model: it was closed"})


@pytest.mark.parametrize("before", [[], ["text"]])
def test_a_fault_of_ours_is_logged_and_not_told(app, monkeypatch, caplog, before):
    faked(monkeypatch, [*before, ZeroDivisionError("secret")])
    answer = ask(app, "POST", "/api/chat", CHAT)
    assert answer.status == (200 if before else 500)
    assert "internal error" in json.loads(answer.pieces[-1])["error"]
    assert "secret" not in answer.body.decode() and "secret" in caplog.text


def test_tools(app):
    asked = {"model": "nano", "options": GREEDY, "tools": [WEATHER], "messages": PARIS}
    lines = ask(app, "POST", "/api/chat", asked).lines
    [call] = [call for line in lines for call in line["message"].get("tool_calls", ())]
    assert call["function"]["name"] == "get_weather"
    assert "Paris" in call["function"]["arguments"]["city"]


def test_a_format(app):
    schema = {"type": "object", "required": ["color"], "additionalProperties": False,
              "properties": {"color": {"enum": ["blue", "red"]}}}
    answer = ask(app, "POST", "/api/chat", {**CHAT, "format": schema, "stream": False})
    assert json.loads(answer.json["message"]["content"])["color"] in ("blue", "red")


def test_unknown_options_are_logged(app, caplog):
    options = {**GREEDY, "tempreature": 1, "num_gpu": 2}
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "minichat.asgi"):
        warnings.simplefilter("error")
        assert ask(app, "POST", "/api/chat", {**CHAT, "options": options}).status == 200
    assert "options.tempreature: unknown; did you mean temperature" in caplog.text
    assert "options.num_gpu" in caplog.text


def test_no_character_ends_a_line_for_any_client(app, monkeypatch):
    said = "a\x85b\u2028c\u2029d\x0be\x1cf\r\ng\N{GRINNING FACE}"
    faked(monkeypatch, [said])
    answer = ask(app, "POST", "/api/chat", CHAT)
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    assert [line["message"]["content"] for line in lines] == [said, ""]


def test_names(folders):
    app = asgi.create_app(folders=folders)
    there = [model["name"] for model in ask(app, "GET", "/api/tags").json["models"]]
    assert there[0] == "nano" and {"tiny", "org/Deep"} <= set(there)
    for name in ("tiny", "TINY", "tiny:latest", "org/deep"):
        asked = {"model": name, "messages": SKY, "options": {"num_predict": 1}, "stream": False}
        assert ask(app, "POST", "/api/chat", asked).json["model"] == name
    running = [model["name"] for model in ask(app, "GET", "/api/ps").json["models"]]
    assert {"tiny", "org/Deep"} <= set(running)


@pytest.mark.parametrize("name, status", [
    ("./tiny", 400), ("../models/tiny", 400), ("/etc", 400), ("~", 400), ("~/tiny", 400),
    ("org/../tiny", 400), ("a/b/c/d", 400), ("tiny\0", 400), ("tiny", 404), ("org/Deep", 404)])
def test_no_name_is_a_path(app, folders, monkeypatch, name, status):
    monkeypatch.chdir(folders[0])
    for path in ("/api/chat", "/api/show"):
        assert ask(app, "POST", path, {"model": name}).status == status


def test_errors_tell_names_not_folders(folders):
    app = asgi.create_app(folders=folders)
    for path in ("/api/chat", "/api/show"):
        answer = ask(app, "POST", path, {"model": "broken"})
        assert answer.status == 500
        assert answer.json["error"].startswith("broken/tokenizer.json: missing")
    with pytest.raises(MinichatError, match="folders: found .*; folders that exist"):
        asgi.create_app(folders=[folders[0] / "none"])


def test_it_can_be_mounted_under_any_prefix():
    from starlette.applications import Starlette
    from starlette.routing import Mount

    host = Starlette(routes=[Mount("/some/where", asgi.create_app())])
    assert ask(host, "GET", "/some/where/").body == b"minichat is running"
    assert ask(host, "POST", "/some/where/api/chat", CHAT).lines[-1]["done"]
    assert ask(host, "GET", "/some/where/x").json["error"].startswith("GET /some/where/x")


def test_root_and_version(app):
    assert ask(app, "GET", "/").body == b"minichat is running"
    assert ask(app, "HEAD", "/").status == 200
    assert ask(app, "GET", "/api/version").json["version"].count(".") == 2


def test_the_application_is_made_when_asked_for():
    assert asgi.app is asgi.app
    with pytest.raises(AttributeError):
        _ = asgi.nothing


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_what_is_missing_is_named(missing):
    code = textwrap.dedent(f"""
        sys.modules[{missing!r}] = None
        try:
            from minichat import asgi
            asgi.serve()
        except ImportError as error:
            print(error)
        """)
    said = subprocess.run(python(code), capture_output=True, text=True, timeout=60)
    assert said.stdout == f"minichat.asgi: found no {missing}; " \
                          "pip install 'minichat[server]' brings it\n"


def test_serving(monkeypatch):
    uvicorn = pytest.importorskip("uvicorn", reason="no uvicorn: SERVING IS NOT TESTED")
    served = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **how: served.update(how, app=app))
    asgi.serve()
    assert (served["host"], served["port"]) == ("127.0.0.1", 11434)
    asgi.serve("10.0.0.7", 8080, allow_hosts=["my.net"])
    for host in ("10.0.0.7:8080", "my.net", "localhost"):
        assert ask(served["app"], "GET", "/", headers={"host": host}).status == 200
    asgi.serve("0.0.0.0")
    assert ask(served["app"], "GET", "/", headers={"host": "0.0.0.0"}).status == 403
