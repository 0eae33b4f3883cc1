"""A zone as VTIMEZONE (RFC 5545 §3.6.5): what is on record as RDATE, what goes on for ever as RRULE."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from calsync.ical.lines import fold
from calsync.ical.tzif import DAY, Change, Local, Yearly, Zone, zone

_EPOCH: Final = datetime(1970, 1, 1)
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

#: Where a rule cannot be said as RRULE, its dates are named up to this year.
_NAMED_TO: Final = 2100

#: When the first local time of a zone begins.
_BEGINNING: Final = "18000101T000000"


@lru_cache(maxsize=64)
def vtimezone(tzid: str) -> bytes:
    """The VTIMEZONE of a name in `names.known()`."""
    found = zone(tzid)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{tzid}", *_observance(found.first, found.first.offset, _BEGINNING)]
    for (shift, local), walls in _recorded(found).items():
        lines += _observance(local, shift, _text(walls[0]), *(f"RDATE:{_text(wall)}" for wall in walls[1:]))
    if found.tail is not None:
        for yearly in (found.tail.starts, found.tail.ends):
            rule = rrule(yearly)
            if rule is not None:
                before, after = _sides(found, yearly)
                lines += _observance(after, before.offset, _text(yearly.wall(found.tail.year)), f"RRULE:{rule}")
    lines.append("END:VTIMEZONE")
    return b"".join(fold(line) for line in lines)


def _recorded(found: Zone) -> dict[tuple[int, Local], list[int]]:
    """Wall times of the changes that are named one by one, by the offset before and the local time after."""
    changes: list[Change] = list(found.changes)
    if found.tail is not None:
        for yearly in (found.tail.starts, found.tail.ends):
            if rrule(yearly) is None:
                before, after = _sides(found, yearly)
                years = range(found.tail.year, _NAMED_TO + 1)
                changes += [Change(yearly.wall(year) - before.offset, before, after) for year in years]
    walls: dict[tuple[int, Local], list[int]] = {}
    for change in changes:
        walls.setdefault((change.before.offset, change.after), []).append(change.instant + change.before.offset)
    return walls


def _sides(found: Zone, yearly: Yearly) -> tuple[Local, Local]:
    tail = found.tail
    assert tail is not None
    return (tail.standard, tail.daylight) if yearly is tail.starts else (tail.daylight, tail.standard)


def _observance(local: Local, before: int, start: str, *more: str) -> Iterator[str]:
    kind = "DAYLIGHT" if local.daylight else "STANDARD"
    yield f"BEGIN:{kind}"
    yield f"DTSTART:{start}"
    yield from more
    yield f"TZOFFSETFROM:{offset(before)}"
    yield f"TZOFFSETTO:{offset(local.offset)}"
    yield f"TZNAME:{local.name}"
    yield f"END:{kind}"


def rrule(yearly: Yearly) -> str | None:
    """The rule for the day on which the change is by the clock; None where that day may be in another month."""
    days = yearly.seconds // DAY
    weekday = _WEEKDAYS[(yearly.weekday + days) % 7]
    head = f"FREQ=YEARLY;BYMONTH={yearly.month}"
    if days == 0:
        week = -1 if yearly.week == 5 else yearly.week
        return f"{head};BYDAY={week}{weekday}"
    shortest = 28 if yearly.month == 2 else calendar.monthrange(2001, yearly.month)[1]
    if yearly.week == 5 and yearly.month == 2:
        return None
    first = (shortest - 6 if yearly.week == 5 else 7 * yearly.week - 6) + days
    if first < 1 or first + 6 > shortest:
        return None
    monthdays = ",".join(str(day) for day in range(first, first + 7))
    return f"{head};BYMONTHDAY={monthdays};BYDAY={weekday}"


def offset(seconds: int) -> str:
    """UTC-OFFSET (RFC 5545 §3.3.14): `+0100`, with seconds where there are any."""
    sign, rest = ("-", -seconds) if seconds < 0 else ("+", seconds)
    text = f"{sign}{rest // 3600:02}{rest % 3600 // 60:02}"
    return text if rest % 60 == 0 else f"{text}{rest % 60:02}"


def _text(wall: int) -> str:
    return (_EPOCH + timedelta(seconds=wall)).strftime("%Y%m%dT%H%M%S")
