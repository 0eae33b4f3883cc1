"""Figures of several processes: what is counted stays counted, whoever dies, and nothing grows without bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from calsync.counters import families, folder, sums
from calsync.counters.page import NUMBERS, Page
from calsync.counters.recent import RECORDS, Recent, look
from calsync.metrics.requests import COMBINATIONS, Requests

LOGINS, WAIT = families.LOGINS, families.WRITER_WAIT

#: Another process that counts, and is killed where it stands.
KILLED = """
import os, signal, sys
from pathlib import Path
from calsync.counters import families, folder
page, recent = folder.begin(Path(sys.argv[1]))
page.add(families.LOGINS, ("ok",), 3)
page.put(families.CONNECTIONS, 7)
page.observe(families.WRITER_WAIT, 0.001)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(where: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(where)], check=False)
    assert done.returncode == -9


def test_a_killed_process_leaves_what_it_counted_and_takes_its_gauges_along(tmp_path: Path) -> None:
    killed(tmp_path)
    found = sums.of_folder(tmp_path)
    assert found[LOGINS.name, ("ok",)] == [3.0]
    assert (families.CONNECTIONS.name, ()) not in found
    assert found[families.WORKERS.name, ()] == [0.0]


def test_what_ended_processes_left_is_put_together_once(tmp_path: Path) -> None:
    for _ in range(3):
        killed(tmp_path)
        assert len(folder.pages(tmp_path)) == 1, "the one before is put together by the next"
    page, _ = folder.begin(tmp_path)
    page.add(LOGINS, ("ok",))
    page.observe(WAIT, 100.0)
    found = sums.of_folder(tmp_path)
    assert found[LOGINS.name, ("ok",)] == [10.0]
    assert sum(found[WAIT.name, ()][:-1]) == 4
    assert [one.name.partition("-")[0] for one in folder.alive(tmp_path)] == [str(os.getpid())]
    page.close()


def test_a_page_that_is_full_counts_on_where_it_can() -> None:
    page = Page(None)
    for number in range(NUMBERS):
        page.add(LOGINS, (f"{number}",))
    page.add(LOGINS, ("0",))
    found = {labels: numbers for _, labels, numbers in page.read()}
    assert found["0",] == [2.0]
    assert len(found) < NUMBERS


def test_hostile_requests_make_only_so_many_figures() -> None:
    page = Page(None)
    counting = Requests(page)
    for number in range(3 * COMBINATIONS):
        counting.end(f"M{number}", "", f"agent {number}", 200 + number % 400, 0.01, 0, 0, 0)
    counting.end("GET", "", "davx5", 200, 0.01, 0, 0, 0)
    names = [name for name, _, _ in page.read()]
    assert names.count(families.REQUESTS.name) < COMBINATIONS + 500
    assert names.count(families.REQUEST_SECONDS.name) == 2
    assert counting.page.place(families.REQUESTS, ("GET", "", "other", "200")) > 0


def test_the_last_requests_are_kept_and_no_more(tmp_path: Path) -> None:
    ring = Recent(tmp_path / "a.recent")
    for number in range(RECORDS + 10):
        place = ring.begin(
            1.0 + number, 5, f"{number}", "änna" * 30, "davx5", "GET", "Phone", "192.0.2.1", "/" + "x" * 99
        )
        ring.end(place, 1.0 + number, 0.5, 207, 3, 5, 6, "sync-collection")
    ring.begin(7.0, 0, "late", "ben", "ios", "PUT", "", "", "/ben/")
    view = look(tmp_path / "a.recent", since=4)
    assert view is not None and view.count == RECORDS + 10
    assert [one.id for one in view.ended] == [str(number) for number in range(10, RECORDS + 10)]
    last = view.ended[-1]
    assert (last.status, last.items, last.octets_in, last.octets_out, last.report) == (207, 3, 5, 6, "sync-collection")
    assert last.user.startswith("ännaänna") and len(last.user.encode()) <= 48
    assert [one.user for one in view.at_work] == ["ben"]


FULL = """
import resource, sys
from pathlib import Path
from calsync.counters import folder, page
resource.setrlimit(resource.RLIMIT_FSIZE, (page.SIZE - 1, page.SIZE - 1))
try:
    folder.begin(Path(sys.argv[1]))
except OSError as error:
    print(sorted(one.name for one in Path(sys.argv[1]).iterdir()))
"""


def test_where_there_is_no_room_it_is_said_at_once_and_nothing_stays(tmp_path: Path) -> None:
    """Memory over a file without room would end the process at some later request."""
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "['lock']\n"), done.stderr


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(PermissionError):
        folder.make(str(open_to_all), tmp_path, "sqlite:////x")
    made = folder.make(str(tmp_path / "own"), tmp_path, "sqlite:////x")
    assert made.stat().st_mode & 0o777 == 0o700
    assert made.parent.stat().st_mode & 0o777 == 0o700


def test_who_looks_makes_nothing_and_waits_for_nobody(tmp_path: Path) -> None:
    """Root looks into the folder of a service, which could have laid a trap there."""
    page, _ = folder.begin(tmp_path)
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").symlink_to(tmp_path / "made-by-root")
    os.mkfifo(tmp_path / "1-a.page")
    os.mkfifo(tmp_path / "1-a.recent")
    assert len(folder.alive(tmp_path)) == 1
    assert look(tmp_path / "1-a.recent") is None
    with pytest.raises(OSError, match="lock"):
        sums.of_folder(tmp_path)
    assert not (tmp_path / "made-by-root").exists()
    page.close()


def test_only_what_servers_have_left_is_cleared_away(tmp_path: Path) -> None:
    base, store = tmp_path / "kept", "sqlite:////srv/calsync.db"
    base.mkdir(0o700)
    left, mine = base / f"{folder.name_of(store)}-1", base / "photographs1"
    for one in (left, mine):
        one.mkdir()
        os.utime(one, (0, 0))
    folder.make(str(base), tmp_path, store)
    assert mine.is_dir() and not left.exists()
