"""Stock Radicale's own server, started as its documentation says, with both plugins."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from calsync.accounts.accounts import Accounts
from tests.plugins.stock import event
from tests.ports import free_port
from tests.postgresql import everywhere

pytestmark = pytest.mark.skipif(everywhere(), reason="about the files of the default store")

ROOT = Path(__file__).parents[2]
START = ("-m", "radicale", "--auth-type", "calsync_auth", "--storage-type", "calsync_storage")
SYNC = '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><prop><getetag/></prop></sync-collection>'
ANNA = ("anna", "secret")


def until_listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a server takes connections."""
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < until, "the server did not start"
            time.sleep(0.05)


@pytest.fixture
def serve(folder: Path, accounts: Accounts) -> Iterator[Callable[[], str]]:
    """Starts a server on the store and gives its address."""
    running = []

    def start() -> str:
        port = free_port()
        options = ("--server-hosts", f"127.0.0.1:{port}", "--storage-filesystem-folder", str(folder), "--config", "")
        environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
        running.append(subprocess.Popen([sys.executable, *START, *options], env=environ, stderr=subprocess.DEVNULL))
        until_listens(running[-1], port)
        return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.terminate()
    assert [process.wait(60) for process in running] == [0] * len(running)


def ask(method: str, url: str, body: str = "", auth: tuple[str, str] = ANNA) -> requests.Response:
    return requests.request(method, url, data=body.encode(), auth=auth, timeout=60)


def test_a_phone_syncs(serve: Callable[[], str], accounts: Accounts) -> None:
    url = serve()
    secret, token = accounts.add_token("anna", "phone")
    assert ask("MKCALENDAR", f"{url}/anna/cal/").status_code == 201
    first = ask("REPORT", f"{url}/anna/cal/", SYNC.format(""))
    put = ask("PUT", f"{url}/anna/cal/a.ics", event("a"), auth=("Anna", secret))
    got = ask("GET", f"{url}/anna/cal/a.ics")
    assert (put.status_code, got.headers["ETag"]) == (201, put.headers["ETag"])
    known = first.text.split("sync-token>")[1].split("<")[0]
    changed = ask("REPORT", f"{url}/anna/cal/", SYNC.format(known))
    assert (first.status_code, changed.status_code) == (207, 207)
    assert "a.ics" not in first.text and "a.ics" in changed.text
    accounts.revoke("anna", token.id)
    assert ask("GET", f"{url}/anna/cal/a.ics", auth=("anna", secret)).status_code == 401
    assert ask("GET", f"{url}/anna/cal/a.ics", auth=("anna", "wrong")).status_code == 401


def test_two_servers_on_one_store(serve: Callable[[], str]) -> None:
    urls = [serve(), serve()]
    assert ask("MKCALENDAR", f"{urls[0]}/anna/cal/").status_code == 201
    statuses: list[int] = []

    def write(place: int) -> None:
        for number in range(10):
            name = f"{place}-{number}"
            answer = ask("PUT", f"{urls[place % 2]}/anna/cal/{name}.ics", event(name))
            statuses.append(answer.status_code)
            assert ask("GET", f"{urls[(place + 1) % 2]}/anna/cal/{name}.ics").headers["ETag"] == answer.headers["ETag"]

    threads = [threading.Thread(target=write, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 40
    synced = [ask("REPORT", f"{url}/anna/cal/", SYNC.format("")).text for url in urls]
    assert synced[0] == synced[1] and synced[0].count(".ics</href>") == 40
