"""Remedies for what `verify` finds. Each says what it does, and whether it did: nothing is repaired in silence.

Damaged octets come back only as the very octets that were put, found by their checksum: in another item, in the
history, in a backup, in a folder of files, in the journal. Where there is no such copy the item stays as it is, and is
named. All of it is done in short transactions that look again before they write, so the server may run meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, insert, select, update

from calsync.store import collections, intact, items, places, quarantine, reindex, rows, trash
from calsync.store.intact import Found
from calsync.store.places import HOME, UNBURY
from calsync.store.principals import advance, lock_owner
from calsync.store.schema import body, collection, item, mount, principal, revision, tombstone
from calsync.store.schema import trash as trash_table
from calsync.store.statement import Prepared, each_id
from calsync.store.verify import OF_COLLECTIONS, OF_ITEMS, Kind, Problem, belongs, has_collection
from calsync.webdav.parse_tree import is_element
from calsync.webdav.urls import encode_segment

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction

#: Whom the history names for it.
ACTOR: Final = "calsync verify"

_CHUNK: Final = 200

_OWNER: Final[ColumnElement[int]] = bindparam("owner")
_PLACE: Final[ColumnElement[int]] = bindparam("collection")


@dataclass(frozen=True, slots=True)
class Mended:
    """`text`: what was done (or would be), or why nothing was. `done`: whether the problem is gone."""

    problem: Problem
    text: str
    done: bool


def mend(
    store: Store, problems: Sequence[Problem], *, copies: Sequence[Path] = (), dry_run: bool = False
) -> Iterator[Mended]:
    """What becomes of each problem. `copies`: backups, folders of files and journals in which octets are looked for."""
    if any(one.kind is Kind.DATABASE for one in problems):
        # Where rows cannot be found, others only seem to belong to nothing. Whoever removes those removes what a
        # restore could have saved.
        for problem in problems:
            text = _LEFT if problem.kind is Kind.DATABASE else "left: first the file itself has to be sound"
            yield Mended(problem, text, False)
        return
    missed = frozenset(one.etag for one in problems if one.etag)
    work = _Work(store, dry_run, intact.found(store, missed, copies) if missed else {})
    for problem in sorted(problems, key=lambda one: _ORDER.index(one.kind)):
        yield _REMEDIES[problem.kind](work, problem)


# --- octets -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Work:
    """`copies`: of each checksum where its octets may be, in the order in which to look."""

    store: Store
    dry_run: bool
    copies: Found
    reindexed: set[tuple[int, int]] = field(default_factory=set)

    def octets(self, etag: str) -> tuple[str, bytes] | None:
        for origin, read in self.copies.get(etag, ()):
            octets = read()
            if octets is not None and sha256(octets).hexdigest() == etag:
                return origin, octets
        return None


_BODY: Final = Prepared(select(body.c.octets).where(body.c.owner == _OWNER, body.c.item == bindparam("item")))
_DELETE_BODY: Final = Prepared(delete(body).where(body.c.owner == _OWNER, body.c.item == bindparam("item")))
_INSERT_BODY: Final = Prepared(insert(body))
_ETAG: Final = Prepared(
    select(item.c.etag).where(item.c.owner == _OWNER, item.c.collection == _PLACE, item.c.id == bindparam("item"))
)
_SET_REVISION: Final = Prepared(
    update(revision)
    .where(revision.c.owner == _OWNER, revision.c.ended == bindparam("at"), revision.c.etag == bindparam("was"))
    .values(octets=bindparam("put"))
)


def _octets(work: _Work, problem: Problem) -> Mended:
    found = work.octets(problem.etag)
    if found is None:
        return Mended(problem, "left: no intact copy was found (a backup may hold one: --from)", False)
    origin, octets = found
    if not work.dry_run:
        with work.store.write() as tx:
            tx.actor = ACTOR
            key = {"owner": problem.owner, "item": problem.item}
            row = tx.first(_ETAG, **key, collection=problem.collection)
            if row is not None and row[0] == problem.etag:
                tx.run(_DELETE_BODY, **key)
                tx.run(_INSERT_BODY, **key, octets=octets, spans=b"")
    return Mended(problem, f"its octets put back from {origin}", True)


def _revision(work: _Work, problem: Problem) -> Mended:
    found = work.octets(problem.etag)
    if found is None:
        return Mended(problem, "left: no intact copy was found; that state cannot be restored", False)
    origin, octets = found
    if not work.dry_run:
        with work.store.write() as tx:
            tx.run(_SET_REVISION, owner=problem.owner, at=problem.item, was=problem.etag, put=octets)
    return Mended(problem, f"its octets put back from {origin}", True)


# --- counts and order -------------------------------------------------------------------------------------------------

_COUNTS: Final = Prepared(
    select(func.count(), func.coalesce(func.sum(item.c.size), 0), func.coalesce(func.max(item.c.seq), 0)).where(
        item.c.owner == _OWNER, item.c.collection == _PLACE
    )
)
_SET_COUNTS: Final = Prepared(
    update(collection)
    .where(collection.c.owner == _OWNER, collection.c.id == _PLACE)
    .values(item_count=bindparam("items"), octet_count=bindparam("octets"))
)
_SEQS: Final = Prepared(
    select(collection.c.seq, principal.c.seq)
    .join_from(collection, principal, principal.c.id == collection.c.owner)
    .where(collection.c.owner == _OWNER, collection.c.id == _PLACE)
)
_SET_SEQ: Final = Prepared(
    update(collection).where(collection.c.owner == _OWNER, collection.c.id == _PLACE).values(seq=bindparam("new_seq"))
)
_GREATEST_GRAVE: Final = Prepared(
    select(func.coalesce(func.max(tombstone.c.seq), 0)).where(
        tombstone.c.owner == _OWNER, tombstone.c.collection == _PLACE
    )
)


def _count(work: _Work, problem: Problem) -> Mended:
    if not work.dry_run:
        with work.store.write() as tx:
            _recount(tx, problem.owner, problem.collection)
    return Mended(problem, "counted anew", True)


def _recount(tx: Transaction, owner: int, place: int) -> None:
    lock_owner(tx, owner)
    count, octets, _ = tx.all(_COUNTS, owner=owner, collection=place)[0]
    tx.run(_SET_COUNTS, owner=owner, collection=place, items=count, octets=octets)


def _order(work: _Work, problem: Problem) -> Mended:
    """Counters only grow, so raising them loses nothing: at worst a client is told of what it knows."""
    if not work.dry_run:
        with work.store.write() as tx:
            _reorder(tx, problem.owner, problem.collection)
    return Mended(problem, "its counters raised above all that is in it", True)


def _reorder(tx: Transaction, owner: int, place: int) -> None:
    lock_owner(tx, owner)
    key = {"owner": owner, "collection": place}
    row = tx.first(_SEQS, **key)
    if row is None:
        return
    of_place, of_owner = row
    newest = max(of_place, tx.all(_COUNTS, **key)[0][2], tx.all(_GREATEST_GRAVE, **key)[0][0])
    if newest > of_owner:
        advance(tx, owner, newest - of_owner)
    tx.run(_SET_SEQ, **key, new_seq=newest)


# --- rows that belong to nothing --------------------------------------------------------------------------------------


def _chosen(table: Table, key: ColumnElement[int], condition: ColumnElement[bool]) -> tuple[Prepared, Prepared]:
    """The statements that find the strays of a table, and that remove those that still are.

    An id is never given again, so what belongs to no item once never will; where a row knows its collection, an index
    tells whether that is still so.
    """
    doomed = [table.c.owner == _OWNER, key.in_(each_id("keys"))]
    if "collection" in table.c:
        doomed.append(~condition)
    return (
        Prepared(select(key).where(table.c.owner == _OWNER, ~condition).distinct()),
        Prepared(delete(table).where(*doomed)),
    )


_STRAYS: Final = {
    **{table.name: _chosen(table, table.c.item, belongs(table)) for table in OF_ITEMS},
    **{table.name: _chosen(table, table.c.collection, has_collection(table)) for table in OF_COLLECTIONS},
}


def _stray(work: _Work, problem: Problem) -> Mended:
    kept = "kept in quarantine and removed" if problem.name == body.name else "removed"
    find, remove = _STRAYS[problem.name]
    with work.store.read() as tx:
        strays = [key for (key,) in tx.all(find, owner=problem.owner)]
    for start in range(0, 0 if work.dry_run else len(strays), _CHUNK):
        keys = strays[start : start + _CHUNK]
        with work.store.write() as tx:
            tx.actor = ACTOR
            if problem.name == body.name:
                for key in keys:
                    row = tx.first(_BODY, owner=problem.owner, item=key)
                    if row is not None:
                        octets = row[0]  # text where the row is damaged
                        _keep(tx, problem.owner, octets if isinstance(octets, bytes) else str(octets).encode())
            tx.run(remove, owner=problem.owner, keys=json.dumps(keys))
    return Mended(problem, kept, True)


def _keep(tx: Transaction, owner: int, octets: bytes) -> None:
    """Octets that no item claims are somebody's nevertheless."""
    found = quarantine.Refusal("", "", "verify", "the store", "octets that belong to no item", octets)
    quarantine.keep(tx, owner, found, None)


