"""`calsync import` and `calsync export`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from calsync.accounts import audit, newcomer
from calsync.accounts.accounts import Accounts
from calsync.cli import place
from calsync.cli.progress import Bar
from calsync.store import principals
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.transfer import single
from calsync.transfer.choosing import chosen
from calsync.transfer.report import Report, Result
from calsync.transfer.source import SourceError, SourceUser
from calsync.transfer.taking import Taking
from calsync.transfer.writer import Writing


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "import",
        help="take in a Radicale folder, .ics or .vcf files, a folder of them, or standard input",
        description="Takes what is at PATH. What is there already is left, what differs is replaced (unless it is "
        "newer and --keep is given), nothing is deleted. What cannot be taken is kept: calsync quarantine.",
        epilog="Exit status: 0 all taken, 1 something refused, 2 nothing to read.",
    )
    parser.add_argument("path", metavar="PATH", help="Radicale's folder, a file, a folder of files, or -")
    parser.add_argument("--user", metavar="USER", help="whose it becomes; of a Radicale folder, the only user taken")
    parser.add_argument("--collection", metavar="NAME", help="where all of it goes; otherwise named after files")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done (quotas are not looked at)")
    parser.add_argument(
        "--keep", action="store_true", help="leave items that were changed here later than in PATH, and name them"
    )
    parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of a Radicale folder ([encoding] stock)")
    parser.set_defaults(func=_import)

    export = subparsers.add_parser(
        "export",
        help="write plain files that stock Radicale can read",
        description="Writes PATH/collection-root with all users, or one. With --user and --collection, one calendar or "
        "address book as a single .ics or .vcf file, or to standard output (-).",
    )
    export.add_argument("path", metavar="PATH", help="a folder; with --collection a file, or -")
    export.add_argument("--user", metavar="USER", help="only this user")
    export.add_argument("--collection", metavar="NAME", help="only this collection, as one file")
    export.set_defaults(func=_export)

    for command in (parser, export):
        command.add_argument("-v", "--verbose", action="store_true", help="a line for each item")
        command.add_argument("--json", action="store_true", help="a JSON object for each item, and one for the whole")
        place.add_options(command)


@place.told
def _import(args: argparse.Namespace) -> int:
    path = Path(args.path)
    stdin = sys.stdin.buffer.read() if args.path == "-" else b""
    with place.opened(args) as store:
        _check_user(store, args.user)
        report = Report()
        users = chosen(path, report, user=args.user, collection=args.collection, encoding=args.encoding, stdin=stdin)
        total = sum(collection.count for user in users for collection in user.collections)
        if not args.dry_run:
            _welcome(store, args, users)
        with Bar("import", total) as bar:
            taking = Taking(store, report, args.dry_run, bar.advance, _each(args), args.keep)
            for user in users:
                taking.user(user)
        _tell_accounts(store, users, report)
    return _told(args, "import (dry run)" if args.dry_run else "import", report)


@place.told
def _export(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store:
        report = Report()
        if args.collection:
            if not args.user:
                raise SourceError("--collection needs --user")
            single.write(store, args.path, args.user, args.collection, report)
            _noted(store, args)
            for line in report.lines():
                print(f"calsync: {line}", file=sys.stderr)
            return 0 if report.complete else 1
        with Bar("export", single.items_of(store, args.user)) as bar:
            Writing(store, report, bar.advance, _each(args)).folder(Path(args.path), args.user)
        _noted(store, args)
    return _told(args, "export", report)


def _noted(store: Store, args: argparse.Namespace) -> None:
    """Data went out: for the audit trail. What can only be read can still be exported."""
    facts = {"collection": args.collection} if args.collection else {}
    try:
        with store.write() as tx:
            audit.note(tx, "exported", account=args.user or "", actor="calsync export", **facts)
    except StoreError as error:
        print(f"calsync: the audit trail was not written: {error}", file=sys.stderr)


def _check_user(store: Store, name: str | None) -> None:
    """A typing error must not make a user. Where logins come from elsewhere there are no accounts to check against."""
    if name is None:
        return
    accounts = Accounts(store)
    with store.read() as tx:
        known = principals.find(tx, name) is not None
    if not known and accounts.listing() and not accounts.find(name):
        raise SourceError(f"there is no user {name!r} (calsync user add {name})")


def _welcome(store: Store, args: argparse.Namespace, users: Sequence[SourceUser]) -> None:
    """Files are one thing among what a new user needs, so the first collections come too; a Radicale home is whole."""
    for user in users:
        if any(collection.enforced for collection in user.collections):
            wanted = place.predefined_collections(args)
            with store.write() as tx:
                principal = principals.find(tx, user.name) or principals.create(tx, user.name)
                newcomer.provision(tx, principal, wanted)


def _tell_accounts(store: Store, users: Sequence[SourceUser], report: Report) -> None:
    accounts = Accounts(store)
    without = [user.name for user in users if not accounts.find(user.name)]
    if without:
        names = ", ".join(without)
        report.notice(f"no account yet: {names} (calsync user add NAME, unless logins come from elsewhere)")


def _each(args: argparse.Namespace) -> Callable[[Result], None]:
    def as_json(result: Result) -> None:
        print(
            json.dumps(
                {
                    "outcome": result.outcome,
                    "place": result.place,
                    "target": result.target,
                    "reason": result.reason,
                },
                ensure_ascii=False,
            )
        )

    def as_line(result: Result) -> None:
        print(result.line())

    return as_json if args.json else as_line if args.verbose else lambda _result: None


def _told(args: argparse.Namespace, what: str, report: Report) -> int:
    if args.json:
        told = {"counts": report.counts, "notices": report.notices, "quarantined": report.quarantined}
        print(json.dumps(told, ensure_ascii=False))
    else:
        for line in (*report.notices, *report.kept()) if args.verbose else report.lines():
            print(line)
        print(f"calsync: {what}: {report.summary()}")
    return 0 if report.complete else 1
