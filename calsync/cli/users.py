"""`calsync user`: who has an account."""

from __future__ import annotations

import argparse
import getpass
import json
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from calsync.accounts.accounts import Accounts
from calsync.accounts.names import BadName
from calsync.accounts.passwords import BadPassword
from calsync.cli import place
from calsync.store import principals
from calsync.store.engine import Store

# No letters that look like digits, nothing that needs a second keyboard layer on a phone.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"


class NoPassword(BadPassword):
    """There is nowhere to get a password from; the message says what to do."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("user", help="add, list and remove users, change passwords")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = commands.add_parser("add", help="add a user")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--email", default="", help="where invitations reach the user")
    add.add_argument("--display-name", default="", metavar="TEXT", help="how others see the user")
    _password_options(add)
    add.set_defaults(func=_add)

    listing = commands.add_parser("list", help="list users")
    listing.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    listing.set_defaults(func=_list)

    passwd = commands.add_parser("passwd", help="change a user's password")
    passwd.add_argument("name", metavar="NAME")
    _password_options(passwd)
    passwd.set_defaults(func=_passwd)

    remove = commands.add_parser("remove", help="remove a user's account; calendars stay unless --purge")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.add_argument("--purge", action="store_true", help="remove the user's calendars and address books too")
    remove.set_defaults(func=_remove)

    for command in (add, listing, passwd, remove):
        place.add_options(command)


def _password_options(parser: argparse.ArgumentParser) -> None:
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--password-file", metavar="FILE", help="take the first line of FILE (-: standard input)")
    choice.add_argument("--generate", action="store_true", help="make a password up and print it, this once")
    choice.add_argument("--no-password", action="store_true", help="only app passwords log in (calsync token add)")


@place.told
def _add(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args, create=True) as store:
        accounts = Accounts(store)
        present = accounts.find(args.name)
        if present:
            raise BadName(f"there is an account {present.name!r} already (calsync user passwd {present.name})")
        password, made_up = _password(args)
        account = accounts.create(args.name, password, email=args.email, displayname=args.display_name)
    print(f"calsync: added {account.name}", file=sys.stderr)
    _show(password, made_up)
    return 0


@place.told
def _list(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        found = Accounts(store).listing()
    if args.json:
        fields = ("name", "email", "displayname", "role", "disabled", "created")
        print(json.dumps([{field: getattr(account, field) for field in fields} for account in found]))
        return 0
    width = max((len(account.name) for account in found), default=0)
    for account in found:
        marks = [account.email, account.displayname, "disabled" if account.disabled else ""]
        made = datetime.fromtimestamp(account.created, UTC)
        print("  ".join([f"{account.name:<{width}}", f"since {made:%Y-%m-%d}", *filter(None, marks)]))
    return 0


@place.told
def _passwd(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        accounts = Accounts(store)
        account = accounts.find(args.name)
        if account is None:
            raise _unknown(args.name)
        password, made_up = _password(args)
        accounts.set_password(account.name, password)
    print(f"calsync: changed the password of {account.name}", file=sys.stderr)
    _show(password, made_up)
    return 0


@place.told
def _remove(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        accounts = Accounts(store)
        account = accounts.find(args.name)
        if account is None:
            raise _unknown(args.name)
        if not args.yes and not _agreed(account.name, args.purge):
            print("calsync: nothing was removed (answer yes, or give --yes)", file=sys.stderr)
            return 1
        accounts.remove(account.name)
        if args.purge:
            _purge(store, account.name)
    what = "the account and all that was stored" if args.purge else "the account; calendars and address books are kept"
    print(f"calsync: removed {account.name}: {what}", file=sys.stderr)
    return 0


def _purge(store: Store, name: str) -> None:
    with store.write() as tx:
        principal = principals.find(tx, name)
        if principal:
            principals.delete(tx, principal)


def _agreed(name: str, purge: bool) -> bool:
    if not sys.stdin.isatty():
        return False
    what = "the account AND all calendars and address books" if purge else "the account"
    return input(f"Remove {what} of {name}? [yes/no] ").strip().lower() == "yes"


def _password(args: argparse.Namespace) -> tuple[str | None, bool]:
    """The password (None: none), and whether it was made up here. Raises `NoPassword`."""
    if args.no_password:
        return None, False
    if args.generate:
        return _made_up(), True
    if args.password_file:
        return _from_file(args.password_file), False
    if not sys.stdin.isatty():
        raise NoPassword(
            "no terminal to ask for a password (--password-file FILE, - for standard input, or --generate)"
        )
    first = getpass.getpass("Password (empty: make one up): ")
    if not first:
        return _made_up(), True
    if getpass.getpass("The same again: ") != first:
        raise NoPassword("the two passwords differ")
    return first, False


def _from_file(name: str) -> str:
    try:
        text = sys.stdin.readline() if name == "-" else Path(name).read_text(encoding="utf-8").partition("\n")[0]
    except OSError as error:
        raise NoPassword(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NoPassword(f"{name}: not UTF-8") from error
    return text.rstrip("\r\n")


def _made_up() -> str:
    """100 bits in groups that can be typed on a phone."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def _show(password: str | None, made_up: bool) -> None:
    if made_up and password:
        print(password)


def _unknown(name: str) -> BadName:
    return BadName(f"there is no user {name!r} (calsync user list)")
