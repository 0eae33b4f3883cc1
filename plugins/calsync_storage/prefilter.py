"""What must hold of an item's index row so that a filter of Radicale's can match it.

Radicale tests the filters of a query against parsed items; this finds the few items that are worth parsing.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from radicale.item.filter import TIMESTAMP_MAX, TIMESTAMP_MIN, simplify_prefilters

from calsync.ical.facts import MAX_INSTANT, MIN_INSTANT
from calsync.webdav.names import C

_COMP_FILTER: Final = C("comp-filter")
_PROP_FILTER: Final = C("prop-filter")
_TEXT_MATCH: Final = C("text-match")
_COMPONENTS: Final = ("VEVENT", "VTODO", "VJOURNAL")


@dataclass(frozen=True, slots=True)
class Condition:
    """`component` None is any; `[start, end)` are instants; `uid` is a text that the UID contains, in whatever case.

    `whole`: the filter says no more than component and range.
    """

    component: str | None
    start: int
    end: int
    uid: str
    whole: bool

    @property
    def ranges(self) -> bool:
        """Whether it asks for a range at all."""
        return self.start > MIN_INSTANT or self.end < MAX_INSTANT


def condition(filters: Iterable[ET.Element], tag: str) -> Condition:
    """The condition that follows from `filters`, all of which must match. `tag` is Radicale's tag of the collection."""
    filters = list(filters)
    component, start, end, whole = simplify_prefilters(filters, tag)
    return Condition(
        component,
        MIN_INSTANT if start <= TIMESTAMP_MIN else start,
        MAX_INSTANT if end >= TIMESTAMP_MAX else end,
        max(_uids(filters), key=len, default="") if tag == "VCALENDAR" else "",
        whole,
    )


def _uids(filters: Sequence[ET.Element]) -> Iterator[str]:
    # RFC 4791 §9.7.2: each prop-filter of a comp-filter must hold. Only these components are looked into by Radicale.
    for filter_ in filters:
        for component in filter_.iterfind(f"{_COMP_FILTER}/{_COMP_FILTER}"):
            if component.get("name", "").upper() not in _COMPONENTS:
                continue
            for prop in component.iterfind(_PROP_FILTER):
                text = _contained(prop) if prop.get("name", "").upper() == "UID" else ""
                # With a backslash the parsed value may differ from the indexed one.
                if "\\" not in text:
                    yield text


def _contained(prop: ET.Element) -> str:
    """The text that the property must contain, empty where the filter says something else."""
    match = prop[0] if len(prop) == 1 else None
    if match is None or match.tag != _TEXT_MATCH or match.get("negate-condition") == "yes":
        return ""
    return next(match.itertext(), "")
