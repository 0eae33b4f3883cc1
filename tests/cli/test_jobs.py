from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from calsync.cli import jobs
from calsync.jobs import queue
from calsync.jobs.tasks import TASKS
from calsync.store.engine import Store
from tests.cli.run import run


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'calsync.db'}"
    Store.open(url).close()
    return url


def listed(url: str, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert run(jobs, "jobs", "--json", "--store", url) == 0
    return {one["name"]: one for one in json.loads(capsys.readouterr().out)}


def test_they_are_listed_and_run(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert {one["last"] for one in listed(url, capsys).values()} == {0}
    assert run(jobs, "jobs", "run", "locks", "--store", url) == 0
    assert capsys.readouterr().out == "calsync: locks: 0 done\n"
    told = listed(url, capsys)
    assert told["locks"]["last"]
    assert not told["window"]["last"]
    assert run(jobs, "jobs", "run", "--store", url) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(TASKS) - 1, "all that were due"
    assert run(jobs, "jobs", "--store", url) == 0
    assert "never" not in capsys.readouterr().out


def test_what_fails_is_told_and_stays_in_the_list(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(jobs, "jobs", "run", "nonsense", "--store", url) == 2
    assert "there are history" in capsys.readouterr().err

    def fail(_: object) -> int:
        raise OSError(5, "Input/output error")

    broken = jobs.TASKS["locks"].__class__("locks", 60, "", fail)
    monkeypatch.setitem(jobs.TASKS, "locks", broken)  # type: ignore[arg-type]
    assert run(jobs, "jobs", "run", "locks", "--store", url) == 1
    assert listed(url, capsys)["locks"]["failures"] == 1
    assert run(jobs, "jobs", "--store", url) == 0
    assert "failed 1 times: OSError: [Errno 5] Input/output error" in capsys.readouterr().out


def test_jobs_of_the_queue_are_listed_tried_again_and_dropped(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(url)
    now = int(time.time())
    with store.write() as tx:
        dead = queue.put(tx, "hook", {"path": "/anna/calendar/a.ics"}, 1)
    for _ in range(queue.MOST):
        with store.write() as tx:
            one = queue.take(tx, ["hook"], "me", now)
            assert one is not None
            queue.failed(tx, one, "me", now, "OSError: no such host")
        now += queue.LONGEST_PAUSE * 2
    with store.write() as tx:
        other = queue.put(tx, "hook", {"path": "/anna/calendar/b.ics"}, 1)
    assert run(jobs, "jobs", "--store", url) == 0
    shown = capsys.readouterr().out
    assert "/anna/calendar/a.ics" in shown
    assert "dead" in shown
    assert f"tried {queue.MOST} times: OSError: no such host" in shown
    assert run(jobs, "jobs", "retry", "--all", "--store", url) == 0
    assert capsys.readouterr().out == "calsync: 1 tried again\n"
    assert run(jobs, "jobs", "drop", f"{dead:x}", "--store", url) == 0
    assert run(jobs, "jobs", "drop", f"{dead:x}", "--store", url) == 1
    assert run(jobs, "jobs", "retry", "nonsense", "--store", url) == 1
    assert "no job" in capsys.readouterr().err
    assert run(jobs, "jobs", "--json", "--store", url) == 0
    [left] = [one for one in json.loads(capsys.readouterr().out) if "id" in one]
    assert (left["id"], left["state"]) == (f"{other:x}", "waiting")
    store.close()
