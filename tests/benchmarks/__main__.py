"""`make bench`: stock Radicale beside calsync, on the same data, in one run.

CPU per request is the server process's own (user and system, children included), warm. Stock's figures are kept in
.bench-cache by its version, the number of items and the machine; `--fresh` measures them again.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sqlite3
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import besides, table
from tests.benchmarks.measure import Figure
from tests.benchmarks.operations import ROWS, Row
from tests.benchmarks.runs import measure_candidate, measure_stock
from tests.benchmarks.servers import NotStarted

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
#: What follows it in the document is written by `--write`.
MARK = "<!-- the figures of the last run -->"


def main(argv: list[str] | None = None) -> int:
    args = _arguments(argv)
    rows = _chosen(args.rows)
    if args.list:
        for row in ROWS:
            print(f"{row.key:18} {row.title}")
        return 0
    print(_head())
    by_items: dict[int, table.Figures] = {}
    failed = False
    document = [_head()]
    for items in args.items:
        beside = ""
        with tempfile.TemporaryDirectory(prefix="calsync-bench-") as place:
            stock: dict[str, Figure] = {}
            if not args.no_stock:
                stock, beside = measure_stock(rows, items, Path(place) / "stock", fresh=args.fresh, load=args.load)
            try:
                calsync, extra = measure_candidate(
                    shlex.split(args.command), rows, items, Path(place) / "calsync", load=args.load
                )
            except NotStarted as error:
                print(f"bench: {error}", file=sys.stderr)
                calsync, extra, failed = {}, "", True
        by_items[items] = calsync
        name = f"Radicale {version('radicale')}"
        figures = table.comparison(items, rows, stock, calsync, stock_name=name)
        text = f"\n## {items} items\n\n{figures}\n\n{beside}{extra}\n"
        print(text, flush=True)
        document.append(text)
    if len(by_items) > 1:
        text = f"\n## Growth of calsync's CPU per request\n\n{table.growth(rows, by_items)}\n"
        print(text)
        document.append(text)
    if args.write:
        words, _, _ = DOCUMENT.read_text(encoding="utf-8").partition(MARK)
        DOCUMENT.write_text(words + MARK + "\n\n" + "".join(document), encoding="utf-8")
    return 1 if failed else 0


def _head() -> str:
    place = f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{place}. CPU of the server per request, warm. Left of a slash stock Radicale, right calsync.\n"


def _chosen(keys: str) -> list[Row]:
    if not keys:
        return list(ROWS)
    wanted = keys.split(",")
    if unknown := set(wanted) - {row.key for row in ROWS}:
        raise SystemExit(f"bench: no such row: {', '.join(sorted(unknown))} (--list shows them)")
    return [row for row in ROWS if row.key in wanted]  # those that write come last


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--items", type=_numbers, default=[1000, 10_000], help="sizes, default 1000,10000")
    parser.add_argument("--rows", default="", help="only these rows, by key, separated by commas")
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    parser.add_argument("--command", default=f"{sys.executable} -m calsync", help="the server beside stock")
    parser.add_argument("--no-stock", action="store_true", help="leave stock Radicale out")
    parser.add_argument("--fresh", action="store_true", help="measure stock again")
    parser.add_argument("--load", action="store_true", help=besides.LOAD_HELP)
    parser.add_argument("--write", action="store_true", help="also write the figures into docs/benchmarks.md")
    return parser.parse_args(argv)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
