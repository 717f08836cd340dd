"""Gemma's: f{k:<|"|>text<|"|>,n:1}, keys without quotes, strings in marks of their own."""
from __future__ import annotations

from .named import Named
from .values import Style


def gemma(quote: str) -> Named:
    return Named(style=Style(quote, bare_keys=True))
