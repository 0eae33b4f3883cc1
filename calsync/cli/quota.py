"""`calsync quota`: how much users may have, and how much of it they have."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, Final

from calsync import options
from calsync.accounts import audit
from calsync.cli import place
from calsync.cli.whereabouts import NotThere
from calsync.store import principals, quota
from calsync.store.principals import Principal
from calsync.store.quota import Account, Own
from calsync.store.transaction import Transaction

#: Who does it, in the audit trail.
ACTOR: Final = "calsync quota"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "quota",
        help="how much users may have: list, show, set, unset",
        description="Quotas bound the octets of all items together, the items (events, tasks, contacts, files) and the "
        "collections (calendars, address books, folders) of a user. What is said here of a user goes before [quota] in "
        "the configuration, as the server has read it at its last start. History and trash do not count. Who has more "
        "already, as the bound was lowered, can delete and make smaller, but add nothing.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="what all users have, and may have")
    listing.set_defaults(func=_list)
    show = commands.add_parser("show", help="what one has, and may have, and who says so")
    show.set_defaults(func=_show)
    change = commands.add_parser("set", help="set bounds of a user; those that are not named stay as they are")
    change.add_argument("--octets", type=_typed(options.size), metavar="SIZE", help="500M, 2G or octets; 0: no bound")
    for what in ("items", "collections"):
        change.add_argument(f"--{what}", type=_typed(options.whole), metavar="N", help="how many; 0: no bound")
    change.set_defaults(func=_set, parser=change)
    unset = commands.add_parser("unset", help="let the configuration say again what a user may have")
    unset.set_defaults(func=_unset)
    for command in (show, change, unset):
        command.add_argument("user", metavar="USER")
    for command in (listing, show, change, unset):
        command.add_argument("--json", action="store_true", help="JSON on standard output instead of text")
        place.add_options(command)


def _typed(kind: Callable[[str], int]) -> Callable[[str], int]:
    """The same, its ValueError said to people."""

    def typed(text: str) -> int:
        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if value >= 1 << 62:
            raise argparse.ArgumentTypeError(f"{text} is too much (0: no bound)")
        return value

    return typed


@place.told
def _list(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store, store.read() as tx:
        found = quota.listing(tx)
        everybody = {one.name: found.get(one.id) or quota.account(tx, one.id) for one in principals.listing(tx)}
    if args.json:
        print(json.dumps([_fields(name, account) for name, account in everybody.items()], ensure_ascii=False))
        return 0
    rows = [("user", *Own._fields), *((name, *_told(account)) for name, account in everybody.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


@place.told
def _show(args: argparse.Namespace) -> int:
    with place.opened(args, create=False) as store, store.read() as tx:
        principal = _found(tx, args.user)
        account = quota.account(tx, principal.id)
    if args.json:
        print(json.dumps(_fields(principal.name, account), ensure_ascii=False))
        return 0
    for what, told, own, bound in zip(Own._fields, _told(account), account.own, account.bounds, strict=True):
        said = "own" if own is not None else "[quota]" if bound else ""
        print(f"{what:<12} {told}{f' ({said})' if said else ''}")
    return 0


@place.told
def _set(args: argparse.Namespace) -> int:
    wanted = {what: getattr(args, what) for what in Own._fields if getattr(args, what) is not None}
    if not wanted:
        args.parser.error("say which bound: --octets, --items or --collections")
    return _change(args, "quota-set", wanted)


@place.told
def _unset(args: argparse.Namespace) -> int:
    return _change(args, "quota-unset", dict.fromkeys(Own._fields))


def _change(args: argparse.Namespace, action: str, wanted: dict[str, int | None]) -> int:
    with place.opened(args, create=False) as store, store.write(still=True) as tx:
        tx.actor = ACTOR
        principal = _found(tx, args.user)
        principals.lock_owner(tx, principal.id)
        before = quota.own(tx, principal.id)
        after = before._replace(**wanted)
        if after != before:
            quota.put(tx, principal.id, after)
            said: dict[str, Any] = {what: bound for what, bound in wanted.items() if bound is not None}
            audit.note(tx, action, account=principal.name, **said)
        account = quota.account(tx, principal.id)
    if args.json:
        print(json.dumps(_fields(principal.name, account), ensure_ascii=False))
        return 0
    told = ", ".join(f"{what} {text}" for what, text in zip(Own._fields, _told(account), strict=True))
    print(f"calsync: {principal.name}: {told}", file=sys.stderr)
    return 0


def _found(tx: Transaction, name: str) -> Principal:
    principal = principals.find(tx, name)
    if principal is None:
        raise NotThere(f"there is no home of {name!r}: it is made at the first login (calsync quota list)")
    return principal


def _fields(name: str, account: Account) -> dict[str, Any]:
    return {
        "user": name,
        **{
            what: {"used": used, "bound": bound or None, "own": own is not None}
            for what, used, bound, own in zip(Own._fields, account.used, account.bounds, account.own, strict=True)
        },
    }


def _told(account: Account) -> tuple[str, str, str]:
    """`12.3M of 500M, 2%` for each; without a bound only what there is."""
    texts = []
    for what, used, bound in zip(Own._fields, account.used, account.bounds, strict=True):
        shown = _sized if what == "octets" else str
        texts.append(f"{shown(used)} of {shown(bound)}, {used * 100 // bound}%" if bound else shown(used))
    return texts[0], texts[1], texts[2]


def _sized(octets: int) -> str:
    """As it is typed: 500M, 1.5G; exact where it is a whole number of something."""
    unit = max(0, min((octets.bit_length() - 1) // 10, 4)) if octets else 0
    number = octets / (1 << 10 * unit)
    text = f"{number:.1f}".removesuffix(".0") if unit else str(octets)
    return f"{text}{('', 'K', 'M', 'G', 'T')[unit]}"
