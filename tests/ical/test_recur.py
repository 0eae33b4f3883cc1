"""Occurrences of a calendar object, with recurring-ical-events as the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.ical import recur
from calsync.ical.instants import MAX_INSTANT, format_utc
from calsync.ical.lines import Component, scan
from calsync.ical.recur import Budget, BudgetExceeded

BERLIN = ZoneInfo("Europe/Berlin")


def text(*components: Sequence[str], kind: str = "VEVENT") -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x"]
    for component in components:
        lines += [f"BEGIN:{kind}", "UID:one", "DTSTAMP:20250101T000000Z", *component, f"END:{kind}"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def calendar(*components: Sequence[str], kind: str = "VEVENT") -> Component:
    return scan(text(*components, kind=kind).encode()).components[0]


def at(value: str) -> int:
    return int(datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())


def starts(
    component: Component, low: str = "20250101T000000Z", high: str = "20260101T000000Z", zone: tzinfo = UTC
) -> list[str]:
    return [format_utc(one.start) for one in recur.occurrences(component, at(low), at(high), floating_zone=zone)]


# --- the oracle -------------------------------------------------------------------------------------------------------

KINDS = {"zone": ";TZID=Europe/Berlin", "utc": "", "floating": "", "day": ";VALUE=DATE"}
SUFFIXES = {"zone": "", "utc": "Z", "floating": "", "day": ""}
RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3;COUNT=40",
    "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,TH;COUNT=11",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYDAY=2TU",
    "FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=2",
    "FREQ=MONTHLY;BYMONTHDAY=-1,15",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=3,11;BYDAY=-1SU",
]


def value(kind: str, moment: datetime) -> str:
    return f"{moment:%Y%m%d}" if kind == "day" else f"{moment:%Y%m%dT%H%M%S}{SUFFIXES[kind]}"


@st.composite
def calendars(draw: st.DrawFn) -> tuple[str, str]:
    """(kind, text) of a recurring event in the daytime, with EXDATE, RDATE and overrides, some THISANDFUTURE."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    form = KINDS[kind]
    first = datetime(2024, 1, 1) + timedelta(days=draw(st.integers(0, 420)), minutes=15 * draw(st.integers(36, 64)))
    length = timedelta(days=draw(st.integers(1, 3))) if kind == "day" else timedelta(minutes=draw(st.integers(1, 180)))
    rule = draw(st.sampled_from(RULES))
    if "COUNT" not in rule and draw(st.booleans()):
        until = (first + timedelta(days=draw(st.integers(1, 500)))).replace(hour=12, minute=3)
        rule += f";UNTIL={value('day' if kind == 'day' else kind.replace('zone', 'utc'), until)}"
    master = [f"DTSTART{form}:{value(kind, first)}", f"DTEND{form}:{value(kind, first + length)}", f"RRULE:{rule}"]
    days = st.integers(1, 200).map(lambda number: first + timedelta(days=number))
    taken = draw(st.lists(days, max_size=3))
    master += [f"EXDATE{form}:{value(kind, one)}" for one in taken]
    if draw(st.booleans()):
        # Minutes, because the oracle takes 10:00 in Berlin for 09:00 in Berlin, as both are 9 on some clock.
        master.append(f"RDATE{form}:{value(kind, draw(days) + timedelta(minutes=7))}")
    found = [master]
    for named in draw(st.lists(days.filter(lambda one: one not in taken), max_size=2, unique=True)):
        ranged = draw(st.booleans()) and kind != "day"
        moved = named + timedelta(days=draw(st.integers(-2, 2)), hours=draw(st.integers(-1, 1)))
        found.append(
            [
                f"RECURRENCE-ID{form}{';RANGE=THISANDFUTURE' if ranged else ''}:{value(kind, named)}",
                f"DTSTART{form}:{value(kind, moved)}",
                f"DTEND{form}:{value(kind, moved + length)}",
            ]
        )
    return kind, text(*found)


