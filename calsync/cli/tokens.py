"""`calsync token`: app passwords, one for each device."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import quote, urlsplit

from calsync import config
from calsync.accounts.accounts import Accounts, Token
from calsync.accounts.scopes import ALL, BadScope, Scope
from calsync.cli import place
from calsync.store import places, principals
from calsync.store.errors import StoreError

#: Who does it, in the audit trail.
ACTOR: Final = "calsync token"

_SECONDS: Final = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("token", help="app passwords: add, list, revoke")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = commands.add_parser(
        "add",
        help="make an app password and print it, this once",
        description="An app password lets one device in, and can be made void without the others. By default it opens "
        "all that its user may; --scope and --read-only make it less.",
    )
    add.add_argument("user", metavar="USER")
    add.add_argument("--label", required=True, metavar="TEXT", help="which device it is for")
    add.add_argument("--expires", type=expiry, metavar="WHEN", help="90d, 12h, 8w, 1y or a date; never without it")
    add.add_argument(
        "--scope",
        nargs="+",
        default=["all"],
        metavar="WHAT",
        help="all, calendars, contacts, or paths of collections: /anna/work/ (work alone is one of USER's own)",
    )
    add.add_argument("--read-only", action="store_true", help="nothing can be changed with it")
    add.add_argument(
        "--qr",
        nargs="?",
        const="",
        metavar="URL",
        help="show a QR code too: of the app password; with the server's https URL one that sets DAVx5 up",
    )
    add.set_defaults(func=_add)

    listing = commands.add_parser("list", help="list a user's app passwords")
    listing.add_argument("user", metavar="USER")
    listing.set_defaults(func=_list)

    revoke = commands.add_parser("revoke", help="make an app password void, or all of a user")
    revoke.add_argument("user", metavar="USER")
    which = revoke.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", metavar="ID", help="as `calsync token list` shows it")
    which.add_argument("--all", action="store_true", help="all app passwords of USER")
    revoke.set_defaults(func=_revoke)

    for command in (add, listing, revoke):
        command.add_argument("--json", action="store_true", help="JSON on standard output instead of text")
        place.add_options(command)


def expiry(text: str) -> int:
    """The instant that `90d` (from now) or `2027-01-31` (its first second, UTC) means."""
    match = re.fullmatch(r"(\d{1,5})([hdwy])", text)
    if match:
        return int(time.time()) + int(match[1]) * _SECONDS[match[2]]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a time like 90d, 12h, 8w, 1y nor a date") from None
    instant = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    if instant <= time.time():
        raise argparse.ArgumentTypeError(f"{text} has passed")
    return instant


def scope_of(words: Sequence[str], user: str) -> Scope:
    """What `--scope` means; a name without slashes is a collection of the user. Raises `BadScope`."""
    if len(words) == 1 and words[0] in ("all", "calendars", "contacts"):
        return Scope.named(*words)
    for word in words:
        if word in ("all", "calendars", "contacts"):
            raise BadScope(f"--scope {word} stands alone; of some collections, name the paths")
    return Scope.of_paths(*(word if "/" in word else f"/{user}/{word}/" for word in words))


def setup_link(url: str, user: str, secret: str) -> str | None:
    """What DAVx5 opens with server, user and password filled in; None where it could not reach the server by it.

    It takes the three out of a `davx5:` link, which means https, and drops the port (its LoginActivity).
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.port not in (None, 443):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"davx5://{quote(user, safe='')}:{quote(secret, safe='-')}@{host}{parts.path or '/'}"


@place.told
def _add(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        accounts = Accounts(store, policy=place.policy(args))
        account = accounts.find(args.user)
        scope = scope_of(args.scope, account.name if account else args.user)
        secret, token = accounts.add_token(
            args.user, args.label, expires=args.expires, scope=scope, read_only=args.read_only, actor=ACTOR
        )
    _tell_missing(args, scope)
    name = account.name if account else args.user
    link = setup_link(args.qr, name, secret) if args.qr else None
    if args.json:
        print(json.dumps({**_facts(token), "user": name, "password": secret}, ensure_ascii=False))
        return 0
    print(f"calsync: app password {token.id} for {token.label}; it is not shown again:", file=sys.stderr)
    print(secret)
    if args.qr is not None:
        if args.qr and link is None:
            print("calsync: DAVx5 takes https URLs without a port; the code is the app password", file=sys.stderr)
        sys.stdout.flush()
        _show_code(link or secret)
    return 0


def _tell_missing(args: argparse.Namespace, scope: Scope) -> None:
    """A path where no collection is opens nothing, and the device could not say why.

    It is no error: the first ones of a new user are made when they first log in.
    """
    if not scope.paths or not (args.store or config.is_own_storage(config.load(args.config))):
        return
    # The app password is made: whatever is the matter with the collections, it has to be shown.
    with suppress(StoreError), place.opened_at(place.all_stores(args)[-1]) as store, store.read() as tx:
        for owner, *path in sorted(scope.paths):
            principal = principals.find(tx, owner)
            if principal is not None and places.find(tx, principal, path) is not None:
                continue
            found = [] if principal is None else [f"/{owner}/{one.name}/" for one in places.children(tx, principal.id)]
            there = f"; there are {' '.join(found)}" if found else ""
            missing = f"/{owner}/{'/'.join(path)}/"
            print(f"calsync: warning: there is no {missing} yet, so nothing opens there{there}", file=sys.stderr)


def _show_code(text: str) -> None:
    """On standard error: what is piped on stays the password alone."""
    import segno  # most commands draw nothing

    segno.make(text, error="m", micro=False).terminal(out=sys.stderr, compact=True)


@place.told
def _list(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        found = Accounts(store).tokens(args.user)
    if args.json:
        print(json.dumps([_facts(token) for token in found], ensure_ascii=False))
        return 0
    width = max((len(token.label) for token in found), default=0)
    for token in found:
        line = f"{token.id}  {token.label:<{width}}  since {_day(token.created)}  {_state(token)}"
        limits = [str(token.scope)] if token.scope != ALL else []
        print("  ".join([line, *limits, *(["read-only"] if token.read_only else [])]))
    return 0


@place.told
def _revoke(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        accounts = Accounts(store)
        if args.all:
            count = accounts.revoke_all(args.user, actor=ACTOR)
            told = f"{count} app password{'' if count == 1 else 's'} of {args.user} are void"
        else:
            accounts.revoke(args.user, args.id, actor=ACTOR)
            count, told = 1, f"{args.id} is void"
    if args.json:
        print(json.dumps({"user": args.user, "revoked": count}))
    else:
        print(f"calsync: {told}", file=sys.stderr)
    return 0


def _facts(token: Token) -> dict[str, object]:
    fields = ("id", "label", "read_only", "created", "expires", "last_used", "last_address", "last_client", "revoked")
    return {field: getattr(token, field) for field in fields} | {"scope": json.loads(token.scope.serialise())}


def _state(token: Token) -> str:
    if token.revoked:
        return "revoked"
    if token.expires is not None and token.expires <= time.time():
        return f"expired {_day(token.expires)}"
    used = f"last used {_day(token.last_used)}" if token.last_used else "never used"
    if token.last_used and token.last_address:
        used += f" from {token.last_address}"
    return used if token.expires is None else f"{used}, until {_day(token.expires)}"


def _day(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d}"
