"""Stores as earlier versions left them: texts in `examples/`, for SQLite and for PostgreSQL, and how they are loaded.

`python -m tests.store.old_stores` writes those of the present schema, once: what is released is not written again.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg

from calsync.accounts.accounts import Accounts
from calsync.store import collections, items, principals
from calsync.store.engine import Store
from calsync.store.migrations import CHAIN
from calsync.store.urls import path_of
from tests.moving import filled
from tests.postgresql import Cluster, binary
from tests.store.objects import card, event, recurring

FOLDER: Final = Path(__file__).parent / "examples"

#: What belongs to the machinery, and changes with each revision.
_MACHINERY: Final = {"alembic_version", "calsync_preparing", "sqlite_stat1", "sqlite_sequence"}


def example(revision: str, kind: str) -> Path:
    """The text of a store of that revision; `kind` is `sqlite` or `postgresql`."""
    return FOLDER / (f"{revision}.sql" if kind == "sqlite" else f"{revision}.postgresql.sql")


def load(revision: str, url: str) -> None:
    """Make the store of that revision at `url`, where nothing is yet."""
    if url.startswith("sqlite"):
        path = path_of(url)
        path.parent.mkdir(exist_ok=True)
        with closing(sqlite3.connect(path)) as made:
            made.execute("PRAGMA journal_mode = WAL")
            made.executescript(example(revision, "sqlite").read_text())
        return
    with psycopg.connect(url) as connection:
        connection.execute(example(revision, "postgresql").read_text().encode())


def contents(url: str) -> dict[str, list[dict[str, object]]]:
    """All rows of all tables, past the store."""
    found = {}
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url))) as connection:
            connection.row_factory = sqlite3.Row
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                found[name] = [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]
    else:
        with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connected:
            names = "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            for row in connected.execute(f"{names} AND c.relnamespace = 'public'::regnamespace".encode()).fetchall():
                found[row["relname"]] = connected.execute(f'SELECT * FROM "{row["relname"]}"'.encode()).fetchall()
    return {name: rows for name, rows in found.items() if name not in _MACHINERY}


def revision_of(url: str) -> str:
    """The revision that is written in a store."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url))) as connection:
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    with psycopg.connect(url) as connected:
        (row,) = connected.execute("SELECT version_num FROM alembic_version").fetchall()
        return str(row[0])


# --- making them ------------------------------------------------------------------------------------------------------


def fill(store: Store) -> None:
    """What `test_upgrades` looks for, and something in every table."""
    with store.write() as tx:
        anna = principals.create(tx, "Anna")
        work = collections.create(tx, anna, 0, "work", "calendar")
        collections.set_properties(tx, work, {"{DAV:}displayname": '<displayname xmlns="DAV:">Work</displayname>'})
        book = collections.create(tx, anna, 0, "book", "addressbook")
        items.put(tx, work, "one.ics", event("one"))
        items.put(tx, work, "three.ics", event("three"))
        gone = items.get(tx, work, "three.ics")
        assert gone is not None
        items.delete(tx, work, gone)
        made = items.put(tx, book, "c1.vcf", card("c1", "Renée"))
        items.set_properties(tx, book, made, {"{urn:x}note": "<note xmlns='urn:x'>n</note>"})
    two = recurring(store, "two", "20260102T090000Z", "20260102T100000Z", "FREQ=WEEKLY")
    with store.write() as tx:
        items.put(tx, work, "two.ics", two)
    Accounts(store).create("Anna", "correct horse battery")
    filled.fill_the_rest(store)


def _text_of_sqlite(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def text_of_postgresql(url: str) -> str:
    """As `pg_dump` writes it, without what only its own reader understands."""
    program = binary("pg_dump")
    assert program is not None
    words = [str(program), "--inserts", "--no-owner", "--no-privileges", url]
    text = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    text = re.sub(r"(?m)^(--|SET |\\|SELECT pg_catalog\.set_config).*\n", "", text)
    return re.sub(r"\n{2,}", "\n\n", text).strip() + "\n"


def main() -> int:
    revision = CHAIN.head
    if example(revision, "sqlite").exists():
        print(f"{example(revision, 'sqlite')} is there; a released schema does not change", file=sys.stderr)
        return 1
    cluster = Cluster()
    cluster.start()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calsync.db"
        postgresql = cluster.database()
        for url in (f"sqlite:///{path}", postgresql):
            store = Store.open(url)
            fill(store)
            store.close()
        example(revision, "sqlite").write_text(_text_of_sqlite(path))
        example(revision, "postgresql").write_text(text_of_postgresql(postgresql))
    cluster.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
