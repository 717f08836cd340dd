"""Which models are in memory: loaded once however many ask, kept for keep_alive.

A model stays while a chat runs on it or a load() pins it, and keep_alive seconds after the
last chat.  A request without keep_alive leaves the last one in force.
"""
from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import _native, memory
from .chat import Model
from .errors import NativeError, OutOfMemory
from .memory import Room

KEEP_ALIVE_S = 300.0
CROWDED_POSITIONS = 8192            # room for fewer, if its context has them, and others must go
Key = tuple[Path, str]              # a folder's real path, a quantization


@dataclass(eq=False)
class Resident:
    key: Key
    model: Model = None             # type: ignore[assignment]  # while it is being loaded
    error: BaseException | None = None
    users: int = 0                  # chats that run, and pins
    keep_alive: float = 0.0         # until a chat says, or leaves it at KEEP_ALIVE_S
    chatted: bool = False
    idle_since: float = field(default_factory=time.monotonic)

    @property
    def expires(self) -> float:
        """When it may go, on the monotonic clock; inf while it is in use."""
        return math.inf if self.users or self.model is None else self.idle_since + self.keep_alive


class Residency:
    """The models of this process, in the memory there is, or in that of MINICHAT_MEMORY: of those
    that nobody uses, the one that would go soonest makes room for another."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """A child of fork has neither the engines' threads nor a right to the parent's locks."""
        self._lock = threading.RLock()      # for `with`: a Condition stays locked after a Ctrl-C
        self._changed = threading.Condition(self._lock)
        self._loading = threading.Lock()        # one at a time knows what room it has
        self._closing = threading.RLock()       # until the memory of who went is free
        self._residents: dict[Key, Resident] = {}
        self._keeper: threading.Thread | None = None

    def acquire(self, key: Key, load: Callable[[Room], Model],
                set_keep_alive: Callable[[Resident], None]) -> Resident:
        """Returns the resident of key, loaded if need be, with one user more."""
        fresh = Resident(key, users=1)
        try:
            while (resident := self._there_or(fresh, set_keep_alive)) is not fresh:
                if resident.error is None:
                    return resident
                if isinstance(resident.error, Exception):
                    raise resident.error
                # Its loader was interrupted, which is no business of this thread.
            model = self._loaded(load)
            with self._lock:
                # Not in release(), which may run while the interpreter exits: then none starts.
                if self._keeper is None:
                    self._keeper = self._new_keeper()
                set_keep_alive(fresh)
                fresh.model = model
                self._changed.notify_all()
            return fresh
        except BaseException as error:      # Ctrl-C, too, wherever it comes
            with self._lock:
                if self._residents.get(key) is fresh:
                    fresh.error = error
                    del self._residents[key]
                    self._changed.notify_all()
            raise

    def _there_or(self, fresh: Resident,
                  set_keep_alive: Callable[[Resident], None]) -> Resident:
        """Returns who is there, with one user more, once it is loaded or will never be; fresh,
        from now on there, if nobody is."""
        with self._lock:
            resident = self._residents.get(fresh.key)
            if resident is None or (resident.model and resident.model.engine.closed):
                self._residents[fresh.key] = fresh
                return fresh
            resident.users += 1
            try:
                while resident.model is None and resident.error is None:
                    self._changed.wait()
                if resident.error is None:
                    set_keep_alive(resident)
            except BaseException:           # Ctrl-C
                resident.users -= 1
                raise
            return resident

    def _new_keeper(self) -> threading.Thread:
        keeper = threading.Thread(target=self._keep, name="minichat-keeper", daemon=True)
        try:
            keeper.start()
        except RuntimeError as error:
            raise NativeError(f"model: no thread that keeps it: {error}") from None
        return keeper

    def _loaded(self, load: Callable[[Room], Model]) -> Model:
        with self._loading:
            while True:
                positions = CROWDED_POSITIONS if self._idle() else 1
                try:
                    return load(self._room(positions))
                except OutOfMemory:
                    idle = self._idle()
                    if not idle and positions == 1:
                        raise
                idle.sort(key=lambda resident: resident.expires)
                del idle[1:]
                self._close(idle)

    def _idle(self) -> list[Resident]:
        with self._closing, self._lock:
            return [r for r in self._residents.values() if r.model and not r.users]

    def _room(self, positions: int) -> Room:
        with self._lock:
            models = [r.model.memory() for r in self._residents.values() if r.model]
        left, budget = memory.available(), memory.budget()
        if left is not None:        # in which weights count as free, for they are in files
            left -= sum(most - taken for taken, most in models)
        if budget is not None:
            budget -= sum(most for _, most in models)
        known = [each for each in (left, budget) if each is not None]
        return Room(max(0, min(known)) if known else None, positions)

    def release(self, resident: Resident) -> None:
        """One user less; the last one starts the clock of keep_alive.

        The keeper closes what is over: the collector may call this, in the midst of anything.
        """
        with self._lock:
            resident.users -= 1
            resident.idle_since = time.monotonic()
            self._changed.notify_all()

    def unload(self, path: Path, quantization: str | None) -> None:
        """Lets the model in path go as soon as nobody uses it; None: in every quantization."""
        with self._lock:
            for key, resident in self._residents.items():
                if key[0] == path and quantization in (None, key[1]):
                    resident.keep_alive = 0.0
        self._close_expired()

    def ps(self) -> list[dict[str, Any]]:
        with self._lock:
            there = [r for r in self._residents.values() if r.model is not None]
            return [describe(r) for r in there]

    def _close_expired(self) -> None:
        now = time.monotonic()
        with self._lock:
            expired = [r for r in self._residents.values() if r.expires <= now]
        self._close(expired)

    def _close(self, residents: list[Resident]) -> None:
        """Lets those go that nobody uses by now; keeps no reference to them."""
        with self._closing:
            with self._lock:
                residents[:] = [r for r in residents
                                if not r.users and self._residents.get(r.key) is r]
                for resident in residents:
                    del self._residents[resident.key]
                if gone := len(residents):
                    self._changed.notify_all()
            while residents:
                residents.pop().model.engine.close()
            if gone:
                _native.trim_memory()

    def _keep(self) -> None:
        """Sleeps until something expires; ends when no model is left."""
        while True:
            self._close_expired()
            with self._lock:
                if not self._residents:
                    self._keeper = None
                    return
                soonest = min(r.expires for r in self._residents.values())
                left = soonest - time.monotonic()
                self._changed.wait(max(left, 0) if left < threading.TIMEOUT_MAX else None)


def pinned(resident: Resident) -> None:
    """A pin leaves what holds after it to the chats."""


def chatting(keep_alive: float | None) -> Callable[[Resident], None]:
    """A chat sets keep_alive, where given; the first one without it the default."""
    def set_keep_alive(resident: Resident) -> None:
        if keep_alive is not None:
            resident.keep_alive = keep_alive
        elif not resident.chatted:
            resident.keep_alive = KEEP_ALIVE_S
        resident.chatted = True

    return set_keep_alive


def describe(resident: Resident) -> dict[str, Any]:
    """What ps() says of a model: the fields of the endpoint's /api/ps."""
    model = resident.model
    left = resident.expires - time.monotonic() if not resident.users else resident.keep_alive
    try:
        expires = datetime.now(UTC) + timedelta(seconds=left)
        expires_at = expires.isoformat().replace("+00:00", "Z")
    except OverflowError:           # for ever
        expires_at = None
    return {"name": model.name, "model": model.name, "size": model.size_bytes,
            "details": {"family": model.family.model_type, "quantization_level": resident.key[1],
                        "parameter_size": model.engine.model.architecture.n_params},
            "expires_at": expires_at, "context_length": model.context}
