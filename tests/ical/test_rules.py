"""RFC 5545 §3.3.10: what a rule yields, with dateutil as the oracle."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.ical.budget import Budget, BudgetExceeded, Meter
from calsync.ical.rules import RuleError, Until, parse
from calsync.ical.walls import LAST_WALL, walls

NO_LIMIT = Budget(instances=10**9, steps=10**9, seconds=60)


def wall(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp())


def texts(found: list[int]) -> list[str]:
    return [datetime.fromtimestamp(one, UTC).strftime("%Y%m%dT%H%M%S") for one in found]


def follow(rule: str, first: str, low: str | None = None, high: str = "20990101T000000", most: int = 20) -> list[str]:
    found = walls(parse(rule), wall(first), wall(low or first), wall(high), Meter(NO_LIMIT))
    return texts(list(islice(found, most)))


def oracle(rule: str, first: str, low: str, high: str) -> list[str]:
    found = rrulestr(rule, dtstart=datetime.strptime(first, "%Y%m%dT%H%M%S")).xafter(
        datetime.strptime(low, "%Y%m%dT%H%M%S"), inc=True
    )
    kept = []
    for one in found:
        text = f"{one:%Y%m%dT%H%M%S}"
        if text >= high:
            break
        kept.append(text)
    return kept


WEEKDAYS = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])


def listed(values: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=most, unique=True).map(lambda found: ",".join(map(str, found)))


@st.composite
def rules_of_days(draw: st.DrawFn) -> str:
    """Rules whose intervals are days or more, as far as dateutil and the RFC agree on them."""
    frequency = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 5))}"]
    if draw(st.booleans()):
        parts.append(f"WKST={draw(WEEKDAYS)}")
    if draw(st.integers(0, 2)) == 0:
        parts.append(f"BYMONTH={draw(listed(st.integers(1, 12)))}")
    if frequency != "WEEKLY" and draw(st.integers(0, 2)) == 0:
        monthday = st.integers(1, 31) | st.integers(-31, -1)
        parts.append(f"BYMONTHDAY={draw(listed(monthday))}")
    if frequency == "YEARLY" and draw(st.integers(0, 4)) == 0:
        parts.append(f"BYYEARDAY={draw(listed(st.integers(1, 366) | st.integers(-366, -1)))}")
    if draw(st.booleans()):
        ranked = frequency in {"YEARLY", "MONTHLY"} and draw(st.booleans())
        which = st.sampled_from([-5, -2, -1, 1, 2, 3, 4, 5]) if ranked else st.just("")
        parts.append(f"BYDAY={draw(listed(st.builds('{}{}'.format, which, WEEKDAYS)))}")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"BYHOUR={draw(listed(st.integers(0, 23)))}")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"BYMINUTE={draw(listed(st.integers(0, 59), 2))}")
    # dateutil begins the first week at DTSTART, so that it counts positions there by what is left of it.
    if frequency != "WEEKLY" and draw(st.integers(0, 3)) == 0:
        parts.append(f"BYSETPOS={draw(listed(st.sampled_from([-3, -2, -1, 1, 2, 3, 7])))}")
    if draw(st.integers(0, 2)) == 0:
        parts.append(f"COUNT={draw(st.integers(1, 60))}")
    return ";".join(parts)


@st.composite
def rules_of_hours(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["HOURLY", "MINUTELY", "SECONDLY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.sampled_from([1, 2, 5, 7, 12, 90]))}"]
    if draw(st.booleans()):
        parts.append(f"BYDAY={draw(listed(WEEKDAYS))}")
    if draw(st.integers(0, 2)) == 0:
        parts.append(f"BYMONTHDAY={draw(listed(st.integers(1, 31)))}")
    if draw(st.integers(0, 2)) == 0:
        parts.append(f"BYHOUR={draw(listed(st.integers(0, 23)))}")
    if draw(st.integers(0, 2)) == 0:
        parts.append(f"BYMINUTE={draw(listed(st.integers(0, 59)))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 60))}")
    return ";".join(parts)


# Late, because dateutil looks until the year 9999 for a date that never comes.
STARTS = st.datetimes(datetime(9950, 1, 1), datetime(9984, 12, 31)).map(lambda one: f"{one:%Y%m%dT%H%M%S}")


@settings(max_examples=300, deadline=None)
@given(rules_of_days(), STARTS, st.integers(0, 4000), st.integers(0, 800))
def test_rules_of_days_are_as_dateutil_has_them(rule: str, first: str, after: int, days: int) -> None:
    low = texts([wall(first) + after * 86400])[0]
    high = texts([wall(low) + days * 86400])[0]
    assert follow(rule, first, low, high, most=10**6) == oracle(rule, first, low, high)


@settings(max_examples=60, deadline=None)
@given(rules_of_hours(), STARTS, st.integers(0, 100_000), st.integers(0, 8_000))
def test_rules_of_hours_are_as_dateutil_has_them(rule: str, first: str, after: int, seconds: int) -> None:
    low = texts([wall(first) + after])[0]
    high = texts([wall(low) + seconds])[0]
    try:
        expected = oracle(rule, first, low, high)
    except ValueError:  # dateutil looked into INTERVAL and found that BYHOUR or BYMINUTE never come
        expected = []
    assert follow(rule, first, low, high, most=10**6) == expected


@pytest.mark.parametrize(
    ("rule", "first", "expected"),
    [
        # RFC 5545 §3.8.5.3, the examples that dateutil would read otherwise or not at all
        ("FREQ=YEARLY;BYWEEKNO=20", "19970512T090000", ["19970512T090000", "19980511T090000", "19990517T090000"]),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", "20250108T090000", ["20250108T090000", "20250115T090000"]),
        ("FREQ=MONTHLY;BYDAY=SU,1TU", "20250101T080000", ["20250105T080000", "20250107T080000", "20250112T080000"]),
        ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "20200101T000000", ["20201228T000000", "20261228T000000"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-31", "20250101T000000", ["20250101T000000", "20250301T000000"]),
        # RFC 7529 §4.1
        ("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD", "20240229T000000", ["20240229T000000", "20250301T000000"]),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD", "20250131T000000", ["20250131T000000", "20250228T000000"]),
        # as written by clients
        ("freq=daily;count=-1;", "20250101T000000", ["20250101T000000", "20250102T000000"]),
        ("FREQ=DAILY;X-EASTER=1", "20250101T000000", ["20250101T000000", "20250102T000000"]),
    ],
)
def test_rule(rule: str, first: str, expected: list[str]) -> None:
    assert follow(rule, first, most=len(expected)) == expected


def test_an_old_rule_is_not_walked_through() -> None:
    meter = Meter(Budget(steps=1))
    found = walls(parse("FREQ=DAILY"), wall("19000101T090000"), wall("20260101T000000"), wall("20260103T000000"), meter)
    assert texts(list(found)) == ["20260101T090000", "20260102T090000"]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;COUNT=1000000000",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6;BYDAY=MO;COUNT=2",
        "FREQ=DAILY;BYHOUR={};BYMINUTE={};BYSECOND={}".format(
            *(",".join(map(str, range(size))) for size in (24, 60, 60))
        ),
    ],
)
def test_what_explodes_is_stopped(rule: str) -> None:
    meter = Meter(Budget(steps=20_000, seconds=10))
    with pytest.raises(BudgetExceeded):
        for _ in walls(parse(rule), wall("20250101T000000"), 0, LAST_WALL, meter):
            pass


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "INTERVAL=2",
        "FREQ=FORTNIGHTLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=DAILY;COUNT=99999999999999999999",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=DAILY;UNTIL=20250231",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=WEEKLY;WKST=1",
        "FREQ=YEARLY;RSCALE=CHINESE",
    ],
)
def test_what_cannot_be_followed_is_refused(rule: str) -> None:
    with pytest.raises(RuleError):
        parse(rule)


def test_until_is_kept_as_written() -> None:
    assert parse("FREQ=DAILY;UNTIL=19700102T000001Z").until == Until(86401, True, False)
    assert parse("FREQ=DAILY;UNTIL=19700102").until == Until(86400, False, True)
