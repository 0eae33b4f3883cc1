"""What r0003 makes of the rows of shorter buckets is what is derived from the octets."""

from __future__ import annotations

import struct
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from calsync.store import occurrences
from calsync.store.migrations.versions.r0003_less_space import _BUCKET, _together
from calsync.store.occurrences import BUCKET, Window

WINDOW = Window(0, 4 * BUCKET, 1)
times = st.lists(
    st.tuples(st.integers(0, WINDOW.end - 1), st.sampled_from((0, 3600, 86_400, _BUCKET, 3 * _BUCKET))), min_size=1
)


def packed(entries: list[tuple[int, int]]) -> bytes:
    lengths = {length for _, length in entries}
    numbers = [*lengths, *(start for start, _ in entries)] if len(lengths) == 1 else [-1, *chain(*entries)]
    return struct.pack(f"<{len(numbers)}i", *numbers)


def before(entries: list[tuple[int, int]]) -> dict[int, bytes]:
    """As the rows were: buckets of 64 days."""
    found: dict[int, list[tuple[int, int]]] = {}
    for start, length in sorted(entries):
        last = max(start + length - 1, start) // _BUCKET
        for bucket in range(start // _BUCKET, min(last, WINDOW.end // _BUCKET - 1) + 1):
            found.setdefault(bucket, []).append((start - bucket * _BUCKET, length))
    return {bucket: packed(sorted(rows)) for bucket, rows in found.items()}


@given(times)
def test_two_short_buckets_are_a_long_one(entries: list[tuple[int, int]]) -> None:
    halves = before(entries)
    made = [
        (bucket, _together([(0, one, halves[one]) for one in (2 * bucket, 2 * bucket + 1) if one in halves]))
        for bucket in sorted({one // 2 for one in halves})
    ]
    assert made == occurrences.pack([(start, start + length) for start, length in entries], WINDOW)


def test_a_damaged_row_stops_no_upgrade_and_is_found_at_any_time() -> None:
    for octets in (b"", b"abc", struct.pack("<2i", -1, 5)):
        (made,) = occurrences.pack([(_BUCKET, 2 * _BUCKET)], WINDOW)
        assert _together([(0, 1, octets)]) == made[1]
