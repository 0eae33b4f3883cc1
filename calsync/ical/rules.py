"""Recurrence rules as they are written (RFC 5545 §3.3.10): text → Rule; `walls` follows them."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from calsync.ical.instants import DAY

EPOCH: Final = date(1970, 1, 1).toordinal()
YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY = range(7)
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_NUMBER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?", re.ASCII)


class RuleError(ValueError):
    """A rule that says nothing that can be followed."""


class Until(NamedTuple):
    """The last moment of a rule, as it was written: `wall` read as UTC; `utc` with a Z; `is_date` without a time."""

    wall: int
    utc: bool
    is_date: bool


class Rule(NamedTuple):
    """A rule's parts; `total` is COUNT. Weekdays are (which, weekday): `which` is 0 for every one, Monday is 0."""

    frequency: int
    interval: int = 1
    total: int | None = None
    until: Until | None = None
    week_start: int = 0
    months: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    yeardays: tuple[int, ...] = ()
    monthdays: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    skip: str = "OMIT"


_LONGEST: Final = 5000  # every part with all its values is shorter


def parse(text: str) -> Rule:
    """Read a RECUR value. Raises RuleError with the reason. Parts nobody knows are passed over."""
    if len(text) > _LONGEST:
        raise RuleError(f"{len(text)} letters")
    return _parse(text)


@lru_cache(maxsize=512)
def _parse(text: str) -> Rule:
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        name, equals, value = part.partition("=")
        if equals:
            parts[name.strip()] = value.strip()
    if parts.get("FREQ") not in _FREQUENCIES:
        raise RuleError(f"FREQ={parts.get('FREQ', '')[:20]} is no frequency")
    if parts.get("RSCALE", "GREGORIAN") not in {"GREGORIAN", "GREGORY"}:
        raise RuleError(f"RSCALE={parts['RSCALE'][:20]} is not known")
    frequency = _FREQUENCIES.index(parts["FREQ"])
    skip = parts.get("SKIP", "OMIT") if frequency <= MONTHLY else "OMIT"  # RFC 7529 §4.1
    if skip not in {"OMIT", "BACKWARD", "FORWARD"}:
        raise RuleError(f"SKIP={skip[:20]} is not known")
    interval = _number("INTERVAL", parts.get("INTERVAL", "1"))
    if interval < 1:
        raise RuleError(f"INTERVAL={interval}")
    count = _number("COUNT", parts["COUNT"]) if "COUNT" in parts else None
    if count is not None and count < 1:
        count = None  # some write COUNT=-1 for "for ever"
    return Rule(
        frequency=frequency,
        interval=interval,
        total=count,
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        week_start=_week_start(parts.get("WKST", "MO")),
        months=_numbers(parts, "BYMONTH", 1, 12),
        weeks=_numbers(parts, "BYWEEKNO", -53, 53),
        yeardays=_numbers(parts, "BYYEARDAY", -366, 366),
        monthdays=_numbers(parts, "BYMONTHDAY", -31, 31),
        weekdays=_weekdays(parts.get("BYDAY", "")),
        hours=_numbers(parts, "BYHOUR", 0, 23),
        minutes=_numbers(parts, "BYMINUTE", 0, 59),
        seconds=tuple(second for second in _numbers(parts, "BYSECOND", 0, 60) if second < 60),  # no leap seconds here
        positions=_numbers(parts, "BYSETPOS", -366, 366),
        skip=skip,
    )


def _number(name: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise RuleError(f"{name}={text[:20]} is no number")
    return int(text)


def _numbers(parts: dict[str, str], name: str, low: int, high: int) -> tuple[int, ...]:
    text = parts.get(name, "")
    numbers = {_number(name, number.strip()) for number in text.split(",") if number.strip()}
    for number in numbers:
        if not low <= number <= high or (number == 0 and low < 0):
            raise RuleError(f"{name}={number} is out of range")
    return tuple(sorted(numbers))


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    found: set[tuple[int, int]] = set()
    for word in text.split(","):
        if not word.strip():
            continue
        match = _WEEKDAY.fullmatch(word.strip())
        which = int(match[1] or 0) if match else 54
        if match is None or abs(which) > 53 or (match[1] and which == 0):
            raise RuleError(f"BYDAY={word[:20]} is no weekday")
        found.add((which, _WEEKDAYS.index(match[2])))
    return tuple(sorted(found))


def _week_start(text: str) -> int:
    if text not in _WEEKDAYS:
        raise RuleError(f"WKST={text[:20]} is no weekday")
    return _WEEKDAYS.index(text)


def _until(text: str) -> Until:
    match = _UNTIL.fullmatch(text)
    if match is None:
        raise RuleError(f"UNTIL={text[:20]} is no date")
    day, clock, utc = match.groups()
    try:
        wall = (date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal() - EPOCH) * DAY
    except ValueError as error:
        raise RuleError(f"UNTIL={text[:20]}: {error}") from None
    if clock:
        wall += int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:])
    return Until(wall, bool(utc), not clock)
