"""`calsync user`: who has an account."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from datetime import UTC, datetime

from calsync.accounts import passwords
from calsync.accounts.accounts import Account, Accounts
from calsync.accounts.administration import ROLES
from calsync.accounts.names import BadName
from calsync.cli import accounts_in, place, renaming, second_step, traces
from calsync.cli.password_input import NoPassword, first_line
from calsync.cli.progress import Bar
from calsync.store import leaving, principals, quota
from calsync.store.engine import Store

#: Who does it, in the audit trail.
ACTOR = "calsync user"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("user", help="add, list, rename and remove users, change passwords and roles")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    # Not abbreviated: `--password` must not come to be what a person would take it for.
    add = commands.add_parser("add", help="add a user", allow_abbrev=False)
    add.add_argument("name", metavar="NAME")
    add.add_argument("--email", default="", help="where invitations reach the user")
    add.add_argument("--display-name", default="", metavar="TEXT", help="how others see the user")
    add.add_argument("--role", default="user", choices=ROLES, help="a guest has no home, only what others share")
    add.add_argument("--group", action="append", default=[], metavar="GROUP", help="may be given more than once")
    _password_options(add)
    add.set_defaults(func=_add)

    accounts_in.register(commands)
    second_step.register(commands)
    renaming.register(commands)

    listing = commands.add_parser("list", help="list users")
    listing.set_defaults(func=_list)

    passwd = commands.add_parser("passwd", help="change a user's password", allow_abbrev=False)
    passwd.add_argument("name", metavar="NAME")
    _password_options(passwd)
    passwd.set_defaults(func=_passwd)

    role = commands.add_parser("role", help="make somebody an admin, a user or a guest")
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", metavar="ROLE", help=", ".join(ROLES))
    role.set_defaults(func=_role)

    for word, disabled, text in (
        ("disable", True, "refuse every login of a user, app passwords too; nothing is removed"),
        ("enable", False, "take a disabled user's logins again"),
    ):
        command = commands.add_parser(word, help=text)
        command.add_argument("name", metavar="NAME")
        command.set_defaults(func=_disable, disabled=disabled)
        _common(command)

    remove = commands.add_parser(
        "remove",
        help="remove a user's account; calendars stay unless --purge",
        description="Removes the account with its app passwords, web sessions, second factors and groups. With --purge "
        "all calendars and address books go too, with their history and trash, and the name is taken out of the audit "
        "trail and all of it out of the journal. Backups, and copies of the store that a restore or an upgrade has "
        "left beside it, keep what they have. The server may run meanwhile; one that is broken off can be done again.",
    )
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.add_argument("--purge", action="store_true", help="remove the user's calendars and address books too")
    remove.set_defaults(func=_remove)

    for command in (add, listing, passwd, role, remove):
        _common(command)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON on standard output instead of text")
    place.add_options(parser)


def _password_options(parser: argparse.ArgumentParser) -> None:
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--password-file", metavar="FILE", help="take the first line of FILE (-: standard input)")
    choice.add_argument("--generate", action="store_true", help="make a password up and print it, this once")
    choice.add_argument("--no-password", action="store_true", help="only app passwords log in (calsync token add)")


@place.told
def _add(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args, create=True) as store:
        accounts = Accounts(store, policy=place.policy(args))
        present = accounts.find(args.name)
        if present:
            raise BadName(f"there is an account {present.name!r} already (calsync user passwd {present.name})")
        password, made_up = _password(args)
        account = accounts.create(
            args.name,
            password,
            email=args.email,
            displayname=args.display_name,
            role=args.role,
            groups=frozenset(args.group),
            actor=ACTOR,
        )
    _tell_short(password)
    _say(args, f"added {account.name}", {"name": account.name, "role": account.role}, password if made_up else None)
    return 0


@place.told
def _list(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        accounts = Accounts(store)
        found, groups = accounts.listing(), accounts.groups()
    member = {one.name: [group for group, names in groups.items() if one.name in names] for one in found}
    if args.json:
        print(json.dumps([{**_facts(one), "groups": member[one.name]} for one in found], ensure_ascii=False))
        return 0
    width = max((len(account.name) for account in found), default=0)
    for account in found:
        marks = [
            account.role if account.role != "user" else "",
            account.email,
            account.displayname,
            f"in {', '.join(member[account.name])}" if member[account.name] else "",
            "" if account.has_password else "no main password",
            "disabled" if account.disabled else "",
        ]
        made = datetime.fromtimestamp(account.created, UTC)
        print("  ".join([f"{account.name:<{width}}", f"since {made:%Y-%m-%d}", *filter(None, marks)]))
    return 0


def _facts(account: Account) -> dict[str, object]:
    fields = ("name", "email", "displayname", "role", "has_password", "disabled", "created")
    return {field: getattr(account, field) for field in fields}


@place.told
def _passwd(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        accounts = Accounts(store, policy=place.policy(args))
        account = _known(accounts, args.name)
        password, made_up = _password(args)
        accounts.set_password(account.name, password, actor=ACTOR)
    _tell_short(password)
    _say(args, f"changed the password of {account.name}", {"name": account.name}, password if made_up else None)
    return 0


@place.told
def _role(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        accounts = Accounts(store)
        account = _known(accounts, args.name)
        accounts.set_role(account.name, args.role, actor=ACTOR)
    _say(args, f"{account.name} is now {args.role}", {"name": account.name, "role": args.role})
    return 0


@place.told
def _disable(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        accounts = Accounts(store)
        account = _known(accounts, args.name)
        accounts.set_disabled(account.name, args.disabled, actor=ACTOR)
    state = "is refused from now on" if args.disabled else "may log in again"
    _say(args, f"{account.name} {state}", {"name": account.name, "disabled": args.disabled})
    return 0


@place.told
def _remove(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as logins:
        accounts = Accounts(logins)
        account = _known(accounts, args.name)
        if not args.yes and not _agreed(account.name, args.purge):
            print("calsync: nothing was removed (answer yes, or give --yes)", file=sys.stderr)
            return 1
        if args.purge:
            # First what there is most of: if it fails, the account is there to try again with.
            with place.opened(args, create=False) as store:
                _purge(store, account.name)
                if len(place.all_stores(args)) > 1:
                    traces.wipe(store)
        accounts.remove(account.name, forget=args.purge, actor=ACTOR)
        if args.purge:
            _purge(logins, account.name)
            traces.wipe(logins)
    what = "the account; calendars and address books are kept"
    if args.purge:
        what = "the account and all that was stored; backups keep what they have"
    _say(args, f"removed {account.name}: {what}", {"name": account.name, "purged": args.purge})
    return 0


def _purge(store: Store, name: str) -> None:
    """Of a store of logins that is not that of the collections, the principal alone goes."""
    with store.read() as tx:
        principal = principals.find(tx, name)
        held = quota.used(tx, principal.id).items if principal else 0
    if principal:
        with Bar("remove", held) as bar:
            leaving.remove(store, principal, ACTOR, bar.advance)


def _known(accounts: Accounts, name: str) -> Account:
    account = accounts.find(name)
    if account is None:
        raise BadName(f"there is no user {name!r} (calsync user list)")
    return account


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
        return passwords.made_up(), True
    if args.password_file:
        return first_line(args.password_file), False
    if not sys.stdin.isatty():
        raise NoPassword(
            "no terminal to ask for a password (--password-file FILE, - for standard input, or --generate)"
        )
    first = getpass.getpass("Password (empty: make one up): ")
    if not first:
        return passwords.made_up(), True
    if getpass.getpass("The same again: ") != first:
        raise NoPassword("the two passwords differ")
    return first, False


def _tell_short(password: str | None) -> None:
    """An administrator may choose what the page would not take, and knows it then."""
    if password is not None and len(password) < passwords.SHORTEST:
        print(
            f"calsync: warning: the password is short: {len(password)} characters, the page takes none below "
            f"{passwords.SHORTEST} (--generate makes a good one up)",
            file=sys.stderr,
        )


def _say(args: argparse.Namespace, text: str, facts: dict[str, object], password: str | None = None) -> None:
    """What was done, for people on standard error; a password that was made up stands alone on standard output."""
    if args.json:
        print(json.dumps({**facts, **({"password": password} if password else {})}, ensure_ascii=False))
        return
    print(f"calsync: {text}", file=sys.stderr)
    if password:
        print(password)
