"""The wall times of a recurrence rule (RFC 5545 §3.3.10), bounded at every step.

Own code, because a rule comes from anybody: an iterator that looks for a date that never comes (`BYMONTH=2;
BYMONTHDAY=31`) must be stoppable, and a daily rule of 1900 must not be walked through to answer for this month.
`dateutil.rrule` is the oracle of its tests.

Days are numbered from 1970-01-01; a wall time is what a clock shows, read as if it were UTC, in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from calsync.ical.budget import Meter
from calsync.ical.instants import DAY
from calsync.ical.rules import DAILY, EPOCH, HOURLY, MINUTELY, MONTHLY, SECONDLY, WEEKLY, YEARLY, Rule

# Rules are followed from year 2 to 9998, so that weeks and months at the edges are days of the calendar.
FIRST_WALL: Final = (date(2, 1, 1).toordinal() - EPOCH) * DAY
LAST_WALL: Final = (date(9999, 1, 1).toordinal() - EPOCH) * DAY - 1

_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def walls(rule: Rule, first: int, low: int, high: int, meter: Meter) -> Iterator[int]:
    """The wall times of a rule whose DTSTART is `first`, ascending, in [low, high), with UNTIL left to the caller.

    `first` is among them only where the rule itself names it. Without COUNT the way to `low` costs nothing. Raises
    BudgetExceeded.
    """
    rule = _complete(rule, first)
    left = rule.total
    low = max(low, first, FIRST_WALL)
    high = min(high, LAST_WALL + 1)
    begin = low if left is None else first
    if first < FIRST_WALL or begin >= high:
        return
    if rule.frequency > DAILY:
        sets = _below_a_day(rule, first, begin, high, meter)
    elif rule.frequency >= WEEKLY:
        sets = _weeks_and_days(rule, first, begin, high, meter)
    else:
        sets = _months_and_years(rule, first, begin, high, meter)
    for found in sets:
        if rule.positions:
            meter.spend(len(rule.positions))
            found = _choose(found, rule.positions)
        for wall in found:
            if wall < first:
                continue
            if wall >= high:
                return
            if left is not None:
                if left == 0:
                    return
                left -= 1
            if wall >= low:
                yield wall


def _complete(rule: Rule, first: int) -> Rule:
    """What a rule leaves open is as in DTSTART (RFC 5545 §3.3.10)."""
    day, clock = divmod(first, DAY)
    frequency = rule.frequency
    hours, minutes, seconds = rule.hours, rule.minutes, rule.seconds
    if frequency <= DAILY:
        hours = hours or (clock // 3600,)
    if frequency <= HOURLY:
        minutes = minutes or (clock // 60 % 60,)
    if frequency <= MINUTELY:
        seconds = seconds or (clock % 60,)
    months, monthdays, weekdays = rule.months, rule.monthdays, rule.weekdays
    if frequency >= WEEKLY and any(which for which, _ in weekdays):  # "the first Monday" of a week is a Monday
        weekdays = tuple(sorted({(0, weekday) for _, weekday in weekdays}))
    if not (weekdays or monthdays or rule.yeardays):
        if frequency == WEEKLY or (frequency == YEARLY and rule.weeks):
            weekdays = ((0, (day + 3) % 7),)
        elif frequency <= MONTHLY and not rule.weeks:
            start = date.fromordinal(day + EPOCH)
            monthdays = (start.day,)
            if frequency == YEARLY and not months:
                months = (start.month,)
    return rule._replace(
        hours=hours, minutes=minutes, seconds=seconds, months=months, monthdays=monthdays, weekdays=weekdays
    )


def _choose(found: list[int], positions: tuple[int, ...]) -> list[int]:
    """BYSETPOS: the n-th of the set, from its begin or its end."""
    size = len(found)
    places = {position - 1 if position > 0 else size + position for position in positions}
    return [found[place] for place in sorted(places) if 0 <= place < size]


def _times(rule: Rule) -> list[int]:
    return [
        hour * 3600 + minute * 60 + second for hour in rule.hours for minute in rule.minutes for second in rule.seconds
    ]


def _weeks_and_days(rule: Rule, first: int, begin: int, high: int, meter: Meter) -> Iterator[list[int]]:
    day = first // DAY
    length = 1
    places: tuple[int, ...] = (0,)
    limited = bool(rule.months or rule.monthdays or rule.yeardays or rule.weeks)
    if rule.frequency == WEEKLY:
        length = 7
        day -= (day + 3 - rule.week_start) % 7
        if rule.weekdays:
            places = tuple(sorted((weekday - rule.week_start) % 7 for _, weekday in rule.weekdays))
        else:
            places = tuple(range(7))
    elif rule.weekdays:
        limited = True
    meter.spend(len(rule.hours) * len(rule.minutes) * len(rule.seconds))
    times = _times(rule)
    step = length * rule.interval
    day += max(0, (begin // DAY - day) // step) * step
    offsets = [place * DAY + time for place in places for time in times]
    cost = len(offsets)
    last = -(-high // DAY)
    while day < last:
        meter.spend(cost)
        if not limited:
            wall = day * DAY
            yield [wall + offset for offset in offsets]
        else:
            yield [(day + place) * DAY + time for place in places if _matches(rule, day + place) for time in times]
        day += step


def _months_and_years(rule: Rule, first: int, begin: int, high: int, meter: Meter) -> Iterator[list[int]]:
    meter.spend(len(rule.hours) * len(rule.minutes) * len(rule.seconds))
    times = _times(rule)
    yearly = rule.frequency == YEARLY
    month, target, last = _month_number(first), _month_number(begin), _month_number(high - 1)
    step = rule.interval
    if yearly:
        month -= month % 12
        step *= 12
    # One more before: what SKIP moves into the next month belongs to the month that asked for it.
    month += max(0, (target - 1 - month) // step) * step
    by_month = not yearly or (not (rule.yeardays or rule.weeks) and bool(rule.months or rule.monthdays))
    limited = bool(rule.yeardays or rule.weeks or (rule.monthdays and rule.weekdays))
    while month <= last:
        year, index = divmod(month, 12)
        if not yearly:
            days = _month_days(rule, year, index + 1) if not rule.months or index + 1 in rule.months else []
        elif by_month:
            days = [day for one in rule.months or range(1, 13) for day in _month_days(rule, year, one)]
            if rule.skip == "FORWARD":  # into the first of a month that has it already
                days = sorted(set(days))
        elif rule.yeardays or rule.weeks:
            start = _day(year, 1, 1)
            days = list(range(start, start + 365 + _leap(year)))
        else:
            days = _nth_weekdays(_day(year, 1, 1), 365 + _leap(year), rule.weekdays)
        meter.spend(1 + len(days) * (1 + len(times)))
        if limited:
            days = [day for day in days if _matches(rule, day)]
        yield [day * DAY + time for day in days for time in times]
        month += step


def _below_a_day(rule: Rule, first: int, begin: int, high: int, meter: Meter) -> Iterator[list[int]]:
    frequency = rule.frequency
    unit = (3600, 60, 1)[frequency - HOURLY]
    if frequency == HOURLY:
        inner = [minute * 60 + second for minute in rule.minutes for second in rule.seconds]
    else:
        inner = list(rule.seconds) if frequency == MINUTELY else [0]
    base = first - first % unit
    step = unit * rule.interval
    limited = bool(rule.months or rule.monthdays or rule.yeardays or rule.weeks or rule.weekdays)
    hours = frozenset(rule.hours)
    minutes = frozenset(rule.minutes) if frequency > HOURLY else frozenset()
    seconds = frozenset(rule.seconds) if frequency == SECONDLY else frozenset()
    at = base + max(0, (begin - base) // step) * step
    checked = None
    while at < high:
        meter.spend(len(inner))
        day, clock = divmod(at, DAY)
        again = 0  # where to look next, when nothing is to be found before
        if limited and day != checked:
            if _matches(rule, day):
                checked = day
            else:
                again = (day + 1) * DAY - at
        if not again:
            if hours and clock // 3600 not in hours:
                again = 3600 - clock % 3600
            elif minutes and clock // 60 % 60 not in minutes:
                again = 60 - clock % 60
            elif seconds and clock % 60 not in seconds:
                again = 1
        if again:
            at += -(-again // step) * step
        else:
            yield [at + offset for offset in inner]
            at += step


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _day(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal() - EPOCH


def _month_number(wall: int) -> int:
    """Months since year 0; those out of the calendar are its first and last."""
    day = date.fromordinal(max(FIRST_WALL, min(wall, LAST_WALL)) // DAY + EPOCH)
    return day.year * 12 + day.month - 1


def _month_length(year: int, month: int) -> int:
    return _MONTH_LENGTHS[month - 1] + (month == 2 and _leap(year))


def _month_days(rule: Rule, year: int, month: int) -> list[int]:
    """Candidate days of a month: by BYMONTHDAY, else by BYDAY, else all."""
    start = _day(year, month, 1)
    length = _month_length(year, month)
    if rule.monthdays:
        numbers = {number if number > 0 else length + 1 + number for number in rule.monthdays}
        days = {start + number - 1 for number in numbers if 0 < number <= length}
        if rule.skip == "BACKWARD" and max(numbers) > length:  # RFC 7529 §4.1
            days.add(start + length - 1)
        elif rule.skip == "FORWARD" and max(numbers) > length:
            days.add(start + length)
        return sorted(days)
    if rule.weekdays:
        return _nth_weekdays(start, length, rule.weekdays)
    return list(range(start, start + length))


def _nth_weekdays(start: int, length: int, weekdays: tuple[tuple[int, int], ...]) -> list[int]:
    """Days of a month or year by BYDAY: each such weekday, or the n-th from its begin or end."""
    days: list[int] = []
    for which, weekday in weekdays:
        place = (weekday - start - 3) % 7
        if which == 0:
            days += range(start + place, start + length, 7)
            continue
        place += (which - 1) * 7 if which > 0 else (length - 1 - place) // 7 * 7 + (which + 1) * 7
        if 0 <= place < length:
            days.append(start + place)
    return sorted(set(days)) if len(weekdays) > 1 else days


def _matches(rule: Rule, number: int) -> bool:
    """Whether a day is within all the parts that limit days."""
    day = date.fromordinal(number + EPOCH)
    year, month = day.year, day.month
    if rule.months and month not in rule.months:
        return False
    if rule.monthdays:
        # A day that SKIP moved is taken as it is: it was made from a month's own list.
        back = day.day - _month_length(year, month) - 1
        if rule.skip == "OMIT" and day.day not in rule.monthdays and back not in rule.monthdays:
            return False
    if rule.yeardays:
        place = number - _day(year, 1, 1) + 1
        if place not in rule.yeardays and place - 366 - _leap(year) not in rule.yeardays:
            return False
    if rule.weeks and not _in_weeks(rule, number):
        return False
    return not rule.weekdays or _is_weekday(rule, number, day)


def _is_weekday(rule: Rule, number: int, day: date) -> bool:
    weekday = (number + 3) % 7
    ranks: frozenset[int] | None = None
    for which, wanted in rule.weekdays:
        if wanted != weekday:
            continue
        if which == 0:
            return True
        if ranks is None:
            place, length = day.day - 1, _month_length(day.year, day.month)
            if rule.frequency == YEARLY and not rule.months:
                place, length = number - _day(day.year, 1, 1), 365 + _leap(day.year)
            ranks = frozenset({place // 7 + 1, -((length - 1 - place) // 7 + 1)})
        if which in ranks:
            return True
    return False


def _in_weeks(rule: Rule, number: int) -> bool:
    """BYWEEKNO: week 1 is the first with at least four days in the year (ISO 8601, with WKST as its first day)."""
    middle = number - (number + 3 - rule.week_start) % 7 + 3
    if not 1 <= middle + EPOCH <= date.max.toordinal():
        return False
    year = date.fromordinal(middle + EPOCH).year
    start, end = _day(year, 1, 1), _day(year, 12, 31)
    last = end - (end + 3 - rule.week_start) % 7 + 3
    if last > end:
        last -= 7
    week, weeks = (middle - start) // 7 + 1, (last - start) // 7 + 1
    return week in rule.weeks or week - weeks - 1 in rule.weeks
