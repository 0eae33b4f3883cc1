"""Radicale's view of a stored item: nothing is parsed to answer a read, and the text is fetched when asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

import vobject
from radicale import item as radicale_item
from radicale.item.filter import TIMESTAMP_MAX, TIMESTAMP_MIN
from radicale.storage import BaseCollection

from calsync.store import items
from calsync.webdav.headers import http_date

# A content line folded inside a letter of UTF-8: the fold stands before a continuation octet.
_FOLD_IN_LETTER: Final = re.compile(rb"(?<=[\x80-\xff])\r?\n[ \t](?=[\x80-\xbf])")

# What some clients put before the first line, and vobject stumbles over.
_BYTE_ORDER_MARK: Final = "\ufeff"

#: Whatever is known of an item; a listing's row says less.
Row = items.Item | items.ItemRow
#: Fetches the rest: raises where it is damaged or gone by then.
Fetch = Callable[[str], tuple[items.Item, bytes]]


class Item(radicale_item.Item):
    """An item of which a row is known, and the octets where they were read along."""

    def __init__(self, collection: BaseCollection, row: Row, fetch: Fetch, octets: bytes | None = None) -> None:
        href = row.href if isinstance(row, items.Item) else unquote(row.url)
        card = row.component in ("VCARD", "VLIST")
        super().__init__(
            collection=collection,
            href=href,
            last_modified=http_date(row.modified),
            text="",
            etag=f'"{row.etag}"',
            name=row.component if card else "VCALENDAR",
            component_name="" if card else row.component,
        )
        self._text = None if octets is None else decoded(octets)
        self._fetch = fetch
        if isinstance(row, items.Item):
            self._know(row)

    def serialize(self) -> str:
        """The stored text."""
        if self._text is None:
            self._text = self._fetched()
        return self._text

    @property
    def uid(self) -> str:
        """The UID of the object."""
        if self._uid is None:
            self._fetched()
        return self._uid or ""

    @property
    def time_range(self) -> tuple[int, int]:
        """What happens in the object lies between these instants."""
        if self._time_range is None:
            self._fetched()
        return self._time_range or (TIMESTAMP_MIN, TIMESTAMP_MAX)

    @property
    def vobject_item(self) -> Any:
        """The text as vobject reads it, with Radicale's own tolerance of what clients send."""
        if self._vobject_item is None:
            text = self.serialize().removeprefix(_BYTE_ORDER_MARK)
            try:
                (self._vobject_item,) = radicale_item.read_components(text)
            except (ValueError, vobject.base.ParseError) as error:
                raise RuntimeError(f"cannot parse item {self.href!r} of {self._collection_path!r}: {error}") from error
        return self._vobject_item

    def _know(self, row: items.Item) -> None:
        self._uid = row.uid
        self._time_range = (max(row.first, TIMESTAMP_MIN), min(row.last, TIMESTAMP_MAX))

    def _fetched(self) -> str:
        assert self.href is not None
        row, octets = self._fetch(self.href)
        self._know(row)
        return decoded(octets)


def decoded(octets: bytes) -> str:
    """Stored octets as text. A line folded inside a letter is unfolded there, as it is not UTF-8 otherwise."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return _FOLD_IN_LETTER.sub(b"", octets).decode(errors="replace")
