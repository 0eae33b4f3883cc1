from __future__ import annotations

import pytest

from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.errors import Absent, Exists
from calsync.store.principals import Principal
from calsync.store.transaction import Transaction
from tests.store.objects import card, event, recurring


def owner_of(tx: Transaction, one: Collection) -> Principal:
    found = principals.get(tx, one.owner)
    assert found is not None
    return found


def test_a_principal_is_found_without_case_and_keeps_its_spelling(store: Store) -> None:
    with store.write() as tx:
        made = principals.create(tx, "Zoe\u0308")
        assert made.name == "Zo\u00eb"
        assert principals.find(tx, "ZO\u00cb") == made
        assert principals.get(tx, made.id) == made
        with pytest.raises(Exists):
            principals.create(tx, "zo\u00eb")
        assert principals.listing(tx) == [made]


def test_properties_of_a_principal_raise_its_seq(store: Store) -> None:
    with store.write() as tx:
        made = principals.create(tx, "anna")
        changed = principals.set_properties(tx, made, {"{DAV:}displayname": "<a/>", "{x:}y": None})
        assert changed.properties == {"{DAV:}displayname": "<a/>"}
        assert changed.seq == made.seq + 1
        assert principals.set_properties(tx, changed, {"{DAV:}displayname": "<a/>"}) == changed


