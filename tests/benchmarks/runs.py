"""A whole run against one server: start it over the data, go through the rows, restart it where it got stuck."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import besides, cache, data
from tests.benchmarks.measure import LIMIT, Figure, figure
from tests.benchmarks.operations import ROWS, Row, Session
from tests.benchmarks.servers import Server, start
from tests.benchmarks.wire import Wire

STOCK = (sys.executable, "-m", "radicale")


def measure_stock(
    rows: Sequence[Row], items: int, place: Path, *, fresh: bool, load: bool
) -> tuple[dict[str, Figure], str]:
    """Rows of stock Radicale, from the cache where they are there, and its load figures when `load`."""
    found = {} if fresh else cache.figures(items)
    missing = [row for row in rows if row.key not in found]
    if not missing and not load:
        return found, ""
    storage = place / "storage"
    place.mkdir(parents=True)
    warm = cache.stock_folder(items, storage)
    if not warm:
        _say(f"stock Radicale reads {items} items for the first time …")
        _touch_all(place, storage)
        cache.keep_stock_folder(items, storage)
    for row, result in _go(STOCK, missing, items, place, storage):
        found[row.key] = result
    cache.keep_figures(items, found)
    return found, f"Radicale: {besides.load(STOCK, items, place, storage)}\n\ncalsync: " if load else ""


def measure_candidate(
    command: Sequence[str], rows: Sequence[Row], items: int, place: Path, *, load: bool
) -> tuple[dict[str, Figure], str]:
    """Rows of calsync (or another `command`), and a paragraph about what rows do not show."""
    storage = place / "storage"
    place.mkdir(parents=True)
    data.write(storage, items)
    began = time.monotonic()
    start(command, place, storage, wait=900).stop()
    taken_in = time.monotonic() - began
    extra = besides.cold(command, items, place, storage)
    found = {row.key: result for row, result in _go(command, rows, items, place, storage)}
    extra += besides.sync_cycle(command, items, place, storage)
    if load:
        extra += besides.load(command, items, place, storage)
    return found, f"Taking the folder in at the first start: {taken_in:.1f} s. {extra}"


def _touch_all(place: Path, storage: Path) -> None:
    server = start(STOCK, place, storage)
    try:
        for row in ROWS:
            if row.key in ("list-calendar", "list-book", "home-3", "home-200"):
                wire = Wire(server.port, row.user, timeout=1800)
                operation = row.prepare(Session.of(wire, 0))
                for request in operation(0):
                    wire.send(request)
                wire.close()
    finally:
        server.stop()


def _go(
    command: Sequence[str], rows: Sequence[Row], items: int, place: Path, storage: Path
) -> list[tuple[Row, Figure]]:
    found: list[tuple[Row, Figure]] = []
    server: Server | None = None
    try:
        for row in rows:
            if server is None:
                server = start(command, place, storage, wait=300)
            session = Session.of(Wire(server.port, row.user, timeout=LIMIT), items)
            result = figure(row, session, server)
            session.wire.close()
            _say(f"{items} {row.key}: {result.note or f'{result.cpu:.2f} ms, {result.answers} answers'}")
            found.append((row, result))
            if result.note.startswith(">"):
                server.kill()
                server = None
    finally:
        if server is not None:
            server.stop()
    return found


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
