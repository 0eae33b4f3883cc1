from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.ical import recur
from calsync.ical.facts import MAX_INSTANT, MIN_INSTANT, Facts, address_object, calendar_object
from calsync.ical.instants import DAY, format_utc, parse_time
from calsync.ical.lines import scan
from calsync.ical.validate import Refused
from tests.odd_lines import ACCEPTED, BERLIN, REFUSED, Bad, Odd, calendar, card, event, todo


def instant(text: str) -> int:
    return parse_time(text).wall


WINDOW = (instant("20250101T000000Z"), instant("20260101T000000Z"))
START = instant("20250610T100000Z")
HOUR = 3600


def facts(octets: bytes, **options: int) -> Facts:
    return calendar_object(octets, window=WINDOW, **options).facts


@pytest.mark.parametrize("odd", ACCEPTED, ids=lambda odd: odd.name)
def test_odd_objects_have_facts_and_keep_their_octets(odd: Odd) -> None:
    taken = calendar_object(odd.octets, window=WINDOW) if odd.kind == "calendar" else address_object(odd.octets)
    assert taken.octets == odd.octets
    assert taken.etag == sha256(odd.octets).hexdigest()
    assert taken.facts.kind in {"VCALENDAR", "VCARD", "VLIST"}


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
def test_bad_objects_are_refused_with_their_precondition(bad: Bad) -> None:
    with pytest.raises(Refused) as caught:
        if bad.kind == "calendar":
            calendar_object(bad.octets, window=WINDOW)
        else:
            address_object(bad.octets)
    assert caught.value.condition == bad.condition


def test_the_facts_of_an_event() -> None:
    found = facts(
        calendar(
            *BERLIN,
            *("BEGIN:VEVENT", "UID:e1", "DTSTART;TZID=Europe/Berlin:20250610T120000", "DTEND:20250610T110000Z"),
            *("ORGANIZER;CN=A:mailto:a@example.org ", "END:VEVENT"),
        )
    )
    assert found == Facts(
        kind="VCALENDAR",
        component="VEVENT",
        uid="e1",
        first=START,
        last=START + HOUR,
        tzids=("Europe/Berlin",),
        organizer="mailto:a@example.org",
        busy="BUSY",
    )


def test_the_facts_of_a_card() -> None:
    found = address_object(card("c1", "EMAIL:A@B.org")).facts
    assert (found.kind, found.component, found.uid) == ("VCARD", "VCARD", "c1")
    assert (found.first, found.last, found.recurring) == (MIN_INSTANT, MAX_INSTANT, False)
    assert ("EMAIL", "a@b.org") in found.fields


def test_the_facts_of_a_list() -> None:
    lists = [odd for odd in ACCEPTED if b"BEGIN:VLIST" in odd.octets]
    found = address_object(lists[0].octets).facts
    assert (found.kind, found.component, found.uid, found.fields) == ("VLIST", "VLIST", "list", ())


@pytest.mark.parametrize(
    ("start", "lines", "length", "floating"),
    [
        ("DTSTART:20250610T100000Z", ("DURATION:PT1H",), HOUR, False),
        ("DTSTART:20250610T100000Z", (), 1, False),
        ("DTSTART:20250610T100000Z", ("DTEND:20250610T100000Z",), 1, False),
        ("DTSTART:20250610T100000Z", ("DTEND:20250610T090000Z",), 1, False),
        ("DTSTART:20250610T100000Z", ("DURATION:-PT1H",), 1, False),
        ("DTSTART:20250610T100000Z", ("DTEND:20250610T110000Z", "DURATION:PT0S"), HOUR, False),
        ("DTSTART:20250610T100000", ("DTEND:20250610T110000",), HOUR, True),
        ("DTSTART:20250610T100000", ("DTEND;TZID=Asia/Tokyo:20250610T110000",), HOUR, True),
    ],
)
def test_an_event_lasts_until_its_end(start: str, lines: tuple[str, ...], length: int, floating: bool) -> None:
    found = facts(event("x", *lines, start=start))
    assert (found.first, found.last, found.floating, found.recurring) == (START, START + length, floating, False)


@pytest.mark.parametrize(
    ("lines", "days"), [((), 1), (("DTEND;VALUE=DATE:20250613",), 3), (("DURATION:P2D",), 2), (("DTEND:20250610",), 0)]
)
def test_a_day_is_wall_time(lines: tuple[str, ...], days: int) -> None:
    found = facts(event("x", *lines, start="DTSTART;VALUE=DATE:20250610"))
    midnight = instant("20250610T000000Z")
    assert (found.first, found.last, found.floating) == (midnight, midnight + max(days * DAY, 1), True)


