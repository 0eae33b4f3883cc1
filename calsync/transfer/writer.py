"""A store written out as the folder that stock Radicale reads: plain .ics and .vcf files, properties as JSON.

The folder appears under its name when it is whole. Octets are written as they are stored; an item that turns out to be
damaged is reported and left out. Each page is a short read: what changes meanwhile may or may not be in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Damaged
from calsync.store.items import Item
from calsync.store.principals import Principal
from calsync.transfer.names import file_name, free
from calsync.transfer.radicale_folder import PROPS, ROOT
from calsync.transfer.report import Outcome, Report, Result
from calsync.transfer.source import SourceError
from calsync_storage.properties import illegible, to_radicale

PAGE: Final = 200  # items a read


@dataclass(slots=True)
class Writing:
    """One run of an export. `report` is told of each item."""

    store: Store
    report: Report
    progress: Callable[[int], None] = lambda _count: None
    each: Callable[[Result], None] = lambda _result: None

    def folder(self, target: Path, user: str | None = None) -> None:
        """Write all users, or one, below `target`/collection-root. Raises `SourceError` where that cannot be."""
        root, partial = target / ROOT, target / f"{ROOT}.partial"
        if root.exists() or partial.exists():
            raise SourceError(f"{root if root.exists() else partial}: is there already (choose an empty folder)")
        with self.store.read() as tx:
            chosen = [one for one in [principals.find(tx, user)] if one] if user else principals.listing(tx)
        if user and not chosen:
            raise SourceError(f"no user {user!r}")
        _make(target)
        _make(partial)
        for principal in chosen:
            self._principal(principal, partial)
        os.sync()
        partial.rename(root)

    def _principal(self, principal: Principal, root: Path) -> None:
        name = file_name(principal.name)
        place = root / name
        _make(place)
        if principal.properties:
            self._properties(place, f"/{principal.name}/", "plain", (), principal.properties)
        self._children(principal, 0, place, f"/{principal.name}/")

    def _children(self, principal: Principal, parent: int, place: Path, path: str) -> None:
        with self.store.read() as tx:
            # A share belongs to its owner's folder, not to the home that it is seen in.
            own = [child for child in collections.children(tx, principal.id, parent) if child.owner == principal.id]
        names = {child.name for child in own}
        for child in own:
            name = file_name(child.name)
            if name != child.name:
                name = free(name, names)
                self.report.notice(f"{path}{child.name}/: written as {name}, a name that Radicale serves")
            below = place / name
            _make(below)
            self._properties(below, f"{path}{child.name}/", child.kind, child.components, child.properties)
            self._items(child, below, f"{path}{child.name}/")
            self._children(principal, child.id, below, f"{path}{child.name}/")

    def _properties(
        self, place: Path, path: str, kind: str, components: tuple[str, ...], properties: Mapping[str, str]
    ) -> None:
        for name in illegible(properties):
            self.report.notice(f"{path}: its property {name} is damaged (not XML), and is left out of the plain files")
        _write_props(place, to_radicale(kind, components, properties))

    def _items(self, collection: Collection, place: Path, path: str) -> None:
        # Names that Radicale would not show are few and change only here; all others stay and must not be met.
        late: list[tuple[Item, bytes]] = []
        written: set[str] = set()
        for item, octets in stored(self.store, collection):
            self.progress(1)
            if isinstance(octets, Damaged):
                self._tell(Outcome.REFUSED, path + item.href, reason=str(octets))
            elif file_name(item.href) != item.href:
                late.append((item, octets))
            else:
                written.add(item.href)
                self._file(place / item.href, item, octets, path)
        for item, octets in late:
            name = free(file_name(item.href), written)
            written.add(name)
            self._file(place / name, item, octets, path, f"written as {name}, a name that Radicale serves")

    def _file(self, file: Path, item: Item, octets: bytes, path: str, reason: str = "") -> None:
        file.write_bytes(octets)
        os.utime(file, (item.modified, item.modified))
        self._tell(Outcome.WRITTEN, path + item.href, str(file), reason)

    def _tell(self, outcome: Outcome, place: str, target: str = "", reason: str = "") -> None:
        result = Result(outcome, place, target, reason)
        self.report.add(result)
        self.each(result)


def stored(store: Store, collection: Collection) -> Iterator[tuple[Item, bytes | Damaged]]:
    """All items of a collection with their octets, page by page; an item that goes meanwhile is left out."""
    after = 0
    while True:
        with store.read() as tx:
            rows = items.page(tx, collection, after, PAGE)
            found = items.bodies(tx, collection, [unquote(row.url) for row in rows])
        if not rows:
            return
        after = rows[-1].id
        for _href, item, octets in found:
            if item is not None and octets is not None:
                yield item, octets


def _make(folder: Path) -> None:
    """A folder that only its owner can look into: calendars are private."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write_props(folder: Path, props: Mapping[str, str]) -> None:
    (folder / PROPS).write_text(json.dumps(props, sort_keys=True), encoding="utf-8")
