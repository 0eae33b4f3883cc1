from __future__ import annotations

import pytest

from calsync.ical.facts import address_object, calendar_object
from calsync.ical.lines import scan
from calsync.ical.whole import Rejected, calendar_properties, join_calendar, join_cards, split_calendar, split_cards
from tests.generator import contacts, events, tasks, whole_calendar
from tests.odd_lines import ACCEPTED, BERLIN, calendar, card, event, text

WINDOW = (0, 2**31)
TOKYO = text("BEGIN:VTIMEZONE", "TZID:Asia/Tokyo", "END:VTIMEZONE")


def vevent(uid: str, *lines: str) -> bytes:
    return text("BEGIN:VEVENT", f"UID:{uid}", "DTSTART:20250610T100000Z", *lines, "END:VEVENT")


def good(parts: list[bytes | Rejected]) -> list[bytes]:
    assert not [part for part in parts if isinstance(part, Rejected)]
    return [part for part in parts if isinstance(part, bytes)]


def test_a_calendar_is_cut_by_UID_with_the_zones_it_uses() -> None:
    source = calendar(
        "METHOD:PUBLISH",
        "CALSCALE:GREGORIAN",
        "X-WR-CALNAME:Mine",
        *BERLIN,
        TOKYO.removesuffix(b"\r\n"),
        "BEGIN:VEVENT\r\nUID:a\r\nDTSTART;TZID=Europe/Berlin:20250610T100000\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT",
        "BEGIN:VEVENT\r\nUID:b\r\nDTSTART:20250610T100000Z\r\nSUMMARY:fol\r\n ded\r\nEND:VEVENT",
        "BEGIN:VEVENT\r\nUID:a\r\nRECURRENCE-ID;TZID=Europe/Berlin:20250611T100000\r\nDTSTART:20250611T100000Z\r\nEND:VEVENT",
    )
    first, second = good(split_calendar(source))
    header = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//odd//EN", "CALSCALE:GREGORIAN")
    assert second == text(
        *header,
        "BEGIN:VEVENT\r\nUID:b\r\nDTSTART:20250610T100000Z\r\nSUMMARY:fol\r\n ded\r\nEND:VEVENT",
        "END:VCALENDAR",
    )
    assert first.startswith(text(*header, *BERLIN, "BEGIN:VEVENT", "UID:a"))
    assert first.count(b"BEGIN:VEVENT") == 2 and b"Tokyo" not in first
    assert [calendar_object(part, window=WINDOW).facts.uid for part in (first, second)] == ["a", "b"]


def test_a_whole_made_up_calendar_comes_apart_and_together() -> None:
    resources = [*events(60), *tasks(10)]
    source = whole_calendar(resources)
    parts = good(split_calendar(source))
    assert [calendar_object(part, window=WINDOW).facts.uid for part in parts] == [one.uid for one in resources]
    assert not any(b"\r\n\r\n" in part for part in parts)
    joined = b"".join(join_calendar(parts, name="Büro", description="a, b"))
    zones = {component.text("TZID") for component in scan(source).components[0].components} - {None}
    assert joined.count(b"BEGIN:VTIMEZONE") == len(zones)
    assert calendar_properties(joined) == {"X-WR-CALNAME": "Büro", "X-WR-CALDESC": "a, b"}
    again = good(split_calendar(joined))
    assert [scan(part).components[0].components[-1].octets for part in again] == [
        scan(part).components[0].components[-1].octets for part in parts
    ]


@pytest.mark.parametrize("name", ["no VERSION", "bare line feeds", "a fold inside a UTF-8 letter", "VTIMEZONE twice"])
def test_lines_are_kept_as_they_are(name: str) -> None:
    octets = next((odd.octets for odd in ACCEPTED if odd.name == name), calendar(*BERLIN, *BERLIN, vevent("x")[:-2]))
    (part,) = good(split_calendar(octets))
    assert scan(part).components[0].components[-1].octets == scan(octets).components[0].components[-1].octets


def test_one_plain_object_comes_back_as_it_is() -> None:
    for octets in (event("x"), b"\xef\xbb\xbf" + event("y", end=b"\n")):
        assert split_calendar(octets) == [octets]


def test_a_header_that_lacks_something_is_completed() -> None:
    (part,) = good(split_calendar(text("BEGIN:VCALENDAR", "X-A:1", vevent("x")[:-2], "END:VCALENDAR")))
    assert scan(part).components[0].text("VERSION") == "2.0"
    assert scan(part).components[0].text("PRODID")
    assert b"X-A" not in part


def test_one_bad_component_costs_nobody_else() -> None:
    source = calendar(
        vevent("a")[:-2],
        "BEGIN:VEVENT\r\nDTSTART:20250610T100000Z\r\nEND:VEVENT",
        "BEGIN:VEVENT\r\nUID:b\r\nno colon\r\nEND:VEVENT",
        b"BEGIN:VEVENT\r\nUID:c\r\nSUMMARY:\xff\r\nEND:VEVENT",
        "BEGIN:VEVENT\r\nUID:d",
        vevent("e")[:-2],
        "END:VTODO",
        vevent("f")[:-2],
        "BEGIN:VEVENT\r\nUID:g",
    )
    parts = split_calendar(source)
    taken = [calendar_object(part, window=WINDOW).facts.uid for part in parts if isinstance(part, bytes)]
    assert taken == ["a", "e", "f"]
    rejected = [part for part in parts if isinstance(part, Rejected)]
    assert len(parts) == 8 and len(rejected) == 5
    assert "without UID" in " ".join(part.reason for part in rejected)
    assert all(part.octets in source and part.reason for part in rejected)


