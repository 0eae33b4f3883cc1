"""Partial retrieval and expansion: RFC 4791 §9.6, RFC 6352 §10.4."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.ical import subset
from calsync.ical.lines import Component, scan
from calsync.ical.recur import Budget, BudgetExceeded
from calsync.webdav.requests import CalendarData, ComponentSelection

TIMEZONE = (
    *("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "DTSTART:19701025T030000"),
    *("TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE"),
)
HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x")


def parse(*lines: str) -> Component:
    return scan("\r\n".join([*lines, ""]).encode()).components[0]


def calendar(*lines: str) -> Component:
    return parse(*HEAD, *lines, "END:VCALENDAR")


def at(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).timestamp())


def expanded(component: Component, low: str = "20250701", high: str = "20250801") -> list[str]:
    """The lines of the components that are left, without VCALENDAR's."""
    lines = subset.expand(component, at(low), at(high)).decode().split("\r\n")
    assert lines[:3] == [*HEAD]
    assert lines[-2:] == ["END:VCALENDAR", ""]
    return lines[3:-2]


# --- some of it -------------------------------------------------------------------------------------------------------

EVENT = calendar(
    *TIMEZONE,
    *(
        "BEGIN:VEVENT",
        "UID:one",
        "DTSTART;TZID=Europe/Berlin:20250701T090000",
        "SUMMARY;LANGUAGE=de:Ein langer",
        " Titel",
    ),
    *('X-ODD;A="b:c";D=e^\'f:1', "BEGIN:VALARM", "TRIGGER:-PT1H", "END:VALARM", "END:VEVENT"),
)


def selected(*comps: ComponentSelection, props: tuple[tuple[str, bool], ...] | None = ()) -> list[str]:
    selection = ComponentSelection("VCALENDAR", props, comps)
    return subset.select(EVENT, selection).decode().split("\r\n")


def test_properties_asked_for_are_verbatim() -> None:
    event = ComponentSelection("VEVENT", (("UID", False), ("SUMMARY", False)), ())
    assert selected(event) == [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:one", "SUMMARY;LANGUAGE=de:Ein langer", " Titel"),
        *("END:VEVENT", "END:VCALENDAR", ""),
    ]


def test_novalue_leaves_name_and_parameters() -> None:
    event = ComponentSelection("VEVENT", (("SUMMARY", True), ("X-ODD", True)), ())
    assert selected(event)[2:6] == ["BEGIN:VEVENT", "SUMMARY;LANGUAGE=de:", 'X-ODD;A="b:c";D=e^\'f:', "END:VEVENT"]


def test_all_properties_and_all_components() -> None:
    assert subset.select(EVENT, ComponentSelection("VCALENDAR")) == EVENT.octets
    everything = ComponentSelection("VEVENT", None, None)
    assert b"BEGIN:VALARM" in subset.select(EVENT, ComponentSelection("VCALENDAR", (), (everything,)))
    assert selected(ComponentSelection("VTODO", None, None)) == ["BEGIN:VCALENDAR", "VERSION:2.0", "END:VCALENDAR", ""]


def test_some_of_a_card() -> None:
    card = parse(
        "BEGIN:VCARD", "VERSION:3.0", "FN:A", "item1.EMAIL;TYPE=x:a@b", "item1.X-ABLabel:y", "N:;A;;;", "END:VCARD"
    )
    found = subset.card_subset(card, [("fn", False), ("EMAIL", False)])
    assert found == b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nitem1.EMAIL;TYPE=x:a@b\r\nEND:VCARD\r\n"
    assert subset.card_subset(card, [("ITEM1.EMAIL", True)]).split(b"\r\n")[2] == b"item1.EMAIL;TYPE=x:"


# --- expand -----------------------------------------------------------------------------------------------------------


