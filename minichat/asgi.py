"""The endpoint over HTTP, as an ASGI application: `uvicorn minichat.asgi:app`.

    app.mount("/models", minichat.asgi.create_app(allow_hosts=["chat.example.org"]))

POST /api/chat and /api/show, GET /api/tags, /api/ps and /api/version.  It answers this machine
alone: a Host or Origin that is not local, and not listed, is refused, because a page of any
site can make a browser send requests here.  Models are named, never given by path.
"""
from __future__ import annotations

import fnmatch
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import api, catalog, chunks, wire
from .chat import ChatStream
from .chunks import Chunk
from .errors import MinichatError, ModelNotFound, RequestError
from .options import Options, unknown

try:
    import anyio
    from anyio import lowlevel, to_thread
    from starlette.applications import Starlette
    from starlette.datastructures import Headers
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send
except ImportError as error:
    raise ImportError("minichat.asgi: found no starlette; "
                      "pip install 'minichat[server]' brings it") from error

__all__ = ["app", "create_app", "serve"]

LOCAL = ("localhost", "127.0.0.1", "::1")
ENDPOINT_VERSION = "0.33.0"     # whose chat this is: what clients ask before they use a feature
BUSY = "server busy, please try again.  maximum pending requests exceeded"
JSON = "application/json; charset=utf-8"
GRACE_S = 5                     # for answers that run when the server is told to end
# What would end a line for some client, though it does not in JSON.
LINE_ENDS = {ord(c): json.dumps(c)[1:-1] for c in "\x85\u2028\u2029"}

log = logging.getLogger("minichat.asgi")
app: Starlette


def __getattr__(name: str) -> Any:
    """app is made when it is asked for: create_app() suffices whom it does not suit."""
    if name == "app":
        globals()["app"] = made = create_app()
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class Settings:
    """The arguments of create_app()."""
    folders: tuple[Path, ...]
    allow_hosts: frozenset[str]
    allow_origins: tuple[str, ...]
    max_requests: int
    max_body_bytes: int
    read_timeout_s: float
    write_timeout_s: float


def create_app(*, folders: Sequence[str | Path] = (), allow_hosts: Sequence[str] = (),
               allow_origins: Sequence[str] = (), max_requests: int = 256,
               max_body_bytes: int = 32 << 20, read_timeout_s: float = 60,
               write_timeout_s: float = 300) -> Starlette:
    """Returns the application, to be served or to be mounted under any prefix.

    Parameters
    ----------
    folders
        Where models lie, each in a folder called by its name.  The model in the box and the
        Hugging Face cache can be named without.
    allow_hosts
        Names in the Host header beside localhost, 127.0.0.1 and [::1]; "*" is any.
    allow_origins
        Origins of pages beside those of these hosts: "https://example.org",
        "https://*.example.org", "*".
    max_requests
        Requests at the same time, those that wait for a model included; one more is told to
        try again (503).
    max_body_bytes, read_timeout_s, write_timeout_s
        Of a request, as long as it may take to come, and as long as its reader may let an
        answer wait.
    """
    there = tuple(Path(folder).expanduser() for folder in folders)
    for folder in there:
        if not folder.is_dir():
            raise ModelNotFound(f"folders: found {folder}; folders that exist are allowed")
    hosts = frozenset(host.lower().strip("[]") for host in (*LOCAL, *allow_hosts))
    server = Server(Settings(there, hosts, tuple(allow_origins), max_requests, max_body_bytes,
                             read_timeout_s, write_timeout_s))
    return Starlette(
        routes=[Route("/", root), Route("/api/version", version),
                Route("/api/chat", server.chat, methods=["POST"]),
                Route("/api/show", server.show, methods=["POST"]),
                Route("/api/tags", server.tags), Route("/api/ps", server.ps)],
        middleware=[Middleware(Guard, settings=server.settings)],
        exception_handlers={MinichatError: refused, HTTPException: not_here, Exception: failed})


def serve(host: str = "127.0.0.1", port: int = 11434, **settings: Any) -> None:
    """Runs a server of create_app(**settings) until it is interrupted."""
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError("minichat.asgi: found no uvicorn; "
                          "pip install 'minichat[server]' brings it") from error
    if host not in ("0.0.0.0", "::"):       # of those, no name is known
        settings["allow_hosts"] = [*settings.get("allow_hosts", ()), host]
    uvicorn.run(create_app(**settings), host=host, port=port, server_header=False,
                timeout_graceful_shutdown=GRACE_S)


