"""A server that is killed while many write: nothing acknowledged is lost, nothing is half there, no name means two
things."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from calsync.store import verify
from calsync.store.engine import Store
from tests.dav.conftest import PASSWORD
from tests.server_process import ServerProcess
from tests.soak import figures
from tests.soak.crash import Crew

#: What SQLite has beside a store that is in use.
BESIDE = {"calsync.db-wal", "calsync.db-shm"}


def servers(folder: Path, count: int) -> list[ServerProcess]:
    """Processes on one store. What they spool goes to a folder of their own."""
    spool = folder / "spool"
    spool.mkdir()
    environment = {"XDG_DATA_HOME": str(folder / "data"), "TMPDIR": str(spool)}
    return [ServerProcess(folder / f"server{number}", env=environment) for number in range(count)]


def files(folder: Path) -> set[str]:
    """What lies in the data folder."""
    return {path.name for path in (folder / "data").rglob("*") if path.is_file()}


def sound(folder: Path) -> None:
    """The store holds together."""
    [path] = folder.rglob("calsync.db")
    store = Store.open(f"sqlite:///{path}")
    try:
        assert list(verify.verify(store)) == []
        assert store.problems() == []
    finally:
        store.close()


def run(folder: Path, *, writers: int, kills: int, processes: int = 1, seconds: float = 3600) -> Crew:
    """Kill so many times, within about so many seconds."""
    seed = int(os.environ.get("CALSYNC_SOAK_SEED", random.randrange(10_000)))
    print(f"seed {seed} (CALSYNC_SOAK_SEED)")
    chance = random.Random(seed)
    running = servers(folder, processes)
    crew = Crew.of(writers, seed)
    began = time.monotonic()
    running[0].start()
    for user in ("anna", "bert"):
        running[0].add_user(user, PASSWORD)
    crew.settle_in(running[0].address)
    own = files(folder) | BESIDE
    for one in running[1:]:
        one.start()
    done = 0
    try:
        while done < kills and time.monotonic() - began < seconds:
            victim = chance.choice(running)

            def end(victim: ServerProcess = victim) -> None:
                crew.get_on(chance.uniform(0.2, 1.5))
                victim.kill()

            crew.work([one.address for one in running], end)
            done += 1
            victim.start()
            crew.settle(victim.address)
            if done % 10 == 0:
                sound(folder)
    finally:
        for one in running:
            one.stop()
    sound(folder)
    assert files(folder) <= own, "left over on disk"
    assert list((folder / "spool").iterdir()) == []
    assert not any("Traceback" in one.log() for one in running)
    latencies = [seconds for writer in crew.writers for seconds in writer.latencies]
    figures.note(f"crash, {processes} process(es): kills", done)
    figures.note(f"crash, {processes} process(es): writes answered as they must be", dict(crew.acknowledged))
    figures.note(f"crash, {processes} process(es): of these lost, half done or told wrongly", 0)
    figures.note(f"crash, {processes} process(es): syncs by mirrors", sum(one.rounds for one in crew.followers))
    figures.note(f"crash, {processes} process(es): a write of {writers} at once", figures.spread(latencies))
    return crew


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_a_few_times(tmp_path: Path, processes: int) -> None:
    crew = run(tmp_path, writers=4, kills=3, processes=processes)
    assert crew.acknowledged.total() > 20


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("processes", "kills", "share"), [(1, 60, 0.3), (2, 20, 0.15)])
def test_killed_many_times(tmp_path: Path, processes: int, kills: int, share: float) -> None:
    crew = run(tmp_path, writers=8, kills=kills, processes=processes, seconds=figures.minutes(share))
    assert crew.acknowledged.total() > 100
