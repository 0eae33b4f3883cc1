"""What PUT refuses, with the element that says why (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1), and conditional PUT."""

from __future__ import annotations

from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from tests.dav.conftest import PASSWORD, Client, card, event, make_application

PATH = "/anna/calendar/a.ics"
C = "{urn:ietf:params:xml:ns:caldav}"
JSON = b'["vcalendar",[],[]]'


def many(count: int) -> bytes:
    return event("one", *(f"ATTENDEE:mailto:{number}@example.com" for number in range(count)))


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        (event(start="00010101T000000Z", end="00010101T010000Z"), ""),
        (event(start="99991231T235900Z", end="99991231T235959Z"), ""),
        (event().replace(b"DTSTART:", b"DTSTART;TZID=Asia/Tokyo:").replace(b"20260301T100000Z", b"00010101T000000"), "min-date-time"),
        (event().replace(b"DTSTART:", b"DTSTART;TZID=America/New_York:").replace(b"20260301T100000Z", b"99991231T235900").replace(b"DTEND:20260301T110000Z\r\n", b""), "max-date-time"),
        (event("one", "RRULE:FREQ=DAILY;COUNT=10000"), ""),
        (event("one", "RRULE:FREQ=DAILY;COUNT=10001"), "max-instances"),
        (event("one", "RRULE:FREQ=MINUTELY;UNTIL=20270301T100000Z"), "max-instances"),
        (event("one", "RRULE:FREQ=HOURLY;UNTIL=20260401T100000Z"), ""),
        (event("one", "RRULE:FREQ=WEEKLY;UNTIL=22000101T000000Z"), ""),
        (event("one", "RRULE:FREQ=DAILY"), ""),
        (event("one", "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z"), ""),
        (event("one", "RRULE:FREQ=DAILY;BYHOUR=9,10;UNTIL=20991231T235959Z"), "max-instances"),
        (many(5000), ""),
        (many(5001), "max-attendees-per-instance"),
    ],
)  # fmt: skip
def test_how_far_an_object_may_reach(anna: Client, body: bytes, condition: str) -> None:
    answer = anna.put(PATH, body)
    if condition:
        assert (answer.status, f"<C:{condition}/>" in answer.text) == (403, True), answer.text
        assert anna.get(PATH).status == 404
    else:
        assert answer.status == 201, answer.text


def test_the_limits_are_properties(anna: Client) -> None:
    names = [C + name for name in ("min-date-time", "max-date-time", "max-instances", "max-attendees-per-instance", "max-resource-size")]  # fmt: skip
    found = anna.props("/anna/calendar/", *names)
    assert [found.value("/anna/calendar/", name) for name in names] == [
        "00010101T000000Z", "99991231T235959Z", "10000", "5000", "10000000",
    ]  # fmt: skip


def test_the_limits_follow_the_configuration(tmp_path: Path) -> None:
    limits = {"max_resource_size": "1000", "max_vevent_rrule_occurrence": "5"}
    application = make_application(tmp_path / "data", server=limits)
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    assert anna.props("/anna/calendar/", C + "max-instances").value("/anna/calendar/", C + "max-instances") == "5"
    assert b"<C:max-instances/>" in anna.put(PATH, event("one", "RRULE:FREQ=DAILY;COUNT=6")).body
    assert b"<C:max-resource-size/>" in anna.put(PATH, event("one", "SUMMARY:" + "x" * 1000)).body
    assert b"<CR:max-resource-size/>" in anna.put("/anna/contacts/a.vcf", card("c", "NOTE:" + "x" * 1000)).body
    application.store.close()


@pytest.mark.parametrize(
    ("path", "content_type", "body", "condition"),
    [
        (PATH, "application/calendar+json", JSON, "C:supported-calendar-data"),
        (PATH, "text/vcard", card(), "C:supported-calendar-data"),
        (PATH, "text/calendar", card(), "C:valid-calendar-data"),
        (PATH, "", JSON, "C:valid-calendar-data"),
        ("/anna/contacts/a.vcf", "text/calendar", event(), "CR:supported-address-data"),
        ("/anna/contacts/a.vcf", "text/vcard; charset=utf-8", event(), "CR:valid-address-data"),
    ],
)
def test_the_media_type_says_which_precondition(
    anna: Client, path: str, content_type: str, body: bytes, condition: str
) -> None:
    answer = anna.put(path, body, Content_Type=content_type)
    assert (answer.status, f"<{condition}/>" in answer.text) == (403, True), answer.text


@pytest.mark.parametrize("charset", ["iso-8859-1", '"ISO-8859-1"', "windows-1252", "utf-16"])
def test_a_declared_charset_becomes_utf8_and_gets_no_etag(anna: Client, charset: str) -> None:
    octets = event("one", "SUMMARY:Käse")
    codec = charset.strip('"')
    answer = anna.put(PATH, octets.decode().encode(codec), Content_Type=f"text/calendar; charset={charset}")
    assert (answer.status, "ETag" in answer.headers) == (201, False)
    assert anna.get(PATH).body == octets
    again = anna.put(PATH, octets.decode().encode(codec), Content_Type=f"text/calendar; charset={charset}", Prefer="return=representation")  # fmt: skip
    assert (again.status, again.body, again.etag) == (200, octets, anna.get(PATH).etag)


