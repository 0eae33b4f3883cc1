"""When things happen, in the form in which the store finds them fast.

What does not recur is one interval. An index can search one end of an interval only, so intervals are put into classes
by their length (`span_of`): in each class, what touches a range begins at most that length before it. The occurrences
of what recurs are kept within a window of time, cut into buckets: one row an item and a bucket, with all its
occurrences that touch the bucket.
"""

from __future__ import annotations

import json
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, bindparam, delete, insert, select

from calsync.store import meta
from calsync.store.schema import occurrence
from calsync.store.statement import Prepared, each_id

if TYPE_CHECKING:
    from calsync.store.places import Collection
    from calsync.store.transaction import Row, Transaction

DAY: Final = 86_400
#: Seconds of a bucket.
BUCKET: Final = 128 * DAY

# The window is moved when it is off by so many buckets.
_AGED: Final = 1

#: The longest interval of each class, in seconds, but for the last two.
REACH: Final = (4 * 3600, DAY, 8 * DAY, 64 * DAY, 512 * DAY)
#: Class of the longest intervals, and of what may happen at any time.
ENDLESS: Final = len(REACH)
#: Class of recurring items that have their rows here; their interval is the whole series.
SERIES: Final = ENDLESS + 1


def span_of(first: int, last: int, *, has_rows: bool) -> int:
    """The class of an interval."""
    if has_rows:
        return SERIES
    length = last - first
    for span, reach in enumerate(REACH):
        if length <= reach:
            return span
    return ENDLESS


