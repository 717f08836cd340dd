"""The types of the endpoint's official Python client, for compat.py: dicts, as everywhere here,
whose fields are attributes too."""
from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, get_args, get_type_hints

from .chunks import Logprob, Record

__all__ = ["ChatResponse", "ListResponse", "Message", "ModelDetails", "Options",
           "ProcessResponse", "ProgressResponse", "ShowResponse", "Tool"]


class Reply(Record):
    """A record that can be changed: None, and no key, for a field that was not given."""
    _defaults: ClassVar[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        """Values in the class are those of fields that are not given."""
        super().__init_subclass__()
        cls._defaults = {name: vars(cls)[name] for name in cls.__annotations__
                         if name in vars(cls)}
        for name in cls._defaults:          # or they would hide what is in the dict
            delattr(cls, name)

    def __init__(self, given: Mapping[str, Any] | None = None, /, **fields: Any):
        super().__init__()
        for name, value in {**self._defaults, **(given or {}), **fields}.items():
            if value is not None:
                self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, fitted(value, hints(type(self)).get(name)))

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        """Returns plain dicts, with None for what was not given unless exclude_none."""
        dumped: dict[str, Any] = plain(self, exclude_none)
        return dumped

    def model_dump_json(self, *, indent: int | None = None, exclude_none: bool = False) -> str:
        return json.dumps(self.model_dump(exclude_none=exclude_none), indent=indent,
                          ensure_ascii=False, default=datetime.isoformat)


@functools.cache
def hints(kind: type[Reply]) -> dict[str, Any]:
    return get_type_hints(kind, localns=dict(vars(kind)))


def fitted(value: Any, hint: Any) -> Any:
    """Returns value with the dicts in it made replies, where hint says so."""
    inner = get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Reply):
        return hint(value) if isinstance(value, Mapping) and not isinstance(value, hint) else value
    if type(None) in inner:
        return fitted(value, inner[0])
    if inner and isinstance(value, (list, tuple)):
        return [fitted(each, inner[-1]) for each in value]
    if inner and isinstance(value, Mapping):
        return {name: fitted(each, inner[-1]) for name, each in value.items()}
    return value


def plain(value: Any, exclude_none: bool) -> Any:
    if isinstance(value, (list, tuple)):
        return [plain(each, exclude_none) for each in value]
    if not isinstance(value, Mapping):
        return value
    known = type(value).__annotations__ if isinstance(value, Reply) and not exclude_none else ()
    return {**dict.fromkeys(known), **{
        name: plain(each, exclude_none) for name, each in value.items()
        if each is not None or not exclude_none}}


class Message(Reply):
    class ToolCall(Reply):
        class Function(Reply):
            name: str
            arguments: dict[str, Any]

        function: Function

    role: str
    content: str | None
    thinking: str | None
    images: list[Any] | None
    tool_name: str | None
    tool_calls: list[ToolCall] | None


class ChatResponse(Reply):
    """An answer, or a piece of one; the figures are those of the last piece."""
    model: str | None
    created_at: str | None
    message: Message
    done: bool | None
    done_reason: str | None
    logprobs: list[Logprob] | None
    total_duration: int | None
    load_duration: int | None
    prompt_eval_count: int | None
    prompt_eval_cached_count: int | None
    prompt_eval_duration: int | None
    eval_count: int | None
    eval_duration: int | None
    dropped_messages: int | None
    shifted_tokens: int | None


class Tool(Reply):
    class Function(Reply):
        class Parameters(Reply):
            class Property(Reply):
                type: str | list[str] | None
                description: str | None
                enum: list[Any] | None

            type: str | None = "object"
            required: list[str] | None
            properties: dict[str, Property] | None

        name: str | None
        description: str | None
        parameters: Parameters | None

    type: str | None = "function"
    function: Function | None


class Options(Reply):
    num_ctx: int | None
    num_batch: int | None
    num_gpu: int | None
    main_gpu: int | None
    use_mmap: bool | None
    num_thread: int | None
    num_keep: int | None
    seed: int | None
    num_predict: int | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    typical_p: float | None
    repeat_last_n: int | None
    temperature: float | None
    repeat_penalty: float | None
    presence_penalty: float | None
    frequency_penalty: float | None
    stop: list[str] | None


class ModelDetails(Reply):
    parent_model: str | None
    format: str | None
    family: str | None
    families: list[str] | None
    parameter_size: str | None
    quantization_level: str | None


class ListResponse(Reply):
    class Model(Reply):
        model: str | None
        modified_at: datetime | None
        digest: str | None
        size: int | None
        details: ModelDetails | None

    models: list[Model]


class ProcessResponse(Reply):
    class Model(Reply):
        model: str | None
        name: str | None
        digest: str | None
        expires_at: datetime | None
        size: int | None
        size_vram: int | None
        details: ModelDetails | None
        context_length: int | None

    models: list[Model]


class ProgressResponse(Reply):
    status: str | None
    completed: int | None
    total: int | None
    digest: str | None


class ShowResponse(Reply):
    modified_at: datetime | None
    template: str | None
    modelfile: str | None
    license: str | None
    details: ModelDetails | None
    modelinfo: dict[str, Any] | None
    parameters: str | None
    capabilities: list[str] | None
