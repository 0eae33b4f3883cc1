"""What was taken from a collection of another server: so that the next run fetches only what has changed since.

It lies in `meta`, a head and pages for each collection: a page is written with each chunk of items, so that a run that
is broken off is continued, and once there are many they are put together. It goes with the store when that moves, and
with the user when that is purged.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from calsync.store import meta

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

#: Entries of a page that was put together, and how many loose pages are left as they are.
_PAGE: Final = 2000
_LOOSE: Final = 20


class Entry(NamedTuple):
    """An item of the source. `etag`: there, when it was taken; `digest`: sha256 of its octets there.

    `href`: its name here, empty where it was refused; `here`: its ETag here, as it was written.
    """

    etag: str
    digest: str
    href: str
    here: str


@dataclass(slots=True)
class Memory:
    """Of one collection. `collection`: its id here, 0 before it is made; `properties`: as the source had them.

    `token`: what has changed since then is asked for; empty until all was taken once. `login`: who took it last.
    """

    key: str
    collection: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    host: str = ""
    path: str = ""
    login: str = ""
    entries: dict[str, Entry] = field(default_factory=dict)
    _next: int = 0
    _loose: int = 0
    _stale: bool = False
    _run: str = field(default_factory=lambda: secrets.token_hex(4))

    @classmethod
    def read(cls, tx: Transaction, principal: int, host: str, path: str) -> Memory:
        """What is known of the collection at `path` of `host`, of which a copy belongs to `principal`."""
        found = cls(f"{prefix(principal)}{sha256(f'{host} {path}'.encode()).hexdigest()[:32]}:", host=host, path=path)
        for key, value in meta.starting(tx, found.key):
            told = json.loads(value)
            if key == found._head:
                found.collection, found.properties = told["collection"], told["properties"]
                found.token, found.login = told["token"], told.get("login", "")
            else:
                number = int(key.removeprefix(found.key).partition("-")[0])
                found._next = max(found._next, number + 1)
                found._loose += 1
                for name, entry in told.items():
                    if entry is None:
                        found.entries.pop(name, None)
                    else:
                        found.entries[name] = Entry(*entry)
        return found

    @property
    def _head(self) -> str:
        return f"{self.key}head"

    def write_head(self, tx: Transaction) -> None:
        """Note collection, properties and token."""
        if self._stale:
            meta.remove_starting(tx, self.key)
            self._stale = False
        told = {
            "collection": self.collection,
            "properties": dict(self.properties),
            "token": self.token,
            "host": self.host,
            "path": self.path,
            "login": self.login,
        }
        meta.put(tx, self._head, json.dumps(told).encode())

    def anew(self) -> Memory:
        """Nothing is known any more, once the head is written."""
        return Memory(self.key, host=self.host, path=self.path, _stale=True)

    def note(self, tx: Transaction, changed: Mapping[str, Entry | None]) -> None:
        """Note what became of items; None: it is not known any more."""
        if not changed:
            return
        for name, entry in changed.items():
            if entry is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = entry
        self._page(tx, changed)

    def _page(self, tx: Transaction, page: Mapping[str, Entry | None]) -> None:
        # Two runs at once number alike; neither may write over what the other knows.
        meta.put(tx, f"{self.key}{self._next:08d}-{self._run}", json.dumps(page).encode())
        self._next += 1
        self._loose += 1

    def gather(self, tx: Transaction) -> None:
        """Put pages together where there are many more than need be."""
        if self._loose <= len(self.entries) // _PAGE + _LOOSE:
            return
        meta.remove_starting(tx, self.key)
        self._next = self._loose = 0
        entries = list(self.entries.items())
        for start in range(0, len(entries), _PAGE):
            self._page(tx, dict(entries[start : start + _PAGE]))
        self.write_head(tx)


def prefix(principal: int) -> str:
    """With which all keys about a principal begin."""
    return f"moved-in:{principal}:"


class Taken(NamedTuple):
    """A collection that was filled from elsewhere: its id here; host, path and login there."""

    id: int
    host: str
    path: str
    login: str


def taken_here(tx: Transaction, principal: int) -> list[Taken]:
    """Those of a principal."""
    heads = [json.loads(value) for key, value in meta.starting(tx, prefix(principal)) if key.endswith(":head")]
    return [Taken(int(one["collection"]), one["host"], one["path"], one.get("login", "")) for one in heads]
