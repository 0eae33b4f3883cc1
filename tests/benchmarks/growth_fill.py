"""Stores of the sizes that `make bench-growth` asks for, filled through the store itself and kept in .bench-cache.

A store of 100 000 items is that of 10 000 with more in it: what is there already is not made again, and a run that was
broken off goes on where it stopped.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import psycopg

from calsync.cli.progress import Bar
from calsync.ical.facts import ObjectResource, address_object, calendar_object
from calsync.store import collections, items, places, principals
from calsync.store.engine import Store
from calsync.store.migrations import CHAIN
from calsync.store.places import Collection
from calsync.store.postgresql import prepare
from calsync.store.removals import remove_items
from tests import generator
from tests.benchmarks import cache
from tests.generator import Resource
from tests.ports import free_port
from tests.postgresql import Cluster

USERS = 1000
CHUNK = 500
#: Of a user's items: (collection, kind, components, made by, shares of ten).
PARTS = (
    ("events", "calendar", ("VEVENT",), generator.event, 7),
    ("tasks", "calendar", ("VTODO",), generator.task, 1),
    ("contacts", "addressbook", (), generator.contact, 2),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """`total` items, of which the measured user has `own`, all events of one calendar; the rest is the others'."""

    total: int
    own: int

    def shares(self) -> Iterator[tuple[str, int, dict[str, int]]]:
        """Each user, the number of the first item, and how many in each collection."""
        yield "bench", 0, {"events": self.own}
        each, more = divmod(self.total - self.own, USERS)
        for number in range(USERS):
            count = each + (number < more)
            parts = {name: count * share // 10 for name, _, _, _, share in PARTS[1:]}
            yield user(number), 10_000_000 * (number + 1), {"events": count - sum(parts.values()), **parts}


def user(number: int) -> str:
    return f"u{number:04}"


@dataclass(slots=True)
class Filling:
    """What filling took, in seconds: `made` is the generator's and no part of the rate. `wal`: octets of log, of SQLite
    the longest that it was, of PostgreSQL all that was written. `cpu`: of what is counted, without the database's."""

    items: int = 0
    octets: int = 0
    made: float = 0.0
    accepted: float = 0.0
    stored: float = 0.0
    cpu: float = 0.0
    wal: int = 0

    @property
    def rate(self) -> float:
        return self.items / max(self.accepted + self.stored, 1e-9)


def fill(url: str, shape: Shape, filling: Filling) -> None:
    """Bring the store to `shape`; it may hold a part of it. A transaction takes the items of several users."""
    with closing(Store.open(url)) as store, Bar(f"bench: {url.partition(':')[0]}", shape.total) as bar:
        there = _collections(store)
        waiting: list[tuple[Collection, list[Resource]]] = []
        count = 0
        for name, first, counts in shape.shares():
            for part, _, _, make, _ in PARTS:
                found = there.get((name, part))
                if found is None or found.items >= counts.get(part, 0):
                    bar.advance(counts.get(part, 0))
                    continue
                bar.advance(found.items)
                numbers = iter(range(first + found.items, first + counts[part]))
                while numbers_now := list(islice(numbers, CHUNK)):
                    began = time.perf_counter()
                    waiting.append((found, [make(number) for number in numbers_now]))
                    filling.made += time.perf_counter() - began
                    count += len(numbers_now)
                    if count >= CHUNK:
                        put(store, waiting, filling)
                        bar.advance(count)
                        filling.wal = max(filling.wal, _log(url))
                        waiting, count = [], 0
        put(store, waiting, filling)


def _collections(store: Store) -> dict[tuple[str, str], Collection]:
    """The collections of all users, made where they are missing."""
    found: dict[tuple[str, str], Collection] = {}
    names = ["bench", *map(user, range(USERS))]
    for start in range(0, len(names), 100):
        with store.write() as tx:
            for name in names[start : start + 100]:
                owner = principals.find(tx, name) or principals.create(tx, name)
                for part, kind, components, _, _ in PARTS if name != "bench" else PARTS[:1]:
                    there = places.find(tx, owner, [part])
                    found[name, part] = there or collections.create(tx, owner, 0, part, kind, components)
    return found


def put(store: Store, waiting: Sequence[tuple[Collection, list[Resource]]], filling: Filling) -> None:
    """Write new items of several collections, in one transaction."""
    began, used = time.perf_counter(), time.process_time()
    ready = [
        (collection, [(one.href, _accepted(store, collection, one.octets)) for one in made])
        for collection, made in waiting
    ]
    parsed = time.perf_counter()
    with store.write() as tx:
        results = [one for collection, pairs in ready for one in items.put_many(tx, collection, pairs)]
    filling.stored += time.perf_counter() - parsed
    filling.accepted += parsed - began
    filling.cpu += time.process_time() - used
    assert all(isinstance(one, items.Item) for one in results), results
    filling.items += len(results)
    filling.octets += sum(len(one.octets) for _, made in waiting for one in made)


def _accepted(store: Store, collection: Collection, octets: bytes) -> ObjectResource:
    if collection.kind == "addressbook":
        return address_object(octets)
    return calendar_object(octets, window=store.window, components=collection.components)


def _log(url: str) -> int:
    if not url.startswith("sqlite:///"):
        return 0
    wal = Path(url.removeprefix("sqlite:///") + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def churn(url: str, shape: Shape, filling: Filling) -> None:
    """Delete a tenth of the items, and write them again edited."""
    with closing(Store.open(url)) as store:
        there = _collections(store)
        for place, (name, first, counts) in enumerate(shape.shares()):
            if place % 10 != 1:
                continue
            for part, _, _, make, _ in PARTS:
                if not counts.get(part):
                    continue
                found = there[name, part]
                made = [_edited(make, number) for number in range(first, first + counts[part])]
                began = time.perf_counter()
                with store.write() as tx:
                    remove_items(tx, found, list(items.named(tx, found, [one.href for one in made]).values()))
                filling.stored += time.perf_counter() - began
                put(store, [(found, made)], filling)
                filling.wal = max(filling.wal, _log(url))


def _edited(make: Callable[..., Resource], number: int) -> Resource:
    return generator.event(number, revision=1) if make is generator.event else make(number)


# Where they are kept.

_TEXT = "SELECT sum(octet_count) FROM collection"


def folder() -> Path:
    """Kept stores: of this schema, and of these made-up data."""
    place = cache.FOLDER / f"growth-{CHAIN.head}-{cache.data_mark()}"
    place.mkdir(parents=True, exist_ok=True)
    return place


class Files:
    """Stores of SQLite: one file for each shape."""

    name = "SQLite"

    def __init__(self) -> None:
        self.folder = folder()

    def filled(self, shape: Shape, smaller: Shape | None, filling: Filling) -> bool:
        """Whether it had to be made."""
        path = self._path(shape)
        if path.exists():
            return False
        partial = path.with_suffix(".partial")
        if not partial.exists() and smaller is not None and self._path(smaller).exists():
            shutil.copyfile(self._path(smaller), partial)
        fill(f"sqlite:///{partial}", shape, filling)
        partial.rename(path)
        for beside in self.folder.glob(f"{partial.name}-*"):
            beside.unlink()
        return True

    @contextmanager
    def copy(self, shape: Shape, place: Path) -> Iterator[str]:
        """The URL of a store that may be written to."""
        place.mkdir(parents=True, exist_ok=True)
        target = place / "calsync.db"
        shutil.copyfile(self._path(shape), target)
        yield f"sqlite:///{target}"
        for left in place.glob("calsync.db*"):
            left.unlink()

    def sizes(self, url: str) -> dict[str, int]:
        """Octets of each table with its indexes; `` is the whole, `free` what is ready to be used again."""
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            names = dict(connection.execute("SELECT name, tbl_name FROM sqlite_master"))
            found: dict[str, int] = {}
            for name, size in connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"):
                table = names.get(name, "")
                if table:
                    found[table] = found.get(table, 0) + size
            (page,), (pages,), (free,) = (
                connection.execute(f"PRAGMA {word}").fetchone()
                for word in ("page_size", "page_count", "freelist_count")
            )
        return {"": page * pages, "free": page * free} | found

    def text(self, url: str) -> int:
        """Octets of all items, as they were sent."""
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            row = connection.execute(_TEXT).fetchone()
        return int(row[0])

    def clean(self, url: str) -> tuple[float, str]:
        """VACUUM: how long it took, and what was said before it."""
        began = time.perf_counter()
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("VACUUM")
        return time.perf_counter() - began, ""

    def written(self) -> int:
        return 0

    def processes(self) -> int | None:
        return None

    def close(self) -> None:
        """Nothing runs."""

    def _path(self, shape: Shape) -> Path:
        return self.folder / f"{shape.total}-own{shape.own}.db"


class Databases:
    """Stores of PostgreSQL: one database for each shape, in a cluster of its own that is kept as well."""

    name = "PostgreSQL"

    def __init__(self) -> None:
        kept = folder() / "postgresql"
        made = (kept / "data").exists()
        if not made:
            kept.mkdir(exist_ok=True)
        self.cluster = Cluster(fast=False, folder=kept, port=free_port() if made else 0)
        self.cluster.start()

    def filled(self, shape: Shape, smaller: Shape | None, filling: Filling) -> bool:
        """Whether it had to be made."""
        name = self._name(shape)
        if self._exists(name):
            return False
        partial = f"{name}_partial"
        if not self._exists(partial):
            if smaller is not None and self._exists(self._name(smaller)):
                self._copied(self._name(smaller), partial)
            else:
                prepare(self.cluster.database(partial))
        before = self.written()
        fill(self.cluster.url(partial), shape, filling)
        filling.wal = self.written() - before
        self._run("VACUUM (ANALYZE)", partial)
        self._run(f"ALTER DATABASE {partial} RENAME TO {name}")
        return True

    @contextmanager
    def copy(self, shape: Shape, place: Path) -> Iterator[str]:
        """The URL of a store that may be written to."""
        name = f"{self._name(shape)}_copy"
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._copied(self._name(shape), name)
        yield self.cluster.url(name)
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def sizes(self, url: str) -> dict[str, int]:
        """Octets of each table with its indexes; `` is the whole."""
        with psycopg.connect(url) as connection:
            found: dict[str, int] = dict(
                connection.execute(
                    "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
                    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
                ).fetchall()
            )
        return {"": sum(found.values())} | found

    def text(self, url: str) -> int:
        """Octets of all items, as they were sent."""
        with psycopg.connect(url) as connection:
            row = connection.execute(_TEXT).fetchone()
        return int(row[0]) if row else 0

    def clean(self, url: str) -> tuple[float, str]:
        """VACUUM: how long it took, and how many dead rows there were before and after, and whether autovacuum came."""
        time.sleep(2)  # the statistics are written a second late
        before = self._dead(url)
        began = time.perf_counter()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM")
        took = time.perf_counter() - began
        time.sleep(2)
        return took, f"{before}; after VACUUM {self._dead(url)}"

    def _dead(self, url: str) -> str:
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT sum(n_dead_tup), sum(n_live_tup), sum(autovacuum_count) FROM pg_stat_user_tables"
            ).fetchone()
        assert row is not None
        return f"{row[0]} dead rows of {row[1]} living, {row[2]} automatic vacuums"

    def written(self) -> int:
        """Octets of log since the cluster was made."""
        with psycopg.connect(self.cluster.url("postgres")) as connection:
            row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
        return int(row[0]) if row else 0

    def processes(self) -> int | None:
        """The process whose children are the back ends."""
        return int((self.cluster.folder / "data" / "postmaster.pid").read_text().split()[0])

    def close(self) -> None:
        self.cluster.stop()

    def _exists(self, name: str) -> bool:
        with psycopg.connect(self.cluster.url("postgres")) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        return found is not None

    def _copied(self, source: str, target: str) -> None:
        self._run(f"CREATE DATABASE {target} TEMPLATE {source} STRATEGY FILE_COPY")

    def _run(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.cluster.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _name(self, shape: Shape) -> str:
        return f"g{shape.total}_own{shape.own}"


Stores = Files | Databases
