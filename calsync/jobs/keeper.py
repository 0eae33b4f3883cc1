"""The keeper: a thread that does what is due, one work at a time, as long as the server runs.

Whatever a work raises is logged and tried again later, with growing pauses: housekeeping never ends a server.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from calsync.jobs import leases
from calsync.jobs.leases import LASTS, State
from calsync.jobs.retention import Retention
from calsync.jobs.tasks import TASKS, Task, Work
from calsync.store import clock
from calsync.store.engine import Store
from calsync.store.errors import Busy, Full, ReadOnly

logger = logging.getLogger("calsync.jobs")

#: Seconds after the start in which nothing is done, and between two looks.
PAUSE: Final = 60.0
#: Seconds to the second try of what has failed; each further one waits twice as long, up to its usual time.
_AGAIN: Final = 120

#: Seconds that a work rests between two steps, at most.
_LONGEST_REST: Final = 0.5

# What says in a line all there is to say.
_PLAIN: Final = (Busy, Full, ReadOnly)


class Taken(RuntimeError):
    """Another process does it right now."""


def next_due(task: Task, state: State | None, stretch: float = 1.0, now: float = float("inf")) -> int:
    """The instant at which a work is due. `stretch`: of its usual pause, so that servers do not go in step. `now`: what
    was done later was done while the clock stood in the future, and is due."""
    if state is None or not state.done or state.done > now:
        return 0
    pause = int(task.every * stretch)
    if state.failures:
        pause = min(pause, _AGAIN << min(state.failures - 1, 20))
    return state.done + pause


def run(task: Task, store: Store, kept: Retention, who: str, stop: Callable[[], bool] = lambda: False) -> int:
    """Do a work once; how much it did. Raises `Taken`, and whatever goes wrong, after that was noted."""
    began = clock.now()
    if not leases.take(store, task.name, who, began):
        raise Taken(f"another process does {task.name} right now")
    renewed = time.monotonic()

    def ended() -> bool:
        """Asked by the work between its steps, so this is where the lease is renewed."""
        nonlocal renewed
        if stop():
            return True
        if time.monotonic() - renewed > LASTS / 3:
            renewed = time.monotonic()
            return not leases.take(store, task.name, who, clock.now())
        return False

    try:
        count = store.attempt(lambda: task.run(Work(store, kept, began, ended)))
    except Exception as error:
        leases.end(store, task.name, who, clock.now(), error=" ".join(f"{type(error).__name__}: {error}".split()))
        raise
    leases.end(store, task.name, who, clock.now(), count=count)
    return count


@dataclass(slots=True)
class Keeper:
    """`accounts`: the store of the logins, where that is another one."""

    store: Store
    kept: Retention
    accounts: Store | None = None
    tasks: Mapping[str, Task] = field(default_factory=lambda: TASKS)
    pause: float = PAUSE
    _who: str = field(default_factory=leases.holder)
    _stretch: float = field(default_factory=lambda: random.uniform(0.9, 1.1))
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _told: dict[str, str] = field(default_factory=dict)
    _breathed: float = 0.0

    def start(self) -> None:
        """From now on, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="calsync-jobs", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Let the step at hand end, and nothing more be begun."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopped.wait(self.pause):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001
                self._tell("jobs", error)

    def _look(self) -> None:
        for task in self.tasks.values():
            if not task.wanted(self.kept):
                continue
            store = self.accounts if task.of_accounts and self.accounts is not None else self.store
            with store.read() as tx:
                state = leases.states(tx).get(task.name)
            now = clock.now()
            taken = state is not None and now < state.until <= now + LASTS
            if self._stopped.is_set() or next_due(task, state, self._stretch, now) > now or taken:
                continue
            try:
                self._breathed = time.monotonic()
                count = run(task, store, self.kept, self._who, self._breath)
            except Taken:
                continue
            except Exception as error:  # noqa: BLE001
                self._tell(task.name, error)
            else:
                self._told.pop(task.name, None)
                (logger.info if count else logger.debug)("%s: %d done", task.name, count)

    def _breath(self) -> bool:
        """Whether to stop. Asked between steps, it rests as long as the step took: requests come first."""
        stopped = self._stopped.wait(min(time.monotonic() - self._breathed, _LONGEST_REST))
        self._breathed = time.monotonic()
        return stopped

    def _tell(self, name: str, error: Exception) -> None:
        """With its traceback the first time; the same again is said in a line."""
        if isinstance(error, ReadOnly):
            name = "everything"  # so it is said once, not by each of them
        text = f"{type(error).__name__}: {error}"
        known = self._told.get(name) == text
        self._told[name] = text
        if known:
            logger.debug("%s failed again: %s", name, text)
        elif isinstance(error, _PLAIN):
            logger.warning("%s put off: %s", name, error)
        else:
            logger.error("%s failed, and is tried again later", name, exc_info=error)
