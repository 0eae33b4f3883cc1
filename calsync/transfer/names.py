"""Names on their way in and out: what is reserved in a home, what a file may be called, what an item is called."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Container
from typing import Final

#: Names in a home that are the server's own (scheduling, notifications, trash).
RESERVED: Final = frozenset({"inbox", "outbox", "notifications", "freebusy", "trash"})

_LONGEST_FILE: Final = 255  # octets of a file name on Linux and macOS
_LONGEST_HREF: Final = 200


def free_of_reserved(name: str, taken: Container[str]) -> str:
    """`name`, or another where it is reserved: the same for the same source, so that a second import finds it."""
    if name not in RESERVED:
        return name
    return free(f"{name}-imported", taken)


def free(name: str, taken: Container[str]) -> str:
    """`name` or the first of `name-2`, `name-3`, … that is not taken. An ending like .ics stays at the end."""
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem or len(ending) > 4:
        stem, dot, ending = name, "", ""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{stem}-{number}{dot}{ending}"
    return candidate


def href_for(uid: str, ending: str) -> str:
    """The item name for a UID: the UID itself where it can stand in a URL and a file name, else a digest of it."""
    plain = uid.removesuffix(ending)
    usable = (
        plain
        and len((plain + ending).encode()) <= _LONGEST_HREF
        and not plain.startswith(".")
        and not any(letter in '/\\:*?"<>|%#' or unicodedata.category(letter)[0] == "C" for letter in plain)
        and plain == plain.strip()
    )
    return (plain if usable else hashlib.sha256(uid.encode()).hexdigest()[:40]) + ending


def collection_name(text: str) -> str:
    """A collection's URL name from a file's or a calendar's: letters and digits in lower case, dashes between."""
    kept = "".join(letter.casefold() if letter.isalnum() else "-" for letter in unicodedata.normalize("NFC", text))
    name = "-".join(part for part in kept.split("-") if part)
    return name[:60] or "imported"


def file_name(href: str) -> str:
    """The name under which stock Radicale serves a file: the href, changed only where Radicale would not show it."""
    name = href
    if name.startswith("."):
        name = f"_{name}"
    if name.endswith("~"):
        name = f"{name}_"
    if len(name.encode()) > _LONGEST_FILE:
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending if dot and len(ending) <= 4 else ""
        name = hashlib.sha256((stem or name).encode()).hexdigest() + ending
    return name
