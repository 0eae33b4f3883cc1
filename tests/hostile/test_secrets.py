"""What is refused, and what fails, tells nothing of the inside; what is logged holds no secret."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from calsync.app import Application
from calsync.gate.observe import masked
from tests.access.asking import ASKING
from tests.dav.conftest import PASSWORD, Client, event
from tests.hostile.case import HOME
from tests.hostile.wire import WireClient
from tests.server_process import ServerProcess


def test_refusals_name_no_place_of_the_server(anna: Client, tmp_path: Path) -> None:
    anna.put(f"{HOME}a.ics", event())
    for path in ("/anna/none", "/bert/", "/%ff", "/anna/calendar/none.ics", "/../x", "/.web/none", "/.sharing/v9"):
        for how, (method, body, headers) in ASKING.items():
            answer = anna.request(method, path, body, **headers)
            octets = gzip.decompress(answer.body) if answer.headers.get("Content-Encoding") == "gzip" else answer.body
            for secret in (str(tmp_path), "site-packages", "Traceback", "calsync.db", "sqlite", PASSWORD):
                assert secret.encode() not in octets, (how, path)


DAMAGED = ": it is damaged on the server: what is stored there is no longer what was put (calsync verify)"


def test_a_failure_says_its_number_and_nothing_of_the_machine(
    application: Application, anna: Client, tmp_path: Path
) -> None:
    anna.propfind("/anna/", Depth="0")
    [path] = tmp_path.rglob("*.db")
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    path.write_bytes(b"rubbish" * 10_000)
    for method, (_, body, headers) in ASKING.items():
        answer = Client(application, "anna").request(method.split()[0], f"{HOME}a.ics", body, **headers)
        assert answer.status >= 400
        if answer.status >= 500 and method != "HEAD":
            said = answer.text.replace(DAMAGED, "")
            assert re.fullmatch(r"[A-Z][\w ]+ \(request [0-9a-f]{8}\)\n", said), answer.text


# --- the log and the process list -------------------------------------------------------------------------------------

WRONG = "wrong-Secret-1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    config = (
        "[logging]\nlevel = debug\n[auth]\ndelay = 0\n[sharing]\ntype = csv\ncollection_by_token = True\n"
        "permit_create_token = True\n"
    )
    with ServerProcess(tmp_path, config_text=config) as server:
        server.add_user("anna", PASSWORD)
        yield server


def test_no_secret_is_in_the_log_or_in_the_process_list(server: ServerProcess) -> None:
    """Passwords, app passwords, share tokens, sessions, links that let a device in: used, misused, and not to be found."""
    anna = WireClient(address=server.address)
    made = server.command("token", "add", "anna", "--label", "phone")
    device = next(word for line in made.stdout.splitlines() for word in line.split() if len(word) > 20)
    assert anna.put("/anna/calendar/a.ics", event()).status == 201
    shared = anna.post(
        "/.sharing/v1/token/create",
        json.dumps({"PathMapped": "/anna/calendar/", "Permissions": "r", "Enabled": True}),
        Content_Type="application/json",
    )
    share = re.search(r"/\.token/v1/([\w-]+=*)/", shared.text)
    assert share is not None, shared.text
    session = {"Cookie": "calsync=Se5510n-Secret-Value-For-The-Test"}
    for client in (
        anna,
        WireClient(address=server.address, password=device),
        WireClient(address=server.address, password=WRONG),
    ):
        for path in ("/anna/", "/anna/?password=not-in-the-log", "/.calsync/sign-in?code=not-in-the-log"):
            client.propfind(path, Depth="0", **session)
            client.get(path)
    guest = WireClient(address=server.address, user="")
    opened = f"/.token/v1/{share[1]}/"
    assert guest.get(opened).status == 200
    assert guest.get(f"{opened}a.ics").status == 200
    for path in (
        f"{opened}none.ics",
        f"/.token/v1/{share[1][:-3]}xyz/",
        "/.calsync/let-in/L1nk-Secret-Value-For-The-Test",
    ):
        guest.get(path)
        guest.put(path, event())
        anna.request("MOVE", "/anna/calendar/a.ics", Destination=path)
    guest.post(
        "/.calsync/sign-in",
        f"name=anna&password={WRONG}",
        Content_Type="application/x-www-form-urlencoded",
        Origin=server.url.rstrip("/"),
    )
    log = server.log_until("PROPFIND")
    assert "/.token/v1/…" in log
    # Of this server alone: tests beside this one give the same password to foreign clients, on their command lines.
    running = psutil.Process(server.pid)
    processes = " ".join(word for one in (running, *running.children(recursive=True)) for word in one.cmdline())
    secrets = [PASSWORD, WRONG, device, share[1], "not-in-the-log", "Se5510n-Secret", "L1nk-Secret"]
    secrets += [base64.b64encode(f"anna:{one}".encode()).decode().rstrip("=") for one in (PASSWORD, WRONG, device)]
    for secret in secrets:
        assert secret not in log, secret
        assert secret not in processes, secret


def test_an_address_that_opens_something_is_masked() -> None:
    assert masked("GET '/.token/v1/abcdef==/a.ics' 200") == "GET '/.token/v1/…/a.ics' 200"
    assert masked("GET /.calsync/let-in/abc 200") == "GET /.calsync/let-in/… 200"
    assert masked("GET '/anna/token/' 200") == "GET '/anna/token/' 200"
