"""What of a filter the index can answer, and whether the octets have to be looked at besides.

The rule for every case: no item that matches is left out by the source, and a residual may be left away only where the
source cannot hold an item that does not match. The reasons stand beside the cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from calsync.casemap import fold
from calsync.dav.filters.card import SEPARATORS, split_name
from calsync.ical.validate import KINDS
from calsync.ical.vcard import FIELDS
from calsync.webdav.requests import (
    CalendarPropFilter,
    CardFilter,
    CardPropFilter,
    CompFilter,
    TextMatch,
    TimeRange,
)

#: What the store knows as an open end of a range.
OPEN: Final = 1 << 61


class Residual(Enum):
    """On which candidates the exact test is run: on none, on those the index is not sure of, or on all."""

    NEVER = "never"
    DOUBTFUL = "doubtful"
    ALWAYS = "always"


# --- where candidates come from ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Nothing:
    """A filter that no object can match."""


@dataclass(frozen=True, slots=True)
class Listed:
    """All items; with `component` only those about it, with `unlike` only those about something else."""

    component: str = ""
    unlike: str = ""


@dataclass(frozen=True, slots=True)
class InRange:
    """Items about `component` that may touch `[start, end)`, some of them surely; instants, OPEN at an open end."""

    component: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class WithUid:
    """Items about `component` whose UID contains `text`, compared without case."""

    component: str
    text: str


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """Cards with a property found under `field` whose folded value matches `text`, folded too."""

    field: str
    operator: str
    text: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Cards that meet one of the conditions."""

    conditions: tuple[CardCondition, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Cards that meet all of the conditions."""

    conditions: tuple[CardCondition, ...]


CardCondition = FieldMatch | AnyOf | AllOf
Source = Nothing | Listed | InRange | WithUid | CardCondition


@dataclass(frozen=True, slots=True)
class Plan:
    """How a filter is answered: what the index gives, and what of that still has to be read (`residual`)."""

    source: Source
    residual: Residual


# --- calendars --------------------------------------------------------------------------------------------------------


def calendar_plan(filter: CompFilter) -> Plan:
    """RFC 4791 §9.7."""
    if filter.name != "VCALENDAR" or filter.is_not_defined or filter.time_range is not None:
        return Plan(Nothing(), Residual.NEVER)  # every stored object is a VCALENDAR, and none of them has a time
    if not filter.props and not filter.comps:
        return Plan(Listed(), Residual.NEVER)
    plans = [_comp_plan(comp) for comp in filter.comps]
    if len(plans) == 1 and not filter.props:
        return plans[0]
    # All have to hold: the narrowest gives the candidates, and of the others the octets tell.
    narrowest = min(plans, key=lambda plan: _WIDTH[type(plan.source)], default=Plan(Listed(), Residual.ALWAYS))
    return Plan(narrowest.source, Residual.ALWAYS)


_WIDTH: Final[dict[type[Source], int]] = {WithUid: 0, InRange: 1, Listed: 2}

# Kinds of which the index says of a range what §9.9 says. Not VTODO: occurrences of a task that recurs are kept a
# second wider, because its DUE may equal the end of the range, and a DUE before its DTSTART is read in two ways. Not
# VFREEBUSY: between its first and its last period there are holes.
_EXACT_IN_RANGE: Final = frozenset({"VEVENT", "VJOURNAL", "VAVAILABILITY"})


def _comp_plan(filter: CompFilter) -> Plan:
    """RFC 4791 §9.7.1, for a component of an object.

    An object about one of KINDS has components of no other of them (§4.1, refused at PUT), so the `component` of an
    item tells which of them it has. Of any other component (VTIMEZONE, X-…) the index knows nothing.
    """
    name = filter.name
    if name not in KINDS:
        return Plan(Listed(), Residual.ALWAYS)
    if filter.is_not_defined:
        return Plan(Listed(unlike=name), Residual.NEVER)
    alone = not filter.props and not filter.comps
    uid = max((_uid_text(one) for one in filter.props), key=len, default="")
    if uid:
        # Compared without the case of any letter, an octet or ASCII match is found, and perhaps others.
        return Plan(WithUid(name, uid), Residual.ALWAYS)
    if filter.time_range is not None:
        # Certain is an instance that is surely in the range: for a floating one wherever the clock may stand, for a
        # series one that the window knows. More conditions are asked of the component that has the instance.
        exact = alone and name in _EXACT_IN_RANGE
        return Plan(_in_range(name, filter.time_range), Residual.DOUBTFUL if exact else Residual.ALWAYS)
    return Plan(Listed(component=name), Residual.NEVER if alone else Residual.ALWAYS)


def _in_range(name: str, wanted: TimeRange) -> InRange:
    start = -OPEN if wanted.start is None else max(wanted.start, -OPEN)
    return InRange(name, start, OPEN if wanted.end is None else min(wanted.end, OPEN))


def _uid_text(filter: CalendarPropFilter) -> str:
    """A text that the UID contains where the filter matches; empty where none is known."""
    match = filter.text_match
    # i;unicode-casemap also ignores how letters are composed, which the index of UIDs does not.
    if filter.name != "UID" or match is None or match.negate or match.collation == "i;unicode-casemap":
        return ""
    return match.text


# --- cards ------------------------------------------------------------------------------------------------------------


def card_plan(filter: CardFilter) -> Plan:
    """RFC 6352 §10.5."""
    everyone = Listed(component="VCARD")
    if not filter.props:
        return Plan(everyone, Residual.NEVER)
    found = [_prop_condition(one) for one in filter.props]
    known = [one for one in found if one is not None]
    if not known or (filter.anyof and len(known) < len(found)):
        return Plan(everyone, Residual.ALWAYS)
    # Union and intersection of exact answers are exact: each prop-filter is asked of the whole card.
    exact = len(known) == len(found) and all(certain for _, certain in known)
    conditions = tuple(condition for condition, _ in known)
    return Plan(_joined(conditions, anyof=filter.anyof), Residual.NEVER if exact else Residual.ALWAYS)


def _prop_condition(filter: CardPropFilter) -> tuple[CardCondition, bool] | None:
    """What must be in the index of a card that matches, and whether that is enough; None where nothing must.

    Nothing is known of properties that are not indexed, of those without a value, and of what a match denies.
    """
    group, name = split_name(filter.name)
    if filter.is_not_defined or name not in FIELDS.values():
        return None
    found = [_field_match(name, match) for match in filter.text_matches]
    known = [one for one in found if one is not None]
    complete = len(known) == len(found) and not filter.params
    if not known or (filter.anyof and not complete):
        return None
    exact = complete and not group and all(certain for _, certain in known)
    if len(known) > 1 and not filter.anyof:
        exact = False  # the index knows not whether they hold for one and the same property of the card
    return _joined(tuple(condition for condition, _ in known), anyof=filter.anyof), exact


def _field_match(name: str, match: TextMatch) -> tuple[FieldMatch, bool] | None:
    """RFC 6352 §10.5.4. The index is folded as `i;unicode-casemap` folds; what the others match, it finds too."""
    if match.negate or not match.text:
        return None
    exact = match.collation == "i;unicode-casemap"
    operator = match.match_type
    if name in SEPARATORS and operator != "contains":
        # It may be a part that is equal; the index has the whole value, and that contains the part.
        operator, exact = "contains", False
    return FieldMatch(name, operator, fold(match.text)), exact


def _joined(conditions: tuple[CardCondition, ...], *, anyof: bool) -> CardCondition:
    if len(conditions) == 1:
        return conditions[0]
    return AnyOf(conditions) if anyof else AllOf(conditions)
