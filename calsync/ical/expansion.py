"""RFC 4791 §9.6.5: instances as components of their own, with their times in UTC.

Output is joined from octets: what does not change from instance to instance is made once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Final

from calsync.ical import zones
from calsync.ical.budget import Budget, Meter
from calsync.ical.instants import (
    DAY,
    InvalidTime,
    Period,
    Resolver,
    Time,
    format_date,
    format_utc,
    format_wall,
    read_times,
)
from calsync.ical.lines import Component, Line, Param, Token, fold
from calsync.ical.recur import DEFAULT_BUDGET, RECURRING
from calsync.ical.recurrence import group, read_series
from calsync.ical.series import Occurrence, Series

EOL: Final = b"\r\n"

_SEMICOLON: Final = ord(";")
_FOLDED_TZID = re.compile(rb";\s*T\s*Z\s*I\s*D\s*=", re.IGNORECASE)
_RECURRENCE: Final = frozenset({b"RRULE", b"RDATE", b"EXDATE", b"EXRULE", b"RECURRENCE-ID"})
_DROPPED: Final = _RECURRENCE | {b"DTSTART", b"DTEND", b"DUE"}


def expand(
    calendar: Component, start: int, end: int, floating_zone: tzinfo = UTC, budget: Budget = DEFAULT_BUDGET
) -> bytes:
    """The instances in the range, each a component of its own with a RECURRENCE-ID and without a rule.

    Times are in UTC and there is no VTIMEZONE; all-day and floating times stay as they are. What does not recur is
    there whole. Raises BudgetExceeded.
    """
    resolve = zones.resolver(calendar)
    out = [b"BEGIN:VCALENDAR", EOL, *[raw for raw, _ in calendar.tokens]]
    meter = Meter(budget)
    for component in calendar.components:
        if component.name not in RECURRING and component.name != "VTIMEZONE":
            out.append(_in_utc(component, resolve))
    for components in group(calendar.components, RECURRING):
        if len(components) == 1 and not _recurs(components[0]):
            out.append(_in_utc(components[0], resolve))
            continue
        found = read_series(components, resolve, floating_zone)
        dated = {id(one) for series in found for one in series.all_components()}
        out += [_in_utc(component, resolve) for component in components if id(component) not in dated]
        for series in found:
            if series.recurring:
                out += _instances(series, start, end, meter, resolve)
            elif series.master is not None:
                out.append(_in_utc(series.master.component, resolve))
    out += (b"END:VCALENDAR", EOL)
    return b"".join(out)


def _recurs(component: Component) -> bool:
    return any(name.upper() in _RECURRENCE for _, name in component.tokens)


def _instances(series: Series, start: int, end: int, meter: Meter, resolve: Resolver) -> Iterator[bytes]:
    templates: dict[int, _Template] = {}
    for occurrence in sorted(series.between(start, end, meter), key=_by_start):
        key = id(occurrence.timing)
        template = templates.get(key)
        if template is None:
            template = templates[key] = _Template(occurrence, resolve)
        text = template.render(occurrence)
        meter.output(len(text))
        yield text


def _by_start(occurrence: Occurrence) -> int:
    return occurrence.start


class _Template:
    """One component with room for the times of its instances."""

    __slots__ = ("_after", "_before", "_end", "_keep_duration", "_recurrence", "_start")

    def __init__(self, first: Occurrence, resolve: Resolver) -> None:
        timing = first.timing
        component = timing.component
        # Days in another zone are not always 24 hours: then the end is told instead.
        self._keep_duration = timing.end_name == "DURATION" and (
            timing.start.zone in {None, UTC} or not timing.length.walls
        )
        dropped = _DROPPED if self._keep_duration else _DROPPED | {b"DURATION"}
        kept = [token for token in component.tokens if token[1].upper() not in dropped]
        self._before = b"".join((b"BEGIN:", component.name.encode(), EOL, *_lines_in_utc(kept, resolve)))
        form, start = first.recurrence, timing.start
        self._recurrence = "" if form is None else f"RECURRENCE-ID{';VALUE=DATE' if form.all_day else ''}:"
        self._start = _property(component, "DTSTART", start) if component.first("DTSTART") is not None else ""
        end = timing.end_name and not self._keep_duration
        self._end = _property(component, "DUE" if component.name == "VTODO" else "DTEND", start) if end else ""
        inner = [_in_utc(one, resolve) for one in component.components]
        self._after = b"".join((*inner, b"END:", component.name.encode(), EOL))

    def render(self, occurrence: Occurrence) -> bytes:
        start, end, _, timing, wall, named, named_wall, form = occurrence
        text = ""
        if form is not None and named is not None and named_wall is not None:
            text = f"{self._recurrence}{_text(form, named, named_wall)}\r\n"
        if self._start:
            text += f"{self._start}{_text(timing.start, start, wall)}\r\n"
        if self._end:
            text += f"{self._end}{_text(timing.start, end, wall + timing.length.walls + timing.length.seconds)}\r\n"
        return self._before + text.encode() + self._after


def _property(component: Component, name: str, time: Time) -> str:
    """What stands before a time: the property's name and those of its parameters that still hold."""
    line = component.first(name)
    params = [(key, values) for key, values in line.params if key not in {"TZID", "VALUE"}] if line else []
    if time.all_day:
        params.append(("VALUE", ("DATE",)))
    return name + encoded(params) + ":"


