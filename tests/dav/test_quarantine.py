"""What a bulk write refuses is kept with its reason; what a single PUT refuses is not: its client is told and tries."""

from __future__ import annotations

from pathlib import Path

from calsync.app import Application
from calsync.store import principals, quarantine
from calsync.store.quarantine import Entry
from tests.dav.conftest import Client, card, event

HOME = "/anna/calendar/"
BOOK = "/anna/contacts/"
NO_UID = event("x").replace(b"UID:x\r\n", b"")


def kept(application: Application, user: str = "anna") -> list[tuple[Entry, bytes]]:
    store = application.store
    assert store is not None
    with store.read() as tx:
        owner = principals.find(tx, user)
        assert owner is not None
        return [(entry, quarantine.octets(tx, entry) or b"") for entry in quarantine.listing(tx, owner.id)]


def whole(*events: bytes) -> bytes:
    inner = b"".join(one[one.index(b"BEGIN:VEVENT") : one.index(b"END:VCALENDAR")] for one in events)
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + inner + b"END:VCALENDAR\r\n"


def test_a_member_of_a_whole_calendar(application: Application, anna: Client) -> None:
    assert anna.put(HOME, whole(event("a"), NO_UID), Content_Type="text/calendar").status == 207
    ((entry, octets),) = kept(application)
    assert octets == NO_UID[NO_UID.index(b"BEGIN:VEVENT") : NO_UID.index(b"END:VCALENDAR")]
    assert (entry.target, entry.source, entry.actor) == ("calendar", "put", "anna")
    assert entry.reason == "VEVENT without UID"
    assert entry.condition == "{urn:ietf:params:xml:ns:caldav}valid-calendar-object-resource"
    assert anna.put(HOME, whole(event("a"), NO_UID), Content_Type="text/calendar").status == 207
    assert len(kept(application)) == 1, "the same again is kept once"


def test_a_card_of_many(application: Application, anna: Client) -> None:
    anna.get(BOOK)
    bad = card("b").replace(b"3.0", b"2.1")
    assert anna.post(BOOK, card("a") + bad, Content_Type="text/vcard").status == 207
    ((entry, octets),) = kept(application)
    assert (entry.target, entry.source, octets) == ("contacts", "bulk", bad)


def test_a_resource_of_a_multiput(application: Application, anna: Client) -> None:
    anna.put(f"{HOME}a.ics", event("a"))
    body = (
        '<multiput xmlns="http://me.com/_namespace/" xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        f"<resource><D:href>{HOME}b%20c.ics</D:href><D:set><D:prop><C:calendar-data><![CDATA[{event('a').decode()}]]>"
        "</C:calendar-data></D:prop></D:set></resource>"
        f"<resource><D:href>{HOME}d.ics</D:href><D:set><D:prop><C:calendar-data><![CDATA[{NO_UID.decode()}]]>"
        "</C:calendar-data></D:prop></D:set></resource></multiput>"
    )
    assert anna.post(HOME, body, Content_Type="application/xml").status == 207
    told = {entry.href: entry.condition.rpartition("}")[2] for entry, _ in kept(application)}
    assert told == {"b c.ics": "no-uid-conflict", "d.ics": "valid-calendar-object-resource"}


def test_a_single_put_is_told_and_nothing_kept(application: Application, anna: Client) -> None:
    assert anna.put(f"{HOME}a.ics", NO_UID).status == 403
    assert anna.put(HOME, NO_UID, Content_Type="text/calendar").status == 403
    assert kept(application) == []


def test_who_may_not_write_fills_nothing(application: Application, anna: Client, bert: Client) -> None:
    anna.get(HOME)
    assert bert.post(HOME, whole(NO_UID), Content_Type="text/calendar").status in (403, 404)
    assert kept(application) == []


def test_no_client_fills_the_disk(tmp_path: Path) -> None:
    from calsync.accounts.accounts import Accounts
    from tests.dav.conftest import PASSWORD, make_application

    application = make_application(tmp_path, history={"quarantine_items": "3", "quarantine_size": "2000"})
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    for number in range(9):
        bad = NO_UID.replace(b"Event x", b"%d" % number)
        assert anna.put(HOME, whole(event("a"), bad), Content_Type="text/calendar").status == 207
    large = NO_UID.replace(b"Event x", b"x" * 3000)
    assert anna.put(HOME, whole(event("a"), large), Content_Type="text/calendar").status == 207
    assert [entry.reason for entry, _ in kept(application)] == ["VEVENT without UID"] * 3
    assert [b"SUMMARY:%d" % number in octets for number, (_, octets) in enumerate(kept(application), 6)] == [True] * 3
    application.close()
