"""The items of a collection that a filter matches: a plan is run over the store, page by page.

A page is read in one short transaction; what of it goes to the client is sent when that is closed (decision D9):

    while not search.done:
        with scope.read() as tx:
            page = search.page(tx)
            fragments = listing.page(page.rows, page.bodies)
        yield from fragments
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from time import thread_time
from typing import Final

from calsync.dav.filters import calendar, card
from calsync.dav.filters.plan import (
    AnyOf,
    CardCondition,
    FieldMatch,
    InRange,
    Listed,
    Nothing,
    Plan,
    Residual,
    WithUid,
    calendar_plan,
    card_plan,
)
from calsync.dav.filters.prefilter import Test, calendar_prefilter, card_prefilter
from calsync.ical.budget import Purse
from calsync.ical.lines import Component, ScanError, scan
from calsync.store import items, queries
from calsync.store.collections import Collection
from calsync.store.errors import Damaged
from calsync.store.items import ItemRow
from calsync.store.queries import Candidate
from calsync.store.transaction import Transaction
from calsync.webdav.requests import CardFilter, CompFilter

#: Rows of a page, and octets of bodies that are read for it, about.
ROWS: Final = 1000
OCTETS: Final = 1 << 20

# A short range is found as a whole, so it is asked for as a whole.
_IN_RANGE_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """Items that match, by id, and what of their octets was read: unchecked, by item id (`items.checked`)."""

    rows: list[ItemRow]
    bodies: Mapping[int, bytes]


def calendar_search(
    collection: Collection,
    filter: CompFilter,
    zone: tzinfo = UTC,
    purse: Purse | None = None,
    *,
    octets: bool = False,
) -> Search:
    """The objects of a calendar. `octets`: the bodies of all that match are wanted. `purse`: that of the request."""
    purse = purse or Purse()
    return Search(
        collection,
        calendar_plan(filter),
        lambda component: calendar.matches(component, filter, zone, purse.budget()),
        purse,
        calendar_prefilter(filter),
        octets=octets,
    )


def card_search(
    collection: Collection, filter: CardFilter, purse: Purse | None = None, *, octets: bool = False
) -> Search:
    """The cards of an address book. `octets`: the bodies of all that match are wanted. `purse`: that of the request."""
    return Search(
        collection,
        card_plan(filter),
        lambda component: card.matches(component, filter),
        purse or Purse(),
        card_prefilter(filter),
        octets=octets,
    )


def answers(
    read: Callable[[], AbstractContextManager[Transaction]], search: Search
) -> Iterator[tuple[ItemRow, bytes | None]]:
    """All that match with their octets, if those were read; no transaction is open in between."""
    while not search.done:
        with read() as tx:
            page = search.page(tx)
        for row in page.rows:
            yield row, page.bodies.get(row.id)


class Search:
    """A walk through the candidates. What changes meanwhile is judged by its new octets; what comes new is left out
    where the collection is listed."""

    def __init__(
        self,
        collection: Collection,
        plan: Plan,
        test: Callable[[Component], bool],
        purse: Purse,
        may_match: Test | None = None,
        *,
        octets: bool = False,
    ) -> None:
        self.done = isinstance(plan.source, Nothing)
        self._collection = collection
        self._plan = plan
        self._test = test
        self._purse = purse
        self._may_match = may_match
        self._octets = octets
        self._after = 0
        self._held: list[Candidate] = []
        self._begun = False
        self._ended = False
        self._ids: list[int] | None = None

    def page(self, tx: Transaction) -> Page:
        """The next matches, perhaps none though others follow: `done` says."""
        if not self._begun:
            self._begun = True
            if queries.doubted(tx):
                self._plan = Plan(Listed(), Residual.ALWAYS)
        candidates = self._refreshed(tx) if self._held else self._next(tx)
        chosen: list[tuple[ItemRow, bool]] = []
        wanted: list[int] = []
        size = 0
        for one in candidates:
            doubtful = self._is_doubtful(one)
            if doubtful or self._octets:
                size += one.row.size
                if size > OCTETS and chosen:
                    break
                wanted.append(one.row.id)
            chosen.append((one.row, doubtful))
        self._held = candidates[len(chosen) :]
        self.done = self._ended and not self._held
        bodies = items.page_bodies(tx, self._collection, wanted) if wanted else {}
        rows = []
        for row, doubtful in chosen:
            if not doubtful or self._passes(row, bodies.get(row.id)):
                rows.append(row)
            if self._purse.empty:
                break  # whoever asked is told that this is not all
        return Page(rows, bodies)

    def _is_doubtful(self, one: Candidate) -> bool:
        if self._plan.residual is Residual.DOUBTFUL:
            return not one.certain
        # What has changed since the search began is not what the index told of it then.
        return self._plan.residual is Residual.ALWAYS or one.row.seq > self._collection.seq

    def _passes(self, row: ItemRow, octets: bytes | None) -> bool:
        """Damaged octets pass: the answer has to name them as such, never to leave them out (decision D22)."""
        begun = thread_time()
        try:
            whole = items.checked(row, octets)
            if self._may_match is not None and not self._may_match(whole):
                return False
            return any(self._test(root) for root in scan(whole).components)
        except (Damaged, ScanError):
            return True
        finally:
            self._purse.pay(begun)

    # --- candidates ---------------------------------------------------------------------------------------------------

    def _refreshed(self, tx: Transaction) -> list[Candidate]:
        """Those that were left of the last page, as they are now."""
        rows = {row.id: row for row in items.rows(tx, self._collection, [one.row.id for one in self._held])}
        found: list[Candidate] = []
        for one in self._held:
            row = rows.get(one.row.id)
            if row is not None:
                found.append(Candidate(row, one.certain and row.seq == one.row.seq))
        return found

    def _next(self, tx: Transaction) -> list[Candidate]:
        source = self._plan.source
        if isinstance(source, Listed):
            return self._listed(tx, source)
        if isinstance(source, InRange):
            components = [source.component]
            found = queries.in_range(
                tx, self._collection, components, source.start, source.end, self._after, _IN_RANGE_ROWS
            )
            self._ended = len(found) < _IN_RANGE_ROWS
            if found:
                self._after = found[-1].row.id
            return found
        if isinstance(source, WithUid):
            self._ended = True
            rows = queries.uid_contains(tx, self._collection, source.text)
            return [Candidate(row, False) for row in rows if row.component == source.component]
        if isinstance(source, Nothing):
            self._ended = True
            return []
        if self._ids is None:
            self._ids = sorted(_card_ids(tx, self._collection, source))
        ids, self._ids = self._ids[:ROWS], self._ids[ROWS:]
        self._ended = not self._ids
        return [Candidate(row, True) for row in items.rows(tx, self._collection, ids)]

    def _listed(self, tx: Transaction, source: Listed) -> list[Candidate]:
        rows = items.page(tx, self._collection, self._after, ROWS, self._collection.seq)
        self._ended = len(rows) < ROWS
        if rows:
            self._after = rows[-1].id
        return [
            Candidate(row, True)
            for row in rows
            if row.component != source.unlike and source.component in ("", row.component)
        ]


def _card_ids(tx: Transaction, collection: Collection, condition: CardCondition) -> set[int]:
    if isinstance(condition, FieldMatch):
        return queries.cards(tx, collection, condition.field, condition.operator, condition.text)
    sets = [_card_ids(tx, collection, one) for one in condition.conditions]
    return set.union(*sets) if isinstance(condition, AnyOf) else set.intersection(*sets)