class Refused(MinichatError):
    """What HTTP alone can be wrong about."""

    def __init__(self, status_code: int, message: str, *, error: str | None = None):
        super().__init__(message, error=error)
        self.status_code = status_code


class Guard(CORSMiddleware):
    """Lets in what comes from this machine or was allowed, not too much at once."""

    def __init__(self, app: ASGIApp, settings: Settings):
        super().__init__(app, allow_methods=("GET", "HEAD", "POST"), allow_headers=("*",))
        self.settings, self.running = settings, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await super().__call__(scope, receive, send)
        if refusal := self.refusal(Headers(scope=scope)):
            return await error_response(refusal)(scope, receive, send)
        self.running += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.running -= 1

    def refusal(self, headers: Headers) -> Refused | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self.is_allowed_host(host):
            return Refused(403, f"host: found {host[:80]!a}; local ones and those in allow_hosts "
                                "are allowed")
        if origin is not None and not self.is_allowed_origin(origin):
            return Refused(403, f"origin: found {origin[:80]!a}; local ones and those in "
                                "allow_origins are allowed")
        return Refused(503, BUSY) if self.running >= self.settings.max_requests else None

    def is_allowed_host(self, host: str) -> bool:
        return not self.settings.allow_hosts.isdisjoint((host_name(f"//{host}"), "*"))

    def is_allowed_origin(self, origin: str) -> bool:
        web = origin.startswith(("http://", "https://"))
        return web and host_name(origin) in self.settings.allow_hosts \
            or any(fnmatch.fnmatchcase(origin, each) for each in self.settings.allow_origins)


def host_name(url: str) -> str | None:
    try:
        name = urlsplit(url).hostname
    except ValueError:                  # an IPv6 address that is none
        return None
    return name.removesuffix(".") if name else None


class Server:
    """What the requests of one application share."""

    def __init__(self, settings: Settings):
        self.settings = settings
        # A thread an answer: one that waits for its model must not be in another's way.
        self.threads = anyio.CapacityLimiter(settings.max_requests)

    async def chat(self, request: Request) -> ASGIApp:
        given = await self.read(request, wire.CHAT)
        if given.pop("_debug_render_only", False):
            raise RequestError("_debug_render_only: found true; false is allowed")
        stream, name = given.pop("stream", True), given.pop("model", "")
        entry = await to_thread.run_sync(catalog.find, name, self.settings.folders)
        given["options"] = known_options(given.get("options", {}))
        return Answer(self, entry, name.strip(), stream, given)

    async def show(self, request: Request) -> Response:
        given = await self.read(request, wire.SHOW)
        name = given.get("model") or given.get("name", "")
        entry = await to_thread.run_sync(catalog.find, name, self.settings.folders)
        try:
            return json_response(await to_thread.run_sync(catalog.show, entry.path))
        except MinichatError as error:
            raise named(error, entry.path, name) from error

    async def tags(self, request: Request) -> Response:
        listed = await to_thread.run_sync(catalog.tags, self.settings.folders)
        return json_response({"models": listed})

    async def ps(self, request: Request) -> Response:
        models = await to_thread.run_sync(
            lambda: catalog.running(api.ps(), self.settings.folders))
        return json_response({"models": models})

    async def read(self, request: Request, kind: wire.Kind) -> dict[str, Any]:
        return await to_thread.run_sync(wire.decoded, await self.body(request), kind)

    async def body(self, request: Request) -> bytes:
        most, received = self.settings.max_body_bytes, bytearray()
        too_long = Refused(413, f"the request: more than {most} bytes",
                           error="http: request body too large")
        if (length := request.headers.get("content-length", "")).isdecimal() and int(length) > most:
            raise too_long
        try:
            with anyio.fail_after(self.settings.read_timeout_s):
                async for piece in request.stream():
                    received += piece
                    if len(received) > most:
                        raise too_long
        except TimeoutError:
            raise Refused(408, "the request: not complete within "
                          f"{self.settings.read_timeout_s} s") from None
        except ClientDisconnect:
            raise Refused(499, "the request: given up", error="request canceled") from None
        return bytes(received)