POINTS = [START + offset for offset in (-HOUR, -1, 0, 1, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR, 2 * HOUR + 1)]
RANGES = [(low, high) for low in POINTS for high in POINTS if low < high]


@pytest.mark.parametrize("has", [(a, b) for a in (0, 1) for b in ("", "DURATION", "DUE") if a or b != "DURATION"])
@pytest.mark.parametrize("length", [0, HOUR])
def test_tasks_with_dates_match_as_in_RFC_4791_9_9(has: tuple[int, str], length: int) -> None:
    start, end = START, START + length
    lines = ["DTSTART:20250610T100000Z"] if has[0] else []
    if has[1]:
        lines.append(f"DURATION:PT{length}S" if has[1] == "DURATION" else f"DUE:{format_utc(end)}")
    found = facts(todo("x", *lines))
    for low, high in RANGES:
        match has:
            case (1, "DURATION"):
                expected = low <= end and (high > start or high >= end)
            case (1, "DUE"):
                expected = (low < end or low <= start) and (high > start or high >= end)
            case (1, _):
                expected = low <= start < high
            case (_, "DUE"):
                expected = low < end <= high
            case _:
                expected = True
        assert (found.first < high and found.last > low) == expected, (low - START, high - START)


@pytest.mark.parametrize("created", [None, START])
@pytest.mark.parametrize("completed", [None, START, START + HOUR])
def test_tasks_without_dates_match_as_in_RFC_4791_9_9(created: int | None, completed: int | None) -> None:
    stamps = {"CREATED": created, "COMPLETED": completed}
    found = facts(todo("x", *(f"{name}:{format_utc(value)}" for name, value in stamps.items() if value is not None)))
    for low, high in RANGES:
        if created is not None and completed is not None:
            expected = (low <= created or low <= completed) and (high >= created or high >= completed)
        elif completed is not None:
            expected = low <= completed <= high
        else:
            expected = created is None or high > created
        assert (found.first < high and found.last > low) == expected, (low - START, high - START)


def test_journals_and_free_busy() -> None:
    journal = facts(calendar("BEGIN:VJOURNAL", "UID:j", "DTSTART;VALUE=DATE:20250610", "END:VJOURNAL"))
    assert journal.last - journal.first == DAY
    undated = facts(calendar("BEGIN:VJOURNAL", "UID:j", "END:VJOURNAL"))
    assert undated.first > undated.last  # RFC 4791 §9.9: never in a range
    periods = "FREEBUSY:20250610T100000Z/PT1H,20250610T140000Z/20250610T150000Z"
    busy = facts(calendar("BEGIN:VFREEBUSY", "UID:f", periods, "END:VFREEBUSY"))
    assert (busy.first, busy.last) == (START, START + 5 * HOUR)
    bounded = ("DTSTART:20250610T100000Z", "DTEND:20250610T110000Z", periods)
    assert facts(calendar("BEGIN:VFREEBUSY", "UID:f", *bounded, "END:VFREEBUSY")).last == START + HOUR + 1


def test_availability_without_end_is_open() -> None:
    found = facts(calendar("BEGIN:VAVAILABILITY", "UID:a", "DTSTART:20250610T100000Z", "END:VAVAILABILITY"))
    assert (found.component, found.first, found.last) == ("VAVAILABILITY", START, MAX_INSTANT)


def test_an_endless_series() -> None:
    found = facts(event("x", "RRULE:FREQ=WEEKLY", "DURATION:PT1H"))
    assert (found.first, found.last, found.recurring) == (START, MAX_INSTANT, True)
    assert found.occurrences is not None
    assert found.occurrences[:2] == ((START, START + HOUR), (START + 7 * DAY, START + 7 * DAY + HOUR))
    assert len(found.occurrences) == 30  # until the end of the window


def test_a_series_with_an_end() -> None:
    for rule in ("COUNT=3", "UNTIL=20250612T100000Z"):
        found = facts(event("x", f"RRULE:FREQ=DAILY;{rule}", "DURATION:PT1H", "EXDATE:20250611T100000Z"))
        assert found.first == START
        assert START + 2 * DAY + HOUR <= found.last < START + 3 * DAY
        assert found.occurrences == ((START, START + HOUR), (START + 2 * DAY, START + 2 * DAY + HOUR))