# --- collections that stand nowhere -----------------------------------------------------------------------------------

_KINDS: Final = Prepared(select(item.c.component).where(item.c.owner == _OWNER, item.c.collection == _PLACE).distinct())
_OLDEST: Final = Prepared(select(func.min(item.c.created)).where(item.c.owner == _OWNER, item.c.collection == _PLACE))
_EXISTS: Final = Prepared(
    select(collection.c.kind, collection.c.item_count).where(collection.c.owner == _OWNER, collection.c.id == _PLACE)
)
_MOUNTED: Final = Prepared(
    select(mount.c.name).where(mount.c.principal == _OWNER, mount.c.owner == _OWNER, mount.c.collection == _PLACE)
)
_UNMOUNT: Final = Prepared(
    delete(mount).where(mount.c.principal == _OWNER, mount.c.owner == _OWNER, mount.c.collection == _PLACE)
)
_MOUNT: Final = Prepared(insert(mount))
_INSERT: Final = Prepared(insert(collection))
_UNTRASH: Final = Prepared(delete(trash_table).where(trash_table.c.owner == _OWNER, trash_table.c.collection == _PLACE))


def _homeless(work: _Work, problem: Problem) -> Mended:
    """The collection's row is lost: it is made anew, by what is in it, where its name still stands or in the home."""
    name = f"recovered-{problem.collection}"
    if not work.dry_run:
        with work.store.write() as tx:
            tx.actor = ACTOR
            name = _made_again(tx, problem.owner, problem.collection) or name
    return Mended(problem, f"the collection made anew as {name!r}", True)


