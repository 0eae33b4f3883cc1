"""What an owner has never grows beyond the quota, and what makes nothing bigger is always possible."""

from __future__ import annotations

import pytest

from calsync.store import collections, items, principals, quota, removals, trash, undo
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import OverQuota
from calsync.store.quota import Amounts, Own
from tests.store.objects import event

SIZE = len(event("a").octets)


def bound(store: Store, collection: Collection, said: Own) -> None:
    with store.write() as tx:
        quota.put(tx, collection.owner, said)


def used(store: Store, collection: Collection) -> Amounts:
    with store.read() as tx:
        return quota.used(tx, collection.owner)


def put(store: Store, collection: Collection, *uids: str, summary: str = "") -> list[items.Item | items.LeftOut]:
    with store.write() as tx:
        return items.put_many(tx, collection, [(f"{uid}.ics", event(uid, summary=summary)) for uid in uids])


def test_what_holds(store: Store, calendar: Collection) -> None:
    quota.keep(store, Amounts(1000, 0, 5))
    bound(store, calendar, Own(octets=0, items=3))
    with store.read() as tx:
        assert quota.bounds(tx, calendar.owner) == Amounts(0, 3, 5)
        assert quota.bounds(tx, calendar.owner + 1) == Amounts(1000, 0, 5)
    bound(store, calendar, Own())
    quota.keep(store, Amounts())
    with store.read() as tx:
        assert quota.bounds(tx, calendar.owner) == Amounts()
        assert not quota.own(tx, calendar.owner).items


def test_the_configured_bound_is_forgotten_where_somebody_has_an_own(store: Store, calendar: Collection) -> None:
    bound(store, calendar, Own(items=1))
    quota.keep(store, Amounts(items=2))
    quota.keep(store, Amounts())
    assert isinstance(put(store, calendar, "a", "b")[1], OverQuota)


def test_nothing_is_read_where_nobody_has_one(store: Store, calendar: Collection) -> None:
    bound(store, calendar, Own(items=1))
    bound(store, calendar, Own())
    with store.write() as tx:
        assert tx.quota is None


def test_each_kind_of_bound(store: Store, calendar: Collection) -> None:
    for said, what in ((Own(octets=2 * SIZE - 1), "octets"), (Own(items=1), "items")):
        bound(store, calendar, said)
        first, second = put(store, calendar, "a", "b")
        assert isinstance(first, items.Item)
        assert isinstance(second, OverQuota) and second.what == what
        assert used(store, calendar) == Amounts(SIZE, 1, 1)
    bound(store, calendar, Own(collections=1))
    with pytest.raises(OverQuota), store.write() as tx:
        principal = principals.get(tx, calendar.owner)
        assert principal is not None
        collections.create(tx, principal, 0, "more", "calendar")
    assert used(store, calendar).collections == 1


def test_a_quota_can_be_filled(store: Store, calendar: Collection) -> None:
    bound(store, calendar, Own(2 * SIZE, 2, 1))
    assert all(isinstance(one, items.Item) for one in put(store, calendar, "a", "b"))


def test_one_after_the_other(store: Store, calendar: Collection) -> None:
    """What a pair of the same write has made smaller is there for the next."""
    put(store, calendar, "a", summary="x" * 40)
    bound(store, calendar, Own(octets=2 * SIZE))
    assert isinstance(put(store, calendar, "b")[0], OverQuota)
    assert all(isinstance(one, items.Item) for one in put(store, calendar, "a", "b"))
    assert used(store, calendar).octets == 2 * SIZE


def test_less_is_always_possible(store: Store, calendar: Collection) -> None:
    put(store, calendar, "a", "b", summary="long")
    bound(store, calendar, Own(1, 1, 1))
    longer, same, shorter = (put(store, calendar, "a", summary=summary)[0] for summary in ("longer", "five", "s"))
    assert isinstance(longer, OverQuota) and isinstance(same, items.Item) and isinstance(shorter, items.Item)
    with store.write() as tx:
        items.delete(tx, calendar, shorter)


