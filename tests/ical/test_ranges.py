"""What a time range matches: the tables of RFC 4791 §9.9."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.ical import ranges, zones
from calsync.ical.extent import extent
from calsync.ical.instants import format_utc
from calsync.ical.lines import Component, scan
from calsync.ical.recur import Budget, BudgetExceeded

BERLIN = ZoneInfo("Europe/Berlin")


def calendar(kind: str, *lines: str) -> Component:
    body = "\r\n".join(["BEGIN:VCALENDAR", f"BEGIN:{kind}", "UID:one", *lines, f"END:{kind}", "END:VCALENDAR", ""])
    return scan(body.encode()).components[0]


def at(hours: int | None) -> int | None:
    """Hours from noon of 2025-07-01 UTC as an instant."""
    return None if hours is None else int(datetime(2025, 7, 1, 12, tzinfo=UTC).timestamp()) + 3600 * hours


def matches(component: Component, name: str, low: int | None, high: int | None) -> bool:
    return ranges.component_overlaps(component, name, at(low), at(high))


NOON, ONE, TWO = "20250701T120000Z", "20250701T130000Z", "20250701T140000Z"

# Hours from noon; each row: (component, lines, [ranges that match], [ranges that do not])
ROWS = [
    ("VEVENT", [f"DTSTART:{NOON}", f"DTEND:{TWO}"], [(-1, 1), (1, 3), (0, 2), (None, 1)], [(-1, 0), (2, 3), (None, 0)]),
    ("VEVENT", [f"DTSTART:{NOON}", "DURATION:PT2H"], [(-1, 1), (1, None)], [(-1, 0), (2, 3)]),
    ("VEVENT", [f"DTSTART:{NOON}", "DURATION:PT0S"], [(0, 1), (-1, 1)], [(-1, 0), (1, 2)]),
    ("VEVENT", [f"DTSTART:{NOON}"], [(0, 1), (-1, 1)], [(-1, 0), (1, 2)]),
    ("VEVENT", ["DTSTART;VALUE=DATE:20250701"], [(11, 12), (-13, -11)], [(12, 13), (-13, -12)]),
    ("VTODO", [f"DTSTART:{NOON}", "DURATION:PT2H"], [(2, 3), (-1, 1), (1, 1)], [(-1, 0), (3, 4)]),
    ("VTODO", [f"DTSTART:{NOON}", f"DUE:{TWO}"], [(-1, 1), (1, 3), (0, 1)], [(-1, 0), (2, 3)]),
    ("VTODO", [f"DTSTART:{NOON}"], [(0, 1)], [(-1, 0), (1, 2)]),
    ("VTODO", [f"DUE:{NOON}"], [(-1, 0), (-1, 1)], [(0, 1), (-2, -1)]),
    ("VTODO", [f"COMPLETED:{TWO}", f"CREATED:{NOON}"], [(0, 1), (2, 3), (-1, 0), (1, 1)], [(3, 4), (-2, -1)]),
    ("VTODO", [f"COMPLETED:{NOON}"], [(0, 1), (-1, 0)], [(1, 2), (-2, -1)]),
    ("VTODO", [f"CREATED:{NOON}"], [(-1, 1), (100, 101)], [(-1, 0)]),
    ("VTODO", [], [(-1, 1), (None, -900), (900, None)], []),
    ("VJOURNAL", [], [], [(-1, 1), (None, 900)]),
    ("VJOURNAL", [f"DTSTART:{NOON}"], [(0, 1)], [(-1, 0), (1, 2)]),
    ("VJOURNAL", ["DTSTART;VALUE=DATE:20250701"], [(11, 12)], [(12, 13)]),
    ("VFREEBUSY", [f"DTSTART:{NOON}", f"DTEND:{TWO}"], [(2, 3), (-1, 1)], [(-1, 0), (3, 4)]),
    ("VFREEBUSY", [f"FREEBUSY:{NOON}/PT1H,{TWO}/PT1H"], [(0, 1), (2, 3)], [(1, 2), (3, 4), (-1, 0)]),
    ("VFREEBUSY", [], [], [(-900, 900)]),
    ("VAVAILABILITY", [f"DTSTART:{NOON}"], [(0, 1), (900, 901)], [(-1, 0)]),
    ("VTIMEZONE", [f"DTSTART:{NOON}"], [], [(0, 1)]),
]


@pytest.mark.parametrize(("kind", "lines", "within", "without"), ROWS)
def test_table(kind: str, lines: list[str], within: list[tuple[int, int]], without: list[tuple[int, int]]) -> None:
    component = calendar(kind, *lines)
    assert [span for span in within if not matches(component, kind, *span)] == []
    assert [span for span in without if matches(component, kind, *span)] == []
    assert not matches(component, "VPOLL", 0, 1)


TIMES = st.integers(0, 6).map(lambda hours: format_utc((at(0) or 0) + hours * 3600))


@given(
    st.sampled_from(["VEVENT", "VTODO", "VJOURNAL"]),
    TIMES,
    st.one_of(st.none(), TIMES, st.sampled_from(["PT0S", "PT1H", "P1D"])),
    st.integers(-1, 7),
    st.integers(0, 7),
)
def test_the_index_has_the_same_idea(kind: str, start: str, end: str | None, low: int, hours: int) -> None:
    name = "DURATION" if end and end.startswith("P") else "DUE" if kind == "VTODO" else "DTEND"
    if name != "DURATION" and end is not None and end < start:
        end = start
    component = calendar(kind, f"DTSTART:{start}", *([f"{name}:{end}"] if end else []))
    first, last, _ = extent(component.components[0], zones.resolver(component))
    begin, high = at(low) or 0, at(low + hours) or 0
    # An end before the start of the range is refused before anybody looks.
    if hours:
        assert matches(component, kind, low, low + hours) == (first < high and last > begin)


def test_a_rule_without_end_answers_open_ranges() -> None:
    event = calendar("VEVENT", f"DTSTART:{NOON}", "RRULE:FREQ=DAILY", "BEGIN:VALARM", "TRIGGER:-PT1H", "END:VALARM")
    assert matches(event, "VEVENT", 0, None)
    assert matches(event, "VEVENT", 10**6, None)
    assert not matches(event, "VEVENT", None, 0)
    assert ranges.alarm_overlaps(event, "VEVENT", at(10**6), None)


def test_components_are_told_apart() -> None:
    text = calendar("VEVENT", f"DTSTART:{NOON}", "RRULE:FREQ=DAILY").octets.decode()
    moved = f"BEGIN:VEVENT\r\nUID:one\r\nRECURRENCE-ID:20250702T120000Z\r\nDTSTART:{ONE}\r\nEND:VEVENT\r\n"
    both = scan(text.replace("END:VCALENDAR", moved + "END:VCALENDAR").encode()).components[0]
    master, override = both.components
    found = ranges.overlapping_components
    assert list(found(both, "VEVENT", at(0), at(1))) == [master]
    assert list(found(both, "VEVENT", at(1), at(2))) == [override]
    assert list(found(both, "VEVENT", at(24), at(25))) == []
    assert list(found(both, "VEVENT", at(0), None)) == [override, master]


def test_floating_times_are_read_in_the_zone_of_whoever_asks() -> None:
    event = calendar("VEVENT", "DTSTART:20250701T140000")
    assert ranges.component_overlaps(event, "VEVENT", at(0), at(1), floating_zone=BERLIN)
    assert not ranges.component_overlaps(event, "VEVENT", at(2), at(3), floating_zone=BERLIN)


ALARMS = [
    (["TRIGGER:-PT1H"], [(-1, 0)], [(-2, -1), (0, 1)]),
    (["TRIGGER;RELATED=END:PT1H"], [(3, 4)], [(2, 3)]),
    (["TRIGGER;VALUE=DATE-TIME:20250701T000000Z"], [(-12, -11)], [(0, 1)]),
    (["TRIGGER:-PT1H", "REPEAT:2", "DURATION:PT2H"], [(-1, 0), (1, 2), (3, 4)], [(0, 1), (2, 3), (5, 6)]),
    (["TRIGGER:P40D", "REPEAT:999999999", "DURATION:PT1S"], [(40 * 24, 40 * 24 + 1), (900, 1000)], [(0, 40 * 24)]),
    (["TRIGGER:-P1DT1H"], [(-25, -24)], [(-24, 0)]),
    (["TRIGGER:soon"], [], [(-900, 900)]),
    ([], [], [(-900, 900)]),
]


@pytest.mark.parametrize(("lines", "within", "without"), ALARMS)
def test_alarms(lines: list[str], within: list[tuple[int, int]], without: list[tuple[int, int]]) -> None:
    event = calendar("VEVENT", f"DTSTART:{NOON}", f"DTEND:{TWO}", "BEGIN:VALARM", *lines, "END:VALARM")
    assert [span for span in within if not matches(event, "VALARM", *span)] == []
    assert [span for span in without if matches(event, "VALARM", *span)] == []
    assert not ranges.alarm_overlaps(event, "VTODO", at(-900), at(900))


def test_an_alarm_goes_off_for_every_instance() -> None:
    event = calendar("VEVENT", f"DTSTART:{NOON}", "RRULE:FREQ=WEEKLY", "BEGIN:VALARM", "TRIGGER:-P1D", "END:VALARM")
    [(_, alarm)] = ranges.overlapping_alarms(event, "VEVENT", at(6 * 24), at(6 * 24 + 1))
    assert alarm is event.components[0].components[0]
    assert not ranges.alarm_overlaps(event, "VEVENT", at(7 * 24), at(7 * 24 + 1))


def test_a_task_by_its_due_has_alarms() -> None:
    task = calendar("VTODO", f"DUE:{NOON}", "BEGIN:VALARM", "TRIGGER;RELATED=END:-PT1H", "END:VALARM")
    assert ranges.alarm_overlaps(task, "VTODO", at(-1), at(0))


@pytest.mark.parametrize(
    ("line", "low", "high", "expected"),
    [
        (f"COMPLETED:{NOON}", 0, 1, True),
        (f"COMPLETED:{NOON}", -1, 0, False),
        ("DTSTART;VALUE=DATE:20250701", -12, -11, True),
        ("DTSTART;TZID=Europe/Berlin:20250701T140000", 0, 1, True),
        (f"EXDATE:20250101T000000Z,{NOON}", 0, None, True),
        (f"FREEBUSY:{NOON}/PT2H", 1, 2, True),
        ("SUMMARY:noon", None, None, False),
    ],
)
def test_property(line: str, low: int | None, high: int | None, expected: bool) -> None:
    component = calendar("VEVENT", line)
    found = component.components[0].lines[1]
    assert ranges.property_overlaps(found, component, at(low), at(high)) is expected


def test_a_rule_that_explodes_is_bounded() -> None:
    event = calendar("VEVENT", f"DTSTART:{NOON}", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")
    assert not ranges.component_overlaps(event, "VEVENT", at(24), at(48))
    with pytest.raises(BudgetExceeded):
        ranges.component_overlaps(event, "VEVENT", at(24), None, budget=Budget(steps=20_000))
