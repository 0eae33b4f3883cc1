"""What the disk gives back wrong is told to nobody as a deletion."""

from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync_storage import Storage
from tests.plugins.stock import Dav, configuration, event, store_url
from tests.raw import Raw


@pytest.fixture
def damaged(folder: Path, dav: Dav, accounts: Accounts) -> Dav:
    """Three events, the second of which has rotted."""
    for name in "abc":
        dav.put(f"/anna/cal/{name}.ics", event(name))
    assert Raw(store_url(folder)).rot("SUMMARY:b", "SUMMARY:x") == 1
    return dav


def test_a_listing_and_a_sync_go_on_naming_it(damaged: Dav) -> None:
    listed = damaged("PROPFIND", "/anna/cal/", '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>', depth="1")
    assert "/anna/cal/b.ics" in listed.hrefs


def test_it_is_an_error_and_not_missing(damaged: Dav) -> None:
    assert damaged("GET", "/anna/cal/b.ics").status == 500
    assert damaged("GET", "/anna/cal/a.ics").status == 200


def test_a_multiget_gives_the_others(damaged: Dav) -> None:
    _, changed = damaged.sync("/anna/cal/")
    assert changed == {"/anna/cal/a.ics": 200, "/anna/cal/c.ics": 200}


def test_a_query_that_would_leave_it_out_fails(damaged: Dav) -> None:
    sent = (
        '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop><C:filter>'
        '<C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
    )
    assert damaged("REPORT", "/anna/cal/", sent, depth="1").status == 500


def test_it_can_be_written_anew_and_deleted(damaged: Dav) -> None:
    assert damaged.put("/anna/cal/b.ics", event("b")).status == 204
    assert damaged("GET", "/anna/cal/b.ics").status == 200
    assert damaged("DELETE", "/anna/cal/b.ics").status == 200


def test_verify_finds_it(folder: Path, damaged: Dav) -> None:
    storage = Storage(configuration(folder))
    with storage.acquire_lock("r"):
        assert not storage.verify()
    damaged("DELETE", "/anna/cal/b.ics")
    with storage.acquire_lock("r"):
        assert storage.verify()
