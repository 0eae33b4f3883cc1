"""Busy times of events from the index alone (RFC 4791 §7.10); what it does not know for sure is left to the octets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, bindparam, select, union_all

from calsync.ical.freebusy import FREE, BusyPeriod
from calsync.store.occurrences import ENDLESS, REACH, SERIES, Window, bucket_of, inside
from calsync.store.places import Collection
from calsync.store.queries import IN_BUCKETS, OCCURS, SLACK, TOUCHES
from calsync.store.schema import item, occurrence
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

# Longer ranges would touch most of a calendar.
_LONG: Final = REACH[-1]


@dataclass(frozen=True, slots=True)
class Busy:
    """`periods`: clipped to the range, in no order, some perhaps twice. `doubtful`: ids of events that are not in them
    and may be busy in the range, in their order."""

    periods: list[BusyPeriod]
    doubtful: list[int]


_EVENT: Final = (
    item.c.owner == bindparam("owner"),
    item.c.collection == bindparam("collection"),
    item.c.component == "VEVENT",
    item.c.busy != FREE,
)


def _of_span(span: int) -> Select[Any]:
    found = select(item.c.id, item.c.first, item.c.last, item.c.busy, item.c.recurring + item.c.floating).where(
        *_EVENT,
        item.c.span == span,
        *TOUCHES,
    )
    return found.where(item.c.first > bindparam(f"low_{span}")) if span < ENDLESS else found


_SINGLE: Final = Prepared(union_all(*(_of_span(span) for span in range(ENDLESS + 1))))
_SERIES: Final = Prepared(
    select(item.c.id, item.c.busy, item.c.floating, occurrence.c.bucket, occurrence.c.packed)
    .join_from(occurrence, item, OCCURS)
    .where(
        *IN_BUCKETS,
        item.c.span == SERIES,
        *_EVENT[2:],
    )
)


def busy(tx: Transaction, collection: Collection, start: int, end: int) -> Busy | None:
    """The busy times of the events of a calendar in `[start, end)`; None where the index cannot tell: outside the
    window of the occurrences, while that is moved, and for years at once."""
    window = Window.read(tx) or tx.window
    low, high = start - SLACK, end + SLACK
    if end - start > _LONG or not window.covers(low, high):
        return None
    values = {"owner": collection.owner, "collection": collection.id, "start": start, "end": end}
    values |= {"low": low, "high": high, "lowest": bucket_of(low), "highest": bucket_of(high)}
    values |= {f"low_{span}": low - reach for span, reach in enumerate(REACH)}
    periods: list[BusyPeriod] = []
    doubtful: set[int] = set()
    for id_, first, last, kind, unsure in tx.all(_SINGLE, **values):
        if kind and not unsure:
            periods.append((max(first, start), min(last, end), kind))
        else:
            doubtful.add(id_)
    for id_, kind, floating, bucket, packed in tx.all(_SERIES, **values):
        if floating or not kind:
            doubtful.add(id_)
            continue
        for first, last in inside(bucket, packed, start, end):
            periods.append((max(first, start), min(last, end), kind))
    return Busy(periods, sorted(doubtful))
