"""The mirror is what an export would be, after whatever was written; and only what it wrote is removed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from calsync.moving.mirror import Mirror, Round
from calsync.moving.written import FILE
from calsync.store import changes, collections, items, principals, trash
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.schema import body
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction
from calsync.transfer.report import Report
from calsync.transfer.writer import Writing
from tests.moving.conftest import KINDS
from tests.store.objects import event

_ROT = Prepared(update(body).values(octets=b"rot"))


@pytest.fixture
def store(place: Callable[[str, str], str], request: pytest.FixtureRequest) -> Iterator[Store]:
    made = Store.open(place(getattr(request, "param", "sqlite"), "store"))
    yield made
    made.close()


def looked(store: Store, folder: Path) -> Round:
    with Mirror(store, folder) as mirror:
        return mirror.look()


def tree(folder: Path) -> dict[str, bytes | None]:
    root = folder / "collection-root"
    return {str(file.relative_to(root)): file.read_bytes() if file.is_file() else None for file in root.rglob("*")}


def exported(store: Store, folder: Path) -> dict[str, bytes | None]:
    Writing(store, Report()).folder(folder)
    return tree(folder)


def calendar(store: Store, user: str = "anna", name: str = "work") -> Collection:
    with store.write() as tx:
        owner = principals.find(tx, user) or principals.create(tx, user)
        return collections.create(tx, owner, 0, name, "calendar")


def put(store: Store, collection: Collection, href: str, uid: str, summary: str = "") -> None:
    with store.write() as tx:
        items.put(tx, collection, href, event(uid, summary=summary))


class Dice:
    """Writes at random: items, collections in each other, users, what is forgotten and brought back."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def roll(self, tx: Transaction) -> None:
        owner = principals.find(tx, name := self.random.choice(("anna", "bert"))) or principals.create(tx, name)
        here = collections.children(tx, owner.id, 0)
        deep = [inner for one in here if one.kind == "plain" for inner in collections.below(tx, one)]
        calendars = [one for one in (*here, *deep) if one.kind == "calendar"]
        what = self.random.random()
        name = f"c{self.random.randrange(4)}"
        if what < 0.7 and calendars:
            self._item(tx, self.random.choice(calendars))
        elif what < 0.8:
            parent = self.random.choice([0, *(one.id for one in here if one.kind == "plain")])
            if collections.child(tx, owner.id, parent, name) is None:
                collections.create(tx, owner, parent, name, self.random.choice(("calendar", "calendar", "plain")))
        elif what < 0.85 and here:
            collections.delete(tx, self.random.choice(here))
        elif what < 0.9 and here and collections.child(tx, owner.id, 0, name) is None:
            collections.move(tx, self.random.choice(here), owner, 0, name)
        elif what < 0.94 and (gone := trash.listing(tx, owner.id)):
            trash.bring_back(tx, owner, gone[0])
        elif what < 0.97:
            changes.forget(tx, owner, owner.seq)
        elif what < 0.98:
            principals.delete(tx, owner)

    def _item(self, tx: Transaction, collection: Collection) -> None:
        href = self.random.choice(("1.ics", "2.ics", "ä b.ics", ".hidden.ics", "x" * 250 + ".ics"))
        there = items.get(tx, collection, href)
        if there is not None and self.random.random() < 0.4:
            items.delete(tx, collection, there)
        elif there is not None or items.by_uid(tx, collection, href) is None:
            items.put(tx, collection, href, event(href, summary=str(self.random.random())))


@pytest.mark.parametrize("store", KINDS, indirect=True)
@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_an_export_is(store: Store, seed: int, tmp_path: Path) -> None:
    dice, folder = Dice(seed), tmp_path / "mirror"
    for count in range(12):
        with store.write() as tx:
            for _ in range(dice.random.randrange(25)):
                dice.roll(tx)
        looked(store, folder)
        assert tree(folder) == exported(store, tmp_path / f"export{count}")
        again = looked(store, folder)
        assert (again.written, again.removed, again.problems) == (0, 0, [])


def test_only_what_has_changed_is_written(store: Store, tmp_path: Path) -> None:
    work = calendar(store)
    for number in range(20):
        put(store, work, f"{number}.ics", f"u{number}")
    assert looked(store, tmp_path).written == 20
    put(store, work, "3.ics", "u3", "new")
    with store.write() as tx:
        four = items.get(tx, work, "4.ics")
        assert four is not None
        items.delete(tx, work, four)
    done = looked(store, tmp_path)
    assert (done.written, done.removed) == (1, 1)


def test_files_of_others_stay(store: Store, tmp_path: Path) -> None:
    work = calendar(store)
    put(store, work, "mine.ics", "mine")
    looked(store, tmp_path)
    inside = tmp_path / "collection-root" / "anna" / "work"
    (inside / "note.txt").write_text("somebody's")
    (inside / "late.ics").write_text("somebody's too")
    put(store, work, "late.ics", "late")
    done = looked(store, tmp_path)
    assert [text for text in done.problems if "late.ics" in text] == done.problems and done.problems
    with store.write() as tx:
        collections.delete(tx, work)
    looked(store, tmp_path)
    assert sorted(file.name for file in inside.iterdir()) == ["late.ics", "note.txt"]


def test_a_damaged_item_keeps_its_last_good_file(store: Store, tmp_path: Path) -> None:
    work = calendar(store)
    put(store, work, "one.ics", "one", "good")
    looked(store, tmp_path)
    file = tmp_path / "collection-root" / "anna" / "work" / "one.ics"
    put(store, work, "one.ics", "one", "newer")
    with store.write() as tx:
        tx.run(_ROT)
    done = looked(store, tmp_path)
    assert "one.ics" in done.problems[0] and b"good" in file.read_bytes()
    put(store, work, "one.ics", "one", "newer")  # the same again mends it, and its seq stays
    done = looked(store, tmp_path)
    assert not done.problems and b"newer" in file.read_bytes()


def test_another_store_and_a_second_mirror_are_refused(store: Store, tmp_path: Path) -> None:
    calendar(store)
    with Mirror(store, tmp_path) as mirror:
        mirror.look()
        with pytest.raises(StoreError, match="another mirror"):
            Mirror(store, tmp_path)
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    try:
        calendar(other, "carl")
        with pytest.raises(StoreError, match="another store"):
            Mirror(other, tmp_path)
        (tmp_path / FILE).unlink()
        with pytest.raises(StoreError, match="no mirror has written"):
            Mirror(store, tmp_path)
    finally:
        other.close()