class Answer:
    """One chat as an ASGI response: it ends where its reader leaves."""

    def __init__(self, server: Server, entry: catalog.Entry, name: str, streaming: bool,
                 arguments: dict[str, Any]):
        self.server, self.entry, self.name = server, entry, name
        self.streaming, self.arguments = streaming, arguments
        self.chunks: ChatStream | None = None
        self.started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.send = send
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.watch, receive, tasks.cancel_scope)
            await self.run()
            tasks.cancel_scope.cancel()

    async def watch(self, receive: Receive, answer: anyio.CancelScope) -> None:
        """Ends the answer when the connection ends."""
        while (await receive())["type"] != "http.disconnect":
            pass
        answer.cancel()
        if self.chunks is not None:     # close() wakes the thread that waits for the next chunk
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self.chunks.close)

    async def run(self) -> None:
        """Sends the answer, or what went wrong; raises nothing but a cancellation."""
        try:
            try:
                with await self.thread(self.begin) as self.chunks:
                    await (self.stream() if self.streaming else self.whole())
            except MinichatError as error:
                await self.fail(named(error, self.entry.path, self.name))
            except TimeoutError:
                raise
            except Exception:
                log.exception("%s: the chat failed", self.name)
                await self.fail(MinichatError("internal error; the server's log says more"))
        except TimeoutError:            # the connection is dropped, as the answer is not whole
            log.warning("%s: the reader let its answer wait too long", self.name)

    def begin(self) -> ChatStream:
        begun: ChatStream = api.chat(self.entry.path, **self.arguments, stream=True)
        return begun

    async def thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await to_thread.run_sync(work, *arguments, limiter=self.server.threads)

    async def next(self) -> Chunk | None:
        chunk: Chunk | None = await self.thread(next, self.chunks, None)
        if chunk is None:
            await lowlevel.checkpoint()     # as in whole()
        else:
            chunk["model"] = self.name
        return chunk

    async def whole(self) -> None:
        read = await self.thread(list, self.chunks)
        await lowlevel.checkpoint()     # no further, if it ended because the reader left
        await self.only({**chunks.join(read), "model": self.name})

    async def stream(self) -> None:
        chunk = await self.next()       # what fails until here still has a status
        if chunk and chunk.done_reason in ("load", "unload"):
            return await self.only(chunk)
        await self.start(200, "application/x-ndjson")
        while chunk:
            await self.body(dumps(chunk) + b"\n", more=True)
            chunk = await self.next()
        await self.body(b"")

    async def fail(self, error: MinichatError) -> None:
        if self.started:
            await self.body(dumps({"error": error.error}) + b"\n")
        else:
            await self.only({"error": error.error}, error.status_code)

    async def only(self, content: Mapping[str, Any], status: int = 200) -> None:
        await self.start(status, JSON)
        await self.body(dumps(content))

    async def start(self, status: int, media_type: str) -> None:
        self.started = True
        await self.send({"type": "http.response.start", "status": status,
                         "headers": [(b"content-type", media_type.encode())]})

    async def body(self, piece: bytes, more: bool = False) -> None:
        with anyio.fail_after(self.server.settings.write_timeout_s):
            await self.send({"type": "http.response.body", "body": piece, "more_body": more})


async def root(request: Request) -> Response:
    return PlainTextResponse("minichat is running")


async def version(request: Request) -> Response:
    return json_response({"version": ENDPOINT_VERSION})


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, MinichatError)
    return error_response(error)


async def not_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return json_response({"error": f"{request.method} {request.url.path}: {error.detail.lower()}; "
                                   "POST /api/chat and /api/show, GET /api/tags, /api/ps and "
                                   "/api/version are here"}, error.status_code, error.headers)


async def failed(request: Request, error: Exception) -> Response:
    return json_response({"error": "internal error; the server's log says more"}, 500)


def dumps(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.translate(LINE_ENDS).encode(errors="replace")


def json_response(content: Mapping[str, Any], status: int = 200,
                  headers: Mapping[str, str] | None = None) -> Response:
    return Response(dumps(content), status, headers, media_type=JSON)


def error_response(error: MinichatError) -> Response:
    return json_response({"error": error.error}, error.status_code)


def named(error: MinichatError, path: Path, name: str) -> MinichatError:
    """Returns error as it is told to who knows the model's name, and need not know its folder."""
    def told(text: str) -> str:
        return text.replace(str(path), name).replace(str(path.resolve()), name)

    return Refused(error.status_code, told(str(error)), error=told(error.error))


def known_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that mean something here, and logs the others."""
    known = {field.name for field in fields(Options)}
    for name in given:
        if name not in known:
            log.warning("%s", unknown(name))
    kept = {name: value for name, value in given.items() if name in known}
    if isinstance(gpus := kept.get("num_gpu"), int) and gpus > 0:
        log.warning("options.num_gpu: found %s; the model runs on the CPU", gpus)
        del kept["num_gpu"]
    return kept
