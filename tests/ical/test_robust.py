"""Whatever a client wrote: what reads a stored object answers or says BudgetExceeded, and soon."""

from __future__ import annotations

import contextlib
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.ical import freebusy, ranges, recur, subset
from calsync.ical.instants import MAX_INSTANT, MIN_INSTANT
from calsync.ical.lines import Component, scan
from calsync.ical.recur import Budget, BudgetExceeded

ZONE = ZoneInfo("Pacific/Auckland")
SMALL = Budget(instances=300, steps=10_000, seconds=1)

NAMES = st.sampled_from(
    [
        *("DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"),
        *("TRIGGER", "REPEAT", "COMPLETED", "CREATED", "FREEBUSY", "SEQUENCE"),
    ]
)
PARAMS = st.sampled_from(
    ["", "", ";TZID=Europe/Berlin", ";TZID=X", ";TZID=nowhere", ";VALUE=DATE", ";RANGE=THISANDFUTURE", ";RELATED=END"]
)
TIMES = st.sampled_from(
    [
        *("20250101", "20250101T090000", "20250101T090000Z", "20250330T023000", "20250231", "x"),
        *("00010101", "00010101T000000", "99991231T235959Z", "99991231"),
    ]
)
DURATIONS = st.sampled_from(["PT1H", "P1D", "-P1D", "P999999999D", "PT0S", "P1W", "PT", "P"])
RULES = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=SECONDLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=WEEKLY;WKST=SU;BYDAY=SU;INTERVAL=999999999",
        "FREQ=MONTHLY;BYDAY=5MO,-5FR;BYSETPOS=-1,1",
        "FREQ=DAILY;UNTIL=99991231T235959Z",
        "FREQ=YEARLY;BYWEEKNO=1,53,-53",
        "RSCALE=GREGORIAN;SKIP=FORWARD;FREQ=YEARLY",
        "FREQ=HOURLY;BYMINUTE=0,30;BYSETPOS=2;COUNT=3",
        "x",
    ]
)
PERIODS = st.builds("{}/{}".format, TIMES, TIMES | DURATIONS)
VALUES = st.one_of(TIMES, DURATIONS, RULES, PERIODS, st.builds("{},{}".format, TIMES, TIMES))
LINES = st.one_of(
    st.builds("{}{}:{}".format, NAMES, PARAMS, VALUES),
    st.builds("DTSTART{}:{}".format, PARAMS, TIMES),
    st.builds("RRULE:{}".format, RULES),
)
KINDS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")


@st.composite
def calendars(draw: st.DrawFn) -> Component:
    lines = ["BEGIN:VCALENDAR", "BEGIN:VTIMEZONE", "TZID:X", "BEGIN:STANDARD", *draw(st.lists(LINES, max_size=2))]
    lines += ["TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "END:STANDARD", "END:VTIMEZONE"]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(KINDS))
        lines += [f"BEGIN:{kind}", "UID:one", *draw(st.lists(LINES, max_size=6))]
        lines += ["BEGIN:VALARM", *draw(st.lists(LINES, max_size=3)), "END:VALARM", f"END:{kind}"]
    return scan("\r\n".join([*lines, "END:VCALENDAR", ""]).encode()).components[0]


@settings(max_examples=100, deadline=None)
@given(calendars(), st.sampled_from([(None, None), (1735700000, 1740000000), (None, 0), (1735700000, None)]))
def test_nothing_else_is_raised(calendar: Component, span: tuple[int | None, int | None]) -> None:
    low = MIN_INSTANT if span[0] is None else span[0]
    high = MAX_INSTANT if span[1] is None else span[1]
    recur.first_last(calendar, budget=SMALL)
    recur.notes(calendar)
    scan(subset.limit_recurrence_set(calendar, low, high, ZONE))
    scan(subset.limit_freebusy_set(calendar, low, high, ZONE))
    with contextlib.suppress(BudgetExceeded):
        recur.occurrences(calendar, low, high, floating_zone=ZONE, budget=SMALL)
    with contextlib.suppress(BudgetExceeded):
        scan(subset.expand(calendar, low, high, ZONE, SMALL))
    with contextlib.suppress(BudgetExceeded):
        freebusy.merge(freebusy.busy_periods(calendar, low, high, ZONE, SMALL))
    for kind in (*KINDS, "VALARM", "VTIMEZONE"):
        with contextlib.suppress(BudgetExceeded):
            list(ranges.overlapping_components(calendar, kind, *span, floating_zone=ZONE, budget=SMALL))
    for component in calendar.walk():
        for line in component.lines:
            ranges.property_overlaps(line, calendar, *span, floating_zone=ZONE)


def large(*lines: str) -> Component:
    event = ("BEGIN:VEVENT", "UID:one", "DTSTART:20250101T000000Z", *lines, "END:VEVENT")
    return scan("\r\n".join(["BEGIN:VCALENDAR", *event, "END:VCALENDAR", ""]).encode()).components[0]


@pytest.mark.parametrize(
    "calendar",
    [
        large("RDATE:" + ",".join(["20250102T000000Z"] * 30_000)),
        large("RRULE:FREQ=DAILY", "X-LARGE:" + "x" * 200_000),
    ],
)
def test_large_objects_are_bounded(calendar: Component) -> None:
    with pytest.raises(BudgetExceeded):
        subset.expand(calendar, 0, 2_000_000_000)
    assert recur.first_last(calendar)[1] == MAX_INSTANT


def test_many_rules_are_not_all_followed() -> None:
    calendar = large(*[f"RRULE:FREQ=DAILY;COUNT={count}" for count in range(1, 1000)])
    assert len(recur.occurrences(calendar, 0, 2_000_000_000)) == 16
    assert len(recur.notes(calendar)) == 1
