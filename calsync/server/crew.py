"""The worker threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Crew:
    """A fixed number of threads that run short pieces of work, first come, first served.

    A ThreadPoolExecutor does the same at twice the price of a small request: its futures are made for waiting threads.
    """

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stopped = False
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Callable[..., None]] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(1, size + 1)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], T], then: Callable[[T | None, BaseException | None], None]) -> None:
        """Have `work` done by a thread, then call `then` in the event loop with its value or its exception.

        After `stop` nothing is done, and `then` is not called.
        """
        if not self._stopped:
            self._jobs.put((work, then))

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have `work` done by a thread; awaited, it gives its value or raises its exception. Cancelled after `stop`."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._stopped:
            future.cancel()
        else:
            self._jobs.put((work, partial(_settle, future)))
        return future

    def stop(self, timeout: float) -> bool:
        """End the threads after what is queued; False where one is still at work after `timeout` seconds."""
        self._stopped = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout)
            timeout = 0.05 if thread.is_alive() else timeout
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, then = job
            del job
            result: Any = None
            error: BaseException | None = None
            try:
                result = work()
            except BaseException as raised:  # noqa: BLE001 - given to who waits for it
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(then, result, error)
            del work, then, result, error  # what was worked on must not live until the next job


def _settle(future: asyncio.Future[T], result: T | None, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(cast(T, result))
    else:
        future.set_exception(error)
