"""What Radicale hands over to be stored, made ready; and what the store refuses, in Radicale's words."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from radicale.item import Item, get_etag

from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.store.collections import Collection
from calsync.store.errors import Absent, Exists, Full, OverQuota, ReadOnly, UidConflict
from calsync.store.transaction import Transaction

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# What every client and every configuration of Radicale takes in a path.
_PLAIN_UID: Final = re.compile(r"[A-Za-z0-9@_-][A-Za-z0-9@._-]{0,180}")


def check_name(name: str) -> None:
    """ValueError for a name that no URL can carry."""
    if not name or name in (".", "..") or "/" in name or _CONTROL.search(name):
        raise ValueError(f"unsafe name: {name!r}")


def name_of(uid: str, suffix: str) -> str:
    """The name of a new item that a client did not name: made from its UID, as Radicale does."""
    if not _PLAIN_UID.fullmatch(uid):
        uid = get_etag(uid).strip('"')
    return uid if uid.lower().endswith(suffix) else uid + suffix


def prepared(tx: Transaction, collection: Collection, item: Item) -> ObjectResource:
    """The item as the store takes it, octets as Radicale wrote them. Raises `Refused`, a ValueError.

    As under stock, a METHOD and components outside the calendar's set are taken.
    """
    octets = item.serialize().encode()
    if collection.kind == "addressbook":
        return address_object(octets)
    return calendar_object(octets, window=(tx.window.start, tx.window.end), allow_method=True)


@contextmanager
def refusals() -> Iterator[None]:
    """Raise as ValueError what Radicale answers with a 4xx; by the number of the error it finds 507 and 403."""
    try:
        yield
    except (UidConflict, Exists, Absent) as error:
        raise ValueError(str(error)) from error
    except (Full, OverQuota) as error:
        raise ValueError(f"[Errno {errno.ENOSPC}] {error}") from error
    except ReadOnly as error:
        raise ValueError(f"[Errno {errno.EACCES}] {error}") from error
