"""Requests to an ASGI application without a server, down to when their reader leaves."""
import asyncio
import json
import threading
from dataclasses import dataclass, field

from minichat import api, chunks
from minichat.chat import ChatStream

SKY = [{"role": "user", "content": "why is the sky blue?"}]
GREEDY = {"temperature": 0}
CHAT = {"model": "nano", "messages": SKY, "options": GREEDY}


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)      # as they were sent
    complete: bool = False

    @property
    def body(self):
        return b"".join(self.pieces)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        assert self.headers["content-type"] == "application/x-ndjson"
        assert self.body.endswith(b"\n") and all(piece.endswith(b"\n") for piece in self.pieces)
        return [json.loads(line) for line in self.body.splitlines()]


def ask(app, method, path, content=None, **how):
    """Returns the Answer to one request; content is bytes, or sent as JSON."""
    return asyncio.run(request(app, method, path, content, **how))


async def request(app, method, path, content=None, *, headers=None, leave_after=None,
                  leave_after_s=None, never_complete=False, on_piece=None):
    """The reader leaves after so many pieces, or seconds.  on_piece is awaited for each piece."""
    body = content if isinstance(content, bytes) else \
        b"" if content is None else json.dumps(content).encode()
    headers = {"host": "localhost:11434", **(headers or {})}
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
             "http_version": "1.1", "method": method, "scheme": "http", "path": path,
             "raw_path": path.encode(), "root_path": "", "query_string": b"",
             "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 11434)}
    answer, left = Answer(), asyncio.Event()
    coming = [body[:len(body) // 2], body[len(body) // 2:]]
    if leave_after_s is not None:
        asyncio.get_running_loop().call_later(leave_after_s, left.set)

    async def receive():
        if coming and not (never_complete and len(coming) == 1):
            piece = coming.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(coming)}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            assert not answer.status
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            if message.get("body"):
                answer.pieces.append(message["body"])
                if on_piece:
                    await on_piece(answer)
            answer.complete = not message.get("more_body")
            if answer.complete or len(answer.pieces) == leave_after:
                left.set()

    await app(scope, receive, send)
    return answer


def faked(monkeypatch, made, *, begin=lambda: None):
    """Every chat is made of these pieces of text and exceptions; returns its streams."""
    streams = []

    def pieces(stream_closed):
        for piece in made:
            if isinstance(piece, Exception):
                raise piece
            if callable(piece):
                piece(stream_closed)
            else:
                yield chunks.chunk("a path", piece)
        yield chunks.last("a path", "stop", chunks.Clock())

    class FakeRun:
        def __init__(self):
            self.closed = threading.Event()

        def close(self):
            self.closed.set()

    def chat(path, **arguments):
        begin()
        run = FakeRun()
        streams.append(run)
        return ChatStream(pieces(run.closed), run)

    monkeypatch.setattr(api, "chat", chat)
    return streams
