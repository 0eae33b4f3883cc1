"""Groups: which accounts are in which. A group is its name, and is there as long as somebody is in it.

An administrator's word stays until it is taken back. What a back end says of somebody (LDAP, OpenID Connect) is kept
beside it, so that it holds for app passwords too, and is exchanged whole at the next sign-in there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Set
from typing import TYPE_CHECKING, Final

from calsync.accounts import audit, rows

if TYPE_CHECKING:
    from calsync.accounts.rows import Account
    from calsync.store.transaction import Transaction

MAX_LENGTH: Final = 128


class BadGroup(ValueError):
    """It cannot be a group; the message says why, for people."""


def checked(name: str) -> str:
    """The canonical name of a group. Raises `BadGroup`.

    What Radicale writes between groups (`,`) or before one (`:`) cannot be in a name.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not name or len(name) > MAX_LENGTH:
        raise BadGroup(f"the name of a group has 1 to {MAX_LENGTH} characters")
    for character in name:
        if character in "/,:" or unicodedata.category(character)[0] == "C":
            raise BadGroup(f"the group {name!r} contains {character!a}, which cannot stand in its name")
    return name


def of(tx: Transaction, account: int) -> frozenset[str]:
    """The groups of an account."""
    return frozenset(str(row[0]) for row in tx.all(rows.GROUPS, of_account=account))


def listing(tx: Transaction) -> dict[str, list[str]]:
    """Group → the names of its accounts."""
    found: dict[str, list[str]] = {}
    for group, name, _ in tx.all(rows.MEMBERSHIPS):
        found.setdefault(group, []).append(name)
    return found


def join(tx: Transaction, account: Account, group: str, *, actor: str = "", source: str = "") -> bool:
    """Put an account into a group; whether it was not there. Its logins are verified anew."""
    group = checked(group)
    found = _sources(tx, account)
    if found.get(group) in ("", source):
        return False
    if group in found:
        tx.run(rows.LEAVE, of_account=account.id, group=group)
    tx.run(rows.JOIN, account=account.id, name=group, source=source)
    if group in found:
        return False
    tx.run(rows.FORGET_LOGINS, account_id=account.id)
    audit.note(tx, "group-joined", account=account.name, actor=actor, group=group, **_told(source))
    return True


def leave(tx: Transaction, account: Account, group: str, *, actor: str = "", source: str = "") -> bool:
    """Take an account out of a group; whether it was in it."""
    if not tx.run(rows.LEAVE, of_account=account.id, group=unicodedata.normalize("NFC", group).strip()):
        return False
    tx.run(rows.FORGET_LOGINS, account_id=account.id)
    audit.note(tx, "group-left", account=account.name, actor=actor, group=group, **_told(source))
    return True


def differ(tx: Transaction, account: Account, names: Set[str], source: str) -> bool:
    """Whether `exchange` would change anything; a read."""
    found = _sources(tx, account)
    said = {group for group, by in found.items() if by == source}
    return said != {group for group in _usable(names) if found.get(group, source) == source}


def exchange(tx: Transaction, account: Account, names: Set[str], source: str) -> None:
    """Make `names` what `source` says of the account; an administrator's own groups stay."""
    found = _sources(tx, account)
    wanted = _usable(names)
    for group, by in found.items():
        if by == source and group not in wanted:
            leave(tx, account, group, actor=source, source=source)
    for group in sorted(wanted - set(found)):
        join(tx, account, group, actor=source, source=source)


def _sources(tx: Transaction, account: Account) -> dict[str, str]:
    """Group → who says so."""
    return {str(group): str(source) for group, source in tx.all(rows.GROUPS_BY_SOURCE, of_account=account.id)}


def _usable(names: Set[str]) -> set[str]:
    """Those that can be groups here; a directory may have others."""
    usable = set()
    for name in names:
        try:
            usable.add(checked(name))
        except BadGroup:
            continue
    return usable


def _told(source: str) -> dict[str, str]:
    return {"source": source} if source else {}
