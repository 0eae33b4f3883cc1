"""Whether an item may come in, and what has to be mended for that."""

from __future__ import annotations

from collections.abc import Sequence

from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.ical.validate import Refused
from calsync.store.collections import Collection
from calsync.transfer.repair import repaired, with_uids
from calsync.transfer.source import SourceCollection, SourceItem


def checked(
    source: SourceCollection, collection: Collection | None, item: SourceItem, window: tuple[int, int]
) -> tuple[ObjectResource, str]:
    """The object and what had to be mended, if anything. Raises `Refused` with the first reason.

    `collection`: where it goes, if that is there. `window`: UTC seconds, between which occurrences are stored.
    """
    allowed: Sequence[str] | None = None
    if source.enforced:
        allowed = (collection.components if collection else source.components) or None
    try:
        found = _parsed(source, item.octets, allowed, window)
    except Refused as refusal:
        mended = repaired(item.octets)
        if mended is None:
            raise
        try:
            return _parsed(source, mended[0], allowed, window), mended[1]
        except Refused:
            raise refusal from None
    if item.href is None and not found.facts.uid:
        # RFC 6352 §6.3.2.1 wants a UID; without one the next import would not find the item again.
        return _parsed(source, with_uids(item.octets), allowed, window), "given a UID"
    return found, ""


def _parsed(
    source: SourceCollection, octets: bytes, components: Sequence[str] | None, window: tuple[int, int]
) -> ObjectResource:
    if source.kind == "addressbook":
        return address_object(octets)
    # Radicale never minded a METHOD.
    return calendar_object(octets, window=window, components=components, allow_method=not source.enforced)
