"""Somebody leaves for good: nothing of theirs is left, and nobody waits meanwhile."""

from __future__ import annotations

from pathlib import Path

from calsync.store import collections, items, journal, leaving, principals, quarantine
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.quarantine import Refusal
from tests.raw import Raw
from tests.store.objects import event


def test_all_goes_and_others_keep_theirs(store: Store, calendar: Collection, raw: Raw, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal.keep(store, folder)
    with store.write() as tx:
        bert = principals.create(tx, "bert")
        work = collections.create(tx, bert, 0, "secrets", "calendar")
        inner = collections.create(tx, bert, 0, "folder", "plain")
        deep = collections.create(tx, bert, inner.id, "deep", "calendar")
        items.put_many(tx, work, [(f"{number}.ics", event(str(number), summary="secret")) for number in range(1200)])
        items.put(tx, deep, "a.ics", event("a", summary="secret"))
        quarantine.keep(tx, bert.id, Refusal("secrets", "", "put", "", "", b"secret"), None)
        items.put(tx, calendar, "mine.ics", event("mine", summary="public"))
    with store.write() as tx:
        items.put(tx, work, "1.ics", event("1", summary="another secret"))
        collections.delete(tx, deep)
    told: list[int] = []
    leaving.remove(store, bert, "calsync user", told.append)
    assert sum(told) == 1201 and max(told) < 1000, "in short steps"
    with store.read() as tx:
        assert principals.find(tx, "bert") is None
        assert items.get(tx, calendar, "mine.ics") is not None
    for table in ("item", "body", "collection", "mount", "tombstone", "trash", "revision", "quarantine"):
        assert raw.rows(f"SELECT count(*) FROM {table} WHERE owner = {bert.id}") == [(0,)], table
    left = b"".join(file.read_bytes() for file in folder.iterdir())
    assert b"secret" not in left and b"bert" not in left and b"public" in left
    leaving.remove(store, bert, "calsync user")
