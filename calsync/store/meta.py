"""Facts of the store itself: secrets, counters of rare things, the occurrence window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, bindparam, delete, insert, select, update

from calsync.store.schema import meta
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

_GET: Final = Prepared(select(meta.c.value).where(meta.c.key == bindparam("key")))
_SEVERAL: Final = Prepared(
    select(meta.c.key, meta.c.value).where(meta.c.key.in_(("journal", "moved-to", "quota", "window")))
)
_GET_HELD: Final = Prepared(select(meta.c.value).where(meta.c.key == bindparam("key")).with_for_update())
_SET: Final = Prepared(update(meta).where(meta.c.key == bindparam("of")).values(value=bindparam("to")))
_DELETE: Final = Prepared(delete(meta).where(meta.c.key == bindparam("key")))
_INSERT: Final = Prepared(insert(meta))
_STARTS: Final = and_(meta.c.key >= bindparam("prefix"), meta.c.key < bindparam("beyond"))
_STARTING: Final = Prepared(select(meta.c.key, meta.c.value).where(_STARTS).order_by(meta.c.key))
_DELETE_STARTING: Final = Prepared(delete(meta).where(_STARTS))


def get(tx: Transaction, key: str) -> bytes | None:
    """The value of `key`, or None."""
    row = tx.first(_GET, key=key)
    return None if row is None else bytes(row[0])


def for_writing(tx: Transaction) -> dict[str, bytes]:
    """What every writing transaction asks for, in one statement: `window`, `journal`, `quota`, `moved-to`."""
    return {key: bytes(value) for key, value in tx.all(_SEVERAL)}


def put(tx: Transaction, key: str, value: bytes) -> None:
    """Set `key`."""
    if not tx.run(_SET, of=key, to=value):
        tx.run(_INSERT, key=key, value=value)


def remove(tx: Transaction, key: str) -> None:
    """Forget `key`."""
    tx.run(_DELETE, key=key)


def starting(tx: Transaction, prefix: str) -> list[tuple[str, bytes]]:
    """The keys that begin with `prefix`, and their values."""
    return [(key, bytes(value)) for key, value in tx.all(_STARTING, prefix=prefix, beyond=_beyond(prefix))]


def remove_starting(tx: Transaction, prefix: str) -> None:
    """Forget them."""
    tx.run(_DELETE_STARTING, prefix=prefix, beyond=_beyond(prefix))


def _beyond(prefix: str) -> str:
    """The first text after all that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def count(tx: Transaction, name: str) -> int:
    """The next value of a counter: 1, 2, … For ids of what is seldom made and has no owner yet."""
    key = f"counter:{name}"
    row = tx.first(_GET_HELD, key=key)
    if row is None:
        # Two may begin to count at once: this way one of them fails, and is done again.
        tx.run(_INSERT, key=key, value=b"1")
        return 1
    value = int(bytes(row[0])) + 1
    tx.run(_SET, of=key, to=b"%d" % value)
    return value
