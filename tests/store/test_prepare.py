from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from calsync.store import collections, items, principals
from calsync.store.engine import Store
from calsync.store.errors import Damaged, NewerSchema, StoreError
from calsync.store.migrations import CHAIN, Chain
from calsync.store.prepare import _transaction, prepare
from tests.store.objects import event

pytestmark = pytest.mark.sqlite


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in rows if not name.startswith("sqlite_")}


def test_a_new_store_is_for_its_owner_only(store: Store, tmp_path: Path) -> None:
    with store.write() as tx:
        principals.create(tx, "anna")
    folder = tmp_path / "store"
    assert mode(folder) == 0o700
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["calsync.db", "calsync.db-lock", "calsync.db-serving", "calsync.db-shm", "calsync.db-wal"]
    assert {mode(path) for path in folder.iterdir()} == {0o600}


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store.open(f"sqlite:///{tmp_path / 'calsync.db'}").close()
    assert mode(tmp_path) == 0o755


def test_the_migrations_make_the_schema_that_a_new_store_gets(tmp_path: Path) -> None:
    fresh, migrated = tmp_path / "fresh.db", tmp_path / "migrated.db"
    prepare(fresh)
    with closing(sqlite3.connect(migrated, isolation_level=None)) as connection, _transaction(connection) as core:
        CHAIN.upgrade(core)
    assert schema(migrated) == schema(fresh)


def test_the_revisions_are_those_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(CHAIN.folder))
    config.set_main_option("path_separator", "newline")
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert list(reversed(found)) == list(CHAIN.revisions)


def later(tmp_path: Path) -> Chain:
    """The chain with one more revision."""
    folder = tmp_path / "later"
    (folder / "versions").mkdir(parents=True)
    for file in [CHAIN.folder / "env.py", *(CHAIN.folder / "versions").glob("r*.py")]:
        (folder / file.relative_to(CHAIN.folder)).write_text(file.read_text())
    (folder / "versions" / "r9999_later.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        "revision, down_revision, branch_labels, depends_on = '9999', '0003', None, None\n"
        "def upgrade():\n"
        "    op.add_column('item', sa.Column('extra', sa.Text()))\n"
    )
    return Chain((*CHAIN.revisions, "9999"), folder)


def test_a_store_is_copied_before_it_is_migrated(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "store" / "calsync.db"
    with store.write() as tx:
        one = collections.create(tx, principals.create(tx, "anna"), 0, "work", "calendar")
        item = items.put(tx, one, "a.ics", event("a"))
    prepare(path, chain=later(tmp_path))
    (copy,) = path.parent.glob("calsync.db.before-9999-*")
    assert mode(copy) == 0o600
    assert "extra" not in schema(copy)["item"]
    assert "extra" in schema(path)["item"]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT etag FROM item").fetchall() == [(item.etag,)]
    prepare(path, chain=later(tmp_path / "again"))
    assert len(list(path.parent.glob("calsync.db.before-*"))) == 1


def test_a_migration_that_fails_leaves_the_store_as_it_was(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "store" / "calsync.db"
    chain = later(tmp_path)
    with (chain.folder / "versions" / "r9999_later.py").open("a") as script:
        script.write("    op.execute('SELECT nonsense')\n")
    before = schema(path)
    with pytest.raises(Exception, match="nonsense"):
        prepare(path, chain=chain)
    assert schema(path) == before
    prepare(path)


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calsync.db"
    prepare(path, chain=later(tmp_path))
    with pytest.raises(NewerSchema, match=r"newer calsync \(schema 9999, this one knows up to 0003\)"):
        Store.open(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"BEGIN:VCALENDAR" * 100, "not an SQLite database"), (None, "is a folder")],
)
def test_what_is_no_store_is_said_to_be_none(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "calsync.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=message):
        Store.open(f"sqlite:///{path}")


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "calsync.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not one of calsync's"):
        Store.open(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "calsync.db"
    path.touch()
    Store.open(f"sqlite:///{path}").close()


def test_no_store_is_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        Store.open(f"sqlite:///{tmp_path / 'none' / 'calsync.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "calsync.db", "sqlite://", "sqlite:///", "mysql:///x", "sqlite:/x.db"])
def test_urls_of_other_things_are_refused(text: str) -> None:
    with pytest.raises(StoreError, match="not a store that calsync knows"):
        Store.open(text)


def test_a_torn_file_is_told_as_damage(store: Store, url: str, tmp_path: Path) -> None:
    path = tmp_path / "store" / "calsync.db"
    store.close()
    octets = bytearray(path.read_bytes())
    octets[4096 : 4096 * 20] = b"\xff" * (4096 * 19)
    path.write_bytes(octets)
    with pytest.raises(Damaged, match="damaged"):
        Store.open(url)


def test_a_start_does_not_load_alembic(url: str) -> None:
    code = (
        f"import sys; from calsync.store.engine import Store; Store.open({url!r}).close(); Store.open({url!r}).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