def _text(form: Time, instant: int, wall: int) -> str:
    """A time as its component has it: a day, a wall time, or an instant in UTC."""
    if form.zone is not None:
        return f"{_day_text(instant // DAY)}{_clock_text(instant % DAY)}Z"
    return _day_text(wall // DAY) if form.all_day else _day_text(wall // DAY) + _clock_text(wall % DAY)


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    return format_date(day * DAY)


@lru_cache(maxsize=4096)
def _clock_text(clock: int) -> str:
    return f"T{clock // 3600:02d}{clock // 60 % 60:02d}{clock % 60:02d}"


# --- times in UTC -----------------------------------------------------------------------------------------------------


def _in_utc(component: Component, resolve: Resolver) -> bytes:
    """A component whose times do not need a VTIMEZONE."""
    name = component.name.encode()
    inner = [_in_utc(one, resolve) for one in component.components]
    return b"".join((b"BEGIN:", name, EOL, *_lines_in_utc(component.tokens, resolve), *inner, b"END:", name, EOL))


def _lines_in_utc(tokens: Iterable[Token], resolve: Resolver) -> list[bytes]:
    return [_line_in_utc(Line(token), resolve) if _names_a_zone(*token) else token[0] for token in tokens]


def _names_a_zone(raw: bytes, name: bytes) -> bool:
    if raw[len(name)] != _SEMICOLON:
        return False
    return b"TZID" in raw.upper() or (b"\n" in raw[:-1] and _FOLDED_TZID.search(raw) is not None)


def _line_in_utc(line: Line, resolve: Resolver) -> bytes:
    """A line without its TZID, its times told in UTC; verbatim where it has none or its value is no time."""
    if line.param("TZID") is None:
        return line.raw
    try:
        values = read_times(line, resolve)
    except InvalidTime:
        return line.raw
    text = ",".join([_value_in_utc(value) for value in values])
    params = [(key, found) for key, found in line.params if key != "TZID"]
    return fold(head(line, params) + b":" + text.encode())


def _value_in_utc(value: Time | Period) -> str:
    if isinstance(value, Period):
        first, last = value.instants()
        return f"{format_utc(first)}/{format_utc(last)}"
    if value.all_day:
        return format_date(value.wall)
    return format_wall(value.wall) if value.zone is None else format_utc(value.instant())


def head(line: Line, params: Iterable[Param]) -> bytes:
    """A line's group, name and these parameters, up to the colon."""
    group = f"{line.group}." if line.group else ""
    return f"{group}{line.name}{encoded(params)}".encode()


def encoded(params: Iterable[Param]) -> str:
    return "".join([f";{key}={','.join([_param_value(value) for value in values])}" for key, values in params])


def _param_value(value: str) -> str:
    """RFC 5545 §3.2 and RFC 6868."""
    value = value.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    return f'"{value}"' if any(letter in value for letter in ",;:") else value
