"""Names of principals: when two are the same."""

from __future__ import annotations

import unicodedata


def folded(name: str) -> str:
    """The form in which names of principals are compared: NFC, without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
