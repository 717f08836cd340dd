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
from .errors import MinichatError, OutOfMemory
from .pages import PageStore
from .sequence import Sequence, Work

MAX_SEQUENCES = 64          # in one step
AHEAD = 16                  # tokens that a reader may be behind before its sequence pauses
STEP_TOKENS = 512           # of all sequences, unless a num_batch asks for more


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
        self.engine, self.work = engine, work
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
        if not self._started:
            self._started = True
            self.engine.submit(self)
        self.engine.check_process()
        try:
            item = self._items.get()
        except BaseException:               # Ctrl-C: nobody will read the rest
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
            self.engine.nudge()

    def put(self, item: Token | End | BaseException) -> None:
        self._produced += 1
        self._items.put(item)

    @property
    def behind(self) -> bool:
        return self._produced - self._consumed >= AHEAD


class Engine:
    """Runs one model for many callers."""

    def __init__(self, model: _native.Model, page_limit: int, idle_limit: int | None = None):
        self.model = model
        self.store = PageStore(lambda copy_of: _native.Page(model, copy_of), page_limit,
                               idle_limit)
        self.process = os.getpid()
        self._changed = threading.Condition()
        self._arrived: list[Run] = []
        self._running: list[Sequence] = []
        self._orders = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._workspace: _native.Workspace | None = None
        _engines.add(self)

    @property
    def closed(self) -> bool:
        return self._closed

    def check_process(self) -> None:
        if os.getpid() != self.process:
            raise MinichatError("stream: it began before this process was forked; "
                                "start the chat anew in the child")

    def submit(self, run: Run) -> None:
        self.check_process()
        with self._changed:
            if self._closed:
                raise MinichatError("model: it was closed; load it again")
            self._arrived.append(run)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="minichat", daemon=True)
                self._thread.start()
            self._changed.notify()

    def nudge(self) -> None:
        """Something that a waiting engine cares for has changed."""
        if os.getpid() == self.process:
            with self._changed:
                self._changed.notify()

    def close(self) -> None:
        """Ends all sequences with an error, and the thread."""
        if os.getpid() != self.process:
            return
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _serve(self) -> None:
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
        with self._changed:
            self._closed = True
            for run in [*(s.run for s in self._running), *self._arrived]:
                run.put(error)
            self._running, self._arrived, self._workspace = [], [], None
            self.store.clear()

    def _plan(self) -> list[tuple[Sequence, int]]:
        """Returns who takes part in the next step, with how many tokens."""
        for sequence in [s for s in self._running if s.run.closed]:
            self._end(sequence)
            sequence.run.put(End("stop"))   # wakes a reader on another thread
        while self._arrived and len(self._running) < MAX_SEQUENCES:
            self._admit(self._arrived.pop(0))
        ready = [s for s in self._running if not s.run.behind and not s.blocked]
        room = max([STEP_TOKENS, *(s.work.num_batch for s in ready)])
        batch: list[tuple[Sequence, int]] = []
        for sequence in sorted(ready, key=lambda s: (s.pending > 1, s.order)):
            if sequence not in self._running or sequence.blocked:   # preempted just now
                continue
            n = min(sequence.pending, room, sequence.work.num_batch)
            if n and self._make_room(sequence, n, batch):
                batch.append((sequence, n))
                room -= n
        return batch

    def _admit(self, run: Run) -> None:
        if run.closed:
            run.put(End("stop"))
            return
        self._orders += 1
        sequence = Sequence(run.work, run, self.store, self._orders)
        try:
            sequence.begin()
        except MinichatError as error:
            sequence.leave()
            run.put(error)
            return
        run.cached = sequence.computed
        self._running.append(sequence)

    def _make_room(self, sequence: Sequence, n: int, batch: list[tuple[Sequence, int]]) -> bool:
        """Finds pages for n more positions, at the cost of newer sequences if need be."""
        try:
            while not sequence.reach(sequence.computed + n):
                others = [s for s in self._running if s is not sequence and not s.blocked]
                if not others:
                    raise OutOfMemory(
                        f"options.num_ctx: {self.store.limit} pages of {PAGE} positions fit in "
                        f"memory, and {len(sequence.ids)} tokens are not all; a smaller num_ctx "
                        "does")
                victim = max([sequence, *others], key=lambda s: s.order)
                victim.leave()
                victim.blocked = True
                batch[:] = [(s, k) for s, k in batch if s is not victim]
                if victim is sequence:
                    return False
        except MinichatError as error:
            self._end(sequence)
            sequence.run.put(error)
            return False
        return True

    def _end(self, sequence: Sequence) -> None:
        sequence.leave()
        self._running.remove(sequence)
        for other in self._running:
            if other.blocked:
                other.blocked = False
                other.begin()

    def _step(self, batch: list[tuple[Sequence, int]]) -> None:
        started = time.perf_counter_ns()
        tokens = sum(n for _, n in batch)
        try:
            if self._workspace is None or self._workspace.max_tokens < tokens:
                self._workspace = None      # its memory first
                self._workspace = _native.Workspace(self.model, max(tokens, STEP_TOKENS),
                                                    MAX_SEQUENCES)
            for sequence, n in batch:
                at = sequence.computed
                sequence.share.feed(sequence.ids[at:at + n], at,
                                    sequence.work.sampler if n == sequence.pending else None,
                                    long_rope=sequence.long)
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
        run, work = sequence.run, sequence.work
        try:
            token, logprob, top = sequence.share.draw
        except MinichatError as error:
            self._end(sequence)
            run.put(error)
            return
        sequence.ids.append(token)
        sequence.answered += 1
        run.put(Token(token, logprob, top, sequence.prompt_ns, sequence.eval_ns, sequence.shifted))
        reason = None
        if token in work.end:
            reason = "stop"
        elif sequence.answered >= work.num_predict:
            reason = "length"
        elif len(sequence.ids) > work.num_ctx:
            if not work.shift:
                reason = "length"
            else:
                sequence.shift()
        if reason:
            self._end(sequence)
            run.put(End(reason))
        elif sequence.outgrown and not sequence.long:
            sequence.lengthen()


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for engine in list(_engines):
        engine.close()
