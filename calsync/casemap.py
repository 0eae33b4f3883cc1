"""Text without case and composition: what filters compare, and what the index of card fields keeps."""

from __future__ import annotations

import unicodedata
from typing import Final


class _Letters(dict[int, str]):
    """Letters and what they fold to, found out one by one; most texts need a few hundred."""

    def __missing__(self, letter: int) -> str:
        folded = unicodedata.normalize("NFKD", chr(letter).casefold()).casefold()
        if len(self) < 20_000:
            self[letter] = folded
        return folded


_LETTERS: Final = _Letters()


def fold(text: str) -> str:
    """A text letter by letter as `i;unicode-casemap` compares it.

    RFC 5051 §2 maps to title case before it decomposes; full case folding finds no less (STRASSE finds Straße). What
    contains a text by `i;octet` or `i;ascii-casemap` also contains it after folding both.
    """
    return text.lower() if text.isascii() else text.translate(_LETTERS)
