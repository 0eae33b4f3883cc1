"""`calsync migrate-store`: all that a store holds into another one, while the server goes on."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Final

from calsync.cli import place
from calsync.cli.progress import Bar
from calsync.moving import folders, move
from calsync.moving.move import Moving, Told
from calsync.store import partitions
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.urls import is_postgresql
from calsync.transfer.report import Report
from calsync.transfer.source import SourceError

_DESCRIPTION = """\
Copies everything from one store into a new one: users, app passwords, calendars, history, trash and what syncing
devices have been told, so that no device begins anew. A store is sqlite:////FOLDER/calsync.db or
postgresql://USER@HOST/DATABASE; instead of one of both, the folder of a Radicale server is taken in or written (then
devices keep their ETags, and list everything once).

Between two stores servers may go on meanwhile. In the end they follow to the new store by themselves; writers wait for
a moment, and nobody is refused. Then let [storage] url say where the store is. The old one stays as it was.

The same command again continues what was broken off.
"""

#: Steps that have no numbers.
_WORDS: Final = {"index": "making the indexes", "switch": "switching"}
_EVERY: Final = 10.0  # seconds between two lines where there is no terminal

_EPILOG = "Exit status: 0 moved, 1 not moved (the old store goes on), or not everything; 2 nothing to move."


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "migrate-store",
        help="move a store to another file or to PostgreSQL, while the server runs",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="FROM", help="a store's URL, or a Radicale folder (PATH or folder:PATH)")
    parser.add_argument("target", metavar="TO", nargs="?", help="the same; it is empty or does not exist yet")
    parser.add_argument(
        "--partitions",
        type=int,
        default=0,
        metavar="N",
        help="make the tables of a new PostgreSQL database of N partitions each, by owner (2 to 64)",
    )
    parser.add_argument("--anew", action="store_true", help="empty a half made TO and begin again")
    parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of a Radicale folder ([encoding] stock)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument(
        "--abandon", action="store_true", help="FROM alone: end a move from it that is not to be continued"
    )
    ending.add_argument(
        "--reopen",
        action="store_true",
        help="FROM alone: let it count again after it was moved; what was written to the new store is not in it",
    )
    parser.set_defaults(func=_run)


@place.told
def _run(args: argparse.Namespace) -> int:
    if (args.target is None) != (args.abandon or args.reopen):
        print("calsync: migrate-store wants FROM and TO; with --abandon or --reopen only FROM", file=sys.stderr)
        return 2
    if args.abandon or args.reopen:
        return _ended(args)
    _check_partitions(args)
    inside, outside = folders.path_of(args.source), folders.path_of(args.target)
    if inside is not None and outside is not None:
        raise SourceError(f"{args.source} and {args.target} are folders: one of both is to be a store")
    if inside is not None:
        return _taken_in(args, inside)
    if outside is not None:
        return _written(args, outside)
    with ExitStack() as stack:
        source = _opened(stack, args.source)
        target = _opened(stack, args.target, create=True, partitions=args.partitions)
        steps = stack.enter_context(_Steps(quiet=args.json))
        moving = Moving.begun(
            source, target, whence=args.source, to=args.target, anew=args.anew, progress=steps.progress
        )
        told = moving.run()
    return _said(args, told)


def _opened(stack: ExitStack, url: str, *, create: bool = False, partitions: int = 0) -> Store:
    store = Store.itself(url, create=create, partitions=partitions)
    stack.callback(store.close)
    return store


def _check_partitions(args: argparse.Namespace) -> None:
    """Raise `StoreError` where TO cannot have so many."""
    if partitions.checked(args.partitions) and not is_postgresql(args.target):
        raise StoreError(f"store: {args.target}: only a PostgreSQL database has partitions (leave --partitions away)")


def _ended(args: argparse.Namespace) -> int:
    with ExitStack() as stack:
        source = _opened(stack, args.source)
        if args.abandon:
            there = move.abandon(source)
            print("calsync: the move was ended" if there else "calsync: no move was under way", file=sys.stderr)
            return 0 if there else 2
        gone = move.reopen(source)
    if gone is None:
        print(f"calsync: {args.source} was not moved", file=sys.stderr)
        return 2
    print(f"calsync: {args.source} counts again; restart the servers that followed to the other store", file=sys.stderr)
    return 0


def _said(args: argparse.Namespace, told: Told) -> int:
    if args.json:
        print(json.dumps(asdict(told), ensure_ascii=False))
        return 1 if told.damaged else 0
    for one in told.damaged:
        print(f"damaged in the old store too: {one}")
    pace = f", {told.items / told.copied:.0f}/s" if told.copied > 1 else ""
    print(
        f"calsync: moved: {told.items} items{pace}, {told.rows} rows; {told.bodies} checksums compared, "
        f"{told.changes} changes followed; writers waited for {told.pause:.2f} s"
    )
    print("calsync: servers go on with the new store; now let [storage] url in the configuration name it")
    return 1 if told.damaged else 0


def _taken_in(args: argparse.Namespace, folder: Path) -> int:
    report = Report()
    with ExitStack() as stack:
        target = _opened(stack, args.target, create=True, partitions=args.partitions)
        bar = stack.enter_context(Bar("import", folders.items_of(folder, args.encoding)))
        folders.taken_in(target, folder, report, encoding=args.encoding, anew=args.anew, progress=bar.advance)
    return _reported(args, report)


def _written(args: argparse.Namespace, folder: Path) -> int:
    report = Report()
    with ExitStack() as stack:
        source = Store.open(args.source, create=False)
        stack.callback(source.close)
        bar = stack.enter_context(Bar("export", folders.items_in(source)))
        folders.written(source, folder, report, bar.advance)
    return _reported(args, report)


def _reported(args: argparse.Namespace, report: Report) -> int:
    if args.json:
        print(json.dumps({"counts": report.counts, "notices": report.notices}, ensure_ascii=False))
    else:
        for line in report.lines():
            print(line)
        print(f"calsync: {report.summary()}")
    return 0 if report.complete else 1


class _Steps:
    """What is being done: a bar for each step on a terminal, and a line now and then elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._step = ""
        self._bar: Bar | None = None
        self._done = 0
        self._said = time.monotonic()

    def __enter__(self) -> _Steps:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.clear()

    def progress(self, step: str, done: int, total: int) -> None:
        if self._quiet:
            return
        if step != self._step:
            if self._bar is not None:
                self._bar.clear()
            self._step, self._bar, self._done = step, Bar(step, total), 0
            if step in _WORDS:
                print(f"calsync: {_WORDS[step]}", file=sys.stderr)
        if self._bar is not None and done > self._done:
            self._bar.advance(done - self._done)
        self._done = done
        if not sys.stderr.isatty() and time.monotonic() - self._said > _EVERY:
            self._said = time.monotonic()
            print(f"calsync: {step}: {done} of {total} rows", file=sys.stderr)
