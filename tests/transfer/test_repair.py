from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.ical.facts import address_object, calendar_object
from calsync.ical.lines import scan
from calsync.transfer.repair import completed, repaired, with_uids

CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zo\xc3\xab\r\nUID:1\r\nEND:VCARD\r\n"


def test_nothing_to_mend() -> None:
    assert repaired(CARD) is None


def test_control_characters_and_empty_lines_go() -> None:
    mended = repaired(CARD.replace(b"FN:", b"\r\nFN:\x0b"))
    assert mended == (CARD, "control characters taken out, empty lines taken out")


def test_windows_1252_becomes_utf_8() -> None:
    assert repaired(CARD.replace(b"\xc3\xab", b"\xeb")) == (CARD, "read as Windows-1252")


def test_utf_16_becomes_utf_8() -> None:
    assert repaired(CARD.decode().encode("utf-16")) == (CARD, "read as UTF-16")


def test_a_fold_inside_a_letter_is_utf_8() -> None:
    assert repaired(CARD.replace(b"\xc3\xab", b"\xc3\r\n \xab")) is None


def test_a_uid_is_the_same_for_the_same_card() -> None:
    bare = CARD.replace(b"UID:1\r\n", b"")
    once, twice = with_uids(bare), with_uids(bare)
    assert once == twice and address_object(once).facts.uid
    assert with_uids(bare.replace(b"FN", b"N")) != once


def test_twins_without_uid_get_two() -> None:
    bare = CARD.replace(b"UID:1\r\n", b"")
    uids = {line for line in with_uids(bare + bare).split(b"\r\n") if line.startswith(b"UID:")}
    assert len(uids) == 2


def test_the_uid_of_an_alarm_is_not_the_events() -> None:
    event = b"BEGIN:VEVENT\r\nBEGIN:VALARM\r\nUID:alarm\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    assert with_uids(event).startswith(b"BEGIN:VEVENT\r\nUID:")


# --- completing -------------------------------------------------------------------------------------------------------

STAMP = 1_767_225_600  # 2026-01-01
WHOLE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260301T100000Z\r\nSUMMARY:Zoë\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
).encode()
EVENT = WHOLE[WHOLE.index(b"BEGIN:VEVENT") : WHOLE.index(b"END:VCAL")]
BERLIN = b"DTSTART;TZID=Europe/Berlin:20260301T100000"


def test_what_is_whole_stays_as_it_is() -> None:
    assert completed(WHOLE, stamp=STAMP) == (WHOLE, [])
    assert completed(CARD, stamp=STAMP) == (CARD, [])


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (WHOLE.replace(b"UID:1\r\n", b""), ["given a UID"]),
        (WHOLE.replace(b"DTSTAMP:20260101T000000Z\r\n", b""), ["given a DTSTAMP"]),
        (WHOLE.replace(b"\r\n", b"\n"), ["line ends made CRLF"]),
        (WHOLE.replace(b"\r\n", b"\r"), ["line ends made CRLF"]),
        (WHOLE.replace(b"\r\n", b"\r\r\n"), ["line ends made CRLF"]),
        (WHOLE.decode().encode("latin-1"), ["read as Windows-1252"]),
        (WHOLE.decode().encode("utf-16"), ["read as UTF-16"]),
        (WHOLE.decode().encode("utf-16-le"), ["read as UTF-16"]),
        (WHOLE.decode().encode("utf-16-be"), ["read as UTF-16"]),
        (WHOLE.replace(b"Zo", b"Z\x0bo"), ["control characters taken out"]),
        (WHOLE.replace(b"VERSION:2.0\r\nPRODID:x\r\n", b""), ["given VERSION and PRODID"]),
        (EVENT, ["put into a VCALENDAR", "given VERSION and PRODID"]),
        (WHOLE.replace(b"DTSTART:20260301T100000Z", BERLIN), ["given the VTIMEZONE of Europe/Berlin"]),
        (CARD.replace(b"VERSION:3.0\r\n", b""), ["given VERSION"]),
        (WHOLE.replace(b"PRODID:x\r\n", b""), ["given PRODID"]),
        (CARD.replace(b"3.0", b"2.1"), ["rewritten from vCard 2.1"]),
    ],
)
def test_each_thing_that_is_missing_is_added_and_named(broken: bytes, what: list[str]) -> None:
    mended, done = completed(broken, stamp=STAMP)
    assert done == what
    assert completed(mended, stamp=STAMP) == (mended, []), "once is enough"
    if b"VCARD" in mended:
        assert address_object(mended).facts.uid == "1"
    else:
        found = calendar_object(mended, window=(0, 2**40))
        assert found.facts.uid
        assert b"\r\n" in mended and b"DTSTAMP:20260101T000000Z" in mended
        assert scan(mended).components[0].first("PRODID")


def test_a_dtstamp_is_when_it_was_changed_last() -> None:
    said = WHOLE.replace(b"DTSTAMP:20260101T000000Z", b"LAST-MODIFIED:20250505T050505Z")
    assert b"\r\nDTSTAMP:20250505T050505Z\r\n" in completed(said, stamp=STAMP)[0]


def test_an_end_before_its_start_is_not_guessed_at() -> None:
    wrong = WHOLE.replace(b"SUMMARY", b"DTEND:20260201T100000Z\r\nSUMMARY")
    assert completed(wrong, stamp=STAMP) == (wrong, [])


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_at_all_is_looked_at(octets: bytes) -> None:
    mended, done = completed(octets, stamp=STAMP)
    assert (mended == octets) == (not done)
