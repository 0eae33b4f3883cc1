"""`calsync user rename`: somebody is called otherwise."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from calsync import config, upstream
from calsync.accounts import audit, names, renaming
from calsync.accounts.accounts import AccountExists, Accounts
from calsync.accounts.names import BadName
from calsync.cli import place
from calsync.store import meta, principals
from calsync.store.engine import Store
from calsync.store.errors import Exists

_ACTOR: Final = "calsync user"

#: In a store of collections that has none of the logins: whom a rename has reached there, and not yet the logins.
_HALFWAY: Final = "renaming"

_DESCRIPTION: Final = """\
The user logs in with the new name, and the addresses of calendars and address books begin with it; the old name and
the old addresses end at once. Passwords, app passwords, groups, history and what others were given stay. Each app on
each device has to be set up with the new name, and fetches everything anew (docs/accounts.md). Shares of Radicale's
are renamed too; rights files, and a back end that knows the passwords, are yours to change. The server may run."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`rename`, below `calsync user`."""
    rename = commands.add_parser(
        "rename",
        help="give a user another name; devices have to be told",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rename.add_argument("name", metavar="OLD")
    rename.add_argument("new", metavar="NEW")
    rename.add_argument("--yes", action="store_true", help="do not ask")
    rename.add_argument("--json", action="store_true", help="JSON on standard output instead of text")
    place.add_options(rename)
    rename.set_defaults(func=_rename)


@place.told
def _rename(args: argparse.Namespace) -> int:
    new = names.checked(args.new)
    with place.opened_for_logins(args) as logins:
        accounts = Accounts(logins)
        account = accounts.find(args.name)
        if account is None:
            raise BadName(f"there is no user {args.name!r} (calsync user list)")
        old, present = account.name, accounts.find(new)
        if present is not None and present.id != account.id:
            raise AccountExists(f"there is an account {present.name!r} already")
        if not args.yes and not _agreed(old, new):
            print("calsync: nothing was renamed (answer yes, or give --yes)", file=sys.stderr)
            return 1
        if len(place.all_stores(args)) == 1:
            accounts.rename(old, new, actor=_ACTOR)
        else:
            with place.opened(args, create=False) as store:
                _home(store, old, new)
                accounts.rename(old, new, actor=_ACTOR)
                with store.write() as tx:
                    meta.remove(tx, _HALFWAY)
    shares, notices = (0, []) if args.store else _elsewhere(config.load(args.config), old, new)
    if args.json:
        print(json.dumps({"name": new, "before": old, "shares": shares, "notices": notices}, ensure_ascii=False))
        return 0
    print(f"calsync: {old} is {new} now; devices have to be set up with the new name", file=sys.stderr)
    for notice in notices:
        print(f"calsync: {notice}", file=sys.stderr)
    return 0


def _agreed(old: str, new: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"Every app on every device of {old} has to be set up anew, as {new}.", file=sys.stderr)
    return input(f"Rename {old} to {new}? [yes/no] ").strip().lower() == "yes"


def _home(store: Store, old: str, new: str) -> None:
    """Where logins have a store of their own: first the home. What fails afterwards is gone on with by another try."""
    both = f"{old}\n{new}".encode()
    with store.write() as tx:
        tx.actor = _ACTOR
        owner = principals.find(tx, old)
        if meta.get(tx, _HALFWAY) == both:
            return
        try:
            if owner is not None:
                renaming.rename(tx, owner, new)
            elif principals.find(tx, new) is not None:
                raise Exists(new)
        except Exists as error:
            raise AccountExists(names.left_behind(new)) from error
        audit.note(tx, "user-renamed", account=new, before=old, after=new)
        meta.put(tx, _HALFWAY, both)


def _elsewhere(configuration: upstream.Configuration, old: str, new: str) -> tuple[int, list[str]]:
    """What names the user outside the store: how many shares were renamed, and what is left to do, for people."""
    notices: list[str] = []
    shares = 0
    try:
        shares, failed = upstream.rename_in_shares(configuration, old, new)
        notices += [f"the share of {path} still names {old}" for path in failed]
        if shares and configuration.get("sharing", "type") == "csv":
            notices.append("restart the server: with [sharing] type = csv it goes on with the shares that it has read")
    except (OSError, RuntimeError) as error:
        notices.append(f"shares still name {old}: {error}")
    return shares, [*notices, *_yours(configuration, old, new)]


def _yours(configuration: upstream.Configuration, old: str, new: str) -> Iterator[str]:
    """What calsync does not change."""
    rights = {
        str(configuration.get("rights", name))
        for name in ("type", "backend")
        if name in configuration.options("rights")
    }
    if "from_file" in rights:
        file = Path(str(configuration.get("rights", "file")))
        try:
            text = file.read_text(errors="replace")
        except OSError as error:
            text = ""
            yield f"{file}: {error.strerror}; if it names {old}, change it there"
        if re.search(rf"(?<!\w){re.escape(old)}(?!\w)", text):
            yield f"{file} names {old}: change it there, and reload the server"
    kind = configuration.get("auth", "type")
    backend = str(configuration.get("auth", "backend")) if kind == "calsync_auth" else str(kind)
    if backend not in ("accounts", "calsync_auth", ""):
        yield f"passwords are asked of {backend}: rename {old} there, or {new} cannot log in, and {old} begins anew"
