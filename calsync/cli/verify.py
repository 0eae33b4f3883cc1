"""`calsync verify`: is all that is stored what was put, and with `--repair`: what can be mended."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

from calsync.accounts import audit
from calsync.cli import place
from calsync.cli.progress import Bar
from calsync.store import mending, verify
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.mending import Mended
from calsync.store.verify import Kind, Problem

_CLEAN, _PROBLEMS, _COULD_NOT = 0, 1, 2


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "verify",
        help="look for damage in the store, and mend it with --repair",
        description="Reads the whole store, or what is USER's, and names what is wrong: octets that are not those that "
        "were put, rows that belong to nothing, counts that are wrong. The server may run meanwhile.",
        epilog="Exit status: 0 all is well (or was mended), 1 something is wrong, 2 it could not be looked at.",
    )
    parser.add_argument("users", nargs="*", metavar="USER", help="only what is theirs; without one everything")
    parser.add_argument("--repair", action="store_true", help="mend what can be mended, and say what was done")
    parser.add_argument("--dry-run", action="store_true", help="with --repair: only say what would be done")
    parser.add_argument(
        "--from",
        dest="copies",
        action="append",
        default=[],
        metavar="BACKUP",
        help="with --repair: a calsync.db, a folder of .ics and .vcf files or a journal, in which damaged octets are "
        "looked for besides; may be given more than once",
    )
    parser.add_argument("--deep", action="store_true", help="also whether items are found by what their octets say")
    parser.add_argument("--json", action="store_true", help="a JSON object for each problem, and one for the whole")
    place.add_options(parser)
    parser.set_defaults(func=_verify)


@place.told
def _verify(args: argparse.Namespace) -> int:
    if (args.dry_run or args.copies) and not args.repair:
        print("calsync: --dry-run and --from belong to --repair", file=sys.stderr)
        return _COULD_NOT
    try:
        with place.opened(args, create=False) as store:
            return _run(store, args)
    except LookupError as error:
        print(f"calsync: {error.args[0]}", file=sys.stderr)
    except StoreError as error:
        print(f"calsync: {error}", file=sys.stderr)
    return _COULD_NOT


def _run(store: Store, args: argparse.Namespace) -> int:
    total = verify.total(store, args.users)
    found: list[Problem] = []
    with Bar("verify", total) as bar:
        for problem in verify.verify(store, args.users, deep=args.deep, progress=bar.advance):
            found.append(problem)
            if not args.repair:
                bar.clear()
                _tell(args, problem, None)
    if args.repair and found and args.users:
        # Whoever mends what is one user's has to know whether the file can be trusted.
        found += [Problem("", text, Kind.DATABASE) for text in store.problems()]
    left = len(found)
    if args.repair and found:
        for one in mending.mend(store, found, copies=list(map(Path, args.copies)), dry_run=args.dry_run):
            left -= one.done
            _tell(args, one.problem, one)
        if not args.dry_run:
            with store.write() as tx:
                audit.note(tx, "store-repaired", actor=mending.ACTOR, problems=len(found), left=left)
    if not args.users and not args.dry_run:
        with contextlib.suppress(StoreError), store.write() as tx:  # a store that cannot be written is verified too
            verify.note(tx, int(time.time()), left)
    if args.json:
        print(json.dumps({"checked": total, "problems": len(found), "left": left}))
    else:
        print(f"calsync: verify: {total} items and revisions, {_summary(args, len(found), left)}")
    return _PROBLEMS if left or (found and args.dry_run) else _CLEAN


def _summary(args: argparse.Namespace, found: int, left: int) -> str:
    if not found:
        return "all is well"
    problems = f"{found} problem{'s' if found != 1 else ''}"
    if not args.repair:
        return f"{problems} (calsync verify --repair mends what can be mended)"
    return f"{problems}, {found - left} {'could be mended' if args.dry_run else 'mended'}, {left} left"


def _tell(args: argparse.Namespace, problem: Problem, mended: Mended | None) -> None:
    if args.json:
        told: dict[str, object] = {"path": problem.path, "kind": problem.kind, "text": problem.text}
        if mended is not None:
            told |= {"remedy": mended.text, "mended": mended.done and not args.dry_run}
        print(json.dumps(told, ensure_ascii=False))
        return
    remedy = ""
    if mended is not None:
        would = "would be: " if args.dry_run and mended.done else ""
        remedy = f" → {would}{mended.text}"
    print(f"{problem.path or 'the store'}: {problem.text}{remedy}")
