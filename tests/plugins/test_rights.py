"""Scoped app passwords under stock Radicale, where `calsync_rights` holds them; and real clients that sync with one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from radicale.app import Application

from calsync.accounts.accounts import Accounts
from calsync.accounts.scopes import Scope
from tests.clients.conftest import Programs
from tests.plugins.stock import BOOK, Dav, card, configuration, event
from tests.plugins.test_process import until_listens
from tests.ports import free_port
from tests.postgresql import everywhere
from tests.server_process import ServerProcess

pytestmark = pytest.mark.skipif(everywhere(), reason="about the files of the default store")

RIGHTS = {"type": "calsync_rights"}
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["calsync_storage", "multifilesystem"])
def stock(request: pytest.FixtureRequest, folder: Path, accounts: Accounts) -> Application:
    """Stock Radicale with the plugin; anna has a calendar and an address book, each with something in it."""
    url = f"sqlite:///{folder}/calsync.db"
    made = Application(configuration(folder, rights=RIGHTS, auth={"calsync_url": url}, storage={"type": request.param}))
    anna = Dav(made)
    for name in ("cal", "other"):
        assert anna("MKCALENDAR", f"/anna/{name}/").status == 201
        assert anna.put(f"/anna/{name}/e.ics", event(f"{name}-e")).status == 201
    assert anna("MKCOL", "/anna/book/", BOOK).status == 201
    assert anna.put("/anna/book/c.vcf", card("c")).status == 201
    return made


@pytest.fixture
def device(stock: Application, accounts: Accounts) -> Callable[..., Dav]:
    def made(scope: Scope, *, read_only: bool = False) -> Dav:
        secret, _ = accounts.add_token("anna", "phone", scope=scope, read_only=read_only)
        return Dav(stock, "anna", secret)

    return made


def listed(dav: Dav) -> set[str]:
    body = '<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>'
    return set(dav("PROPFIND", "/anna/", body, depth="1").hrefs)


def test_calendars_only(device: Callable[..., Dav]) -> None:
    phone = device(Scope("calendars"))
    assert listed(phone) == {"/anna/", "/anna/cal/", "/anna/other/"}
    assert phone.put("/anna/cal/new.ics", event("new")).status == 201
    assert phone("GET", "/anna/cal/new.ics").status == 200
    assert phone("GET", "/anna/book/c.vcf").status == 403
    assert phone.put("/anna/book/new.vcf", card("new")).status == 403
    assert phone("MKCOL", "/anna/more/", BOOK).status == 403
    assert phone("PROPFIND", "/anna/book/", depth="1").status == 403


def test_chosen_collections(device: Callable[..., Dav]) -> None:
    phone = device(Scope.of_paths("/anna/cal/", "/anna/soon/"))
    assert listed(phone) == {"/anna/", "/anna/cal/"}
    assert phone.put("/anna/cal/new.ics", event("new")).status == 201
    assert phone("GET", "/anna/other/e.ics").status == 403
    assert phone("MKCALENDAR", "/anna/soon/").status == 403
    assert phone("DELETE", "/anna/cal/").status == 403
    assert phone("DELETE", "/anna/cal/new.ics").status == 200


@pytest.mark.parametrize("inside_first", [True, False])
def test_a_move_keeps_to_the_scope_on_both_ends(device: Callable[..., Dav], inside_first: bool) -> None:
    """Radicale forgets groups where it asks about the target."""
    phone = device(Scope.of_paths("/anna/cal/"))
    ends = ["/anna/cal/e.ics", "/anna/other/moved.ics"] if inside_first else ["/anna/other/e.ics", "/anna/cal/m.ics"]
    assert phone("MOVE", ends[0], destination=f"http://127.0.0.1:5232{ends[1]}").status == 403
    assert phone("MOVE", "/anna/cal/e.ics", destination="http://127.0.0.1:5232/anna/cal/f.ics").status == 201


def test_read_only(device: Callable[..., Dav]) -> None:
    for scope in (Scope(), Scope("calendars")):
        phone = device(scope, read_only=True)
        assert phone("GET", "/anna/cal/e.ics").status == 200
        tries = [
            phone.put("/anna/cal/new.ics", event("new")),
            phone("DELETE", "/anna/cal/e.ics"),
            phone("DELETE", "/anna/cal/"),
            phone("MKCALENDAR", "/anna/more/"),
            phone("MOVE", "/anna/cal/e.ics", destination="http://127.0.0.1:5232/anna/cal/f.ics"),
        ]
        assert [answer.status for answer in tries] == [403] * len(tries)


def test_the_limits_are_those_of_this_request(stock: Application, device: Callable[..., Dav]) -> None:
    """One thread answers many: what one device may must not stay for the next."""
    phone, anna, nobody = device(Scope("contacts"), read_only=True), Dav(stock), Dav(stock, "")
    assert phone("GET", "/anna/cal/e.ics").status == 403
    assert anna("GET", "/anna/cal/e.ics").status == 200
    assert phone("GET", "/anna/cal/e.ics").status == 403
    assert nobody("GET", "/anna/cal/e.ics").status == 401
    assert anna.put("/anna/cal/more.ics", event("more")).status == 201


def test_what_it_wraps_is_asked_first(folder: Path, accounts: Accounts, tmp_path: Path) -> None:
    rules = tmp_path / "rights"
    rules.write_text("[own]\nuser: .+\ncollection: {user}(/.*)?\npermissions: Rr\n")
    options = {**RIGHTS, "backend": "from_file", "file": str(rules)}
    anna = Dav(Application(configuration(folder, rights=options)))
    assert anna("MKCALENDAR", "/anna/cal/").status == 403
    with pytest.raises(RuntimeError):
        Application(configuration(folder, rights={**RIGHTS, "backend": "calsync_rights"}))


def test_without_the_plugin_a_scoped_one_is_refused(folder: Path, accounts: Accounts) -> None:
    stock = Application(configuration(folder))
    secret, _ = accounts.add_token("anna", "phone", scope=Scope("calendars"))
    whole, _ = accounts.add_token("anna", "laptop")
    assert Dav(stock, "anna", secret)("PROPFIND", "/anna/").status == 401
    assert Dav(stock, "anna", whole)("PROPFIND", "/anna/").status == 207


def test_radicales_sharing_is_not_for_limited_ones(folder: Path, accounts: Accounts) -> None:
    """It asks no rights about shares that there are: their tokens open to anybody what a scope keeps shut."""
    sharing = {"type": "csv", "collection_by_token": "True", "permit_create_token": "True"}
    made = Application(configuration(folder, rights=RIGHTS, sharing=sharing))
    anna, json_type = Dav(made), {"content_type": "application/json"}
    assert anna("MKCALENDAR", "/anna/cal/").status == 201
    share = json.dumps({"PathMapped": "/anna/cal/", "Enabled": True})
    assert anna("POST", "/.sharing/v1/token/create", share, **json_type).status == 200
    assert anna("POST", "/.sharing/v1/all/list", "{}", **json_type).status == 200
    for scope, read_only in ((Scope("contacts"), False), (Scope(), True)):
        secret, _ = accounts.add_token("anna", "phone", scope=scope, read_only=read_only)
        phone = Dav(made, "anna", secret)
        assert phone("PROPFIND", "/anna/", depth="0").status == 207
        for path in ("/.sharing/v1/all/list", "//.sharing/v1/all/list", "/x/../.sharing/v1/all/list"):
            assert phone("POST", path, "{}", **json_type).status == 401
        assert phone("PROPFIND", "/anna/", depth="0").status == 207


def test_a_guest_has_no_home(stock: Application, accounts: Accounts) -> None:
    accounts.create("gast", "secret", role="guest")
    guest = Dav(stock, "gast")
    assert guest("MKCALENDAR", "/gast/cal/").status == 403


# --- real clients against real servers --------------------------------------------------------------------------------


def _start_stock(folder: Path) -> Iterator[str]:
    port = free_port()
    config = folder / "radicale.conf"
    config.write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n[storage]\ntype = calsync_storage\nfilesystem_folder = {folder}\n"
        "[auth]\ntype = calsync_auth\n[rights]\ntype = calsync_rights\n"
    )
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    command = [sys.executable, "-m", "radicale", "--config", str(config)]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        until_listens(process, port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(params=["calsync", "calsync with the plugin", "stock"])
def served(request: pytest.FixtureRequest, tmp_path: Path, accounts: Accounts, folder: Path) -> Iterator[str]:
    """A server process on the store of `accounts`, where anna has two calendars and an address book."""
    anna = Dav(Application(configuration(folder)))
    for name in ("work", "home"):
        assert anna("MKCALENDAR", f"/anna/{name}/").status == 201
        assert anna.put(f"/anna/{name}/e.ics", event(f"{name}-e")).status == 201
    assert anna("MKCOL", "/anna/book/", BOOK).status == 201
    if request.param == "stock":
        yield from _start_stock(folder)
        return
    text = f"[storage]\nfilesystem_folder = {folder}\n"
    if request.param != "calsync":
        text += "[rights]\ntype = calsync_rights\nbackend = owner_only\n"
    with ServerProcess(tmp_path / "server", config_text=text) as server:
        yield server.url


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    home = tmp_path / "home"
    home.mkdir()
    return Programs(home)


@pytest.mark.clients
def test_vdirsyncer_syncs_with_a_scoped_app_password(
    served: str, accounts: Accounts, programs: Programs, tmp_path: Path
) -> None:
    secret, _ = accounts.add_token("anna", "laptop", scope=Scope.of_paths("/anna/work/"))
    home = programs.home
    (home / "v.conf").write_text(
        f"""
