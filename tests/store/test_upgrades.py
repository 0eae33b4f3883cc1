"""Stores that older versions wrote, kept as text: each is brought up to date with nothing lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.store import changes, collections, items, principals
from calsync.store.engine import Store
from calsync.store.migrations import CHAIN
from calsync.store.verify import verify

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.sql"))


def test_every_revision_but_the_newest_has_its_example() -> None:
    assert [path.stem for path in EXAMPLES] == list(CHAIN.revisions[:-1])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_older_store_keeps_all_that_it_holds(example: Path, tmp_path: Path) -> None:
    path = tmp_path / "calsync.db"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(example.read_text())
        made.execute("PRAGMA journal_mode = WAL")
    store = Store.open(f"sqlite:///{path}")
    try:
        assert list(verify(store)) == []
        with store.read() as tx:
            anna = principals.find(tx, "anna")
            assert anna is not None
            work = collections.find(tx, anna, ["work"])
            book = collections.find(tx, anna, ["book"])
            assert work is not None and book is not None
            assert "Work" in work.properties["{DAV:}displayname"]
            assert [row.url for row in items.page(tx, work, 0, 10)] == ["one.ics", "two.ics"]
            gone = changes.changes(tx, work, 0, 0, 10, work.seq)
            assert [change.href for change in gone if change.deleted] == ["three.ics"]
            card = items.get(tx, book, "c1.vcf")
            assert card is not None and "Renée".encode() in items.body(tx, card)
            assert items.properties(tx, book, [card.id])[card.id].keys() == {"{urn:x}note"}
        identity = Accounts(store).authenticate("anna", "correct horse battery")
        assert identity is not None and identity.name == "Anna"
        with store.write() as tx:
            items.delete(tx, work, items.named(tx, work, ["one.ics"])["one.ics"])
    finally:
        store.close()
    assert list(tmp_path.glob("calsync.db.before-*"))
