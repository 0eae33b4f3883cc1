"""The plugins that docs/extending.md shows are whole: written to files as they stand there, they run in calsync."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.dav.conftest import event
from tests.pages import PAGES, blocks
from tests.server.conftest import until
from tests.server_process import ServerProcess

PAGE = PAGES["docs/extending.md"]


def configuration(name: str, data: Path) -> str:
    (found,) = [text for text in blocks(PAGE, "ini") if text.startswith(f"# /etc/calsync/{name}\n")]
    return found.replace("/var/lib/calsync", str(data))


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """Where the modules of the page are found."""
    for block in blocks(PAGE, "python"):
        match = re.match(r"# (\w+\.py)\n", block)
        assert match is not None, block
        (tmp_path / match[1]).write_text(block)
    return {"PYTHONPATH": str(tmp_path)}


@pytest.fixture
def server(tmp_path: Path, surroundings: dict[str, str]) -> Iterator[ServerProcess]:
    folder = tmp_path / "site"
    with ServerProcess(folder, config_text=configuration("config", tmp_path), env=surroundings) as running:
        yield running


ANNA, BERT = ("anna", "sesame"), ("bert", "sesame")


def put(server: ServerProcess, path: str, who: tuple[str, str]) -> int:
    return requests.put(server.url + path, data=event("a"), auth=who, timeout=60).status_code


def test_login_rights_hook_and_page(server: ServerProcess, tmp_path: Path) -> None:
    assert put(server, "anna/calendar/a.ics", ("anna", "wrong")) == 401
    assert put(server, "anna/calendar/a.ics", ANNA) == 201
    requests.request("MKCALENDAR", f"{server.url}anna/public/", auth=ANNA, timeout=60).raise_for_status()
    assert put(server, "anna/public/b.ics", ANNA) == 201

    read = {
        path: requests.get(server.url + path, auth=BERT, timeout=60).status_code
        for path in ("anna/calendar/a.ics", "anna/public/b.ics")
    }
    assert read == {"anna/calendar/a.ics": 403, "anna/public/b.ics": 200}
    assert put(server, "anna/public/c.ics", BERT) == 403

    diary = tmp_path / "diary.txt"
    until(lambda: diary.exists() and "upsert anna/public" in diary.read_text())
    assert "upsert anna/calendar" in diary.read_text()

    assert "Sign in" in requests.get(f"{server.url}.web/", timeout=60).text


def test_storage(tmp_path: Path, surroundings: dict[str, str]) -> None:
    text = configuration("witness", tmp_path) + "[auth]\ntype = none\n"
    with ServerProcess(tmp_path / "site", config_text=text, env=surroundings) as server:
        requests.request("MKCALENDAR", f"{server.url}anna/work/", auth=ANNA, timeout=60).raise_for_status()
        assert put(server, "anna/work/a.ics", ANNA) == 201
    assert "anna" in (tmp_path / "files" / "witness.txt").read_text().splitlines()
    assert (tmp_path / "files" / "collection-root" / "anna" / "work" / "a.ics").is_file()
