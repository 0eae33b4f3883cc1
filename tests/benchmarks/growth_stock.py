"""Stock Radicale and Xandikos beside calsync, at the sizes that they can bear."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests import generator
from tests.benchmarks import cache, runs, servers
from tests.benchmarks.besides import Caller, Load
from tests.benchmarks.growth_load import mixed
from tests.benchmarks.growth_measure import CHOSEN, KEYS
from tests.benchmarks.measure import Figure, figure
from tests.benchmarks.operations import Session
from tests.benchmarks.servers import Server
from tests.benchmarks.wire import Wire
from tests.ports import free_port

ROWS = [CHOSEN[key] for key in KEYS]


def radicale(items: int, *, fresh: bool) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory(prefix="calsync-growth-") as place:
        found, _ = runs.measure_stock(ROWS, items, Path(place) / "stock", fresh=fresh, load=False)
    return found


def radicale_load(items: int, clients: int) -> Load:
    with tempfile.TemporaryDirectory(prefix="calsync-growth-") as name:
        place = Path(name)
        cache.stock_folder(items, place / "storage")
        with servers.running(runs.STOCK, place, place / "storage", wait=300) as server:
            return mixed(server.port, [Caller(items=items)] * clients)


def xandikos(program: str, items: int, *, fresh: bool) -> dict[str, Figure]:
    """Kept as stock Radicale's figures are."""
    kept = cache.FOLDER / f"xandikos-{items}-{cache.data_mark()}.json"
    if kept.exists() and not fresh:
        return {key: Figure(**values) for key, values in json.loads(kept.read_text()).items()}
    found: dict[str, Figure] = {}
    with _xandikos(program, items) as server:
        for row in ROWS:
            session = Session.of(Wire(server.port, "bench"), items)
            found[row.key] = figure(row, session, server)
            session.wire.close()
    kept.write_text(json.dumps({key: asdict(one) for key, one in found.items()}, indent=1))
    return found


def xandikos_load(program: str, items: int, clients: int) -> Load:
    with _xandikos(program, items) as server:
        return mixed(server.port, [Caller(items=items)] * clients)


@contextlib.contextmanager
def _xandikos(program: str, items: int) -> Iterator[Server]:
    """It keeps a calendar as a git repository."""
    with tempfile.TemporaryDirectory(prefix="calsync-growth-") as name:
        place = Path(name)
        calendar = place / "store" / "bench" / "events"
        calendar.mkdir(parents=True)
        (calendar / ".xandikos").write_text("[DEFAULT]\ntype = calendar\n")
        for one in generator.events(items):
            (calendar / one.href).write_bytes(one.octets)
        git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-C", str(calendar)]
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "made-up data")):
            subprocess.run([*git, *words], check=True)
        port = free_port()
        with (place / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *(program, "-d", str(place / "store"), "-l", "127.0.0.1", "-p", str(port)),
                    *("--current-user-principal", "/bench/"),
                ],
                stdout=log,
                stderr=log,
            )
        server = Server(process, port, place / "log", 0.0)
        try:
            until = time.monotonic() + 60
            while not servers.answers(port, 5):
                if time.monotonic() > until or process.poll() is not None:
                    raise servers.NotStarted(f"{program}: {(place / 'log').read_text()[-1000:]}")
                time.sleep(0.1)
            yield server
        finally:
            server.stop()
