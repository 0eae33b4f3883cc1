"""A user gets another name while the server runs: what holds at once, what devices notice, what stands elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from calsync.accounts import audit
from calsync.accounts.accounts import Accounts
from calsync.accounts.scopes import Scope
from calsync.cli import users
from calsync.store import collections, principals, verify
from calsync.store.engine import Store
from tests.cli.run import run
from tests.postgresql import required, shared
from tests.recovery.phones import event
from tests.server_process import ServerProcess

PASSWORD = "corn horse"
CONFIG = """\
[auth]
delay = 0
throttle = False
[sharing]
type = files
collection_by_map = True
permit_create_map = True
"""
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>'
    "<prop><getetag/></prop></sync-collection>"
)
LOCK = (
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype>'
    "<owner>me</owner></lockinfo>"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    """Two workers, Anna and Ben."""
    url = ""
    if request.param == "postgresql":
        required()
        url = shared().store()
    made = ServerProcess(tmp_path, args=("--workers", "2"), config_text=CONFIG, store=url)
    try:
        with made:
            for name in ("anna", "ben"):
                made.add_user(name, PASSWORD)
            yield made
    finally:
        if url:
            shared().drop(url)


def ask(
    server: ServerProcess,
    user: str,
    method: str,
    path: str,
    body: str | bytes = "",
    password: str = PASSWORD,
    **more: str,
) -> requests.Response:
    """On a connection of its own, so by any worker."""
    headers = {"Connection": "close", **{name.replace("_", "-"): value for name, value in more.items()}}
    url = server.url.rstrip("/") + path
    return requests.request(method, url, data=body, auth=(user, password), headers=headers, timeout=60)


def said(server: ServerProcess, *words: str, status: int = 0) -> str:
    done = server.command(*words)
    assert done.returncode == status, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def synced(server: ServerProcess, user: str, path: str, token: str = "") -> tuple[requests.Response, str, list[str]]:
    """The answer, the next token and the hrefs."""
    answer = ask(server, user, "REPORT", path, SYNC.format(token), Depth="0")
    found = re.search(r"<(?:\w+:)?sync-token>([^<]+)<", answer.text)
    return answer, found[1] if found else "", re.findall(r"<(?:\w+:)?href>([^<]+)<", answer.text)


def test_a_user_is_renamed_while_the_server_runs(server: ServerProcess) -> None:
    assert ask(server, "anna", "MKCALENDAR", "/anna/work/").status_code == 201
    assert ask(server, "anna", "PUT", "/anna/work/a.ics", event("a", "first")).status_code == 201
    etag = ask(server, "anna", "GET", "/anna/work/a.ics").headers["ETag"]
    phone = json.loads(said(server, "token", "add", "anna", "--label", "phone", "--scope", "work", "--json"))[
        "password"
    ]
    share = {"PathMapped": "/anna/work/", "User": "ben", "PathOrToken": "/ben/team/", "Permissions": "rw"}
    for user, action, options in (
        ("anna", "create", {**share, "Enabled": True, "Hidden": False}),
        ("ben", "enable", {"PathOrToken": "/ben/team/"}),
        ("ben", "unhide", {"PathOrToken": "/ben/team/"}),
    ):
        made = ask(
            server, user, "POST", f"/.sharing/v1/map/{action}", json.dumps(options), Content_Type="application/json"
        )
        assert made.status_code == 200, made.text
    tokens = {path: synced(server, "anna", path)[1] for path in ("/anna/", "/anna/work/")}
    assert all(tokens.values())
    assert ask(server, "anna", "LOCK", "/anna/work/a.ics", LOCK, Depth="0").status_code == 200
    for _ in range(6):  # either worker knows both credentials by now
        assert ask(server, "anna", "GET", "/anna/work/a.ics").status_code == 200
        assert ask(server, "anna", "GET", "/anna/work/a.ics", password=phone).status_code == 200

    told = json.loads(said(server, "user", "rename", "anna", "Anne", "--yes", "--json"))
    assert told == {"name": "Anne", "before": "anna", "shares": 1, "notices": []}

    for _ in range(6):
        assert ask(server, "anna", "GET", "/anna/work/a.ics").status_code == 401
        assert ask(server, "anna", "GET", "/anna/work/a.ics", password=phone).status_code == 401
        for password in (PASSWORD, phone):
            got = ask(server, "Anne", "GET", "/Anne/work/a.ics", password=password)
            assert (got.status_code, got.headers["ETag"]) == (200, etag)
        assert ask(server, "Anne", "GET", "/anna/work/a.ics").status_code in (403, 404)
        assert ask(server, "ben", "GET", "/ben/team/a.ics").status_code == 200
    for path in tokens:
        moved = path.replace("anna", "Anne")
        void, _, _ = synced(server, "Anne", moved, tokens[path])
        assert void.status_code in (403, 409) and "valid-sync-token" in void.text
        whole, token, hrefs = synced(server, "Anne", moved)
        assert whole.status_code == 207 and hrefs and all(href.startswith("/Anne/") for href in hrefs)
        assert synced(server, "Anne", moved, token)[0].status_code == 207
    # A lock is of the object, which is the same.
    assert ask(server, "Anne", "PUT", "/Anne/work/a.ics", event("a", "x")).status_code == 423
    (entry,) = json.loads(said(server, "audit", "--action", "user-renamed", "--json"))
    assert (entry["account"], entry["actor"]) == ("Anne", "calsync user")
    assert entry["detail"] == {"before": "anna", "after": "Anne"}
    assert '"user-added"' in said(server, "audit", "anne", "--json")
    # The old name is free: whoever gets it finds nothing of hers.
    server.add_user("anna", PASSWORD)
    assert ask(server, "anna", "GET", "/anna/work/a.ics").status_code == 404


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'calsync.db'}")
    accounts = Accounts(opened)
    for name in ("anna", "ben"):
        accounts.create(name, None)
    with opened.write() as tx:
        principals.create(tx, "left")
    yield opened
    opened.close()


def rename(tmp_path: Path, *words: str) -> int:
    return run(users, "user", "rename", *words, "--store", f"sqlite:///{tmp_path / 'calsync.db'}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("anna", "ben"), "there is an account 'ben' already"),
        (("anna", "BEN"), "there is an account 'ben' already"),
        (("anna", "left"), "a former 'left'"),
        (("anna", "a/b"), "cannot stand"),
        (("anna", ".x"), "dot"),
        (("anna", "anna"), "is called so already"),
        (("nobody", "anne"), "no user 'nobody'"),
    ],
)
def test_what_cannot_be(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str], told: str
) -> None:
    before = Accounts(store).listing()
    assert rename(tmp_path, *words, "--yes") == 1
    assert told in capsys.readouterr().err and Accounts(store).listing() == before


def test_it_asks_first(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rename(tmp_path, "anna", "anne") == 1
    assert "--yes" in capsys.readouterr().err and Accounts(store).find("anna") is not None


def test_only_the_case(store: Store, tmp_path: Path) -> None:
    assert rename(tmp_path, "anna", "Anna", "--yes") == 0
    assert [one.name for one in Accounts(store).listing()] == ["Anna", "ben"]
    with store.read() as tx:
        assert [one.name for one in principals.listing(tx)] == ["Anna", "ben", "left"]


def test_app_passwords_of_others_for_hers(store: Store, tmp_path: Path) -> None:
    accounts = Accounts(store)
    scope = Scope.of_paths("/anna/work/", "/ben/own/")
    text, _ = accounts.add_token("ben", "board", scope=scope)
    accounts.add_token("ben", "all")
    assert accounts.authenticate("ben", text) is not None
    assert rename(tmp_path, "anna", "anne", "--yes") == 0
    identity = accounts.authenticate("ben", text)  # this process remembers it from before
    assert identity is not None and identity.scope.texts == ["/anne/work/", "/ben/own/"]


def test_what_is_in_the_trash_and_twice(store: Store, tmp_path: Path) -> None:
    with store.write() as tx:
        owner = principals.find(tx, "anna")
        assert owner is not None
        for name in ("work", "old"):
            collections.create(tx, owner, 0, name, "calendar")
        gone = collections.child(tx, owner.id, 0, "old")
        assert gone is not None
        collections.delete(tx, gone)
    for words in (("anna", "anne"), ("anne", "anna"), ("anna", "hanna")):
        assert rename(tmp_path, *words, "--yes") == 0
    assert list(verify.verify(store)) == []
    Accounts(store).remove("hanna", forget=True)
    with store.read() as tx:
        assert all(not {"anna", "anne", "hanna"} & {one.account, one.actor} for one in audit.listing(tx))


def test_where_logins_have_a_store_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config"
    logins = f"sqlite:///{tmp_path}/logins.db"
    rights = tmp_path / "rights"
    rights.write_text("[anna]\nuser: anna\ncollection: .*\npermissions: rw\n")
    config.write_text(
        f"[storage]\nfilesystem_folder = {tmp_path}\n[auth]\ncalsync_url = {logins}\n"
        f"[rights]\ntype = from_file\nfile = {rights}\n"
    )
    assert run(users, "user", "add", "anna", "--generate", "--config", str(config)) == 0
    both = [Store.open(logins), Store.open(f"sqlite:///{tmp_path}/calsync.db")]
    with both[1].write() as tx:
        principals.create(tx, "anna")
    assert run(users, "user", "rename", "anna", "anne", "--yes", "--config", str(config)) == 0
    assert f"{rights} names anna" in capsys.readouterr().err
    for store in both:
        with store.read() as tx:
            assert [one.name for one in principals.listing(tx)] == ["anne"]
        store.close()


def test_a_backup_from_before_comes_back_under_the_new_name(tmp_path: Path) -> None:
    """With a journal, which tells of the rename."""
    folder = tmp_path / "held"
    text = f"[storage]\nfilesystem_folder = {folder}\n[history]\njournal = {tmp_path / 'journal'}\n"
    server = ServerProcess(tmp_path, config_text=text + CONFIG)
    server.start()
    server.add_user("anna", PASSWORD)
    assert ask(server, "anna", "MKCALENDAR", "/anna/work/").status_code == 201
    assert ask(server, "anna", "PUT", "/anna/work/a.ics", event("a", "first")).status_code == 201
    made = json.loads(said(server, "backup", str(tmp_path / "backups"), "--json"))["folder"]
    said(server, "user", "rename", "anna", "anne", "--yes")
    assert ask(server, "anne", "PUT", "/anne/work/b.ics", event("b", "second")).status_code == 201
    server.kill()
    lost = list(folder.glob("calsync.db*"))
    assert lost
    for path in lost:
        path.unlink()
    try:
        assert "nothing that was acknowledged is missing" in said(server, "restore", made)
        server.start()
        for name in ("a", "b"):
            assert ask(server, "anne", "GET", f"/anne/work/{name}.ics").status_code == 200
        assert ask(server, "anna", "GET", "/anna/work/a.ics").status_code == 401
    finally:
        server.kill()
