"""Ids of tool calls, for templates that speak of them."""
from __future__ import annotations

import hashlib
import re
from typing import Any

NINE = re.compile(r"length\s*[!=]=\s*9\b")      # Mistral's want nine letters and digits
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def identify(conversation: list[dict[str, Any]], source: str) -> None:
    """Gives each call an id, and each result that of its call, where the template source looks
    at them: a result without one belongs to the first call of its name that has no result yet,
    or else to the first of any name."""
    if "tool_call_id" not in source:
        return
    spell = nine if NINE.search(source) else str
    count = 0
    waiting: list[tuple[Any, str]] = []             # names and ids of calls without a result
    for message in conversation:
        for call in message.get("tool_calls") or ():
            count += 1
            call["id"] = spell(call.get("id") or f"{count:09}")
            waiting.append((call["function"].get("name"), call["id"]))
        if message["role"] == "tool":
            given = message.get("tool_call_id")
            named = [id for name, id in waiting if name == message.get("name")]
            id = spell(given) if given else next(iter([*named, *(id for _, id in waiting)]), None)
            if id is not None:
                message["tool_call_id"] = id
                waiting = [each for each in waiting if each[1] != id]


def nine(id: str) -> str:
    """Returns id, or what stands for it in nine letters and digits."""
    if len(id) == 9 and id.isascii() and id.isalnum():
        return id
    number = int.from_bytes(hashlib.sha256(id.encode()).digest()[:8], "big")
    return "".join(DIGITS[number // 36**i % 36] for i in range(9))
