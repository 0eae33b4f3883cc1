"""`calsync group`: who is in which group."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Final

from calsync.accounts.accounts import Accounts
from calsync.cli import place

#: Who does it, in the audit trail.
ACTOR: Final = "calsync group"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "group",
        help="groups of users: add, remove, list",
        description="A group is there as long as somebody is in it. Rights files and shares name groups. What LDAP "
        "or an OpenID provider says of somebody is exchanged at their next sign-in; what is said here stays.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = commands.add_parser("add", help="put users into a group")
    remove = commands.add_parser("remove", help="take users out of a group")
    for command, function in ((add, _add), (remove, _remove)):
        command.add_argument("group", metavar="GROUP")
        command.add_argument("users", metavar="USER", nargs="+")
        command.set_defaults(func=function)
    listing = commands.add_parser("list", help="list groups, or who is in one")
    listing.add_argument("group", metavar="GROUP", nargs="?")
    listing.set_defaults(func=_list)
    for command in (add, remove, listing):
        command.add_argument("--json", action="store_true", help="JSON on standard output instead of text")
        place.add_options(command)


@place.told
def _add(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store, store.write():
        accounts = Accounts(store)
        changed = [user for user in args.users if accounts.join(user, args.group, actor=ACTOR)]
    return _say(args, changed, "in", "in it already")


@place.told
def _remove(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store, store.write():
        accounts = Accounts(store)
        changed = [user for user in args.users if accounts.leave(user, args.group, actor=ACTOR)]
    return _say(args, changed, "no longer in", "not in it")


def _say(args: argparse.Namespace, changed: list[str], now: str, otherwise: str) -> int:
    if args.json:
        print(json.dumps({"group": args.group, "changed": changed}, ensure_ascii=False))
        return 0
    for user in args.users:
        what = f"{now} {args.group}" if user in changed else f"was {otherwise}: {args.group}"
        print(f"calsync: {user} {'is ' if user in changed else ''}{what}", file=sys.stderr)
    return 0


@place.told
def _list(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        found = Accounts(store).groups()
    if args.group is not None:
        found = {args.group: found.get(args.group, [])}
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    if args.group is not None:
        print(*found[args.group], sep="\n", end="\n" if found[args.group] else "")
        return 0
    width = max(map(len, found), default=0)
    for group, names in found.items():
        print(f"{group:<{width}}  {', '.join(names)}")
    return 0
