"""Everything that is derived from the octets, derived anew: columns and rows that items are found by (decision D10).

ETags, `seq` and sync tokens stay, so no client notices. It goes page by page while everybody reads and writes: octets
are read and parsed outside of any transaction, and a page is written in a short one that leaves out what has changed
meanwhile, for that was derived anew by its writer. Until all of it is done the window is not `settled`, and to queries
what the index says is a hint only, so their answers are right at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import TZPATH

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, or_, select, update

from calsync.ical import facts
from calsync.ical.facts import Facts, address_object, calendar_object
from calsync.ical.validate import Refused
from calsync.store import meta, occurrences
from calsync.store.items import derived_columns, derived_rows
from calsync.store.occurrences import Window, bucket_of
from calsync.store.places import path_of
from calsync.store.principals import lock_owner
from calsync.store.removals import DELETE_FIELDS
from calsync.store.rows import is_whole
from calsync.store.schema import body, card_field, collection, item, occurrence, principal
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.places import Collection
    from calsync.store.transaction import Transaction

_PAGE: Final = 50
#: Octets of a page, about: what is read before anything is parsed.
_OCTETS: Final = 4 << 20
# Further away than any instant.
_FAR: Final = 1 << 62
_VERSIONS: Final = "derived-by"
_BEFORE: Final = "window-before"  # the last window that was settled

Progress = Callable[[int], None]
Stop = Callable[[], bool]


@dataclass(slots=True)
class Reindexed:
    """`done`: items that were derived anew. `ended`: whether all of it was done. `problems`: path of what could not be
    derived, and why; such items are found as they were before."""

    done: int = 0
    ended: bool = False
    problems: list[tuple[str, str]] = field(default_factory=list)


class _Row(NamedTuple):
    id: int
    href: str
    etag: str
    seq: int
    size: int
    octets: bytes | None


_PLACE: Final = (item.c.owner == bindparam("owner"), item.c.collection == bindparam("collection"))
_COLUMNS: Final = (item.c.id, item.c.href, item.c.etag, item.c.seq, item.c.size)
_STALE: Final = item.c.derived < bindparam("generation")
_BEGUN: Final[ColumnElement[int]] = bindparam("begun")
_OPENED: Final[ColumnElement[int]] = bindparam("opened")
_CLOSED: Final[ColumnElement[int]] = bindparam("closed")
_ENDED: Final[ColumnElement[int]] = bindparam("ended")
# Series that may occur where the window was not before: from `begun` to `opened`, and from `closed` to `ended`.
_ENTERING: Final = and_(
    item.c.recurring == 1,
    or_(
        and_(item.c.first < _OPENED, item.c.last > _BEGUN),
        and_(item.c.first < _ENDED, item.c.last > _CLOSED),
    ),
)


def _pages(*conditions: ColumnElement[bool]) -> Prepared:
    return Prepared(
        select(*_COLUMNS)
        .where(*_PLACE, item.c.id > bindparam("after"), item.c.seq > bindparam("since"), *conditions)
        .order_by(item.c.id)
        .limit(_PAGE)
    )


_EVERY: Final = _pages()
_ALL_STALE: Final = _pages(_STALE)
_STALE_SERIES: Final = _pages(_STALE, _ENTERING)


def _late(*conditions: ColumnElement[bool]) -> Prepared:
    """Whether an item that was written since is still to be derived."""
    return Prepared(select(item.c.id).where(*_PLACE, item.c.seq > bindparam("since"), _STALE, *conditions).limit(1))


_LATE: Final = _late()
_LATE_SERIES: Final = _late(_ENTERING)
_BODY: Final = Prepared(
    select(body.c.octets).where(body.c.owner == bindparam("owner"), body.c.item == bindparam("item"))
)
_OWNERS: Final = Prepared(select(principal.c.id, principal.c.name, principal.c.seq).order_by(principal.c.id))
_PLACES: Final = Prepared(
    select(collection.c.id, collection.c.kind)
    .where(collection.c.owner == bindparam("owner"), collection.c.seq > bindparam("since"))
    .order_by(collection.c.id)
)
_DERIVED: Final = (
    "uid", "uid_key", "uid_length", "component", "first", "last", "span", "recurring", "floating", "busy", "organizer",
    "derived",
)  # fmt: skip
_UPDATE: Final = Prepared(
    update(item)
    .where(*_PLACE, item.c.id == bindparam("item"), item.c.etag == bindparam("was"), item.c.seq == bindparam("at"))
    .values({name: bindparam(f"new_{name}") for name in _DERIVED})
)
_MARK: Final = Prepared(
    update(item)
    .where(*_PLACE, item.c.id == bindparam("item"), item.c.seq == bindparam("at"))
    .values(derived=bindparam("new_derived"))
)
_INSERT_FIELD: Final = Prepared(insert(card_field))
_COUNT: Final = Prepared(select(func.count()).select_from(item))
_COUNT_IN: Final = Prepared(select(func.count()).select_from(item).where(*_PLACE))
_OLDEST: Final = Prepared(
    select(func.min(occurrence.c.bucket)).where(
        occurrence.c.owner == bindparam("owner"), occurrence.c.collection == bindparam("collection")
    )
)
_DROP: Final = Prepared(
    delete(occurrence).where(
        occurrence.c.owner == bindparam("owner"),
        occurrence.c.collection == bindparam("collection"),
        occurrence.c.bucket == bindparam("which"),
    )
)


# --- what stored rows depend on ---------------------------------------------------------------------------------------


@cache
def versions() -> bytes:
    """Of the scanner and of the time zones, on which what is derived depends."""
    return f"facts {facts.VERSION}, tzdata {_tzdata()}".encode()


def _tzdata() -> str:
    """Python reads the system's zones where it has some, else the package."""
    for folder in TZPATH:
        found = Path(folder) / "tzdata.zi"
        if found.is_file():
            with found.open(encoding="utf-8") as lines:
                return lines.readline().removeprefix("# version").strip()
        if Path(folder, "UTC").exists():
            return f"{folder} {int(Path(folder).stat().st_mtime)}"
    return str(import_module("tzdata").IANA_VERSION)