def test_instances_are_in_utc_without_rule_and_zone() -> None:
    event = calendar(
        *TIMEZONE,
        *("BEGIN:VEVENT", "UID:one", "RRULE:FREQ=WEEKLY;COUNT=9", "DTSTART;TZID=Europe/Berlin;X-A=b:20250318T090000"),
        *(
            "EXDATE;TZID=Europe/Berlin:20250325T090000",
            "DTEND;TZID=Europe/Berlin:20250318T100000",
            "SUMMARY:ä",
            "END:VEVENT",
        ),
    )
    assert expanded(event, "20250318", "20250402") == [
        *("BEGIN:VEVENT", "UID:one", "SUMMARY:ä", "RECURRENCE-ID:20250318T080000Z", "DTSTART;X-A=b:20250318T080000Z"),
        *("DTEND:20250318T090000Z", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:one", "SUMMARY:ä", "RECURRENCE-ID:20250401T070000Z", "DTSTART;X-A=b:20250401T070000Z"),
        *("DTEND:20250401T080000Z", "END:VEVENT"),
    ]


def test_days_and_floating_times_stay_as_they_are() -> None:
    day = (
        "BEGIN:VEVENT",
        "DTSTART;VALUE=DATE:20250630",
        "DTEND;VALUE=DATE:20250702",
        "RRULE:FREQ=MONTHLY",
        "END:VEVENT",
    )
    assert expanded(calendar(*day), high="20250702") == [
        *("BEGIN:VEVENT", "RECURRENCE-ID;VALUE=DATE:20250630", "DTSTART;VALUE=DATE:20250630"),
        *("DTEND;VALUE=DATE:20250702", "END:VEVENT"),
    ]
    wall = ("BEGIN:VTODO", "DTSTART:20250630T090000", "DUE:20250701T090000", "RRULE:FREQ=MONTHLY", "END:VTODO")
    assert expanded(calendar(*wall), high="20250702") == [
        *("BEGIN:VTODO", "RECURRENCE-ID:20250630T090000", "DTSTART:20250630T090000", "DUE:20250701T090000", "END:VTODO")
    ]


def test_a_duration_that_is_a_day_on_the_calendar_is_told_as_an_end() -> None:
    lines = (
        "BEGIN:VEVENT",
        "DTSTART;TZID=Europe/Berlin:20250329T220000",
        "DURATION:{}",
        "RRULE:FREQ=DAILY;COUNT=1",
        "END:VEVENT",
    )
    day = expanded(calendar(*[line.format("P1D") for line in lines]), "20250301", "20250401")
    assert day[3:] == ["DTEND:20250330T200000Z", "END:VEVENT"]
    hours = expanded(calendar(*[line.format("PT24H") for line in lines]), "20250301", "20250401")
    assert hours[1] == "DURATION:PT24H"


def test_overrides_are_instances_too() -> None:
    event = calendar(
        *("BEGIN:VEVENT", "UID:one", "DTSTART:20250701T090000Z", "RRULE:FREQ=DAILY;COUNT=2", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:one", "RECURRENCE-ID;TZID=Europe/Berlin:20250702T110000"),
        *("DTSTART;TZID=Europe/Berlin:20250703T120000", "SUMMARY:b", "END:VEVENT"),
    )
    assert expanded(event)[4:] == [
        *("END:VEVENT", "BEGIN:VEVENT", "UID:one", "SUMMARY:b", "RECURRENCE-ID:20250702T090000Z"),
        *("DTSTART:20250703T100000Z", "END:VEVENT"),
    ]


def test_what_does_not_recur_is_whole_and_in_utc() -> None:
    todo = ("BEGIN:VTODO", "UID:one", "SUMMARY:s", "END:VTODO")
    assert expanded(calendar(*todo)) == [*todo]
    assert expanded(EVENT, "19700101", "19700102") == [
        *("BEGIN:VEVENT", "UID:one", "DTSTART:20250701T070000Z", "SUMMARY;LANGUAGE=de:Ein langer", " Titel"),
        *('X-ODD;A="b:c";D=e^\'f:1', "BEGIN:VALARM", "TRIGGER:-PT1H", "END:VALARM", "END:VEVENT"),
    ]


def test_every_time_with_a_zone_is_told_in_utc() -> None:
    event = calendar(
        *("BEGIN:VEVENT", "UID:one", "DTSTART;TZID=Europe/Berlin:20250701T090000", "RRULE:FREQ=DAILY;COUNT=1"),
        *(
            "X-SEEN;X-LONG=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;TZ",
            " ID=Europe/Berlin:20250701T100000",
        ),
        *("X-NOTE;TZID=Europe/Berlin:whenever", "END:VEVENT"),
    )
    found = expanded(event)
    assert "20250701T080000Z" in "".join(found).replace(" ", "")
    assert "X-NOTE;TZID=Europe/Berlin:whenever" in found


def test_rdate_periods_have_their_own_end() -> None:
    event = calendar(
        *(
            "BEGIN:VEVENT",
            "DTSTART:20250101T090000Z",
            "DURATION:PT1H",
            "RDATE;VALUE=PERIOD:20250701T090000Z/PT3H",
            "END:VEVENT",
        )
    )
    assert expanded(event) == [
        *(
            "BEGIN:VEVENT",
            "RECURRENCE-ID:20250701T090000Z",
            "DTSTART:20250701T090000Z",
            "DTEND:20250701T120000Z",
            "END:VEVENT",
        )
    ]


def test_expand_keeps_its_budget() -> None:
    event = calendar("BEGIN:VEVENT", "DTSTART:20250101T000000Z", "RRULE:FREQ=MINUTELY", "END:VEVENT")
    with pytest.raises(BudgetExceeded):
        subset.expand(event, at("20250101"), at("20260101"), UTC, Budget(instances=1000))


RULES = st.sampled_from(
    ["DAILY", "WEEKLY;BYDAY=MO,TH", "MONTHLY;BYDAY=-1FR", "YEARLY;BYMONTH=1,7", "DAILY;INTERVAL=5;COUNT=9"]
)


@settings(max_examples=60, deadline=None)
@given(
    RULES,
    st.integers(0, 600),
    st.integers(0, 3),
    st.integers(1, 60),
    st.sampled_from(["zone", "utc", "floating", "day"]),
)
def test_expand_is_as_the_oracle_has_it(rule: str, start: int, moved: int, days: int, kind: str) -> None:
    form = {"zone": ";TZID=Europe/Berlin", "day": ";VALUE=DATE"}.get(kind, "")
    pattern = "%Y%m%d" if kind == "day" else f"%Y%m%dT%H%M%S{'Z' if kind == 'utc' else ''}"
    first = datetime(2024, 1, 1, 10, 30) + timedelta(days=start)
    length = timedelta(days=2) if kind == "day" else timedelta(minutes=45)
    override: tuple[str, ...] = ()
    if moved:
        named = first + timedelta(days=7 * moved)
        override = (
            *("BEGIN:VEVENT", "UID:one", f"RECURRENCE-ID{form}:{named.strftime(pattern)}"),
            *(f"DTSTART{form}:{(named + timedelta(hours=26)).strftime(pattern)}", "SUMMARY:moved"),
            *(f"DTEND{form}:{(named + timedelta(hours=26) + length).strftime(pattern)}", "END:VEVENT"),
        )
    component = calendar(
        *("BEGIN:VEVENT", "UID:one", f"DTSTART{form}:{first.strftime(pattern)}", f"RRULE:FREQ={rule}", "SUMMARY:Größe"),
        *(f"DTEND{form}:{(first + length).strftime(pattern)}", "END:VEVENT", *override),
    )
    low = datetime(2025, 1, 1)
    high = low + timedelta(days=days)
    span = (low.replace(tzinfo=UTC), high.replace(tzinfo=UTC)) if kind in {"zone", "utc"} else (low, high)
    expected = recurring_ical_events.of(icalendar.Calendar.from_ical(component.octets)).between(*span)
    text = subset.expand(component, at(f"{low:%Y%m%d}"), at(f"{high:%Y%m%d}"))
    found = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert sorted(map(told, found)) == sorted(map(told, expected))
    assert not any(name in one for one in found for name in ("RRULE", "RDATE", "EXDATE"))
    assert all("RECURRENCE-ID" in one for one in found)
    assert b"TZID" not in text


def told(event: Any) -> tuple[str, str, str]:
    return str(event["SUMMARY"]), utc(event["DTSTART"].dt), utc(event["DTEND"].dt)


def utc(moment: date) -> str:
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{moment:%Y%m%dT%H%M%S}" if isinstance(moment, datetime) else f"{moment:%Y%m%d}"


# --- less of it -------------------------------------------------------------------------------------------------------


def test_overrides_outside_of_the_range_are_left_out() -> None:
    def override(named: str, start: str, parameter: str = "") -> tuple[str, ...]:
        return (
            *("BEGIN:VEVENT", "UID:one", f"RECURRENCE-ID{parameter}:{named}T090000Z", f"DTSTART:{start}T100000Z"),
            "END:VEVENT",
        )

    master = (
        "BEGIN:VEVENT",
        "UID:one",
        "DTSTART:20250601T090000Z",
        "DTEND:20250601T100000Z",
        "RRULE:FREQ=DAILY",
        "END:VEVENT",
    )
    into, out_of = override("20250602", "20250710"), override("20250711", "20250911")
    later, gone = override("20250603", "20250603", ";RANGE=THISANDFUTURE"), override("20250604", "20250604")
    component = calendar(*master, *into, *gone, *out_of, *later)
    found = subset.limit_recurrence_set(component, at("20250701"), at("20250801"))
    assert found == calendar(*master, *into, *out_of, *later).octets


def test_free_busy_values_outside_of_the_range_are_left_out() -> None:
    component = calendar(
        *("BEGIN:VFREEBUSY", "UID:one", "FREEBUSY;FBTYPE=BUSY:20250601T090000Z/PT1H,20250702T090000Z/PT1H"),
        *("FREEBUSY:20250601T090000Z/PT1H", "FREEBUSY:20250703T090000Z/PT1H", "END:VFREEBUSY"),
    )
    found = subset.limit_freebusy_set(component, at("20250701"), at("20250801")).decode()
    assert found.split("\r\n")[3:-2] == [
        *("BEGIN:VFREEBUSY", "UID:one", "FREEBUSY;FBTYPE=BUSY:20250702T090000Z/PT1H"),
        *("FREEBUSY:20250703T090000Z/PT1H", "END:VFREEBUSY"),
    ]


def test_one_after_the_other() -> None:
    event = calendar(*TIMEZONE, "BEGIN:VEVENT", "UID:one", "DTSTART:20250701T090000Z", "RRULE:FREQ=DAILY", "END:VEVENT")
    assert subset.calendar_data(event, CalendarData()) == event.octets
    day = (at("20250702"), at("20250703"))
    start = ComponentSelection("VCALENDAR", (), (ComponentSelection("VEVENT", (("DTSTART", False),), ()),))
    assert subset.calendar_data(event, CalendarData(comp=start, expand=day)).decode().split("\r\n")[2:4] == [
        "BEGIN:VEVENT",
        "DTSTART:20250702T090000Z",
    ]
    limited = CalendarData(limit_recurrence_set=day, limit_freebusy_set=day)
    assert subset.calendar_data(event, limited, ZoneInfo("Europe/Berlin")) == event.octets
