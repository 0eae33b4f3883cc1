"""Copies of a PostgreSQL database that follow it (streaming replication) and are read where that is proven to be safe.

A reader may be sent to a replica only where it sees there no less than it has seen. A sync token alone does not prove
that: a client that has just written, or polled, holds an older one. So a report is begun in the database itself, which
knows who may read what and up to which count the answer goes; the token that the client is given says the same count.
The long part, the changes up to there with their octets, may then come from a replica in which the owner has the same
epoch and a counter that is not lower: a counter is committed with the changes that it counts, so none of them is
missing. Nothing else is read here: a poll, a GET, a multiget have no count to compare with.

A replica that is behind, or fails, is passed over for a while. What fails in it is done in the database itself, so a
client hears nothing of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from sqlalchemy import bindparam, func, select

from calsync.store.errors import StoreError
from calsync.store.schema import principal
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Backend, Connection, Transaction

logger = logging.getLogger("calsync.store")

Result = TypeVar("Result")

#: Seconds for which one that was behind is not asked, and one that failed: twice as long each time, up to the last.
_BEHIND: Final = 0.5
_FAILED: Final = 5.0
_LONGEST: Final = 60.0

_STATE: Final = Prepared(
    select(principal.c.epoch, principal.c.seq, func.pg_is_in_recovery()).where(principal.c.id == bindparam("owner"))
)


class Seen(NamedTuple):
    """What a reader must find: an owner with this epoch and a counter that is not lower."""

    owner: int
    epoch: str
    seq: int


class _Replica:
    """One of them; `until`: not to be asked before (`time.monotonic`)."""

    __slots__ = ("_guard", "database", "failures", "place", "until")

    def __init__(self, database: Backend, place: str) -> None:
        self.database = database
        self.place = place
        self.until = 0.0
        self.failures = 0
        self._guard = threading.Lock()

    def free(self) -> bool:
        """Whether it may be asked; one that has failed is asked by one thread, the others wait for what comes of it."""
        with self._guard:
            now = time.monotonic()
            if now < self.until:
                return False
            if self.failures:
                self.until = now + _FAILED
            return True

    def works(self) -> None:
        if self.failures:
            logger.info("replica %s: answers again", self.place)
            self.failures, self.until = 0, 0.0

    def rest(self, reason: object) -> None:
        """Not to be used for a while; said once, until it has worked again."""
        if not self.failures:
            logger.warning("replica %s: not used for now: %s", self.place, reason)
        self.until = time.monotonic() + min(_FAILED * 2.0**self.failures, _LONGEST)
        self.failures = min(self.failures + 1, 10)


class Replicas:
    """All replicas of a database, asked in turn."""

    def __init__(self, databases: Iterable[tuple[Backend, str]]) -> None:
        self._all = [_Replica(database, place) for database, place in databases]
        self._next = count()

    @property
    def databases(self) -> Sequence[Backend]:
        return [one.database for one in self._all]

    def read(
        self, seen: Seen, begun: Callable[[Backend, Connection], Transaction], work: Callable[[Transaction], Result]
    ) -> tuple[Result] | None:
        """What `work` gives in a replica that has all that was `seen`; None where there is none, or none that works."""
        first = next(self._next)
        for number in range(len(self._all)):
            one = self._all[(first + number) % len(self._all)]
            if not one.free():
                continue
            try:
                with one.database.snapshot() as connection:
                    tx = begun(one.database, connection)
                    if _far_enough(one, tx, seen):
                        result = work(tx)
                        one.works()
                        return (result,)
            except StoreError as error:
                one.rest(error)
        return None


def _far_enough(one: _Replica, tx: Transaction, seen: Seen) -> bool:
    row = tx.first(_STATE, owner=seen.owner)
    if row is not None and not row[2]:
        # Promoted by a fail-over, it may have gone another way since.
        one.rest("it follows no database (any more)")
    elif row is None or row[0] != seen.epoch or row[1] < seen.seq:
        one.works()
        one.until = time.monotonic() + _BEHIND
    else:
        return True
    return False
