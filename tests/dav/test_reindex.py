"""While everything is derived anew, nothing that the index says is believed, and answers stay right."""

from __future__ import annotations

import pytest

from calsync.store import reindex
from tests.dav.conftest import Client, card, event
from tests.raw import Raw

HOME, BOOK = "/anna/calendar/", "/anna/contacts/"
WRONG = (
    "UPDATE item SET uid = 'x', uid_key = 'x', uid_length = 1, component = 'VTODO', first = 0, last = 0, span = 0,"
    " recurring = 0, busy = 'FREE'",
    "DELETE FROM occurrence",
    "DELETE FROM card_field",
)
CALENDAR = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
CARDS = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'


def query(inner: str) -> str:
    return (
        f"<C:calendar-query {CALENDAR}><prop><getetag/></prop><C:filter><C:comp-filter name='VCALENDAR'>"
        f"<C:comp-filter name='VEVENT'>{inner}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )


def cards(name: str, text: str) -> str:
    return (
        f"<C:addressbook-query {CARDS}><prop><getetag/></prop><C:filter><C:prop-filter name='{name}'>"
        f"<C:text-match>{text}</C:text-match></C:prop-filter></C:filter></C:addressbook-query>"
    )


RANGE = "<C:time-range start='20260305T000000Z' end='20260306T000000Z'/>"
UID = "<C:prop-filter name='UID'><C:text-match>single</C:text-match></C:prop-filter>"
BUSY = f"<C:free-busy-query {CALENDAR}>{RANGE}</C:free-busy-query>"


def told(anna: Client) -> list[object]:
    found: list[object] = [
        sorted(anna.request("REPORT", HOME, query(inner), Depth="1").statuses) for inner in ("", RANGE, UID)
    ]
    found += [
        sorted(anna.request("REPORT", BOOK, cards(*one), Depth="1").statuses)
        for one in (("FN", "lovelace"), ("UID", "c2"), ("EMAIL", "nobody"))
    ]
    busy = anna.request("REPORT", HOME, BUSY, Depth="1").text
    return [*found, sorted(line for line in busy.split("\r\n") if line.startswith("FREEBUSY"))]


@pytest.mark.parametrize("steps", [0, 2, 5])
def test_every_query_is_right_at_any_moment(anna: Client, steps: int) -> None:
    anna.put(f"{HOME}a.ics", event("single"))
    anna.put(f"{HOME}b.ics", event("series", "RRULE:FREQ=DAILY"))
    anna.put(f"{BOOK}c.vcf", card("c1"))
    anna.put(f"{BOOK}d.vcf", card("c2", name="Grace Hopper"))
    right = told(anna)
    assert right[:3] == [[f"{HOME}a.ics", f"{HOME}b.ics"], [f"{HOME}b.ics"], [f"{HOME}a.ics"]]
    assert right[6] != []
    store = anna.application.store
    assert store is not None
    Raw.of(store).run(*WRONG)
    assert told(anna) != right
    reindex.begin(store)
    assert told(anna) == right
    asked = iter([False] * steps)
    reindex.run(store, stop=lambda: next(asked, True))
    assert told(anna) == right
    assert reindex.run(store).ended
    assert told(anna) == right
