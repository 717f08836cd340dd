"""The face of the endpoint's official Python client, in process.

    from minichat import compat as ollama

    response = ollama.chat(model="nano", messages=[{"role": "user", "content": "Hi!"}])
    print(response.message.content, response["message"]["content"])

chat, list, ps and show, as functions and as methods of Client and AsyncClient, with the client's
defaults: stream is False; pull, for programs that begin with it.  Errors are ResponseError.  There
is no host to connect to.
"""
from __future__ import annotations

import asyncio
import builtins
from base64 import b64decode
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, overload

from . import api, catalog, hub
from .chunks import Logprob
from .errors import MinichatError
from .replies import (
    ChatResponse,
    ListResponse,
    Message,
    Options,
    ProcessResponse,
    ProgressResponse,
    ShowResponse,
    Tool,
)

__all__ = ["AsyncClient", "ChatResponse", "Client", "Image", "ListResponse", "Logprob", "Message",
           "Options", "ProcessResponse", "ProgressResponse", "RequestError", "ResponseError",
           "ShowResponse", "Tool", "chat", "list", "ps", "pull", "show"]

IMAGE_FILES = ("png", "jpg", "jpeg", "webp")


class RequestError(Exception):
    """Never raised here: what is wrong with a request is a ResponseError with its status."""

    def __init__(self, error: str):
        super().__init__(error)
        self.error = error


class ResponseError(Exception):
    """error is the endpoint's text, status_code the status that it answers with."""

    def __init__(self, error: str, status_code: int = -1):
        super().__init__(error)
        self.error, self.status_code = error, status_code

    def __str__(self) -> str:
        return f"{self.error} (status code: {self.status_code})"


@contextmanager
def response_errors() -> Iterator[None]:
    try:
        yield
    except MinichatError as error:
        raise ResponseError(error.error, error.status_code) from error


@dataclass(frozen=True)
class Image:
    """A picture: its bytes, the path of its file, or base64."""
    value: str | bytes | Path

    def data(self) -> str | bytes:
        """Returns the picture's bytes, or the base64 that was given; raises ValueError."""
        value = self.value
        if isinstance(value, bytes):
            return value
        if isinstance(value, Path) or is_file(value):
            return Path(value).read_bytes()
        if value.rpartition(".")[2].lower() in IMAGE_FILES:
            raise ValueError(f"File {value} does not exist")
        try:
            b64decode(value)
        except ValueError:
            raise ValueError("Invalid image data, expected base64 string or path to image "
                             "file") from None
        return value


def is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):       # base64 is too long for a path
        return False


Messages = Iterable[Mapping[str, Any]]


def as_sent(messages: Messages | None) -> builtins.list[dict[str, Any]]:
    """Returns messages as the client sends them: without what is empty, with pictures read."""
    sent = []
    for message in messages or ():
        fields = {name: value for name, value in dict(message).items() if value}
        if images := fields.get("images"):
            fields["images"] = [(each if isinstance(each, Image) else Image(each)).data()
                                for each in images]
        sent.append(fields)
    return sent


