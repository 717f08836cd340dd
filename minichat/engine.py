"""Ids -> ids: many sequences at once, a step at a time, on one thread a model.

A caller hands over Work and reads a Run.  Each step the engine gives every sequence that
decodes one token and fills up with slices of prompts.  What a sequence computes depends on
its own ids alone: neither company, nor chunking, nor pages found by prefix change a bit.
"""
from __future__ import annotations

import atexit
import os
import queue
import threading
import time
import weakref
from dataclasses import dataclass

from . import _native
from ._native import PAGE
from .aside import Aside
from .errors import MinichatError, NativeError, OutOfMemory
from .pages import PageStore
from .sequence import Sequence, Work

MAX_SEQUENCES = 64          # in one step
AHEAD = 16                  # tokens that a reader may be behind before its sequence pauses
STEP_TOKENS = 256           # of all sequences; more gains nothing, and delays company and close()


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the answer, and the work that it took so far."""
    id: int
    logprob: float | None       # this and the next only where they were asked for
    top: list[tuple[int, float]]
    prompt_ns: int              # to the first token's logits
    eval_ns: int                # from there to this one's
    shifted_tokens: int


@dataclass(frozen=True, slots=True)
class End:
    done_reason: str            # "stop" or "length"


class Run:
    """The reader's end of a sequence: an iterator over Token, last an End."""

    def __init__(self, engine: Engine, work: Work):
        self.engine, self.work, self._process = engine, work, os.getpid()
        self.cached = 0                     # prompt tokens that came from shared pages
        self.closed = False
        self._items: queue.SimpleQueue[Token | End | BaseException] = queue.SimpleQueue()
        self._started = False
        self._produced = self._consumed = 0

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> Token | End:
        if self.closed:
            raise StopIteration
        try:
            if not self._started:
                self._started = True
                self._check_process()
                self.engine.submit(self)
            self._check_process()
            item = self._items.get()
        except BaseException:               # as Ctrl-C: nobody will read the rest
            self.close()
            raise
        if self.closed:                     # by another thread, meanwhile
            raise StopIteration
        if isinstance(item, BaseException):
            self.closed = True
            raise item
        if isinstance(item, End):
            self.closed = True
        self._consumed += 1
        if self._produced - self._consumed == AHEAD - 1:
            self.engine.nudge()
        return item

    def close(self) -> None:
        """Ends the sequence at the next step; its pages are free then."""
        if not self.closed:
            self.closed = True
            if os.getpid() == self._process:
                self.engine.nudge()

    def put(self, item: Token | End | BaseException) -> None:
        self._produced += 1
        self._items.put(item)

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise MinichatError("stream: it began before this process was forked; "
                                "start the chat anew in the child")

    @property
    def behind(self) -> bool:
        return self._produced - self._consumed >= AHEAD


