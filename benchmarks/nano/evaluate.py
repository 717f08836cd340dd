"""Examines a nano on the held-out set, with minichat's own engine."""
from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import minichat
from minichat.chat import Model
from minichat.chunks import ToolFunction

from .held_out import Item

CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
CONFIGURATIONS = {                      # name -> quantization, options
    "f32": ("f32", {"temperature": 0}),
    "q8": ("q8", {"temperature": 0}),
    "q4": ("q4", {"temperature": 0}),
    "q4, default options": ("q4", {"seed": 1}),
}
AT_ONCE = 32
HELD = "json, with format"              # JSON's items again, held to their schemas


@dataclass
class Answer:
    item: Item
    text: str                           # as the model wrote it
    ended: bool

    @property
    def content(self) -> str:
        return self.text.rpartition("</think>")[2].strip()

    @property
    def thinking(self) -> str:
        return self.text.rpartition("</think>")[0].strip()

    def scores(self) -> dict[str, bool]:
        """Kind -> whether it is right; a tool call has two."""
        item = self.item
        if item.kind != "tool-choice":
            return {item.kind: self.right()}
        wanted, found = item.expect["call"], called(self.content)
        chosen = found is not None and found["name"] == wanted["name"]
        return {"tool choice": chosen, "tool arguments": chosen and self.right()}

    def right(self) -> bool:
        """Whether it ended by itself and holds all that the item expects."""
        return self.ended and not (self.item.think and not self.thinking) and all(
            CHECKS[name](self.content, wanted) for name, wanted in self.item.expect.items())


def called(text: str) -> dict[str, Any] | None:
    """Returns the one tool call of an answer, with its strings in small letters."""
    calls = CALL.findall(text)
    try:
        call, = map(json.loads, calls)
        return {"name": call["name"], "arguments": small(call["arguments"])}
    except (ValueError, TypeError, KeyError):
        return {"name": None, "arguments": None} if "<tool_call>" in text else None


def small(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: small(each) for name, each in value.items()}
    return value.strip().lower() if isinstance(value, str) else value


def is_json(text: str, wanted: Any) -> bool:
    try:
        return bool(json.loads(text) == wanted)
    except ValueError:
        return False


def holds(text: str, groups: Iterable[Iterable[str]]) -> bool:
    return all(any(each.lower() in text.lower() for each in group) for group in groups)


def same_call(text: str, wanted: dict[str, Any] | None) -> bool:
    found = called(text)
    return found == (wanted and {"name": wanted["name"], "arguments": small(wanted["arguments"])})


CHECKS = {
    "all": holds,
    "none": lambda text, several: not any(each.lower() in text.lower() for each in several),
    "call": same_call,
    "json": is_json,
    "number": lambda text, number: re.findall(r"\d+", text)[-1:] == [str(number)],
    "capitals": lambda text, _: text == text.upper() != "",
    "words": lambda text, most: 0 < len(text.split()) <= most,
}


def answers(model: Model, items: list[Item], options: dict[str, Any],
            held: bool = False) -> list[Answer]:
    """Returns what a model says to each item; held: to the schema that its messages tell."""
    def one(item: Item) -> Answer:
        said = model.chat(item.messages, tools=item.tools, think=item.think or None,
                          format=schema(item) if held else None, stream=False,
                          options={"num_predict": 200, **options})
        message = said.message
        thinking = [f"{message.thinking}</think>"] if message.thinking else []
        calls = [f"<tool_call>\n{json.dumps(without_index(call.function))}\n</tool_call>"
                 for call in message.tool_calls or ()]
        return Answer(item, "\n".join([*thinking, message.content, *calls]).strip(),
                      said.done_reason == "stop")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, items))


def without_index(function: ToolFunction) -> dict[str, Any]:
    return {"name": function.name, "arguments": function.arguments}


def schema(item: Item) -> Any:
    """Returns the schema that an item's messages have, or "json"."""
    text = " ".join(message["content"] for message in item.messages)
    start = text.find('{"type": "object"')
    return json.JSONDecoder().raw_decode(text, start)[0] if start >= 0 else "json"


def table(folder: Path, items: list[Item]) -> tuple[dict[str, dict[str, str]], list[Answer]]:
    """Returns kind -> configuration -> "right of all, percent", and the answers of the last."""
    rows: dict[str, dict[str, str]] = {}
    said: list[Answer] = []
    for name, (quantization, options) in CONFIGURATIONS.items():
        objects = [replace(item, kind=HELD) for item in items if item.kind == "json"]
        with minichat.load(folder, quantization=quantization) as model:
            said = answers(model, items, options)
            held = answers(model, objects, options, held=True)
        for kind, share in scored([*said, *held]).items():
            rows.setdefault(kind, {})[name] = share
    return rows, said


def scored(said: list[Answer]) -> dict[str, str]:
    counts: dict[str, list[bool]] = {}
    for answer in said:
        for kind, right in answer.scores().items():
            counts.setdefault(kind, []).append(right)
    return {kind: f"{sum(each)}/{len(each)}, {100 * sum(each) / len(each):.1f} %"
            for kind, each in counts.items()}
