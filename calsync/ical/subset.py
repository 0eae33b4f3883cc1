"""What of an object a client asked for: RFC 4791 §9.6 (`calendar-data`) and RFC 6352 §10.4 (`address-data`).

Lines that are given are given octet for octet, unless their time has to be told in UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Protocol

from calsync.ical import zones
from calsync.ical.budget import Budget
from calsync.ical.expansion import EOL, expand, head
from calsync.ical.instants import (
    InvalidTime,
    Period,
    Resolver,
    read_times,
)
from calsync.ical.lines import Component, Line, fold, scan
from calsync.ical.recur import DEFAULT_BUDGET, RECURRING
from calsync.ical.recurrence import group, read_series
from calsync.ical.series import Occurrence, Series

__all__ = ["calendar_data", "card_subset", "expand", "limit_freebusy_set", "limit_recurrence_set", "select"]

Range = tuple[int, int]


class Selection(Protocol):
    """`webdav.requests.ComponentSelection`, as far as it is needed here."""

    @property
    def name(self) -> str: ...
    @property
    def props(self) -> tuple[tuple[str, bool], ...] | None: ...
    @property
    def comps(self) -> Sequence[Selection] | None: ...


class DataRequest(Protocol):
    """`webdav.requests.CalendarData`, as far as it is needed here."""

    @property
    def comp(self) -> Selection | None: ...
    @property
    def expand(self) -> Range | None: ...
    @property
    def limit_recurrence_set(self) -> Range | None: ...
    @property
    def limit_freebusy_set(self) -> Range | None: ...


def calendar_data(
    calendar: Component, request: DataRequest, floating_zone: tzinfo = UTC, budget: Budget = DEFAULT_BUDGET
) -> bytes:
    """All that RFC 4791 §9.6 can ask of an object, one after the other. Raises BudgetExceeded."""
    octets: bytes | None = None
    if request.expand is not None:
        octets = expand(calendar, *request.expand, floating_zone, budget)
    elif request.limit_recurrence_set is not None:
        octets = limit_recurrence_set(calendar, *request.limit_recurrence_set, floating_zone)
    if request.limit_freebusy_set is not None:
        octets = limit_freebusy_set(_again(calendar, octets), *request.limit_freebusy_set, floating_zone)
    if request.comp is not None:
        octets = select(_again(calendar, octets), request.comp)
    return calendar.octets if octets is None else octets


def _again(calendar: Component, octets: bytes | None) -> Component:
    return calendar if octets is None else scan(octets).components[0]


# --- RFC 4791 §9.6.1 to §9.6.4, RFC 6352 §10.4: some properties, some components --------------------------------------


def select(calendar: Component, selection: Selection) -> bytes:
    """The components and properties asked for. VERSION is always there: without it, it would be no calendar."""
    if selection.name.upper() != calendar.name:
        return calendar.octets
    return b"".join(_selected(calendar, selection, always=("VERSION",)))


def card_subset(card: Component, props: Iterable[tuple[str, bool]]) -> bytes:
    """The properties asked for, in the card's order, and VERSION. A name may have its group or stand for any."""
    return b"".join((b"BEGIN:VCARD", EOL, *_lines(card, props, ("VERSION",)), b"END:VCARD", EOL))


def _selected(component: Component, selection: Selection, always: tuple[str, ...] = ()) -> Iterator[bytes]:
    yield b"BEGIN:" + component.name.encode() + EOL
    if selection.props is None:
        yield from (line.raw for line in component.lines)
    else:
        yield from _lines(component, selection.props, always)
    wanted = None if selection.comps is None else {one.name.upper(): one for one in selection.comps}
    for inner in component.components:
        if wanted is None:
            yield inner.octets
        elif inner.name in wanted:
            yield from _selected(inner, wanted[inner.name])
    yield b"END:" + component.name.encode() + EOL


def _lines(component: Component, props: Iterable[tuple[str, bool]], always: tuple[str, ...]) -> Iterator[bytes]:
    """`novalue` leaves the name with its parameters (RFC 4791 §9.6.4)."""
    wanted = {name.upper(): novalue for name, novalue in props}
    wanted.update(dict.fromkeys(always, False))
    for line in component.lines:
        grouped = f"{line.group}.{line.name}".upper()
        novalue = wanted.get(line.name, wanted.get(grouped))
        if novalue is not None:
            yield head(line, line.params) + b":" + EOL if novalue else line.raw


# --- RFC 4791 §9.6.6, §9.6.7: less of it ------------------------------------------------------------------------------


def limit_recurrence_set(calendar: Component, start: int, end: int, floating_zone: tzinfo = UTC) -> bytes:
    """The object without the overrides that say nothing about the range: neither are they in it nor was what they
    stand for, and no later instance follows them."""
    resolve = zones.resolver(calendar)
    gone: list[Component] = []
    for components in group(calendar.components, RECURRING):
        for series in read_series(components, resolve, floating_zone):
            if series.master is not None:
                lasting = {shift.since for shift in series.shifts}
                gone += [one.component for one in series.overrides if not _concerns(one, series, lasting, start, end)]
    return _without(calendar, gone)


def _concerns(override: Occurrence, series: Series, lasting: set[int], start: int, end: int) -> bool:
    if override.timing.overlaps(override.start, override.end, start, end):
        return True
    master, named, wall = series.master, override.recurrence_id, override.recurrence_wall
    if master is None or named is None or wall is None:
        return True
    if master.overlaps(named, master.end(named, wall, series.zone), start, end):
        return True
    return named < end and named in lasting


def limit_freebusy_set(calendar: Component, start: int, end: int, floating_zone: tzinfo = UTC) -> bytes:
    """The object with only those FREEBUSY values that are in the range."""
    resolve = zones.resolver(calendar)
    out: list[bytes] = []
    at = calendar.start
    source = calendar.octets
    for component in calendar.components:
        if component.name == "VFREEBUSY":
            out.append(source[at - calendar.start : component.start - calendar.start])
            out += [b"BEGIN:VFREEBUSY", EOL]
            for line in component.lines:
                out.append(_limited(line, resolve, start, end, floating_zone) if line.name == "FREEBUSY" else line.raw)
            out += [inner.octets for inner in component.components]
            out += [b"END:VFREEBUSY", EOL]
            at = component.end
    out.append(source[at - calendar.start :])
    return b"".join(out)


def _limited(line: Line, resolve: Resolver, start: int, end: int, floating_zone: tzinfo) -> bytes:
    try:
        values = read_times(line, resolve)
    except InvalidTime:
        return line.raw
    kept = []
    texts = [text for text in line.value.split(",") if text.strip()]
    for text, value in zip(texts, values, strict=True):
        if isinstance(value, Period):
            first, last = value.instants(floating_zone)
            if start < last and end > first:
                kept.append(text)
    if len(kept) == len(texts):
        return line.raw
    return fold(head(line, line.params) + b":" + ",".join(kept).encode()) if kept else b""


def _without(calendar: Component, gone: Collection[Component]) -> bytes:
    """The text of a calendar without some of its components."""
    out: list[bytes] = []
    at = 0
    source = calendar.octets
    left_out = {id(component) for component in gone}
    for component in calendar.components:
        if id(component) in left_out:
            out.append(source[at : component.start - calendar.start])
            at = component.end - calendar.start
    out.append(source[at:])
    return b"".join(out)