class Engine:
    """Runs one model for many callers."""

    def __init__(self, model: _native.Model, page_limit: int, idle_limit: int | None = None):
        self.model, self._limits = model, (page_limit, idle_limit)
        self._closed = False
        self.start_anew()
        _engines.add(self)

    def start_anew(self) -> None:
        """As made: in a child of fork there is no thread, and locks and pages may be amiss."""
        model = self.model
        self.store = PageStore(lambda copy_of: _native.Page(model, copy_of), *self._limits)
        self._changed = threading.Condition()
        self._arrived: list[Run] = []
        self._running: list[Sequence] = []
        self._orders = 0
        self._thread: threading.Thread | None = None
        self._workspace: _native.Workspace | None = None
        self._masks = Aside("minichat-masks")               # are made while the step runs

    @property
    def closed(self) -> bool:
        return self._closed

    def submit(self, run: Run) -> None:
        with self._changed:
            if self._closed:
                raise MinichatError("model: it was closed; load it again")
            if self._thread is None:
                try:
                    threading.Thread(target=self._serve, name="minichat", daemon=True).start()
                except RuntimeError as error:
                    raise NativeError(f"model: no thread for it: {error}") from None
            self._arrived.append(run)
            self._changed.notify()

    def nudge(self) -> None:
        """Something that a waiting engine cares for has changed."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Ends all sequences with an error, and the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _serve(self) -> None:
        with self._changed:
            if self._thread is not None:    # an interrupted submit() started one, too
                return
            self._thread = threading.current_thread()
        try:
            while True:
                with self._changed:
                    while not (batch := self._plan()):
                        if self._closed:
                            break
                        self._changed.wait()
                    if self._closed:
                        break
                self._step(batch)
            error: BaseException = MinichatError("model: closed while this chat was running")
        except BaseException as unexpected:     # a reader must never wait for nothing
            error = unexpected
        self._masks.close()
        with self._changed:
            self._closed = True
            for run in [*(s.run for s in self._running), *self._arrived]:
                run.put(error)
            self._running, self._arrived, self._workspace = [], [], None
            self.store.clear()

    def _plan(self) -> list[tuple[Sequence, int]]:
        """Returns who takes part in the next step, with how many tokens; empty: nobody can."""
        while self._arrived:
            self._orders += 1
            run = self._arrived[0]
            self._running.append(Sequence(run.work, run, self.store, self._orders))
            del self._arrived[0]
        for sequence in [s for s in self._running if s.run.closed]:
            self._end(sequence)
            sequence.run.put(End("stop"))   # wakes a reader on another thread
        while ready := self._ready():
            if batch := self._fill(ready):
                return batch                # else some failed or were blocked: others may go on
        return []

    def _ready(self) -> list[Sequence]:
        """Returns those that can go on; where all those wait for pages of slow readers, one."""
        wanted = [s for s in self._running if not s.run.behind]
        if wanted and all(s.blocked for s in wanted):
            wanted[0].blocked = False
        return [s for s in wanted if not s.blocked]

    def _fill(self, ready: list[Sequence]) -> list[tuple[Sequence, int]]:
        """Returns a step: first all that decode, then the prompts, the oldest first."""
        batch: list[tuple[Sequence, int]] = []
        room = STEP_TOKENS
        for sequence in sorted(ready, key=lambda s: (s.pending > 1, s.order)):
            if not room or len(batch) == MAX_SEQUENCES:
                break
            if sequence not in self._running or sequence.blocked:   # preempted just now
                continue
            if n := self._make_room(sequence, room, batch):
                batch.append((sequence, n))
                room -= n
        # In company the weights are read for several tokens anyway.
        if len(batch) == len(self._running) == 1:
            self._guess(*batch[0])
        return batch

    def _guess(self, sequence: Sequence, n: int) -> None:
        if sequence.answered and n == sequence.pending == 1 and sequence.work.constraint is None:
            sequence.guess(sequence.work.num_batch - 1)

    def _make_room(self, sequence: Sequence, room: int, batch: list[tuple[Sequence, int]]) -> int:
        """Finds pages for the next positions, at the cost of slow readers, then of newer ones.

        Returns how many positions; 0 where it has to wait, or failed.
        """
        try:
            first = not (sequence.begun or sequence.answered)
            sequence.begin()
            if first:
                sequence.run.cached = sequence.computed
            n = min(sequence.pending, room, sequence.work.num_batch)
            while not sequence.reach(sequence.computed + n):
                others = [s for s in self._running if s is not sequence and not s.blocked]
                if not others:
                    raise OutOfMemory(
                        f"options.num_ctx: {self.store.limit} pages of {PAGE} positions fit in "
                        f"memory, and {len(sequence.ids)} tokens are not all; a smaller num_ctx "
                        "does")
                victim = max([sequence, *others], key=lambda s: (s.run.behind, s.order))
                victim.leave()
                victim.blocked = True
                batch[:] = [(s, k) for s, k in batch if s is not victim]
                if victim is sequence:
                    return 0
            return n
        except MinichatError as error:
            self._end(sequence)
            sequence.run.put(error)
            return 0

    def _end(self, sequence: Sequence) -> None:
        sequence.leave()
        self._running.remove(sequence)
        for other in self._running:
            other.blocked = False

    def _step(self, batch: list[tuple[Sequence, int]]) -> None:
        started = time.perf_counter_ns()
        try:
            if self._workspace is None:
                self._workspace = _native.Workspace(self.model, STEP_TOKENS, MAX_SEQUENCES)
            for sequence, n in batch:
                at, constraint = sequence.computed, sequence.work.constraint
                draws, guessed = n == sequence.pending, sequence.guessed
                inside = draws and constraint is None and not guessed
                sequence.share.feed(
                    sequence.ids[at:at + n] + guessed, at,
                    sequence.work.sampler if inside else None,
                    n_logits=int(draws and not inside) + len(guessed), long_rope=sequence.long)
                if draws and constraint is not None:
                    sequence.mask = self._masks.begin(constraint.mask)
        except OutOfMemory as error:
            for sequence, _ in batch:
                self._end(sequence)
                sequence.run.put(error)
            return
        self._workspace.step([s.share for s, _ in batch],
                             max(s.work.num_thread for s, _ in batch))
        elapsed = time.perf_counter_ns() - started
        for sequence, n in batch:
            if sequence.answered:
                sequence.eval_ns += elapsed
            else:
                sequence.prompt_ns += elapsed
            drawn = n == sequence.pending
            sequence.advance(n)
            if drawn:
                self._answer(sequence)

    def _answer(self, sequence: Sequence) -> None:
        """Takes what was drawn, hands it to the reader, and decides whether to go on."""
        guessed, sequence.guessed = sequence.guessed, []
        try:
            reason = self._compare(sequence, guessed) if guessed else self._draw(sequence)
        except Exception as error:          # of a grammar, too: it is this chat's alone
            self._end(sequence)
            sequence.run.put(error)
            return
        if reason:
            self._end(sequence)
            sequence.run.put(End(reason))
        elif sequence.outgrown and not sequence.long:
            sequence.lengthen()

    def _draw(self, sequence: Sequence) -> str | None:
        """Says the token that was drawn, and those that a grammar has follow it."""
        work = sequence.work
        if work.constraint is None:
            return self._say(sequence, *sequence.share.draw)
        drawn = work.sampler.draw(sequence.share.logits[0], sequence.mask())
        forced = [] if drawn[0] in work.end else work.constraint.accept(drawn[0])
        reason = self._say(sequence, *drawn)
        for id in forced:
            if not reason:
                work.sampler.accept(id)
                reason = self._say(sequence, id, None, [])
        return "stop" if not reason and work.constraint.done else reason

    def _compare(self, sequence: Sequence, guessed: list[int]) -> str | None:
        """Says the token that is drawn now, and one more after each guess that was right."""
        right = 0
        while True:
            drawn = sequence.work.sampler.draw(sequence.share.logits[right])
            reason = self._say(sequence, *drawn)
            shifted = not sequence.computed
            if reason or shifted or right == len(guessed) or drawn[0] != guessed[right]:
                break
            right += 1
            sequence.advance(1)
        sequence.lookup.learn(len(guessed), right)
        return reason

    def _say(self, sequence: Sequence, id: int, logprob: float | None,
             top: list[tuple[int, float]]) -> str | None:
        """One token more; returns the reason, if it is the last one."""
        work = sequence.work
        sequence.ids.append(id)
        sequence.answered += 1
        sequence.run.put(Token(id, logprob, top, sequence.prompt_ns, sequence.eval_ns,
                               sequence.shifted))
        if id in work.end:
            return "stop"
        if sequence.answered >= work.num_predict:
            return "length"
        if len(sequence.ids) > work.num_ctx:
            if not work.shift:
                return "length"
            sequence.shift()
        return None


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for engine in list(_engines):
        engine.close()


def _start_all_anew() -> None:
    for engine in list(_engines):
        engine.start_anew()


os.register_at_fork(after_in_child=_start_all_anew)