def test_a_charset_that_changes_nothing_leaves_the_etag(anna: Client) -> None:
    assert anna.put(PATH, event(), Content_Type="text/calendar; charset=iso-8859-1").etag
    assert anna.put(PATH, event("one", "SUMMARY:Käse"), Content_Type="text/calendar; charset=us-ascii").etag


def test_what_is_not_in_its_charset_is_refused(anna: Client) -> None:
    latin = event("one", "SUMMARY:Käse").decode().encode("latin-1")
    assert anna.put(PATH, latin, Content_Type="text/calendar; charset=klingon").status == 415
    for content_type in ("text/calendar", "text/calendar; charset=utf-8", "text/calendar; charset=gb18030"):
        answer = anna.put(PATH, latin[:-60] + b"\xff" + latin[-60:], Content_Type=content_type)
        assert (answer.status, b"<C:valid-calendar-data/>" in answer.body) == (403, True), content_type
    vcard = anna.put("/anna/contacts/a.vcf", b"\xff\xff", Content_Type="text/vcard; charset=gb18030")
    assert b"<CR:valid-address-data/>" in vcard.body


def test_an_object_is_not_overwritten_by_another_uid(anna: Client) -> None:
    etag = anna.put(PATH, event("one")).etag
    answer = anna.put(PATH, event("two"))
    assert answer.status == 409
    assert f"<C:no-uid-conflict><D:href>{PATH}</D:href></C:no-uid-conflict>" in answer.text
    assert anna.get(PATH).etag == etag
    anna.put("/anna/contacts/a.vcf", card("one"))
    answer = anna.put("/anna/contacts/a.vcf", card("two"))
    assert (answer.status, b"<CR:no-uid-conflict>" in answer.body) == (409, True)


def test_a_card_may_get_its_uid_later(anna: Client) -> None:
    anna.put("/anna/contacts/a.vcf", card("x").replace(b"UID:x\r\n", b""))
    assert anna.put("/anna/contacts/a.vcf", card("x")).status == 204


def test_a_calendar_stands_in_a_home_or_a_plain_collection(anna: Client) -> None:
    assert anna.put("/anna/inbox/", event()).status == 403
    assert b"calendar-collection-location-ok" in anna.put("/anna/inbox/", event()).body


def test_apple_sends_an_empty_schedule_tag(anna: Client) -> None:
    """clients.md 12."""
    assert anna.put(PATH, event(), If_Schedule_Tag_Match="").status == 201
    assert anna.put(PATH, event("one", "SUMMARY:2"), If_Schedule_Tag_Match="").status == 204
    assert anna.put(PATH, event("one", "SUMMARY:3"), If_Schedule_Tag_Match='"x"').status == 412
    assert anna.put("/anna/calendar/b.ics", event("b"), If_Schedule_Tag_Match='"x"').status == 412
    assert anna.delete(PATH, If_Schedule_Tag_Match='"x"').status == 412
    assert anna.get(PATH).body == event("one", "SUMMARY:2")
    assert anna.delete(PATH, If_Schedule_Tag_Match="").status == 204


def test_a_412_brings_what_stands_there(anna: Client) -> None:
    """RFC 8144 §3.2."""
    etag = anna.put(PATH, event()).etag
    answer = anna.put(PATH, event("one", "SUMMARY:2"), If_Match='"x"', Prefer="return=representation")
    assert (answer.status, answer.etag, answer.body) == (412, etag, event())
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert answer.headers["Content-Location"] == PATH
    assert anna.put(PATH, event("one", "SUMMARY:2"), If_None_Match="*").body != event()
    assert anna.get(PATH).etag == etag


def test_return_minimal(anna: Client) -> None:
    answer = anna.put(PATH, event(), Prefer="return=minimal")
    assert (answer.status, answer.body, answer.headers["Preference-Applied"]) == (201, b"", "return=minimal")


def test_the_sync_token_as_a_condition(anna: Client) -> None:
    """RFC 6578 §5."""
    token = anna.props("/anna/calendar/", "{DAV:}sync-token").value("/anna/calendar/", "{DAV:}sync-token")
    condition = f"</anna/calendar/> (<{token}>)"
    assert anna.put(PATH, event(), If=condition).status == 201
    assert anna.put("/anna/calendar/b.ics", event("b"), If=condition).status == 412


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "If-Schedule-Tag-Match"])
def test_a_412_does_not_repeat_a_long_header(anna: Client, name: str) -> None:
    etag = anna.put(PATH, event()).headers["ETag"]
    tags = ", ".join([*(f'"{number}"' for number in range(5000)), *([etag] if name == "If-None-Match" else [])])
    answer = anna.request("PUT", PATH, event("one", "SUMMARY:2"), **{name.replace("-", "_"): tags})
    assert answer.status == 412
    assert len(answer.body) < 1000
