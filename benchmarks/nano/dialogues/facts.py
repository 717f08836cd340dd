"""What nano knows, from world/."""
from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

WORLD = Path(__file__).parent.parent / "world"
# How often each is asked about.
THEMES = {"nature": 5, "living": 5, "people": 5, "earth": 5, "minichat": 7, "talk": 2}

Fact = dict[str, Any]               # id, topic, ask, answer, short, word, follow


def load(name: str) -> dict[str, Any]:
    """Returns what world/NAME.toml holds."""
    return tomllib.loads((WORLD / f"{name}.toml").read_text())


FACTS: dict[str, list[Fact]] = {theme: load(theme)["fact"] for theme in THEMES}
