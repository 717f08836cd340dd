"""asgi.py: who may ask, how much at once, and what becomes of answers that nobody reads."""
import asyncio
import threading
import time

import pytest

from minichat import api

from .asgi_client import CHAT, SKY, ask, faked, request
from .random_model import TINY, write

pytest.importorskip("starlette", reason="no starlette: NOTHING OF THE SERVER IS TESTED")

from minichat import asgi  # noqa: E402


@pytest.fixture
def app():
    return asgi.create_app()


@pytest.mark.parametrize("headers, status", [
    ({"host": "localhost"}, 200), ({"host": "127.0.0.1:80"}, 200), ({"host": "[::1]:1"}, 200),
    ({"host": "LOCALHOST.:11434"}, 200), ({"host": "my.net:8080"}, 200),
    ({"host": "evil.com"}, 403), ({"host": "localhost.evil.com"}, 403), ({"host": ""}, 403),
    ({"host": "127.0.0.1.evil.com:11434"}, 403), ({"host": "[::2"}, 403),
    ({"origin": "http://localhost:3000"}, 200), ({"origin": "https://127.0.0.1"}, 200),
    ({"origin": "https://my.net"}, 200), ({"origin": "https://a.pages.org"}, 200),
    ({"origin": "http://evil.com"}, 403), ({"origin": "null"}, 403), ({"origin": "file://"}, 403),
    ({"origin": "http://localhost.evil.com"}, 403), ({"origin": "app://localhost"}, 403),
    ({"origin": "https://pages.org"}, 403)])
def test_who_may_ask(headers, status):
    app = asgi.create_app(allow_hosts=["My.net"], allow_origins=["https://*.pages.org"])
    for method, path in (("GET", "/api/version"), ("POST", "/api/chat"), ("OPTIONS", "/api/chat")):
        asked = {**headers, "access-control-request-method": "POST",
                 "access-control-request-headers": "content-type"}
        answer = ask(app, method, path, {"model": "nano"}, headers=asked)
        assert answer.status == (405 if method == "OPTIONS" and "origin" not in headers and
                                 status == 200 else status)
        shared = answer.headers.get("access-control-allow-origin")
        assert shared == (headers.get("origin") if status == 200 else None)


def test_any_host_and_origin_may_be_allowed():
    app = asgi.create_app(allow_hosts=["*"], allow_origins=["*"])
    answer = ask(app, "GET", "/", headers={"host": "any.org", "origin": "null"})
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "null"


def test_a_reader_that_leaves_ends_its_answer(tmp_path):
    """A model that would go on for 5120 tokens is idle at once."""
    write(tmp_path / "endless", TINY)
    app = asgi.create_app(folders=[tmp_path])
    for stream, leave in ((True, {"leave_after": 3}), (False, {"leave_after_s": 0.05})):
        asked = {"model": "endless", "messages": SKY, "stream": stream, "logprobs": True,
                 "top_logprobs": 20, "options": {"seed": 1}}
        answer = ask(app, "POST", "/api/chat", asked, **leave)
        assert not answer.complete and len(answer.pieces) <= 20
        [users] = [resident.users for key, resident in api._residency._residents.items()
                   if key[0] == (tmp_path / "endless").resolve()]
        assert users == 0


def test_a_reader_that_leaves_wakes_the_thread_that_waits(app, monkeypatch):
    streams = faked(monkeypatch, ["one", lambda closed: closed.wait(5)])
    start = time.monotonic()
    answer = ask(app, "POST", "/api/chat", CHAT, leave_after=1)
    assert len(answer.pieces) == 1 and streams[0].closed.is_set()
    assert time.monotonic() - start < 2


def test_a_reader_that_leaves_while_the_model_loads(app, monkeypatch):
    loaded = threading.Event()
    streams = faked(monkeypatch, ["never read"], begin=lambda: loaded.wait(5))
    threading.Timer(0.2, loaded.set).start()
    answer = ask(app, "POST", "/api/chat", CHAT, leave_after_s=0.1)
    assert not answer.pieces and streams[0].closed.is_set()


def test_a_reader_that_reads_nothing_is_left(monkeypatch, caplog):
    app = asgi.create_app(write_timeout_s=0.05)
    streams = faked(monkeypatch, ["text"] * 10)

    async def on_piece(answer):
        await asyncio.sleep(5)

    answer = asyncio.run(request(app, "POST", "/api/chat", CHAT, on_piece=on_piece))
    assert not answer.complete and streams[0].closed.is_set() and "too long" in caplog.text


def test_the_event_loop_never_waits(app, monkeypatch):
    """While chats load and compute, others are answered."""
    go_on = threading.Event()
    faked(monkeypatch, [lambda closed: go_on.wait(5)], begin=lambda: go_on.wait(5))

    async def many():
        chats = [asyncio.create_task(request(app, "POST", "/api/chat", CHAT)) for _ in range(50)]
        await asyncio.sleep(0.05)
        version = await asyncio.wait_for(request(app, "GET", "/api/version"), 1)
        go_on.set()
        return version, await asyncio.gather(*chats)

    version, answers = asyncio.run(many())
    assert version.status == 200 and all(answer.complete for answer in answers)


def test_too_many_requests(monkeypatch):
    app = asgi.create_app(max_requests=2)
    go_on = threading.Event()
    faked(monkeypatch, ["text"], begin=lambda: go_on.wait(5))

    async def three():
        first = [asyncio.create_task(request(app, "POST", "/api/chat", CHAT)) for _ in range(2)]
        await asyncio.sleep(0.05)
        third = await request(app, "POST", "/api/chat", CHAT)
        go_on.set()
        await asyncio.gather(*first)
        return third, await request(app, "POST", "/api/chat", CHAT)

    refused, later = asyncio.run(three())
    assert refused.status == 503 and later.status == 200
    assert refused.json["error"] == "server busy, please try again.  " \
                                    "maximum pending requests exceeded"


def test_too_long_and_too_slow_requests():
    app = asgi.create_app(max_body_bytes=100, read_timeout_s=0.05)
    for headers in ({}, {"content-length": "101"}):
        answer = ask(app, "POST", "/api/chat", b" " * 101, headers=headers)
        assert answer.status == 413
    assert ask(app, "POST", "/api/chat", CHAT | {"messages": []}).status == 200
    slow = ask(app, "POST", "/api/chat", {"model": "nano"}, never_complete=True)
    assert slow.status == 408
