from __future__ import annotations

import json
from pathlib import Path

import pytest

from calsync.cli import jobs
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
