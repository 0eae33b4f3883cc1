"""The move from the folder of a Radicale server, and to one: ETags stay, for they are checksums of the octets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

from calsync.moving import indexes
from calsync.moving.move import NotMoved, used
from calsync.moving.state import Arriving
from calsync.moving.tables import TABLES
from calsync.store import meta, moved
from calsync.store.engine import Store
from calsync.store.schema import collection
from calsync.store.statement import Prepared
from calsync.transfer.radicale_folder import RadicaleFolder
from calsync.transfer.report import Report
from calsync.transfer.source import SourceError
from calsync.transfer.taking import Taking
from calsync.transfer.writer import Writing

_ITEMS = Prepared(select(func.coalesce(func.sum(collection.c.item_count), 0)))


def path_of(text: str) -> Path | None:
    """The folder that is meant; None for a store's URL."""
    if text.startswith("folder:"):
        return Path(text.removeprefix("folder:")).expanduser()
    return None if "://" in text else Path(text).expanduser()


def _found(folder: Path, encoding: str) -> RadicaleFolder:
    source = RadicaleFolder.find(folder, encoding)
    if source is None:
        raise SourceError(f"{folder}: no folder of a Radicale server (it holds a folder collection-root)")
    return source


def items_of(folder: Path, encoding: str) -> int:
    """How many files a Radicale folder holds. Raises `SourceError`."""
    return sum(one.count for user in _found(folder, encoding).users() for one in user.collections)


def items_in(store: Store) -> int:
    """How many items a store holds."""
    with store.read() as tx:
        row = tx.first(_ITEMS)
    return 0 if row is None else int(row[0])


def taken_in(
    target: Store,
    folder: Path,
    report: Report,
    *,
    encoding: str = "utf-8",
    anew: bool = False,
    progress: Callable[[int], None] = lambda _count: None,
) -> None:
    """Take a Radicale folder into a new store, which is not served before all is there. Raises `NotMoved`.

    What an earlier run has taken is found by its checksum.
    """
    source = _found(folder, encoding)
    name = f"folder:{source.root.absolute()}"
    with target.write() as tx:
        state = Arriving.read(tx)
        if state is None and used(tx):
            raise NotMoved(f"the new store is not empty ({used(tx)}); name a new file or an empty database")
        if state is not None and state.source != name and not anew:
            raise NotMoved(f"the new store is half made, of {state.source} (--anew empties it and begins again)")
        if state is not None and anew:
            for table in TABLES.values():
                table.clear(tx)
            indexes.make(tx, state.indexes)
            tx.window.write(tx)
        Arriving("", name).write(tx)
    taking = Taking(target, report, progress=progress)
    for user in source.users():
        taking.user(user)
    for problem in source.stray():
        taking.problem(problem, "/")
    with target.write() as tx:
        meta.remove(tx, moved.ARRIVING)


def written(source: Store, folder: Path, report: Report, progress: Callable[[int], None] = lambda _count: None) -> None:
    """Write a store as a folder that stock Radicale serves. Raises `SourceError` where it is not empty."""
    Writing(source, report, progress).folder(folder)
