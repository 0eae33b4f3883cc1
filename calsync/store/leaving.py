"""How somebody leaves for good: all that is theirs goes, a little at a time, and at last the principal.

Others write between the steps. One that is broken off is gone on with by doing it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from calsync.store import collections, history, journal, meta, principals, quarantine, trash
from calsync.store.collections import HOME
from calsync.store.entries import LINEAGE

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.principals import Principal
    from calsync.store.transaction import Transaction

_ENTRIES: Final = 50  # of the quarantine, a transaction; each has up to some MiB


def remove(store: Store, leaving: Principal, actor: str, progress: Callable[[int], None] = lambda _count: None) -> None:
    """Remove a principal with all that is theirs, from the journal, too. `progress` is told of items.

    Raises `StoreError` and `OSError`: then something is left, and so is the principal, unless only the journal is.
    """
    with store.read() as tx:
        own = [one for one in collections.children(tx, leaving.id, HOME) if one.owner == leaving.id]
    for one in own:
        with store.write() as tx:
            tx.actor = actor
            present = collections.get(tx, leaving.id, one.id)
            if present is not None:
                collections.delete(tx, present)  # into the trash: that costs the same whatever it holds
    while True:
        with store.read() as tx:
            oldest = trash.oldest(tx, leaving.id)
        if oldest is None:
            break
        trash.purge(store, leaving.id, oldest[0], progress)
    history.forget_all(store, leaving.id)
    with store.read() as tx:
        refused = quarantine.listing(tx, leaving.id)
    for start in range(0, len(refused), _ENTRIES):
        with store.write() as tx:
            for entry in refused[start : start + _ENTRIES]:
                quarantine.drop(tx, entry)
    # First while it is known whose it is; then what the rest has written.
    with store.read() as tx:
        epochs = _epochs(tx, leaving.epoch)
    journal.erase(store, epochs)
    with store.write() as tx:
        tx.actor = actor
        present_principal = principals.get(tx, leaving.id)
        if present_principal is not None:
            principals.delete(tx, present_principal)
    journal.erase(store, epochs)


def _epochs(tx: Transaction, epoch: str) -> set[str]:
    """The epoch and those that it went on from when backups were restored."""
    lineage = json.loads(meta.get(tx, LINEAGE) or b"[]")
    found = {epoch}
    for one in reversed(lineage):
        if one["new"] in found:
            found.add(one["old"])
    return found
