"""What is written into a store while it is copied: triggers note the key of each row that changes.

So nothing is missed, whatever writes and whichever table: not every change raises a `seq` (an app password, a purge of
the history, a window of occurrences). An entry says that a row may have changed; what it holds now is read with it in
one snapshot. Entries that were read are removed by their numbers, since the transaction that took a lower number may
be the one that is committed later. The log and its triggers are there while a move is under way, and cost nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Text, bindparam, delete, func, select

from calsync.moving.tables import TABLES, Key, Moved
from calsync.store.statement import Prepared, each_id

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction

_NAME: Final = "moving_change"
_LOG: Final = Table(
    _NAME,
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),
)
_PAGE: Final = Prepared(
    select(_LOG.c.id, _LOG.c.name, _LOG.c.key)
    .where(_LOG.c.id > bindparam("after"))
    .order_by(_LOG.c.id)
    .limit(bindparam("limit"))
)
_COUNT: Final = Prepared(select(func.count()).select_from(_LOG))
_FORGET: Final = Prepared(delete(_LOG).where(_LOG.c.id.in_(each_id("ids"))))
_CHUNK: Final = 2000

_EVENTS: Final = ("INSERT", "UPDATE", "DELETE")


class Changed(NamedTuple):
    """`ids`: of the entries that were read; `keys`: the rows that they name, each once."""

    ids: list[int]
    keys: dict[str, dict[Key, None]]


def begin(store: Store) -> None:
    """Note all changes from now on. What is there already of an earlier run goes on being used."""
    with store.write() as tx:
        for sql in _LOG_TABLE[tx.dialect]:
            tx.define(sql)
        if tx.dialect == "sqlite":
            for one in TABLES.values():
                for sql in _sqlite(one):
                    tx.define(sql)
    if tx.dialect == "postgresql":
        # Each in a transaction of its own: one that waits for the writers of a table must hold no other.
        for one in TABLES.values():
            with store.write() as tx:
                for sql in _postgresql(one):
                    tx.define(sql)


def end(store: Store) -> None:
    """Note nothing any more, and forget what was noted."""
    for one in TABLES.values():
        with store.write() as tx:
            if tx.dialect == "sqlite":
                for event in (*_EVENTS, "REKEY"):
                    tx.define(f"DROP TRIGGER IF EXISTS moving_{one.name}_{event.lower()}")
            else:
                tx.define(f'DROP TRIGGER IF EXISTS moving_change ON "{one.name}"')
                tx.define(f"DROP FUNCTION IF EXISTS moving_{one.name}()")
    with store.write() as tx:
        tx.define(f"DROP TABLE IF EXISTS {_NAME}")


def running(tx: Transaction) -> bool:
    """Whether changes are noted."""
    sql = (
        f"SELECT 1 FROM sqlite_master WHERE name = '{_NAME}'"
        if tx.dialect == "sqlite"
        else f"SELECT 1 FROM pg_class WHERE oid = to_regclass('{_NAME}')"
    )
    return bool(tx.define(sql))


def count(tx: Transaction) -> int:
    """How many entries there are."""
    row = tx.first(_COUNT)
    return 0 if row is None else int(row[0])


def entries(tx: Transaction, limit: int | None = None) -> Changed:
    """The entries of this snapshot, all or the first of them."""
    ids: list[int] = []
    keys: dict[str, dict[Key, None]] = {}
    for id_, name, text in _walk(tx, limit):
        ids.append(id_)
        one = TABLES[name]
        key = one.read(text)
        if one.moves(key):
            keys.setdefault(name, {})[key] = None
    return Changed(ids, keys)


def _walk(tx: Transaction, limit: int | None) -> Iterator[tuple[int, str, str]]:
    after, left = -1, limit
    while left is None or left > 0:
        page = tx.all(_PAGE, after=after, limit=_CHUNK if left is None else min(_CHUNK, left))
        for row in page:
            yield row[0], row[1], row[2]
        if len(page) < _CHUNK:
            return
        after = page[-1][0]
        left = None if left is None else left - len(page)


def forget(store: Store, ids: Sequence[int]) -> None:
    """Remove the entries with these numbers, some at a time."""
    for start in range(0, len(ids), _CHUNK):
        with store.write() as tx:
            tx.run(_FORGET, ids=json.dumps(ids[start : start + _CHUNK]))


#: Between the parts of a key (`Moved.written`). A trigger may call only what is harmless in a file of anybody's.
_AND: Final = " || ',' || "
_LOG_TABLE: Final = {
    "sqlite": (f"CREATE TABLE IF NOT EXISTS {_NAME} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL)",),
    "postgresql": (
        f"CREATE TABLE IF NOT EXISTS {_NAME} "
        "(id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL)",
    ),
}


def _sqlite(one: Moved) -> Iterator[str]:
    def noted(row: str) -> str:
        parts = [
            f'hex({row}."{key.name}")' if isinstance(key.type, LargeBinary | Text) else f'{row}."{key.name}"'
            for key in one.keys
        ]
        return f"INSERT INTO {_NAME} (name, key) VALUES ('{one.name}', {_AND.join(parts)});"

    differs = " OR ".join(f'OLD."{key.name}" IS NOT NEW."{key.name}"' for key in one.keys)
    for event in _EVENTS:
        head = f'CREATE TRIGGER IF NOT EXISTS moving_{one.name}_{event.lower()} AFTER {event} ON "{one.name}"'
        yield f"{head} BEGIN {noted('OLD' if event == 'DELETE' else 'NEW')} END"
    # A key that changes is two rows: the old one is gone.
    yield (
        f'CREATE TRIGGER IF NOT EXISTS moving_{one.name}_rekey AFTER UPDATE ON "{one.name}" WHEN {differs} '
        f"BEGIN {noted('OLD')} END"
    )


def _postgresql_part(key: Column[Any], value: str) -> str:
    if isinstance(key.type, LargeBinary):
        return f"encode({value}, 'hex')"
    return f"encode(convert_to({value}, 'UTF8'), 'hex')" if isinstance(key.type, Text) else f"{value}::text"


def _postgresql(one: Moved) -> Iterator[str]:
    def noted(row: str) -> str:
        parts = [_postgresql_part(key, f'{row}."{key.name}"') for key in one.keys]
        return f"INSERT INTO {_NAME} (name, key) VALUES ('{one.name}', {_AND.join(parts)});"

    old = ", ".join(f'OLD."{key.name}"' for key in one.keys)
    new = ", ".join(f'NEW."{key.name}"' for key in one.keys)
    yield (
        f"CREATE OR REPLACE FUNCTION moving_{one.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' THEN {noted('OLD')} RETURN NULL; END IF; {noted('NEW')} "
        f"IF TG_OP = 'UPDATE' THEN IF ({old}) IS DISTINCT FROM ({new}) THEN {noted('OLD')} END IF; END IF; "
        "RETURN NULL; END $$"
    )
    yield f'DROP TRIGGER IF EXISTS moving_change ON "{one.name}"'
    yield (
        f'CREATE TRIGGER moving_change AFTER INSERT OR UPDATE OR DELETE ON "{one.name}" '
        f"FOR EACH ROW EXECUTE FUNCTION moving_{one.name}()"
    )
