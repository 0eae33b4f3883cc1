from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.ical.instants import (
    DAY,
    Duration,
    InvalidTime,
    Period,
    Time,
    format_date,
    format_utc,
    format_wall,
    parse_duration,
    parse_period,
    parse_time,
    read_time,
    read_times,
    to_instant,
    to_wall,
)
from calsync.ical.lines import Line, scan

BERLIN = ZoneInfo("Europe/Berlin")


def line(text: str) -> Line:
    return scan(f"BEGIN:A\n{text}\nEND:A\n".encode()).components[0].lines[0]


@given(st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)))
def test_times_of_all_years(moment: datetime) -> None:
    text = f"{moment.year:04}{moment:%m%dT%H%M%SZ}"
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution * 1_000_000)
    assert parse_time(text) == Time(seconds, False, UTC)
    assert parse_time(text[:-1]) == Time(seconds, False, None)
    assert parse_time(text[:8]) == Time(seconds // DAY * DAY, True, None)
    assert (format_utc(seconds), format_wall(seconds), format_date(seconds)) == (text, text[:-1], text[:8])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025",
        "20250230",
        "20250610T",
        "20250610T1000",
        "20250610T250000",
        "20250610T100000+01",
        "2025-06-10",
        "٢٠٢٥٠٦١٠",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(InvalidTime):
        parse_time(text)


def test_blanks_and_leap_seconds_are_known() -> None:
    assert parse_time(" 20161231T235960Z ") == parse_time("20161231T235959Z")


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("20250610T100000", "20250610T080000Z"),
        ("20250110T100000", "20250110T090000Z"),
        ("20250330T023000", "20250330T013000Z"),  # never comes: the offset before the gap (RFC 5545 §3.3.5)
        ("20251026T023000", "20251026T003000Z"),  # comes twice: the first
    ],
)
def test_wall_times_of_a_zone(wall: str, instant: str) -> None:
    assert format_utc(to_instant(parse_time(wall).wall, BERLIN)) == instant


@given(st.integers(-(2**35), 2**37))
def test_instants_come_back_from_the_wall_or_are_an_hour_that_comes_twice(instant: int) -> None:
    assert to_instant(to_wall(instant, BERLIN), BERLIN) in {instant, instant - 3600}


def test_times_past_the_calendar_are_numbers_still() -> None:
    end = Duration(400, 5).end(parse_time("99991231T235959"), BERLIN)
    assert end > parse_time("99991231T235959Z").wall
    assert format_utc(end) == "99991231T235959Z"
    assert format_utc(-(2**62)) == "00010101T000000Z"


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT15M", (0, 900)),
        ("-PT15M", (0, -900)),
        ("+P1DT1H1M1S", (1, 3661)),
        ("P2W", (14, 0)),
        ("P1W2D", (9, 0)),
        ("pt1h", (0, 3600)),
        ("PT0S", (0, 0)),
    ],
)
def test_durations(text: str, duration: tuple[int, int]) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1D", "PT1.5H", "P1H", "P-1D"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidTime):
        parse_duration(text)


def test_a_day_need_not_have_24_hours() -> None:
    start = Time(parse_time("20250329T120000").wall, False, BERLIN)
    assert Duration(1, 0).end(start) - start.instant() == 23 * 3600
    assert Duration(0, DAY).end(start) - start.instant() == DAY
    assert Duration(0, DAY).after(start).wall - start.wall == 25 * 3600


def test_periods() -> None:
    period = parse_period("20250610T100000/PT1H", BERLIN)
    assert [format_utc(instant) for instant in period.instants()] == ["20250610T080000Z", "20250610T090000Z"]
    backwards = parse_period("20250610T100000Z/20250610T090000Z")
    assert len(set(backwards.instants())) == 1
    with pytest.raises(InvalidTime):
        parse_period("20250610T100000Z")


@pytest.mark.parametrize(
    ("text", "wall", "all_day", "zone"),
    [
        ("DTSTART;TZID=X:20250610T100000", "20250610T100000", False, BERLIN),
        ("DTSTART;TZID=X:20250610T100000Z", "20250610T100000", False, UTC),
        ("DTSTART:20250610T100000", "20250610T100000", False, None),
        ("DTSTART;VALUE=DATE:20250610", "20250610", True, None),
        ("DTSTART;TZID=X:20250610", "20250610", True, None),
        ("DTSTART;VALUE=DATE:20250610T100000", "20250610", True, None),
        ("DTSTART;TZID=:20250610T100000", "20250610T100000", False, None),
    ],
)
def test_the_form_of_the_value_decides(text: str, wall: str, all_day: bool, zone: ZoneInfo | None) -> None:
    assert read_time(line(text), lambda _: BERLIN) == Time(parse_time(wall).wall, all_day, zone)


def test_lists_of_times() -> None:
    text = "RDATE;TZID=X;VALUE=PERIOD:20250610T100000,20250611T100000Z,,20250612,20250613T100000/PT1H"
    found = read_times(line(text), lambda _: BERLIN)
    assert [type(value) for value in found] == [Time, Time, Time, Period]
    assert [value.zone for value in found if isinstance(value, Time)] == [BERLIN, UTC, None]
    assert isinstance(found[3], Period) and found[3].start.zone is BERLIN
