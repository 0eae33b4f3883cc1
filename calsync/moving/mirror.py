"""A folder of plain files that follows a store: what stock Radicale could serve, and any editor can read.

The mirror is a syncing client of each collection: it remembers a `seq` and asks what has changed since, so its cost
follows the changes. A file appears whole under its name or not at all. Only files that the mirror wrote are removed
(`written`), and nothing ever comes back from the folder. An item that is damaged keeps the file that was written while
it was good.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calsync.moving.written import FILE, Place, User, Written
from calsync.store import changes, collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Damaged, StoreError
from calsync.store.items import Item, ItemRow
from calsync.store.principals import Principal
from calsync.transfer.names import file_name, free
from calsync.transfer.radicale_folder import PROPS, ROOT
from calsync_storage.properties import to_radicale

_PAGE: Final = 200  # changes a read
_OCTETS: Final = 8 << 20  # of the items that are read at once, about
_PARTIAL: Final = ".calsync-partial"


@dataclass(slots=True)
class Round:
    """What one look has done. `problems`: items whose files are not what is stored, and why."""

    written: int = 0
    removed: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Here:
    """A collection at hand. `folder`: its path below the root."""

    collection: Collection
    folder: str


class Mirror:
    """Of `store` in `folder`. Raises `StoreError` where the folder is not one for it, and `OSError`."""

    def __init__(self, store: Store, folder: Path, progress: Callable[[int], None] = lambda _count: None) -> None:
        self._store = store
        self._root = folder / ROOT
        self._progress = progress
        if not (folder / FILE).exists() and self._root.exists() and any(self._root.iterdir()):
            raise StoreError(f"{self._root} holds files that no mirror has written (choose an empty folder)")
        _make(folder)
        _make(self._root)
        self._written = Written(folder)
        try:
            self._check(folder)
        except BaseException:
            self._written.close()
            raise

    def _check(self, folder: Path) -> None:
        """A mistyped store must not empty the mirror of another one."""
        known = self._written.users()
        with self._store.read() as tx:
            here = principals.listing(tx)
        names = {user.name for user in known.values()}
        if known and not any(one.epoch in known or one.name in names for one in here):
            raise StoreError(f"{folder} mirrors another store: none of its users is here (choose another folder)")

    def close(self) -> None:
        self._written.close()

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def look(self, stop: Callable[[], bool] = lambda: False) -> Round:
        """Bring the folder up to date."""
        done = Round()
        with self._store.read() as tx:
            present = principals.listing(tx)
        known = self._written.users()
        for epoch in known.keys() - {one.epoch for one in present}:
            self._leave_user(known[epoch], done)
        steps: list[Callable[[], None]] = []
        troubled = {epoch for epoch in known if self._written.damaged(epoch)}
        for principal in present:
            user = known.get(principal.epoch)
            if (user is None or user.seq != principal.seq or user.epoch in troubled) and not stop():
                steps += self._user(principal, user, done)
        if steps:
            os.sync()  # what is noted as written is on the disk
            self._written.begin()
            try:
                for step in steps:
                    step()
                self._written.commit()
            except BaseException:
                self._written.rollback()
                raise
        done.problems += [f"{href}: {text}" for _, href, text in self._written.damaged()]
        return done

    # --- a principal --------------------------------------------------------------------------------------------------

    def _user(self, principal: Principal, user: User | None, done: Round) -> list[Callable[[], None]]:
        """Bring what is theirs up to date; what is to be noted when all of it is on the disk."""
        with self._store.read() as tx:
            now = principals.get(tx, principal.id)
            if now is None or now.epoch != principal.epoch:
                return []  # gone meanwhile
            tree = list(self._tree(now, file_name(now.name)))
        folder = file_name(now.name)
        if user is None:
            user = User(now.epoch, now.name, folder, 0)
            self._written.put_user(user)
        _make(self._root / folder)
        self._properties(folder, to_radicale("plain", (), now.properties) if now.properties else None)
        places = self._written.places(now.epoch)
        wanted = {here.collection.id: here.folder for here in tree}
        # The deepest first; one that is called otherwise now begins anew under its name.
        for place in sorted(places.values(), key=lambda place: place.folder.count("/"), reverse=True):
            if wanted.get(place.collection) != place.folder:
                self._leave_place(now.epoch, place, done)
                del places[place.collection]
        steps: list[Callable[[], None]] = []
        for here in tree:
            steps += self._collection(now.epoch, here, places.get(here.collection.id), done)
        self._retry(now.epoch, tree, done)
        return [*steps, lambda: self._written.put_user(user._replace(seq=now.seq))]

    def _tree(self, principal: Principal, folder: str, parent: int = collections.HOME) -> Iterator[_Here]:
        with self._store.read() as tx:
            own = [one for one in collections.children(tx, principal.id, parent) if one.owner == principal.id]
        names = {child.name for child in own}
        for child in own:
            name = file_name(child.name)
            below = f"{folder}/{name if name == child.name else free(name, names)}"
            yield _Here(child, below)
            yield from self._tree(principal, below, child.id)

    def _leave_user(self, user: User, done: Round) -> None:
        places = sorted(self._written.places(user.epoch).values(), key=lambda place: place.folder.count("/"))
        for place in reversed(places):
            self._leave_place(user.epoch, place, done)
        self._properties(user.folder, None)
        _leave(self._root / user.folder)
        self._written.remove_user(user.epoch)

    # --- a collection -------------------------------------------------------------------------------------------------

    def _collection(self, epoch: str, here: _Here, place: Place | None, done: Round) -> list[Callable[[], None]]:
        collection = here.collection
        since = place.seq if place is not None else 0
        if place is not None and since == collection.seq:
            return []
        if place is None:
            self._written.put_place(epoch, Place(collection.id, here.folder, 0))
        _make(self._root / here.folder)
        self._properties(here.folder, to_radicale(collection.kind, collection.components, collection.properties))
        whole = since < max(1, collection.horizon, collection.sync_floor)
        after = 0 if whole else since
        while True:
            with self._store.read() as tx:
                page = changes.changes(tx, collection, after, collection.seq if whole else after, _PAGE, collection.seq)
            for change in page:
                if change.deleted and not change.url.endswith("/"):
                    self._remove(epoch, here, change.href, done)
            self._write(epoch, here, {change.href: change.item for change in page if change.item is not None}, done)
            if len(page) < _PAGE:
                break
            after = page[-1].seq
        if whole:
            self._remove_others(epoch, here, done)
        return [lambda: self._written.put_place(epoch, Place(collection.id, here.folder, collection.seq))]

    def _remove_others(self, epoch: str, here: _Here, done: Round) -> None:
        """Files of items that are no more, where nobody knows any longer when they went."""
        present: set[str] = set()
        after = 0
        while True:
            with self._store.read() as tx:
                rows = items.page(tx, here.collection, after, _PAGE)
            present.update(changes.Change(row.url, row.seq, row).href for row in rows)
            if len(rows) < _PAGE:
                break
            after = rows[-1].id
        for href, _ in self._written.files(epoch, here.collection.id):
            if href not in present:
                self._remove(epoch, here, href, done)

    def _leave_place(self, epoch: str, place: Place, done: Round) -> None:
        for _, name in self._written.files(epoch, place.collection):
            (self._root / place.folder / name).unlink(missing_ok=True)
            done.removed += 1
        self._properties(place.folder, None)
        _leave(self._root / place.folder)
        self._written.remove_place(epoch, place.collection)

    def _properties(self, folder: str, props: Mapping[str, str] | None) -> None:
        """The file of properties, as `calsync export` writes it."""
        file = self._root / folder / PROPS
        if props is None:
            file.unlink(missing_ok=True)
            return
        text = json.dumps(props, sort_keys=True).encode()
        with contextlib.suppress(FileNotFoundError):
            if file.read_bytes() == text:
                return
        _put(file, text)

    # --- items --------------------------------------------------------------------------------------------------------

    def _write(self, epoch: str, here: _Here, rows: Mapping[str, ItemRow], done: Round) -> None:
        waiting: list[str] = []
        octets = 0
        for href, row in rows.items():
            waiting.append(href)
            octets += row.size
            if octets > _OCTETS:
                self._write_some(epoch, here, waiting, done)
                waiting, octets = [], 0
        self._write_some(epoch, here, waiting, done)
        self._progress(len(rows))

    def _write_some(self, epoch: str, here: _Here, hrefs: Sequence[str], done: Round) -> None:
        """First the names are noted, then the files are written: whatever is there was noted."""
        if not hrefs:
            return
        id_, folder = here.collection.id, self._root / here.folder
        with self._store.read() as tx:
            found = items.bodies(tx, here.collection, hrefs)
        coming: list[tuple[Item, str, bytes]] = []
        self._written.begin()
        for href, item, octets in found:
            if item is None:
                continue  # gone meanwhile: its tombstone comes next
            if isinstance(octets, Damaged) or octets is None:
                self._written.put_damaged(epoch, id_, href, str(octets))
                continue
            known = self._written.file(epoch, id_, href)
            name = known[0] if known is not None else self._free(epoch, id_, href)
            file = folder / name
            if known is None and file.exists() and file.read_bytes() != octets:
                self._written.put_damaged(epoch, id_, href, f"{file}: a file that the mirror has not written is there")
                continue
            self._written.mended(epoch, id_, href)
            if known is not None and known[1] == item.etag and _size(file) == item.size:
                continue
            coming.append((item, name, octets))
            self._written.put_files(epoch, id_, [(href, name, "")])
        self._written.commit()
        for item, name, octets in coming:
            _put(folder / name, octets, item.modified)
            done.written += 1
        self._written.begin()
        self._written.put_files(epoch, id_, [(item.href, name, item.etag) for item, name, _ in coming])
        self._written.commit()

    def _free(self, epoch: str, collection: int, href: str) -> str:
        taken: set[str] = set()
        name = file_name(href)
        while self._written.holder(epoch, collection, name) not in (None, href):
            taken.add(name)
            name = free(file_name(href), taken)
        return name

    def _remove(self, epoch: str, here: _Here, href: str, done: Round) -> None:
        known = self._written.file(epoch, here.collection.id, href)
        if known is not None:
            (self._root / here.folder / known[0]).unlink(missing_ok=True)
            done.removed += 1
        self._written.remove_file(epoch, here.collection.id, href)

    def _retry(self, epoch: str, tree: Sequence[_Here], done: Round) -> None:
        """What could not be written may have been mended."""
        by_id = {here.collection.id: here for here in tree}
        for collection, href, _ in self._written.damaged(epoch):
            here = by_id.get(collection)
            if here is None:
                continue
            with self._store.read() as tx:
                there = items.get(tx, here.collection, href) is not None
            if there:
                self._write_some(epoch, here, [href], done)
            else:
                self._written.mended(epoch, collection, href)


def _make(folder: Path) -> None:
    """A folder that only its owner can look into: calendars are private."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _leave(folder: Path) -> None:
    """Remove a folder, unless something is in it that is somebody else's."""
    with contextlib.suppress(FileNotFoundError, OSError):
        folder.rmdir()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return -1


def _put(file: Path, octets: bytes, modified: int | None = None) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = file.with_name(_PARTIAL)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(octets)
    if modified is not None:
        os.utime(partial, (modified, modified))
    partial.replace(file)
