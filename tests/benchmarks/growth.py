"""`make bench-growth`: what a request costs when a thousand users have a million items, on SQLite and on PostgreSQL.

The stores are filled once and kept in .bench-cache, and so are the figures: what a run does not measure anew is shown
as it was. Two series: the measured user has 500 events while all the others get more and more; and one user has all.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks import cache, growth_fill, growth_load, growth_measure, growth_report, growth_stock, servers
from tests.benchmarks.besides import SECONDS, Load, slowest
from tests.benchmarks.growth_fill import Databases, Files, Filling, Shape, Stores
from tests.benchmarks.servers import Server
from tests.postgresql import binary

SERVE = (sys.executable, "-m", "calsync", "serve")
NAMES = ("bench", *map(growth_fill.user, range(300)))
OWN = 500
CLIENTS = (32, 256)

Figures = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    args = _arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench-growth: terminated"))  # the servers are to end too
    figures = growth_report.read()
    if args.beside:
        _beside(args, figures)
    for kind in args.stores:
        if kind == "postgresql" and binary("initdb") is None:
            print("bench-growth: no PostgreSQL server is installed (apt install postgresql)", file=sys.stderr)
            return 1
        stores: Stores = Files() if kind == "sqlite" else Databases()
        try:
            _one(stores, args, figures)
        finally:
            stores.close()
    text = growth_report.text(growth_report.read())
    print(text)
    if args.write:
        growth_report.write(text)
    return 0


def _one(stores: Stores, args: argparse.Namespace, figures: Figures) -> None:
    for series in ([Shape(total, OWN) for total in args.items], [Shape(own, own) for own in args.own]):
        smaller = None
        entries = []
        for shape in series:
            entry = figures.setdefault(stores.name, {}).setdefault(f"{shape.total}-{shape.own}", {})
            entries.append(entry)
            filling = Filling()
            if stores.filled(shape, smaller, filling):
                entry["filling"] = {**asdict(filling), "rate": filling.rate}
                _say(f"{stores.name} {shape}: {filling.rate:.0f} items/s")
                growth_report.keep(figures)
            smaller = shape
        if not args.only_fill and series:
            _measure(stores, series, entries)
            growth_report.keep(figures)
    if args.load:
        loads = figures.setdefault(stores.name, {}).setdefault("load", {})
        for workers in args.workers:
            loads[str(workers)] = _loads(stores, workers, Shape(1000, 1000), Shape(args.size, OWN))
            growth_report.keep(figures)
    if args.churn:
        shape = Shape(args.size, OWN)
        figures[stores.name].setdefault(f"{shape.total}-{shape.own}", {})["churn"] = _churn(stores, shape)
        growth_report.keep(figures)


def _measure(stores: Stores, series: Sequence[Shape], entries: Sequence[Figures]) -> None:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="calsync-growth-", dir=cache.FOLDER)))
        there = []
        for shape, entry in zip(series, entries, strict=True):
            folder = place / str(shape.total)
            url = stack.enter_context(stores.copy(shape, folder / "store"))
            entry["sizes"], entry["text"] = stores.sizes(url), stores.text(url)
            server = stack.enter_context(servers.running(SERVE, folder, url, names=NAMES))
            there.append(growth_measure.Place(server, shape.own, stores.processes()))
        for found, entry, shape, one in zip(growth_measure.all_costs(there), entries, series, there, strict=True):
            entry["costs"] = {key: asdict(cost) for key, cost in found.items()}
            entry["pss"] = one.server.pss()
            _say(f"{stores.name} {shape}: " + ", ".join(f"{key} {cost.cpu:.2f}" for key, cost in found.items()))


def _loads(stores: Stores, workers: int, one: Shape, many: Shape) -> Figures:
    """One calendar of 1 000 for all, then a calendar each."""
    found: Figures = {}
    command = (*SERVE, "--workers", str(workers))
    for shape in (one, many):
        with tempfile.TemporaryDirectory(prefix="calsync-growth-", dir=cache.FOLDER) as name:
            place = Path(name)
            with (
                stores.copy(shape, place / "store") as url,
                servers.running(command, place, url, names=NAMES) as server,
            ):
                if shape is one:
                    found["one calendar, 32"] = _told(growth_load.mixed(server.port, growth_load.together(one, 32)))
                    continue
                for clients in CLIENTS:
                    found[f"a calendar each, {clients}"] = _each(server, stores, many, clients)
                callers = growth_load.apart(many, growth_load.WRITERS + growth_load.READERS)
                found["beside writers"] = growth_load.beside_writers(server.port, callers)
                found["pss"] = server.pss()
    for key, told in found.items():
        _say(f"{stores.name} {workers} workers, {key}: {told}")
    return found


def _each(server: Server, stores: Stores, shape: Shape, clients: int) -> Figures:
    used, there = server.cpu(), growth_measure.family(stores.processes())
    load = growth_load.mixed(server.port, growth_load.apart(shape, clients))
    count = max(1, sum(map(len, load.seconds.values())))
    return {
        **_told(load),
        "server": 1000 * (server.cpu() - used) / count,
        "database": 1000 * (growth_measure.family(stores.processes()) - there) / count,
    }


def _told(load: Load) -> Figures:
    everything = sorted(time for times in load.seconds.values() for time in times)
    return {
        "rate": len(everything) / SECONDS,
        "errors": len(load.errors),
        "error": load.errors[0] if load.errors else "",
        "median": 1000 * everything[len(everything) // 2] if everything else 0,
        "slow": 1000 * slowest(everything) if everything else 0,
        "kinds": {key: 1000 * slowest(times) for key, times in load.seconds.items() if times},
    }


def _churn(stores: Stores, shape: Shape) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="calsync-growth-", dir=cache.FOLDER) as name,
        stores.copy(shape, Path(name) / "store") as url,
    ):
        filling = Filling()
        before, written = stores.sizes(url), stores.written()
        growth_fill.churn(url, shape, filling)
        after, wal = stores.sizes(url), stores.written() - written
        seconds, told = stores.clean(url)
        found = {
            "items": filling.items,
            "seconds": filling.stored,
            "before": before,
            "after": after,
            "cleaned": stores.sizes(url),
            "vacuum": seconds,
            "told": told,
            "wal": wal or filling.wal,
        }
    _say(f"{stores.name} churn: {found}")
    return found


def _beside(args: argparse.Namespace, figures: Figures) -> None:
    for items in args.beside:
        found = figures.setdefault("beside", {}).setdefault(str(items), {})
        found["Radicale"] = {key: one.as_json() for key, one in growth_stock.radicale(items, fresh=args.fresh).items()}
        if args.xandikos:
            there = growth_stock.xandikos(args.xandikos, items, fresh=args.fresh)
            found["Xandikos"] = {key: one.as_json() for key, one in there.items()}
        if args.load and items <= 1000:
            found["Radicale load"] = _told(growth_stock.radicale_load(items, 32))
            _say(f"Radicale: {found['Radicale load']}")
            if args.xandikos:
                found["Xandikos load"] = _told(growth_stock.xandikos_load(args.xandikos, items, 32))
                _say(f"Xandikos: {found['Xandikos load']}")
        growth_report.keep(figures)


def _say(text: str) -> None:
    print(f"bench-growth: {text}", file=sys.stderr, flush=True)


def _numbers(text: str) -> Sequence[int]:
    return [int(number) for number in text.split(",") if number]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-growth ARGS=…", description=__doc__)
    parser.add_argument("--stores", type=lambda text: text.split(","), default=["sqlite", "postgresql"])
    parser.add_argument("--items", type=_numbers, default=[1000, 10_000, 100_000], help="in the whole store")
    parser.add_argument("--own", type=_numbers, default=[1000, 10_000, 100_000], help="of one user who has all")
    parser.add_argument("--only-fill", action="store_true", help="make the stores, measure nothing")
    parser.add_argument("--load", action="store_true", help="also 32 and 256 clients at once")
    parser.add_argument("--size", type=int, default=100_000, help="items of the store for --load and --churn")
    parser.add_argument("--workers", type=_numbers, default=[1, 2], help="for --load")
    parser.add_argument("--churn", action="store_true", help="also delete a tenth and write it again")
    parser.add_argument("--beside", type=_numbers, default=[], help="stock Radicale and Xandikos at these sizes")
    parser.add_argument("--xandikos", default=shutil.which("xandikos"), help="the program, else Xandikos is left out")
    parser.add_argument("--fresh", action="store_true", help="measure those anew")
    parser.add_argument("--write", action="store_true", help="also write the figures into docs/scaling.md")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
