"""What is done to accounts and app passwords: made, changed, removed, each with its entry in the audit trail."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Set
from typing import Final

from calsync.accounts import audit, groups, names, passwords, renaming, rows, throttle, tokens
from calsync.accounts.policy import Policy
from calsync.accounts.rows import Account, Token
from calsync.accounts.scopes import ALL, Scope
from calsync.store import meta, principals
from calsync.store.engine import Store
from calsync.store.errors import Exists
from calsync.store.transaction import Transaction

#: `admin` may see to other accounts; `guest` has no home, only what others share.
ROLES: Final = ("admin", "user", "guest")

_LABEL: Final = 100


class NoSuchAccount(LookupError):
    """There is no account of that name; the message says so, for people."""


class NoSuchToken(LookupError):
    """The account has no such app password; the message says so, for people."""


class AccountExists(ValueError):
    """There is an account of that name, or of one that differs only in case; the message says so, for people."""


class BadRole(ValueError):
    """There is no such role; the message says which there are, for people."""


class BadLabel(ValueError):
    """It cannot name an app password; the message says why, for people."""


class Administration:
    """The accounts of a store, for those who look after them. `actor` is who does it, where it is not the account."""

    def __init__(self, store: Store, *, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self._store = store
        self._key = store.secret("credential")

    def create(
        self,
        name: str,
        password: str | None,
        *,
        email: str = "",
        displayname: str = "",
        role: str = "user",
        groups: Set[str] = frozenset(),
        actor: str = "",
    ) -> Account:
        """A new account, and its principal where there is none of that name.

        Without a password only app passwords log in. Raises `BadName`, `BadPassword`, `BadRole`, `BadGroup` and
        `AccountExists`.
        """
        name = names.checked(name)
        stored = None if password is None else passwords.hashed(password, self.policy.argon2)
        with self._store.write() as tx:
            return _created(tx, name, stored, email, displayname, role, groups, actor)

    def take_in(
        self,
        name: str,
        stored: str | None,
        *,
        email: str = "",
        displayname: str = "",
        groups: Set[str] | None = None,
        source: str = "external",
        actor: str = "",
    ) -> Account:
        """A new account of somebody who has a password elsewhere: `stored` is its hash, None where it stays there.

        `groups` is what `source` says of it. Raises `BadName` and `AccountExists`.
        """
        name = names.checked(name)
        with self._store.write() as tx:
            account = _created(tx, name, stored, email, displayname, "user", frozenset(), actor)
            if groups is not None:
                _exchange(tx, account, groups, source)
            return existing(tx, name)

    def listing(self) -> list[Account]:
        """All accounts by name."""
        with self._store.read() as tx:
            return [rows.account_of(row) for row in tx.all(rows.ALL)]

    def groups(self) -> dict[str, list[str]]:
        """Group → the names of its accounts."""
        with self._store.read() as tx:
            return groups.listing(tx)

    def groups_of(self, name: str) -> frozenset[str]:
        """The groups of an account. Raises `NoSuchAccount`."""
        with self._store.read() as tx:
            return groups.of(tx, existing(tx, name).id)

    def find(self, name: str) -> Account | None:
        """The account of that name, in whatever case, or None."""
        with self._store.read() as tx:
            return found(tx, name)

    def set_password(self, name: str, password: str | None, *, actor: str = "") -> None:
        """Change the password (None: only app passwords log in). Raises `NoSuchAccount` and `BadPassword`."""
        stored = None if password is None else passwords.hashed(password, self.policy.argon2)
        with self._store.write() as tx:
            account = existing(tx, name)
            tx.run(rows.SET_PASSWORD, account_id=account.id, new=stored)
            action = "password-changed" if stored else "password-removed"
            audit.note(tx, action, account=account.name, actor=actor)

    def set_details(self, name: str, *, email: str, displayname: str, actor: str = "") -> None:
        """Change how others see the account, and where invitations reach it. Raises `NoSuchAccount`."""
        with self._store.write() as tx:
            account = existing(tx, name)
            tx.run(rows.SET_DETAILS, account_id=account.id, new_email=email, new_displayname=displayname)
            audit.note(tx, "details-changed", account=account.name, actor=actor)

    def set_disabled(self, name: str, disabled: bool, *, actor: str = "") -> None:
        """Refuse every login of the account, or take them again. Raises `NoSuchAccount`."""
        with self._store.write() as tx:
            account = existing(tx, name)
            tx.run(rows.SET_DISABLED, account_id=account.id, state=int(disabled))
            audit.note(tx, "user-disabled" if disabled else "user-enabled", account=account.name, actor=actor)

    def set_role(self, name: str, role: str, *, actor: str = "") -> None:
        """Change what the account may do on this server. Raises `NoSuchAccount` and `BadRole`."""
        check_role(role)
        with self._store.write() as tx:
            account = existing(tx, name)
            if account.role != role:
                tx.run(rows.SET_ROLE, account_id=account.id, new=role)
                audit.note(tx, "role-changed", account=account.name, actor=actor, role=role, before=account.role)

    def join(self, name: str, group: str, *, actor: str = "") -> bool:
        """Put an account into a group; whether it was not there. Raises `NoSuchAccount` and `BadGroup`."""
        with self._store.write() as tx:
            return groups.join(tx, existing(tx, name), group, actor=actor)

    def leave(self, name: str, group: str, *, actor: str = "") -> bool:
        """Take an account out of a group; whether it was in it. Raises `NoSuchAccount`."""
        with self._store.write() as tx:
            return groups.leave(tx, existing(tx, name), group, actor=actor)

    def ensure(
        self,
        name: str,
        *,
        groups: Set[str] | None = None,
        source: str = "external",
        issuer: str = "",
        subject: str = "",
        email: str = "",
        displayname: str = "",
        role: str = "user",
        create: bool = True,
        adopt: bool = True,
    ) -> Account | None:
        """The account of somebody whom another back end vouches for, made at the first sign-in.

        Found by `issuer` and `subject` where they are given (names may change there), else by name. `groups` become
        what `source` says of it; None leaves them. None where there is no account and `create` is False, or where the
        name is taken by an account that is not tied to this subject, or, unless `adopt`, by a home that has none: its
        owner may have been somebody else. Raises `BadName`. Writes only what has changed.
        """
        with self._store.read() as tx:
            account = self._vouched(tx, name, issuer, subject)
            if account is not None and (groups is None or not _differ(tx, account, groups, source)):
                return account
        name = names.checked(name)
        with self._store.write() as tx:
            account = self._vouched(tx, name, issuer, subject)
            if account is None:
                if not create or found(tx, name) is not None:
                    return None
                if not adopt and principals.find(tx, name) is not None:
                    return None
                account = _created(tx, name, None, email, displayname, role, frozenset(), source)
                if issuer:
                    _tie(tx, account, issuer, subject)
            if groups is not None:
                _exchange(tx, account, groups, source)
            return existing(tx, account.name)

    def _vouched(self, tx: Transaction, name: str, issuer: str, subject: str) -> Account | None:
        if not issuer:
            return found(tx, name)
        row = tx.first(rows.BY_SUBJECT, of_issuer=issuer, of_subject=subject)
        return None if row is None else rows.account_of(row)

    def tie(self, name: str, issuer: str, subject: str, *, actor: str = "") -> bool:
        """Let a subject of an OpenID provider in as an account that there is. Raises `NoSuchAccount`.

        False where the subject has another account, or the account another subject there: names are given anew, and
        whoever gets Anna's is not Anna.
        """
        with self._store.write() as tx:
            account = existing(tx, name)
            tied = tx.first(rows.BY_SUBJECT, of_issuer=issuer, of_subject=subject)
            if tied is not None:
                return rows.account_of(tied).id == account.id
            if tx.first(rows.SUBJECTS_OF, of_account=account.id, of_issuer=issuer) is not None:
                return False
            _tie(tx, account, issuer, subject)
            audit.note(tx, "identity-tied", account=account.name, actor=actor, issuer=issuer)
            return True

    def rename(self, name: str, new: str, *, actor: str = "") -> Account:
        """Call an account and its home otherwise; logins are verified anew, and clients have to be told.

        Raises `NoSuchAccount`, `BadName`, and `AccountExists` where an account, or a home without one, is called so.
        """
        new = names.checked(new)
        with self._store.write() as tx:
            account = existing(tx, name)
            if account.name == new:
                raise names.BadName(f"{new!r} is called so already")
            present = found(tx, new)
            if present is not None and present.id != account.id:
                raise AccountExists(f"there is an account {present.name!r} already")
            owner = principals.get(tx, account.principal)
            if owner is None:
                raise NoSuchAccount(f"{account.name!r} has no home (calsync verify)")
            try:
                renaming.rename(tx, owner, new)
            except Exists as error:
                raise AccountExists(names.left_behind(new)) from error
            audit.note(tx, "user-renamed", account=new, actor=actor, before=account.name, after=new)
            return existing(tx, new)

    def remove(self, name: str, *, forget: bool = False, actor: str = "") -> Account:
        """Remove the account with its app passwords, sessions, second factors and memberships.

        The principal stays with its data, and a new account of the name finds it: whoever wants the data gone deletes
        the principal (`principals.delete`). `forget` takes the name out of the audit trail and of what the throttle
        knows. Raises `NoSuchAccount`.
        """
        with self._store.write() as tx:
            account = existing(tx, name)
            for statement in rows.DELETE_OWNED:
                tx.run(statement, of_account=account.id)
            tx.run(rows.DELETE, account_id=account.id)
            audit.note(tx, "user-removed", account=account.name, actor=actor)
            if forget:
                throttle.forget(tx, account.name)
                audit.forget(tx, account.name)
            return account

    # --- app passwords ------------------------------------------------------------------------------------------------

    def add_token(
        self,
        name: str,
        label: str,
        *,
        expires: int | None = None,
        scope: Scope = ALL,
        read_only: bool = False,
        actor: str = "",
    ) -> tuple[str, Token]:
        """A new app password: the text to show, this once, and what is kept. Raises `NoSuchAccount`, `BadLabel`."""
        label = checked_label(label)
        with self._store.write() as tx:
            account = existing(tx, name)
            secret = tokens.generate()
            while tx.first(rows.TOKEN, token=secret.prefix) is not None:
                secret = tokens.generate()
            tx.run(
                rows.INSERT_TOKEN,
                id=secret.prefix,
                account=account.id,
                kind="app",
                label=label,
                hash=secret.hashed(self._key),
                scope=scope.serialise(),
                read_only=int(read_only),
                expires=expires,
                created=int(time.time()),
                last_used=None,
                last_address="",
                last_client="",
                revoked=0,
            )
            if self.policy.dav_main_password == "until_app_password":
                tx.run(rows.FORGET_LOGINS, account_id=account.id)
            row = tx.first(rows.TOKEN, token=secret.prefix)
            assert row is not None
            facts = {"scope": json.loads(scope.serialise()), "read_only": read_only, "expires": expires}
            audit.note(tx, "token-added", account=account.name, actor=actor, token=secret.prefix, label=label, **facts)
            return secret.text, rows.token_of(row)

    def tokens(self, name: str) -> list[Token]:
        """The app passwords of an account, the revoked ones too, the oldest first. Raises `NoSuchAccount`."""
        with self._store.read() as tx:
            return [rows.token_of(row) for row in tx.all(rows.TOKENS, of_account=existing(tx, name).id)]

    def revoke(self, name: str, token: str, *, actor: str = "") -> None:
        """Refuse an app password from now on, everywhere. `token` is its id. Raises `NoSuchAccount`, `NoSuchToken`."""
        with self._store.write() as tx:
            account = existing(tx, name)
            if not tx.run(rows.REVOKE, token=token.lower(), of_account=account.id):
                raise NoSuchToken(f"{account.name!r} has no app password {token!r} that could be revoked")
            tx.run(rows.FORGET_LOGINS, account_id=account.id)
            audit.note(tx, "token-revoked", account=account.name, actor=actor, token=token.lower())

    def revoke_all(self, name: str, *, actor: str = "") -> int:
        """Refuse all app passwords of an account; how many still worked. Raises `NoSuchAccount`."""
        with self._store.write() as tx:
            account = existing(tx, name)
            held = [row[0] for row in tx.all(rows.TOKENS, of_account=account.id) if not rows.token_of(row).revoked]
            count = tx.run(rows.REVOKE_ALL, of_account=account.id)
            if count:
                tx.run(rows.FORGET_LOGINS, account_id=account.id)
                audit.note(tx, "token-revoked", account=account.name, actor=actor, count=count, tokens=held)
            return count


def found(tx: Transaction, name: str) -> Account | None:
    """The account of that name, in whatever case, or None."""
    row = tx.first(rows.BY_NAME, name_key=names.folded(name))
    return None if row is None else rows.account_of(row)


def existing(tx: Transaction, name: str) -> Account:
    """The account of that name, in whatever case. Raises `NoSuchAccount`."""
    account = found(tx, name)
    if account is None:
        raise NoSuchAccount(f"there is no account {name!r}")
    return account


def is_name(account: Account, login: str) -> bool:
    """Whether `login` means the account."""
    return names.folded(account.name) == names.folded(login)


def check_role(role: str) -> None:
    """Raises `BadRole`."""
    if role not in ROLES:
        raise BadRole(f"there is no role {role!r} (there are: {', '.join(ROLES)})")


def checked_label(label: str) -> str:
    """The name of an app password as it is kept. Raises `BadLabel`."""
    label = unicodedata.normalize("NFC", label).strip()
    if not 0 < len(label) <= _LABEL:
        raise BadLabel(f"the name of an app password has 1 to {_LABEL} characters")
    if any(unicodedata.category(character) == "Cc" for character in label):
        raise BadLabel("the name of an app password has a control character in it")
    return label


def _created(
    tx: Transaction,
    name: str,
    stored: str | None,
    email: str,
    displayname: str,
    role: str,
    into: Set[str],
    actor: str,
) -> Account:
    check_role(role)
    present = found(tx, name)
    if present is not None:
        raise AccountExists(f"there is an account {present.name!r} already")
    principal = principals.find(tx, name) or principals.create(tx, name)
    tx.run(
        rows.INSERT,
        id=meta.count(tx, "account"),
        principal=principal.id,
        name=principal.name,
        name_key=names.folded(name),
        password=stored,
        email=email,
        displayname=displayname,
        role=role,
        disabled=0,
        generation=1,
        created=int(time.time()),
    )
    account = existing(tx, name)
    audit.note(tx, "user-added", account=account.name, actor=actor, role=role)
    for group in sorted(into):
        groups.join(tx, account, group, actor=actor)
    return existing(tx, name)


def _tie(tx: Transaction, account: Account, issuer: str, subject: str) -> None:
    tx.run(rows.INSERT_SUBJECT, issuer=issuer, subject=subject, account=account.id, created=int(time.time()))


def _differ(tx: Transaction, account: Account, said: Set[str], source: str) -> bool:
    return groups.differ(tx, account, said, source)


def _exchange(tx: Transaction, account: Account, said: Set[str], source: str) -> None:
    groups.exchange(tx, account, said, source)
