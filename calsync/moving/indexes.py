"""Indexes beside the primary keys: put away while rows come in, and made again when all are there.

Not for speed alone: pages that are read one after the other may hold a name twice, before and after it went from one
item to another. When the changes of a moment have been laid over them, the indexes find that every name is there once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from calsync.moving.tables import TABLES
from calsync.store import plans

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

_KNOWN: Final = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND NOT EXISTS (SELECT 1 "
        "FROM pg_constraint WHERE conname = indexname AND connamespace = to_regnamespace(schemaname))"
    ),
}


def known(tx: Transaction) -> dict[str, str]:
    """Name → what makes it."""
    # Of a table with partitions PostgreSQL says it so that those would go without.
    return {name: sql.replace(" ON ONLY ", " ON ", 1) for name, sql in tx.define(_KNOWN[tx.dialect]) if _of_ours(sql)}


def _of_ours(sql: str) -> bool:
    """Whether it is on one of the store's tables."""
    on = sql.partition(" ON ")[2].removeprefix("ONLY ").split("(")[0].split(" USING ")[0].strip()
    return on.rpartition(".")[2].strip('"') in TABLES


def put_away(tx: Transaction, indexes: Mapping[str, str]) -> None:
    """Drop them."""
    for name in indexes:
        tx.define(f'DROP INDEX IF EXISTS "{name}"')


def make(tx: Transaction, indexes: Mapping[str, str]) -> None:
    """Make those that are missing, and let the database know the sizes of things."""
    there = known(tx)
    for name, sql in indexes.items():
        if name not in there:
            tx.define(sql)
    if tx.dialect == "sqlite":
        # As `plans.advise`, in this transaction: with an index go the numbers that were written of it.
        tx.define("ANALYZE sqlite_schema")
        tx.define("DELETE FROM sqlite_stat1")
        for row in plans.MODEL:
            tx.define("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('{}', '{}', '{}')".format(*row))
        return
    tx.define("ANALYZE")
    for one in TABLES.values():
        counter = one.table.autoincrement_column
        if counter is not None:
            tx.define(
                f"SELECT setval(pg_get_serial_sequence('{one.name}', '{counter.name}'), "
                f'GREATEST((SELECT max("{counter.name}") FROM "{one.name}"), 1))'
            )
