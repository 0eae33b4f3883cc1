"""Less space: buckets of 128 days for occurrences, not 64, so that a recurring item has half the rows; and PostgreSQL's
index of changes without what is shown of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain, groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BUCKET = 64 * 86_400
_MIXED = -1

_OCCURRENCE = sa.table(
    "occurrence",
    *(sa.column(name, sa.BigInteger()) for name in ("owner", "collection", "bucket", "item")),
    sa.column("packed", sa.LargeBinary()),
)


def upgrade() -> None:
    """Lay each two buckets together, a collection at a time."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        op.drop_index("item_delta_including", table_name="item")
        op.create_index("item_changed", "item", ["owner", "collection", "seq"], unique=False)
        op.execute('ALTER TABLE meta ALTER COLUMN key TYPE text COLLATE "C"')  # so that a prefix is a range of keys
    table = _OCCURRENCE.c
    places = bind.execute(sa.select(table.owner, table.collection).distinct()).fetchall()
    for owner, collection in places:
        here = sa.and_(table.owner == owner, table.collection == collection)
        found = sa.select(table.item, table.bucket, table.packed).where(here).order_by(table.item, table.bucket)
        rows: list[tuple[Any, ...]] = [tuple(row) for row in bind.execute(found)]
        bind.execute(sa.delete(_OCCURRENCE).where(here))
        made = [
            {
                "owner": owner,
                "collection": collection,
                "bucket": bucket,
                "item": item,
                "packed": _together(list(halves)),
            }
            for (item, bucket), halves in groupby(rows, key=lambda row: (row[0], row[1] // 2))
        ]
        bind.execute(sa.insert(_OCCURRENCE), made)


def _together(halves: Sequence[tuple[Any, ...]]) -> bytes:
    entries: list[tuple[int, int]] = []
    for place, (_, bucket, packed) in enumerate(halves):
        shift = bucket % 2 * _BUCKET
        # What began before the second half stands in the first one too.
        entries += [(start + shift, length) for start, length in _unpacked(bytes(packed)) if not place or start >= 0]
    entries.sort()
    lengths = {length for _, length in entries}
    if len(lengths) == 1 and entries[0][1] >= 0:
        numbers = [*lengths, *(start for start, _ in entries)]
    else:
        numbers = [_MIXED, *chain.from_iterable(entries)]
    return struct.pack(f"<{len(numbers)}i", *numbers)


def _unpacked(packed: bytes) -> list[tuple[int, int]]:
    try:
        length, *numbers = struct.unpack(f"<{len(packed) // 4}i", packed)
        if length == _MIXED:
            return list(zip(numbers[::2], numbers[1::2], strict=True))
        return [(start, length) for start in numbers]
    except (struct.error, ValueError):
        # Damaged. An upgrade does not end for that: it is found at any time, until `calsync reindex`.
        return [(0, _BUCKET)]
