"""When and from where somebody came in: the last use of app passwords, the addresses of accounts, and the audit trail.

Written seldom and never by the request that it is about: a request that comes in again costs one look into memory.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final, NamedTuple

from calsync.accounts import audit, rows, throttle
from calsync.accounts.credentials import Identity
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.transaction import Transaction

#: Seconds between two writes about the same credential from the same address.
INTERVAL: Final = 300
#: Seconds between two looks for what is too old to be kept.
_CLEANED: Final = 6 * 3600

_MOST: Final = 10_000

_log: Final = logging.getLogger("calsync.accounts")


class _Use(NamedTuple):
    at: int
    identity: Identity
    address: str
    client: str


class Uses:
    """Notes uses in memory; a short-lived thread writes what has gathered, at most every minute a process.

    A use that was not yet written when the process ends is lost unless `flush` is called; it is a hint for people.
    `audit_days`: for how long the audit trail is kept.
    """

    def __init__(self, store: Store, interval: int = INTERVAL, *, audit_days: int = 0) -> None:
        self._store = store
        self._interval = interval
        self._audit_days = audit_days
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._noted: dict[tuple[str, str | None, str], int] = {}
        self._waiting: dict[tuple[str, str | None, str], _Use] = {}
        self._due = 0
        self._cleaned = 0

    def note(self, identity: Identity, address: str, client: str, now: int) -> None:
        """`identity` came in at `now`. Costs nothing within the interval."""
        key = (identity.name, identity.token, address)
        if now - self._noted.get(key, 0) < self._interval:
            return
        with self._guard:
            if len(self._noted) > _MOST:
                self._noted.clear()
            self._noted[key] = now
            if len(self._waiting) < _MOST:
                self._waiting[key] = _Use(now, identity, address, client[:120])
            if now < self._due:
                return
            self._due = now + self._interval // 5
        threading.Thread(target=self.flush, name="calsync-last-use", daemon=True).start()

    def flush(self) -> None:
        """Write what has gathered. A store that cannot be written now is logged, and the times are dropped."""
        with self._writing:
            self._flush()

    def _flush(self) -> None:
        with self._guard:
            waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        now = int(time.time())
        try:
            with self._store.write() as tx:
                tx.actor = ""
                for use in waiting.values():
                    _written(tx, use)
                if now - self._cleaned > _CLEANED:
                    self._cleaned = now
                    throttle.clean(tx, now)
                    if self._audit_days:
                        audit.purge(tx, now - self._audit_days * 86400)
        except StoreError as error:
            _log.warning("accounts: %d sign-ins were not written down: %s", len(waiting), error)


def _written(tx: Transaction, use: _Use) -> None:
    identity, address = use.identity, use.address
    net = throttle.network(address)
    if identity.token is not None:
        tx.run(rows.USED, token=identity.token, at=use.at, address=address, client=use.client)
    throttle.came_in(tx, throttle.known_key(identity.name, net), use.at)
    if throttle.came_in(tx, f"used {throttle.mark(identity.name)} {identity.token or '-'} {net}", use.at):
        facts = {"token": identity.token, "label": identity.label} if identity.token else {}
        audit.note(
            tx, "signed-in", account=identity.name, actor=identity.name, address=address, client=use.client, **facts
        )
