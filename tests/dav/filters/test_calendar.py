"""The exact test of a calendar filter (RFC 4791 §9.7), and the examples of §7.8 that it has to answer."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from calsync.dav.filters.calendar import matches
from calsync.ical.budget import Budget
from calsync.ical.lines import Component, scan
from calsync.webdav.parse_filters import calendar_filter
from tests.dav.filters.elements import ABSENT, text
from tests.odd_lines import ACCEPTED, Odd, calendar, event, todo

C = "urn:ietf:params:xml:ns:caldav"
MARCH = '<time-range start="20260301T000000Z" end="20260401T000000Z"/>'


def read(octets: bytes) -> Component:
    return scan(octets).components[0]


def found(octets: bytes, inside: str, *, zone: tzinfo = UTC, budget: Budget | None = None) -> bool:
    text = f'<filter xmlns="{C}"><comp-filter name="VCALENDAR">{inside}</comp-filter></filter>'
    wanted = calendar_filter(etree.fromstring(text))
    return matches(read(octets), wanted, zone, budget or Budget())


def comp(name: str, inside: str = "") -> str:
    return f'<comp-filter name="{name}">{inside}</comp-filter>'


def prop(name: str, inside: str = "") -> str:
    return f'<prop-filter name="{name}">{inside}</prop-filter>'


ONE = event(
    "one",
    "SUMMARY:Team\\, weekly",
    "CATEGORIES:Work,Big Plans",
    "CATEGORIES:Home",
    "X-FOO;X-P=a,b:Bar",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:a@e.org",
    "ATTENDEE;PARTSTAT=ACCEPTED;CN=Bob:mailto:b@e.org",
    "BEGIN:VALARM",
    "TRIGGER:-PT15M",
    "ACTION:DISPLAY",
    "END:VALARM",
    start="DTSTART;TZID=Europe/Berlin:20260310T100000",
)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", True),
        (comp("VEVENT"), True),
        (comp("VTODO"), False),
        (comp("VTODO", ABSENT), True),
        (comp("VEVENT", ABSENT), False),
        (comp("VEVENT") + comp("VTODO", ABSENT), True),
        (comp("VEVENT") + comp("VTODO"), False),
        (prop("VERSION", text("2.0")), True),
        (prop("METHOD", ABSENT), True),
        (comp("VEVENT", prop("SUMMARY")), True),
        (comp("VEVENT", prop("LOCATION")), False),
        (comp("VEVENT", prop("LOCATION", ABSENT)), True),
        (comp("VEVENT", prop("SUMMARY", text("team, W"))), True),
        (comp("VEVENT", prop("SUMMARY", text("team, W", collation="i;octet"))), False),
        (comp("VEVENT", prop("SUMMARY", text("party"))), False),
        (comp("VEVENT", prop("SUMMARY", text("party", negate_condition="yes"))), True),
        (comp("VEVENT", prop("SUMMARY", text("team", negate_condition="yes"))), False),
        (comp("VEVENT", prop("LOCATION", text("team", negate_condition="yes"))), False),
        (comp("VEVENT", prop("CATEGORIES", text("big plans"))), True),
        (comp("VEVENT", prop("CATEGORIES", text("home"))), True),
        (comp("VEVENT", prop("CATEGORIES", text("plans", match_type="equals"))), False),
        (comp("VEVENT", prop("CATEGORIES", text("big plans", match_type="equals"))), True),
        (comp("VEVENT", prop("X-FOO", text("bar"))), True),
        (comp("VEVENT", prop("X-FOO", '<param-filter name="X-P">' + text("b") + "</param-filter>")), True),
        (comp("VEVENT", prop("DTSTART", '<param-filter name="TZID">' + text("berlin") + "</param-filter>")), True),
        (comp("VEVENT", prop("DTSTART", '<param-filter name="VALUE"><is-not-defined/></param-filter>')), True),
        (comp("VEVENT", prop("DTSTART", MARCH)), True),
        (comp("VEVENT", prop("DTSTAMP", MARCH)), False),
        (comp("VEVENT", comp("VALARM")), True),
        (comp("VEVENT", comp("VALARM", ABSENT)), False),
        (comp("VEVENT", comp("VALARM", prop("ACTION", text("display")))), True),
        (comp("VEVENT", MARCH), True),
        (comp("VEVENT", MARCH + prop("SUMMARY", text("party"))), False),
        (comp("VEVENT", comp("VALARM", '<time-range start="20260310T084500Z" end="20260310T084501Z"/>')), True),
        (comp("VEVENT", comp("VALARM", '<time-range start="20260310T090000Z" end="20260310T093000Z"/>')), False),
        # RFC 4791 §7.8.8: all conditions hold for one and the same property
        (
            comp(
                "VEVENT",
                prop(
                    "ATTENDEE",
                    text("a@e.org") + '<param-filter name="PARTSTAT">' + text("NEEDS-ACTION") + "</param-filter>",
                ),
            ),
            True,
        ),
        (
            comp(
                "VEVENT",
                prop(
                    "ATTENDEE",
                    text("b@e.org") + '<param-filter name="PARTSTAT">' + text("NEEDS-ACTION") + "</param-filter>",
                ),
            ),
            False,
        ),
    ],
)
def test_an_event(inside: str, expected: bool) -> None:
    assert found(ONE, inside) is expected


SERIES = calendar(
    "BEGIN:VEVENT",
    "UID:s",
    "DTSTART:20260101T100000Z",
    "DTEND:20260101T110000Z",
    "RRULE:FREQ=DAILY",
    "SUMMARY:daily",
    "BEGIN:VALARM",
    "TRIGGER:-PT1H",
    "END:VALARM",
    "END:VEVENT",
    "BEGIN:VEVENT",
    "UID:s",
    "RECURRENCE-ID:20260310T100000Z",
    "DTSTART:20260310T180000Z",
    "DTEND:20260310T190000Z",
    "SUMMARY:moved",
    "END:VEVENT",
)


@pytest.mark.parametrize(
    ("start", "end", "summary", "expected"),
    [
        ("20260310T100000Z", "20260310T110000Z", "", False),
        ("20260310T180000Z", "20260310T190000Z", "", True),
        ("20260310T180000Z", "20260310T190000Z", "moved", True),
        ("20260310T180000Z", "20260310T190000Z", "daily", False),
        ("20260311T100000Z", "20260311T110000Z", "daily", True),
        ("20260311T100000Z", "20260311T110000Z", "moved", False),
    ],
)
def test_the_component_that_is_in_the_range_has_to_match(start: str, end: str, summary: str, expected: bool) -> None:
    wanted = f'<time-range start="{start}" end="{end}"/>' + (prop("SUMMARY", text(summary)) if summary else "")
    assert found(SERIES, comp("VEVENT", wanted)) is expected


def test_an_alarm_of_a_series_goes_off_before_every_instance() -> None:
    def goes_off(start: str, end: str) -> bool:
        return found(SERIES, comp("VEVENT", comp("VALARM", f'<time-range start="{start}" end="{end}"/>')))

    assert goes_off("20270505T090000Z", "20270505T090001Z")
    assert not goes_off("20270505T093000Z", "20270505T100000Z")
    assert not goes_off("20260310T090000Z", "20260310T093000Z")  # moved, and the override has no alarm


def test_floating_times_are_read_in_the_zone_of_the_query() -> None:
    day = event("d", start="DTSTART;VALUE=DATE:20260310")
    evening = comp("VEVENT", '<time-range start="20260309T230000Z" end="20260310T000000Z"/>')
    assert not found(day, evening)
    assert found(day, evening, zone=ZoneInfo("Europe/Berlin"))


def test_a_task_without_dates_is_in_every_range() -> None:
    # RFC 4791 §9.9, the last row of VTODO's table
    assert found(todo("t", "SUMMARY:x"), comp("VTODO", MARCH))
    assert found(todo("t", "SUMMARY:x"), comp("VTODO", MARCH + prop("COMPLETED", ABSENT) + prop("STATUS", ABSENT)))


def test_a_rule_that_costs_too_much_is_found_by_its_bounds() -> None:
    costly = event("c", "RRULE:FREQ=SECONDLY;BYSETPOS=2", start="DTSTART:20260110T100000Z")
    small = Budget(instances=1, steps=1, seconds=0.0)
    assert found(costly, comp("VEVENT", MARCH), budget=small)
    before = '<time-range start="20250301T000000Z" end="20250401T000000Z"/>'
    assert not found(costly, comp("VEVENT", before), budget=small)
    assert not found(costly, comp("VEVENT", MARCH + prop("SUMMARY")), budget=small)


@pytest.mark.parametrize("odd", [one for one in ACCEPTED if one.kind == "calendar"], ids=lambda odd: odd.name)
def test_odd_objects_spoil_no_answer(odd: Odd) -> None:
    inner = next(one.name for one in read(odd.octets).components if one.name != "VTIMEZONE")
    assert found(odd.octets, comp(inner))
    if inner in ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"):
        assert found(odd.octets, comp(inner, MARCH)) in (True, False)
    if inner in ("VEVENT", "VTODO"):
        assert found(odd.octets, comp(inner, comp("VALARM", MARCH))) is False
    assert found(odd.octets, comp(inner, prop("UID", text("no such")))) is False


def test_a_filter_for_cards_finds_no_calendar() -> None:
    wanted = calendar_filter(etree.fromstring(f'<filter xmlns="{C}"><comp-filter name="VCALENDAR"/></filter>'))
    assert not matches(read(b"BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD\r\n"), wanted)
