"""Collections that were deleted lie in the trash: out of sight, whole, and for good only in small steps."""

from __future__ import annotations

import threading

import pytest

from calsync.store import changes, collections, history, items, principals, trash, verify
from calsync.store.changes import SyncToken
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Absent, Exists
from calsync.store.principals import Principal
from calsync.store.trash import Trashed
from tests.raw import Raw
from tests.store.objects import event


@pytest.fixture
def anna(store: Store, calendar: Collection) -> Principal:
    with store.read() as tx:
        found = principals.get(tx, calendar.owner)
    assert found is not None
    return found


def only(store: Store, owner: int) -> Trashed:
    with store.read() as tx:
        (one,) = trash.listing(tx, owner)
    return one


def fill(store: Store, calendar: Collection, count: int) -> None:
    with store.write() as tx:
        items.put_many(tx, calendar, [(f"{number}.ics", event(f"u{number}")) for number in range(count)])


def test_it_is_nowhere_to_be_found(store: Store, calendar: Collection, anna: Principal) -> None:
    fill(store, calendar, 3)
    with store.write() as tx:
        tx.actor = "anna by Phone"
        collections.delete(tx, calendar)
        assert collections.find(tx, anna, ["work"]) is None
        assert collections.get(tx, anna.id, calendar.id) is None
        assert collections.children(tx, anna.id) == []
        assert items.with_uid(tx, anna.id, "u1") == []
    one = only(store, anna.id)
    assert (one.path, one.kind, one.items, one.actor) == ("work", "calendar", 3, "anna by Phone")
    for refused in (
        lambda tx: items.put(tx, calendar, "x.ics", event("x")),
        lambda tx: items.delete(tx, calendar, items.get(tx, calendar, "1.ics")),
        lambda tx: collections.set_properties(tx, calendar, {"{x:}a": "<a/>"}),
        lambda tx: collections.copy(tx, calendar, anna, 0, "copy"),
        lambda tx: collections.move(tx, calendar, anna, 0, "moved"),
    ):
        with pytest.raises(Absent), store.write() as tx:
            refused(tx)
    with store.read() as tx:
        inside = trash.contents(tx, one)
        assert [row.url for row in items.page(tx, inside, 0, 10)] == ["0.ics", "1.ics", "2.ics"]


def test_it_comes_back_whole_and_no_old_token_holds(store: Store, calendar: Collection, anna: Principal) -> None:
    fill(store, calendar, 3)
    with store.write() as tx:
        before = collections.get(tx, anna.id, calendar.id)
        assert before is not None
        collections.delete(tx, calendar)
        back = trash.bring_back(tx, anna, trash.listing(tx, anna.id)[0])
        assert trash.listing(tx, anna.id) == []
        home = principals.get(tx, anna.id)
        assert home is not None
        seen = changes.home_changes(tx, home, before.seq, before.seq, 10, home.seq)
        with pytest.raises(Absent):
            trash.bring_back(tx, anna, Trashed(anna.id, calendar.id, 0, "work", "work", 1, "", "calendar", 3, 0, 0))
    assert (back.name, back.id, back.items, back.octets) == ("work", calendar.id, 3, before.octets)
    assert [(change.href, change.deleted) for change in seen] == [("work/", False)]
    assert not SyncToken.of(before).holds_for(back)
    assert list(verify.verify(store)) == []


def test_a_name_that_is_taken_and_a_parent_that_is_gone(store: Store, anna: Principal) -> None:
    with store.write() as tx:
        outer = collections.create(tx, anna, 0, "outer", "plain")
        inner = collections.create(tx, anna, outer.id, "inner", "calendar")
        collections.delete(tx, inner)
        one = trash.listing(tx, anna.id)[0]
        assert one.path == "outer/inner"
        collections.create(tx, anna, outer.id, "inner", "calendar")
        items.put_file(tx, outer, "inner-2", b"x", "text/plain")
        with tx.savepoint():
            assert trash.bring_back(tx, anna, one).name == "inner-3"
        collections.delete(tx, inner)
        collections.delete(tx, outer)
        with pytest.raises(Exists):
            trash.bring_back(tx, anna, one, parent=0, name="work")
        back = trash.bring_back(tx, anna, one)
        assert (back.parent, back.name) == (0, "inner-3")


