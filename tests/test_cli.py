"""cli.py: a chat in a terminal, and in a pipe."""
import io
import json
import subprocess
import sys

import pytest

from minichat import cli

from .random_model import TINY, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("models") / "tiny", TINY))


FIXED = ["-o", "seed=1", "-o", "num_predict=12"]


def test_prints_the_answer_and_nothing_else(folder, capsys):
    assert cli.main(["-m", folder, "hello", *FIXED]) == 0
    said, noise = capsys.readouterr()
    assert said.endswith("\n") and len(said) > 2 and noise == ""
    assert cli.main(["chat", "-m", folder, "hello", *FIXED]) == 0
    assert capsys.readouterr().out == said


def test_timings(folder, capsys):
    assert cli.main(["-m", folder, "hello", "--timings", *FIXED]) == 0
    noise = capsys.readouterr().err
    assert "12 tokens" in noise and "tokens/s" in noise and "ended by length" in noise


def test_a_question_from_a_pipe(folder):
    command = [sys.executable, "-m", "minichat", "-m", folder, *FIXED]
    how = {"cwd": folder, "capture_output": True, "text": True, "timeout": 60}
    piped = subprocess.run(command, input="hello", **how)
    asked = subprocess.run([*command, "hello"], **how)
    assert piped.returncode == 0 and piped.stdout == asked.stdout != "" and piped.stderr == ""


def test_a_dialogue_remembers(folder, capsys, monkeypatch):
    asked = iter(["one", "two"])
    seen = []

    def listen(model, messages, request, timings):
        seen.append([m["content"] for m in messages])
        return f"answer {len(seen)}"

    def question(prompt):
        try:
            return next(asked)
        except StopIteration:
            raise EOFError from None

    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("builtins.input", question)
    monkeypatch.setattr(cli, "answer", listen)
    assert cli.main(["-m", folder, "-s", "be brief"]) == 0
    assert seen == [["be brief", "one"], ["be brief", "one", "answer 1", "two"]]


@pytest.mark.parametrize("arguments, says", [
    (["-m", "/no/such/folder", "x"], "ModelNotFound"),
    (["x", "-o", "temperature=-1"], "options.temperature"),
    (["x", "-q", "q5"], "quantization"),
])
def test_errors_are_one_line(folder, capsys, arguments, says):
    if "-m" not in arguments:
        arguments = ["-m", folder, *arguments]
    assert cli.main(arguments) == 1
    said, noise = capsys.readouterr()
    assert said == "" and says in noise and noise.count("\n") == 1


def test_options_are_json_or_text():
    assert cli.option("temperature=0.5") == ("temperature", 0.5)
    assert cli.option('stop=["a", "b"]') == ("stop", ["a", "b"])
    assert cli.option("stop=end") == ("stop", "end")
    assert json.dumps(dict([cli.option("x=")])) == '{"x": ""}'


def test_the_bar_shows_progress_in_a_terminal_only():
    pipe, terminal = io.StringIO(), io.StringIO()
    terminal.isatty = lambda: True
    for out in (pipe, terminal):
        bar = cli.Bar(out)
        for done in (0, 50, 50, 100):
            bar("packing", done, 100)
    assert pipe.getvalue() == ""
    assert terminal.getvalue().count("\r") == 4 and " 50 %" in terminal.getvalue()


def test_serve_hands_on_what_it_is_told(monkeypatch, capsys):
    asgi = pytest.importorskip("minichat.asgi", reason="no starlette: `minichat serve` IS UNTESTED")
    told = {}
    monkeypatch.setattr(asgi, "serve", lambda **settings: told.update(settings))
    assert cli.main(["serve", "--port", "99", "--allow-host", "a.example", "--models", "x"]) == 0
    assert told == {"host": "127.0.0.1", "port": 99, "folders": ["x"], "max_requests": 256,
                    "allow_hosts": ["a.example"], "allow_origins": []}

    def lacks(**settings):
        raise ImportError("found no uvicorn")

    monkeypatch.setattr(asgi, "serve", lacks)
    assert cli.main(["serve"]) == 1
    assert "minichat serve: found no uvicorn" in capsys.readouterr().err
