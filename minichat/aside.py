"""Work beside the engine's: masks are made while a step runs."""
from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any


class Aside:
    """A thread that works beside the engine's.  Executors of the standard library end when the
    interpreter begins to, while threads of the program may still chat."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """Returns what waits for the result of work, and returns or raises it, once."""
        done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                done.put((work(), None))
            except BaseException as error:
                done.put((None, error))

        def result() -> Any:
            value, error = done.get()
            if error is not None:
                raise error
            return value

        if self._thread is None:
            thread = threading.Thread(target=self._serve, name="minichat-masks", daemon=True)
            try:
                thread.start()
            except RuntimeError:            # the interpreter ends, or there are too many
                return work
            self._thread = thread
        self._orders.put(run)
        return result

    def close(self) -> None:
        self._orders.put(None)

    def _serve(self) -> None:
        while run := self._orders.get():
            run()
