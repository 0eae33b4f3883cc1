"""Accounts that come in from elsewhere: who they are, and with which hash of a password."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from calsync.accounts import foreign_hashes, names
from calsync.accounts.accounts import AccountExists, Accounts
from calsync.accounts.names import BadName
from calsync.accounts.passwords import BadPassword, hashed


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who is to have an account. `stored` is the hash of the password, `plain` the password itself.

    Neither: the password stays where it is, and is asked for there (`[auth] backend`). `groups`: None where the source
    tells none.
    """

    name: str
    stored: str | None = None
    plain: str | None = field(default=None, repr=False)
    email: str = ""
    displayname: str = ""
    groups: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Somebody who got no account, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of them, by name."""

    added: list[str]
    present: list[str]
    skipped: list[Skipped]


def htpasswd(text: str, *, plain: bool = False) -> tuple[list[Newcomer], list[Skipped]]:
    """The lines of a htpasswd file. `plain`: they hold passwords, not hashes of them."""
    found: list[Newcomer] = []
    skipped: list[Skipped] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, secret = line.partition(":")
        if not colon or not name or not secret:
            skipped.append(Skipped(name[:40], f"line {number} is not NAME:HASH"))
        elif plain:
            found.append(Newcomer(name, plain=secret))
        elif not foreign_hashes.is_known(secret):
            known = ", ".join(foreign_hashes.FORMS)
            skipped.append(Skipped(name, f"line {number} has a hash in no known form (known are: {known})"))
        elif not foreign_hashes.can_verify(foreign_hashes.form(secret)):
            skipped.append(Skipped(name, f"line {number} needs a library: pip install bcrypt"))
        else:
            found.append(Newcomer(name, secret.strip()))
    return found, skipped


def take_in(
    accounts: Accounts | None,
    newcomers: Iterable[Newcomer],
    *,
    dry_run: bool = False,
    actor: str = "",
    advance: Callable[[int], None] = lambda count: None,
) -> Outcome:
    """Make accounts of those who have none; whoever has one keeps it as it is. `accounts`: None where there are none.

    Each is one short transaction: what was done before an error stays done, and the same call goes on from there.
    """
    outcome = Outcome([], [], [])
    seen: dict[str, str] = {}
    for newcomer in newcomers:
        advance(1)
        try:
            name = names.checked(newcomer.name)
            before = seen.setdefault(names.folded(name), name)
            if before != name:
                outcome.skipped.append(Skipped(name, f"{before!r} and {name!r} differ only in case: one account"))
            elif accounts is not None and accounts.find(name) is not None:
                outcome.present.append(name)
            else:
                if accounts is not None and not dry_run:
                    _make(accounts, name, newcomer, actor)
                outcome.added.append(name)
        except AccountExists:
            outcome.present.append(newcomer.name)
        except (BadName, BadPassword) as error:
            outcome.skipped.append(Skipped(newcomer.name, str(error)))
    return outcome


def _make(accounts: Accounts, name: str, newcomer: Newcomer, actor: str) -> None:
    stored = newcomer.stored
    if newcomer.plain is not None:
        stored = hashed(newcomer.plain, accounts.policy.argon2)
    accounts.take_in(
        name,
        stored,
        email=newcomer.email,
        displayname=newcomer.displayname,
        groups=newcomer.groups,
        actor=actor,
    )
