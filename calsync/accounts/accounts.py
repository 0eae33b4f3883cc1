"""Accounts: who there is, and whether a login holds."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from typing import Final, Protocol

from calsync import counters
from calsync.accounts import administration, groups, passwords, rows, tokens, turn
from calsync.accounts.administration import (
    AccountExists,
    Administration,
    BadLabel,
    BadRole,
    NoSuchAccount,
    NoSuchToken,
)
from calsync.accounts.credentials import Credentials, Identity, Verified
from calsync.accounts.passwords import TooManyChecks
from calsync.accounts.policy import Policy
from calsync.accounts.rows import Account, Token
from calsync.accounts.throttle import Throttle, Throttled
from calsync.accounts.uses import Uses
from calsync.counters import families
from calsync.store import clock
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.transaction import Transaction

_log: Final = logging.getLogger("calsync.accounts")


class BackendDown(RuntimeError):
    """The back end that knows main passwords does not answer: 503, never 401. The message is for the log."""


@dataclass(frozen=True, slots=True)
class External:
    """Whom a back end vouches for: the account's name, and the groups that it tells; None where it tells none."""

    name: str
    groups: frozenset[str] | None = None


class MainPasswords(Protocol):
    """A back end that knows the main passwords: LDAP, htpasswd, …"""

    def check(self, name: str, password: str, address: str) -> External | None:
        """Who this is, or None. Raises `BackendDown` where it cannot say."""


class Accounts(Administration):
    """The accounts of a store. One object a process, for it remembers what it verified.

    `main` knows the main passwords; None: the accounts' own, hashed with argon2id.
    """

    def __init__(self, store: Store, main: MainPasswords | None = None, *, policy: Policy | None = None) -> None:
        super().__init__(store, policy=policy)
        self._main = main
        self._credentials = Credentials()
        self._uses = Uses(store, audit_days=self.policy.audit_days)
        self.throttle = Throttle(store, active=self.policy.throttle)

    def flush(self) -> None:
        """Write what has gathered; at shutdown."""
        self._uses.flush()
        self.throttle.flush()

    def authenticate(self, login: str, password: str, *, address: str = "", client: str = "") -> Identity | None:
        """Who a device is, or None. `address` is the client's, `client` what it calls itself.

        What was verified before costs one row; an app password a keyed hash; anything else argon2 once, whether there
        is such an account or not. Raises `Throttled`, `TooManyChecks`, `BackendDown` and `StoreError`.
        """
        if not _is_text(login) or not _is_text(password):
            login = password = ""
        now = clock.now()
        key = self._credentials.key(login, password)
        verified = self._credentials.get(key)
        if verified is not None and not self._holds(verified, now):
            self._credentials.forget(key)
            verified = None
        if verified is not None:
            counters.add(families.LOGINS_REMEMBERED)
        else:
            verified = self._verified(login, password, address, now)
            if verified is None:
                return None
            self._credentials.remember(key, verified)
        self._uses.note(verified.identity, address, client, now)
        return verified.identity

    def sign_in(self, login: str, password: str, *, address: str = "", client: str = "") -> Identity | None:
        """Who a person at the sign-in page is, or None: main passwords only, whatever devices may use.

        Nothing of it is remembered. Raises as `authenticate` does.
        """
        if not _is_text(login) or not _is_text(password):
            login = password = ""
        now = clock.now()
        verified = self._by_main(login, password, address, now)
        if verified is None:
            return None
        self._uses.note(verified.identity, address, client, now)
        return verified.identity

    def identity_of_token(self, typed: str, *, address: str = "", client: str = "") -> Identity | None:
        """Whose app password this is, where it comes without a name (`Authorization: Bearer`)."""
        now = clock.now()
        key = self._credentials.key("\0", typed) if _is_text(typed) else b""
        verified = self._credentials.get(key)
        if verified is None or not self._holds(verified, now):
            self._credentials.forget(key)
            verified = self._by_token(None, typed, now)
            if verified is None:
                return None
            self._credentials.remember(key, verified)
        self._uses.note(verified.identity, address, client, now)
        return verified.identity

    def identity_of(self, name: str) -> Identity | None:
        """The account itself, unlimited, as somebody else has verified it; None where it may not log in."""
        with self._store.read() as tx:
            account = administration.found(tx, name)
            return None if account is None or account.disabled else _identity(tx, account)

    def generation_of(self, account: int) -> int | None:
        """The number under which whatever was verified of an account holds; None where it may not log in."""
        with self._store.read(one=True) as tx:
            row = tx.first(rows.GENERATION, account_id=account)
        return None if row is None else int(row[0])

    # --- what is verified ---------------------------------------------------------------------------------------------

    def _holds(self, verified: Verified, now: int) -> bool:
        if verified.expires is not None and now >= verified.expires:
            return False
        with self._store.read(one=True) as tx:
            row = tx.first(rows.GENERATION, account_id=verified.identity.account)
        return row is not None and row[0] == verified.generation

    def _verified(self, login: str, password: str, address: str, now: int) -> Verified | None:
        verified = self._by_token(login, password, now)
        if verified is not None:
            return verified if verified.generation else None
        if self.policy.dav_main_password == "no":
            # Nobody's is taken, so the answer tells nothing, need cost nothing, and is no guess: counted as one, a
            # phone that keeps on trying would close the sign-in page to its owner.
            return None
        verified = self._by_main(login, password, address, now)
        if verified is None:
            return None
        if self.policy.second_step and self._has_second_step(verified.identity):
            # Otherwise the password alone would open what the second step is there to keep closed.
            _log.info("accounts: %r has a second step: devices need app passwords", verified.identity.name)
            return None
        if self.policy.dav_main_password == "yes":
            return verified
        if any(token.works(now) for token in self.tokens(verified.identity.name)):
            _log.info("accounts: %r has app passwords: the main one is for the web only", verified.identity.name)
            return None
        return verified

    def _has_second_step(self, identity: Identity) -> bool:
        with self._store.read() as tx:
            return tx.first(rows.SECOND_STEP, account_id=identity.account) is not None

    def _by_token(self, login: str | None, typed: str, now: int) -> Verified | None:
        """What an app password opens; None where it is none, generation 0 where it is one that is void."""
        secret = tokens.read(typed)
        if secret is None:
            return None
        with self._store.read() as tx:
            found = tx.first(rows.TOKEN, token=secret.prefix)
            if found is None or not hmac.compare_digest(found[-1], secret.hashed(self._key)):
                return None
            token = rows.token_of(found)
            row = tx.first(rows.BY_ID, account_id=token.account)
            if row is None:
                return None
            account = rows.account_of(row)
            refusal = _refusal(account, token, login, now)
            if not refusal:
                return Verified(_identity(tx, account, token), account.generation, token.expires)
        _log.info("accounts: app password %s (%s) of %r refused: %s", token.id, token.label, account.name, refusal)
        return None if login is None else _VOID

    def _by_main(self, login: str, password: str, address: str, now: int) -> Verified | None:
        standing = self.throttle.check(login, address)
        with self._store.read() as tx:
            account = administration.found(tx, login)
            stored = _stored(tx, account) if self._main is None else ""
        against = _against(account, stored) if self._main is None else None
        if against is None:
            self.throttle.check_again(standing, password)
        elif self.throttle.is_wrong(standing, password, against):
            return None
        turn.take()
        if self._main is None:
            good = self._own_password(account, password, stored)
        else:
            account, good = self._ask(self._main, login, password, address, account)
        if account is None or not good or account.disabled:
            self.throttle.failed(standing, account.name if account else "", address, password, against)
            if account is not None and tokens.is_mistyped(password):
                _log.info("accounts: %r logged in with what looks like an app password, mistyped", account.name)
            return None
        self.throttle.succeeded(standing)
        with self._store.read() as tx:
            identity = _identity(tx, account)
        expires = None if self._main is None else now + self.policy.remember
        return Verified(identity, account.generation, expires)

    def _ask(
        self, main: MainPasswords, login: str, password: str, address: str, account: Account | None
    ) -> tuple[Account | None, bool]:
        # A back end may tell Anna from anna; once there is an account, its name is the one that counts there.
        external = main.check(account.name if account is not None else login, password, address)
        if external is None:
            return account, False
        return self.ensure(external.name, groups=external.groups), True

    def _own_password(self, account: Account | None, password: str, stored: str) -> bool:
        cost = self.policy.argon2
        if account is None or not stored:
            passwords.verify_nobody(password, cost)
            return False
        if not passwords.verify(stored, password, cost):
            return False
        if passwords.needs_rehash(stored, cost):
            self._rehash(account, stored, password)
        return True

    def _rehash(self, account: Account, old: str, password: str) -> None:
        new = passwords.hashed(password, self.policy.argon2)
        try:
            with self._store.write() as tx:
                tx.run(rows.REHASH, account_id=account.id, old=old, new=new)
        except StoreError as error:
            _log.warning("accounts: the password of %r keeps its old hash: %s", account.name, error)


