from __future__ import annotations

import pytest

from calsync.store.engine import Store
from calsync.store.verify import verify
from tests.raw import Raw


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
