"""Instants as people write and read them, on the clock of this machine."""

from __future__ import annotations

import argparse
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 7 * 86400,
    "week": 7 * 86400,
}
_AGO: Final = re.compile(r"(\d{1,6})\s*([a-z]+?)s?(?:\s+ago)?")

#: For the help of an option.
WHEN: Final = "2026-11-20 (as the day began), 2026-11-20T15:00, '2h ago', '3 days ago', today, yesterday"


def past(text: str) -> int:
    """The instant that is meant. Raises `ArgumentTypeError` for what is none, and for one that has not come."""
    instant = _instant(" ".join(text.lower().split()))
    if instant is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time (write {WHEN})")
    if instant > time.time():
        raise argparse.ArgumentTypeError(f"{text!r} has not come yet")
    return instant


def _instant(text: str) -> int | None:
    if text == "now":
        return int(time.time())
    if text in ("today", "yesterday"):
        here = datetime.fromtimestamp(time.time(), UTC).astimezone()
        today = here.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        return int((today - timedelta(days=text == "yesterday")).timestamp())
    match = _AGO.fullmatch(text)
    if match is not None:
        unit = _UNITS.get(match[2])
        return None if unit is None else int(time.time()) - int(match[1]) * unit
    try:
        return int(datetime.fromisoformat(text.upper()).timestamp())  # without an offset: the time of this machine
    except (ValueError, OverflowError, OSError):
        return None


def shown(instant: int) -> str:
    """`2026-11-20 15:00:12`, as the clock here showed it."""
    return f"{datetime.fromtimestamp(instant, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
