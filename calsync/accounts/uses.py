"""When an app password was last used, written seldom and never by the request that used it."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Final

from calsync.accounts import rows
from calsync.store.engine import Store
from calsync.store.errors import StoreError

#: Seconds between two writes of the same app password's last use.
INTERVAL: Final = 300

_log: Final = logging.getLogger("calsync.accounts")


@dataclass(frozen=True, slots=True)
class _Use:
    at: int
    address: str


class Uses:
    """Notes uses in memory; a short-lived thread writes what has gathered, at most every few minutes a process.

    A use that was not yet written when the process ends is lost unless `flush` is called; it is a hint for people.
    """

    def __init__(self, store: Store, interval: int = INTERVAL) -> None:
        self._store = store
        self._interval = interval
        self._guard = threading.Lock()
        self._noted: dict[str, int] = {}
        self._waiting: dict[str, _Use] = {}
        self._due = 0

    def note(self, token: str, address: str, now: int) -> None:
        """`token` was used at `now`. Costs nothing within the interval."""
        if now - self._noted.get(token, 0) < self._interval:
            return
        with self._guard:
            self._noted[token] = now
            self._waiting[token] = _Use(now, address)
            if now < self._due:
                return
            self._due = now + self._interval // 5
        threading.Thread(target=self.flush, name="calsync-last-use", daemon=True).start()

    def flush(self) -> None:
        """Write what has gathered. A store that cannot be written now is logged, and the times are dropped."""
        with self._guard:
            waiting, self._waiting = self._waiting, {}
            if len(self._noted) > 10_000:
                self._noted.clear()
        if not waiting:
            return
        try:
            with self._store.write() as tx:
                used = [{"token": token, "at": use.at, "address": use.address} for token, use in waiting.items()]
                tx.run_many(rows.USED, used)
        except StoreError as error:
            _log.warning("accounts: the last use of %d app passwords was not written: %s", len(waiting), error)
