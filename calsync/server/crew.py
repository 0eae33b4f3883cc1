"""The worker threads, whose turn it is, and the desk where logins are checked."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

#: Logins that may wait for their check; one more, and whoever has most of them there goes without.
WAITING = 256

#: Methods that only read. Whatever else a client asks may have to wait for the disk and for other writers.
READING = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})


@dataclass(frozen=True, slots=True)
class Lane:
    """In which line a piece of work waits: whether it may write, and for whom (a connection) it is."""

    writes: bool
    whose: Hashable = None


ANYBODY = Lane(writes=False)


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    writes: bool
    work: Callable[[], T]
    then: Callable[[T | None, BaseException | None], None]


class Crowded(Exception):
    """More logins wait for their check than may; this one was the last of those who have most there."""


class _Line:
    """Jobs that wait: those of one connection in their order, the connections in turn."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, deque[_Job[Any]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, whose: Hashable, job: _Job[Any]) -> None:
        waiting = self._waiting.get(whose)
        if waiting is None:
            self._waiting[whose] = deque((job,))
        else:
            waiting.append(job)

    def take(self) -> _Job[Any]:
        whose, waiting = next(iter(self._waiting.items()))
        job = waiting.popleft()
        if waiting:
            self._waiting.move_to_end(whose)
        else:
            del self._waiting[whose]
        return job

    def turn_away(self) -> _Job[Any]:
        """The last of those who have most here; where several have as many, of whose turn is last."""
        whose, waiting = max(reversed(self._waiting.items()), key=lambda entry: len(entry[1]))
        job = waiting.pop()
        if not waiting:
            del self._waiting[whose]
        return job


class Crew:
    """A fixed number of threads that run short pieces of work, each connection in its turn.

    Writers queue for the store's one writer, and for a disk that may take its time; work that writes therefore holds
    at most `writers` of the threads, so that a read always finds one. A ThreadPoolExecutor knows no such lanes, and has
    twice the price of a small request: its futures are made for waiting threads.
    """

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop, checks: int = 1) -> None:
        self._loop = loop
        self._stopped = False
        self._desk = Desk(checks, loop)
        self.writers = most_writers(size)
        # One ticket for each job that was handed in, None to end a thread.
        self._tickets: SimpleQueue[bool | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._reads = _Line()
        self._writes = _Line()
        self._writing = 0
        self._owed = 0
        """Tickets whose job is a write that waits for another to end."""
        self._wrote_last = False
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(1, size + 1)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, work: Callable[[], T], then: Callable[[T | None, BaseException | None], None], lane: Lane = ANYBODY
    ) -> None:
        """Have `work` done by a thread, then call `then` in the event loop with its value or its exception.

        After `stop` nothing is done, and `then` is not called.
        """
        if not self._stopped:
            self._add(work, then, lane)

    def run(self, work: Callable[[], T], lane: Lane = ANYBODY) -> asyncio.Future[T]:
        """Have `work` done by a thread; awaited, it gives its value or raises its exception. Cancelled after `stop`."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._stopped:
            future.cancel()
        else:
            self._add(work, partial(_settle, future), lane)
        return future

    def check(
        self, work: Callable[[], T], then: Callable[[T | None, BaseException | None], None], whose: Hashable
    ) -> None:
        """As `submit`, at the desk: what may take long before it is known whether it is to be done at all.

        `then` is given `Crowded` where there is no room left.
        """
        if not self._stopped:
            self._desk.add(work, then, whose)

    def stop(self, timeout: float) -> bool:
        """End the threads after what is queued; False where one is still at work after `timeout` seconds."""
        self._stopped = True
        threads = [*self._threads, *self._desk.close()]
        for _ in self._threads:
            self._tickets.put(None)
        for thread in threads:
            thread.join(timeout)
            timeout = 0.05 if thread.is_alive() else timeout
        return not any(thread.is_alive() for thread in threads)

    def _add(self, work: Callable[[], T], then: Callable[[T | None, BaseException | None], None], lane: Lane) -> None:
        with self._guard:
            (self._writes if lane.writes else self._reads).add(lane.whose, _Job(lane.writes, work, then))
        self._tickets.put(True)

    def _next(self) -> _Job[Any] | None:
        """The job for a ticket: reads and writes in turn; None where only writes wait and enough are under way."""
        with self._guard:
            may_write = bool(self._writes) and self._writing < self.writers
            if may_write and (not self._reads or not self._wrote_last):
                self._writing += 1
                self._wrote_last = True
                return self._writes.take()
            if self._reads:
                self._wrote_last = False
                return self._reads.take()
            self._owed += 1
            return None

    def _wrote(self) -> _Job[Any] | None:
        """After a write: the next one for which a ticket was given in vain."""
        with self._guard:
            if self._owed and self._writes:
                self._owed -= 1
                return self._writes.take()
            self._writing -= 1
            return None

    def _work(self) -> None:
        while self._tickets.get():
            job = self._next()
            while job is not None:
                _do(job, self._loop)
                job = self._wrote() if job.writes else None


class Desk:
    """Threads of their own for requests whose login has to be checked.

    A check computes for long, or waits for another server, which may never answer; those whose credentials are known
    must not stand behind it. There is room for many to wait, each address in its turn: after a restart all devices
    come at once, and whoever tries names by the hundred takes the places of nobody else.
    """

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tickets: SimpleQueue[bool | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._line = _Line()
        self._threads = [
            threading.Thread(target=self._work, name=f"desk-{number}", daemon=True) for number in range(1, size + 1)
        ]
        for thread in self._threads:
            thread.start()

    def add(
        self, work: Callable[[], T], then: Callable[[T | None, BaseException | None], None], whose: Hashable
    ) -> None:
        """Have it done after what `whose` has here already, and in turn with what others have."""
        away = None
        with self._guard:
            self._line.add(whose, _Job(False, work, then))
            if len(self._line) > WAITING:
                away = self._line.turn_away()
        if away is None:
            self._tickets.put(True)
        else:
            self._loop.call_soon(away.then, None, Crowded())

    def close(self) -> list[threading.Thread]:
        """Let the threads end after what is queued."""
        for _ in self._threads:
            self._tickets.put(None)
        return self._threads

    def _work(self) -> None:
        while self._tickets.get():
            with self._guard:
                job = self._line.take()
            _do(job, self._loop)
            del job


def _do(job: _Job[Any], loop: asyncio.AbstractEventLoop) -> None:
    result: Any = None
    error: BaseException | None = None
    try:
        result = job.work()
    except BaseException as raised:  # noqa: BLE001 - given to who waits for it
        error = raised
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(job.then, result, error)
    del job, result, error  # an error holds this frame: together they would live until the next collection


def most_writers(threads: int) -> int:
    """How many of so many threads may write at a time: all but two, at least one."""
    return max(1, threads - 2)


def _settle(future: asyncio.Future[T], result: T | None, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(cast(T, result))
    else:
        future.set_exception(error)