class Client:
    """host, and whatever else a connection needs, is taken and means nothing."""

    def __init__(self, host: str | None = None, **ignored: Any):
        pass

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open."""

    @overload
    def chat(self, model: str = "", messages: Messages | None = None, *,
             stream: Literal[False] = False, **arguments: Any) -> ChatResponse: ...
    @overload
    def chat(self, model: str = "", messages: Messages | None = None, *,
             stream: Literal[True], **arguments: Any) -> Iterator[ChatResponse]: ...
    def chat(self, model: str = "", messages: Messages | None = None, *, stream: bool = False,
             **arguments: Any) -> ChatResponse | Iterator[ChatResponse]:
        """Answers a chat; arguments are minichat.chat's.

        Raises ResponseError: with stream=True where the stream is first read, as the client.
        """
        sent = as_sent(messages)
        if stream:
            return streamed(model, sent, arguments)
        with response_errors():
            return ChatResponse(api.chat(model, sent, **arguments, stream=False))

    def list(self) -> ListResponse:
        """Returns the models that can be named."""
        return ListResponse(models=timed(catalog.tags(), "modified_at"))

    def ps(self) -> ProcessResponse:
        """Returns the models in memory."""
        return ProcessResponse(models=timed(catalog.running(api.ps()), "expires_at"))

    def show(self, model: str) -> ShowResponse:
        """Returns what the folder of a model says of it; raises ResponseError."""
        with response_errors():
            [found] = timed([catalog.show(hub.resolve(model))], "modified_at")
        return ShowResponse(found, modelinfo=found.pop("model_info"))

    @overload
    def pull(self, model: str, *, insecure: bool = False, stream: Literal[False] = False
             ) -> ProgressResponse: ...
    @overload
    def pull(self, model: str, *, insecure: bool = False, stream: Literal[True]
             ) -> Iterator[ProgressResponse]: ...
    def pull(self, model: str, *, insecure: bool = False, stream: bool = False
             ) -> ProgressResponse | Iterator[ProgressResponse]:
        """Says that a model is there; where it is not, ResponseError says how to get it: nothing
        is downloaded here."""
        if stream:
            return iter([self.pull(model)])
        try:
            hub.resolve(model)
        except MinichatError as error:
            raise ResponseError(str(error), error.status_code) from error
        return ProgressResponse(status="success")


def streamed(model: str, messages: builtins.list[dict[str, Any]],
             arguments: Mapping[str, Any]) -> Iterator[ChatResponse]:
    with response_errors(), api.chat(model, messages, **arguments) as stream:
        for chunk in stream:
            yield ChatResponse(chunk)


def timed(found: Iterable[dict[str, Any]], name: str) -> builtins.list[dict[str, Any]]:
    """Returns the objects with the field name as a datetime."""
    return [{**each, name: each[name] and datetime.fromisoformat(each[name])} for each in found]


class AsyncClient:
    """Client for asyncio: the event loop runs on while a model loads and answers."""

    def __init__(self, host: str | None = None, **ignored: Any):
        self._client = Client()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Nothing is open."""

    @overload
    async def chat(self, model: str = "", messages: Messages | None = None, *,
                   stream: Literal[False] = False, **arguments: Any) -> ChatResponse: ...
    @overload
    async def chat(self, model: str = "", messages: Messages | None = None, *,
                   stream: Literal[True], **arguments: Any) -> AsyncIterator[ChatResponse]: ...
    async def chat(self, model: str = "", messages: Messages | None = None, *,
                   stream: bool = False, **arguments: Any
                   ) -> ChatResponse | AsyncIterator[ChatResponse]:
        """As Client.chat; a cancelled task ends its answer."""
        sent = as_sent(messages)
        if stream:
            return streamed_to_loop(model, sent, arguments)
        with response_errors():
            whole: Any = await api.achat(model, sent, **arguments, stream=False)
        return ChatResponse(whole)

    async def list(self) -> ListResponse:
        return await asyncio.to_thread(self._client.list)

    async def ps(self) -> ProcessResponse:
        return await asyncio.to_thread(self._client.ps)

    async def show(self, model: str) -> ShowResponse:
        return await asyncio.to_thread(self._client.show, model)

    @overload
    async def pull(self, model: str, *, insecure: bool = False, stream: Literal[False] = False
                   ) -> ProgressResponse: ...
    @overload
    async def pull(self, model: str, *, insecure: bool = False, stream: Literal[True]
                   ) -> AsyncIterator[ProgressResponse]: ...
    async def pull(self, model: str, *, insecure: bool = False, stream: bool = False
                   ) -> ProgressResponse | AsyncIterator[ProgressResponse]:
        """As Client.pull."""
        said = self._client.pull(model)

        async def progress() -> AsyncIterator[ProgressResponse]:
            yield said

        return progress() if stream else said


async def streamed_to_loop(model: str, messages: builtins.list[dict[str, Any]],
                           arguments: Mapping[str, Any]) -> AsyncIterator[ChatResponse]:
    with response_errors():
        answer: Any = await api.achat(model, messages, **arguments)
        async with answer:
            async for chunk in answer:
                yield ChatResponse(chunk)


_client = Client()
chat, list, ps, show = _client.chat, _client.list, _client.ps, _client.show
pull = _client.pull
