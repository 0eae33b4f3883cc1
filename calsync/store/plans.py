"""What planners are told of the sizes of things, so that their plans are ours and never change.

SQLite: without statistics it guesses, and guesses wrong here: to it, two columns of a primary key say more than four
of an index. With statistics of its own making, plans would depend on the day. So the table that `ANALYZE` fills holds a
model: a million items of a hundred owners. The numbers of a row: all entries, then how many agree in the first column
of the index, in the first two, and so on (https://sqlite.org/fileformat2.html#stat1tab).

PostgreSQL makes its own statistics, of each column by itself. An owner has one of a thousand items, a collection's id
stands in one of a thousand, so a collection, it believes, has one of a million: a single item, which can be walked
through as well as looked up. It is told that the two columns go together.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Table, index (the table itself for the primary key of a table without rowid), statistics.
MODEL: Final = (
    ("item", "item", "1000000 10000 1000 1"),
    ("item", "item_href", "1000000 10000 1000 1"),
    ("item", "item_uid", "1000000 10000 1 1"),
    ("item", "item_uid_length", "1000000 10000 1000 300"),
    ("item", "item_time", "1000000 10000 1000 900 200 1 1"),
    ("item", "item_delta", "1000000 10000 1000 1 1 1 1 1 1 1 1 1"),
    ("body", "sqlite_autoindex_body_1", "1000000 10000 1"),
    ("tombstone", "tombstone", "100000 1000 100 1"),
    ("tombstone", "tombstone_delta", "100000 1000 100 1 1"),
    ("occurrence", "occurrence", "500000 5000 500 25 1"),
    ("occurrence", "occurrence_item", "500000 5000 20 20 1"),
    ("card_field", "card_field", "1000000 10000 10 1"),
    ("card_field", "card_field_value", "1000000 10000 10000 1000 1 1"),
    ("revision", "sqlite_autoindex_revision_1", "1000000 10000 1"),
    ("revision", "revision_place", "1000000 10000 1000 3 1"),
    ("revision", "revision_item", "1000000 10000 3"),
    ("revision", "revision_until", "1000000 10000 1 1"),
    ("dead_property", "sqlite_autoindex_dead_property_1", "10000 100 2 1"),
)


def advise(connection: sqlite3.Connection) -> None:
    """Write the model, inside the transaction that is open. Connections that are opened later plan by it."""
    connection.execute("ANALYZE sqlite_schema")
    connection.execute("DELETE FROM sqlite_stat1")
    connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", MODEL)


# Partitions are planned for by themselves, so each has its own.
_CUT: Final = """
    SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    AND 2 = (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('owner', 'collection'))
"""


def advise_postgresql(core: Connection) -> None:
    """Make the statistics of owner and collection part of each ANALYZE, as autovacuum runs it."""
    for (name,) in core.exec_driver_sql(_CUT).fetchall():
        core.exec_driver_sql(
            f'CREATE STATISTICS IF NOT EXISTS "{name}_place" (dependencies) ON owner, collection FROM "{name}"'
        )
