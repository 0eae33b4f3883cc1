from __future__ import annotations

import pytest

from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Absent, Damaged, Exists, UidConflict
from calsync.store.items import Item
from tests.raw import Raw
from tests.store.objects import again, card, event, recurring


def test_what_is_put_is_what_is_read(store: Store, calendar: Collection) -> None:
    obj = event("one")
    with store.write() as tx:
        put = items.put(tx, calendar, "a b'ä?.ics", obj)
    with store.read() as tx:
        found = items.get(tx, calendar, "a b'ä?.ics")
        assert found == put
        assert found.etag == obj.etag
        assert found.url == "a%20b%27%C3%A4%3F.ics"
        assert (found.component, found.uid, found.size) == ("VEVENT", "one", len(obj.octets))
        assert items.body(tx, found) == obj.octets
        assert items.get_by_id(tx, calendar, found.id) == put
        assert items.by_uid(tx, calendar, "one") == put
        assert items.with_uid(tx, calendar.owner, "one") == [put]
        assert items.by_uid(tx, calendar, "ONE") is None


def test_every_write_takes_the_next_seq_and_the_collection_has_the_last(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        first = items.put(tx, calendar, "a.ics", event("a"))
        second = items.put(tx, calendar, "b.ics", event("b"))
        changed = items.put(tx, calendar, "a.ics", event("a", summary="new"))
    assert [first.seq, second.seq, changed.seq] == [calendar.seq + 1, calendar.seq + 2, calendar.seq + 3]
    assert (changed.id, changed.created) == (first.id, first.created)
    assert again(store, calendar).seq == changed.seq


def test_putting_the_same_octets_changes_nothing(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        first = items.put(tx, calendar, "a.ics", event("a"))
    before = again(store, calendar)
    with store.write() as tx:
        assert items.put(tx, calendar, "a.ics", event("a")) == first
    assert again(store, calendar) == before


def test_a_uid_is_held_by_one_item_of_a_collection(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("same"))
        with pytest.raises(UidConflict) as conflict:
            items.put(tx, calendar, "b.ics", event("same"))
        assert conflict.value.href == "a.ics"
        # Not in another collection, and not once it is free.
        principal = principals.get(tx, calendar.owner)
        assert principal is not None
        other = collections.create(tx, principal, 0, "other", "calendar")
        items.put(tx, other, "b.ics", event("same"))
        items.put(tx, calendar, "a.ics", event("different"))
        items.put(tx, calendar, "b.ics", event("same"))


def test_put_many_is_put_one_after_the_other(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "old.ics", event("old"))
        results = items.put_many(
            tx,
            calendar,
            [
                ("a.ics", event("a")),
                ("b.ics", event("a")),
                ("old.ics", event("new")),
                ("c.ics", event("old")),
                ("a.ics", event("a", summary="again")),
            ],
        )
    assert [one.href for one in results] == ["a.ics", "a.ics", "old.ics", "c.ics", "a.ics"]
    assert [isinstance(one, UidConflict) for one in results] == [False, True, False, False, False]
    assert results[0] == results[4]
    with store.read() as tx:
        assert sorted(row.url for row in items.page(tx, calendar, 0, 10)) == ["a.ics", "c.ics", "old.ics"]


def test_a_deleted_item_is_gone_and_cannot_be_deleted_again(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        item = items.put(
            tx, calendar, "a.ics", recurring(store, "a", "20260301T100000Z", "20260301T110000Z", "FREQ=DAILY")
        )
        items.set_properties(tx, calendar, item, {"{x:}y": "<y xmlns='x:'/>"})
        items.delete(tx, calendar, item)
        assert items.get(tx, calendar, "a.ics") is None
        assert items.properties(tx, calendar, [item.id]) == {}
        with pytest.raises(Absent):
            items.delete(tx, calendar, item)


def test_nothing_is_put_into_a_collection_that_is_gone(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        collections.delete(tx, calendar)
    with pytest.raises(Absent), store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))


def test_bodies_come_in_the_order_asked_for(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        for name in "abc":
            items.put(tx, calendar, f"{name}.ics", event(name))
    with store.read() as tx:
        found = items.bodies(tx, calendar, ["c.ics", "none.ics", "a.ics", "c.ics"])
    assert [href for href, _, _ in found] == ["c.ics", "none.ics", "a.ics", "c.ics"]
    assert [octets for _, _, octets in found] == [event("c").octets, None, event("a").octets, event("c").octets]


def test_damage_is_told_of_the_damaged_item_alone(store: Store, calendar: Collection, raw: Raw) -> None:
    with store.write() as tx:
        bad = items.put(tx, calendar, "bad.ics", event("bad"))
        items.put(tx, calendar, "good.ics", event("good"))
    raw.run(f"UPDATE body SET octets = x'{b'BEGIN:NONSENSE'.hex()}' WHERE item = {bad.id}")
    with store.read() as tx:
        with pytest.raises(Damaged, match=r"bad\.ics"):
            items.body(tx, bad)
        (_, _, first), (_, _, second) = items.bodies(tx, calendar, ["bad.ics", "good.ics"])
        assert isinstance(first, Damaged)
        assert second == event("good").octets
        assert [row.etag for row in items.page(tx, calendar, 0, 10)] == [event("bad").etag, event("good").etag]
    # The client that has the octets still can put them again.
    with store.write() as tx:
        assert items.put(tx, calendar, "bad.ics", event("bad")).seq == bad.seq
        assert items.body(tx, bad) == event("bad").octets


def test_pages_make_up_the_collection_as_it_was_read_first(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put_many(tx, calendar, [(f"{number}.ics", event(str(number))) for number in range(7)])
    upto = again(store, calendar).seq
    seen: list[str] = []
    after = 0
    while True:
        with store.read() as tx:
            page = items.page(tx, calendar, after, 3, upto)
        seen += [row.url for row in page]
        if len(page) < 3:
            break
        after = page[-1].id
        with store.write() as tx:
            items.put(tx, calendar, f"new{after}.ics", event(f"new{after}"))
            items.put(tx, calendar, "6.ics", event("6", summary=f"changed {after}"))
    assert seen == [f"{number}.ics" for number in range(7)]


def test_a_listing_of_some_columns_is_the_page_cut_down(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put_many(tx, calendar, [(f"{number}.ics", event(str(number))) for number in range(5)])
    with store.read() as tx:
        rows = items.page(tx, calendar, 0, 3)
        assert items.listing(tx, calendar, ("id", "etag"), 0, 3) == [(row.id, row.etag) for row in rows]


def test_replacing_all_is_a_diff(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        kept = items.put(tx, calendar, "kept.ics", event("kept"))
        changed = items.put(tx, calendar, "changed.ics", event("changed"))
        items.put(tx, calendar, "gone.ics", event("gone"))
        done = items.replace_all(
            tx,
            calendar,
            [
                ("1.ics", event("kept")),
                ("2.ics", event("changed", summary="new")),
                ("kept.ics", event("new")),
                ("3.ics", event("kept")),
            ],
        )
        assert (done.created, done.changed, done.unchanged, done.deleted) == (1, 1, 1, ["gone.ics"])
        same, other, new, twice = done.items
        assert same == kept
        assert isinstance(other, Item) and (other.href, other.id) == ("changed.ics", changed.id)
        assert isinstance(new, Item) and new.href == "kept-2.ics"
        assert isinstance(twice, UidConflict) and twice.href == "kept.ics"
        assert collections.count_and_size(tx, calendar)[0] == 3


def test_replacing_all_by_the_same_changes_nothing(store: Store, calendar: Collection) -> None:
    pairs = [(f"{number}.ics", event(str(number))) for number in range(3)]
    with store.write() as tx:
        items.replace_all(tx, calendar, pairs)
    before = again(store, calendar)
    with store.write() as tx:
        assert items.replace_all(tx, calendar, pairs).unchanged == 3
    assert again(store, calendar) == before


def test_dead_properties_belong_to_an_item_and_go_with_it(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        item = items.put(tx, calendar, "a.ics", event("a"))
        changed = items.set_properties(tx, calendar, item, {"{x:}one": "<a/>", "{x:}two": "<b/>"})
        items.set_properties(tx, calendar, changed, {"{x:}one": None, "{x:}two": "<c/>", "{x:}none": None})
        assert items.properties(tx, calendar, [item.id]) == {item.id: {"{x:}two": "<c/>"}}
        assert changed.seq > item.seq and changed.etag == item.etag
        copied = items.copy(tx, calendar, item, _other(tx, calendar), "b.ics")
        assert items.properties(tx, calendar, [copied.id]) == {copied.id: {"{x:}two": "<c/>"}}


def _other(tx, calendar: Collection, kind: str = "calendar") -> Collection:  # type: ignore[no-untyped-def]
    principal = principals.get(tx, calendar.owner)
    assert principal is not None
    return collections.create(tx, principal, 0, "other", kind)


def test_a_moved_item_keeps_its_octets_and_its_etag(store: Store, calendar: Collection) -> None:
    obj = recurring(store, "a", "20260301T100000Z", "20260301T110000Z", "FREQ=DAILY;COUNT=3")
    with store.write() as tx:
        other = _other(tx, calendar)
        item = items.put(tx, calendar, "a.ics", obj)
        moved = items.move(tx, calendar, item, other, "b.ics")
        assert (moved.href, moved.etag, moved.id) == ("b.ics", item.etag, item.id)
        assert moved == items.get(tx, other, "b.ics")
        assert items.get(tx, calendar, "a.ics") is None
        assert items.body(tx, moved) == obj.octets
    assert (again(store, calendar).items, again(store, other).items) == (0, 1)
    assert again(store, other).octets == len(obj.octets)


def test_a_move_or_copy_replaces_what_has_the_name_and_minds_uids(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        other = _other(tx, calendar)
        item = items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, other, "taken.ics", event("other"))
        held = items.put(tx, other, "holder.ics", event("a", summary="here"))
        with pytest.raises(UidConflict) as conflict:
            items.copy(tx, calendar, item, other, "taken.ics")
        assert conflict.value.href == "holder.ics"
        items.delete(tx, other, held)
        copied = items.copy(tx, calendar, item, other, "taken.ics")
        assert [row.id for row in items.page(tx, other, 0, 10)] == [copied.id]
        with pytest.raises(ValueError, match="onto itself"):
            items.move(tx, calendar, item, calendar, "a.ics")
        assert items.move(tx, calendar, item, calendar, "renamed.ics").uid == "a"


def test_a_copy_may_leave_alone_an_item_of_the_old_name(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        other = _other(tx, calendar)
        item = items.put(tx, calendar, "a.ics", event("a"))
        kept = items.put(tx, other, "a.ics", event("b"))
        items.copy(tx, calendar, item, other, "new.ics")
        assert items.get(tx, other, "a.ics") == kept


def test_an_item_can_go_to_another_owner(store: Store, calendar: Collection) -> None:
    obj = card("c", "Bob", "EMAIL:bob@example.com")
    with store.write() as tx:
        book = _other(tx, calendar, "addressbook")
        item = items.put(tx, book, "c.vcf", obj)
        target = collections.create(tx, principals.create(tx, "bob"), 0, "book", "addressbook")
        moved = items.move(tx, book, item, target, "c.vcf")
        assert moved.owner == target.owner
        assert items.body(tx, moved) == obj.octets
        assert items.get(tx, book, "c.vcf") is None


def test_a_file_and_a_collection_cannot_have_one_name(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        principal = principals.get(tx, calendar.owner)
        assert principal is not None
        plain = collections.create(tx, principal, 0, "files", "plain")
        file = items.put_file(tx, plain, "x", b"\x00anything", "image/png")
        assert (file.content_type, file.uid, items.body(tx, file)) == ("image/png", "", b"\x00anything")
        with pytest.raises(Exists):
            collections.create(tx, principal, plain.id, "x", "plain")
        collections.create(tx, principal, plain.id, "y", "plain")
        with pytest.raises(Exists):
            items.put_file(tx, plain, "y", b"", "text/plain")
        assert items.put_file(tx, plain, "x", b"\x00anything", "text/plain").seq > file.seq
