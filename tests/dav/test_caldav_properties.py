"""Properties of calendars, homes and address books that can be set or follow from what is stored."""

from __future__ import annotations

import pytest

from tests.dav.conftest import Client, card, event
from tests.postgresql import everywhere

C, D = "{urn:ietf:params:xml:ns:caldav}", "{DAV:}"
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT15M\nEND:VALARM"
AVAILABILITY = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VAVAILABILITY
UID:av
DTSTAMP:20260101T000000Z
DTSTART:20260302T000000Z
DTEND:20260303T000000Z
BEGIN:AVAILABLE
UID:av1
DTSTAMP:20260101T000000Z
DTSTART:20260302T090000Z
DTEND:20260302T170000Z
END:AVAILABLE
END:VAVAILABILITY
END:VCALENDAR
"""


@pytest.mark.parametrize("kind", ["vevent-datetime", "vevent-date", "vtodo-datetime", "vtodo-date"])
@pytest.mark.parametrize("path", ["/anna/", "/anna/calendar/"])
def test_default_alarms(anna: Client, path: str, kind: str) -> None:
    name = f"default-alarm-{kind}"
    assert anna.set_property(path, name, "no alarm") == 403
    assert anna.set_property(path, name, event().decode()) == 403
    for text in (ALARM, ""):
        assert anna.set_property(path, name, text) == 200
        assert anna.props(path, C + name).value(path, C + name) == text


def test_availability_of_a_home_is_part_of_its_busy_times(anna: Client) -> None:
    assert anna.set_property("/anna/", "calendar-availability", event().decode()) == 403
    assert anna.set_property("/anna/", "calendar-availability", AVAILABILITY) == 200
    # Not advertised: clients would look for it on the inbox, which there is not.
    assert "calendar-availability" not in anna.options("/anna/").headers["DAV"]
    body = f'<C:free-busy-query xmlns:C="{C[1:-1]}"><C:time-range start="20260302T000000Z" end="20260303T000000Z"/></C:free-busy-query>'
    told = anna.report("/anna/", body).text.replace("\r\n ", "")
    assert "FBTYPE=BUSY-UNAVAILABLE:20260302T000000Z/20260302T090000Z,20260302T170000Z/20260303T000000Z" in told
    assert "FREEBUSY" not in anna.report("/anna/calendar/", body).text.replace("VFREEBUSY", "")


@pytest.mark.skipif(everywhere(), reason="the disk of a database server is its own affair")
def test_quota_counts_octets(anna: Client) -> None:
    used, available = f"{D}quota-used-bytes", f"{D}quota-available-bytes"
    assert anna.props("/anna/", used).value("/anna/", used) == "0"
    anna.put("/anna/calendar/a.ics", event())
    anna.put("/anna/contacts/a.vcf", card())
    assert anna.props("/anna/calendar/", used).value("/anna/calendar/", used) == str(len(event()))
    told = anna.props("/anna/", used, available)
    assert told.value("/anna/", used) == str(len(event()) + len(card()))
    assert int(told.value("/anna/", available)) > 0
    assert b"quota" not in anna.propfind("/anna/", "", Depth="0").body  # RFC 4331 §2: not in allprop


def test_privileges_are_a_tree_with_all_of_writing(anna: Client) -> None:
    """RFC 3744 §3.2: bind, unbind, write-properties and write-content are in write."""
    for path in ("/", "/anna/", "/anna/calendar/"):
        tree = anna.props(path, f"{D}supported-privilege-set").prop(path, f"{D}supported-privilege-set")[1]
        write = next(
            one for one in tree.iter(f"{D}supported-privilege") if one.find(f"{D}privilege/{D}write") is not None
        )
        inside = {one.find(f"{D}privilege")[0].tag for one in write.findall(f"{D}supported-privilege")}
        assert inside == {f"{D}{name}" for name in ("bind", "unbind", "write-properties", "write-content")}


def test_a_card_is_given_in_the_version_that_is_accepted(anna: Client) -> None:
    """RFC 6352 §5.1.1; the other version has an ETag of its own, which is as good for writing back."""
    path = "/anna/contacts/a.vcf"
    stored = anna.put(path, card("c1", "TEL;TYPE=CELL:+49 1")).etag
    for accept in ("", "*/*", "text/vcard", "text/vcard;version=3.0", "text/vcard;version=4.0;q=0.5, text/vcard"):
        answer = anna.get(path, Accept=accept)
        assert (answer.etag, answer.body) == (stored, card("c1", "TEL;TYPE=CELL:+49 1"))
        assert answer.headers["Vary"] == "Accept"
    four = anna.get(path, Accept="text/vcard; version=4.0")
    assert (four.status, b"VERSION:4.0" in four.body) == (200, True)
    assert four.headers["Content-Type"] == "text/vcard;charset=utf-8;version=4.0"
    assert four.etag != stored
    assert anna.get(path, Accept="text/vcard; version=4.0", **{"If-None-Match": four.etag}).status == 304
    assert anna.get(path, Accept="text/vcard; version=4.0", **{"If-None-Match": stored}).status == 200
    refused = anna.get(path, Accept="text/vcard; version=5.0")
    assert (refused.status, b"supported-address-data-conversion" in refused.body) == (406, True)
    assert anna.put(path, four.body, **{"If-Match": four.etag}).status == 204
    assert anna.put(path, four.body, **{"If-Match": four.etag}).status == 412
