"""Objects to put into a store, and what is looked up in it again and again."""

from __future__ import annotations

from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.store import collections, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.transaction import Transaction


def event(
    uid: str,
    *,
    start: str = "20260301T100000Z",
    end: str = "20260301T110000Z",
    summary: str = "",
    rule: str = "",
    window: tuple[int, int] = (0, 2**40),
) -> ObjectResource:
    """An event; with `rule`, one that recurs."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART{';VALUE=DATE' if len(start) == 8 else ''}:{start}",
        f"DTEND{';VALUE=DATE' if len(end) == 8 else ''}:{end}",
        *([f"SUMMARY:{summary}"] if summary else []),
        *([f"RRULE:{rule}"] if rule else []),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return calendar_object("\r\n".join(lines).encode(), window=window)


def recurring(store: Store, uid: str, start: str, end: str, rule: str) -> ObjectResource:
    """A recurring event whose occurrences are those of the store's window."""
    return event(uid, start=start, end=end, rule=rule, window=store.window)


def card(uid: str, name: str, *lines: str) -> ObjectResource:
    """A contact."""
    text = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{name}", f"N:{name};;;;", *lines, "END:VCARD", ""]
    return address_object("\r\n".join(text).encode())


def names(store: Store) -> list[str]:
    """The principals there are."""
    with store.read() as tx:
        return [one.name for one in principals.listing(tx)]


def collection_of(tx: Transaction, user: str, *path: str) -> Collection:
    """A user's collection, which has to be there."""
    principal = principals.find(tx, user)
    assert principal is not None
    found = collections.find(tx, principal, path)
    assert found is not None
    return found


def again(store: Store, collection: Collection) -> Collection:
    """The collection as it is now."""
    with store.read() as tx:
        found = collections.get(tx, collection.owner, collection.id)
    assert found is not None
    return found
