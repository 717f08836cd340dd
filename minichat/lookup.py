"""Ids so far -> what may follow, because the same went on so before: prompt lookup decoding.

Several tokens in one step read the weights once.  A guess is only ever compared with what is
drawn, so no answer depends on it; but a wrong one costs time, which it has to have earned.
"""
from __future__ import annotations

from collections.abc import Sequence

GRAM = 3                # ids that are looked up
MOST = 3                # guessed at a time: kernels take four tokens together
COST = .2               # of a guessed token, in steps of one
CREDIT = .5             # steps that may be lost before any is won,
TRICKLE = .005          # and for each token more
CREDIT_MOST = 4.


class Lookup:
    """What one sequence has seen, and whether guesses were worth it."""

    def __init__(self) -> None:
        self._after: dict[tuple[int, ...], int] = {}    # GRAM ids -> where they went on last
        self._known = GRAM
        self._length, self._credit = 1, CREDIT

    def guess(self, ids: Sequence[int], most: int) -> list[int]:
        """Returns what followed the last ids when they stood there before, most ids of it, or
        fewer; nothing while it is not worth it."""
        self._credit = min(self._credit + TRICKLE, CREDIT_MOST)
        most = min(most, self._length, int(self._credit / COST))
        if most < 1:
            return []
        for i in range(self._known, len(ids)):
            self._after[tuple(ids[i - GRAM:i])] = i
        self._known = max(self._known, len(ids))
        at = self._after.get(tuple(ids[-GRAM:]))
        return [] if at is None else list(ids[at:at + most])

    def learn(self, guessed: int, right: int) -> None:
        """Of so many guessed ids so many were right."""
        self._credit += right - guessed * COST
        self._length = min(2 * self._length, MOST) if right == guessed else max(right, 1)
