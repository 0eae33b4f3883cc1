"""`calsync migrate dav`: an account of any CalDAV and CardDAV server into a user's home here."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any, Final

from calsync import config
from calsync.accounts.accounts import Accounts
from calsync.cli import account_list, place
from calsync.cli.account_list import Line
from calsync.cli.password_input import NoPassword, first_line, password
from calsync.cli.progress import Bar
from calsync.gate.observe import one_line
from calsync.remote.bodies import PARALLEL
from calsync.remote.client import EVERYWHERE, Answered, Client, Login
from calsync.remote.compare import Compared
from calsync.remote.discovery import Account, RemoteCollection, explore, host_of, server_of
from calsync.remote.moving_in import MovingIn
from calsync.remote.plan import Planned
from calsync.store import principals
from calsync.store.engine import Store
from calsync.transfer.report import Report, Result
from calsync.transfer.source import SourceError
from calsync.webdav.hosts import is_loopback
from calsync_auth.settings import option

_DESCRIPTION: Final = """\
Takes the calendars and address books of an account at another CalDAV and CardDAV server (Nextcloud, Baïkal, iCloud,
Radicale, Xandikos, DAViCal, …) into a user's home. SOURCE is the server's URL, that of a calendar or an address book, a
domain, or an address such as anna@example.org, whose server DNS names. Nothing is written there.

The same command again takes what has changed since, until everybody has switched; it also continues what was broken
off. What was changed or removed here stays as it is here (--theirs), what was deleted there stays too (--delete). In
the end both sides are compared by name and ETag; each object that was written is read back and compared by its hash.
"""
#: The exit status where nothing could be read.
_NOTHING: Final = 2

_EPILOG: Final = """\
Exit status: 0 all is here, 1 something was refused or is missing, 2 nothing could be read.

