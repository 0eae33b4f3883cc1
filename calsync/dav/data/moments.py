"""Dates and times: `1996-04-15` of version 3 (RFC 2425 §5.8.4) ⇄ `19960415` of version 4 (RFC 6350 §4.3)."""

from __future__ import annotations

import re
from typing import Final

from calsync.dav.data.drafts import Draft

_MOMENT: Final = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?"
)
_YEARLESS: Final = re.compile(r"--(\d\d)-?(\d\d)")
# RFC 6350 §4.3: a year, a year and a month, a month, a day, or a time alone.
_PARTIAL: Final = re.compile(r"\d{4}(?:-\d\d)?|--\d\d|---\d\d|(?:\d{4}-?\d\d-?\d\d|--\d{4}|---\d\d)?T[\d+\-Z:]+")

#: Apple's year for a date without one, and the parameter that says so: there were leap days in it.
_OMITTED: Final = "1604"
_OMIT_YEAR: Final = "X-APPLE-OMIT-YEAR"

_DATE_VALUES: Final = frozenset({"date", "date-time", "date-and-or-time", "timestamp"})


def basic(text: str) -> str | None:
    """A date, perhaps with a time, without the signs between; None where it is none."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    date = year + month + day
    if hour is None:
        return date
    return f"{date}T{hour}{minute or ''}{second or ''}{(zone or '').replace(':', '')}"


def extended(text: str) -> str | None:
    """The same with the signs."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    date = f"{year}-{month}-{day}"
    if hour is None:
        return date
    if zone and len(zone) == 5:
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{date}T{':'.join(part for part in (hour, minute, second) if part)}{zone or ''}"


def day_to_4(draft: Draft) -> Draft:
    """A birthday or anniversary; Apple's form of one without year, and free text, get version 4's own."""
    value = draft.value.strip()
    plain = draft.without("VALUE") if (draft.param("VALUE") or "").lower() in _DATE_VALUES else draft
    short = basic(value)
    if short is None:
        known = not value or _YEARLESS.fullmatch(value) or _PARTIAL.fullmatch(value) or draft.says("VALUE", "text")
        return plain if known else plain.without("VALUE").having("VALUE", "text")
    omitted = draft.param(_OMIT_YEAR)
    if omitted is not None:
        plain = plain.without(_OMIT_YEAR)
        if short.startswith(omitted):
            short = "--" + short[4:]
    return plain._replace(value=short)


def day_to_3(draft: Draft) -> Draft | None:
    """The reverse; None for what version 3 cannot say: a year or a month alone, or free text."""
    value = draft.value.strip()
    if draft.says("VALUE", "text"):
        return None
    plain = draft.without("VALUE") if (draft.param("VALUE") or "").lower() in _DATE_VALUES else draft
    yearless = _YEARLESS.fullmatch(value)
    if yearless is not None:
        return plain.having(_OMIT_YEAR, _OMITTED)._replace(value=f"{_OMITTED}-{yearless[1]}-{yearless[2]}")
    long = extended(value)
    if long is None:
        return plain if not value else None
    return (plain.having("VALUE", "date-time") if "T" in long else plain)._replace(value=long)


def stamp_to_4(draft: Draft) -> Draft:
    """REV: a day alone is its midnight, since version 4 wants a time (RFC 6350 §6.7.4)."""
    short = basic(draft.value.strip())
    if short is None:
        return draft
    return draft.without("VALUE")._replace(value=short if "T" in short else short + "T000000Z")


def stamp_to_3(draft: Draft) -> Draft:
    long = extended(draft.value.strip())
    return draft if long is None else draft.without("VALUE")._replace(value=long)
