"""The held-out set, and the proof that the training text shares nothing with it."""
from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .dialogues.dialogue import Dialogue, assistant, user
from .dialogues.facts import FACTS, THEMES
from .words import held_out_number

FOLDER = Path(__file__).parent / "heldout"
RUN = 5                 # words in a row that count as the same phrasing
NAMES = frozenset("""
    Barnaby Cordelia Dmitri Eleanor Fabian Gwendolyn Horatio Imogen Jasper Kendra Lorenzo Matilda
    Nigel Ophelia Percival Rosalind Sebastian Tabitha Ulrich Vivian Winston Xavier Yolanda Zachary
    Beatrix Cedric Delphine Ezra Bristol Calgary Dresden Genoa Krakow Leipzig Malmo Nagoya Osaka
    Palermo Reykjavik Sapporo Tampere Utrecht Verona Winnipeg Zagreb Antwerp Bilbao Cork
    """.lower().split())
OWN = ("minichat", "talk")


@dataclass
class Item:
    """messages end where the model is to answer; expect says what by (see evaluate.right)."""
    kind: str
    messages: list[dict[str, Any]]
    expect: dict[str, Any]
    tools: list[dict[str, Any]] = field(default_factory=list)
    think: bool = False


def items() -> list[Item]:
    """Returns the held-out set."""
    lines = [line for path in sorted(FOLDER.glob("*.jsonl"))
             for line in path.read_text().splitlines()]
    return [*(item for item, _ in asked()), *(Item(**json.loads(line)) for line in lines)]


def asked() -> Iterator[tuple[Item, str]]:
    """The questions about facts, and those that follow them, with the answers of the world."""
    for theme in THEMES:
        kind = "own" if theme in OWN else "everyday"
        held = tomllib.loads((FOLDER / f"{theme}.toml").read_text())
        for fact in FACTS[theme]:
            mine = held[fact["id"]]
            for ask in mine["ask"]:
                yield Item(kind, [user(ask)], {"all": mine["all"]}), fact["answer"]
            for follow, known in zip(mine.get("follow", ()), fact.get("follow", ()), strict=True):
                yield Item(kind, [user(mine["ask"][0]), assistant(fact["answer"]),
                                  user(follow["ask"])], {"all": follow["all"]}), known["answer"]


def said(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower())


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """The runs of RUN words of a text; the whole of a shorter one."""
    spoken = said(text)
    for i in range(max(len(spoken) - RUN, 0) + 1):
        yield tuple(spoken[i:i + RUN])


class Overlap:
    """What a training dialogue must not share: phrasings, names, numbers, tools."""

    def __init__(self, held: Iterable[Item]):
        self.phrases: dict[tuple[str, ...], str] = {}
        self.tools: set[str] = set()
        for item in held:
            self.tools |= {tool["function"]["name"] for tool in item.tools}
            for message in item.messages:
                if message["role"] in ("user", "system"):
                    for run in runs(without_json(message["content"])):
                        self.phrases.setdefault(run, message["content"])
        self.short = {run for run in self.phrases if len(run) < RUN}

    def found(self, dialogue: Dialogue) -> str:
        """Returns what a dialogue shares with the held-out set; "" if nothing."""
        for tool in dialogue.tools:
            if tool["function"]["name"] in self.tools:
                return f"tool {tool['function']['name']}"
        text = json.dumps([dialogue.messages, dialogue.tools])
        if any(held_out_number(int(digits)) for digits in re.findall(r"\d+", text)
               if len(digits) < 9):
            return "number"
        for message in dialogue.messages:
            spoken = said(message["content"])
            if named := NAMES.intersection(spoken):
                return f"name {sorted(named)[0]}"
            if message["role"] not in ("user", "system"):
                continue
            for run in runs(without_json(message["content"])):
                if run in self.phrases:
                    return f"phrase {' '.join(run)}"
            if tuple(spoken) in self.short:
                return f"phrase {' '.join(spoken)}"
        return ""


def without_json(text: str) -> str:
    """A message without the schema in it: schemas are made of the same few words."""
    return re.sub(r"\{.*\}", " ", text, flags=re.DOTALL)
