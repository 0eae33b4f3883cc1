"""Time values as integers: DATE, DATE-TIME, DURATION and PERIOD (RFC 5545 §3.3).

All numbers are whole seconds. An *instant* counts from 1970-01-01T00:00:00 UTC; *wall* counts the same way on the clock
on the wall, that is: the local time read as if it were UTC. Years are 1 to 9999; sums beyond them are numbers still.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from calsync.ical.lines import Line

MIN_INSTANT = -(2**62)
MAX_INSTANT = 2**62
"""Without a beginning, without an end. They fit into a signed 64 bit column with room for slack."""

DAY = 86400
_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,12})M)?(?:(?P<seconds>\d{1,12})S)?)?",
    re.ASCII | re.IGNORECASE,
)

Resolver = Callable[[str], tzinfo]
"""What a TZID means in the object at hand."""


class InvalidTime(ValueError):
    """A value that is no time, with the value in the message."""


class Time(NamedTuple):
    """A DATE or DATE-TIME. `zone` None: floating (RFC 5545 §3.3.5, form 1), as every DATE is."""

    wall: int
    all_day: bool
    zone: tzinfo | None

    def instant(self, floating_zone: tzinfo = UTC) -> int:
        """Seconds since 1970 in UTC; with the default, a floating time is given as its wall time."""
        return to_instant(self.wall, self.zone or floating_zone)


class Duration(NamedTuple):
    """Days on the calendar and exact seconds, both with their sign (RFC 5545 §3.3.6: a day need not have 24 hours)."""

    days: int
    seconds: int

    def after(self, start: Time) -> Time:
        """The time this much later, on the same clock: days by the calendar, then seconds by the stopwatch."""
        wall = start.wall + self.days * DAY
        if not self.seconds:
            return Time(wall, start.all_day, start.zone)
        if start.zone is not None and start.zone is not UTC:
            wall = to_wall(to_instant(wall, start.zone) + self.seconds, start.zone)
        else:
            wall += self.seconds
        return Time(wall, start.all_day and self.seconds % DAY == 0, start.zone)

    def end(self, start: Time, floating_zone: tzinfo = UTC) -> int:
        """The instant this much after `start`; exact where `after` would meet an hour that comes twice."""
        return to_instant(start.wall + self.days * DAY, start.zone or floating_zone) + self.seconds


class Period(NamedTuple):
    """RFC 5545 §3.3.9: from `start` to an end, or for so long."""

    start: Time
    end: Time | Duration

    def instants(self, floating_zone: tzinfo = UTC) -> tuple[int, int]:
        """Start and end; an end before the start counts as none."""
        start = self.start.instant(floating_zone)
        if isinstance(self.end, Duration):
            end = self.end.end(self.start, floating_zone)
        else:
            end = self.end.instant(floating_zone)
        return start, max(start, end)


def to_instant(wall: int, zone: tzinfo) -> int:
    """Wall time of a zone as an instant.

    An hour that comes twice means the first, one that never comes is read with the offset before the gap
    (RFC 5545 §3.3.5); that is what `fold=0` says.
    """
    if zone is UTC:
        return wall
    try:
        offset = zone.utcoffset(_epoch_in(zone) + timedelta(0, wall))
    except OverflowError:
        return wall
    return wall if offset is None else wall - offset.days * DAY - offset.seconds


@lru_cache(maxsize=64)
def _epoch_in(zone: tzinfo) -> datetime:
    return _EPOCH.replace(tzinfo=zone)


def to_wall(instant: int, zone: tzinfo) -> int:
    """An instant as the wall time of a zone."""
    if zone is UTC:
        return instant
    try:
        local = (_EPOCH + timedelta(seconds=instant)).replace(tzinfo=UTC).astimezone(zone)
    except OverflowError:
        return instant
    difference = local.replace(tzinfo=None) - _EPOCH
    return difference.days * DAY + difference.seconds


def parse_time(text: str) -> Time:
    """A DATE, or a DATE-TIME that floats or ends in Z. Raises InvalidTime."""
    if text.isascii() and text[:8].isdigit():
        size = len(text)
        try:
            if size == 8:
                return Time((date.fromisoformat(text).toordinal() - _EPOCH_DAY) * DAY, True, None)
            if text[8] in "Tt" and text[9:15].isdigit() and (size == 15 or (size == 16 and text[15] in "Zz")):
                # A leap second (60) is the second before it: POSIX time has no name for it.
                since = datetime.fromisoformat(text[:15] if text[13:15] != "60" else text[:13] + "59") - _EPOCH
                return Time(since.days * DAY + since.seconds, False, UTC if size == 16 else None)
        except (ValueError, IndexError):
            pass  # too short, or no such day: told below
    stripped = text.strip()
    if stripped != text:
        return parse_time(stripped)
    raise InvalidTime(f"not a date or time: {text[:40]!r}")


def parse_duration(text: str) -> Duration:
    """A DURATION, weeks beside days allowed. Raises InvalidTime."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or text.strip()[-1] in "PpTt":
        raise InvalidTime(f"not a duration: {text[:40]!r}")
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in found.group(2, 3, 4, 5, 6))
    sign = -1 if found["sign"] == "-" else 1
    return Duration(sign * (weeks * 7 + days), sign * (hours * 3600 + minutes * 60 + seconds))