def test_a_principal_goes_with_everything(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        items.put(tx, calendar, "a.ics", event("a"))
        principal = owner_of(tx, calendar)
        principals.delete(tx, principal)
        assert principals.find(tx, "anna") is None
        assert collections.get(tx, calendar.owner, calendar.id) is None
        again = principals.create(tx, "anna")
        assert again.id != principal.id and again.epoch != principal.epoch


def test_a_collection_is_found_by_its_path(store: Store) -> None:
    with store.write() as tx:
        anna = principals.create(tx, "anna")
        outer = collections.create(tx, anna, 0, "öuter", "plain", properties={"{x:}y": "<z/>", "{x:}n": None})
        inner = collections.create(tx, anna, outer.id, "in ner", "calendar", ["VEVENT", "VTODO"])
        assert collections.find(tx, anna, ["öuter", "in ner"]) == inner
        assert collections.get(tx, anna.id, inner.id) == inner
        assert collections.child(tx, anna.id, outer.id, "in ner") == inner
        assert collections.find(tx, anna, ["öuter", "nobody", "in ner"]) is None
        assert collections.find(tx, anna, ["Öuter"]) is None
        assert (inner.components, inner.url, inner.parent) == (("VEVENT", "VTODO"), "in%20ner", outer.id)
        assert outer.properties == {"{x:}y": "<z/>"}


def test_collections_stand_in_the_order_in_which_they_were_made(store: Store) -> None:
    with store.write() as tx:
        anna = principals.create(tx, "anna")
        for name in ("z", "a", "m"):
            collections.create(tx, anna, 0, name, "calendar")
        assert [one.name for one in collections.children(tx, anna.id)] == ["z", "a", "m"]


def test_a_name_is_given_once(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        anna = owner_of(tx, calendar)
        with pytest.raises(Exists):
            collections.create(tx, anna, 0, "work", "addressbook")
        with pytest.raises(Absent):
            collections.create(tx, anna, 4711, "x", "calendar")


def test_properties_of_a_collection_raise_its_seq(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        changed = collections.set_properties(tx, calendar, {"{x:}a": "<a/>", "{x:}b": "<b/>"})
        assert changed.seq == calendar.seq + 1
        assert collections.set_properties(tx, changed, {"{x:}a": "<a/>", "{x:}c": None}).seq == changed.seq
        assert collections.set_properties(tx, changed, {"{x:}a": None}).properties == {"{x:}b": "<b/>"}
        assert collections.set_kind(tx, changed, "subscribed", ["VEVENT"]).kind == "subscribed"
        collections.delete(tx, changed)
        with pytest.raises(Absent):
            collections.set_properties(tx, changed, {"{x:}a": "<a/>"})


def test_a_collection_goes_with_all_that_is_in_it(store: Store) -> None:
    with store.write() as tx:
        anna = principals.create(tx, "anna")
        outer = collections.create(tx, anna, 0, "outer", "plain")
        inner = collections.create(tx, anna, outer.id, "inner", "calendar")
        items.put(tx, inner, "a.ics", event("a"))
        collections.delete(tx, outer)
        assert collections.children(tx, anna.id) == []
        assert collections.get(tx, anna.id, inner.id) is None
        assert items.with_uid(tx, anna.id, "a") == []
        with pytest.raises(Absent):
            collections.delete(tx, outer)
        with pytest.raises(Absent):
            items.put(tx, inner, "b.ics", event("b"))


def test_a_renamed_collection_keeps_what_it_holds(store: Store, calendar: Collection) -> None:
    with store.write() as tx:
        item = items.put(tx, calendar, "a.ics", event("a"))
        anna = owner_of(tx, calendar)
        plain = collections.create(tx, anna, 0, "plain", "plain")
        moved = collections.move(tx, calendar, anna, plain.id, "new name")
        assert (moved.id, moved.name, moved.parent) == (calendar.id, "new name", plain.id)
        assert items.get(tx, moved, "a.ics") == item
        assert collections.find(tx, anna, ["work"]) is None
        assert collections.move(tx, moved, anna, plain.id, "new name") == moved
        with pytest.raises(ValueError, match="into itself"):
            collections.move(tx, plain, anna, plain.id, "x")
        with pytest.raises(Exists):
            collections.move(tx, moved, anna, 0, "plain")


def test_a_copy_holds_the_same_and_is_another(store: Store, calendar: Collection) -> None:
    weekly = recurring(store, "w", "20260302T100000Z", "20260302T110000Z", "FREQ=WEEKLY")
    with store.write() as tx:
        anna = owner_of(tx, calendar)
        calendar = collections.set_properties(tx, calendar, {"{x:}y": "<z/>"})
        pairs = [("a.ics", event("a")), ("w.ics", weekly)]
        items.put_many(tx, calendar, pairs)
        copied = collections.copy(tx, calendar, anna, 0, "copy")
        shallow = collections.copy(tx, calendar, anna, 0, "empty", "0")
        assert (copied.properties, copied.items) == ({"{x:}y": "<z/>"}, 2)
        assert (shallow.properties, shallow.items) == ({"{x:}y": "<z/>"}, 0)
        for href, obj in pairs:
            item = items.get(tx, copied, href)
            assert item is not None and item.etag == obj.etag
            assert items.body(tx, item) == obj.octets
        rows = items.page(tx, copied, 0, 10)
        assert [row.seq for row in rows] == [copied.seq - 1, copied.seq] == [row.id for row in rows]
        items.put(tx, copied, "a.ics", event("a", summary="changed"))
        original = items.get(tx, calendar, "a.ics")
        assert original is not None and items.body(tx, original) == event("a").octets


def test_a_tree_is_copied_and_moved_to_another_owner(store: Store) -> None:
    with store.write() as tx:
        anna, bob = principals.create(tx, "anna"), principals.create(tx, "bob")
        outer = collections.create(tx, anna, 0, "outer", "plain")
        book = collections.create(tx, anna, outer.id, "book", "addressbook")
        items.put(tx, book, "c.vcf", card("c", "Carl"))
        collections.copy(tx, outer, bob, 0, "copied")
        collections.move(tx, outer, bob, 0, "moved")
        assert collections.children(tx, anna.id) == []
        for name in ("copied", "moved"):
            found = collections.find(tx, bob, [name, "book"])
            assert found is not None and found.items == 1
            item = items.get(tx, found, "c.vcf")
            assert item is not None and items.body(tx, item) == card("c", "Carl").octets
        with pytest.raises(ValueError, match="into itself"):
            found = collections.find(tx, bob, ["copied"])
            assert found is not None
            collections.copy(tx, found, bob, found.id, "x")
