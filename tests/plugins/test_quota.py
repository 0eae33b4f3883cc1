"""Stock Radicale keeps to a quota, too, and answers 507, to a PUT of a whole collection 400 as to all its refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from calsync.store import principals, quota
from calsync.store.engine import Store
from calsync.store.quota import Own
from tests.dav.conftest import event
from tests.plugins.stock import BOOK, Dav, store_url


@pytest.fixture
def bounded(dav: Dav, folder: Path) -> Dav:
    store = Store.open(store_url(folder))
    with store.write() as tx:
        anna = principals.find(tx, "anna")
        assert anna is not None
        quota.put(tx, anna.id, Own(items=1, collections=quota.used(tx, anna.id).collections))
    store.close()
    return dav


def test_one_item_more(bounded: Dav) -> None:
    assert bounded("PUT", "/anna/cal/a.ics", event("a")).status == 201
    assert bounded("PUT", "/anna/cal/b.ics", event("b")).status == 507
    assert bounded("PUT", "/anna/cal/a.ics", event("a", "SUMMARY:other")).status == 204
    assert bounded("GET", "/anna/cal/b.ics").status == 404


def test_a_collection_more(bounded: Dav) -> None:
    assert bounded("MKCALENDAR", "/anna/more/").status == 507
    assert bounded("MKCOL", "/anna/more/", BOOK).status == 507


def test_a_whole_collection_is_taken_whole_or_not_at_all(bounded: Dav) -> None:
    assert bounded("PUT", "/anna/cal/old.ics", event("old")).status == 201
    head = event("a").partition(b"END:VCALENDAR")[0]
    whole = head + event("b").partition(b"PRODID:-//test//EN\r\n")[2]
    assert bounded("PUT", "/anna/cal/", whole, content_type="text/calendar").status == 400
    assert bounded("GET", "/anna/cal/old.ics").status == 200
