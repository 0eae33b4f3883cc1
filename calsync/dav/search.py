"""Finding what passes a filter: candidates from the index, and the text of those that it is not sure of.

A search is walked page by page, each page a short read (design D9); a page brings the octets that had to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from calsync.dav.filters import calendar as calendar_filter
from calsync.dav.filters import card as card_filter
from calsync.dav.scope import Scope
from calsync.ical.budget import Budget
from calsync.ical.lines import Component, ScanError, scan
from calsync.ical.vcard import FIELDS, fold
from calsync.store import items, queries
from calsync.store.collections import Collection
from calsync.store.engine import Transaction
from calsync.store.errors import Damaged
from calsync.store.items import ItemRow
from calsync.store.queries import Candidate
from calsync.webdav.requests import CardFilter, CardPropFilter, CompFilter, TextMatch

#: Candidates a page.
PAGE = 500

#: What stands for an open end of a time range.
EARLIEST, LATEST = -(2**61), 2**61

#: The components of which an object holds one kind only, which its row tells.
_MAIN = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"})

Source = Callable[[Transaction, int, int], list[Candidate]]
Judge = Callable[[Component], bool]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that passed, and the octets of those that were read (unchecked, by item id)."""

    rows: list[ItemRow]
    bodies: Mapping[int, bytes]


def calendar_pages(
    scope: Scope, collection: Collection, filter: CompFilter, zone: tzinfo, *, octets: bool
) -> Iterator[Page]:
    """The objects of a calendar that pass; `octets`: read the bodies of all of them."""
    budget = Budget()
    source = _calendar_source(collection, filter)
    return _pages(scope, collection, source, lambda found: calendar_filter.matches(found, filter, zone, budget), octets)


def card_pages(scope: Scope, collection: Collection, filter: CardFilter, *, octets: bool) -> Iterator[Page]:
    """The cards of an address book that pass."""
    source = _card_source(collection, filter)
    return _pages(scope, collection, source, lambda found: card_filter.matches(found, filter), octets)


def _pages(scope: Scope, collection: Collection, source: Source, judge: Judge, octets: bool) -> Iterator[Page]:
    after = 0
    while True:
        with scope.read() as tx:
            candidates = source(tx, after, PAGE)
            wanted = [one.row.id for one in candidates if octets or not one.certain]
            bodies = items.page_bodies(tx, collection, wanted) if wanted else {}
            rows = [one.row for one in candidates if one.certain or _passes(one.row, bodies.get(one.row.id), judge)]
            # The consumer renders in this very read.
            yield Page(rows, bodies)
        if len(candidates) < PAGE:
            return
        after = candidates[-1].row.id


def _passes(row: ItemRow, octets: bytes | None, judge: Judge) -> bool:
    """Judge by the text. What is damaged passes, so that the answer names it with its 500, never leaves it out."""
    try:
        document = scan(items.checked(row, octets))
    except (Damaged, ScanError):
        return True
    return any(judge(component) for component in document.components)


# --- calendars --------------------------------------------------------------------------------------------------------


def _calendar_source(collection: Collection, filter: CompFilter) -> Source:
    """The narrowest index condition that the filter implies, and whether it is all that the filter says."""
    if filter.is_not_defined or filter.name != "VCALENDAR":
        return _walk(collection, None, certain=False)
    components = [one for one in filter.comps if not one.is_not_defined and one.name in _MAIN]
    if not components:
        # Every stored object is a VCALENDAR.
        return _walk(collection, None, certain=not filter.props and not filter.comps)
    first = components[0]
    if any(one.name != first.name for one in components):
        return lambda tx, after, limit: []
    alone = not filter.props and len(filter.comps) == 1
    for one in components:
        uid = _uid_match(one)
        if uid is not None:
            return _by_uid(collection, uid)
    for one in components:
        if one.time_range is not None:
            simple = alone and not one.props and not one.comps
            start = EARLIEST if one.time_range.start is None else one.time_range.start
            end = LATEST if one.time_range.end is None else one.time_range.end
            return _in_range(collection, one.name, start, end, certain=simple)
    return _walk(collection, first.name, certain=alone and not first.props and not first.comps)


def _uid_match(filter: CompFilter) -> TextMatch | None:
    for prop in filter.props:
        if prop.name == "UID" and prop.text_match is not None and not prop.text_match.negate and prop.text_match.text:
            return prop.text_match
    return None


def _by_uid(collection: Collection, match: TextMatch) -> Source:
    def source(tx: Transaction, after: int, limit: int) -> list[Candidate]:
        rows = queries.uid_contains(tx, collection, match.text)
        return [Candidate(row, False) for row in rows if row.id > after][:limit]

    return source


def _in_range(collection: Collection, component: str, start: int, end: int, *, certain: bool) -> Source:
    def source(tx: Transaction, after: int, limit: int) -> list[Candidate]:
        found = queries.in_range(tx, collection, [component], start, end, after, limit)
        return found if certain else [Candidate(one.row, False) for one in found]

    return source


def _walk(collection: Collection, component: str | None, *, certain: bool) -> Source:
    """Every item, those of another component passed over by their rows."""

    def source(tx: Transaction, after: int, limit: int) -> list[Candidate]:
        found: list[Candidate] = []
        while len(found) < limit:
            rows = items.page(tx, collection, after, limit)
            found += [Candidate(row, certain) for row in rows if component in (None, row.component)]
            if len(rows) < limit:
                break
            after = rows[-1].id
        return found

    return source


# --- cards ------------------------------------------------------------------------------------------------------------


def _card_source(collection: Collection, filter: CardFilter) -> Source:
    if not filter.props:
        return _walk(collection, "VCARD", certain=True)
    indexed = [one for one in filter.props if _is_indexed(one)]
    if not indexed or (filter.anyof and len(indexed) < len(filter.props)):
        return _walk(collection, "VCARD", certain=False)
    exact = len(indexed) == len(filter.props) and all(_is_exact(one) for one in indexed)

    def source(tx: Transaction, after: int, limit: int) -> list[Candidate]:
        sets = [_ids(tx, collection, one) for one in indexed]
        ids = set.union(*sets) if filter.anyof else set.intersection(*sets)
        chosen = sorted(id_ for id_ in ids if id_ > after)[:limit]
        return [Candidate(row, exact) for row in items.rows(tx, collection, chosen)]

    return source


def _is_indexed(filter: CardPropFilter) -> bool:
    """Whether the index narrows it down: its fields are kept, and a text must be there."""
    return filter.name in FIELDS and not filter.is_not_defined and bool(_positive(filter))


def _positive(filter: CardPropFilter) -> list[TextMatch]:
    """The text matches that an index can answer; where any condition suffices, all of them must be such."""
    found = [match for match in filter.text_matches if not match.negate]
    if filter.anyof and (len(found) < len(filter.text_matches) or filter.params):
        return []
    return found


def _is_exact(filter: CardPropFilter) -> bool:
    """Whether the folded index says the last word: i;unicode-casemap is how it is folded."""
    return not filter.params and all(
        match.collation == "i;unicode-casemap" and not match.negate for match in filter.text_matches
    )


def _ids(tx: Transaction, collection: Collection, filter: CardPropFilter) -> set[int]:
    sets = [
        queries.cards(tx, collection, filter.name, match.match_type, fold(match.text)) for match in _positive(filter)
    ]
    return set.union(*sets) if filter.anyof else set.intersection(*sets)
