"""The text of an answer as it comes, read from its front.

What reads is a generator: it yields where there is not enough to go on with, and is resumed when
there is more.  So each character is looked at a fixed number of times, however the text is cut.
"""
from __future__ import annotations

import math
import re
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]

BLANKS = " \t\r\n"
BLANK = re.compile(f"[{BLANKS}]*")


class Malformed(Exception):
    """What was read is no tool call."""


class Source:
    def __init__(self, text: str = "", ended: bool = False):
        self.text, self.at = text, 0        # what can be seen, and how much of it was read
        self.ended = ended
        self._mark = 0
        self._read: list[str] = []          # since the mark, and no longer in text

    def push(self, text: str) -> None:
        """Adds what came."""
        if self._mark < self.at:
            self._read.append(self.text[self._mark:self.at])
        self.text = self.text[self.at:] + text
        self.at = self._mark = 0

    def mark(self) -> None:
        """Remembers this place for unread()."""
        self._mark = self.at
        self._read.clear()

    def unread(self) -> int:
        """Goes back to the mark; returns how many characters were read since it."""
        before = "".join(self._read)
        size = len(before) + self.at - self._mark
        if before:
            self.text, self._mark = before + self.text[self._mark:], 0
        self.at = self._mark
        self.mark()
        return size

    def more(self) -> Steps[None]:
        """Waits.  Raises Malformed at the end of the text."""
        if self.ended:
            raise Malformed
        yield

    def peek(self) -> Steps[str]:
        """Reads blanks; returns the character after them, nothing at the end of the text."""
        while True:
            if self.text[self.at:self.at + 1] in BLANKS:
                found = BLANK.match(self.text, self.at)
                self.at = found.end() if found else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if self.ended:
                return ""
            yield

    def take(self, mark: str) -> Steps[bool]:
        """Reads blanks, and the mark if it comes next; returns whether it does.

        Between the words of a mark there may be any blanks, or none; its first word decides.
        """
        for i, word in enumerate(mark.split()):
            yield from self.peek()
            while not self.ended and self.at + len(word) > len(self.text) and \
                    word.startswith(self.text[self.at:]):
                yield
            if not self.text.startswith(word, self.at):
                if i:
                    raise Malformed
                return False
            self.at += len(word)
        return True

    def expect(self, mark: str) -> Steps[None]:
        """Reads blanks and the mark.  Raises Malformed where it does not come next."""
        if not (yield from self.take(mark)):
            raise Malformed

    def until(self, mark: str, most: int | None = None) -> Steps[str]:
        """Reads past the mark; returns what is before it.

        Raises Malformed where that is more than most characters.
        """
        word, *words = mark.split()
        pieces: list[str] = []
        left = math.inf if most is None else most
        while True:
            found = self.text.find(word, self.at)
            end = found if found >= 0 else len(self.text) - overlap(self.text, word, self.at)
            beyond = end - self.at > left
            if beyond:                      # so much is read in any case, however it came
                end = self.at + int(left)
            pieces.append(self.text[self.at:end])
            left, self.at = left - (end - self.at), end
            if beyond:
                raise Malformed
            if found >= 0:
                break
            yield from self.more()
        self.at += len(word)
        for word in words:
            yield from self.expect(word)
        return "".join(pieces)

    def token(self, pattern: re.Pattern[str], most: int = 400) -> Steps[str]:
        """Reads what matches here, once it is known where that ends.

        Raises Malformed where it is nothing or more than most characters.
        """
        while True:
            found = pattern.match(self.text, self.at)
            end = found.end() if found else self.at
            if end - self.at > most:
                raise Malformed
            if end < len(self.text) or self.ended:
                break
            yield
        if end == self.at:
            raise Malformed
        start, self.at = self.at, end
        return self.text[start:end]


def overlap(text: str, mark: str, start: int = 0) -> int:
    """Returns the length of the longest end of text[start:] that is a proper beginning of mark."""
    for size in range(min(len(mark) - 1, len(text) - start), 0, -1):
        if text.endswith(mark[:size]):
            return size
    return 0
