"""Looks for damage: octets that are not those that were put, rows that belong to nothing, counts that are wrong.

It reads page by page, each in its own short transaction, so a store in use can be checked; what is written meanwhile is
seen or not. Nothing is repaired here: `mending` does that, by what the problems say of themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Table, and_, bindparam, exists, func, select

from calsync.ical.validate import Refused
from calsync.store import meta, places, principals, rows
from calsync.store.errors import Damaged
from calsync.store.items import derived_columns, derived_rows
from calsync.store.occurrences import Window, bucket_of
from calsync.store.reindex import derived
from calsync.store.schema import (
    body,
    card_field,
    collection,
    dead_property,
    item,
    mount,
    occurrence,
    revision,
    share,
    tombstone,
    trash,
)
from calsync.store.statement import Prepared, each_id
from calsync.webdav.parse_tree import is_element

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.principals import Principal
    from calsync.store.transaction import Transaction

_PAGE: Final = 200


class Kind(StrEnum):
    """What is wrong; `mending` has a remedy for most."""

    DATABASE = "database"
    OCTETS = "octets"
    REVISION = "revision"
    COUNTS = "counts"
    ORDER = "order"
    STRAY = "stray rows"
    HOMELESS = "homeless items"
    UNPLACED = "unplaced collection"
    TRASH = "trash"
    BURIED = "buried alive"
    UID = "uid twice"
    DERIVED = "derived rows"
    PROPERTY = "property"


@dataclass(frozen=True, slots=True)
class Problem:
    """`path`: of the principal, collection or item below the root, as people write it. `text`: what is wrong.

    The rest is for `mending`: ids, `etag` of the octets that are missed, `name` of an href, a property or a table.
    """

    path: str
    text: str
    kind: Kind
    owner: int = 0
    collection: int = 0
    item: int = 0
    etag: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """A collection as its row has it, wherever it stands."""

    owner: int
    id: int
    kind: str
    seq: int
    items: int
    octets: int
    path: str


Progress = Callable[[int], None]

_OWNER: Final[ColumnElement[int]] = bindparam("owner")
_COLLECTIONS: Final = Prepared(
    select(collection.c.id, collection.c.kind, collection.c.seq, collection.c.item_count, collection.c.octet_count)
    .where(collection.c.owner == _OWNER)
    .order_by(collection.c.id)
)
_PLACE: Final = Prepared(
    select(collection.c.seq, collection.c.item_count, collection.c.octet_count).where(
        collection.c.owner == _OWNER, collection.c.id == bindparam("collection")
    )
)
_COUNTS: Final = Prepared(
    select(func.count(), func.coalesce(func.sum(item.c.size), 0), func.coalesce(func.max(item.c.seq), 0)).where(
        item.c.owner == _OWNER, item.c.collection == bindparam("collection")
    )
)
_PROPERTIES: Final = Prepared(
    select(collection.c.properties).where(collection.c.owner == _OWNER, collection.c.id == bindparam("collection"))
)
_TOTAL: Final = Prepared(select(func.count()).select_from(item).where(item.c.owner == _OWNER))
_TOTAL_REVISIONS: Final = Prepared(select(func.count()).select_from(revision).where(revision.c.owner == _OWNER))
_TWICE: Final = Prepared(
    select(item.c.uid)
    .where(item.c.owner == _OWNER, item.c.collection == bindparam("collection"), item.c.uid != "")
    .group_by(item.c.uid)
    .having(func.count() > 1)
)
_BURIED: Final = Prepared(
    select(item.c.href)
    .join_from(
        tombstone,
        item,
        and_(
            item.c.owner == tombstone.c.owner,
            item.c.collection == tombstone.c.collection,
            item.c.href == tombstone.c.href,
        ),
    )
    .where(tombstone.c.owner == _OWNER, tombstone.c.collection == bindparam("collection"))
)
_TRASHED: Final = Prepared(
    select(trash.c.collection, trash.c.path).where(trash.c.owner == _OWNER).order_by(trash.c.collection)
)
_MOUNTS: Final = Prepared(
    select(mount.c.collection, mount.c.parent, mount.c.name).where(mount.c.principal == _OWNER, mount.c.owner == _OWNER)
)
_REVISIONS: Final = Prepared(
    select(revision.c.ended, revision.c.collection, revision.c.href, revision.c.etag, revision.c.octets)
    .where(revision.c.owner == _OWNER, revision.c.ended > bindparam("after"))
    .order_by(revision.c.ended)
    .limit(_PAGE // 4)
)
_FIND: Final = (
    *(item.c.uid, item.c.uid_key, item.c.uid_length, item.c.component, item.c.first, item.c.last, item.c.span),
    *(item.c.recurring, item.c.floating, item.c.busy, item.c.organizer, item.c.derived),
)
_DERIVED: Final = Prepared(
    select(item.c.id, *_FIND).where(
        item.c.owner == _OWNER,
        item.c.collection == bindparam("collection"),
        item.c.id.in_(each_id("items")),
    )
)
_TIMES: Final = Prepared(
    select(occurrence.c.item, occurrence.c.bucket, occurrence.c.packed)
    .where(occurrence.c.owner == _OWNER, occurrence.c.item.in_(each_id("items")))
    .order_by(occurrence.c.item, occurrence.c.bucket)
)
_FIELDS: Final = Prepared(
    select(card_field.c.item, card_field.c.name, card_field.c.value)
    .where(card_field.c.owner == _OWNER, card_field.c.item.in_(each_id("items")))
    .order_by(card_field.c.item, card_field.c.place)
)


_LAST: Final = "verified"


def note(tx: Transaction, now: int, problems: int) -> None:
    """That everything was looked at, and how many problems are left."""
    meta.put(tx, _LAST, b"%d %d" % (now, problems))


def last(tx: Transaction) -> tuple[int, int] | None:
    """When everything was last looked at, and how many problems were left; None for never."""
    stored = meta.get(tx, _LAST)
    if stored is None:
        return None
    when, _, problems = stored.partition(b" ")
    return int(when), int(problems)


def belongs(table: Table) -> ColumnElement[bool]:
    """Whether a row of a table belongs to an item, and stands for its collection.

    There is no index of items by their ids alone, so a table that does not know the collection asks for all of them.
    """
    if "collection" not in table.c:
        return table.c.item.in_(select(item.c.id).where(item.c.owner == _OWNER))
    return exists().where(
        item.c.owner == table.c.owner, item.c.collection == table.c.collection, item.c.id == table.c.item
    )


def has_collection(table: Table) -> ColumnElement[bool]:
    """Whether a row of a table belongs to a collection; 0 is the home."""
    found = exists().where(collection.c.owner == table.c.owner, collection.c.id == table.c.collection)
    return found if table is not tombstone else found | (table.c.collection == places.HOME)


#: Tables whose rows belong to items, and such whose rows belong to collections.
OF_ITEMS: Final = (body, occurrence, card_field, dead_property)
OF_COLLECTIONS: Final = (tombstone, share, mount, trash)


def _some(table: Table, condition: ColumnElement[bool]) -> Prepared:
    return Prepared(select(func.count()).select_from(table).where(table.c.owner == _OWNER, ~condition))


_STRAYS: Final = {
    **{table.name: (_some(table, belongs(table)), "belong to no item") for table in OF_ITEMS},
    **{table.name: (_some(table, has_collection(table)), "belong to no collection") for table in OF_COLLECTIONS},
}
_HOMELESS: Final = Prepared(
    select(item.c.collection, func.count())
    .where(item.c.owner == _OWNER, ~has_collection(item))
    .group_by(item.c.collection)
)


def total(store: Store, names: Collection[str] = ()) -> int:
    """How many items and revisions there are to be read, for a progress bar. Raises `LookupError`."""
    count = 0
    with store.read() as tx:
        for owner in _owners(tx, names):
            for statement in (_TOTAL, _TOTAL_REVISIONS):
                row = tx.first(statement, owner=owner.id)
                count += int(row[0]) if row is not None else 0
    return count


def verify(
    store: Store,
    names: Collection[str] = (),
    *,
    deep: bool = False,
    progress: Progress = lambda _: None,
) -> Iterator[Problem]:
    """All that is wrong, as it is found, with what is these users' (of all, where none are named).

    `deep`: also whether what items are found by is what their octets say, which costs parsing them all. `progress` is
    told of items and revisions that were read. Raises `StoreError` where the store cannot be read at all, `LookupError`
    for a name that nobody has.
    """
    if not names:
        for text in store.problems():
            yield Problem("", text, Kind.DATABASE)
    with store.read() as tx:
        owners = _owners(tx, names)
    for owner in owners:
        yield from _principal(store, owner, deep, progress)


def _owners(tx: Transaction, names: Collection[str]) -> list[Principal]:
    if not names:
        return principals.listing(tx)
    found: list[Principal] = []
    for name in names:
        principal = principals.find(tx, name)
        if principal is None:
            raise LookupError(f"no user {name!r}")
        found.append(principal)
    return found


def _principal(store: Store, owner: Principal, deep: bool, progress: Progress) -> Iterator[Problem]:
    with store.read() as tx:
        inside, problems = _places(tx, owner)
        for name, (statement, text) in _STRAYS.items():
            row = tx.first(statement, owner=owner.id)
            if row is not None and row[0]:
                text = f"{row[0]} rows of {name} that {text}"
                problems.append(Problem(owner.name, text, Kind.STRAY, owner.id, name=name))
        for id_, count in tx.all(_HOMELESS, owner=owner.id):
            text = f"{count} items that stand in no collection"
            problems.append(Problem(owner.name, text, Kind.HOMELESS, owner.id, id_))
    yield from problems
    for one in inside:
        yield from _collection(store, one, deep, progress)
    yield from _revisions(store, owner, {one.id: one.path for one in inside}, progress)


def _places(tx: Transaction, owner: Principal) -> tuple[list[_Place], list[Problem]]:
    """All collections of an owner, and what is wrong with where they stand.

    A collection is in the home, in the trash, or in another one that is.
    """
    inner: dict[int, list[tuple[int, str]]] = {}
    for id_, parent, name in tx.all(_MOUNTS, owner=owner.id):
        inner.setdefault(parent, []).append((id_, name))
    trashed: dict[int, str] = dict(tx.all(_TRASHED, owner=owner.id))
    paths = {id_: f"{owner.name}/trash/{path}" for id_, path in trashed.items()}
    problems = []
    waiting = [*((id_, path) for id_, path in paths.items()), (places.HOME, owner.name)]
    while waiting:
        parent, path = waiting.pop()
        for id_, name in inner.pop(parent, ()):
            if id_ in trashed:
                text = "is in the trash and in its place, too"
                problems.append(Problem(f"{path}/{name}", text, Kind.TRASH, owner.id, id_))
            paths[id_] = f"{path}/{name}"
            waiting.append((id_, f"{path}/{name}"))
    known = {id_: name for members in inner.values() for id_, name in members}
    found: list[_Place] = []
    for id_, kind, seq, count, octets in tx.all(_COLLECTIONS, owner=owner.id):
        place = paths.get(id_)
        if place is None:
            place = f"{owner.name}/#{id_}"
            text = (
                f"collection {id_} ({known[id_]}) stands in nothing"
                if id_ in known
                else f"collection {id_} has no name"
            )
            problems.append(Problem(owner.name, text, Kind.UNPLACED, owner.id, id_))
        found.append(_Place(owner.id, id_, kind, seq, count, octets, place))
    return found, problems


def _collection(store: Store, known: _Place, deep: bool, progress: Progress) -> Iterator[Problem]:
    path, owner = known.path, known.owner
    with store.read() as tx:
        key = {"owner": owner, "collection": known.id}
        now = tx.first(_PLACE, **key)
        principal = principals.get(tx, owner)
        if now is None or principal is None:
            return
        seq, items, size = now
        count, octets, newest = tx.all(_COUNTS, **key)[0]
        if (count, octets) != (items, size):
            text = f"holds {count} items of {octets} octets, but counts {items} of {size}"
            yield Problem(path, text, Kind.COUNTS, owner, known.id)
        if newest > seq or seq > principal.seq:
            text = f"changes are out of order: {newest} in it, {seq} of it, {principal.seq} in all"
            yield Problem(path, text, Kind.ORDER, owner, known.id)
        for (uid,) in tx.all(_TWICE, **key):
            yield Problem(path, f"several items have the UID {uid}", Kind.UID, owner, known.id, name=uid)
        for (href,) in tx.all(_BURIED, **key):
            yield Problem(f"{path}/{href}", "is there and told as deleted", Kind.BURIED, owner, known.id, name=href)
        for (stored,) in tx.all(_PROPERTIES, **key):
            for name in _unreadable(stored):
                yield Problem(path, _no_xml(name), Kind.PROPERTY, owner, known.id, name=name)
    yield from _items(store, known, deep, progress)


def _items(store: Store, known: _Place, deep: bool, progress: Progress) -> Iterator[Problem]:
    one = replace(places.draft(known.kind), owner=known.owner, id=known.id)
    after = 0
    while True:
        with store.read() as tx:
            page = rows.page(tx, one, after, _PAGE)
            octets = rows.page_bodies(tx, one, [row.id for row in page])
            found = _found_by(tx, known, [row.id for row in page]) if deep else {}
            properties = rows.properties(tx, one, [row.id for row in page])
            window = Window.read(tx) or tx.window
        for row in page:
            for name in _broken(properties.get(row.id, {})):
                yield Problem(
                    f"{known.path}/{row.url}", _no_xml(name), Kind.PROPERTY, one.owner, one.id, row.id, name=name
                )
            try:
                held = rows.checked(row, octets.get(row.id))
            except Damaged:
                text = f"its octets are not those that were put (checksum {row.etag})"
                yield Problem(f"{known.path}/{row.url}", text, Kind.OCTETS, one.owner, one.id, row.id, row.etag)
                continue
            wrong = found[row.id].differs(known.kind, held, window) if row.id in found else ""
            if wrong:
                text = f"is found by what its octets do not say: {wrong}"
                yield Problem(f"{known.path}/{row.url}", text, Kind.DERIVED, one.owner, one.id, row.id)
        progress(len(page))
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _broken(properties: Mapping[str, object]) -> list[str]:
    return [name for name, element in properties.items() if not is_element(element)]


def _unreadable(stored: str) -> list[str]:
    """Names of properties of a collection that are no XML; an empty name where not even names can be read."""
    try:
        properties = json.loads(stored)
    except ValueError:
        return [""]
    return _broken(properties) if isinstance(properties, dict) else [""]


def _no_xml(name: str) -> str:
    return f"its property {name} is no XML" if name else "its properties cannot be read"


def _revisions(store: Store, owner: Principal, paths: dict[int, str], progress: Progress) -> Iterator[Problem]:
    after = 0
    while True:
        with store.read() as tx:
            page = tx.all(_REVISIONS, owner=owner.id, after=after)
        for ended, place, href, etag, octets in page:
            if not rows.is_whole(octets, etag):
                path = paths.get(place, f"{owner.name}/#{place}")
                text = f"its history is damaged: what it held until change {ended} (checksum {etag})"
                yield Problem(f"{path}/{href}", text, Kind.REVISION, owner.id, place, ended, etag)
        progress(len(page))
        if not page:
            return
        after = page[-1][0]


# --- derived rows -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _FoundBy:
    """What an item is found by, as it is stored."""

    columns: dict[str, Any]
    times: list[tuple[int, bytes]]
    fields: list[tuple[str, str]]

    def differs(self, kind: str, octets: bytes, window: Window) -> str:
        """What of it the octets do not say; empty where all is well, or is being made anew."""
        if not window.settled:
            return ""
        try:
            facts = derived(kind, octets, window)
        except Refused:
            return ""
        wanted = derived_columns(facts, window)
        names = [name for name in wanted if name != "derived" and wanted[name] != self.columns[name]]
        times, fields = derived_rows(0, 0, 0, facts, window)
        told = [(row["bucket"], bytes(row["packed"])) for row in times]
        lowest, highest = bucket_of(window.start), bucket_of(window.end - 1)
        known = [(bucket, packed) for bucket, packed in self.times if lowest <= bucket <= highest]
        if self.columns["derived"] != window.generation:
            # Not looked at again when the window was moved, because nothing of it came into the window.
            names = [name for name in names if name not in ("span", "busy")]
        elif told != known:
            names.append("occurrences")
        if [(row["name"], row["value"]) for row in fields] != self.fields:
            names.append("card fields")
        return ", ".join(names)


def _found_by(tx: Transaction, known: _Place, ids: Sequence[int]) -> dict[int, _FoundBy]:
    key = {"owner": known.owner, "items": "[" + ",".join(map(str, ids)) + "]"}
    found = {
        row[0]: _FoundBy(dict(zip((column.name for column in _FIND), row[1:], strict=True)), [], [])
        for row in tx.all(_DERIVED, **key, collection=known.id)
    }
    for id_, bucket, packed in tx.all(_TIMES, **key):
        if id_ in found:
            found[id_].times.append((bucket, bytes(packed)))
    for id_, name, value in tx.all(_FIELDS, **key):
        if id_ in found:
            found[id_].fields.append((name, value))
    return found
