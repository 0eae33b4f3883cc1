"""What all stores of this process on one database have in common."""

from __future__ import annotations

import os
import threading
from itertools import chain
from pathlib import Path

from calsync.store import account_changes, since
from calsync.store.journal import Journal
from calsync.store.occurrences import Window
from calsync.store.replicas import Replicas
from calsync.store.transaction import Backend, Connection, Transaction


class Thread(threading.local):
    """What a thread is doing: the writing transaction that it is in, how many it has committed, and which owners its
    next one begins with."""

    writing: Transaction | None = None
    committed: int = 0
    owners: frozenset[int] = frozenset()


class Shared:
    """What all stores of this process on one database have in common."""

    __slots__ = (
        "_opening",
        "backend",
        "following",
        "fresh",
        "journal",
        "left",
        "replicas",
        "thread",
        "users",
        "window",
    )

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.users = 0
        self.window = Window(0, 0, 0)
        self.thread = Thread()
        self.journal: Journal | None = None
        #: When it is to be asked again whether the store was moved (`time.monotonic`); infinite for who moves it.
        self.fresh = 0.0
        self.replicas: Replicas | None = None
        #: The back ends of stores that were moved away from under us, and of their replicas.
        self.left: list[Backend] = []
        self.following = threading.Lock()
        self._opening = threading.Lock()

    @property
    def backends(self) -> list[Backend]:
        """All that have connections."""
        return [self.backend, *self.left, *(self.replicas.databases if self.replicas is not None else ())]

    def of_replica(self, backend: Backend, connection: Connection) -> Transaction:
        tx = Transaction(backend, connection, self.window, writes=False)
        tx.replica = True
        return tx

    def append(self, tx: Transaction) -> None:
        """Write to the journal, if one is kept, what the transaction has changed. Where it cannot, nothing changes."""
        if not (tx.touched or tx.removed or tx.notes or tx.accounts):
            return
        if tx.journal is None:
            return
        folder = Path(os.fsdecode(tx.journal))
        entries = chain(tx.notes, since.changed(tx), account_changes.entries(tx))
        first = next(entries, None)
        if first is None:
            return
        with self._opening:
            if self.journal is None or self.journal.folder != folder:
                self.leave_journal()
                self.journal = Journal(folder)
            opened = self.journal
        opened.append(tx.actor, chain((first,), entries))

    def leave_journal(self) -> None:
        if self.journal is not None:
            self.journal.close()
            self.journal = None
