"""What load balancers ask: whether the process is there, and whether it is of use. Anybody may, and learns a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calsync.app import Application
from calsync.recovery import hold
from tests.dav.conftest import Client


def test_a_server_that_can_serve_says_so_in_a_word(nobody: Client) -> None:
    for name, word in (("health", b"alive\n"), ("ready", b"ready\n")):
        answer = nobody.get(f"/.calsync/{name}")
        assert (answer.status, answer.body, answer.headers["Cache-Control"]) == (200, word, "no-store")
        assert nobody.head(f"/.calsync/{name}").body == b""
        assert nobody.put(f"/.calsync/{name}").status == 405
        assert nobody.get(f"/.calsync/{name}/more").status == 404


def test_behind_a_prefix(nobody: Client) -> None:
    assert nobody.get("/cal/.calsync/ready", X_Script_Name="/cal").status == 200


def test_a_store_on_hold_is_not_ready_but_alive(application: Application, nobody: Client) -> None:
    assert application.store is not None
    with application.store.write() as tx:
        hold.hold(tx, "restored from a secret place")
    answer = nobody.get("/.calsync/ready")
    assert (answer.status, answer.body, answer.headers["Retry-After"]) == (503, b"held\n", "5")
    assert nobody.get("/.calsync/health").status == 200


def test_a_store_that_cannot_be_read_is_not_ready(application: Application, nobody: Client, tmp_path: Path) -> None:
    if os.environ.get("CALSYNC_TEST_STORE") == "postgresql":
        pytest.skip("tests/soak/test_several_machines.py does it with PostgreSQL")
    [path] = tmp_path.rglob("calsync.db")
    assert application.store is not None
    application.store.close()
    for one in path.parent.iterdir():
        one.rename(one.with_name(f"gone-{one.name}"))
    answer = nobody.get("/.calsync/ready")
    assert (answer.status, answer.body) == (503, b"unavailable\n")
    assert nobody.get("/.calsync/health").status == 200
