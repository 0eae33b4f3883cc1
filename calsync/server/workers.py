"""Several processes on the same sockets, and the parent that minds them.

The parent opens the sockets and answers nobody. Each worker is a new Python process that takes the same command line
and finds its place in an environment variable: nothing is forked, so no thread, lock or database connection comes
along, and a worker that is started later runs the code and the configuration that are there by then.

Between a parent and each of its workers is a pair of sockets. The worker speaks as it would to systemd (`READY=1`,
`WATCHDOG=1`); the parent says a word a line: `reload`, `drain` (others serve on: end politely), `stop`. Either sees the
other's end in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from calsync.server import addresses
from calsync.server.notify import notify, patience, reloading

logger = logging.getLogger("calsync.server")

#: The variable in which a worker finds its place.
PLACE: Final = "CALSYNC_WORKER"

#: Octets at the beginning of the memory of all workers, which are the key for what they keep there.
RANDOM: Final = 32

#: Seconds between two looks at all workers.
LOOK: Final = 0.25
#: Seconds without a word from a worker after which it is taken for dead; while it starts, and otherwise.
STARTING: Final = 120.0
SILENCE: Final = 60.0
#: How often in a row a worker may fail to start before the whole server ends.
FAILURES: Final = 8
#: Seconds until the second restart of workers that die soon; each further one waits twice as long, up to the longest.
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
#: Who has lived for so many seconds did not die soon.
SOON: Final = 60.0
#: Seconds that a worker has to end beyond those that requests in flight get.
BEYOND: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is given: the sockets, whom to speak to, its number, and whether it is the first of all."""

    sockets: list[socket.socket]
    control: socket.socket
    number: int
    first: bool
    beside: list[socket.socket] = field(default_factory=list)
    """Those on which others than clients are answered."""
    memory: int = -1
    """A descriptor of memory that all workers share, random where it begins; -1 where there can be none."""

    @classmethod
    def found(cls) -> Place | None:
        """Of this process; None where it is nobody's worker. The variable is gone afterwards."""
        told = os.environ.pop(PLACE, "")
        if not told:
            return None
        facts = json.loads(told)
        [control] = addresses.handed_over([facts["control"]])
        beside = addresses.handed_over(facts["beside"])
        memory = facts.get("memory", -1)  # a parent may be older than its workers: SIGUSR2 after an upgrade
        return cls(addresses.handed_over(facts["sockets"]), control, facts["number"], facts["first"], beside, memory)


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    if not hasattr(os, "memfd_create"):
        return -1
    try:
        descriptor = os.memfd_create("calsync-workers")
    except OSError as error:  # forbidden (seccomp), say
        logger.warning("the workers share no memory: each counts wrong passwords by itself (%s)", error.strerror)
        return -1
    os.write(descriptor, os.urandom(RANDOM))
    return descriptor


