from __future__ import annotations

from calsync.ical.facts import address_object
from calsync.transfer.repair import repaired, with_uids

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
