"""The content of an answer -> content and calls."""
from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from .format import Call, Format, Part, schemas
from .source import BLANKS, Malformed, Source, Steps, overlap

MOST_BLANKS = 16        # that belong to a mark before which they are


class Parser:
    """Finds the calls in one answer, each as soon as it is complete.

    Text that cannot be the beginning of a call is out at once, and what turns out to be none is
    content: but for marks and the blanks around them nothing is lost, however the text is cut.
    After a mark any name is a call's; without one only those of tools are.  said is text that
    the answer continues: a call may have begun in it, but none of it is content of the answer.
    """

    def __init__(self, format: Format, tools: Sequence[Mapping[str, Any]] = (), said: str = ""):
        self._format, self._tools = format, schemas(tools)
        marks = [mark for mark in (format.begins, *format.silent) if mark]
        self._marks = sorted(marks, key=len, reverse=True)
        self._found = re.compile(rf"[{BLANKS}]{{0,{MOST_BLANKS}}}+"
                                 rf"({'|'.join(map(re.escape, self._marks)) or '(?!)'})")
        self._beginnings = tuple({mark[:n] for mark in marks for n in range(1, len(mark))})
        self._source = Source()
        self._parts = self._answer()
        self._said = len(said)              # characters that are not the answer's
        self.push(said)

    def push(self, text: str) -> list[Part]:
        """Returns what this piece completes."""
        self._source.push(text)
        return self._ready()

    def finish(self) -> list[Part]:
        """Returns what was held back, now that the answer has ended."""
        self._source.ended = True
        return self._ready()

    def _ready(self) -> list[Part]:
        parts: list[Part] = []
        content: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                content.append(part)
                continue
            parts.append("".join(content))
            content.clear()
            if part is None:
                break
            parts.append(part)
        return [part for part in map(self._new, (*parts, "".join(content))) if part != ""]

    def _new(self, part: Part) -> Part:
        """Takes off what was said before."""
        if isinstance(part, Call):
            self._said = 0
            return part
        old = min(self._said, len(part))
        self._said -= old
        return part[old:]

    def _answer(self) -> Generator[Part | None, None, None]:
        if self._format.bare:
            yield from self._attempt(bare=True)
        while (yield from self._text()):
            yield from self._attempt()

    def _text(self) -> Generator[str | None, None, bool]:
        """Passes content on up to the mark that begins calls; returns whether there is one."""
        source = self._source
        while True:
            found = self._found.search(source.text, source.at)
            if found and not self._grows(found):
                yield source.text[source.at:found.start()]
                source.at = found.start()
                if found[1] == self._format.begins:
                    return True
                source.at = found.end()
                continue
            end = found.start() if found else self._safe(source.text, source.at)
            yield source.text[source.at:end]
            source.at = end
            if source.ended:
                yield source.text[end:]
                return False
            yield None

    def _grows(self, found: re.Match[str]) -> bool:
        """Whether what was found may yet be a longer mark."""
        start, text = found.start(1), self._source.text
        return not self._source.ended and any(
            mark.startswith(text[start:start + len(mark)]) and start + len(mark) > len(text)
            for mark in self._marks)

    def _safe(self, text: str, start: int) -> int:
        """Returns the end of what is no beginning of a mark, nor blanks before one."""
        end = len(text)
        if text.endswith(self._beginnings):
            end -= max(overlap(text, mark, start) for mark in self._marks)
        blanks = max(start, end - MOST_BLANKS)
        return blanks + len(text[blanks:end].rstrip(BLANKS))

    def _attempt(self, bare: bool = False) -> Generator[Part | None, None, None]:
        """Reads calls; what is none of what was read becomes content."""
        source = self._source
        source.mark()
        try:
            yield from self._calls(bare)
        except Malformed:
            size, start = source.unread(), source.at
            end = start + self._again(source.text[start:start + size])
            yield source.text[start:end]
            source.at = end

    def _again(self, text: str) -> int:
        """Returns where in a text that is no call the next one may begin: at the last mark that
        it has, so that no text is read again and again."""
        begins = self._format.begins
        blanks = len(text) - len(text.lstrip(BLANKS))
        start = blanks + len(begins) if begins and text.startswith(begins, blanks) else 0
        found = text.rfind(begins, start) if begins else -1
        if found < 0:
            return self._safe(text, start)
        return start + len(text[start:found].rstrip(BLANKS))

    def _calls(self, bare: bool) -> Generator[Call | None, None, None]:
        format, source = self._format, self._source
        if not bare:
            yield from source.expect(format.open)
        while True:
            yield from source.expect(format.before)
            yield from self._group(bare)
            yield from source.take(format.after if format.body.whole else "")
            yield from self._settle()
            if format.close and (yield from source.take(format.close)):
                yield from self._settle()
                return
            if not format.before and not (yield from source.take(",")):
                yield from source.take(";")

    def _group(self, bare: bool) -> Generator[Call | None, None, None]:
        """Reads one call, or a list of them."""
        body, source = self._format.body, self._source
        listed = body.listed and (yield from source.take("["))
        while True:
            call = yield from body.read(source, self._tools)
            if bare and call.name not in self._tools:
                raise Malformed
            if not body.whole:
                yield from source.expect(self._format.after)
            yield call
            source.mark()
            if not listed:
                return
            yield from source.take(",")
            if (yield from source.take("]")):
                return

    def _settle(self) -> Steps[None]:
        """What was read until here, and blanks after it, are no content."""
        yield from self._source.peek()
        self._source.mark()
