"""cli.py, bench.py: a chat in a terminal, and in a pipe; what there is and how fast it is."""
import io
import json
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from minichat import bench, cli

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


MODEL = {"name": "org/model", "size": 1_234_567_890, "context_length": 2048,
         "details": {"quantization_level": "q4"}}


@pytest.fixture
def answering():
    """Runs a server that says one thing to whoever asks; returns its port."""
    servers = []

    def serve(said, status=200):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status if self.path == "/api/ps" else 404)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *ignored):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return str(server.server_port)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_ps(answering, capsys):
    soon = (datetime.now(UTC) + timedelta(seconds=299.9)).isoformat().replace("+00:00", "Z")
    port = answering(json.dumps({"models": [
        {**MODEL, "expires_at": soon}, {**MODEL, "name": "nano", "size": 3e6, "expires_at": None}
    ]}).encode())
    assert cli.main(["ps", "--port", port]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "SIZE", "WEIGHTS", "CONTEXT", "LEAVES"]
    assert first.split()[:6] == ["org/model", "1.23", "GB", "q4", "2048", "in"]
    assert first.split()[6] in ("0:05:00", "0:04:59")
    assert second.split() == ["nano", "3.0", "MB", "q4", "2048", "never"]
    assert len(head) == len(first) == len(second)


@pytest.mark.parametrize("said, status, says", [
    (b'{"error": "host: found x"}', 403, "refuses: host: found x"), (b"<html>", 200, "no /api/ps"),
    (b'{"error": 1}', 200, "no /api/ps"), (b"[]", 200, "no /api/ps"),
    (b'{"models": [{}]}', 200, "no /api/ps"), (b'{"models": 5}', 200, "no /api/ps")])
def test_ps_of_what_is_no_minichat(answering, capsys, said, status, says):
    port = answering(said, status)
    assert cli.main(["ps", "--port", port]) == 1
    out, noise = capsys.readouterr()
    assert out == "" and f"at 127.0.0.1:{port}: " in noise and says in noise
    assert noise.count("\n") == 1


def test_ps_without_a_server(capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        assert cli.main(["ps", "--port", port]) == 1
    assert "not there: " in capsys.readouterr().err


def test_bench(folder, capsys):
    assert cli.main(["bench", folder, "-q", "q8", "--threads", "1", "--threads", "1"]) == 0
    said, noise = capsys.readouterr()
    head, _, columns, *rows, _, tail = said.splitlines()
    assert head.startswith(f"{folder}, q8: 0.") and noise == ""
    assert columns.split() == ["tokens/s", "1", "thread"]
    # 512 positions have no room for a prompt of 512 and its answer.
    assert [row.split()[:3] for row in rows] == [["prompt", "of", "128"], ["answer", "of", "64"]]
    assert all(float(row.split()[3]) > 0 for row in rows) and tail.startswith("medians of 3 runs")


def test_a_bench_has_two_columns_unless_told_and_ends_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "ENOUGH_S", 0)
    monkeypatch.setattr(bench.cpus, "available", lambda: 2)
    folder = write(tmp_path / "small", TINY | {"max_position_embeddings": 64})
    found = bench.measure(str(folder), "f32")
    assert found.threads == (1, 2) and found.rounds == 1 and min(found.load_s) > 0
    assert list(found.rows) == ["prompt of 32", "answer of 16"]
    assert all(len(rates) == 2 and min(rates) > 0 for rates in found.rows.values())
    assert bench.measure("nano", "q4", [64]).threads == (2,)


def test_a_wrong_number_of_threads(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "nano", "--threads", "0"])
    assert "argument --threads: invalid positive value: '0'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, says", [
    (["bench", "/no/such/folder"], "ModelNotFound"),
    (["-m", "/no/such/folder", "x"], "ModelNotFound"),
    (["x", "-o", "temperature=-1"], "options.temperature"),
    (["x", "-q", "q5"], "quantization"),
])
def test_errors_are_one_line(folder, capsys, arguments, says):
    if not {"-m", "bench"} & {*arguments}:
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