def test_dates_before_the_start_count() -> None:
    found = facts(event("x", "RDATE:20250609T100000Z,20250701T100000Z"))
    assert found.first == START - DAY
    assert found.occurrences is not None and len(found.occurrences) == 3


def test_overrides_without_a_master() -> None:
    lone = "BEGIN:VEVENT", "UID:x"
    one = (*lone, "RECURRENCE-ID:20250610T090000Z", "DTSTART:20250610T100000Z", "END:VEVENT")
    two = (*lone, "RECURRENCE-ID:20250710T090000Z", "DTSTART:20250710T100000Z", "DURATION:PT1H", "END:VEVENT")
    assert facts(calendar(*one)).recurring is False
    found = facts(calendar(*two, *one))
    assert found.recurring is True
    assert found.occurrences is None  # they may replace one another
    assert (found.first, found.last) == (START, START + 30 * DAY + HOUR)


def test_a_moved_instance_widens_the_bounds() -> None:
    octets = calendar(
        *("BEGIN:VEVENT", "UID:x", "DTSTART:20250610T100000Z", "RRULE:FREQ=DAILY;COUNT=2", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:x", "RECURRENCE-ID:20250611T100000Z", "DTSTART:20250501T100000Z", "END:VEVENT"),
    )
    found = facts(octets)
    assert found.first == instant("20250501T100000Z")
    assert found.occurrences == ((found.first, found.first + 1), (START, START + 1))


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=HOURLY", "RSCALE=HEBREW;FREQ=YEARLY", "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=1,2,3"]
)
def test_what_cannot_be_listed_is_always_a_candidate(rule: str) -> None:
    found = facts(event("x", f"RRULE:{rule}"), max_instances=500)
    assert (found.first, found.last, found.recurring, found.occurrences) == (START, MAX_INSTANT, True, None)


def test_a_task_that_recurs_without_dates_is_always_a_candidate() -> None:
    found = facts(todo("x", "RRULE:FREQ=DAILY"))
    assert (found.first, found.last, found.recurring, found.occurrences) == (MIN_INSTANT, MAX_INSTANT, True, None)


def test_a_floating_series_is_listed_a_little_beyond_the_window() -> None:
    found = facts(event("x", "RRULE:FREQ=DAILY", start="DTSTART:20251220T100000"))
    assert found.floating and found.occurrences is not None
    assert found.occurrences[-1][0] == WINDOW[1] + 10 * HOUR


def test_time_zones_are_named_once_and_without_blanks() -> None:
    octets = event(
        "x",
        "DTEND;TZID=Asia/Tokyo:20250610T200000",
        "RDATE;TZID=Europe/Berlin :20250611T100000",
        "SUMMARY:;TZID=Not/This:",
        start='DTSTART;TZID="Europe/Berlin ":20250610T100000',
    )
    assert facts(octets).tzids == ("Europe/Berlin", "Asia/Tokyo")


DATES = st.integers(0, 60 * DAY // HOUR).map(lambda hours: format_utc(START - 30 * DAY + hours * HOUR))
RULES = st.sampled_from(
    ["FREQ=DAILY;COUNT=9", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=DAILY;INTERVAL=3;UNTIL=20250701T000000Z", "FREQ=MONTHLY"]
)
LENGTHS = st.sampled_from([(), ("DURATION:PT3H",), ("DURATION:P2D",)])


@given(
    RULES,
    LENGTHS,
    st.lists(DATES, max_size=3),
    st.lists(DATES, max_size=3),
    st.sampled_from(["DTSTART:20250610T100000Z", "DTSTART;TZID=Europe/Berlin:20250610T120000"]),
)
def test_bounds_and_rows_hold_every_occurrence(
    rule: str, length: tuple[str, ...], dates: list[str], excluded: list[str], start: str
) -> None:
    lines = [f"RRULE:{rule}", *length, *(f"RDATE:{date}" for date in dates), *(f"EXDATE:{date}" for date in excluded)]
    octets = event("x", *lines, start=start)
    found = facts(octets)
    rows = found.occurrences
    assert rows is not None
    (component,) = scan(octets).components
    every = recur.occurrences(component, *WINDOW)
    assert [(one.start, max(one.end, one.start + 1)) for one in every] == list(rows)
    assert all(found.first <= first and last <= found.last for first, last in rows)
