from __future__ import annotations

import pytest

from calsync.store import collections, items, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.verify import verify
from tests.raw import Raw
from tests.store.objects import card, event, recurring


@pytest.fixture
def busy(store: Store, calendar: Collection) -> Store:
    """A store in which everything has happened once."""
    with store.write() as tx:
        anna = principals.get(tx, calendar.owner)
        assert anna is not None
        plain = collections.create(tx, anna, 0, "plain", "plain")
        book = collections.create(tx, anna, plain.id, "book", "addressbook")
        items.put(tx, book, "c.vcf", card("c", "Carl"))
        first = items.put(tx, calendar, "a.ics", event("a"))
        items.put(tx, calendar, "b.ics", recurring(store, "b", "20260301T100000Z", "20260301T110000Z", "FREQ=DAILY"))
        items.set_properties(tx, calendar, first, {"{x:}y": "<z/>"})
        collections.copy(tx, calendar, anna, plain.id, "copy")
        items.delete(tx, calendar, first)
        collections.move(tx, book, principals.create(tx, "bob"), 0, "book")
        collections.delete(tx, collections.create(tx, anna, 0, "gone", "calendar"))
    return store


def test_a_sound_store_has_no_problems(busy: Store) -> None:
    assert list(verify(busy)) == []


@pytest.mark.parametrize(
    ("damage", "path", "text"),
    [
        ("UPDATE body SET octets = x'00' WHERE owner = 2", "bob/book/c.vcf", "not those that were put"),
        ("DELETE FROM body WHERE owner = 2", "bob/book/c.vcf", "not those that were put"),
        ("DELETE FROM collection WHERE kind = 'addressbook'", "bob", "1 items that stand in no collection"),
        ("DELETE FROM mount WHERE name = 'work'", "anna", "has no name"),
        ("UPDATE collection SET item_count = 7 WHERE kind = 'addressbook'", "bob/book", "holds 1 items of"),
        ("UPDATE principal SET seq = 1 WHERE name = 'anna'", "anna/work", "out of order"),
        ("INSERT INTO tombstone SELECT owner, collection, href, url, seq, 0 FROM item", "anna/work/b.ics", "deleted"),
        ('UPDATE collection SET properties = \'{"{x:}y": "<z"}\'', "bob/book", "property {x:}y is no XML"),
        ("UPDATE collection SET properties = '{'", "bob/book", "properties cannot be read"),
        ("UPDATE dead_property SET xml = '<z'", "anna/plain/copy/a.ics", "property {x:}y is no XML"),
        ("UPDATE card_field SET item = 4711", "bob", "rows of card_field that belong to no item"),
    ],
)
def test_each_kind_of_damage_is_told(busy: Store, raw: Raw, damage: str, path: str, text: str) -> None:
    raw.run(damage)
    assert [problem for problem in verify(busy) if problem.path == path and text in problem.text]
