"""What can still be read of a store that is being replaced, damaged as it may be.

It is read as it lies, statement by statement; where a page of the file is spoiled the stretch of ids around it is
halved until only the spoiled rows are left out. Octets count only where their checksum is right.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from calsync.recovery.state import State
from calsync.store.entries import LINEAGE, Content, Grave, Owner, Place, Restored

#: Under which the store keeps what `Restored` tells, for when there is no journal.
_TOP: Final = 2**62

# What an older or newer calsync may have called otherwise is not asked for.
_OWNERS: Final = "SELECT id, name, kind, seq, epoch, properties FROM principal"
_PLACES: Final = (
    "SELECT c.id, m.parent, m.name, c.kind, c.components, c.properties, c.seq, c.horizon FROM mount m "
    "JOIN collection c ON c.owner = m.owner AND c.id = m.collection WHERE m.owner = ? AND m.principal = m.owner"
)
_ROWS: Final = (
    "SELECT id, href, etag, content_type, seq FROM item WHERE owner = ? AND collection = ? AND id BETWEEN ? AND ?"
)
_GREATEST: Final = "SELECT max(id) FROM item WHERE owner = ? AND collection = ?"
_INDEXED: Final = (
    "SELECT url, etag, seq, id FROM item INDEXED BY item_delta WHERE owner = ? AND collection = ? AND seq > ?"
)
_GRAVES: Final = "SELECT collection, href, seq FROM tombstone WHERE owner = ? AND collection = ? AND seq > ?"
_BODY: Final = "SELECT octets FROM body WHERE owner = ? AND item = ?"
_PROPERTIES: Final = "SELECT name, xml FROM dead_property WHERE owner = ? AND item = ?"
_META: Final = "SELECT value FROM meta WHERE key = ?"


@dataclass(slots=True)
class Salvaged:
    """`states` and `seqs` by epoch. `sound`: the database's own check found nothing. `problems`: for people."""

    states: dict[str, State] = field(default_factory=dict)
    restored: list[Restored] = field(default_factory=list)
    seqs: dict[str, int] = field(default_factory=dict)
    sound: bool = False
    readable: bool = False
    problems: list[str] = field(default_factory=list)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, for reading only, with what its log holds. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False)
    with contextlib.closing(connection):
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection


