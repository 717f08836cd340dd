"""Pieces of an answer -> parts of it: what is thinking, what is content, where it stops.

However the text is cut into pieces, the parts join to the same texts.  What might
yet become a tag or a stop string is held back, and nothing held is ever lost.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .tool_calls.source import overlap

Kind = Literal["content", "thinking"]


@dataclass(frozen=True, slots=True)
class Part:
    kind: Kind
    text: str


def opens_thinking(prompt: str, tags: tuple[str, str] | None) -> bool:
    """Returns whether an answer to this prompt starts inside the thinking."""
    return tags is not None and prompt.rstrip().endswith(tags[0])


class Splitter:
    """Splits one answer.

    stop are strings that end the answer, also inside the thinking: the one that is
    complete first, of several complete at once the first listed, cut where it begins.
    thinking_tags surround the thinking, which must come first; only the first pair
    counts.  Whitespace after a tag belongs to the tag.  inside_thinking says that the
    prompt has opened the thinking already.
    """

    def __init__(self, stop: Sequence[str] = (), thinking_tags: tuple[str, str] | None = None,
                 inside_thinking: bool = False):
        self.stopped = False
        self.length = 0                     # characters that passed: up to the stop string
        self._stop = tuple(dict.fromkeys(s for s in stop if s))
        self._held = ""                     # may become a stop string
        self._thoughts = _Thoughts(thinking_tags, inside_thinking) if thinking_tags else None

    @property
    def thinking(self) -> bool:
        """Whether the text so far ends inside the thinking, or might yet begin it."""
        return self._thoughts is not None and self._thoughts.state != "content"

    def push(self, text: str) -> list[Part]:
        """Returns the parts that this piece completes; none after a stop string."""
        if self.stopped or not text:
            return []
        text = self._until_stop(text)
        self.length += len(text)
        parts = self._parts(text)
        if self.stopped:
            parts += self._rest()
        return list(_merged(parts))

    def finish(self, text: str = "") -> list[Part]:
        """Returns what was held back, and a last piece, in which no stop string counts."""
        held, self._held = self._held + text, ""
        return list(_merged([*self._parts(held), *self._rest()]))

    def _parts(self, text: str) -> list[Part]:
        return self._thoughts.push(text) if self._thoughts else [Part("content", text)]

    def _rest(self) -> list[Part]:
        return self._thoughts.finish() if self._thoughts else []

    def _until_stop(self, text: str) -> str:
        if not self._stop:
            return text
        text = self._held + text
        found = [(at + len(s), order, at) for order, s in enumerate(self._stop)
                 if (at := text.find(s)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[:min(found)[2]]
        keep = len(text) - max(overlap(text, s) for s in self._stop)
        self._held = text[keep:]
        return text[:keep]


class _Thoughts:
    """Finds the thinking at the beginning of a text."""

    def __init__(self, tags: tuple[str, str], inside: bool):
        self.open, self.close = tags
        self.state: Literal["before", "opened", "thinking", "closed", "content"] = "before"
        self._held = ""
        if inside:
            self.state = "opened"

    def push(self, text: str) -> list[Part]:
        parts: list[Part] = []
        text, self._held = self._held + text, ""
        while text:
            text = self._step(text, parts)
        return parts

    def finish(self) -> list[Part]:
        held, self._held = self._held, ""
        if not held:
            return []
        return [Part("content" if self.state == "before" else "thinking", held)]

    def _step(self, text: str, parts: list[Part]) -> str:
        """Moves one state on; returns the text that is left."""
        if self.state == "before":
            said = text.lstrip()
            if said.startswith(self.open):
                self.state = "opened"
                return said[len(self.open):]
            if self.open.startswith(said):
                self._held = text
                return ""
            self.state = "content"
        elif self.state in ("opened", "closed"):
            text = text.lstrip()
            if text:
                self.state = "thinking" if self.state == "opened" else "content"
            return text
        elif self.state == "thinking":
            thought, tag, rest = text.partition(self.close)
            if tag:
                self.state = "closed"
            else:
                keep = len(text) - overlap(text, self.close)
                thought, self._held = text[:keep], text[keep:]
            parts.append(Part("thinking", thought))
            return rest
        parts.append(Part("content", text))
        return ""


def _merged(parts: Iterable[Part]) -> Iterable[Part]:
    last: Part | None = None
    for part in parts:
        if last and part.kind == last.kind:
            last = Part(part.kind, last.text + part.text)
        elif part.text:
            if last:
                yield last
            last = part
    if last:
        yield last
