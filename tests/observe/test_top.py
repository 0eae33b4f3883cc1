"""`calsync top` beside a real server with two workers: in a terminal, as lines, as JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.server_process import ServerProcess

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("top"), args=["--workers", "2"]) as running:
        for name in ("anna", "ben"):
            running.add_user(name, PASSWORD)
        requests.get(f"{running.url}ben/\x1b]0;evil\x07", auth=("ben", PASSWORD), timeout=60)
        requests.get(f"{running.url}anna/", auth=("ben", "wrong"), timeout=60)
        # DAVx5 comes last: a rate is one of the last minute.
        for agent, count in (("iOS/17.1 (21B74) dataaccessd/1.0", 6), ("DAVx5/4.4", 12)):
            for _ in range(count):  # a connection each, so that both workers have some
                headers = {"Depth": "1", "User-Agent": agent}
                auth = ("anna", PASSWORD)
                requests.request("PROPFIND", f"{running.url}anna/", auth=auth, headers=headers, timeout=60)
        yield running


def looked(server: ServerProcess) -> dict[str, Any]:
    done = server.command("top", "--once", "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_who_syncs_what(server: ServerProcess) -> None:
    told = looked(server)
    rows = {(row["user"], row["client"]): row for row in told["who"]}
    davx5 = rows["anna", "davx5"]
    assert (davx5["requests"], davx5["statuses"], davx5["failed"], davx5["in_flight"]) == (12, {"207": 12}, 0, 0)
    assert davx5["items"] == 12 * 4
    assert davx5["ms"] > 0 and davx5["bytes_out"] > 1000 and davx5["requests_per_second"] > 0
    assert davx5["last"]["method"] == "PROPFIND" and davx5["last"]["path"] == "/anna/"
    assert rows["anna", "ios"]["requests"] == 6
    assert rows["", "tool"]["statuses"] == {"400": 1, "401": 1}
    assert told["totals"]["workers"] == 2
    assert told["totals"]["requests"] >= 20
    assert told["totals"]["refused_logins"] == 1


def test_requests_under_way_are_shown(server: ServerProcess) -> None:
    """One whose answer is held back: nobody takes it."""
    from calsync.counters import folder
    from calsync.counters.recent import Recent
    from calsync.metrics.activity import Activity

    place = server.folder / "live"
    made = folder.make(str(place), server.folder, "sqlite:////another")
    page, ring = folder.begin(made)
    assert isinstance(ring, Recent)
    ring.begin(time.time(), 0, "1", "carl", "ios", "REPORT", "iPhone", "", "/carl/")
    activity = Activity([made])
    activity.look()
    assert [(row.user, row.at_work) for row in activity.rows.values()] == [("carl", 1)]
    page.close()


def test_without_a_terminal_there_are_lines(server: ServerProcess) -> None:
    done = server.command("top", "--once")
    assert done.returncode == 0
    totals, head, *rows = done.stdout.splitlines()
    assert totals.startswith("2 workers") and head.startswith("USER")
    assert any(re.match(r"anna +- +davx5 ", row) for row in rows)
    assert "\x1b" not in done.stdout and "\x07" not in done.stdout


def test_a_terminal_has_a_screen_with_keys(server: ServerProcess) -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {**server.environment, "TERM": "xterm", "LINES": "30", "COLUMNS": "180"}
        os.execv(sys.executable, [sys.executable, "-m", "calsync", "top", "--config", str(server.config)])
    seen = _until(terminal, b"davx5")
    assert b"sorted by last" in seen
    os.write(terminal, b"s")
    _until(terminal, b"rate")
    os.write(terminal, b"q")
    while _read(terminal):
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    os.close(terminal)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536) if select.select([terminal], [], [], 60)[0] else b""
    except OSError:  # Linux says EIO when the other end is gone
        return b""


def _until(terminal: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        more = _read(terminal)
        assert more, seen
        seen += more
    return seen


def test_what_a_server_kept_is_its_users_alone_and_goes_with_it(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, config_text=f"[metrics]\nfolder = {tmp_path / 'kept'}\n") as server:
        (made,) = (tmp_path / "kept").iterdir()
        assert made.stat().st_mode & 0o777 == 0o700
        assert all(one.stat().st_mode & 0o077 == 0 for one in made.iterdir())
        assert server.command("top", "--once").returncode == 0
    assert list((tmp_path / "kept").iterdir()) == []
    done = server.command("top", "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "no server" in done.stderr


def test_a_reader_that_goes_away_ends_it(server: ServerProcess) -> None:
    command = [sys.executable, "-m", "calsync", "top", "--interval", "0.1", "--config", str(server.config)]
    with subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert b"workers" in running.stdout.readline()
        running.stdout.close()
        assert running.wait(60) == 0