def is_outdated(tx: Transaction) -> bool:
    """Whether rows may have been derived by another scanner or with other time zones than those of this process.

    A new store has no note of it yet: `begin` and `keep_window` make one.
    """
    noted = meta.get(tx, _VERSIONS)
    return noted is not None and noted != versions()


# --- beginning --------------------------------------------------------------------------------------------------------


def begin(store: Store) -> Window:
    """From now on nothing that is derived is believed, until `run` has made all of it anew.

    Whoever writes from here on derives for the new generation; what was parsed before is looked at again (`items`).
    """
    with store.write(still=True) as tx:
        _note_before(tx)
        meta.put(tx, _VERSIONS, versions())
        return tx.window.renewed().write(tx)


def keep_window(store: Store, now: int, *, stop: Stop = lambda: False) -> Reindexed:
    """What the window needs: moved where it has aged, derived anew where versions have changed, finished where that
    was begun before. To be called now and then, by one process at a time."""
    with store.read() as tx:
        noted = meta.get(tx, _VERSIONS)
        window = Window.read(tx) or tx.window
        outdated = is_outdated(tx)
    if noted is None:
        # Whatever wrote it until now was this version, or one that derived the same.
        with store.write() as tx:
            meta.put(tx, _VERSIONS, versions())
    if outdated:
        begin(store)
    elif window.settled and window.aged(now):
        with store.write(still=True) as tx:
            _note_before(tx)
            tx.window.moved(now).write(tx)
    elif window.settled:
        return Reindexed(ended=True)
    return run(store, stop=stop)


def _note_before(tx: Transaction) -> None:
    if tx.window.settled:
        meta.put(tx, _BEFORE, b"%d %d" % (tx.window.start, tx.window.end))


# --- the work ---------------------------------------------------------------------------------------------------------


def total(store: Store, place: Collection | None = None) -> int:
    """How many items there are, for a progress bar."""
    with store.read() as tx:
        row = tx.first(_COUNT) if place is None else tx.first(_COUNT_IN, owner=place.owner, collection=place.id)
    return 0 if row is None else int(row[0])


def one(store: Store, place: Collection, path: str, *, progress: Progress = lambda _: None) -> Reindexed:
    """Derive a single collection anew, whoever derived it; the state of the rest stays what it is."""
    told = Reindexed()
    with store.read() as tx:
        window = Window.read(tx) or tx.window
    work = _Pass(store, window, told, progress, lambda: False, _EVERY, {})
    told.ended = _collection(work, place.owner, place.id, place.kind, path, 0)
    return told


def run(store: Store, *, progress: Progress = lambda _: None, stop: Stop = lambda: False) -> Reindexed:
    """Derive what is of an older generation than the window, then declare the window settled.

    It may be stopped and is continued by the next call. Items that come, go or move meanwhile are followed by the
    owners' counters, and the last look is taken in the transaction that settles.
    """
    told = Reindexed()
    with store.read() as tx:
        window = Window.read(tx) or tx.window
        before = tuple(map(int, (meta.get(tx, _BEFORE) or b"0 0").split()))
    if window.settled:
        return replace(told, ended=True)
    edges = {} if window.doubted else _edges(window, before[0], before[1])
    work = _Pass(store, window, told, progress, stop, _ALL_STALE if window.doubted else _STALE_SERIES, edges)
    seen: dict[int, int] = {}
    while not stop():
        with store.read() as tx:
            owners = tx.all(_OWNERS)
        for owner, name, seq in owners:
            since = seen.get(owner, 0)
            if seq == since:
                continue
            with store.read() as tx:
                places = tx.all(_PLACES, owner=owner, since=since)
            for id_, kind in places:
                if not _collection(work, owner, id_, kind, name, since):
                    return told
            seen[owner] = seq
        if _settled(work, seen):
            _forget_old(store, window, stop)
            told.ended = True
            break
    return told


def _edges(window: Window, start: int, end: int) -> dict[str, int]:
    """What is new of the window against one from `start` to `end`."""
    return {
        "begun": window.start,
        "opened": min(start, window.end) if window.start < start else -_FAR,
        "closed": max(end, window.start) if end < window.end else _FAR,
        "ended": window.end,
    }


