"""Collations (RFC 4790) and the text matches of CalDAV and CardDAV filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from calsync import casemap
from calsync.webdav.requests import TextMatch

_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _octet(text: str) -> str:
    return text


def _ascii_casemap(text: str) -> str:
    return text.translate(_ASCII_LOWER)


#: What `supported-collation-set` lists (RFC 4791 §7.5.1, RFC 6352 §8.3.1): each maps a text to what is compared.
COLLATIONS: Final[dict[str, Callable[[str], str]]] = {
    "i;ascii-casemap": _ascii_casemap,
    "i;octet": _octet,
    "i;unicode-casemap": casemap.fold,
}

_COMPARE: Final[dict[str, Callable[[str, str], bool]]] = {
    "equals": str.__eq__,
    "contains": str.__contains__,
    "starts-with": str.startswith,
    "ends-with": str.endswith,
}
MATCH_TYPES: Final = frozenset(_COMPARE)


def fold(text: str, collation: str) -> str:
    """What a collation compares; two texts are equal under it if these are."""
    return COLLATIONS[collation](text)


def matches(match: TextMatch, value: str) -> bool:
    """Whether a value fits, `negate-condition` included (RFC 4791 §9.7.5, RFC 6352 §10.5.4)."""
    key = COLLATIONS[match.collation]
    return _COMPARE[match.match_type](key(value), key(match.text)) != match.negate