def test_a_whole_collection_may_shrink(store: Store, calendar: Collection) -> None:
    put(store, calendar, "a", "b", "c")
    bound(store, calendar, Own(octets=SIZE))
    with store.write() as tx:
        replaced = items.replace_all(tx, calendar, [("x.ics", event("x")), ("a.ics", event("a"))])
    assert all(isinstance(one, items.Item) for one in replaced.items) and len(replaced.deleted) == 2
    with store.write() as tx:
        replaced = items.replace_all(tx, calendar, [(f"{uid}.ics", event(uid)) for uid in "axz"])
    assert [isinstance(one, OverQuota) for one in replaced.items] == [False, False, True]
    assert used(store, calendar) == Amounts(2 * SIZE, 2, 1)


def test_copies_count_and_moves_inside_do_not(store: Store, calendar: Collection) -> None:
    put(store, calendar, "a")
    with store.write() as tx:
        anna, bert = principals.get(tx, calendar.owner), principals.create(tx, "bert")
        assert anna is not None
        there = collections.create(tx, bert, 0, "there", "calendar")
        beside = collections.create(tx, anna, 0, "beside", "calendar")
        quota.put(tx, anna.id, Own(SIZE, 1, 2))
        quota.put(tx, bert.id, Own(SIZE - 1, 0, 0))
        item = items.get(tx, calendar, "a.ics")
        assert item is not None
    for attempt in (items.move, items.copy):
        with pytest.raises(OverQuota), store.write() as tx:
            attempt(tx, calendar, item, there, "a.ics")
    with pytest.raises(OverQuota), store.write() as tx:
        items.copy(tx, calendar, item, beside, "a.ics")
    for change in (collections.copy, collections.move):
        with pytest.raises(OverQuota), store.write() as tx:
            change(tx, calendar, bert, 0, "work")
    with store.write() as tx:
        moved = items.move(tx, calendar, item, beside, "a.ics")
        again = items.move(tx, beside, moved, calendar, "b.ics")
        assert again.size == SIZE
        collections.move(tx, beside, anna, 0, "elsewhere")
    assert used(store, calendar) == Amounts(SIZE, 1, 2)
    assert used(store, there) == Amounts(0, 0, 1)


def test_the_trash_does_not_count_until_it_is_brought_back(store: Store, calendar: Collection) -> None:
    put(store, calendar, "a", "b")
    with store.write() as tx:
        removals.remove_collection(tx, calendar)
    assert used(store, calendar) == Amounts()
    bound(store, calendar, Own(items=1))
    with pytest.raises(OverQuota), store.write() as tx:
        principal = principals.get(tx, calendar.owner)
        assert principal is not None
        trash.bring_back(tx, principal, trash.listing(tx, calendar.owner)[0])
    bound(store, calendar, Own(items=2))
    with store.write() as tx:
        trash.bring_back(tx, principal, trash.listing(tx, calendar.owner)[0])
    assert used(store, calendar) == Amounts(2 * SIZE, 2, 1)


def test_undo_keeps_to_it(store: Store, calendar: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, calendar, "a", "b")
    with store.read() as tx:
        now = collections.current(tx, calendar.owner, calendar.id).modified
    monkeypatch.setattr("time.time", lambda: now + 100.0)
    with store.write() as tx:
        for one in items.named(tx, calendar, ["a.ics", "b.ics"]).values():
            items.delete(tx, calendar, one)
    bound(store, calendar, Own(items=1))
    with store.read() as tx:
        plan = undo.plan(tx, calendar, now + 50)
    outcome = undo.carry_out(store, plan, "test")
    assert outcome.done == 1 and [href for href, _ in outcome.refused] == ["b.ics"]
    assert used(store, calendar).items == 1


def test_a_store_that_is_brought_back_is_not_weighed(store: Store, calendar: Collection) -> None:
    bound(store, calendar, Own(items=1))
    with store.write() as tx:
        quota.lift(tx)
        items.put_many(tx, calendar, [("a.ics", event("a")), ("b.ics", event("b"))])
    assert used(store, calendar).items == 2
    assert isinstance(put(store, calendar, "c")[0], OverQuota)


def test_it_goes_with_the_user(store: Store, calendar: Collection) -> None:
    bound(store, calendar, Own(items=1))
    with store.write() as tx:
        principal = principals.get(tx, calendar.owner)
        assert principal is not None
        principals.delete(tx, principal)
        assert quota.own(tx, calendar.owner) == Own()