def _made_again(tx: Transaction, owner: int, place: int) -> str:
    key = {"owner": owner, "collection": place}
    lock_owner(tx, owner)
    if tx.first(_EXISTS, **key) is None:
        components = {component for (component,) in tx.all(_KINDS, **key)}
        book = components & {"VCARD", "VLIST"}
        kind = "addressbook" if book else "plain" if components == {""} else "calendar"
        now = int(time.time())
        row = tx.first(_OLDEST, **key)
        seq = advance(tx, owner)
        tx.run(
            _INSERT, owner=owner, id=place, kind=kind, components="", properties="{}", seq=seq, horizon=seq,
            item_count=0, octet_count=0, created=row[0] if row and row[0] else now, modified=now,
        )  # fmt: skip
        _recount(tx, owner, place)
    row = tx.first(_MOUNTED, **key)
    return str(row[0]) if row is not None else _mounted(tx, owner, place)


def _mounted(tx: Transaction, owner: int, place: int) -> str:
    """Let a collection stand in the home, under a name that nobody has. Tokens of what had that name are void."""
    key = {"owner": owner, "collection": place}
    row = tx.first(_MOUNTED, **key)
    wanted = f"recovered-{row[0] if row is not None else place}"
    name, number = wanted, 1
    while places.child(tx, owner, HOME, name) is not None:
        number += 1
        name = f"{wanted}-{number}"
    tx.run(_UNMOUNT, **key)
    seq = advance(tx, owner)
    tx.run(UNBURY, owner=owner, collection=HOME, href=name + "/")
    tx.run(
        _MOUNT, principal=owner, parent=HOME, name=name, url=encode_segment(name), **key, bound=seq, position=0,
        displayname=None, color=None,
    )  # fmt: skip
    places.touch(tx, owner, place, seq, int(time.time()))
    return name


