"""A store whose file is gone is not begun anew: phones that are shown an empty calendar delete theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from calsync.config.check import ERROR, examine
from calsync.store import principals
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from tests.server_process import NotStarted, ServerProcess

FOREIGN = "[auth]\ntype = htpasswd\nhtpasswd_filename = {}\nhtpasswd_encryption = plain\n"


def lost(folder: Path) -> str:
    """The URL of a store of which somebody has removed the file."""
    url = f"sqlite:///{folder}/calsync.db"
    store = Store.open(url)
    with store.write() as tx:
        principals.create(tx, "anna")
    store.close()
    (folder / "calsync.db").unlink()
    return url


@pytest.mark.parametrize("create", [True, False])
def test_it_is_refused_with_what_to_do(tmp_path: Path, create: bool) -> None:
    url = lost(tmp_path)
    with pytest.raises(StoreError, match=r"is gone.*restore.*remove calsync\.db-lock"):
        Store.open(url, create=create)
    assert not (tmp_path / "calsync.db").exists()
    (tmp_path / "calsync.db-lock").unlink()
    Store.open(url).close()


@pytest.mark.parametrize("what", ["calsync.db", "data"])
def test_a_link_that_leads_nowhere_is_no_place_for_a_new_one(tmp_path: Path, what: str) -> None:
    """The disk that it led to is not mounted."""
    (tmp_path / "calsync.db").symlink_to(tmp_path / "disk" / "calsync.db")
    (tmp_path / "data").symlink_to(tmp_path / "disk" / "data")
    url = f"sqlite:///{tmp_path / what}{'' if what == 'calsync.db' else '/calsync.db'}"
    with pytest.raises(StoreError, match=r"is a link to .*disk/.*, which is not there: is its disk mounted\?"):
        Store.open(url)
    assert not (tmp_path / "disk").exists()
    (tmp_path / "disk" / "data").mkdir(parents=True)
    (tmp_path / "disk" / "calsync.db").touch()
    Store.open(url).close()
    assert (tmp_path / "disk" / ("" if what == "calsync.db" else "data") / "calsync.db-lock").exists()


def test_the_check_of_a_configuration_says_that_no_server_starts_with_it(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"[storage]\nurl = {lost(tmp_path)}\n")
    _, findings = examine((str(tmp_path / "config"),))
    assert [one for one in findings if one.level == ERROR and "calsync.db: is gone" in str(one)]


def test_a_server_whose_logins_are_elsewhere_does_not_start(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("anna:secret\n")
    store = f"sqlite:///{tmp_path}/calsync.db"
    server = ServerProcess(tmp_path, config_text=FOREIGN.format(users), store=store)
    with server:
        made = requests.request("MKCALENDAR", f"{server.url}anna/work/", auth=("anna", "secret"), timeout=60)
        assert made.status_code == 201
    backup = server.command("backup", str(tmp_path / "backups"))
    assert backup.returncode == 0, backup.stderr
    (tmp_path / "calsync.db").unlink()
    with pytest.raises(NotStarted):
        server.start()
    assert "calsync.db: is gone" in server.log()
    (saved,) = (path for path in (tmp_path / "backups").iterdir() if path.is_dir())
    restored = server.command("restore", str(saved), "--no-hold")
    assert "restore: done" in restored.stdout, restored.stderr
    with server:
        found = requests.request("PROPFIND", f"{server.url}anna/work/", auth=("anna", "secret"), timeout=60)
        assert found.status_code == 207


def test_one_that_was_never_finished_is_made(tmp_path: Path) -> None:
    """A first start that was killed has left the file, empty, before anything else."""
    (tmp_path / "calsync.db").touch()
    (tmp_path / "calsync.db-lock").touch()
    Store.open(f"sqlite:///{tmp_path}/calsync.db").close()
