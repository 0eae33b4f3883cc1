"""Candidates for a filter, from the index: what a row cannot decide is left to the caller, who looks at the octets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, Text, and_, bindparam, case, cast, func, or_, select, union_all

from calsync.casemap import fold
from calsync.store.occurrences import ENDLESS, REACH, SERIES, Window, bucket_of, touches, touching
from calsync.store.places import Collection
from calsync.store.rows import ItemRow, page
from calsync.store.schema import LISTED, card_field, item, occurrence
from calsync.store.statement import Prepared, each, locate

if TYPE_CHECKING:
    from calsync.store.transaction import Row, Transaction

#: How far a floating time may be from what it says when it is read as UTC, with a margin: seconds (decision D10).
SLACK: Final = 26 * 3600

#: Ranges that are longer are answered by a walk through the collection.
_LONG: Final = REACH[-1]


class Candidate(NamedTuple):
    """`certain`: the component surely touches the range (RFC 4791 §9.9); else only its octets can tell."""

    row: ItemRow
    certain: bool


_HERE: Final = (item.c.owner == bindparam("owner"), item.c.collection == bindparam("collection"))
_AFTER: Final = item.c.id > bindparam("after")
_START: Final[ColumnElement[int]] = bindparam("start")
_END: Final[ColumnElement[int]] = bindparam("end")
_LOW: Final[ColumnElement[int]] = bindparam("low")
_HIGH: Final[ColumnElement[int]] = bindparam("high")

# What the row says of the range: 1 surely in it, 0 perhaps; of a series its occurrences know, those of _FLOATING_SERIES
# on whatever clock.
_SURE, _PERHAPS, _SERIES, _FLOATING_SERIES = 1, 0, -1, -2
_VERDICT: Final = case(
    (and_(item.c.span == SERIES, item.c.floating == 1), _FLOATING_SERIES),
    (item.c.span == SERIES, _SERIES),
    (item.c.recurring == 1, _PERHAPS),
    (item.c.floating == 0, _SURE),
    (and_(item.c.first < bindparam("sure_end"), item.c.last > bindparam("sure_start")), _SURE),
    else_=_PERHAPS,
).label("verdict")
_COLUMNS: Final = (*LISTED, _VERDICT)
#: Rows that may touch the range, floating ones wherever the clock may stand.
TOUCHES: Final = (
    item.c.first < _HIGH,
    item.c.last > _LOW,
    or_(item.c.floating == 1, and_(item.c.first < _END, item.c.last > _START)),
)


def _of_span(span: int) -> Select[Any]:
    """The items of one class of length: none of them begins longer before the range than the class reaches."""
    found = select(*_COLUMNS).where(
        *_HERE, item.c.component == bindparam("component"), item.c.span == span, *TOUCHES, _AFTER
    )
    return found.where(item.c.first > bindparam(f"low_{span}")) if span < ENDLESS else found


#: The item that an occurrence row is of, and the rows of the buckets from `lowest` to `highest`.
OCCURS: Final = and_(
    item.c.owner == occurrence.c.owner,
    item.c.collection == occurrence.c.collection,
    item.c.id == occurrence.c.item,
)
IN_BUCKETS: Final = (
    occurrence.c.owner == bindparam("owner"),
    occurrence.c.collection == bindparam("collection"),
    occurrence.c.bucket >= bindparam("lowest"),
    occurrence.c.bucket <= bindparam("highest"),
)

_SINGLE: Final = Prepared(union_all(*(_of_span(span) for span in range(ENDLESS + 1))))
_WHOLE_SERIES: Final = Prepared(_of_span(SERIES))
_OCCURRING: Final = Prepared(
    select(*LISTED, item.c.floating, occurrence.c.bucket, occurrence.c.packed)
    .join_from(occurrence, item, OCCURS)
    .where(
        *IN_BUCKETS,
        occurrence.c.item > bindparam("after"),
        item.c.component == bindparam("component"),
    )
)


def _walk(*conditions: ColumnElement[bool]) -> Prepared:
    return Prepared(
        select(*_COLUMNS)
        .where(*_HERE, item.c.span.is_not(None), *TOUCHES, _AFTER, *conditions)
        .order_by(item.c.id)
        .limit(bindparam("limit"))
    )


_WALK: Final = _walk()
_WALK_OF: Final = _walk(item.c.component.in_(each("components")))


def in_range(
    tx: Transaction,
    collection: Collection,
    components: Sequence[str] | None,
    start: int,
    end: int,
    after: int,
    limit: int,
) -> list[Candidate]:
    """At most `limit` items that may touch `[start, end)`, by id from the first greater than `after`.

    `components`: of which components, None for any. Floating times are found wherever the clock may stand. A range that
    is open has `-2**61` or `2**61` at that end. While everything is derived anew, all items are candidates.
    """
    window = Window.read(tx) or tx.window
    if window.doubted:
        return [Candidate(row, False) for row in page(tx, collection, after, limit)]
    low, high = start - SLACK, end + SLACK
    values = {
        "owner": collection.owner,
        "collection": collection.id,
        "start": start,
        "end": end,
        "low": low,
        "high": high,
        "sure_start": start + SLACK,
        "sure_end": end - SLACK,
        "after": after,
    }
    values |= {f"low_{span}": low - reach for span, reach in enumerate(REACH)}
    if components is None:
        found = _judged(tx, collection, tx.all(_WALK, limit=limit, **values), start, end, window)
    elif end - start > _LONG:
        rows = tx.all(_WALK_OF, limit=limit, components=json.dumps(list(components)), **values)
        found = _judged(tx, collection, rows, start, end, window)
    else:
        found = []
        for component in dict.fromkeys(components):
            rows = tx.all(_SINGLE, component=component, **values)
            if window.covers(low, high):
                found += _occurring(tx, component, values)
            else:
                rows += tx.all(_WHOLE_SERIES, component=component, **values)
            found += _judged(tx, collection, rows, start, end, window)
        found.sort()
        found = found[:limit]
    return found if window.settled else [one._replace(certain=False) for one in found]


def _occurring(tx: Transaction, component: str, values: Mapping[str, int]) -> list[Candidate]:
    """The series of which an occurrence may touch the range, which the window covers."""
    start, end, low, high = (values[name] for name in ("start", "end", "low", "high"))
    lowest, highest = bucket_of(low), bucket_of(high)
    found: dict[int, Candidate] = {}
    sure: set[int] = set()
    for row in tx.all(_OCCURRING, component=component, lowest=lowest, highest=highest, **values):
        id_ = row[0]
        if id_ in sure:
            continue
        floating, bucket, packed = row[-3:]
        if touches(bucket, packed, start + floating * SLACK, end - floating * SLACK):
            sure.add(id_)
            found[id_] = Candidate(ItemRow._make(row[:-3]), True)
        elif floating and touches(bucket, packed, low, high):
            found[id_] = Candidate(ItemRow._make(row[:-3]), False)
    return list(found.values())


def _judged(
    tx: Transaction, collection: Collection, rows: list[Row], start: int, end: int, window: Window
) -> list[Candidate]:
    """Rows of `_COLUMNS` as candidates. A series is certain where one of its known occurrences is."""
    sure: set[int] = set()
    for kind, slack in ((_SERIES, 0), (_FLOATING_SERIES, SLACK)):
        series = [row[0] for row in rows if row[-1] == kind]
        low, high = max(start + slack, window.start), min(end - slack, window.end)
        if series and low < high:
            sure |= touching(tx, collection, series, low, high)
    return [Candidate(ItemRow._make(row[:-1]), row[-1] == _SURE or row[0] in sure) for row in rows]


# --- UID --------------------------------------------------------------------------------------------------------------

_UID_EQUALS: Final = Prepared(
    select(*LISTED).where(
        item.c.owner == bindparam("owner"),
        item.c.uid_key == bindparam("text"),
        item.c.collection == bindparam("collection"),
    )
)
_UID_WITHIN: Final = Prepared(
    select(*LISTED).where(
        *_HERE, item.c.uid_length > bindparam("length"), locate(item.c.uid_key, bindparam("text")) > 0
    )
)


def doubted(tx: Transaction) -> bool:
    """Whether what the index says is not to be believed, because everything is being derived anew: read the octets."""
    window = Window.read(tx) or tx.window
    return bool(window.doubted)


def uid_contains(tx: Transaction, collection: Collection, text: str) -> list[ItemRow]:
    """The items whose UID contains `text`, compared folded; by id.

    Only UIDs that are longer than the text are looked through; mostly it is a whole UID, and none is.
    """
    key = fold(text)
    values = {"owner": collection.owner, "collection": collection.id, "text": key}
    found = tx.all(_UID_EQUALS, **values) + tx.all(_UID_WITHIN, length=len(key), **values)
    return sorted(map(ItemRow._make, found))


# --- cards ------------------------------------------------------------------------------------------------------------

_FIELD: Final = (
    card_field.c.owner == bindparam("owner"),
    card_field.c.collection == bindparam("collection"),
    card_field.c.name == bindparam("name"),
)
_VALUE: Final = card_field.c.value
_TEXT: Final = bindparam("text", type_=Text)


def _cards(*conditions: ColumnElement[bool]) -> Prepared:
    return Prepared(select(card_field.c.item).where(*_FIELD, *conditions))


_BY_OPERATOR: Final = {
    "equals": _cards(_VALUE == _TEXT),
    "contains": _cards(locate(_VALUE, _TEXT) > 0),
    "starts-with": _cards(_VALUE >= _TEXT, bindparam("beyond") > _VALUE),
    "ends-with": _cards(
        func.length(_VALUE) >= func.length(_TEXT),
        func.substr(_VALUE, cast(func.length(_VALUE) - func.length(_TEXT) + 1, Integer)) == _TEXT,
    ),
}

# Greater than any character of a text.
_LAST: Final = chr(0x10FFFF)


def cards(tx: Transaction, collection: Collection, name: str, operator: str, text: str) -> set[int]:
    """The ids of the cards that have a property `name` of which a value matches `text`.

    `operator`: `equals`, `contains`, `starts-with` or `ends-with` (RFC 6352 §10.5.4). Both sides are folded: for a
    stricter collation the answer holds all matches and perhaps more.
    """
    key = fold(text)
    rows = tx.all(
        _BY_OPERATOR[operator],
        owner=collection.owner,
        collection=collection.id,
        name=name,
        text=key,
        beyond=key + _LAST,
    )
    return {id_ for (id_,) in rows}
