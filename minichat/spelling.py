"""How the tokens of a vocabulary are spelled: tokenizer.json's decoder -> bytes of a token.

A decoder is taken apart into what it does to each token (`piece`) and what it does
to the beginning of the whole text (`strip`), so that a text can be decoded one token
at a time.  Byte tokens (`<0xE2>`) are bytes: where the library writes a U+FFFD for
each byte of a run that is not valid throughout, the valid characters of it stay.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Unsupported

Piece = Callable[[str, bool], str | bytes]


@dataclass(frozen=True)
class Spelling:
    steps: tuple[Piece, ...]                # of (token, whether it is the first), in order
    strip: tuple[str, int] = ("", 0)        # so many of this character at the beginning go

    def piece(self, token: str, first: bool) -> bytes:
        """Returns the bytes that a token adds to a text."""
        spelled: str | bytes = token
        for step in self.steps:
            if isinstance(spelled, str):
                spelled = step(spelled, first)
        return spelled.encode("utf-8", "replace") if isinstance(spelled, str) else spelled


def spelling(decoder: Mapping[str, Any] | None) -> Spelling:
    """Reads the decoder of a tokenizer.json."""
    if decoder is None:
        return Spelling((lambda token, first: token if first else " " + token,))
    steps: list[Piece] = []
    strip, fused = ("", 0), False
    parts = decoder["decoders"] if decoder["type"] == "Sequence" else [decoder]
    for part in parts:
        kind = part["type"]
        if kind == "Fuse":
            fused = True
        elif fused and kind == "Strip" and not part["stop"] and not strip[1]:
            strip = part["content"], part["start"]
        elif fused or kind not in STEPS:
            raise Unsupported(f"decoder {kind}: not supported here; known are "
                              f"{', '.join(sorted(STEPS))}, and Strip after Fuse")
        else:
            steps.append(STEPS[kind](part))
    return Spelling(tuple(steps), strip)


def _replace(part: Mapping[str, Any]) -> Piece:
    pattern = part["pattern"].get("String")
    if pattern is None:
        raise Unsupported(f"decoder Replace: pattern {part['pattern']}; must be a String")
    content = part["content"]
    return lambda token, first: token.replace(pattern, content)


def _strip(part: Mapping[str, Any]) -> Piece:
    def strip(token: str, first: bool) -> str:
        for _ in range(part["start"]):
            token = token.removeprefix(part["content"])
        for _ in range(part["stop"]):
            token = token.removesuffix(part["content"])
        return token
    return strip


def _metaspace(part: Mapping[str, Any]) -> Piece:
    mark = part["replacement"]
    opening = " " if part.get("prepend_scheme", "always") == "never" else ""
    return lambda token, first: token.replace(mark, opening if first else " ")


def _word_piece(part: Mapping[str, Any]) -> Piece:
    if part.get("cleanup"):
        raise Unsupported("decoder WordPiece: cleanup: true; must be false")
    prefix = part["prefix"]

    def word_piece(token: str, first: bool) -> str:
        if first:
            return token
        return token.removeprefix(prefix) if token.startswith(prefix) else " " + token
    return word_piece


def _byte_fallback(part: Mapping[str, Any]) -> Piece:
    def byte_fallback(token: str, first: bool) -> str | bytes:
        if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            try:
                return bytes([int(token[3:5], 16)])
            except ValueError:
                pass
        return token
    return byte_fallback


def _byte_level(part: Mapping[str, Any]) -> Piece:
    def byte_level(token: str, first: bool) -> str | bytes:
        try:
            return bytes([BYTES[letter] for letter in token])
        except KeyError:
            return token
    return byte_level


def _byte_letters() -> dict[str, int]:
    """The letters that byte-level vocabularies write for bytes: printable Latin-1 as itself,
    the others from U+0100 on."""
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return ({chr(byte): byte for byte in printable}
            | {chr(0x100 + n): byte for n, byte in enumerate(others)})


BYTES = _byte_letters()
STEPS: dict[str, Callable[[Mapping[str, Any]], Piece]] = {
    "Replace": _replace, "Strip": _strip, "Metaspace": _metaspace, "WordPiece": _word_piece,
    "ByteFallback": _byte_fallback, "ByteLevel": _byte_level,
}
