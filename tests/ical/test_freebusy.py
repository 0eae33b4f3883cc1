"""When somebody is busy: RFC 4791 §7.10, RFC 7953."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.ical import freebusy
from calsync.ical.freebusy import BUSY, TENTATIVE, UNAVAILABLE, BusyPeriod
from calsync.ical.lines import Component, scan

DAY = int(datetime(2025, 7, 1, tzinfo=UTC).timestamp())


def calendar(*lines: str) -> Component:
    return scan("\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode()).components[0]


def event(*lines: str) -> Component:
    return calendar("BEGIN:VEVENT", "UID:one", *lines, "END:VEVENT")


def busy(component: Component, days: int = 1) -> list[tuple[float, float, str]]:
    """Hours of 2025-07-01 UTC."""
    found = freebusy.busy_periods(component, DAY, DAY + days * 86400)
    return [((start - DAY) / 3600, (end - DAY) / 3600, kind) for start, end, kind in freebusy.merge(found)]


NINE = ("DTSTART:20250701T090000Z", "DTEND:20250701T100000Z")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (NINE, [(9, 10, BUSY)]),
        ((*NINE, "STATUS:TENTATIVE"), [(9, 10, TENTATIVE)]),
        ((*NINE, "STATUS:cancelled"), []),
        ((*NINE, "TRANSP:TRANSPARENT"), []),
        ((*NINE, "TRANSP:OPAQUE", "STATUS:CONFIRMED"), [(9, 10, BUSY)]),
        (("DTSTART:20250701T090000Z",), []),
        (("DTSTART;VALUE=DATE:20250630", "DTEND;VALUE=DATE:20250705"), [(0, 24, BUSY)]),
        (("DTSTART:20250601T230000Z", "DURATION:PT2H", "RRULE:FREQ=DAILY"), [(0, 1, BUSY), (23, 24, BUSY)]),
    ],
)
def test_events(lines: tuple[str, ...], expected: list[tuple[float, float, str]]) -> None:
    assert busy(event(*lines)) == expected


def test_an_override_speaks_for_itself() -> None:
    component = calendar(
        *("BEGIN:VEVENT", "UID:one", *NINE, "RRULE:FREQ=DAILY", "STATUS:TENTATIVE", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:one", "RECURRENCE-ID:20250701T090000Z", *NINE, "STATUS:CANCELLED", "END:VEVENT"),
    )
    assert busy(component, 2) == [(33, 34, TENTATIVE)]


def test_stored_free_busy_time() -> None:
    component = calendar(
        "BEGIN:VFREEBUSY",
        "FREEBUSY:20250701T080000Z/20250701T093000Z,20250701T090000Z/PT1H",
        "FREEBUSY;FBTYPE=FREE:20250701T110000Z/PT1H",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20250701T200000Z/P1D",
        "FREEBUSY;FBTYPE=X-LUNCH:20250701T120000Z/PT1H",
        "END:VFREEBUSY",
    )
    assert busy(component) == [(8, 10, BUSY), (12, 13, BUSY), (20, 24, UNAVAILABLE)]


OFFICE_HOURS = (
    *("BEGIN:VAVAILABILITY", "UID:hours", "DTSTART:20250101T000000Z", "PRIORITY:5"),
    *("BEGIN:AVAILABLE", "UID:a", "DTSTART:20250101T090000Z", "DTEND:20250101T170000Z", "RRULE:FREQ=DAILY"),
    *("END:AVAILABLE", "END:VAVAILABILITY"),
)


def test_availability() -> None:
    assert busy(calendar(*OFFICE_HOURS)) == [(0, 9, UNAVAILABLE), (17, 24, UNAVAILABLE)]
    assert busy(calendar(*[line.replace("20250101T000000Z", "20250701T200000Z") for line in OFFICE_HOURS])) == [
        (20, 24, UNAVAILABLE)
    ]


def test_the_higher_priority_decides() -> None:
    trip = (
        *("BEGIN:VAVAILABILITY", "UID:trip", "PRIORITY:1", "BUSYTYPE:BUSY"),
        *("DTSTART:20250701T120000Z", "DTEND:20250701T200000Z"),
        *("BEGIN:AVAILABLE", "UID:b", "DTSTART:20250701T180000Z", "DURATION:PT4H", "END:AVAILABLE"),
        "END:VAVAILABILITY",
    )
    expected = [(0, 9, UNAVAILABLE), (12, 18, BUSY), (20, 24, UNAVAILABLE)]
    assert busy(calendar(*OFFICE_HOURS, *trip)) == expected
    assert busy(calendar(*trip, *OFFICE_HOURS)) == expected


PERIODS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 10), st.sampled_from([BUSY, TENTATIVE, UNAVAILABLE])).map(
        lambda one: (one[0], one[0] + one[1], one[2])
    )
)


@given(PERIODS)
def test_merged_periods_tell_each_second_once(periods: list[BusyPeriod]) -> None:
    merged = freebusy.merge(periods)
    assert all(first[1] <= second[0] for first, second in pairwise(merged))
    for second in range(60):
        kinds = {kind for start, end, kind in periods if start <= second < end}
        strongest = next((kind for kind in (BUSY, UNAVAILABLE, TENTATIVE) if kind in kinds), None)
        assert [kind for start, end, kind in merged if start <= second < end] == ([strongest] if strongest else [])


def test_vfreebusy_text() -> None:
    periods = [(DAY + 7200 * n, DAY + 7200 * n + 3600, BUSY) for n in range(12)] + [(DAY, DAY + 60, TENTATIVE)]
    text = freebusy.vfreebusy(DAY, DAY + 86400, periods, stamp=DAY, uid="u", lines=["ORGANIZER:mailto:a@example.org"])
    assert max(map(len, text.split(b"\r\n"))) <= 75
    assert b"FREEBUSY;FBTYPE=BUSY-TENTATIVE:20250701T000000Z/20250701T000100Z\r\n" in text
    found: list[Any] = icalendar.Calendar.from_ical(text).walk("VFREEBUSY")
    [component] = found
    assert component["UID"] == "u"
    assert component["ORGANIZER"] == "mailto:a@example.org"
    assert component["DTEND"].dt == datetime(2025, 7, 2, tzinfo=UTC)