#: An app password that was presented whole, and opens nothing any more: no guess, so it is not counted as one.
_VOID: Final = Verified(Identity("", 0), 0)


def _stored(tx: Transaction, account: Account | None) -> str:
    """The hash of an account's own password; empty where there is none."""
    row = None if account is None else tx.first(rows.PASSWORD, account_id=account.id)
    return "" if row is None or row[0] is None else str(row[0])


def _against(account: Account | None, stored: str) -> str:
    """What a password was compared with, as is remembered: nothing that holds is refused once a closed account opens.

    A closed one refuses its own password like any other, also the second time: how long that takes tells nothing.
    """
    return f"{stored} closed" if account is not None and account.disabled else stored


def _is_text(typed: str) -> bool:
    try:
        typed.encode()
    except UnicodeEncodeError:
        return False
    return True


def _identity(tx: Transaction, account: Account, token: Token | None = None) -> Identity:
    member = groups.of(tx, account.id)
    if token is None:
        return Identity(account.name, account.id, role=account.role, groups=member)
    return Identity(account.name, account.id, token.id, token.label, token.scope, token.read_only, account.role, member)


def _refusal(account: Account, token: Token, login: str | None, now: int) -> str:
    """Why a token that was presented whole does not let this login in."""
    if account.disabled:
        return "the account is disabled"
    if login is not None and not administration.is_name(account, login):
        return f"it was used as {login[:50]!r}"
    if token.revoked:
        return "revoked"
    if not token.works(now):
        return "expired"
    return ""


__all__ = [
    "Account",
    "AccountExists",
    "Accounts",
    "BackendDown",
    "BadLabel",
    "BadRole",
    "External",
    "Identity",
    "MainPasswords",
    "NoSuchAccount",
    "NoSuchToken",
    "Policy",
    "Throttled",
    "Token",
    "TooManyChecks",
]
