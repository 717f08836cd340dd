"""One sequence: its ids, its pages, and how far it is computed."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import _native
from ._native import PAGE
from .errors import OutOfMemory
from .lookup import Lookup
from .pages import Node, PageStore


@dataclass(frozen=True)
class Work:
    """A prompt, and how to go on from it."""
    prompt: tuple[int, ...]
    sampler: _native.Sampler
    end: frozenset[int]         # ids that end the answer
    num_ctx: int
    num_predict: int            # tokens at most
    num_keep: int               # leading positions that a shift spares
    shift: bool
    num_thread: int
    num_batch: int              # prompt tokens a step, at most
    long_after: int | None      # length past which the other rope table holds
    constraint: Any = None      # what may be drawn: mask(), accept(id), done (constrain.Constraint)


class Sequence:
    """The ids of one answer so far, and the pages that hold their keys and values."""

    def __init__(self, work: Work, run: Any, store: PageStore, order: int):
        self.work, self.run, self.store, self.order = work, run, store, order
        self.ids = list(work.prompt)
        self.long = self.outgrown
        self.share = _native.Share()
        self.nodes: list[Node] = []         # pages in the tree, from position 0
        self.own: list[_native.Page] = []   # pages after those, not full yet
        self.computed = 0                   # positions whose keys and values are there
        self.begun = False                  # has looked for what is known of ids
        self.blocked = False                # waits for another's pages
        self.lookup = Lookup()
        self.guessed: list[int] = []        # that are computed in this step after the ids
        self.mask: Callable[[], Any] = lambda: None     # what the next draw may be; waits for it
        self.answered = self.prompt_ns = self.eval_ns = self.shifted = 0

    @property
    def outgrown(self) -> bool:
        """Whether the ids are more than the short rope table is for."""
        return self.work.long_after is not None and len(self.ids) > self.work.long_after

    @property
    def pending(self) -> int:
        return len(self.ids) - self.computed

    def begin(self) -> None:
        """Finds what is known of ids, once; at least the last one is left to compute."""
        if self.begun:
            return
        self.begun = True
        root = self.store.root(self.long)
        self.nodes, donor, shared = self.store.match(root, self.ids[:-1])
        for node in self.nodes:
            self.store.use(node)
        self.computed = PAGE * len(self.nodes)
        if donor is not None:
            self.store.use(donor)           # so that take does not evict it
            try:
                page = self.store.take(donor.page)
            except OutOfMemory:             # then it is computed, if reach finds a page for it
                page = None
            self.store.release(donor)
            if page is not None:
                self.own.append(page)
                self.computed += shared
        self._place()

    def reach(self, position: int) -> bool:
        """Takes pages for the positions before position; False when there are none."""
        missing = -(-position // PAGE) - len(self.nodes) - len(self.own)
        for _ in range(missing):
            page = self.store.take()
            if page is None:
                return False
            self.own.append(page)
        if missing > 0:
            self._place()
        return True

    def guess(self, most: int) -> None:
        """Takes some ids more into the next step, at most so many, if they may be right and there
        are pages for them."""
        length, work = len(self.ids), self.work
        most = min(most, work.num_ctx - length, work.num_predict - self.answered - 1)
        if work.long_after is not None and not self.long:
            most = min(most, work.long_after - length)
        guessed = self.lookup.guess(self.ids, most) if most > 0 else []
        self.guessed = guessed if guessed and self.reach(length + len(guessed)) else []

    def advance(self, n: int) -> None:
        """n more positions are computed; full pages go into the tree."""
        self.computed += n
        if self.computed < PAGE * (len(self.nodes) + 1):
            return
        while self.computed >= PAGE * (len(self.nodes) + 1):
            at = PAGE * len(self.nodes)
            node = self.store.publish(self._last(), self.ids[at:at + PAGE], self.own.pop(0))
            self.store.use(node)
            self.nodes.append(node)
        self._place()

    def leave(self) -> None:
        """Leaves the pages to whoever begins alike."""
        known = self.ids[PAGE * len(self.nodes):self.computed]
        if known:
            page, last = self.own.pop(0), self._last()
            if any(child.ids[:len(known)] == tuple(known) for child in last.children.values()):
                self.store.give(page)
            else:
                self.store.publish(last, known, page)
        for page in self.own:
            self.store.give(page)
        for node in reversed(self.nodes):       # leaves go first when memory is wanted
            self.store.release(node)
        self.nodes, self.own, self.computed, self.begun = [], [], 0, False
        self.share.place([])

    def shift(self) -> None:
        """Drops the older half of the positions after num_keep; the tail is computed anew."""
        keep = min(self.work.num_keep, self.work.num_ctx - 1)
        discard = max((self.work.num_ctx - keep) // 2, 1)
        self.leave()
        del self.ids[keep:keep + discard]
        self.lookup = Lookup()
        self.shifted += discard
        self.long = self.outgrown

    def lengthen(self) -> None:
        """Past the boundary of the rope tables everything is computed with the other one."""
        self.leave()
        self.long = True

    def _last(self) -> Node:
        return self.nodes[-1] if self.nodes else self.store.root(self.long)

    def _place(self) -> None:
        self.share.place([node.page for node in self.nodes] + self.own)
