"""One collection as one file: .ics with every event and each time zone once, or .vcf with every card."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from calsync.ical.whole import join_calendar, join_cards
from calsync.store import collections, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Damaged
from calsync.transfer.report import Outcome, Report, Result
from calsync.transfer.source import SourceError
from calsync.transfer.writer import stored
from calsync.webdav.names import C, D, to_human
from calsync_storage.properties import to_radicale


def write(store: Store, path: str, user: str, name: str, report: Report) -> None:
    """Write the collection `name` of `user` to `path`, or to standard output (`-`). Raises `SourceError`."""
    with store.read() as tx:
        principal = principals.find(tx, user)
        found = collections.find(tx, principal, name.strip("/").split("/")) if principal else None
    if found is None:
        raise SourceError(f"no collection {name!r} of a user {user!r}")
    if found.kind not in ("calendar", "addressbook"):
        raise SourceError(f"{name!r} is neither a calendar nor an address book")
    with ExitStack() as stack:
        if path == "-":
            output: BinaryIO = sys.stdout.buffer
        else:
            try:
                output = stack.enter_context(Path(path).open("xb"))
            except OSError as error:
                raise SourceError(f"{path}: {error.strerror}") from error
        for piece in _whole(store, found, f"/{user}/{name}/", report):
            output.write(piece)
        output.flush()


def items_of(store: Store, user: str | None) -> int:
    """How many items an export has to write."""
    total = 0
    with store.read() as tx:
        for principal in principals.listing(tx):
            if user is None or principals.find(tx, user) == principal:
                for child in collections.children(tx, principal.id):
                    for one in (child, *collections.below(tx, child)):
                        total += one.items if one.owner == principal.id else 0
    return total


def _whole(store: Store, collection: Collection, path: str, report: Report) -> Iterator[bytes]:
    objects = _objects(store, collection, path, report)
    if collection.kind == "addressbook":
        return join_cards(objects)
    named = {key: collection.properties[key] for key in _NAMES if key in collection.properties}
    said = to_radicale(collection.kind, (), named)
    return join_calendar(objects, name=said.get(to_human(_NAMES[0])), description=said.get(to_human(_NAMES[1])))


_NAMES = (D("displayname"), C("calendar-description"))


def _objects(store: Store, collection: Collection, path: str, report: Report) -> Iterator[bytes]:
    for item, octets in stored(store, collection):
        if isinstance(octets, Damaged):
            report.add(Result(Outcome.REFUSED, path + item.href, reason=str(octets)))
        else:
            report.add(Result(Outcome.WRITTEN, path + item.href))
            yield octets
