"""Both sides of a collection after a run: what is here as it was taken, what is not, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calsync.remote.arriving import AGAIN
from calsync.remote.listing import Listing, same_etag
from calsync.remote.state import Memory
from calsync.store import items, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.webdav.urls import encode_segment

_PAGE: Final = 500


@dataclass(slots=True)
class Compared:
    """Both sides of a collection after a run, in items.

    `there`: at the source; `same`: here as they were taken; `changed`, `removed`: here since; `refused`: not taken;
    `left`: at the source no more, but here; `deleted`: of those, put into the trash; `missing`: neither here nor told.
    `failure`: why it was not looked at to the end.
    """

    path: str
    displayname: str
    kind: str
    target: str = ""
    there: int = 0
    same: int = 0
    changed: int = 0
    removed: int = 0
    refused: int = 0
    left: int = 0
    deleted: int = 0
    missing: int = 0
    failure: str = ""

    @property
    def complete(self) -> bool:
        """All that is at the source is here, or was here and somebody wanted it otherwise."""
        return not (self.failure or self.refused or self.missing)

    def line(self) -> str:
        """For people."""
        if self.failure:
            return f"{self.path}: {self.failure}"
        told = {
            "changed here since": self.changed,
            "removed here since": self.removed,
            "refused": self.refused,
            "not here": self.missing,
            "at the source no more": self.left,
            "put into the trash": self.deleted,
        }
        rest = "".join(f", {count} {what}" for what, count in told.items() if count)
        return f"{self.path} ({self.displayname}) → {self.target}: {self.there} there, {self.same} the same here{rest}"


def compare(store: Store, collection: Collection, memory: Memory, final: Listing, told: Compared) -> None:
    """Names and ETags of both sides; here those of what is stored now."""
    here = _etags(store, collection)
    with store.read() as tx:
        kept = {entry.digest for entry in quarantine.listing(tx, collection.owner)}
    told.there = len(final.items)
    for name, one in final.items.items():
        entry = memory.entries.get(name)
        if entry is None or (one.etag and entry.etag not in (AGAIN, "") and not same_etag(entry.etag, one.etag)):
            told.missing += 1
        elif not entry.href:
            told.refused += entry.etag == AGAIN or entry.digest in kept
        elif (etag := here.get(encode_segment(entry.href))) is None:
            told.removed += 1
        elif etag == entry.here and entry.etag != AGAIN:
            told.same += 1
        else:
            told.changed += 1


def _etags(store: Store, collection: Collection) -> dict[str, str]:
    """Of all items here, by their names as they stand in URLs."""
    found: dict[str, str] = {}
    after = 0
    while True:
        with store.read() as tx:
            page = items.page(tx, collection, after, _PAGE)
        found.update((one.url, one.etag) for one in page)
        if len(page) < _PAGE:
            return found
        after = page[-1].id
