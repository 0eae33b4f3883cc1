"""What stands in the store, looked up when somebody asks for figures: each kind for itself, and no more often than it
is cheap. What took a millisecond is looked up again after a second at the earliest, what took a second after a quarter
of an hour; so it is never more than a thousandth of what the machine does, however much is stored.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from calsync import __version__
from calsync.counters import families
from calsync.counters.families import Family
from calsync.counters.sums import Sums
from calsync.jobs import leases, queue
from calsync.recovery import backup, hold
from calsync.recovery.manifest import BackupError
from calsync.store import clock, journal
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.schema import collection, principal, quarantine
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

#: Seconds for which a figure is believed at least, and in thousands of what it took.
FRESH: Final = 5.0
_PACE: Final = 1000.0

_PRINCIPALS: Final = Prepared(select(func.count()).select_from(principal))
#: The figures that each collection carries: no item is counted.
_STANDING: Final = Prepared(
    select(
        func.count(),
        func.coalesce(func.sum(collection.c.item_count), 0),
        func.coalesce(func.sum(collection.c.octet_count), 0),
    ).select_from(collection)
)
_DATABASE: Final = Prepared(select(func.pg_database_size(func.current_database())))
_QUARANTINE: Final = Prepared(select(func.count()).select_from(quarantine))


@dataclass(slots=True)
class _Known:
    found: Sums = field(default_factory=dict)
    until: float = 0.0


@dataclass(slots=True)
class Gauges:
    """`store`: None where Radicale's own storage is used. `backups`: where they lie, empty for none.

    `expiry`: the instant at which the TLS certificate ends; it may raise OSError and ValueError.
    """

    store: Store | None
    backups: str = ""
    expiry: Callable[[], float] | None = None
    _said: Sums = field(default_factory=dict)
    _known: dict[str, _Known] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def sums(self) -> Sums:
        """All of them, some a while old."""
        found: Sums = {}
        with self._guard:
            for name, look in self._looks().items():
                known = self._known.setdefault(name, _Known())
                began = time.monotonic()
                if began >= known.until:
                    known.found = look()
                    ended = time.monotonic()
                    known.until = ended + max(FRESH, (ended - began) * _PACE)
                found |= known.found
        return found

    def _looks(self) -> dict[str, Callable[[], Sums]]:
        looks: dict[str, Callable[[], Sums]] = {"build": self._build}
        if self.expiry is not None:
            looks["certificate"] = self._certificate
        if self.backups:
            looks["backups"] = self._backups
        if self.store is not None:
            looks["store"] = self._of(_work)
            looks["standing"] = self._of(_standing)
            looks["quarantine"] = self._of(_quarantine)
            looks["database"] = self._of(_database)
            looks["journal"] = self._of(_journal)
        return looks

    def _of(self, look: Callable[[Transaction, Store], Sums]) -> Callable[[], Sums]:
        def looked() -> Sums:
            assert self.store is not None
            try:
                with self.store.read() as tx:
                    return look(tx, self.store)
            except StoreError:
                return _one(families.STORE_UP, 0) if look is _work else {}

        return looked

    def _build(self) -> Sums:
        if self._said:
            return self._said
        try:
            back_end = "Radicale" if self.store is None else self.store.describe()["back end"]
        except StoreError:
            return {}
        self._said = _one(families.BUILD, 1, __version__, platform.python_version(), version("radicale"), back_end)
        return self._said

    def _certificate(self) -> Sums:
        assert self.expiry is not None
        try:
            return _one(families.CERTIFICATE, self.expiry())
        except (OSError, ValueError):
            return {}

    def _backups(self) -> Sums:
        try:
            good = [one.manifest for one in backup.listing(Path(self.backups)) if one.manifest is not None]
        except BackupError:
            good = []
        found = _one(families.BACKUPS, len(good))
        return found | _one(families.BACKUP, max((one.made for one in good), default=0))


def _one(family: Family, value: float, *labels: str) -> Sums:
    return {(family.name, labels): [float(value)]}


def _work(tx: Transaction, store: Store) -> Sums:
    now = clock.now()
    found = _one(families.STORE_UP, 1) | _one(families.HOLD, hold.reason_of(tx) is not None)
    counts = queue.counts(tx, now)
    for state in ("waiting", "running", "dead"):
        found |= _one(families.JOBS, getattr(counts, state), state)
    found |= _one(families.JOBS_OLDEST, max(now - counts.oldest, 0) if counts.oldest else 0)
    for name, state_of in leases.states(tx).items():
        found |= _one(families.TASK_FAILURES, state_of.failures, name)
        if state_of.done and not state_of.failures:
            found |= _one(families.TASK_SUCCESS, state_of.done, name)
    return found


def _standing(tx: Transaction, store: Store) -> Sums:
    users = tx.first(_PRINCIPALS)
    standing = tx.first(_STANDING)
    assert users is not None and standing is not None
    count, items, octets = standing
    return (
        _one(families.USERS, users[0])
        | _one(families.COLLECTIONS, count)
        | _one(families.ITEMS_STORED, items)
        | _one(families.OCTETS_STORED, octets)
    )


def _quarantine(tx: Transaction, store: Store) -> Sums:
    row = tx.first(_QUARANTINE)
    assert row is not None
    return _one(families.QUARANTINE, row[0])


def _database(tx: Transaction, store: Store) -> Sums:
    if tx.dialect == "postgresql":
        row = tx.first(_DATABASE)
        return _one(families.DATABASE, row[0], "database") if row is not None else {}
    file = store.describe()["file"]
    found: Sums = {}
    for part, ending in (("database", ""), ("log", "-wal")):
        try:
            found |= _one(families.DATABASE, Path(file + ending).stat().st_size, part)
        except OSError:
            continue
    return found


def _journal(tx: Transaction, store: Store) -> Sums:
    folder = journal.folder_of(tx)
    if folder is None:
        return {}
    try:
        return _one(families.JOURNAL, sum(journal.position(folder).values()))
    except OSError:
        return {}
