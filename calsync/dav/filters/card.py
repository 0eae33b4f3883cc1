"""The exact test of an addressbook-query's filter (RFC 6352 §10.5)."""

from __future__ import annotations

from typing import Final

from calsync.dav.filters.text import matches_any, param_matches, texts
from calsync.ical.lines import Component, Line
from calsync.ical.vcard import FIELDS
from calsync.webdav.requests import CardFilter, CardPropFilter

#: Properties that are lists or have a structure: a match may be with the whole value or with one part of it.
SEPARATORS: Final = {"N": ";,", "ADR": ";,", "ORG": ";", "NICKNAME": ",", "CATEGORIES": ","}


def matches(card: Component, filter: CardFilter) -> bool:
    """Whether a card is found. Without a prop-filter every card is (clients.md 24)."""
    if card.name != "VCARD":  # SOGo's lists are no cards (clients.md 35)
        return False
    if not filter.props:
        return True
    join = any if filter.anyof else all
    return join(_prop_matches(one, card) for one in filter.props)


def split_name(name: str) -> tuple[str, str]:
    """A filter's name as group and canonical property name. KIND and MEMBER are found under either spelling.

    A card that is given as version 4 shows Apple's X-ADDRESSBOOKSERVER-KIND as KIND (clients.md 8).
    """
    group, _, local = name.rpartition(".")
    return group, FIELDS.get(local, local)


def _prop_matches(filter: CardPropFilter, card: Component) -> bool:
    """RFC 6352 §10.5.1: all conditions are asked of one and the same property."""
    group, name = split_name(filter.name)
    lines = [
        line
        for line in card.lines
        if FIELDS.get(line.name, line.name) == name and (not group or line.group.upper() == group)
    ]
    if filter.is_not_defined:
        return not lines
    return any(_line_matches(filter, line, SEPARATORS.get(name, "")) for line in lines)


def _line_matches(filter: CardPropFilter, line: Line, separators: str) -> bool:
    if not filter.text_matches and not filter.params:
        return True
    values = list(texts(line, separators)) if filter.text_matches else []
    results = (
        *(matches_any(match, values) for match in filter.text_matches),
        *(param_matches(param, line) for param in filter.params),
    )
    return any(results) if filter.anyof else all(results)
