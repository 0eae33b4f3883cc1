"""Stores that older versions wrote, kept as text: each is brought up to date with nothing lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.store import changes, items
from calsync.store.engine import Store
from calsync.store.migrations import CHAIN
from calsync.store.prepare import prepare
from calsync.store.verify import verify
from tests.postgresql import shared
from tests.raw import Raw
from tests.store import old_stores
from tests.store.objects import collection_of, event
from tests.store.test_prepare import later

KINDS = ("sqlite", "postgresql")

#: What a migration writes over, or makes of it: revision → tables whose rows are not the same afterwards.
REWRITTEN: dict[str, set[str]] = {"0003": {"occurrence"}}

OPENING = "import sys; from calsync.store.engine import Store; Store.open(sys.argv[1]).close()"


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store as an older version left it."""
    revision, kind = request.param
    url = f"sqlite:///{tmp_path / 'calsync.db'}" if kind == "sqlite" else shared().database()
    old_stores.load(revision, url)
    yield url
    if kind == "postgresql":
        shared().drop(url)


def calsync(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "calsync", *words], capture_output=True, text=True, check=False)


every_example = pytest.mark.parametrize(
    "old", [(revision, kind) for revision in CHAIN.revisions for kind in KINDS], indirect=True, ids="-".join
)
the_first = pytest.mark.parametrize(
    "old", [(CHAIN.revisions[0], kind) for kind in KINDS], indirect=True, ids=list(KINDS)
)


def test_every_revision_has_its_examples() -> None:
    """The newest, too: it is the one that the next version meets (`python -m tests.store.old_stores` writes them)."""
    wanted = {old_stores.example(revision, kind) for revision in CHAIN.revisions for kind in KINDS}
    assert set(old_stores.FOLDER.iterdir()) == wanted


@every_example
def test_an_older_store_keeps_all_that_it_holds(old: str) -> None:
    store = Store.open(old)
    try:
        assert old_stores.revision_of(old) == CHAIN.head
        assert list(verify(store)) == []
        with store.read() as tx:
            work, book = collection_of(tx, "anna", "work"), collection_of(tx, "anna", "book")
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


@every_example
def test_every_row_is_there_afterwards(old: str) -> None:
    before, revision = old_stores.contents(old), old_stores.revision_of(old)
    assert len(before["item"]) == 3
    Store.open(old).close()
    after = old_stores.contents(old)
    later = CHAIN.revisions[CHAIN.revisions.index(revision) + 1 :]
    for table in before.keys() - {name for one in later for name in REWRITTEN.get(one, ())}:
        for row in before[table]:
            assert [one for one in after[table] if row.items() <= one.items()], (table, row)


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_example_has_something_in_every_table(kind: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'calsync.db'}" if kind == "sqlite" else shared().database()
    old_stores.load(CHAIN.head, url)
    assert [name for name, rows in old_stores.contents(url).items() if not rows] == []


@the_first
def test_many_processes_that_start_at_once_upgrade_once(old: str, tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", OPENING, old], stderr=subprocess.PIPE) for _ in range(4)]
    told = [one.communicate()[1] for one in running]
    assert [one.returncode for one in running] == [0] * 4, told
    assert old_stores.revision_of(old) == CHAIN.head
    copies = [path.name for path in tmp_path.glob("calsync.db.before-*")]
    assert len(copies) == (1 if old.startswith("sqlite") else 0), copies


@pytest.mark.parametrize("kind", KINDS)
def test_the_store_of_a_newer_calsync_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'calsync.db'}" if kind == "sqlite" else shared().database()
    old_stores.load(CHAIN.head, url)
    Raw(url).run("UPDATE alembic_version SET version_num = '9999'")
    before = old_stores.contents(url)
    for words in (["serve", "--storage-url", url, "--hosts", "127.0.0.1:0"], ["user", "list", "--store", url]):
        done = calsync(*words)
        (line,) = [line for line in done.stderr.splitlines() if "newer" in line]
        assert done.returncode == 1
        assert f"(schema 9999, this one knows up to {CHAIN.head}); install that version, or" in line
        assert "Traceback" not in done.stderr
    assert old_stores.contents(url) == before
    assert not list(tmp_path.glob("calsync.db.before-*"))


def test_the_older_version_restores_the_copy_and_what_was_written_since(tmp_path: Path) -> None:
    """The way back, as the page about upgrading has it: this version is the older one, `later` the newer."""
    path = tmp_path / "calsync.db"
    url = f"sqlite:///{path}"
    old_stores.load(CHAIN.head, url)
    Store.open(url).close()
    prepare(path, chain=later(tmp_path))
    (copy,) = tmp_path.glob("calsync.db.before-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    since = event("since", summary="written by the newer one")
    Raw(url).run("UPDATE alembic_version SET version_num = '" + CHAIN.head + "'")
    store = Store.open(url)
    with store.write() as tx:
        work = collection_of(tx, "anna", "work")
        items.put(tx, work, "since.ics", since)
    epoch = work.epoch
    store.close()
    Raw(url).run("UPDATE alembic_version SET version_num = '9999'")

    done = calsync("restore", str(copy), "--store", url)
    assert done.returncode == 0, done.stderr
    store = Store.open(url)
    with store.read() as tx:
        work = collection_of(tx, "anna", "work")
        assert work.epoch != epoch, "what phones remember of the newer store is void"
        assert {row.url for row in items.page(tx, work, 0, 10)} == {"one.ics", "two.ics", "since.ics"}
    assert list(verify(store)) == []
    store.close()
