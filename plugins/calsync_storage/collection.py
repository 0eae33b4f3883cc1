"""Radicale's view of a stored collection, of a home, and of the root above the homes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard, overload
from xml.etree import ElementTree as ET

from radicale import item as radicale_item
from radicale.log import logger
from radicale.storage import BaseCollection, ComponentNotFoundError

from calsync.ical.whole import join_calendar, join_cards
from calsync.store import changes, collections, items, principals
from calsync.store.changes import SyncToken
from calsync.store.errors import Damaged
from calsync.store.principals import Principal
from calsync.store.transaction import Transaction
from calsync.webdav.headers import http_date
from calsync_storage import listing, properties
from calsync_storage.item import Item, decoded
from calsync_storage.listing import PAGE
from calsync_storage.writing import check_name, prepared, refusals

if TYPE_CHECKING:
    from calsync_storage.storage import Storage

Record = Principal | collections.Collection | None


class Collection(BaseCollection):
    """`record`: what the store has of it as it was found; None for the root. `path`: as it was asked for."""

    def __init__(self, storage: Storage, path: str, record: Record) -> None:
        self._storage = storage
        self._session = storage.session
        self._path = path
        self._found = record

    @property
    def record(self) -> Record:
        """What the store has of it: as it was found, but inside a writing transaction as it is there."""
        found = self._found
        if found is not None and self._session.writing:
            with self._session.read() as tx:
                if isinstance(found, Principal):
                    self._found = principals.get(tx, found.id)
                else:
                    self._found = collections.get(tx, found.owner, found.id)
            if self._found is None:
                raise ComponentNotFoundError(self._path)
        return self._found

    def holding(self) -> collections.Collection:
        """The record of a collection that holds items; ValueError for anything else."""
        record = self.record
        if not _holds_items(record):
            raise ValueError(f"{self._path!r} holds no items")
        return record

    @property
    def path(self) -> str:
        """The path without slashes at its ends."""
        return self._path

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def tag(self) -> str:
        """VCALENDAR, VADDRESSBOOK, VSUBSCRIBED, or nothing."""
        record = self.record
        return properties.TAGS[record.kind] if isinstance(record, collections.Collection) else ""

    @property
    def etag(self) -> str:
        """The state of it and of all in it: one row, whatever it holds."""
        record = self.record
        return '"root"' if record is None else f'"{SyncToken.of(record)}"'

    @property
    def last_modified(self) -> str:
        """When it or anything in it was changed last."""
        record = self.record
        return http_date(0 if record is None else record.modified)

    @overload
    def get_meta(self, key: None = None) -> Mapping[str, str]: ...
    @overload
    def get_meta(self, key: str) -> str | None: ...
    def get_meta(self, key: str | None = None) -> Mapping[str, str] | str | None:
        """Radicale's properties, or the one that is asked for."""
        record = self.record
        meta: dict[str, str] = {}
        if isinstance(record, Principal):
            meta = properties.to_radicale("plain", (), record.properties)
        elif record is not None:
            meta = properties.to_radicale(record.kind, record.components, record.properties)
        return meta if key is None else meta.get(key)

    def set_meta(self, props: Mapping[str, str]) -> None:
        """Replace the properties. ValueError where they would make it something else."""
        wanted = properties.from_radicale(props)
        if wanted.unreadable:
            raise ValueError(f"not a property name: {wanted.unreadable[0]!r}")
        with self.change() as tx:
            record = self.record
            if record is None:
                raise ValueError("the root has no properties")
            if isinstance(record, Principal):
                if wanted.kind != "plain":
                    raise ValueError(f"the home {self._path!r} can be nothing else")
                self._found = principals.set_properties(
                    tx, record, properties.changes(record.properties, wanted.properties)
                )
            else:
                self._found = self._described(tx, record, wanted)

    def _described(
        self, tx: Transaction, record: collections.Collection, wanted: properties.Meta
    ) -> collections.Collection:
        if wanted.kind != record.kind:
            # Stock lets a PROPPATCH of the resource type cost the owner the calendar.
            holds = record.items or collections.children(tx, record.owner, record.id)
            if wanted.kind == "plain" or holds:
                raise ValueError(f"{self._path!r} is of kind {record.kind!r} and stays so")
        record = collections.set_kind(tx, record, wanted.kind, wanted.components)
        return collections.set_properties(tx, record, properties.changes(record.properties, wanted.properties))

    # --- reading ------------------------------------------------------------------------------------------------------

    def sync(self, old_token: str = "") -> tuple[str, Iterable[str]]:
        """The token, and the names of what has changed since `old_token`, found when they are asked for.

        ValueError where the token is none of this collection's, or too old.
        """
        record = self.record
        if record is None:
            raise ValueError("the root cannot be synced")
        token = SyncToken.of(record)
        if not old_token:
            return str(token), self._changed(changes.first(record))
        old = SyncToken.parse(old_token)
        if not old.holds_for(record):
            raise ValueError(f"the changes of {self._path!r} since {old_token!r} are not known")
        return str(token), () if old == token else self._changed(old)

    def _changed(self, since: SyncToken) -> Iterator[str]:
        record = self.record
        after, full = since.position, isinstance(record, collections.Collection)
        while full:
            with self._session.read() as tx:
                assert isinstance(record, collections.Collection)
                page = changes.changes(tx, record, after, since.tombstones_after, PAGE, record.seq)
            yield from (change.href for change in page)
            full = len(page) == PAGE
            after = page[-1].seq if page else after

    def get_multi(self, hrefs: Iterable[str]) -> Iterable[tuple[str, radicale_item.Item | None]]:
        """The items with these names, or None for those that are not there.

        A damaged one is left out: Radicale would tell its client that it was deleted. `hrefs` is consumed whole,
        Radicale counts on it.
        """
        wanted = list(dict.fromkeys(hrefs))
        record = self.record
        if not _holds_items(record):
            return [(href, None) for href in wanted]
        found: list[tuple[str, radicale_item.Item | None]] = []
        for start in range(0, len(wanted), PAGE):
            with self._session.read() as tx:
                page = items.bodies(tx, record, wanted[start : start + PAGE])
            for href, row, octets in page:
                if row is None:
                    found.append((href, None))
                elif isinstance(octets, bytes):
                    found.append((href, Item(self, row, self.fetch, octets)))
                else:
                    logger.error("%s", octets)
        return found

    def get_all(self) -> Iterator[radicale_item.Item]:
        """All items, page by page, without their texts."""
        record = self.record
        if _holds_items(record):
            for page in listing.pages(self._session, record):
                yield from (Item(self, row, self.fetch) for row in page)

    def get_filtered(self, filters: Iterable[ET.Element]) -> Iterator[tuple[radicale_item.Item, bool]]:
        """The items that may match, each with whether that is already certain. RuntimeError for a damaged one.

        A client takes what a query leaves out for deleted, so a damaged item fails the query.
        """
        record = self.record
        if not _holds_items(record):
            return
        for page in listing.candidates(self._session, record, filters):
            with self._session.read() as tx:
                octets = items.page_bodies(tx, record, [candidate.row.id for candidate in page])
            for candidate in page:
                body = _intact(candidate.row, octets.get(candidate.row.id))
                yield Item(self, candidate.row, self.fetch, body), candidate.certain

    def has_uid(self, uid: str) -> bool:
        """Whether an item has this UID: one look into the index."""
        record = self.record
        if not uid or not _holds_items(record):
            return False
        with self._session.read() as tx:
            return items.by_uid(tx, record, uid) is not None

    def fetch(self, href: str) -> tuple[items.Item, bytes]:
        """An item as it is now, with its octets. RuntimeError where it is damaged or gone."""
        record = self.record
        if _holds_items(record):
            with self._session.read() as tx:
                row = items.get(tx, record, href)
                if row is not None:
                    try:
                        return row, items.body(tx, row)
                    except Damaged as error:
                        raise RuntimeError(str(error)) from error
        raise RuntimeError(f"item {href!r} of {self._path!r} has gone meanwhile")

    def serialize(self, vcf_to_ics: bool = False, ShareActions: dict[str, Any] | None = None) -> str:
        """The whole collection as one text."""
        if vcf_to_ics:
            return super().serialize(vcf_to_ics, ShareActions or {})
        record = self.record
        if not _holds_items(record):
            return ""
        if record.kind == "addressbook":
            return decoded(b"".join(join_cards(self._octets(record))))
        name, description = self.get_meta("D:displayname"), self.get_meta("C:calendar-description")
        return decoded(b"".join(join_calendar(self._octets(record), name=name, description=description)))

    def _octets(self, record: collections.Collection) -> Iterator[bytes]:
        for page in listing.pages(self._session, record):
            with self._session.read() as tx:
                octets = items.page_bodies(tx, record, [row.id for row in page])
            yield from (_intact(row, octets.get(row.id)) for row in page)

    # --- writing ------------------------------------------------------------------------------------------------------

    def upload(self, href: str, item: radicale_item.Item) -> tuple[radicale_item.Item, radicale_item.Item | None]:
        """Write an item; the item as it is stored, and the one that it replaced. ValueError where it cannot be."""
        check_name(href)
        with self.change() as tx:
            record = self.holding()
            made = prepared(tx, record, item)
            ((_, before, octets),) = items.bodies(tx, record, [href])
            old = None
            if before is not None and isinstance(octets, bytes):
                old = Item(self, before, self.fetch, octets)
            return Item(self, items.put(tx, record, href, made), self.fetch, made.octets), old

    def delete(self, href: str | None = None) -> None:
        """Delete an item, or the collection with all that is in it."""
        with self.change() as tx:
            record = self.record
            if href is not None:
                row = items.get(tx, record, href) if _holds_items(record) else None
                if row is None or not _holds_items(record):
                    raise ComponentNotFoundError(href)
                items.delete(tx, record, row)
            elif record is None:
                raise ValueError("the root cannot be deleted")
            elif isinstance(record, Principal):
                # An account may hang on the home: it is emptied, and stays.
                for child in collections.children(tx, record.id):
                    collections.delete(tx, child)
                self._found = principals.set_properties(tx, record, dict.fromkeys(record.properties))
            else:
                collections.delete(tx, record)

    @contextmanager
    def change(self) -> Iterator[Transaction]:
        """A change of its own inside Radicale's lock, with the store's refusals as Radicale knows them."""
        with refusals(), self._session.write() as tx:
            yield tx


def _holds_items(record: Record) -> TypeGuard[collections.Collection]:
    """Whether Radicale sees items in it: files in plain collections are calsync's own."""
    return isinstance(record, collections.Collection) and record.kind != "plain"


def _intact(row: items.ItemRow, octets: bytes | None) -> bytes:
    try:
        return items.checked(row, octets)
    except Damaged as error:
        raise RuntimeError(str(error)) from error
