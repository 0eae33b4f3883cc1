"""Somebody is called otherwise from now on: account, home, and whatever else in the store says the name.

Almost everything is tied by ids. What says the name is the account and its home, the app passwords that are for chosen
collections (`/anna/work/`), anybody's, and what the throttle knows of addresses. The audit trail keeps the old name:
its entries are of that time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select, update

from calsync.accounts import rows, throttle
from calsync.accounts.scopes import Scope
from calsync.store import renaming as homes
from calsync.store.account_changes import of, of_principal
from calsync.store.names import folded
from calsync.store.schema import account, credential
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.principals import Principal
    from calsync.store.transaction import Transaction

# A scope of chosen collections is a JSON object, any other a JSON string.
_CHOSEN: Final = Prepared(
    select(credential.c.id, credential.c.account, credential.c.scope).where(
        credential.c.scope >= "{", credential.c.scope < "|"
    )
)
_SET_SCOPE: Final = Prepared(
    update(credential).where(credential.c.id == bindparam("token")).values(scope=bindparam("new_scope")),
    marks=of(credential, "of_account", "token"),
)
_SET_NAME: Final = Prepared(
    update(account)
    .where(account.c.principal == bindparam("of_principal"))
    .values(name=bindparam("new_name"), name_key=bindparam("new_key"), generation=account.c.generation + 1),
    marks=of_principal("of_principal"),
)


def rename(tx: Transaction, owner: Principal, name: str) -> Principal:
    """Give a principal, and its account where it has one, another name: every login is verified anew.

    Raises `Exists` where a principal has it, `Absent`. `name` is one that `names.checked` has passed.
    """
    found = homes.rename(tx, owner, name)
    if tx.run(_SET_NAME, of_principal=owner.id, new_name=found.name, new_key=folded(found.name)):
        throttle.rename(tx, owner.name, found.name)
    _scopes(tx, owner.name, found.name)
    return found


def _scopes(tx: Transaction, old: str, new: str) -> None:
    for token, whose, text in tx.all(_CHOSEN):
        scope = Scope.parse(text)
        paths = frozenset((new, *path[1:]) if path[0] == old else path for path in scope.paths)
        if paths != scope.paths:
            tx.run(_SET_SCOPE, token=token, of_account=whose, new_scope=Scope(scope.kind, paths).serialise())
            tx.run(rows.FORGET_LOGINS, account_id=whose)