[general]
status_path = "{home}/status"
[pair cal]
a = "local"
b = "remote"
collections = ["from b"]
[storage local]
type = "filesystem"
path = "{home}/calendars"
fileext = ".ics"
[storage remote]
type = "caldav"
url = "{served}"
username = "anna"
password = "{secret}"
"""
    )
    programs.run("vdirsyncer", "-c", "v.conf", "discover", input="y\n" * 10)
    programs.run("vdirsyncer", "-c", "v.conf", "sync")
    assert [path.name for path in (home / "calendars").iterdir()] == ["work"]
    (home / "calendars" / "work" / "mine.ics").write_text(event("mine"))
    programs.run("vdirsyncer", "-c", "v.conf", "sync")
    accounts.revoke("anna", accounts.tokens("anna")[0].id)
    refused = programs.run("vdirsyncer", "-c", "v.conf", "sync", check=False)
    assert refused.returncode != 0
    assert len(list((home / "calendars" / "work").glob("*.ics"))) == 2


@pytest.mark.clients
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_python_caldav_sees_what_it_may(served: str, accounts: Accounts) -> None:
    caldav = pytest.importorskip("caldav")
    secret, _ = accounts.add_token("anna", "script", scope=Scope("calendars"), read_only=True)
    with caldav.DAVClient(url=served, username="anna", password=secret) as client:
        calendars = {str(one.url).rstrip("/").rpartition("/")[2]: one for one in client.principal().calendars()}
        assert set(calendars) == {"work", "home"}
        assert len(calendars["work"].events()) == 1
        with pytest.raises(caldav.lib.error.DAVError):
            calendars["work"].save_event(event("new"))
        assert len(calendars["work"].events()) == 1


@pytest.mark.clients
def test_the_command_makes_one_that_works(served: str, accounts: Accounts, folder: Path) -> None:
    words = f"token add anna --label phone --scope work --read-only --json --store sqlite:///{folder}/calsync.db"
    done = subprocess.run(
        [sys.executable, "-m", "calsync", *words.split()],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"},
    )
    made = json.loads(done.stdout)
    auth = (made["user"], made["password"])
    assert made["scope"] == {"collections": ["/anna/work/"]}
    assert requests.get(f"{served}anna/work/e.ics", auth=auth, timeout=60).status_code == 200
    assert requests.get(f"{served}anna/home/e.ics", auth=auth, timeout=60).status_code == 403
    assert requests.delete(f"{served}anna/work/e.ics", auth=auth, timeout=60).status_code == 403
    accounts.revoke("anna", made["id"])
    assert requests.get(f"{served}anna/work/e.ics", auth=auth, timeout=60).status_code == 401
