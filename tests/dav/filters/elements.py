"""What filters of calendars and of address books have in common (RFC 4791 §9.7, RFC 6352 §10.5)."""

from __future__ import annotations

ABSENT = "<is-not-defined/>"


def text(value: str, **attributes: str) -> str:
    given = "".join(f' {key.replace("_", "-")}="{one}"' for key, one in attributes.items())
    return f"<text-match{given}>{value}</text-match>"
