"""Where the journal of a store is: the store itself says so."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calsync.store import account_changes, meta, principals
from calsync.store.entries import Census, Ended
from calsync.store.errors import StoreError
from calsync.store.journal.appending import Journal
from calsync.store.journal.segments import check, check_free

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction

_KEY: Final = "journal"


def folder_of(tx: Transaction) -> Path | None:
    """The journal of the store, None where it keeps none."""
    stored = meta.get(tx, _KEY)
    return None if stored is None else Path(os.fsdecode(stored))


def remember(tx: Transaction, folder: Path | None) -> None:
    """Where the journal is from this transaction on."""
    tx.journal = None if folder is None else os.fsencode(folder)
    if tx.journal is None:
        meta.remove(tx, _KEY)
    else:
        meta.put(tx, _KEY, tx.journal)


def keep(store: Store, folder: Path | None) -> None:
    """Journal to `folder` from now on, or no longer. Raises `StoreError` where nothing can be written there.

    The new journal begins with the seqs of all principals: what changed while there was none is known to be missing.
    Of accounts it begins with all there are, whatever the age of the backups.
    """
    with store.read() as tx:
        before = folder_of(tx)
        line, _ = account_changes.line(tx)
        begun = before is not None or bool(principals.listing(tx))
    if before == folder:
        if folder is not None:
            check(folder, begun=True)
            if not line:
                # An older calsync began it, which said nothing of accounts.
                with store.write(still=True) as tx:
                    account_changes.begin(tx)
        return
    if folder is not None:
        check(folder)
        if not begun:
            check_free(folder)
    with store.write(still=True) as tx:
        remember(tx, folder)
        if folder is not None:
            tx.notes.append(Census({one.epoch: one.seq for one in principals.listing(tx)}))
            account_changes.begin(tx)
    if before is not None and before.is_dir():
        with Journal(before) as left, suppress(StoreError):
            left.append("", [Ended()])
