"""What every generator of dialogues returns."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Dialogue:
    """messages and tools as a chat request has them; the assistant's messages are learned.

    An assistant's message may have "thinking" and "tool_calls"; with think every answer has
    the first.
    """
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)
    think: bool = False


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


def user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str, **more: Any) -> dict[str, Any]:
    """more: thinking, tool_calls."""
    return {"role": "assistant", "content": content, **more}


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One of an assistant's tool_calls."""
    return {"function": {"name": name, "arguments": arguments}}