@dataclass(frozen=True, slots=True)
class Window:
    """`[start, end)`, instants at the edges of buckets.

    `generation` grows when what is derived from the octets has to be made anew (another window, other time zones, a
    better scanner); until that is done everywhere, `settled` is 0 and the occurrences are trusted as candidates only.
    `doubted` is 1 while not even the columns of the items are: then only the octets tell what a filter matches.
    """

    start: int
    end: int
    generation: int
    settled: int = 1
    doubted: int = 0

    @staticmethod
    def around(now: int) -> Window:
        """Two years back and three ahead: what clients ask for, and little beyond."""
        return Window((now - 731 * DAY) // BUCKET * BUCKET, (now + 1096 * DAY) // BUCKET * BUCKET, 1)

    @staticmethod
    def read(tx: Transaction) -> Window | None:
        """The window of the store, None in a new one."""
        return Window.stored(meta.get(tx, "window"))

    @staticmethod
    def stored(value: bytes | None) -> Window | None:
        """The window that `write` kept."""
        return None if value is None else Window(*map(int, value.split()))

    def write(self, tx: Transaction) -> Window:
        """Keep it."""
        parts = (self.start, self.end, self.generation, self.settled, self.doubted)
        meta.put(tx, "window", b"%d %d %d %d %d" % parts)
        return self

    def aged(self, now: int) -> bool:
        """Whether it is to be moved: by a bucket or more, so that it happens thrice a year."""
        return abs(Window.around(now).start - self.start) >= _AGED * BUCKET

    def moved(self, now: int) -> Window:
        """The window that fits the time, with nothing known in it yet."""
        fresh = Window.around(now)
        return Window(fresh.start, fresh.end, self.generation + 1, 0, self.doubted)

    def renewed(self) -> Window:
        """The same window, of which nothing is believed."""
        return replace(self, generation=self.generation + 1, settled=0, doubted=1)

    def covers(self, start: int, end: int) -> bool:
        """Whether the rows tell all that happens in a range."""
        return self.settled == 1 and self.start <= start and end <= self.end


def bucket_of(instant: int) -> int:
    """The bucket that an instant lies in."""
    return instant // BUCKET


# The octets of a row: 32 bit numbers, little end first, that count from the beginning of the bucket. Where all
# occurrences are equally long: their length, then when each starts. Otherwise _MIXED, then start and length of each.
_MIXED: Final = -1
_LIMIT: Final = (1 << 31) - 1  # seconds: 68 years


def pack(times: Iterable[tuple[int, int]], window: Window) -> list[tuple[int, bytes]]:
    """`[start, end)` instants → rows of (bucket, packed). What lies outside the window is left out."""
    lowest, highest = bucket_of(window.start), bucket_of(window.end - 1)
    buckets: dict[int, list[tuple[int, int]]] = {}
    for start, end in times:
        last = bucket_of(max(end - 1, start))
        for bucket in range(max(bucket_of(start), lowest), min(last, highest) + 1):
            offset = max(start - bucket * BUCKET, -_LIMIT)
            buckets.setdefault(bucket, []).append((offset, min(end - start, _LIMIT)))
    return [(bucket, _packed(sorted(entries))) for bucket, entries in sorted(buckets.items())]


def _packed(entries: list[tuple[int, int]]) -> bytes:
    lengths = {length for _, length in entries}
    if len(lengths) == 1 and entries[0][1] >= 0:
        numbers = [*lengths, *(offset for offset, _ in entries)]
    else:
        numbers = [_MIXED, *chain.from_iterable(entries)]
    return struct.pack(f"<{len(numbers)}i", *numbers)


@lru_cache(maxsize=256)
def _numbers(size: int) -> Callable[[bytes], tuple[int, ...]]:
    return struct.Struct(f"<{size // 4}i").unpack


def unpack(bucket: int, packed: bytes) -> list[tuple[int, int]]:
    """The reverse of `pack` for one row, by start."""
    length, *numbers = _numbers(len(packed))(packed)
    base = bucket * BUCKET
    if length == _MIXED:
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return [(base + offset, base + offset + own) for offset, own in pairs]
    return [(base + offset, base + offset + length) for offset in numbers]


def inside(bucket: int, packed: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """The occurrences of this row that touch `[start, end)`, by start."""
    numbers = _numbers(len(packed))(packed)
    length, base = numbers[0], bucket * BUCKET
    if length == _MIXED:
        return [time for time in unpack(bucket, packed) if time[0] < end and time[1] > start]
    offsets = numbers[bisect_right(numbers, start - base - length, 1) : bisect_left(numbers, end - base, 1)]
    return [(base + offset, base + offset + length) for offset in offsets]


def touches(bucket: int, packed: bytes, start: int, end: int) -> bool:
    """Whether an occurrence of this row touches `[start, end)`."""
    numbers = _numbers(len(packed))(packed)
    length, base = numbers[0], bucket * BUCKET
    if length == _MIXED:
        return any(first < end and last > start for first, last in unpack(bucket, packed))
    place = bisect_right(numbers, start - base - length, 1)
    return place < len(numbers) and numbers[place] < end - base


DELETE: Final = Prepared(
    delete(occurrence).where(occurrence.c.owner == bindparam("owner"), occurrence.c.item == bindparam("item"))
)
INSERT: Final = Prepared(insert(occurrence))

_OF_ITEMS: Final = (
    occurrence.c.owner == bindparam("owner"),
    occurrence.c.item.in_(each_id("items")),
    occurrence.c.collection == bindparam("collection"),
)
_LOWEST: Final[ColumnElement[int]] = bindparam("lowest")
_HIGHEST: Final[ColumnElement[int]] = bindparam("highest")
_ROWS: Final = Prepared(
    select(occurrence.c.item, occurrence.c.bucket, occurrence.c.packed)
    .where(*_OF_ITEMS, occurrence.c.bucket >= _LOWEST, occurrence.c.bucket <= _HIGHEST)
    .order_by(occurrence.c.item, occurrence.c.bucket)
)
_INSIDE: Final = Prepared(
    select(occurrence.c.item)
    .where(*_OF_ITEMS, occurrence.c.bucket > _LOWEST, occurrence.c.bucket < _HIGHEST)
    .group_by(occurrence.c.item)
)

# Further away than any instant.
_FAR: Final = 1 << 63


def between(
    tx: Transaction, collection: Collection, items: Iterable[int], start: int, end: int
) -> dict[int, list[tuple[int, int]]]:
    """The occurrences of items of a collection that touch `[start, end]`, by item id, in their order; each once.

    Of what lies outside the window nothing is known. Times of floating items are wall time read as UTC.
    """
    lowest, highest = max(bucket_of(start), bucket_of(tx.window.start)), bucket_of(end)
    found: dict[int, list[tuple[int, int]]] = {}
    for item, bucket, packed in _rows(tx, collection, items, lowest, highest):
        # One that began before this bucket has been seen in the one before.
        least = bucket * BUCKET if bucket > lowest else -_FAR
        times = [time for time in unpack(bucket, packed) if least <= time[0] <= end and time[1] >= start]
        if times:
            found.setdefault(item, []).extend(times)
    for times in found.values():
        times.sort()
    return found


def touching(tx: Transaction, collection: Collection, items: Iterable[int], start: int, end: int) -> set[int]:
    """Which of the items have a known occurrence that touches `[start, end)`."""
    waiting = set(items)
    lowest, highest = bucket_of(start), bucket_of(end)
    found: set[int] = set()
    if highest - lowest > 1:
        # All that stands in a bucket inside the range touches the range.
        rows = tx.all(_INSIDE, **_values(collection, waiting), lowest=lowest, highest=highest)
        found = {item for (item,) in rows}
        waiting -= found
    for edge in {lowest, highest} if waiting else ():
        for item, bucket, packed in _rows(tx, collection, waiting, edge, edge):
            if touches(bucket, packed, start, end):
                found.add(item)
    return found


def _rows(tx: Transaction, collection: Collection, items: Iterable[int], lowest: int, highest: int) -> list[Row]:
    return tx.all(_ROWS, **_values(collection, items), lowest=lowest, highest=highest)


def _values(collection: Collection, items: Iterable[int]) -> dict[str, Any]:
    return {"owner": collection.owner, "collection": collection.id, "items": json.dumps(list(items))}
