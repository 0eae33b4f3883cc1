"""What commands do when something was removed for good: nothing of it is to be left in the database's files."""

from __future__ import annotations

import sys

from calsync.store.engine import Store


def wipe(store: Store) -> None:
    """Empty the log of an SQLite store, or say that somebody is reading it all the time."""
    if not store.wipe():
        print(
            "calsync: removed, but somebody has been reading the store for long, a backup perhaps: until that ends, "
            "calsync.db-wal beside it still holds what was there (restart the server, which empties it)",
            file=sys.stderr,
        )
