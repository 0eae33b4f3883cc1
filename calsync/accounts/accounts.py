"""Accounts: who there is, and whether a login holds."""

from __future__ import annotations

import hmac
import json
import logging
import time
from typing import Final

from calsync.accounts import names, passwords, rows, tokens
from calsync.accounts.credentials import Credentials, Identity, Verified
from calsync.accounts.rows import Account, Token
from calsync.accounts.uses import Uses
from calsync.store import meta, principals
from calsync.store.engine import Store, Transaction
from calsync.store.errors import StoreError

_log: Final = logging.getLogger("calsync.accounts")


class NoSuchAccount(LookupError):
    """There is no account of that name; the message says so, for people."""


class NoSuchToken(LookupError):
    """The account has no such app password; the message says so, for people."""


class AccountExists(ValueError):
    """There is an account of that name, or of one that differs only in case; the message says so, for people."""


class Accounts:
    """The accounts of a store. One object a process, for it remembers what it verified."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = store.secret("credential")
        self._credentials = Credentials()
        self._uses = Uses(store)

    # --- administration -----------------------------------------------------------------------------------------------

    def create(
        self, name: str, password: str | None, *, email: str = "", displayname: str = "", role: str = "user"
    ) -> Account:
        """A new account, and its principal where there is none of that name.

        Without a password only app passwords log in. Raises `BadName`, `BadPassword` and `AccountExists`.
        """
        name = names.checked(name)
        key = names.folded(name)
        stored = None if password is None else passwords.hashed(password)
        with self._store.write() as tx:
            row = tx.first(rows.BY_NAME, name_key=key)
            if row is not None:
                raise AccountExists(f"there is an account {rows.account_of(row).name!r} already")
            principal = principals.find(tx, name) or principals.create(tx, name)
            tx.run(
                rows.INSERT,
                id=meta.count(tx, "account"),
                principal=principal.id,
                name=principal.name,
                name_key=key,
                password=stored,
                email=email,
                displayname=displayname,
                role=role,
                disabled=0,
                generation=1,
                created=int(time.time()),
            )
            return self._existing(tx, name)

    def listing(self) -> list[Account]:
        """All accounts by name."""
        with self._store.read() as tx:
            return [rows.account_of(row) for row in tx.all(rows.ALL)]

    def find(self, name: str) -> Account | None:
        """The account of that name, in whatever case, or None."""
        with self._store.read() as tx:
            row = tx.first(rows.BY_NAME, name_key=names.folded(name))
            return None if row is None else rows.account_of(row)

    def set_password(self, name: str, password: str | None) -> None:
        """Change the password (None: only app passwords log in). Raises `NoSuchAccount` and `BadPassword`."""
        stored = None if password is None else passwords.hashed(password)
        with self._store.write() as tx:
            tx.run(rows.SET_PASSWORD, account_id=self._existing(tx, name).id, new=stored)

    def set_disabled(self, name: str, disabled: bool) -> None:
        """Refuse every login of the account, or take them again. Raises `NoSuchAccount`."""
        with self._store.write() as tx:
            tx.run(rows.SET_DISABLED, account_id=self._existing(tx, name).id, state=int(disabled))

    def remove(self, name: str) -> Account:
        """Remove the account and its app passwords.

        The principal stays with its data, and a new account of the name finds it: whoever wants the data gone deletes
        the principal (`principals.delete`). Raises `NoSuchAccount`.
        """
        with self._store.write() as tx:
            account = self._existing(tx, name)
            tx.run(rows.DELETE_TOKENS, of_account=account.id)
            tx.run(rows.DELETE, account_id=account.id)
            return account

    # --- app passwords ------------------------------------------------------------------------------------------------

    def add_token(
        self, name: str, label: str, *, expires: int | None = None, scope: str = "all", read_only: bool = False
    ) -> tuple[str, Token]:
        """A new app password: the text to show, this once, and what is kept. Raises `NoSuchAccount`.

        A scope other than `all` and `read_only` are kept, but such an app password is refused until they are enforced.
        """
        with self._store.write() as tx:
            account = self._existing(tx, name)
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
                scope=json.dumps(scope),
                read_only=int(read_only),
                expires=expires,
                created=int(time.time()),
                last_used=None,
                last_address="",
                last_client="",
                revoked=0,
            )
            row = tx.first(rows.TOKEN, token=secret.prefix)
            assert row is not None
            return secret.text, rows.token_of(row)

    def tokens(self, name: str) -> list[Token]:
        """The app passwords of an account, the revoked ones too, the oldest first. Raises `NoSuchAccount`."""
        with self._store.read() as tx:
            return [rows.token_of(row) for row in tx.all(rows.TOKENS, of_account=self._existing(tx, name).id)]

    def revoke(self, name: str, token: str) -> None:
        """Refuse an app password from now on, everywhere. `token` is its id. Raises `NoSuchAccount`, `NoSuchToken`."""
        with self._store.write() as tx:
            account = self._existing(tx, name)
            if not tx.run(rows.REVOKE, token=token.lower(), of_account=account.id):
                raise NoSuchToken(f"{account.name!r} has no app password {token!r} that could be revoked")
            tx.run(rows.FORGET_LOGINS, account_id=account.id)

    def flush(self) -> None:
        """Write the last uses that have gathered; at shutdown."""
        self._uses.flush()

    # --- logins -------------------------------------------------------------------------------------------------------

    def authenticate(self, login: str, password: str, *, address: str = "") -> Identity | None:
        """Who this is, or None. `address` is the client's.

        What was verified before costs one row; anything else argon2 once, whether there is such an account or not, but
        for an app password that is good or was. Raises `TooManyChecks` where too many wait for theirs.
        """
        if not _is_text(login) or not _is_text(password):
            passwords.verify_nobody("")
            return None
        now = int(time.time())
        key = self._credentials.key(login, password)
        verified = self._credentials.get(key)
        if verified is not None and not self._holds(verified, now):
            self._credentials.forget(key)
            verified = None
        if verified is None:
            verified = self._verified(login, password, now)
            if verified is None:
                return None
            self._credentials.remember(key, verified)
        identity = verified.identity
        if identity.token is not None:
            self._uses.note(identity.token, address, now)
        return identity

    def _holds(self, verified: Verified, now: int) -> bool:
        if verified.expires is not None and now >= verified.expires:
            return False
        with self._store.read() as tx:
            row = tx.first(rows.GENERATION, account_id=verified.identity.account)
        return row is not None and row[0] == verified.generation

    def _verified(self, login: str, password: str, now: int) -> Verified | None:
        secret = tokens.read(password)
        with self._store.read() as tx:
            row = tx.first(rows.BY_NAME, name_key=names.folded(login))
            account = None if row is None else rows.account_of(row)
            found = None if secret is None else tx.first(rows.TOKEN, token=secret.prefix)
            stored = None if account is None else tx.first(rows.PASSWORD, account_id=account.id)
        if secret is not None and found is not None and hmac.compare_digest(found[-1], secret.hashed(self._key)):
            return _by_token(account, rows.token_of(found), now)
        if account is None or stored is None or stored[0] is None:
            passwords.verify_nobody(password)
            return None
        if not passwords.verify(stored[0], password) or account.disabled:
            if tokens.is_mistyped(password):
                _log.info("accounts: %r logged in with what looks like an app password, mistyped", account.name)
            return None
        if passwords.needs_rehash(stored[0]):
            self._rehash(account, stored[0], password)
        return Verified(Identity(account.name, account.id), account.generation)

    def _rehash(self, account: Account, old: str, password: str) -> None:
        new = passwords.hashed(password)
        try:
            with self._store.write() as tx:
                tx.run(rows.REHASH, account_id=account.id, old=old, new=new)
        except StoreError as error:
            _log.warning("accounts: the password of %r keeps its old hash: %s", account.name, error)

    def _existing(self, tx: Transaction, name: str) -> Account:
        row = tx.first(rows.BY_NAME, name_key=names.folded(name))
        if row is None:
            raise NoSuchAccount(f"there is no account {name!r}")
        return rows.account_of(row)


def _is_text(typed: str) -> bool:
    try:
        typed.encode()
    except UnicodeEncodeError:
        return False
    return True


def _by_token(account: Account | None, token: Token, now: int) -> Verified | None:
    """Whether a token that was presented whole lets this account in."""
    if account is None or token.account != account.id or account.disabled:
        return None
    refusal = _refusal(token, now)
    if refusal:
        _log.info("accounts: app password %s (%s) of %r refused: %s", token.id, token.label, account.name, refusal)
        return None
    identity = Identity(account.name, account.id, token.id, token.scope, token.read_only)
    return Verified(identity, account.generation, token.expires)


def _refusal(token: Token, now: int) -> str:
    if token.revoked:
        return "revoked"
    if token.expires is not None and now >= token.expires:
        return "expired"
    if token.scope != "all" or token.read_only:
        # Better refused than too powerful: nothing enforces these yet.
        return "its scope cannot be enforced yet"
    return ""


__all__ = ["Account", "AccountExists", "Accounts", "Identity", "NoSuchAccount", "NoSuchToken", "Token"]