The login is given to the server named, to hosts of the same domain, and to those of --trust-host. The server named may
have a private address; others that it or DNS names may not, unless --allow-private or [calsync] outbound_private says
so.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    migrate = subparsers.add_parser("migrate", help="take in an account of another CalDAV and CardDAV server")
    kinds = migrate.add_subparsers(metavar="COMMAND", required=True)
    parser = kinds.add_parser(
        "dav",
        help="calendars and address books of any CalDAV and CardDAV account",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # `--password` is not to come to be what a person takes it for
    )
    parser.add_argument(
        "source", nargs="?", metavar="SOURCE", help="https://dav.example.org/…, example.org, or anna@example.org"
    )
    parser.add_argument("--into", metavar="USER", help="whose it becomes")
    parser.add_argument(
        "--accounts",
        metavar="FILE",
        help="instead of SOURCE and --into: several, one a line: SOURCE LOGIN PASSWORDFILE INTO",
    )
    parser.add_argument("--login", metavar="NAME", help="at the source; of an address, the address and then its name")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--password-file", metavar="FILE", help="the first line of FILE (-: standard input)")
    secret.add_argument("--token-file", metavar="FILE", help="a bearer token instead (-: standard input)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this collection (repeatable)")
    parser.add_argument("--shared", action="store_true", help="also what others share with the account, and read-only")
    parser.add_argument("--theirs", action="store_true", help="the source's state also where it was changed here")
    parser.add_argument(
        "--delete", action="store_true", help="remove here what was removed there, unless it was changed here"
    )
    parser.add_argument("--dry-run", action="store_true", help="find and list, and say what would be fetched")
    parser.add_argument("--allow-private", action="store_true", help="whatever is named may have a private address")
    parser.add_argument(
        "--trust-host", action="append", default=[], metavar="HOST", help="HOST may be given the login (repeatable)"
    )
    parser.add_argument(
        "--parallel", type=int, default=PARALLEL, metavar="N", help=f"requests at once, 1 to 16 (default {PARALLEL})"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each item")
    parser.add_argument("--json", action="store_true", help="a JSON object for each item, and one for the whole")
    place.add_options(parser)
    parser.set_defaults(func=_run)


@place.told
def _run(args: argparse.Namespace) -> int:
    if not 1 <= args.parallel <= 16:
        raise SourceError(f"--parallel {args.parallel}: 1 to 16")
    alone = [args.source, args.into, args.login, args.password_file, args.token_file, args.only]
    if args.accounts and any(alone):
        raise SourceError("--accounts FILE says SOURCE, --login, --password-file and --into, and goes without --only")
    if not args.accounts and not (args.source and args.into):
        raise SourceError("SOURCE and --into USER are needed (or --accounts FILE)")
    lines = account_list.read(args.accounts) if args.accounts else []
    for source in [line.source for line in lines] or [args.source]:
        host_of(source)  # before a store is made
    with place.opened(args) as store:
        return _several(args, store, lines) if lines else _moved(args, store)


def _several(args: argparse.Namespace, store: Store, lines: Sequence[Line]) -> int:
    """One after the other; who cannot come over stops nobody else."""
    statuses = set()
    for line in lines:
        if not args.json:
            _say(f"{line.into}, from {line.source}:")
        try:
            statuses.add(_moved(argparse.Namespace(**{**vars(args), **asdict(line)}), store))
        except SourceError as error:
            print(f"calsync: {line.into}: {one_line(str(error))}", file=sys.stderr)
            statuses.add(_NOTHING)
    return statuses.pop() if len(statuses) == 1 else 1


def _moved(args: argparse.Namespace, store: Store) -> int:
    host = host_of(args.source)
    if args.source.startswith("http://") and (args.login or args.token_file) and not is_loopback(host):
        what = "password" if args.login else "token"
        print(f"calsync: {host} is asked over http: whoever carries it can read the {what}", file=sys.stderr)
    _check_user(store, args.into)
    client, account = _reached(args, host)
    with closing(client):
        report = Report()
        for note in account.notes:
            report.notice(note)
        chosen = _chosen(args, account, report)
        moving = MovingIn(
            client,
            store,
            server_of(args.source),
            args.into,
            report,
            each=_each(args),
            theirs=args.theirs,
            delete=args.delete,
            parallel=args.parallel,
        )
        planned = moving.plan(account, chosen)
        if args.dry_run:
            return _dry(args, planned, report)
        done = []
        with Bar("migrate", sum(len(one.wanted) for one in planned)) as bar:
            moving.progress = bar.advance
            for one in planned:
                done.append(moving.take(one))
    return _told(args, store, done, report)


def _reached(args: argparse.Namespace, host: str) -> tuple[Client, Account]:
    """The account, by the first of its possible logins that the server takes (RFC 6764 §6)."""
    logins = _logins(args)
    private = EVERYWHERE if args.allow_private else () if args.store else _outbound_private(args)
    for login in logins:
        client = Client(host, login, frozenset(name.lower() for name in args.trust_host), private)
        try:
            return client, explore(client, args.source)
        except Answered as error:
            client.close()
            if error.status != 401 or login is logins[-1]:
                if error.status == 401 and not login.name and not login.token:
                    raise SourceError(f"{host} asks for a login (--login NAME)") from error
                raise
        except BaseException:
            client.close()
            raise
    raise AssertionError("there is a login at least, if an empty one")


def _outbound_private(args: argparse.Namespace) -> Any:
    return option(config.load(args.config), "outbound_private", "calsync")


def _logins(args: argparse.Namespace) -> list[Login]:
    if args.token_file:
        return [Login(token=_token(args.token_file))]
    names = [args.login] if args.login else []
    if not names and "@" in args.source and "://" not in args.source:
        names = [args.source, args.source.rpartition("@")[0]]
    if not names:
        if args.password_file:
            raise SourceError("--password-file needs --login NAME")
        return [Login()]
    try:
        given = password(args.password_file, f"Password of {names[0]} at {host_of(args.source)}")
    except NoPassword as error:
        raise SourceError(str(error)) from error
    if args.password_file and not given:
        raise SourceError(f"{args.password_file}: nothing is in its first line")
    return [Login(name, given) for name in names]


def _token(name: str) -> str:
    """What stands in a header, and must not be shown by who finds that it cannot."""
    try:
        token = first_line(name)
    except NoPassword as error:
        raise SourceError(str(error)) from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SourceError(f"{name}: what is in its first line is no bearer token (RFC 6750 §2.1)")
    return token


def _check_user(store: Store, name: str) -> None:
    """A typing error must not make a user; where logins come from elsewhere there are no accounts to look into."""
    accounts = Accounts(store)
    with store.read() as tx:
        known = principals.find(tx, name) is not None
    if not known and accounts.listing() and not accounts.find(name):
        raise SourceError(f"there is no user {name!r} (calsync user add {name})")


def _chosen(args: argparse.Namespace, account: Account, report: Report) -> list[RemoteCollection]:
    found = list(account.collections.values())
    if args.only:
        wanted = {one.strip("/") for one in args.only}
        names = {name for one in found for name in (one.name, one.displayname, one.path.strip("/"))}
        for name in sorted(wanted - names):
            there = ", ".join(sorted(one.name for one in found)) or "nothing"
            raise SourceError(f"--only {name}: the source has no such collection, but {there}")
        return [one for one in found if {one.name, one.displayname, one.path.strip("/")} & wanted]
    for one in found:
        if not args.shared and (one.shared or one.readonly):
            whose = "somebody else's" if one.shared else "read-only"
            report.notice(f"left out: {one.path} ({one.displayname}): {whose} (--shared, or --only {one.name})")
    return [one for one in found if args.shared or not (one.shared or one.readonly)]


def _dry(args: argparse.Namespace, planned: Sequence[Planned], report: Report) -> int:
    if args.json:
        for one in planned:
            told = {"path": one.remote.path, "displayname": one.remote.displayname, "kind": one.remote.kind}
            told |= {"target": f"/{args.into}/{one.target}/"}
            counts = {"there": one.there, "wanted": len(one.wanted), "failure": one.failure}
            print(json.dumps({**told, **counts}))
        print(json.dumps({"notices": report.notices}))
    else:
        for line in report.notices:
            _say(line)
        for one in planned:
            told_ = one.failure or f"{one.there} there, {len(one.wanted)} to fetch"
            _say(f"{one.remote.path} ({one.remote.displayname}) → /{args.into}/{one.target}/: {told_}")
        print(f"calsync: migrate (dry run): {sum(len(one.wanted) for one in planned)} items to fetch")
    return 1 if any(one.failure for one in planned) else 0


def _say(line: str) -> None:
    """Names that the other server made up must not control the terminal."""
    print(one_line(line))


def _each(args: argparse.Namespace) -> Callable[[Result], None]:
    def as_json(result: Result) -> None:
        print(json.dumps(asdict(result)))

    def as_line(result: Result) -> None:
        _say(result.line())

    return as_json if args.json else as_line if args.verbose else lambda _result: None


def _told(args: argparse.Namespace, store: Store, done: Sequence[Compared], report: Report) -> int:
    if not Accounts(store).find(args.into):
        report.notice(f"no account yet: {args.into} (calsync user add {args.into}, unless logins come from elsewhere)")
    if not done:
        report.notice("there was nothing to take")
    complete = all(one.complete for one in done)
    if args.json:
        collections = [{**asdict(one), "complete": one.complete} for one in done]
        told = {
            "into": args.into,
            "counts": report.counts,
            "notices": report.notices,
            "collections": collections,
            "complete": complete,
        }
        print(json.dumps(told))
        return 0 if complete else 1
    for line in (*report.notices, *report.kept()) if args.verbose else report.lines():
        _say(line)
    for one in done:
        _say(one.line())
    if any(one.left for one in done) and not args.delete:
        print("what is at the source no more was left here; --delete removes it, so that it can be brought back")
    nothing = "nothing to take" if any(one.deleted for one in done) else "nothing had changed"
    print(f"calsync: migrate: {report.summary() if report.counts else nothing}")
    return 0 if complete else 1
