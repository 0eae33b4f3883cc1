"""Items: what collections hold, with the octets as the client sent them.

`put` and its kin write an item with all that is derived from it, and each changed item takes the owner's next `seq`.
How they are read is in `rows`, how they go in `removals`, how they are copied and moved in `copies`; the names are
given on here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy import delete as delete_from

from calsync.casemap import fold
from calsync.ical.facts import Facts, ObjectResource, calendar_object
from calsync.store import history, occurrences, quota
from calsync.store.copies import copy_item as copy
from calsync.store.copies import move_item as move
from calsync.store.errors import Absent, Exists, OverQuota, UidConflict
from calsync.store.places import Collection, child, touch, unbury
from calsync.store.principals import advance, lock_owner
from calsync.store.quota import Room
from calsync.store.removals import clear, remove_items
from calsync.store.removals import remove_item as delete
from calsync.store.rows import (
    ALL,
    Item,
    ItemRow,
    bodies,
    body,
    by_uid,
    checked,
    damaged,
    get,
    get_by_id,
    listing,
    named,
    page,
    page_bodies,
    properties,
    rows,
    uid_holders,
    with_uid,
)
from calsync.store.schema import body as body_table
from calsync.store.schema import card_field, dead_property, item, occurrence
from calsync.store.statement import Prepared
from calsync.webdav.urls import encode_segment

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

__all__ = [
    "ALL",
    "Item",
    "ItemRow",
    "LeftOut",
    "Replaced",
    "bodies",
    "body",
    "by_uid",
    "checked",
    "copy",
    "damaged",
    "delete",
    "get",
    "get_by_id",
    "listing",
    "move",
    "named",
    "page",
    "page_bodies",
    "properties",
    "put",
    "put_file",
    "put_many",
    "replace_all",
    "rows",
    "set_properties",
    "uid_holders",
    "with_uid",
]

_THIS = (item.c.owner == bindparam("owner"), item.c.collection == bindparam("collection"), item.c.id == bindparam("id"))
_INSERT: Final = Prepared(insert(item))
_UPDATE: Final = Prepared(
    update(item)
    .where(*_THIS)
    .values(
        {
            name: bindparam(name)
            for name in (
                "uid",
                "uid_key",
                "uid_length",
                "component",
                "etag",
                "size",
                "first",
                "last",
                "span",
                "recurring",
                "floating",
                "busy",
                "organizer",
                "content_type",
                "seq",
                "modified",
                "derived",
            )
        }
    )
)
_SEQ: Final = Prepared(update(item).where(*_THIS).values(seq=bindparam("seq")))
_INSERT_BODY: Final = Prepared(insert(body_table))
_INSERT_FIELD: Final = Prepared(insert(card_field))
_INSERT_PROPERTY: Final = Prepared(insert(dead_property))
_DELETE_PROPERTY: Final = Prepared(
    delete_from(dead_property).where(
        dead_property.c.owner == bindparam("owner"),
        dead_property.c.item == bindparam("item"),
        dead_property.c.name == bindparam("name"),
    )
)
_EVERY: Final = Prepared(
    select(item.c.href, item.c.uid, item.c.etag).where(
        item.c.owner == bindparam("owner"), item.c.collection == bindparam("collection")
    )
)

Pair = tuple[str, ObjectResource]
#: Why something was not written, while what was written with it was.
LeftOut = UidConflict | OverQuota


def put(tx: Transaction, collection: Collection, href: str, obj: ObjectResource, *, content_type: str = "") -> Item:
    """Write an item, new or in place of the one with this name.

    Content that is there already is written anew (it may have been damaged), but nothing has changed: the item keeps
    its seq. Raises `UidConflict` where another item of the collection holds the UID, `Exists` where a collection has
    the name, `Absent` where the collection is gone, `OverQuota`.
    """
    (result,) = _put(tx, collection, [(href, obj)], content_type)
    if isinstance(result, LeftOut):
        raise result
    return result


def put_file(tx: Transaction, collection: Collection, href: str, octets: bytes, content_type: str) -> Item:
    """Write a file into a plain collection; see `put`."""
    facts = Facts(kind="", component="", uid="")
    return put(
        tx, collection, href, ObjectResource(octets, sha256(octets).hexdigest(), facts), content_type=content_type
    )


def put_many(tx: Transaction, collection: Collection, pairs: Sequence[Pair]) -> list[Item | LeftOut]:
    """`put` for each pair, as if one after the other; what cannot be is left out and told in its place."""
    return _put(tx, collection, pairs, "")


@dataclass(frozen=True, slots=True)
class Replaced:
    """What `replace_all` did. `items`: for each pair the item, or why it was left out; `deleted`: names."""

    items: list[Item | LeftOut]
    created: int
    changed: int
    unchanged: int
    deleted: list[str]


def replace_all(
    tx: Transaction, collection: Collection, pairs: Sequence[Pair], *, keep: Set[str] | None = frozenset()
) -> Replaced:
    """Make these the items of the collection.

    It is a diff: an item whose UID is there keeps its name, whatever the pair calls it; what is the same keeps its seq;
    what is not named is deleted, but for the items whose UIDs are in `keep` (None: for all of them). A new item gets
    the name of its pair, or one like it where that is taken. The second of two pairs with one UID is left out and told
    in its place, and so is what would be more than the quota once the rest is deleted.
    """
    lock_owner(tx, collection.owner)
    room = quota.room(tx, collection.owner)
    present = tx.all(_EVERY, owner=collection.owner, collection=collection.id)
    wanted, names = _named_pairs(pairs, present)
    gone = [href for href, uid, _ in present if keep is not None and href not in wanted and uid not in keep]
    remove_items(tx, collection, list(named(tx, collection, gone).values()))
    before = named(tx, collection, [href for href, _, _ in present if href in wanted])
    results = _put(tx, collection, list(wanted.items()), "", room)
    kept = {one.href: one for one in results if isinstance(one, Item)}
    unchanged = sum(1 for href, one in kept.items() if href in before and before[href].seq == one.seq)
    created = sum(1 for href in kept if href not in before)
    by_name = dict(zip(wanted, results, strict=True))
    told = [by_name[name] if isinstance(name, str) else name for name in names]
    return Replaced(told, created, len(kept) - created - unchanged, unchanged, gone)


def _named_pairs(
    pairs: Sequence[Pair], present: Iterable[tuple[str, str, str]]
) -> tuple[dict[str, ObjectResource], list[str | UidConflict]]:
    """The objects under the names that they get, and of each pair its name or why it gets none.

    `present`: name, UID and ETag of what is there. Without a UID the content tells an item.
    """
    holders, nameless, taken = {}, {}, set()
    for href, uid, etag in present:
        taken.add(href)
        if uid:
            holders[uid] = href
        else:
            nameless[etag] = href
    wanted: dict[str, ObjectResource] = {}
    names: list[str | UidConflict] = []
    given: dict[str, str] = {}
    for href, obj in pairs:
        uid = obj.facts.uid
        if uid and uid in given:
            names.append(UidConflict(given[uid]))
            continue
        name = holders.get(uid) if uid else nameless.pop(obj.etag, None)
        if name is None:
            name = _free(href, taken)
            taken.add(name)
        if uid:
            given[uid] = name
        wanted[name] = obj
        names.append(name)
    return wanted, names


def _free(href: str, taken: Set[str]) -> str:
    name, number = href, 1
    stem, dot, suffix = href.rpartition(".")
    while name in taken:
        number += 1
        name = f"{stem}-{number}.{suffix}" if dot else f"{href}-{number}"
    return name


def _put(
    tx: Transaction, collection: Collection, pairs: Sequence[Pair], content_type: str, room: Room | None = None
) -> list[Item | LeftOut]:
    """`room`: from before something was removed to make this possible."""
    lock_owner(tx, collection.owner)
    hrefs = [href for href, _ in pairs]
    present = named(tx, collection, hrefs)
    if collection.kind == "plain":
        for href in hrefs:
            if child(tx, collection.owner, collection.id, href) is not None:
                raise Exists(href)
    room = quota.room(tx, collection.owner) if room is None else room.anew(tx)
    pairs = [(href, within(obj, tx.window)) for href, obj in pairs]
    final, left = _settled(tx, collection, pairs, present, room)
    written = _write(tx, collection, final, present, content_type)
    return [left.get(place) or written[href] for place, href in enumerate(hrefs)]


def _settled(
    tx: Transaction, collection: Collection, pairs: Sequence[Pair], present: Mapping[str, Item], room: Room | None
) -> tuple[dict[str, ObjectResource], dict[int, LeftOut]]:
    """What each name holds in the end, and which pairs were refused: RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1."""
    uids = list({obj.facts.uid for _, obj in pairs if obj.facts.uid})
    holders = uid_holders(tx, collection, uids) if uids else {}
    held = {href: one.uid for href, one in present.items()}
    sizes = {href: one.size for href, one in present.items()}
    final: dict[str, ObjectResource] = {}
    left: dict[int, LeftOut] = {}
    for place, (href, obj) in enumerate(pairs):
        uid = obj.facts.uid
        holder = holders.get(uid)
        if holder is not None and holder != href:
            left[place] = UidConflict(holder)
            continue
        if room is not None:
            size = len(obj.octets)
            try:
                room.take(octets=size - sizes.get(href, 0), items=int(href not in sizes))
            except OverQuota as error:
                left[place] = error
                continue
            sizes[href] = size
        freed = held.get(href, "")
        if freed != uid and holders.get(freed) == href:
            del holders[freed]
        if uid:
            holders[uid] = href
        held[href] = uid
        final[href] = obj
    return final, left


def _write(
    tx: Transaction,
    collection: Collection,
    final: Mapping[str, ObjectResource],
    present: Mapping[str, Item],
    content_type: str,
) -> dict[str, Item]:
    now = int(time.time())
    owner = collection.owner
    changed = sum(1 for href, obj in final.items() if not _same(present.get(href), obj, content_type))
    last = advance(tx, owner, changed) if changed else 0
    seq = last - changed
    written: dict[str, Item] = {}
    new: list[dict[str, Any]] = []
    old: list[dict[str, Any]] = []
    ends: list[tuple[int, int]] = []
    for href, obj in final.items():
        before = present.get(href)
        if before is not None and _same(before, obj, content_type):
            values = _values(obj, before.content_type, before.seq, before.modified, tx.window)
        else:
            seq += 1
            values = _values(obj, content_type, seq, now, tx.window)
        values["owner"], values["collection"] = owner, collection.id
        if before is None:
            values |= {"id": seq, "href": href, "url": encode_segment(href), "schedule_tag": None, "created": now}
            new.append(values)
        else:
            values["id"] = before.id
            old.append(values)
            if values["seq"] != before.seq:
                ends.append((before.id, seq))
        written[href] = _item(values, href, before)
    history.keep(tx, collection, ends, now, history.CHANGED)
    tx.run_many(_UPDATE, old)
    tx.insert(_INSERT, item, new)
    _derive(tx, [(written[href], obj, href in present) for href, obj in final.items()])
    unbury(tx, owner, collection.id, [values["href"] for values in new])
    if changed:
        grown = sum(one.size for one in written.values()) - sum(
            present[href].size for href in written if href in present
        )
        touch(tx, owner, collection.id, last, now, items=len(new), octets=grown)
    return written


def _same(before: Item | None, obj: ObjectResource, content_type: str) -> bool:
    return before is not None and before.etag == obj.etag and before.content_type == content_type


def _values(
    obj: ObjectResource, content_type: str, seq: int, modified: int, window: occurrences.Window
) -> dict[str, Any]:
    """The columns that come from the octets and the moment."""
    return derived_columns(obj.facts, window) | {
        "etag": obj.etag,
        "size": len(obj.octets),
        "content_type": content_type,
        "seq": seq,
        "modified": modified,
    }


def derived_columns(facts: Facts, window: occurrences.Window) -> dict[str, Any]:
    """The columns that an item is found by."""
    key = fold(facts.uid)
    span = None
    if facts.kind == "VCALENDAR":
        span = occurrences.span_of(facts.first, facts.last, has_rows=facts.occurrences is not None)
    return {
        "uid": facts.uid,
        "uid_key": key,
        "uid_length": len(key),
        "component": facts.component,
        "first": facts.first,
        "last": facts.last,
        "span": span,
        "recurring": int(facts.recurring),
        "floating": int(facts.floating),
        "busy": facts.busy,
        "organizer": facts.organizer,
        "derived": window.generation,
    }


def derived_rows(
    owner: int, collection: int, id: int, facts: Facts, window: occurrences.Window
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of `occurrence` and of `card_field` of an item."""
    key = {"owner": owner, "item": id, "collection": collection}
    times = [
        key | {"bucket": bucket, "packed": packed}
        for bucket, packed in (occurrences.pack(facts.occurrences, window) if facts.occurrences else ())
    ]
    fields = [key | {"place": place, "name": name, "value": value} for place, (name, value) in enumerate(facts.fields)]
    return times, fields


