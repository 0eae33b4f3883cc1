"""What the lines of a master and its overrides say of their instances: components → `Series`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Final

from calsync.ical.budget import BudgetExceeded
from calsync.ical.instants import (
    DAY,
    Duration,
    InvalidTime,
    Period,
    Resolver,
    Time,
    read_time,
    read_times,
    to_instant,
)
from calsync.ical.lines import Component, Line
from calsync.ical.rules import DAILY, Rule, RuleError, parse
from calsync.ical.series import Occurrence, Series, Shift
from calsync.ical.timing import Length, Timing, timing, wall_in

_RECURRENCE: Final = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})
_MAX_RULES: Final = 16  # RFC 5545 §3.8.5.3: more than one SHOULD NOT be
MAX_DATES: Final = 20_000
"""RDATEs or EXDATEs of one component that are read; of more nobody knows the instances."""
_MAX_OVERRIDES: Final = 10_000
_RULE_ALONE: Final = frozenset({"RRULE"})


def group(components: Iterable[Component], names: frozenset[str]) -> list[list[Component]]:
    """Components of these names that belong together: those of one kind with one UID."""
    wanted = [component for component in components if component.name in names]
    if len(wanted) < 2:
        return [wanted] if wanted else []
    groups: dict[tuple[str, str], list[Component]] = {}
    for component in wanted:
        groups.setdefault((component.name, component.text("UID") or ""), []).append(component)
    return list(groups.values())


def read_series(components: Sequence[Component], resolve: Resolver, floating_zone: tzinfo) -> list[Series]:
    """The series of a group: one for each master (there should be one), or one of overrides alone.

    Components without a time that can be read are left out. Raises BudgetExceeded for thousands of them.
    """
    if len(components) > _MAX_OVERRIDES:
        raise BudgetExceeded(f"more than {_MAX_OVERRIDES} components with one UID")
    masters: list[Timing] = []
    overrides: list[tuple[Timing, Line]] = []
    for component in components:
        when = timing(component, resolve)
        if when is not None:
            line = component.first("RECURRENCE-ID")
            if line is None:
                masters.append(when)
            else:
                overrides.append((when, line))
    if not masters:
        return [_read(None, overrides, resolve, floating_zone)] if overrides else []
    found = [_read(masters[0], overrides, resolve, floating_zone)]
    found += [_read(master, [], resolve, floating_zone) for master in masters[1:]]
    return found


def _read(
    master: Timing | None, overrides: list[tuple[Timing, Line]], resolve: Resolver, floating_zone: tzinfo
) -> Series:
    if master is None:
        return _Reader(None, resolve, floating_zone).series(overrides)
    names = _RECURRENCE & master.component.index.keys()
    if not overrides and not names:
        return Series(master, floating_zone, False)
    if not overrides and names == _RULE_ALONE:
        found, notes = _rules(master, "RRULE")
        return Series(master, floating_zone, bool(found), rules=found, notes=tuple(notes))
    return _Reader(master, resolve, floating_zone).series(overrides)


def _rules(master: Timing | None, name: str) -> tuple[tuple[Rule, ...], list[str]]:
    """The rules that can be followed, and why the others cannot."""
    found: list[Rule] = []
    notes: list[str] = []
    lines = master.component.all(name) if master is not None else []
    if len(lines) > _MAX_RULES:
        notes.append(f"only {_MAX_RULES} {name} of {len(lines)} are followed")
    for line in lines[:_MAX_RULES]:
        try:
            rule = parse(line.value)
            if master is not None and master.start.all_day:
                if rule.frequency > DAILY:
                    raise RuleError("several times a day, of a day")
                rule = rule._replace(hours=(), minutes=(), seconds=())  # RFC 5545 §3.3.10: MUST be ignored
            found.append(rule)
        except RuleError as error:
            notes.append(f"{name} left out: {error}")
    return tuple(found), notes


class _Reader:
    """Reads one series. What cannot be read is left out with a note, so that the rest stays usable."""

    def __init__(self, master: Timing | None, resolve: Resolver, floating_zone: tzinfo) -> None:
        self.master = master
        self.resolve = resolve
        self.floating_zone = floating_zone
        self.notes: list[str] = []
        self.taken: set[int] = set()
        self.days: set[int] = set()

    def series(self, overrides: list[tuple[Timing, Line]]) -> Series:
        dates, lengths = self._dates()
        rules, rule_notes = _rules(self.master, "RRULE")
        exrules, exrule_notes = _rules(self.master, "EXRULE")  # of RFC 2445
        excluded = self._take_excluded()
        kept: dict[tuple[bool, int], Occurrence] = {}
        shifts: dict[int, Shift] = {}
        for when, line in sorted(overrides, key=lambda pair: _sequence(pair[0].component)):  # the newest wins
            recurrence = self._time(line)
            if recurrence is None:
                recurrence = when.start  # an override of nobody knows what: an instance of its own
            by_day, key = self._key(recurrence)
            if (by_day, key) in excluded:
                continue
            zone = when.start.zone or self.floating_zone
            start, end = when.instants(when.start.wall, zone)
            named = self._instant(recurrence)
            kept[by_day, key] = Occurrence(
                start, end, when.component, when, when.start.wall, named, self._wall(recurrence), self._form(recurrence)
            )
            if self.master is not None and (line.param("RANGE") or "").upper() == "THISANDFUTURE":
                shifts[named] = self._shift(named, when, recurrence)
        self._take(kept)
        return Series(
            master=self.master,
            floating_zone=self.floating_zone,
            recurring=bool(overrides or dates or rules or excluded or exrules),
            rules=rules,
            exrules=exrules,
            dates=tuple(sorted(dates)),
            lengths=lengths,
            taken=frozenset(self.taken),
            taken_days=frozenset(self.days),
            overrides=tuple(kept.values()),
            shifts=tuple(shifts[since] for since in sorted(shifts)),
            notes=(*rule_notes, *exrule_notes, *self.notes),
        )

    def _lines(self, name: str) -> list[Line]:
        return self.master.component.all(name) if self.master is not None else []

    def _dates(self) -> tuple[list[tuple[int, int]], dict[int, Length]]:
        found: list[tuple[int, int]] = []
        lengths: dict[int, Length] = {}
        for value in self._values("RDATE"):
            start = value.start if isinstance(value, Period) else value
            pair = (self._instant(start), self._wall(start))
            found.append(pair)
            if isinstance(value, Period) and self.master is not None and not self.master.start.all_day:
                if isinstance(value.end, Duration):
                    lengths[pair[0]] = Length(max(0, value.end.days) * DAY, max(0, value.end.seconds))
                else:
                    lengths[pair[0]] = Length(0, max(0, self._instant(value.end) - pair[0]))
        return found, lengths

    def _take_excluded(self) -> set[tuple[bool, int]]:
        keys = set()
        for value in self._values("EXDATE"):
            keys.add(self._key(value.start if isinstance(value, Period) else value))
        self._take(keys)
        return keys

    def _take(self, keys: Iterable[tuple[bool, int]]) -> None:
        for by_day, key in keys:
            (self.days if by_day else self.taken).add(key)

    def _values(self, name: str) -> Iterator[Time | Period]:
        lines = self._lines(name)
        if sum([line.value.count(",") + 1 for line in lines]) > MAX_DATES:
            raise BudgetExceeded(f"more than {MAX_DATES} {name}")
        for line in lines:
            try:
                yield from read_times(line, self.resolve)
            except InvalidTime as error:
                self.notes.append(f"{name} left out: {error}")

    def _time(self, line: Line) -> Time | None:
        try:
            return read_time(line, self.resolve)
        except InvalidTime as error:
            self.notes.append(f"{line.name} not understood: {error}")
            return None

    def _key(self, time: Time) -> tuple[bool, int]:
        """What names an instance: its day, where master or value is a DATE (Evolution's EXDATE), else its instant."""
        if time.all_day or (self.master is not None and self.master.start.all_day):
            return True, time.wall // DAY
        return False, self._instant(time)

    def _instant(self, time: Time) -> int:
        if self.master is None:
            return time.instant(self.floating_zone)
        zone = self.master.start.zone
        if zone is None:
            return to_instant(self._wall(time), self.floating_zone)
        return time.instant(zone)

    def _wall(self, time: Time) -> int:
        if self.master is None:
            return time.wall
        wall = wall_in(time, self.master.start) if self.master.start.zone is not None else time.wall
        return wall - wall % DAY if self.master.start.all_day else wall

    def _form(self, time: Time) -> Time:
        return time if self.master is None else self.master.start

    def _shift(self, since: int, when: Timing, recurrence: Time) -> Shift:
        """How far an instance is moved, on the clock of the zone it is moved to (RFC 5545 §3.8.4.4).

        An override in UTC of a master with a zone keeps the master's clock: its writer did not mean to leave it.
        """
        assert self.master is not None
        start = when.start
        if start.zone is UTC and self.master.start.zone is not None:
            start = Time(wall_in(start, self.master.start), False, self.master.start.zone)
        return Shift(since, when._replace(start=start), start.wall - self._wall(recurrence))


def _sequence(component: Component) -> int:
    line = component.first("SEQUENCE")
    text = line.value.strip() if line else ""
    return int(text) if text.isdecimal() and len(text) < 18 else 0
