"""Tables cut by owner: in PostgreSQL those whose key begins with it can be made of partitions, by a hash of the owner.

What belongs to one owner lies in one partition of each table, and every statement names the owner, so each looks into
one partition of a table only. It is decided when the database is made; `calsync migrate-store` moves a store into one
that is cut otherwise. To the statements, and to migrations, the tables are what they are elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import MetaData, Table

from calsync.store.errors import StoreError
from calsync.store.schema import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: How many there may be: one transaction makes them all, and locks each of them and its indexes.
MOST: Final = 64


def owned() -> list[Table]:
    """The tables whose key begins with the owner."""
    return [one for one in METADATA.sorted_tables if next(iter(one.primary_key.columns)).name == "owner"]


def checked(count: int) -> int:
    """Raise `StoreError` where there cannot be so many partitions; 0 and 1 are none."""
    if 0 <= count <= MOST:
        return count
    raise StoreError(f"store: {count} partitions: write a number from 2 to {MOST}, or 0 for none")


def create(core: Connection, count: int) -> None:
    """Make all tables of a new database, the owners' in `count` partitions where that is more than one."""
    if checked(count) < 2:
        METADATA.create_all(core)
        return
    cut = owned()
    made = MetaData(naming_convention=METADATA.naming_convention)
    for table in METADATA.sorted_tables:
        copied = table.to_metadata(made)
        conditions = {one.name: one._ddl_if for one in table.indexes}
        for index in copied.indexes:
            # SQLAlchemy leaves behind for which database an index is.
            index._ddl_if = conditions[index.name]
        if table in cut:
            copied.dialect_options["postgresql"]["partition_by"] = "HASH (owner)"
    made.create_all(core)
    for table in cut:
        for number in range(count):
            core.exec_driver_sql(
                f'CREATE TABLE "{table.name}_p{number}" PARTITION OF "{table.name}" '
                f"FOR VALUES WITH (MODULUS {count}, REMAINDER {number})"
            )