def test_what_stands_in_it_goes_and_comes_with_it(store: Store, anna: Principal) -> None:
    with store.write() as tx:
        outer = collections.create(tx, anna, 0, "outer", "plain")
        middle = collections.create(tx, anna, outer.id, "middle", "plain")
        inner = collections.create(tx, anna, middle.id, "inner", "calendar")
        earlier = collections.create(tx, anna, middle.id, "earlier", "calendar")
        items.put(tx, inner, "a.ics", event("a"))
        collections.delete(tx, earlier)
        collections.delete(tx, outer)
        assert {one.path for one in trash.listing(tx, anna.id)} == {"outer", "outer/middle/earlier"}
        assert [collections.get(tx, anna.id, one.id) for one in (outer, middle, inner)] == [None] * 3
        assert items.with_uid(tx, anna.id, "a") == []
        (one,) = trash.at(tx, anna.id, "outer")
        assert [gone.path for gone in trash.within(tx, one)] == ["outer/middle", "outer/middle/inner"]
        # Another one of this name may come meanwhile.
        collections.create(tx, anna, 0, "outer", "plain")
        trash.bring_back(tx, anna, one)
        found = collections.find(tx, anna, ["outer-2", "middle", "inner"])
        assert found is not None and found.id == inner.id and found.items == 1
        assert collections.find(tx, anna, ["outer-2", "middle", "earlier"]) is None
        assert [one.path for one in trash.listing(tx, anna.id)] == ["outer/middle/earlier"]
    assert list(verify.verify(store)) == []


def test_it_leaves_the_homes_of_others(store: Store, calendar: Collection, anna: Principal, raw: Raw) -> None:
    with store.write() as tx:
        bert = principals.create(tx, "bert")
    raw.run(f"INSERT INTO mount SELECT {bert.id}, 0, 'annas', 'annas', owner, collection, 1, 0, NULL, NULL FROM mount")
    with store.write() as tx:
        assert [one.id for one in collections.children(tx, bert.id)] == [calendar.id]
        collections.delete(tx, calendar)
        assert collections.children(tx, bert.id) == []
        now = principals.get(tx, bert.id)
        assert now is not None
        (seen,) = changes.home_changes(tx, now, bert.seq, bert.seq, 10, now.seq)
        assert (seen.href, seen.deleted) == ("annas/", True)


def rows(raw: Raw) -> dict[str, int]:
    tables = ("item", "body", "occurrence", "tombstone", "revision", "property_revision", "trash", "collection")
    return {name: int(raw.rows(f"SELECT count(*) FROM {name}")[0][0]) for name in tables}


def test_a_purge_goes_in_small_steps(store: Store, calendar: Collection, anna: Principal, raw: Raw) -> None:
    fill(store, calendar, 1201)
    with store.write() as tx:
        collections.set_properties(tx, calendar, {"{x:}a": "<a/>"})
        items.replace_all(tx, calendar, [(f"{n}.ics", event(f"u{n}", summary="new")) for n in range(600)])
        items.put_many(tx, calendar, [(f"{n}.ics", event(f"u{n}")) for n in range(600, 1201)])
        collections.delete(tx, calendar)
    steps: list[int] = []
    trash.purge(store, anna.id, calendar.id, steps.append)
    assert (sum(steps), max(steps)) == (1201, 500)
    left = rows(raw)
    assert left.pop("tombstone") == 1  # of the home
    assert set(left.values()) == {0}


def test_a_purge_that_is_broken_off_is_ended_by_the_next(
    store: Store, calendar: Collection, anna: Principal, raw: Raw
) -> None:
    fill(store, calendar, 600)
    with store.write() as tx:
        collections.delete(tx, calendar)
    one = only(store, anna.id)

    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trash.purge(store, anna.id, calendar.id, stop)
    assert rows(raw)["item"] == 100
    assert list(verify.verify(store)) == []
    with store.write() as tx:
        assert trash.listing(tx, anna.id) == []
        with pytest.raises(Absent):
            trash.bring_back(tx, anna, one)
    # However young it is.
    history.purge(store, before=1, size=0)
    assert rows(raw)["item"] == rows(raw)["trash"] == 0


def test_others_write_while_it_is_purged(store: Store, calendar: Collection, anna: Principal) -> None:
    fill(store, calendar, 2000)
    with store.write() as tx:
        collections.delete(tx, calendar)
        other = collections.create(tx, anna, 0, "other", "calendar")
    written: list[int] = []

    def write(count: int) -> None:
        def put() -> None:
            with store.write() as tx:
                written.append(items.put(tx, other, f"{len(written)}.ics", event(f"w{len(written)}")).seq)

        thread = threading.Thread(target=put)
        thread.start()
        thread.join()

    trash.purge(store, anna.id, calendar.id, write)
    assert len(written) == 4


def test_only_what_was_deleted_before_is_purged(store: Store, calendar: Collection, anna: Principal) -> None:
    with store.write() as tx:
        collections.delete(tx, calendar)
    deleted = only(store, anna.id).deleted
    assert history.purge(store, before=deleted, size=0) == 0
    assert history.purge(store, before=deleted + 1, size=0) > 0
    with store.read() as tx:
        assert trash.listing(tx, anna.id) == []
