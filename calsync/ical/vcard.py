"""The fields of a card that a search looks into, and the folding that makes a search blind to case."""

from __future__ import annotations

import unicodedata
from typing import Final

from calsync.ical.lines import Component, Line, unescape

FIELDS: Final = {
    **{name: name for name in ("FN", "N", "NICKNAME", "EMAIL", "TEL", "ORG", "NOTE", "UID", "ADR", "TITLE")},
    **{name: name for name in ("CATEGORIES", "IMPP", "URL", "KIND", "MEMBER")},
    # Apple writes version 4's groups into version 3 under its own names.
    "X-ADDRESSBOOKSERVER-KIND": "KIND",
    "X-ADDRESSBOOKSERVER-MEMBER": "MEMBER",
}
"""Property names, upper case, and the field each is found under."""


class _Letters(dict[int, str]):
    """Letters and what they fold to, found out one by one; most texts need a few hundred."""

    def __missing__(self, letter: int) -> str:
        folded = unicodedata.normalize("NFKD", chr(letter).casefold()).casefold()
        if len(self) < 20_000:
            self[letter] = folded
        return folded


_LETTERS = _Letters()


def fold(text: str) -> str:
    """Text without case and composition, letter by letter, as `i;unicode-casemap` compares it (RFC 5051 §2).

    What contains a text by `i;octet` or `i;ascii-casemap` also contains it after folding both.
    """
    return text.lower() if text.isascii() else text.translate(_LETTERS)


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
