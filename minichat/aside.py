"""Work beside: masks are made while a step runs, weights are packed on all CPUs.

Executors of the standard library end when the interpreter begins to, while threads of the program
may still chat.
"""
from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


class Aside:
    """Threads that work beside the one that asks; they start when there is something to do.

    close() lets them end when all is done; leaving a `with` drops what was not begun, and waits.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._name, self._most = name, threads
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def begin(self, work: Callable[[], Made]) -> Callable[[], Made]:
        """Returns what waits for the result of work, and returns or raises it, once."""
        done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                done.put((work(), None))
            except BaseException as error:
                done.put((None, error))

        def result() -> Made:
            value, error = done.get()
            if error is not None:
                raise error
            made: Made = value
            return made

        if not self._start() and not self._threads:
            return work
        self._orders.put(run)
        return result

    async def awaited(self, work: Callable[[], Made]) -> Made:
        """Returns or raises what work does, while the event loop runs on."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Made] = loop.create_future()

        def settle(set: Callable[[Any], None], value: object) -> None:
            if not future.done():       # as when its task was cancelled
                set(value)

        def run() -> None:
            try:
                outcome: tuple[Callable[[Any], None], object] = future.set_result, work()
            except BaseException as error:
                outcome = future.set_exception, error
            with suppress(RuntimeError):        # the loop is closed: nobody waits
                loop.call_soon_threadsafe(settle, *outcome)

        self.begin(run)
        return await future

    def each(self, work: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
        """Yields what work makes of each item, in their order."""
        for result in [self.begin(partial(work, item)) for item in items]:
            yield result()

    def close(self) -> None:
        """Once or more."""
        for _ in self._threads:
            self._orders.put(None)

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *exc_info: object) -> None:
        while not self._orders.empty():
            try:
                self._orders.get_nowait()
            except queue.Empty:         # a thread was faster
                break
        self.close()
        for thread in self._threads:
            thread.join()

    def _start(self) -> bool:
        """Starts one thread more, if there may be one."""
        if len(self._threads) >= self._most:
            return False
        thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:            # the interpreter ends, or there are too many
            return False
        self._threads.append(thread)
        return True

    def _serve(self) -> None:
        while run := self._orders.get():
            run()