def within(obj: ObjectResource, window: occurrences.Window) -> ObjectResource:
    """The object, with its occurrences sought anew where the window was moved since it was parsed."""
    sought = obj.facts.window
    if not obj.facts.recurring or sought is None or (sought[0] <= window.start and window.end <= sought[1]):
        return obj
    return calendar_object(obj.octets, window=(window.start, window.end), allow_method=True)


def _item(values: Mapping[str, Any], href: str, before: Item | None) -> Item:
    given = {"href": href} | dict(values)
    if before is not None:
        given |= {"url": before.url, "schedule_tag": before.schedule_tag, "created": before.created}
    return Item._make(given[name] for name in Item._fields)


def _derive(tx: Transaction, written: Iterable[tuple[Item, ObjectResource, bool]]) -> None:
    """Write the octets and the rows that are found by; `written` says of each whether there were any before."""
    stale: list[int] = []
    owner = 0
    octets: list[dict[str, Any]] = []
    times: list[dict[str, Any]] = []
    fields: list[dict[str, Any]] = []
    for one, obj, was in written:
        key = {"owner": one.owner, "item": one.id}
        if was:
            stale.append(one.id)
            owner = one.owner
        octets.append(key | {"octets": obj.octets, "spans": obj.facts.spans})
        more_times, more_fields = derived_rows(one.owner, one.collection, one.id, obj.facts, tx.window)
        times += more_times
        fields += more_fields
    clear(tx, owner, stale)
    tx.insert(_INSERT_BODY, body_table, octets)
    tx.insert(occurrences.INSERT, occurrence, times)
    tx.insert(_INSERT_FIELD, card_field, fields)


def set_properties(tx: Transaction, collection: Collection, item: Item, changes: Mapping[str, str | None]) -> Item:
    """Set the dead properties that have a value and remove those that have None: the ETag stays, the seq grows."""
    lock_owner(tx, collection.owner)
    if not changes:
        return item
    owner = collection.owner
    seq = advance(tx, owner)
    if not tx.run(_SEQ, owner=owner, collection=collection.id, id=item.id, seq=seq):
        raise Absent(f"item {item.url}")
    for name, xml in changes.items():
        tx.run(_DELETE_PROPERTY, owner=owner, item=item.id, name=name)
        if xml is not None:
            tx.run(_INSERT_PROPERTY, owner=owner, item=item.id, name=name, xml=xml)
    touch(tx, owner, collection.id, seq, int(time.time()))
    return item._replace(seq=seq)
