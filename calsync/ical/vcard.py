"""The fields of a card that a search looks into, and the folding that makes a search blind to case."""

from __future__ import annotations

from typing import Final

from calsync.casemap import fold
from calsync.ical.lines import Component, Line, unescape

FIELDS: Final = {
    **{name: name for name in ("FN", "N", "NICKNAME", "EMAIL", "TEL", "ORG", "NOTE", "UID", "ADR", "TITLE")},
    **{name: name for name in ("CATEGORIES", "IMPP", "URL", "KIND", "MEMBER")},
    # Apple writes version 4's groups into version 3 under its own names.
    "X-ADDRESSBOOKSERVER-KIND": "KIND",
    "X-ADDRESSBOOKSERVER-MEMBER": "MEMBER",
}
"""Property names, upper case, and the field each is found under."""


def field_text(line: Line) -> str:
    """The text of a property that a search compares: unescaped, structured parts still with their separators."""
    return unescape(line.value)


def card_fields(card: Component) -> tuple[tuple[str, str], ...]:
    """(field, folded text) of every property in FIELDS, in the card's order; empty ones are left out."""
    return tuple(
        (field, text)
        for line in card.lines
        if (field := FIELDS.get(line.name)) is not None and (text := fold(field_text(line).strip()))
    )
