"""What is in a collection, page by page: each page in a short read, unless a lock of Radicale's holds a snapshot."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

from calsync.store import items, queries
from calsync.store.collections import Collection
from calsync.store.items import ItemRow
from calsync.store.queries import Candidate
from calsync_storage.prefilter import Condition, condition
from calsync_storage.properties import TAGS
from calsync_storage.session import Session

#: Items that are read at once.
PAGE = 500


def pages(session: Session, collection: Collection) -> Iterator[list[ItemRow]]:
    """All items, as of the collection's `seq`."""
    after, full = 0, True
    while full:
        with session.read() as tx:
            page = items.page(tx, collection, after, PAGE, collection.seq)
        full = len(page) == PAGE
        if page:
            after = page[-1].id
            yield page


def candidates(session: Session, collection: Collection, filters: Iterable[ET.Element]) -> Iterator[list[Candidate]]:
    """The items that may match the filters; `certain` says that they do, whatever the octets hold."""
    wanted = condition(filters, TAGS[collection.kind])
    with session.read() as tx:
        doubted = queries.doubted(tx)
    if doubted:
        yield from ([Candidate(row, False) for row in page] for page in pages(session, collection))
        return
    if wanted.ranges:
        found = _in_range(session, collection, wanted)
    elif wanted.uid:
        found = _with_uid(session, collection, wanted)
    else:
        found = ([Candidate(row, True) for row in page] for page in pages(session, collection))
    for page in found:
        yield [
            candidate._replace(certain=candidate.certain and wanted.whole)
            for candidate in page
            if wanted.component in (None, candidate.row.component)
        ]


def _in_range(session: Session, collection: Collection, wanted: Condition) -> Iterator[list[Candidate]]:
    components = None if wanted.component is None else [wanted.component]
    after, full = 0, True
    while full:
        with session.read() as tx:
            page = queries.in_range(tx, collection, components, wanted.start, wanted.end, after, PAGE)
        full = len(page) == PAGE
        if page:
            after = page[-1].row.id
            yield page


def _with_uid(session: Session, collection: Collection, wanted: Condition) -> Iterator[list[Candidate]]:
    with session.read() as tx:
        rows = queries.uid_contains(tx, collection, wanted.uid)
    yield [Candidate(row, False) for row in rows]