@dataclass(eq=False, slots=True)
class Worker:
    """A process as its parent sees it. `heard`: when it said something last, in monotonic seconds."""

    number: int
    process: subprocess.Popen[bytes]
    control: socket.socket
    born: float
    heard: float
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set also when it is gone."""
    up: bool = False
    draining: bool = False
    killed: bool = False
    until: float = 0.0
    """Draining: when it must have ended."""
    _said: bytes = b""

    @property
    def name(self) -> str:
        return f"worker {self.number} (process {self.process.pid})"

    def tell(self, word: str) -> None:
        with contextlib.suppress(OSError):  # its end is seen elsewhere
            self.control.sendall(f"{word}\n".encode())

    def lines(self) -> list[str] | None:
        """What it has said since; None at its end."""
        try:
            data = self.control.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *whole, self._said = (self._said + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]


@dataclass(slots=True)
class Parent:
    """Keeps `count` workers on `sockets`, each started as `command`. `stop`: seconds for requests in flight at the end.

    `own`: this process made the sockets. `urls`: the addresses, for people. `beside`: sockets on which workers answer
    others than clients.
    """

    sockets: Sequence[socket.socket]
    count: int
    urls: Sequence[str]
    stop: float
    command: Sequence[str]
    own: bool = True
    beside: Sequence[socket.socket] = ()
    memory: int = field(default_factory=_memory)
    _workers: list[Worker] = field(default_factory=list)
    _status: int | None = None
    """The exit status, once it is decided."""
    _stopping: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _busy: asyncio.Task[None] | None = None
    """What goes on beside: the start, a reload, a replacement."""
    _numbers: int = 0
    _deaths: int = 0
    _failures: int = 0
    _not_before: float = 0.0
    _pinged: float = 0.0

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until no worker can be started; the exit status."""
        return asyncio.run(self._run())

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._begin, "reload", self._reload)
        loop.add_signal_handler(signal.SIGUSR2, self._begin, "replace", self._replace)
        self._busy = asyncio.create_task(self._first())
        try:
            while self._status is None or self._workers:
                self._changed.clear()
                self._look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), LOOK)
        finally:
            if not self._busy.done():
                self._busy.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._busy
            made = addresses.files(self.sockets) if self.own else []
            for sock in self.sockets:
                sock.close()
            for path in made:
                path.unlink(missing_ok=True)
        logger.info("stopped")
        return self._status or 0

    # --- one worker ---------------------------------------------------------------------------------------------------

    def _spawn(self) -> Worker:
        self._numbers += 1
        ours, theirs = socket.socketpair()
        try:
            descriptors = [sock.fileno() for sock in self.sockets]
            facts: dict[str, Any] = {
                "sockets": descriptors,
                "control": theirs.fileno(),
                "beside": [sock.fileno() for sock in self.beside],
                "number": self._numbers,
                "first": self._numbers == 1,
                "memory": self.memory,
            }
            hidden = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
            kept = {name: value for name, value in os.environ.items() if name not in hidden}
            process = subprocess.Popen(
                self.command,
                env=kept | {PLACE: json.dumps(facts)},
                pass_fds=(*descriptors, *facts["beside"], theirs.fileno(), *(self.memory,) * (self.memory >= 0)),
                process_group=0,  # what a terminal sends is for the parent
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        now = time.monotonic()
        worker = Worker(self._numbers, process, ours, now, now)
        self._workers.append(worker)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._hear, worker)
        return worker

    def _hear(self, worker: Worker) -> None:
        lines = worker.lines()
        if lines is None:
            asyncio.get_running_loop().remove_reader(worker.control.fileno())
            self._changed.set()
            return
        worker.heard = time.monotonic()
        for line in lines:
            if line == "READY=1":
                worker.up = True
                worker.ready.set()
                self._changed.set()
            elif line.startswith("EXTEND_TIMEOUT_USEC="):
                worker.heard += int(line.partition("=")[2]) / 1_000_000
                notify(line)
            elif line.startswith("STATUS=") and not worker.up and self._busy is not None and not self._busy.done():
                notify(line)

    def _gone(self, worker: Worker, status: int) -> None:
        self._workers.remove(worker)
        loop = asyncio.get_running_loop()
        loop.remove_reader(worker.control.fileno())
        worker.control.close()
        worker.ready.set()
        if worker.draining:
            logger.debug("%s has ended", worker.name)
            return
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        logger.error("%s ended %s%s", worker.name, how, "" if worker.up else " before it was ready")
        now = time.monotonic()
        if worker.up:
            self._failures = 0
            self._deaths = self._deaths + 1 if now - worker.born < SOON else 1
        else:
            self._failures += 1
            self._deaths += 1
        pause = 0.0 if self._deaths == 1 else min(FIRST_PAUSE * 2 ** min(self._deaths - 2, 10), LONGEST_PAUSE)
        self._not_before = now + pause
        if self._failures >= FAILURES:
            logger.critical("no worker has started in %d attempts: the server ends (see above)", self._failures)
            self._end(1)

    def _drain(self, worker: Worker, word: str) -> None:
        worker.draining = True
        worker.until = time.monotonic() + self.stop + BEYOND
        worker.tell(word)

    # --- all of them --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            status = worker.process.poll()
            if status is not None:
                self._gone(worker, status)
            elif worker.draining:
                if now > worker.until:
                    self._kill(worker, "does not end")
            elif now - worker.heard > (SILENCE if worker.up else STARTING):
                self._kill(worker, "says nothing any more")
        if self._stopping:
            return
        if self._busy is None or self._busy.done():
            missing = self.count - sum(not worker.draining for worker in self._workers)
            if missing > 0 and now >= self._not_before:
                self._spawn()
        if patience() and now - self._pinged > patience() / 4:
            self._pinged = now
            notify("WATCHDOG=1")

    def _kill(self, worker: Worker, why: str) -> None:
        if not worker.killed:
            worker.killed = True
            logger.error("%s %s, and is killed", worker.name, why)
            worker.process.kill()

    def _stop(self) -> None:
        if self._stopping:  # asked again: at once
            for worker in self._workers:
                worker.tell("stop")
            return
        logger.info("stopping")
        notify("STOPPING=1")
        self._end(0)

    def _end(self, status: int) -> None:
        self._stopping = True
        self._status = status
        # Where systemd holds the sockets, whoever comes now is served by the next server.
        for worker in self._workers:
            self._drain(worker, "stop" if self.own else "drain")
        self._changed.set()

    def _begin(self, name: str, work: Any) -> None:
        """Do it beside, unless something else goes on."""
        if self._stopping:
            return
        if self._busy is not None and not self._busy.done():
            logger.warning("cannot %s: workers are being started or replaced", name)
            return
        coroutine: Coroutine[Any, Any, None] = work()
        self._busy = asyncio.create_task(coroutine)

    async def _up(self) -> Worker | None:
        """One more worker, once it is ready; None where it has failed."""
        worker = self._spawn()
        await worker.ready.wait()
        return worker if worker.up and not self._stopping else None

    async def _first(self) -> None:
        """The first alone, for it prepares the store; what it cannot do the others could not either."""
        first = self._spawn()
        await first.ready.wait()
        if self._stopping:
            return
        if not first.up:
            logger.critical("the server cannot start (see above)")
            self._status = max(first.process.returncode, 1)
            self._stopping = True
            self._changed.set()
            return
        others = [self._spawn() for _ in range(self.count - 1)]
        for worker in others:
            await worker.ready.wait()
        if not self._stopping:
            logger.info("%d workers listen on %s", self.count, " ".join(self.urls))
            self._tell_ready()

    async def _reload(self) -> None:
        """Each reads anew what it can while it runs."""
        logger.info("reloading")
        reloading()
        for worker in self._workers:
            if not worker.draining:
                worker.ready.clear()
                worker.tell("reload")
        for worker in list(self._workers):
            if not worker.draining:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(worker.ready.wait(), SILENCE)
        self._tell_ready()

    async def _replace(self) -> None:
        """One new worker, then one old goes, until all are new. The first that does not start ends it."""
        logger.info("replacing %d workers", self.count)
        reloading()
        old = [worker for worker in self._workers if not worker.draining]
        for number in range(max(self.count, len(old))):
            if await self._up() is None:
                if not self._stopping:
                    logger.error("not replaced: the new worker did not start (see above); %d old ones stay", len(old))
                break
            if number < len(old):
                self._drain(old[number], "drain")
        else:
            logger.info("%d workers are new", self.count)
        if not self._stopping:
            self._tell_ready()

    def _tell_ready(self) -> None:
        notify("READY=1", f"STATUS=listening on {' '.join(self.urls)}")