def test_a_text_that_breaks_off_gives_what_was_whole() -> None:
    source = whole_calendar(events(5))
    parts = split_calendar(source[: source.rindex(b"END:VEVENT")])
    assert len(parts) == 5 and [isinstance(part, Rejected) for part in parts] == [False] * 4 + [True]


@pytest.mark.parametrize("octets", [b"hello", b"\xff\xfe\x00", b"BEGIN:VEVENT\r\nUID:x\r\nEND:VEVENT\r\n"])
def test_what_is_no_calendar_is_rejected_whole(octets: bytes) -> None:
    (part,) = split_calendar(octets)
    assert isinstance(part, Rejected) and part.octets == octets


def test_nothing_gives_nothing() -> None:
    for octets in (b"", b"\r\n", b"\xef\xbb\xbf\n"):
        assert split_calendar(octets) == [] and split_cards(octets) == []
    assert split_calendar(calendar()) == []


def test_several_calendars_in_one_text() -> None:
    source = event("a") + b"\xef\xbb\xbf" + event("b", end=b"\n") + b"noise\r\n" + event("c", end=b"\r")
    parts = split_calendar(source)
    assert [calendar_object(part, window=WINDOW).facts.uid for part in parts if isinstance(part, bytes)] == [
        "a",
        "b",
        "c",
    ]
    assert [part.octets for part in parts if isinstance(part, Rejected)] == [b"noise\r\n"]


def test_a_UID_shared_by_an_event_and_a_task_makes_two_objects() -> None:
    todo = text("BEGIN:VTODO", "UID:x", "END:VTODO")
    assert len(good(split_calendar(calendar(vevent("x")[:-2], todo[:-2])))) == 2


def test_an_alarm_does_not_lend_its_UID() -> None:
    alarm = ("BEGIN:VALARM", "UID:alarm", "END:VALARM")
    (part,) = split_calendar(calendar("BEGIN:VEVENT", "DTSTART:20250610", *alarm, "END:VEVENT"))
    assert isinstance(part, Rejected) and "without UID" in part.reason


def test_cards_come_apart_and_together() -> None:
    cards = [one.octets for one in contacts(20)]
    source = b"".join(cards)
    assert split_cards(source) == cards
    assert b"".join(join_cards(cards)) == source
    assert b"".join(join_cards([card("a").removesuffix(b"\r\n"), b"\xef\xbb\xbf" + card("b")])) == card("a") + card("b")


def test_bad_cards_cost_nobody_else() -> None:
    source = (
        card("a") + b"BEGIN:VCARD\r\nUID:cut\r\n" + card("b") + b"noise\r\n" + card("c", b"NOTE:\xff") + b"BEGIN:VCARD"
    )
    parts = split_cards(source)
    assert [address_object(part).facts.uid for part in parts if isinstance(part, bytes)] == ["a", "b"]
    assert len([part for part in parts if isinstance(part, Rejected)]) == 4


def test_lists_and_cards_without_UID_are_kept() -> None:
    lists = text("BEGIN:VLIST", "UID:l", "CARD:x", "END:VLIST")
    nameless = card("x").replace(b"UID:x\r\n", b"")
    assert split_cards(b"\r\n" + lists + nameless) == [lists, nameless]


def test_what_a_calendar_says_of_itself() -> None:
    octets = calendar("X-WR-CALNAME:A\\, B", "X-APPLE-CALENDAR-COLOR:#FF0000", vevent("x")[:-2], "COLOR:red")
    assert calendar_properties(octets) == {"X-WR-CALNAME": "A, B", "X-APPLE-CALENDAR-COLOR": "#FF0000", "COLOR": "red"}
    assert calendar_properties(b"noise") == {}


def test_zones_are_written_once() -> None:
    berlin = text(*BERLIN)
    objects = [calendar(berlin[:-2], vevent(uid)[:-2]) for uid in "abc"]
    joined = b"".join(join_calendar(objects))
    assert joined.count(b"BEGIN:VTIMEZONE") == 1 and joined.count(b"BEGIN:VEVENT") == 3
    assert joined.index(b"VTIMEZONE") < joined.index(b"VEVENT")


def test_what_looks_like_a_zone_is_text() -> None:
    texts = ("SUMMARY:BEGIN:VTIMEZONE", "DESCRIPTION:x\r\n BEGIN:VTIMEZONE", "LOCATION:END:VTIMEZONE")
    objects = [calendar(*BERLIN, vevent(uid, *texts)[:-2]) for uid in "ab"]
    assert [vevent(uid, *texts) in b"".join(join_calendar(objects)) for uid in "ab"] == [True, True]


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_objects_of_any_spelling_are_joined(end: bytes) -> None:
    plain = event("a", end=end)
    joined = b"".join(join_calendar([plain, plain.replace(b"BEGIN:", b"begin:").replace(b":a", b":b")]))
    found = scan(joined).components[0]
    assert [component.text("UID") for component in found.components] == ["a", "b"]


def test_a_component_of_too_many_lines_costs_nobody_else_its_place() -> None:
    event = b"BEGIN:VEVENT\r\nUID:%d\r\nDTSTART:20260101T000000Z\r\n%sEND:VEVENT\r\n"
    text = (
        b"BEGIN:VCALENDAR\r\n"
        + event % (1, b"")
        + event % (2, b"A:\r\n" * 60_000)
        + event % (3, b"")
        + b"END:VCALENDAR\r\n"
    )
    first, third, refused = split_calendar(text)
    assert isinstance(first, bytes) and b"UID:1\r\n" in first
    assert isinstance(third, bytes) and b"UID:3\r\n" in third
    assert (
        isinstance(refused, Rejected)
        and "content lines" in refused.reason
        and refused.octets.startswith(b"BEGIN:VEVENT")
    )
