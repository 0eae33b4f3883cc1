"""What the filters of calendars and cards have in common: texts and parameters of a content line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from calsync.ical.lines import Line, split_values, unescape
from calsync.webdav import collations
from calsync.webdav.requests import ParamFilter, TextMatch


def matches_any(match: TextMatch, values: Iterable[str]) -> bool:
    """Whether one of the values fits or, with `negate-condition`, none does (RFC 4791 §9.7.5, RFC 6352 §10.5.4)."""
    # `collations.matches` heeds the negation; here it holds for all values together.
    return any(collations.matches(match, value) != match.negate for value in values) != match.negate


def texts(line: Line, separators: str) -> Iterator[str]:
    """The value as one text and, where it is a list or has a structure, each of its parts."""
    value = line.value
    yield unescape(value).strip()
    parts = [value]
    for separator in separators:
        parts = [inner for part in parts for inner in split_values(part, separator)]
    if len(parts) > 1:
        for part in parts:
            yield unescape(part).strip()


def param_matches(filter: ParamFilter, line: Line) -> bool:
    """RFC 4791 §9.7.3, RFC 6352 §10.5.2: a parameter matches by any of its values."""
    found = [values for name, values in line.params if name == filter.name]
    if filter.is_not_defined or not found:
        return filter.is_not_defined and not found
    return filter.text_match is None or matches_any(filter.text_match, _param_texts(found))


def _param_texts(found: Iterable[Iterable[str]]) -> Iterator[str]:
    for values in found:
        for value in values:
            yield value
            if "," in value:  # a list inside quotes, as RFC 6350 §6.4.1 writes TYPE
                yield from value.split(",")
