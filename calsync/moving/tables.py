"""All tables as the move sees them: rows with a primary key. Whatever the schema has is moved, new tables too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    LargeBinary,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    select,
    true,
    tuple_,
)

from calsync.store import moved
from calsync.store.schema import METADATA
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Row, Transaction

Key = tuple[Any, ...]

#: Rows that are read at once, and octets, about, of tables with long ones.
ROWS: Final = 2000
OCTETS: Final = 8 << 20


def _after(keys: Sequence[Column[Any]], prefix: str, *, upto: bool = False) -> ColumnElement[bool]:
    """The keys beyond the one in parameters `prefix0`, …, or up to it; a walk along the primary key's index."""
    values = [bindparam(f"{prefix}{place}", type_=key.type) for place, key in enumerate(keys)]
    if len(keys) == 1:
        return keys[0] <= values[0] if upto else keys[0] > values[0]
    return tuple_(*keys) <= tuple_(*values) if upto else tuple_(*keys) > tuple_(*values)


@dataclass(frozen=True)
class Moved:
    """A table and its statements."""

    table: Table

    @property
    def name(self) -> str:
        return self.table.name

    @cached_property
    def keys(self) -> tuple[Column[Any], ...]:
        return tuple(self.table.primary_key.columns)

    @cached_property
    def _places(self) -> tuple[int, ...]:
        return tuple(list(self.table.columns).index(key) for key in self.keys)

    @cached_property
    def _octets(self) -> Column[Any] | None:
        """The column that may hold MiBs."""
        column = self.table.columns.get("octets")
        return column if column is not None and isinstance(column.type, LargeBinary) else None

    @cached_property
    def _visible(self) -> ColumnElement[bool]:
        """Not what belongs to one store alone."""
        own = moved.OWN if self.table.name == "meta" else ()
        return and_(true(), *(self.table.c.key != key for key in own))

    @cached_property
    def _pages(self) -> dict[tuple[bool, bool, bool], Prepared]:
        """By: from a key on, up to a key, as lengths only."""
        found = {}
        for begins in (False, True):
            for ends in (False, True):
                for lengths in (False, True):
                    wanted: Sequence[Any] = tuple(self.table.columns)
                    if lengths:
                        wanted = (*self.keys, func.length(self._octets)) if self._octets is not None else self.keys
                    query = select(*wanted).where(self._visible).order_by(*self.keys).limit(bindparam("limit"))
                    if begins:
                        query = query.where(_after(self.keys, "after"))
                    if ends:
                        query = query.where(_after(self.keys, "upto", upto=True))
                    found[begins, ends, lengths] = Prepared(query)
        return found

    @cached_property
    def _this(self) -> ColumnElement[bool]:
        return and_(*(key == bindparam(f"key{place}", type_=key.type) for place, key in enumerate(self.keys)))

    @cached_property
    def _get(self) -> Prepared:
        return Prepared(select(*self.table.columns).where(self._this))

    @cached_property
    def _delete(self) -> Prepared:
        return Prepared(delete(self.table).where(self._this))

    @cached_property
    def _count(self) -> Prepared:
        return Prepared(select(func.count()).select_from(self.table).where(self._visible))

    @cached_property
    def _clear(self) -> Prepared:
        return Prepared(delete(self.table).where(self._visible))

    def key_of(self, row: Row) -> Key:
        """The key of a row."""
        return tuple(row[place] for place in self._places)

    def page(self, tx: Transaction, after: Key | None, upto: Key | None = None, limit: int = ROWS) -> list[Row]:
        """Rows by key, beyond `after`, up to `upto`; with `upto` all there are."""
        values = _values("after", after) | _values("upto", upto)
        if upto is None and self._octets is not None:
            sizes = tx.all(self._pages[after is not None, False, True], limit=limit, **values)
            limit = _fitting([row[-1] for row in sizes])
        return tx.all(self._pages[after is not None, upto is not None, False], limit=limit, **values)

    def rest(self, tx: Transaction, after: Key | None) -> list[Row]:
        """The keys beyond `after`, some of them."""
        return tx.all(self._pages[after is not None, False, True], limit=ROWS, **_values("after", after))

    def get(self, tx: Transaction, key: Key) -> Row | None:
        """A row."""
        return tx.first(self._get, **_values("key", key))

    def delete(self, tx: Transaction, keys: Sequence[Key]) -> None:
        """Remove the rows with these keys, as far as there are any."""
        tx.run_many(self._delete, [_values("key", key) for key in keys])

    def count(self, tx: Transaction) -> int:
        """How many rows there are."""
        row = tx.first(self._count)
        return 0 if row is None else int(row[0])

    def clear(self, tx: Transaction) -> None:
        """Remove all rows."""
        tx.run(self._clear)

    # A key as text, `12,6576656e74`: in the change log, and in what is noted of how far a copy came.

    def written(self, key: Key) -> str:
        """A key as text: numbers as they are, the octets of texts and of octets as hexadecimal digits."""
        return ",".join(map(_part, key))

    def read(self, text: str) -> Key:
        """The key that was written so, here or by a trigger."""
        parts = text.split(",")
        return tuple(_value(key, part) for key, part in zip(self.keys, parts, strict=True))

    def moves(self, key: Key) -> bool:
        """Whether the row with this key goes with the rest."""
        return self.table.name != "meta" or key[0] not in moved.OWN


def _part(value: int | str | bytes) -> str:
    if isinstance(value, int):
        return str(value)
    return (value.encode() if isinstance(value, str) else value).hex()


def _value(column: Column[Any], part: str) -> int | str | bytes:
    if isinstance(column.type, Text):
        return bytes.fromhex(part).decode()
    return bytes.fromhex(part) if isinstance(column.type, LargeBinary) else int(part)


def _values(prefix: str, key: Key | None) -> dict[str, Any]:
    return {} if key is None else {f"{prefix}{place}": value for place, value in enumerate(key)}


def _fitting(sizes: Sequence[int]) -> int:
    """How many of the rows fit into one page; one always does."""
    octets = 0
    for count, size in enumerate(sizes):
        octets += size
        if count and octets > OCTETS:
            return count
    return len(sizes) or 1


def moved_tables() -> Iterator[Moved]:
    """All tables; those of items last, which are long."""
    late = ("item", "body", "occurrence", "card_field", "revision")
    for table in sorted(METADATA.tables.values(), key=lambda table: (table.name in late, table.name)):
        yield Moved(table)


TABLES: Final = {one.name: one for one in moved_tables()}