def _unplaced(work: _Work, problem: Problem) -> Mended:
    """What holds something is shown to its owner; what is empty goes to the trash."""
    owner, place = problem.owner, problem.collection
    with work.store.read() as tx:
        row = tx.first(_EXISTS, owner=owner, collection=place)
        held = tx.all(_COUNTS, owner=owner, collection=place)[0][0]
    if row is None:
        return Mended(problem, "gone meanwhile", True)
    name = f"recovered-{place}"
    if held:
        if not work.dry_run:
            with work.store.write() as tx:
                tx.actor = ACTOR
                lock_owner(tx, owner)
                name = _mounted(tx, owner, place)
        return Mended(problem, f"put into the home as {name!r}", True)
    if not work.dry_run:
        with work.store.write() as tx:
            tx.actor = ACTOR
            lock_owner(tx, owner)
            tx.run(_UNMOUNT, owner=owner, collection=place)
            gone = replace(places.draft(row[0]), owner=owner, id=place, name=name, url=name)
            trash.throw(tx, name, gone, (), int(time.time()))
    return Mended(problem, f"it is empty, and goes to the trash as {name!r}", True)


def _trashed(work: _Work, problem: Problem) -> Mended:
    if not work.dry_run:
        with work.store.write() as tx:
            tx.run(_UNTRASH, owner=problem.owner, collection=problem.collection)
    return Mended(problem, "taken out of the trash; it stays in its place", True)


# --- the rest ---------------------------------------------------------------------------------------------------------

_LIVING: Final = Prepared(
    select(item.c.id).where(item.c.owner == _OWNER, item.c.collection == _PLACE, item.c.href == bindparam("href"))
)


def _buried(work: _Work, problem: Problem) -> Mended:
    if not work.dry_run:
        with work.store.write() as tx:
            key = {"owner": problem.owner, "collection": problem.collection, "href": problem.name}
            lock_owner(tx, problem.owner)
            if tx.first(_LIVING, **key) is not None:
                tx.run(UNBURY, **key)
    return Mended(problem, "no longer told as deleted", True)


def _derived(work: _Work, problem: Problem) -> Mended:
    """Once a collection: all of it is derived anew."""
    key = (problem.owner, problem.collection)
    if not work.dry_run and key not in work.reindexed:
        work.reindexed.add(key)
        with work.store.read() as tx:
            row = tx.first(_EXISTS, owner=problem.owner, collection=problem.collection)
        if row is not None:
            place = replace(places.draft(row[0]), owner=problem.owner, id=problem.collection)
            reindex.one(work.store, place, problem.path.partition("/")[0])
    return Mended(problem, "derived anew", True)


def _property(work: _Work, problem: Problem) -> Mended:
    """What it said nobody can read, and with it nobody could read the others."""
    name = problem.name
    if not name:
        return Mended(problem, "left: `calsync restore USER/COLLECTION` takes them from a backup or the history", False)
    with work.store.write() as tx:
        tx.actor = ACTOR
        found = collections.get(tx, problem.owner, problem.collection)
        held = items.get_by_id(tx, found, problem.item) if found is not None and problem.item else None
        if found is None or (problem.item and held is None):
            return Mended(problem, "left: it is in the trash, and can be removed there; or gone meanwhile", False)
        there = rows.properties(tx, found, [held.id]).get(held.id, {}) if held is not None else found.properties
        if name in there and not is_element(there[name]) and not work.dry_run:
            if held is not None:
                items.set_properties(tx, found, held, {name: None})
            else:
                collections.set_properties(tx, found, {name: None})
    return Mended(problem, "removed; who wants it sets it anew", True)


def _left(text: str) -> Callable[[_Work, Problem], Mended]:
    return lambda _work, problem: Mended(problem, f"left: {text}", False)


_LEFT: Final = "left: the file itself is damaged; `calsync restore` takes a backup and what is readable here"
_REMEDIES: Final[dict[Kind, Callable[[_Work, Problem], Mended]]] = {
    Kind.DATABASE: _left(_LEFT.removeprefix("left: ")),
    Kind.HOMELESS: _homeless,
    Kind.TRASH: _trashed,
    Kind.UNPLACED: _unplaced,
    Kind.STRAY: _stray,
    Kind.BURIED: _buried,
    Kind.OCTETS: _octets,
    Kind.REVISION: _revision,
    Kind.COUNTS: _count,
    Kind.ORDER: _order,
    Kind.DERIVED: _derived,
    Kind.PROPERTY: _property,
    Kind.UID: _left("which of them is meant, only a person can say; delete or change the others"),
}
# What rows stand for has to be there before strays are told from them.
_ORDER: Final = tuple(_REMEDIES)
