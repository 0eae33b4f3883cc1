"""Facts of the store itself: secrets, counters of rare things, the occurrence window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, insert, select

from calsync.store.schema import meta
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Transaction

_GET: Final = Prepared(select(meta.c.value).where(meta.c.key == bindparam("key")))
_DELETE: Final = Prepared(delete(meta).where(meta.c.key == bindparam("key")))
_INSERT: Final = Prepared(insert(meta))


def get(tx: Transaction, key: str) -> bytes | None:
    """The value of `key`, or None."""
    row = tx.first(_GET, key=key)
    return None if row is None else bytes(row[0])


def put(tx: Transaction, key: str, value: bytes) -> None:
    """Set `key`."""
    tx.run(_DELETE, key=key)
    tx.run(_INSERT, key=key, value=value)


def count(tx: Transaction, name: str) -> int:
    """The next value of a counter: 1, 2, … For ids of what is seldom made and has no owner yet."""
    key = f"counter:{name}"
    value = int(get(tx, key) or b"0") + 1
    put(tx, key, b"%d" % value)
    return value