def gather(connection: sqlite3.Connection, seqs: Mapping[str, int]) -> Salvaged:
    """All that was changed beyond a backup's principals (epoch → seq)."""
    found = Salvaged()
    try:
        checked = [text for (text,) in connection.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        checked = [str(error)]
    found.sound = checked == ["ok"]
    if not found.sound:
        found.problems += checked
    try:
        owners = connection.execute(_OWNERS).fetchall()
    except sqlite3.Error as error:
        found.problems.append(f"who had anything cannot be read: {error}")
        return found
    found.readable = True
    found.restored = _lineage(connection)
    begins = {one.new: one.begin for one in found.restored} | dict(seqs)
    for id_, name, kind, seq, epoch, properties in owners:
        state = found.states[epoch] = State(epoch)
        found.seqs[epoch] = seq
        since = begins.get(epoch, 0)
        if not seq > since:
            continue
        with _noting(found, f"{name}: the properties"):
            state.add(Owner(epoch, id_, name, kind, since, seq, json.loads(properties)))
        _Reading(connection, found, state, id_, since).all(name)
    return found


@dataclass(slots=True)
class _Reading:
    connection: sqlite3.Connection
    found: Salvaged
    state: State
    owner: int
    since: int

    def all(self, name: str) -> None:
        rows: list[Any] = []
        with _noting(self.found, f"{name}: which collections there are"):
            rows = self.connection.execute(_PLACES, (self.owner,)).fetchall()
        self._graves(name, 0)
        for id_, parent, called, kind, components, properties, seq, forgotten in rows:
            path = f"{name}/{called}"
            if seq <= self.since:
                continue
            with _noting(self.found, f"{path}: its properties"):
                place = Place(
                    self.state.epoch, id_, parent, called, kind,
                    tuple(components.split(",")) if components else (), json.loads(properties), seq,
                )  # fmt: skip
                self.state.add(place)
            self._items(path, id_, all_names=self.found.sound and forgotten > self.since)
            self._graves(path, id_)

    def _graves(self, path: str, collection: int) -> None:
        with _noting(self.found, f"{path}: what was deleted in it"):
            for inside, href, seq in self.connection.execute(_GRAVES, (self.owner, collection, self.since)):
                self.state.add(Grave(self.state.epoch, inside, href, seq))

    def _items(self, path: str, collection: int, *, all_names: bool) -> None:
        try:
            greatest = self.connection.execute(_GREATEST, (self.owner, collection)).fetchone()[0] or 0
        except sqlite3.Error:
            greatest = _TOP
        names: set[str] = set()
        for id_, href, etag, content_type, seq in self._rows(collection, 0, greatest):
            names.add(href)
            if seq > self.since:
                self._item(collection, id_, href, etag, content_type, seq)
        if all_names:
            # Deletions from before the horizon are forgotten: what is not there has gone.
            self.state.whole[collection] = names
        if not self.found.sound:
            self._indexed(path, collection)

    def _rows(self, collection: int, low: int, high: int) -> Iterator[tuple[Any, ...]]:
        """The rows with ids in `[low, high]`; around a spoiled page all that can be had."""
        try:
            rows = self.connection.execute(_ROWS, (self.owner, collection, low, high)).fetchall()
        except sqlite3.Error:
            if low < high and high < _TOP:
                middle = (low + high) // 2
                yield from self._rows(collection, low, middle)
                yield from self._rows(collection, middle + 1, high)
        else:
            yield from (row for row in rows if isinstance(row[1], str) and isinstance(row[4], int))

    def _indexed(self, path: str, collection: int) -> None:
        """What the index still names, though the table does not."""
        with _noting(self.found, f"{path}: its index"):
            for url, etag, seq, id_ in self.connection.execute(_INDEXED, (self.owner, collection, self.since)):
                href = unquote(url)
                if (collection, href) not in self.state.members:
                    self._item(collection, id_, href, etag, "", seq)

    def _item(self, collection: int, id_: int, href: str, etag: str, content_type: str, seq: int) -> None:
        epoch = self.state.epoch
        fetch = partial(_fetched, self.connection, self.owner, epoch, collection, id_, href, etag, content_type, seq)
        if fetch() is None:
            self.state.unread[collection, href] = seq
        else:
            self.state.add(Content(epoch, collection, href, etag, content_type, seq), fetch)


def _fetched(
    connection: sqlite3.Connection,
    owner: int,
    epoch: str,
    collection: int,
    id_: int,
    href: str,
    etag: str,
    content_type: str,
    seq: int,
) -> Content | None:
    try:
        row = connection.execute(_BODY, (owner, id_)).fetchone()
        if row is None or not isinstance(row[0], bytes) or sha256(row[0]).hexdigest() != etag:
            return None
        properties = dict(connection.execute(_PROPERTIES, (owner, id_)))
    except sqlite3.Error:
        return None
    return Content(epoch, collection, href, etag, content_type, seq, properties, row[0])


def _meta(connection: sqlite3.Connection, key: str) -> bytes:
    try:
        row = connection.execute(_META, (key,)).fetchone()
    except sqlite3.Error:
        return b""
    return bytes(row[0]) if row else b""


def _lineage(connection: sqlite3.Connection) -> list[Restored]:
    try:
        return [Restored(**one) for one in json.loads(_meta(connection, LINEAGE) or b"[]")]
    except (ValueError, TypeError):
        return []


@contextlib.contextmanager
def _noting(found: Salvaged, what: str) -> Iterator[None]:
    """What cannot be read is said, and the rest is read on."""
    try:
        yield
    except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
        found.problems.append(f"{what} cannot be read ({error})")
