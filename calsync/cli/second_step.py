"""`calsync user totp-reset`: for somebody who has lost the phone and the recovery codes."""

from __future__ import annotations

import argparse
import json
import sys

from calsync.accounts import audit
from calsync.accounts.accounts import Accounts
from calsync.accounts.factors import SecondFactors
from calsync.accounts.names import BadName
from calsync.cli import place


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    reset = commands.add_parser(
        "totp-reset",
        help="take the second step off a user's web sign-in",
        description="Removes the authenticator and the recovery codes of a user: from then on the password alone opens "
        "the pages, and a new authenticator can be set up. Be sure that it is the user who asks for it.",
    )
    reset.add_argument("name", metavar="NAME")
    reset.add_argument("--json", action="store_true", help="JSON on standard output instead of text")
    place.add_options(reset)
    reset.set_defaults(func=_reset)


@place.told
def _reset(args: argparse.Namespace) -> int:
    with place.opened_for_logins(args) as store:
        account = Accounts(store).find(args.name)
        if account is None:
            raise BadName(f"there is no user {args.name!r} (calsync user list)")
        with store.write() as tx:
            removed = SecondFactors(store).forget(tx, account.id)
            if removed:
                audit.note(tx, "second-step-removed", account=account.name, actor="calsync user")
    if args.json:
        print(json.dumps({"name": account.name, "removed": removed}))
    else:
        told = "signs in with the password alone now" if removed else "had no second step"
        print(f"calsync: {account.name} {told}", file=sys.stderr)
    return 0
