from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from calsync.accounts import audit
from calsync.cli import quota as command
from calsync.options import size
from calsync.store import collections, items, principals, quota
from calsync.store.engine import Store
from calsync.store.quota import Amounts
from tests.cli.run import run
from tests.server_process import ServerProcess
from tests.store.objects import event

EVENT = event("a", summary="x" * 872)
SIZE = len(EVENT.octets)


@pytest.fixture
def url(url: str) -> str:
    with closing(Store.open(url)) as store, store.write() as tx:
        anna = principals.create(tx, "anna")
        items.put(tx, collections.create(tx, anna, 0, "work", "calendar"), "a.ics", EVENT)
        principals.create(tx, "bert")
    return url


def _shown(url: str, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert run(command, "quota", *words, "--json", "--store", url) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "octets"),
    [("0", 0), ("17", 17), ("500M", 500 << 20), ("2g", 2 << 30), ("1 ", 1), ("3KiB", 3 << 10), ("1TB", 1 << 40)],
)
def test_sizes(text: str, octets: int) -> None:
    assert size(text) == octets


@pytest.mark.parametrize("text", ["", "M", "-1", "1.5G", "5X", "1e3", "9" * 20, "²"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        size(text)


def test_set_show_and_unset(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(url)
    quota.keep(store, Amounts(items=4))
    assert run(command, "quota", "set", "anna", "--octets", "4K", "--store", url) == 0
    assert run(command, "quota", "set", "Anna", "--collections", "3", "--store", url) == 0
    capsys.readouterr()
    run(command, "quota", "show", "anna", "--store", url)
    assert capsys.readouterr().out.splitlines() == [
        "octets       1K of 4K, 25% (own)",
        "items        1 of 4, 25% ([quota])",
        "collections  1 of 3, 33% (own)",
    ]
    assert _shown(url, capsys, "unset", "anna")["octets"] == {"used": SIZE, "bound": None, "own": False}
    with store.read() as tx:
        noted = [(entry.action, entry.account, entry.actor, entry.detail) for entry in audit.listing(tx)]
    assert noted == [
        ("quota-unset", "anna", "calsync quota", {}),
        ("quota-set", "anna", "calsync quota", {"collections": 3}),
        ("quota-set", "anna", "calsync quota", {"octets": 4096}),
    ]
    store.close()


def test_all_users_are_listed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(command, "quota", "set", "bert", "--items", "0", "--octets", "2G", "--store", url)
    anna, bert = _shown(url, capsys, "list")
    assert anna["user"] == "anna" and anna["items"] == {"used": 1, "bound": None, "own": False}
    assert bert["octets"] == {"used": 0, "bound": 2 << 30, "own": True}
    run(command, "quota", "list", "--store", url)
    assert capsys.readouterr().out.splitlines() == [
        "user  octets       items  collections",
        "anna  1K           1      1",
        "bert  0 of 2G, 0%  0      0",
    ]


def test_what_is_wrong_is_said(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "quota", "show", "nobody", "--store", url) == 1
    assert "there is no home of 'nobody'" in capsys.readouterr().err
    for words in (["--octets", "much"], []):
        with pytest.raises(SystemExit):
            run(command, "quota", "set", "anna", *words, "--store", url)
    assert "--octets, --items or --collections" in capsys.readouterr().err


def test_an_import_takes_what_has_room(url: str, tmp_path: Path) -> None:
    more = event("c").octets.partition(b"PRODID:-//test//\r\n")[2]
    whole = event("b").octets.replace(b"END:VCALENDAR\r\n", more)
    (tmp_path / "more.ics").write_bytes(whole)
    calsync = (sys.executable, "-m", "calsync")
    subprocess.run([*calsync, "quota", "set", "anna", "--items", "2", "--store", url], check=True, capture_output=True)
    told = subprocess.run(
        [*calsync, "import", str(tmp_path / "more.ics"), "--user", "anna", "--collection", "work", "--store", url],
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1 and "the quota is 2 items, with this it would be 3" in told.stdout + told.stderr
    kept = subprocess.run([*calsync, "quarantine", "list", "--json", "--store", url], capture_output=True, text=True)
    assert json.loads(kept.stdout) == [], "that would be a way around"


def test_the_server_keeps_to_its_configuration_and_so_does_every_command(tmp_path: Path) -> None:
    text = "[quota]\noctets = 5M\nitems = 1\n[auth]\ntype = none\n"
    with ServerProcess(tmp_path, config_text=text) as server:
        for name, status in (("a", 201), ("b", 507)):
            octets = event(name).octets
            wanted = urllib.request.Request(f"{server.url}anna/calendar/{name}.ics", octets, method="PUT")
            wanted.add_header("Authorization", "Basic " + base64.b64encode(b"anna:").decode())
            try:
                with urllib.request.urlopen(wanted) as answer:
                    found = answer.status
            except urllib.error.HTTPError as error:
                found = error.code
                assert b"quota-not-exceeded" in error.read()
            assert found == status
        told = json.loads(server.command("quota", "show", "anna", "--json").stdout)
    assert (told["octets"]["bound"], told["items"]) == (5 << 20, {"used": 1, "bound": 1, "own": False})
