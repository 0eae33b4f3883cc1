"""The thread that does what is in the queue: at once what its own process puts there, within a second what others do.

Whatever a job raises is logged and noted, and it is tried again later; it ends nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from calsync import counters
from calsync.counters import families
from calsync.jobs import leases, queue
from calsync.jobs.queue import LASTS, Job
from calsync.store import clock
from calsync.store.engine import Store
from calsync.store.errors import Busy, Full, ReadOnly, StoreError

logger = logging.getLogger("calsync.jobs")

#: Seconds between two looks at what other processes have put there.
LOOK: Final = 1.0
#: Seconds without a look after the store has failed.
_BREATH: Final = 5.0

Doing = Callable[[Job], None]


@dataclass(eq=False)
class Hands:
    """Of one process. `kinds`: what is done for each kind of job; what raises is tried again.

    Until `start`, or without it, the thread lives only as long as there is something to do: it is begun by what this
    process puts into the queue. So an application without a server of ours around it does its jobs, too.
    """

    store: Store
    kinds: Mapping[str, Doing]
    look: float = LOOK
    lasts: int = LASTS
    _who: str = field(default_factory=lambda: f"{_machine()} {leases.holder()}")
    _stays: bool = False
    _stopped: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _woken: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _process: int = 0
    _at: Job | None = None
    _told: str = ""

    def __post_init__(self) -> None:
        queue.listen(self)

    def start(self) -> None:
        """Look for work from now on, until `stop`. What a process held here that has died may be taken at once."""
        try:
            self._bereave()
        except StoreError as error:
            self._tell(error)
        with self._guard:
            self._stays = True
        self.wake()

    def wake(self) -> None:
        """There is something to do."""
        with self._guard:
            if self._stopped:
                return
            self._woken.set()
            alive = self._thread is not None and self._thread.is_alive() and self._process == os.getpid()
            if not alive:
                self._process = os.getpid()
                self._ended.clear()
                self._thread = threading.Thread(target=self._run, name="calsync-queue", daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 10.0) -> bool:
        """Let the job at hand end, and begin no other; False where it takes longer than `timeout` seconds."""
        with self._guard:
            self._stopped = True
            self._woken.set()
            self._ended.set()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def settle(self, timeout: float = 10.0) -> None:
        """Wait until nothing is to be done right now."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            with self.store.read() as tx:
                now = clock.now()
                busy = queue.any_due(tx, self.kinds, now) or any(
                    one.holder == self._who for one in queue.running(tx, now)
                )
            # Looked at in the order in which a job passes: taken in the store, at hand, ended in the store, let go.
            if not busy and self._at is None:
                return
            time.sleep(0.005)
        raise TimeoutError(f"jobs go on for longer than {timeout:g} s")

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        renewing: threading.Thread | None = None
        while not self._stopped:
            self._woken.clear()
            try:
                one = self._take() if self._any() else None
                while one is not None and not self._stopped:
                    if renewing is None:
                        renewing = threading.Thread(target=self._renew, name="calsync-queue-lease", daemon=True)
                        renewing.start()
                    one = self._finish(one, self._do(one))
                self._told = ""
                pause = self.look
            except StoreError as error:
                self._tell(error)
                pause = _BREATH
            except Exception:  # the thread goes on, whatever it was
                logger.exception("the queue failed, and is looked at again later")
                pause = _BREATH
            finally:
                self._at = None
            if not self._stays and not self._woken.is_set():
                with self._guard:
                    if not self._woken.is_set():
                        self._thread = None
                        self._ended.set()
                        return
            self._woken.wait(pause)
        self._ended.set()

    def _bereave(self) -> None:
        now = clock.now()
        with self.store.read() as tx:
            held = [one for one in queue.running(tx, now) if _is_dead(one.holder)]
        for one in held:
            with self.store.write() as tx:
                queue.give_back(tx, one, now)

    def _any(self) -> bool:
        with self.store.read() as tx:
            return queue.any_due(tx, self.kinds, clock.now())

    def _take(self) -> Job | None:
        def work() -> Job | None:
            with self.store.write() as tx:
                return queue.take(tx, self.kinds, self._who, clock.now(), self.lasts)

        self._at = self.store.attempt(work)
        return self._at

    def _finish(self, one: Job, error: str | None) -> Job | None:
        """Note how it went and take the next, in one transaction."""

        def work() -> Job | None:
            now = clock.now()
            with self.store.write() as tx:
                if error is None:
                    queue.done(tx, one, self._who)
                    tx.after_commit(partial(counters.add, families.JOBS_DONE, ("done",)))
                elif not queue.failed(tx, one, self._who, now, error):
                    tx.after_commit(partial(counters.add, families.JOBS_DONE, ("failed",)))
                else:
                    tx.after_commit(partial(counters.add, families.JOBS_DONE, ("dead",)))
                    logger.error("job %x (%s) is given up after %d tries: %s", one.id, one.kind, one.attempts, error)
                return None if self._stopped else queue.take(tx, self.kinds, self._who, now, self.lasts)

        while True:
            try:
                self._at = self.store.attempt(work)
                return self._at
            except (Busy, Full) as trouble:  # it is done, and must not be done again: its lease is renewed meanwhile
                self._tell(trouble)
                if self._ended.wait(_BREATH):
                    raise

    def _do(self, one: Job) -> str | None:
        """What went wrong, if anything."""
        try:
            self.kinds[one.kind](one)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            if one.error != " ".join(text.split()):  # the same again is not worth a traceback
                logger.exception("job %x (%s) failed, and is tried again later", one.id, one.kind)
            return text
        return None

    def _renew(self) -> None:
        """A thread beside the job: as long as that runs, it is held."""
        while not self._ended.wait(self.lasts / 3):
            one = self._at
            if one is None:
                continue
            with contextlib.suppress(StoreError), self.store.write() as tx:  # the next look tries again
                queue.renew(tx, one, self._who, clock.now(), self.lasts)

    def _tell(self, error: StoreError) -> None:
        text = str(error)
        if text != self._told:
            self._told = text
            plain = isinstance(error, (Busy, Full, ReadOnly))
            logger.warning("jobs wait: %s", error, exc_info=None if plain else error)


def _machine() -> str:
    """Where process numbers mean what they mean here; empty where that cannot be told."""
    try:
        # Not the machine's id: copies of a virtual machine share that.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", "").strip()
        return f"{boot[:16]}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _is_dead(holder: str) -> bool:
    """Whether the process with this name was on this machine, and is not any more."""
    machine, _, name = holder.partition(" ")
    number = name.split(":")[-2:-1]
    if not machine or machine != _machine() or not number or not number[0].isdigit():
        return False
    try:
        os.kill(int(number[0]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False