@dataclass(frozen=True, slots=True)
class _Pass:
    """`pages`: the statement that finds what is to be done, with the values `more` beside those of the place."""

    store: Store
    window: Window
    told: Reindexed
    progress: Progress
    stop: Stop
    pages: Prepared
    more: dict[str, int]


def _collection(work: _Pass, owner: int, id: int, kind: str, name: str, since: int) -> bool:
    """False where it was left because of `stop`, or because somebody has opened another window meanwhile."""
    key = {"owner": owner, "collection": id}
    after = 0
    while not work.stop():
        with work.store.read() as tx:
            values = key | work.more | {"generation": work.window.generation, "since": since, "after": after}
            rows = list(_read(tx, owner, tx.all(work.pages, **values)))
        if not rows:
            return True
        after = rows[-1].id
        found = [(row, _facts(work, kind, row)) for row in rows]
        for row, made in found:
            if isinstance(made, str):
                with work.store.read() as tx:
                    work.told.problems.append((f"{name}/{path_of(tx, owner, id)}/{row.href}", made))
        if not _write(work, key, found):
            return False
        work.told.done += sum(1 for _, made in found if isinstance(made, Facts))
        work.progress(len(rows))
    return False


def _read(tx: Transaction, owner: int, rows: list[tuple[Any, ...]]) -> Iterator[_Row]:
    size = 0
    for id_, href, etag, seq, octets in rows:
        size += octets
        found = tx.first(_BODY, owner=owner, item=id_)
        yield _Row(id_, href, etag, seq, octets, None if found is None else bytes(found[0]))
        if size > _OCTETS:
            return


def _facts(work: _Pass, kind: str, row: _Row) -> Facts | str:
    """What the octets say; or why they cannot be read, then the item stays as it was."""
    if row.octets is None or not is_whole(row.octets, row.etag):
        return "damaged (calsync verify)"
    try:
        return derived(kind, row.octets, work.window)
    except Refused as error:
        return f"found as it was before, because its octets would be refused today: {error}"


def derived(kind: str, octets: bytes, window: Window) -> Facts:
    """What octets say that are stored in a collection of this kind. Raises `Refused`."""
    if kind == "addressbook":
        return address_object(octets).facts
    if kind == "plain":
        return Facts(kind="", component="", uid="")
    return calendar_object(octets, window=(window.start, window.end), allow_method=True).facts


def _write(work: _Pass, key: dict[str, int], found: list[tuple[_Row, Facts | str]]) -> bool:
    with work.store.write() as tx:
        lock_owner(tx, key["owner"])
        window = work.window
        if tx.window.generation != window.generation:
            return False
        times: list[dict[str, Any]] = []
        fields: list[dict[str, Any]] = []
        for row, made in found:
            this = key | {"item": row.id, "at": row.seq}
            if isinstance(made, str):
                tx.run(_MARK, **this, new_derived=window.generation)
                continue
            columns = {f"new_{name}": value for name, value in derived_columns(made, window).items()}
            if not tx.run(_UPDATE, **this, was=row.etag, **columns):
                continue
            for statement in (occurrences.DELETE, DELETE_FIELDS):
                tx.run(statement, owner=key["owner"], item=row.id)
            more_times, more_fields = derived_rows(key["owner"], key["collection"], row.id, made, window)
            times += more_times
            fields += more_fields
        tx.run_many(occurrences.INSERT, times)
        tx.run_many(_INSERT_FIELD, fields)
    return True


def _settled(work: _Pass, seen: dict[int, int]) -> bool:
    """Declare the window settled, unless something was written meanwhile that is still to be done."""
    late = _LATE if work.window.doubted else _LATE_SERIES
    with work.store.write() as tx:
        if tx.window.generation != work.window.generation:
            return False
        for owner, _, seq in tx.all(_OWNERS):
            since = seen.get(owner, 0)
            if seq == since:
                continue
            for id_, _ in tx.all(_PLACES, owner=owner, since=since):
                values = {"owner": owner, "collection": id_, "since": since, "generation": work.window.generation}
                if tx.first(late, **values, **work.more) is not None:
                    return False
        tx.window = replace(work.window, settled=1, doubted=0).write(tx)
    return True


def _forget_old(store: Store, window: Window, stop: Stop) -> None:
    """Drop the occurrences that the window has left behind, a bucket of a collection at a time."""
    lowest, highest = bucket_of(window.start), bucket_of(window.end - 1)
    with store.read() as tx:
        places = [(owner, id_) for owner, _, _ in tx.all(_OWNERS) for id_, _ in tx.all(_PLACES, owner=owner, since=-1)]
    for owner, id_ in places:
        while not stop():
            with store.read() as tx:
                row = tx.first(_OLDEST, owner=owner, collection=id_)
            if row is None or row[0] is None or lowest <= row[0] <= highest:
                break
            with store.write() as tx:
                tx.run(_DROP, owner=owner, collection=id_, which=row[0])