def parse_period(text: str, zone: tzinfo | None = None) -> Period:
    """A PERIOD, `start/end` or `start/duration` (RFC 5545 §3.3.9); `zone` is what its TZID means."""
    start, separator, end = text.partition("/")
    if not separator:
        raise InvalidTime(f"not a period: {text[:40]!r}")
    begins = in_zone(parse_time(start), zone)
    if end.strip()[:1] in {"P", "p", "+", "-"}:
        return Period(begins, parse_duration(end))
    return Period(begins, in_zone(parse_time(end), zone))


def in_zone(time: Time, zone: tzinfo | None) -> Time:
    """A floating DATE-TIME put into a zone; UTC and DATE values stay as they are."""
    if zone is None or time.zone is not None or time.all_day:
        return time
    return Time(time.wall, False, zone)


def read_time(line: Line, resolve: Resolver) -> Time:
    """The DATE or DATE-TIME of a line with its TZID and VALUE. Raises InvalidTime.

    The value's own form decides: eight digits are a DATE also where `VALUE=DATE` was forgotten, Z wins over a TZID.
    """
    time = parse_time(line.value)
    if time.all_day or not line.params:
        return time
    if (line.param("VALUE") or "").upper() == "DATE":
        return Time(time.wall - time.wall % DAY, True, None)
    tzid = line.param("TZID")
    return time if time.zone is not None or not tzid else Time(time.wall, False, resolve(tzid))


def read_times(line: Line, resolve: Resolver) -> list[Time | Period]:
    """The values of EXDATE, RDATE or FREEBUSY: times, and periods where there is a slash. Raises InvalidTime."""
    tzid = line.param("TZID")
    zone = resolve(tzid) if tzid else None
    as_date = (line.param("VALUE") or "").upper() == "DATE"
    found: list[Time | Period] = []
    for value in line.value.split(","):
        if "/" in value:
            found.append(parse_period(value, zone))
        elif value.strip():
            time = in_zone(parse_time(value), zone)
            found.append(Time(time.wall - time.wall % DAY, True, None) if as_date else time)
    return found


def format_date(wall: int) -> str:
    """A wall time's day as a DATE value, clamped to the years 1 to 9999."""
    return _civil(wall).strftime("%Y%m%d").rjust(8, "0")


def format_wall(wall: int) -> str:
    """A wall time as a floating DATE-TIME value, clamped to the years 1 to 9999."""
    return _civil(wall).strftime("%Y%m%dT%H%M%S").rjust(15, "0")


def format_utc(instant: int) -> str:
    """An instant as a DATE-TIME value in UTC, clamped to the years 1 to 9999."""
    return format_wall(instant) + "Z"


def _civil(seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min if seconds < 0 else datetime.max.replace(microsecond=0)
