"""A store in which every table holds something, and what two stores hold, to be compared."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, insert

from calsync.moving.tables import TABLES
from calsync.store import collections, items, principals
from calsync.store.engine import Store
from calsync.store.schema import METADATA
from calsync.store.statement import Prepared
from calsync.store.transaction import Row
from tests.store.objects import event, recurring


def fill(store: Store, count: int = 30) -> None:
    """A user as they come to be, and in tables that stay empty by it one made-up row."""
    with store.write() as tx:
        anna = principals.create(tx, "anna")
        work = collections.create(tx, anna, 0, "work", "calendar")
        for number in range(count):
            items.put(tx, work, f"{number}.ics", event(f"u{number}", summary="ä" * number))
        daily = recurring(store, "r", "20260301T100000Z", "20260301T110000Z", "FREQ=DAILY;COUNT=9")
        items.put(tx, work, "r.ics", daily)
        items.put(tx, work, "0.ics", event("u0", summary="changed"))
        gone = items.get(tx, work, "1.ics")
        assert gone is not None
        items.delete(tx, work, gone)
        collections.delete(tx, collections.create(tx, anna, 0, "old", "addressbook"))
    fill_the_rest(store)


def fill_the_rest(store: Store) -> None:
    """One made-up row in each table that is empty."""
    for name, table in METADATA.tables.items():
        with store.read() as tx:
            there = TABLES[name].count(tx)
        if not there:
            with store.write() as tx:
                tx.run(Prepared(insert(table)), **{column.name: value(column.type) for column in table.columns})


def value(kind: Any) -> Any:
    """Something of a column's type."""
    if isinstance(kind, BigInteger | Integer):
        return 7
    return b"\0octets" if isinstance(kind, LargeBinary) else "text's"


def everything(store: Store) -> dict[str, list[Row]]:
    """All rows of all tables, but those that are about moves."""
    found = {}
    with store.read() as tx:
        for name, one in TABLES.items():
            rows: list[Row] = []
            while page := one.page(tx, one.key_of(rows[-1]) if rows else None):
                rows += [tuple(row) for row in page]
            found[name] = [row for row in rows if name != "meta" or row[0] != "arrived"]
            if name == "audit":
                found[name] = [row for row in rows if row[2] != "moved"]
    return found
