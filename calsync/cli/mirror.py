"""`calsync mirror`: a folder of plain files that follows the store."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from calsync.cli import place
from calsync.cli.progress import Bar
from calsync.moving import folders
from calsync.moving.mirror import Mirror, Round
from calsync.store.errors import Busy


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "mirror",
        help="keep a folder of plain .ics and .vcf files up to date",
        description="Writes DIR/collection-root/USER/COLLECTION/ITEM, which stock Radicale could serve, and from then "
        "on only what has changed. Nothing ever comes back from there: changed files are overwritten when the item "
        "changes. Files that the mirror has not written are left alone.",
        epilog="Exit status: 0 up to date, 1 something could not be written (its last good file stays). `[calsync] "
        "mirror` lets the server do it by itself.",
    )
    parser.add_argument("folder", metavar="DIR", help="an empty folder, or one of an earlier run")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="bring it up to date and end (this is what happens anyway)")
    how.add_argument("--follow", action="store_true", help="go on until interrupted")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two looks (2)")
    parser.add_argument("--json", action="store_true", help="a JSON object for each look that found something")
    place.add_options(parser)
    parser.set_defaults(func=_run)


@place.told
def _run(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store:
        total = folders.items_in(store)
        with Bar("mirror", total) as bar, Mirror(store, Path(args.folder), bar.advance) as mirror:
            done = mirror.look()
            bar.clear()
            _tell(args, done)
            while args.follow:
                time.sleep(max(0.05, args.every))
                try:
                    now = mirror.look()
                except Busy as error:
                    print(f"calsync: {error}", file=sys.stderr)
                    continue
                if now.written or now.removed or now.problems != done.problems:
                    _tell(args, now)
                done = now
    return 1 if done.problems else 0


def _tell(args: argparse.Namespace, done: Round) -> None:
    if args.json:
        told = {"written": done.written, "removed": done.removed, "problems": done.problems}
        print(json.dumps(told, ensure_ascii=False), flush=True)
        return
    for problem in done.problems:
        print(problem)
    print(f"calsync: mirror: {done.written} written, {done.removed} removed", flush=True)
