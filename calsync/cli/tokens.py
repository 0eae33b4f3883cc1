"""`calsync token`: app passwords, one for each device."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from datetime import UTC, date, datetime
from typing import Final

from calsync.accounts.accounts import Accounts, Token
from calsync.cli import place

_SECONDS: Final = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("token", help="app passwords: add, list, revoke")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = commands.add_parser("add", help="make an app password and print it, this once")
    add.add_argument("user", metavar="USER")
    add.add_argument("--label", required=True, metavar="TEXT", help="which device it is for")
    add.add_argument("--expires", type=expiry, metavar="WHEN", help="90d, 12h, 8w, 1y or a date; never without it")
    add.set_defaults(func=_add)

    listing = commands.add_parser("list", help="list a user's app passwords")
    listing.add_argument("user", metavar="USER")
    listing.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    listing.set_defaults(func=_list)

    revoke = commands.add_parser("revoke", help="make an app password void")
    revoke.add_argument("user", metavar="USER")
    revoke.add_argument("id", metavar="ID", help="as `calsync token list` shows it")
    revoke.set_defaults(func=_revoke)

    for command in (add, listing, revoke):
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


@place.told
def _add(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        secret, token = Accounts(store).add_token(args.user, args.label, expires=args.expires)
    print(f"calsync: app password {token.id} for {args.label}; it is not shown again:", file=sys.stderr)
    print(secret)
    return 0


@place.told
def _list(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        found = Accounts(store).tokens(args.user)
    if args.json:
        fields = ("id", "label", "created", "expires", "last_used", "last_address", "revoked")
        print(json.dumps([{field: getattr(token, field) for field in fields} for token in found]))
        return 0
    width = max((len(token.label) for token in found), default=0)
    for token in found:
        print(f"{token.id}  {token.label:<{width}}  since {_day(token.created)}  {_state(token)}")
    return 0


@place.told
def _revoke(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        Accounts(store).revoke(args.user, args.id)
    print(f"calsync: {args.id} is void", file=sys.stderr)
    return 0


def _state(token: Token) -> str:
    if token.revoked:
        return "revoked"
    if token.expires is not None and token.expires <= time.time():
        return f"expired {_day(token.expires)}"
    used = f"last used {_day(token.last_used)}" if token.last_used else "never used"
    return used if token.expires is None else f"{used}, until {_day(token.expires)}"


def _day(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%d}"
