"""The rows of accounts and app passwords, and the statements that touch them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update

from calsync.accounts.scopes import Scope
from calsync.store.account_changes import TABLES, of
from calsync.store.schema import (
    account,
    credential,
    external_identity,
    login_flow,
    membership,
    recovery_code,
    second_factor,
    web_session,
)
from calsync.store.statement import Prepared


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in. `generation` is raised whenever a verified login must be forgotten."""

    id: int
    principal: int
    name: str
    has_password: bool
    email: str
    displayname: str
    role: str
    disabled: bool
    generation: int
    created: int


@dataclass(frozen=True, slots=True)
class Token:
    """An app password as it is kept. `id` is the beginning of what its owner typed; instants are UTC seconds."""

    id: str
    account: int
    label: str
    scope: Scope
    read_only: bool
    expires: int | None
    created: int
    last_used: int | None
    last_address: str
    last_client: str
    revoked: bool

    def works(self, now: int) -> bool:
        """Whether it lets anybody in at an instant."""
        return not self.revoked and (self.expires is None or now < self.expires)


_ACCOUNT: Final[tuple[ColumnElement[Any], ...]] = (
    account.c.id,
    account.c.principal,
    account.c.name,
    account.c.password.is_not(None),
    account.c.email,
    account.c.displayname,
    account.c.role,
    account.c.disabled,
    account.c.generation,
    account.c.created,
)
_TOKEN: Final[tuple[ColumnElement[Any], ...]] = (
    credential.c.id,
    credential.c.account,
    credential.c.label,
    credential.c.scope,
    credential.c.read_only,
    credential.c.expires,
    credential.c.created,
    credential.c.last_used,
    credential.c.last_address,
    credential.c.last_client,
    credential.c.revoked,
)

# A parameter of an update must not be called like a column.
_ID: Final = account.c.id == bindparam("account_id")
_TOKEN_ID: Final = credential.c.id == bindparam("token")
_OF_ACCOUNT: Final = credential.c.account == bindparam("of_account")
_NEXT: Final = account.c.generation + 1

BY_ID: Final = Prepared(select(*_ACCOUNT).where(_ID))
BY_NAME: Final = Prepared(select(*_ACCOUNT).where(account.c.name_key == bindparam("name_key")))
ALL: Final = Prepared(select(*_ACCOUNT).order_by(account.c.name_key))
INSERT: Final = Prepared(insert(account), marks=of(account, "id"))
DELETE: Final = Prepared(delete(account).where(_ID), marks=of(account, "account_id"))
PASSWORD: Final = Prepared(select(account.c.password).where(_ID))
SET_PASSWORD: Final = Prepared(
    update(account).where(_ID).values(password=bindparam("new"), generation=_NEXT), marks=of(account, "account_id")
)
REHASH: Final = Prepared(
    update(account).where(_ID, account.c.password == bindparam("old")).values(password=bindparam("new")),
    marks=of(account, "account_id"),
)
SET_DISABLED: Final = Prepared(
    update(account).where(_ID).values(disabled=bindparam("state"), generation=_NEXT), marks=of(account, "account_id")
)
SET_ROLE: Final = Prepared(
    update(account).where(_ID).values(role=bindparam("new"), generation=_NEXT), marks=of(account, "account_id")
)
SET_DETAILS: Final = Prepared(
    update(account).where(_ID).values(email=bindparam("new_email"), displayname=bindparam("new_displayname")),
    marks=of(account, "account_id"),
)
SECOND_STEP: Final = Prepared(
    select(second_factor.c.account).where(
        second_factor.c.account == bindparam("account_id"), second_factor.c.confirmed == 1
    )
)
FORGET_LOGINS: Final = Prepared(update(account).where(_ID).values(generation=_NEXT), marks=of(account, "account_id"))

#: Asked with every request: does what was verified still hold?
GENERATION: Final = Prepared(select(account.c.generation).where(_ID, account.c.disabled == 0))

TOKENS: Final = Prepared(select(*_TOKEN).where(_OF_ACCOUNT).order_by(credential.c.created, credential.c.id))
TOKEN: Final = Prepared(select(*_TOKEN, credential.c.hash).where(_TOKEN_ID))
INSERT_TOKEN: Final = Prepared(insert(credential), marks=of(credential, "account", "id"))
REVOKE: Final = Prepared(
    update(credential).where(_TOKEN_ID, _OF_ACCOUNT, credential.c.revoked == 0).values(revoked=1),
    marks=of(credential, "of_account", "token"),
)
REVOKE_ALL: Final = Prepared(
    update(credential).where(_OF_ACCOUNT, credential.c.revoked == 0).values(revoked=1),
    marks=of(credential, "of_account"),
)
USED: Final = Prepared(
    update(credential)
    .where(_TOKEN_ID)
    .values(last_used=bindparam("at"), last_address=bindparam("address"), last_client=bindparam("client"))
)

_MEMBER: Final = membership.c.account == bindparam("of_account")
GROUPS: Final = Prepared(select(membership.c.name).where(_MEMBER).order_by(membership.c.name))
GROUPS_BY_SOURCE: Final = Prepared(select(membership.c.name, membership.c.source).where(_MEMBER))
MEMBERSHIPS: Final = Prepared(
    select(membership.c.name, account.c.name, membership.c.source)
    .where(membership.c.account == account.c.id)
    .order_by(membership.c.name, account.c.name_key)
)
JOIN: Final = Prepared(insert(membership), marks=of(membership, "account"))
LEAVE: Final = Prepared(
    delete(membership).where(_MEMBER, membership.c.name == bindparam("group")), marks=of(membership, "of_account")
)

BY_SUBJECT: Final = Prepared(
    select(*_ACCOUNT)
    .join(external_identity, external_identity.c.account == account.c.id)
    .where(external_identity.c.issuer == bindparam("of_issuer"), external_identity.c.subject == bindparam("of_subject"))
)
SUBJECTS_OF: Final = Prepared(
    select(external_identity.c.subject).where(
        external_identity.c.account == bindparam("of_account"), external_identity.c.issuer == bindparam("of_issuer")
    )
)
INSERT_SUBJECT: Final = Prepared(insert(external_identity), marks=of(external_identity, "account"))

#: Everything that goes with an account.
DELETE_OWNED: Final = tuple(
    Prepared(
        delete(table).where(table.c.account == bindparam("of_account")),
        marks=of(table, "of_account") if table in TABLES else None,
    )
    for table in (credential, membership, second_factor, recovery_code, external_identity, web_session, login_flow)
)


def account_of(row: tuple[Any, ...]) -> Account:
    """An account from a row of `BY_NAME` or `ALL`."""
    id_, principal, name, has_password, email, displayname, role, disabled, generation, created = row
    return Account(
        id_, principal, name, bool(has_password), email, displayname, role, bool(disabled), generation, created
    )


def token_of(row: tuple[Any, ...]) -> Token:
    """An app password from a row of `TOKENS` or `TOKEN`; what follows its columns is left out."""
    id_, account_, label, scope, read_only, expires, created, used, address, client, revoked = row[: len(_TOKEN)]
    parsed = Scope.parse(scope)
    return Token(id_, account_, label, parsed, bool(read_only), expires, created, used, address, client, bool(revoked))
