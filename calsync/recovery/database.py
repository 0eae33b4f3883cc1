"""A restore into a PostgreSQL database: the same work, done on files, and exchanged for its rows in one transaction."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from calsync.recovery.restore import Report, Wish, restore
from calsync.store.engine import Store
from calsync.store.errors import StoreError

if TYPE_CHECKING:
    pass

Say = Callable[[str], None]


def restore_into(url: str, wish: Wish, say: Say = lambda _text: None) -> Report:
    """Do it; `target` of the wish counts for nothing. Raises what `restore` raises: then the database is as it was.

    What the database held is kept as a file beside the backup.
    """
    try:
        import psycopg

        from calsync.store import across, postgresql
    except ImportError as error:
        raise StoreError(f"store: PostgreSQL needs more: pip install 'calsync[postgres]' ({error})") from error
    url = f"postgresql://{url.partition('://')[2]}"
    folder = Path(tempfile.mkdtemp(prefix="calsync-restore-"))
    try:
        postgresql.prepare(url)
        with across.alone(url) as connection:
            target = folder / f"{connection.info.dbname}.db"
            say("copying the store that is there")
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                across.write_file(connection, target)
            empty = _is_new(target)
            if empty:
                target.unlink()

            def written(report: Report) -> None:
                say("writing the database")
                across.read_file(connection, target)
                report.replaced = _kept(report.replaced, wish.what)

            report = restore(replace(wish, target=target), say, written)
    except psycopg.Error as error:
        raise postgresql.failure(error, postgresql.shown(url)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report


def _is_new(path: Path) -> bool:
    """Whether nothing was ever written to a store."""
    store = Store.look(path)
    try:
        return store.window == (0, 0)
    finally:
        store.close()


def _kept(replaced: Path | None, what: Path) -> Path | None:
    """Bring the file of the replaced store, which holds secrets as the backup does, to where that is."""
    if replaced is None:
        return None
    for place in (what.parent, Path.cwd(), Path.home()):
        if os.access(place, os.W_OK):
            with contextlib.suppress(OSError):
                return Path(shutil.move(replaced, place / replaced.name))
    other = Path(tempfile.mkdtemp(prefix="calsync-replaced-"))
    return Path(shutil.move(replaced, other / replaced.name))