def instant(moment: date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@settings(max_examples=150, deadline=None)
@given(calendars(), st.integers(0, 700), st.integers(1, 120))
def test_occurrences_are_as_the_oracle_has_them(made: tuple[str, str], after: int, days: int) -> None:
    kind, ics = made
    low = datetime(2024, 1, 1) + timedelta(days=after)
    high = low + timedelta(days=days)
    zoned = kind in {"zone", "utc"}
    span = (low.replace(tzinfo=UTC), high.replace(tzinfo=UTC)) if zoned else (low, high)
    expected = recurring_ical_events.of(icalendar.Calendar.from_ical(ics)).between(*span)
    found = recur.occurrences(scan(ics.encode()).components[0], instant(low), instant(high))
    assert sorted((one.start, one.end) for one in found) == sorted(
        (instant(one["DTSTART"].dt), instant(one["DTEND"].dt)) for one in expected
    )


# --- one by one -------------------------------------------------------------------------------------------------------


def test_wall_time_recurs_across_a_change_of_the_clock() -> None:
    found = starts(calendar(["DTSTART;TZID=Europe/Berlin:20250329T090000", "RRULE:FREQ=DAILY;COUNT=2"]))
    assert found == ["20250329T080000Z", "20250330T070000Z"]


def test_an_hour_that_never_comes_is_read_with_the_offset_before() -> None:
    """RFC 5545 §3.3.5."""
    found = starts(calendar(["DTSTART;TZID=Europe/Berlin:20250329T023000", "RRULE:FREQ=DAILY;COUNT=3"]))
    assert found == ["20250329T013000Z", "20250330T013000Z", "20250331T003000Z"]


def test_an_hour_that_comes_twice_is_the_first() -> None:
    found = starts(calendar(["DTSTART;TZID=Europe/Berlin:20251025T023000", "RRULE:FREQ=DAILY;COUNT=2"]))
    assert found == ["20251025T003000Z", "20251026T003000Z"]


def test_dtend_is_exact_and_duration_nominal() -> None:
    """RFC 5545 §3.8.5.3: the night of the change is shorter by an hour."""
    first, rule = "DTSTART;TZID=Europe/Berlin:20250328T220000", "RRULE:FREQ=DAILY;COUNT=2"
    for line, hours in (("DTEND;TZID=Europe/Berlin:20250329T220000", 24), ("DURATION:P1D", 23)):
        found = recur.occurrences(calendar([first, line, rule]), at("20250101T000000Z"), at("20260101T000000Z"))
        assert [one.end - one.start for one in found] == [24 * 3600, hours * 3600]


def test_all_day_and_floating_are_read_in_the_zone_of_whoever_asks() -> None:
    day = calendar(["DTSTART;VALUE=DATE:20250701", "RRULE:FREQ=DAILY;COUNT=1"])
    assert starts(day, zone=BERLIN) == ["20250630T220000Z"]
    assert starts(calendar(["DTSTART:20250701T090000"]), zone=BERLIN) == ["20250701T070000Z"]
    [one] = recur.occurrences(day, at("20250101T000000Z"), at("20260101T000000Z"), floating_zone=BERLIN)
    assert (one.all_day, one.floating, one.end - one.start) == (True, True, 86400)


def test_exdate_as_a_date_takes_the_instance_of_that_day() -> None:
    """clients.md 20, Evolution."""
    lines = ["DTSTART;TZID=Europe/Berlin:20250301T233000", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20250302"]
    assert starts(calendar(lines)) == ["20250301T223000Z", "20250303T223000Z"]


def test_exdate_and_recurrence_id_in_another_zone_mean_the_instant() -> None:
    master = ["DTSTART;TZID=Europe/Berlin:20250701T090000", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20250702T070000Z"]
    override = ["RECURRENCE-ID;TZID=America/New_York:20250703T030000", "DTSTART:20250710T000000Z"]
    assert starts(calendar(master, override)) == ["20250701T070000Z", "20250710T000000Z"]


def test_an_instance_that_somebody_else_stands_for() -> None:
    master = ["DTSTART:20250701T090000Z", "DTEND:20250701T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:A"]
    override = ["RECURRENCE-ID:20250702T090000Z", "DTSTART:20250705T090000Z", "SUMMARY:B", "RRULE:FREQ=DAILY"]
    found = recur.occurrences(calendar(master, override), at("20250101T000000Z"), at("20260101T000000Z"))
    assert [(one.component.text("SUMMARY"), format_utc(one.recurrence_id or 0)) for one in found] == [
        ("A", "20250701T090000Z"),
        ("A", "20250703T090000Z"),
        ("B", "20250702T090000Z"),  # its own rule says nothing: clients.md 33
    ]


def test_overrides_alone() -> None:
    """clients.md 32, Teams."""
    alone = calendar(
        ["RECURRENCE-ID:20250702T090000Z", "DTSTART:20250702T100000Z"],
        ["RECURRENCE-ID:20250709T090000Z", "DTSTART:20250709T100000Z"],
    )
    assert starts(alone) == ["20250702T100000Z", "20250709T100000Z"]
    assert recur.first_last(alone) == (at("20250702T100000Z"), at("20250709T100000Z") + 1, True, False)


def test_the_newest_of_two_overrides_wins() -> None:
    master = ["DTSTART:20250701T090000Z", "RRULE:FREQ=DAILY;COUNT=1"]
    old = ["RECURRENCE-ID:20250701T090000Z", "DTSTART:20250701T100000Z", "SEQUENCE:1"]
    new = ["RECURRENCE-ID:20250701T090000Z", "DTSTART:20250701T110000Z", "SEQUENCE:2"]
    assert starts(calendar(master, new, old)) == ["20250701T110000Z"]


def test_this_and_future_moves_what_follows() -> None:
    master = ["DTSTART;TZID=Europe/Berlin:20250701T090000", "RRULE:FREQ=WEEKLY;COUNT=4"]
    later = ["RECURRENCE-ID;TZID=Europe/Berlin;RANGE=THISANDFUTURE:20250715T090000", "DURATION:PT2H"]
    there = "DTSTART;TZID=America/New_York:20250716T100000"
    found = recur.occurrences(calendar(master, [*later, there]), at("20250101T000000Z"), at("20260101T000000Z"))
    assert [(format_utc(one.start), one.end - one.start) for one in found] == [
        ("20250701T070000Z", 0),
        ("20250708T070000Z", 0),
        ("20250716T140000Z", 7200),
        ("20250723T140000Z", 7200),
    ]


def test_rdate_with_periods() -> None:
    lines = [
        "DTSTART:20250701T090000Z",
        "DURATION:PT1H",
        "RDATE;VALUE=PERIOD:20250801T090000Z/PT3H,20250802T090000Z/20250802T093000Z",
    ]
    found = recur.occurrences(calendar(lines), at("20250101T000000Z"), at("20260101T000000Z"))
    assert [(format_utc(one.start), one.end - one.start) for one in found] == [
        ("20250701T090000Z", 3600),
        ("20250801T090000Z", 10800),
        ("20250802T090000Z", 1800),
    ]


def test_several_rules_and_an_exrule() -> None:
    lines = ["DTSTART:20250701T090000Z", "RRULE:FREQ=DAILY;COUNT=4", "RRULE:FREQ=WEEKLY;COUNT=2"]
    assert starts(calendar([*lines, "EXRULE:FREQ=DAILY;INTERVAL=2"])) == [
        "20250702T090000Z",
        "20250704T090000Z",
        "20250708T090000Z",
    ]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20250703T070000Z", "20250703T070000Z"),
        ("20250703T065959Z", "20250702T070000Z"),
        ("20250703", "20250703T070000Z"),  # of a DATE, that day too
        ("20250703T090000", "20250703T070000Z"),  # RFC 2445: on the event's own clock
    ],
)
def test_until(until: str, last: str) -> None:
    lines = ["DTSTART;TZID=Europe/Berlin:20250701T090000", f"RRULE:FREQ=DAILY;UNTIL={until}"]
    assert starts(calendar(lines))[-1] == last


def test_dtstart_is_an_instance_even_after_until() -> None:
    """RFC 5545 §3.8.5.3; the oracle leaves it out."""
    event = calendar(["DTSTART:20250701T090000Z", "RRULE:FREQ=DAILY;UNTIL=20250601T090000Z"])
    assert starts(event) == ["20250701T090000Z"]


def test_tasks_recur_by_start_or_due() -> None:
    due = calendar(["DUE:20250701T090000Z", "RRULE:FREQ=DAILY;COUNT=2"], kind="VTODO")
    assert starts(due) == ["20250701T090000Z", "20250702T090000Z"]
    both = calendar(
        ["DTSTART;VALUE=DATE:20250701", "DUE;VALUE=DATE:20250703", "RRULE:FREQ=WEEKLY;COUNT=2"], kind="VTODO"
    )
    assert starts(both, "20250702T000000Z", "20250702T000001Z") == ["20250701T000000Z"]


@pytest.mark.parametrize("rule", ["FREQ=NEVER", "FREQ=DAILY;INTERVAL=0", "FREQ=YEARLY;RSCALE=HEBREW"])
def test_a_rule_nobody_understands_leaves_the_event_where_it_is(rule: str) -> None:
    event = calendar(["DTSTART:20250701T090000Z", f"RRULE:{rule}"])
    assert starts(event) == ["20250701T090000Z"]
    assert len(recur.notes(event)) == 1


@pytest.mark.parametrize("rule", ["FREQ=SECONDLY", "FREQ=MINUTELY;INTERVAL=2", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31"])
def test_what_explodes_is_bounded(rule: str) -> None:
    event = calendar(["DTSTART:19700101T000000Z", f"RRULE:{rule}"])
    with pytest.raises(BudgetExceeded):
        recur.occurrences(event, at("20250101T000000Z"), MAX_INSTANT, budget=Budget(instances=1000, steps=20_000))


def test_a_year_nobody_lives_in() -> None:
    """At the ends of the calendar nothing breaks."""
    for first in ("00010101T000000Z", "99991231T235959Z", "00010101T000000"):
        event = calendar([f"DTSTART:{first}", "DURATION:P9999999D", "RRULE:FREQ=WEEKLY;WKST=SU;COUNT=3"])
        recur.occurrences(event, -(2**62), MAX_INSTANT, floating_zone=BERLIN)
        recur.first_last(event)


# --- first and last ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "first", "last"),
    [
        (["RRULE:FREQ=DAILY;COUNT=3"], "20250701T090000Z", "20250703T100000Z"),
        (["RRULE:FREQ=DAILY;UNTIL=20250703T120000Z"], "20250701T090000Z", "20250703T100000Z"),
        (["RRULE:FREQ=YEARLY;INTERVAL=4;UNTIL=20350101T000000Z"], "20250701T090000Z", "20330701T100000Z"),
        (["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;UNTIL=20350101T000000Z"], "20250701T090000Z", "20320229T100000Z"),
        (["RDATE:20250601T090000Z,20250901T090000Z"], "20250601T090000Z", "20250901T100000Z"),
        (["RRULE:FREQ=YEARLY"], "20250701T090000Z", None),
        (["RRULE:FREQ=SECONDLY;COUNT=999999999"], "20250701T090000Z", None),
        (["RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=2"], "20250701T090000Z", None),
    ],
)
def test_first_and_last(lines: list[str], first: str, last: str | None) -> None:
    event = calendar(["DTSTART:20250701T090000Z", "DTEND:20250701T100000Z", *lines])
    found = recur.first_last(event, budget=Budget(steps=20_000))
    assert found[0] == at(first)
    assert found[1] - (at(last) if last else MAX_INSTANT) in {0, 1}
    assert found[2:] == (True, False)


@settings(max_examples=100, deadline=None)
@given(calendars())
def test_nothing_happens_outside_of_first_and_last(made: tuple[str, str]) -> None:
    component = scan(made[1].encode()).components[0]
    first, last, recurring, floating = recur.first_last(component)
    assert recurring
    assert floating == (made[0] in {"floating", "day"})
    for one in recur.occurrences(component, at("20240101T000000Z"), at("20270101T000000Z")):
        assert first <= one.start
        assert one.end <= last
