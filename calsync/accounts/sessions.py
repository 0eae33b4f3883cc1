"""Who is signed in to the web: one row a browser, found by a keyed hash of what its cookie holds.

A session belongs to its account's generation, which is read with it: a changed password or a disabled account ends it
in every process at once. It also ends when it was not used for a while, and after its longest time however much it was.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from calsync.store import clock
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.schema import account, web_session
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

#: Seconds that a session may lie unused, and that it lasts at most.
IDLE: Final = 86_400
LONGEST: Final = 30 * 86_400

#: Sessions an account may have; the one used least recently gives way.
MOST: Final = 50

#: Seconds between two notes of a session's last use.
NOTED: Final = 60

_log: Final = logging.getLogger("calsync.accounts")


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in, and whose it is.

    `id` is the hash by which it is kept. Instants are UTC seconds. `data`: small facts of the pages.
    """

    id: bytes
    account: int
    name: str
    displayname: str
    email: str
    role: str
    has_password: bool
    created: int
    expires: int
    last_used: int
    address: str
    client: str
    data: Mapping[str, Any]


_COLUMNS: Final = (
    web_session.c.id,
    web_session.c.account,
    account.c.name,
    account.c.displayname,
    account.c.email,
    account.c.role,
    account.c.password.is_not(None),
    web_session.c.created,
    web_session.c.expires,
    web_session.c.last_used,
    web_session.c.address,
    web_session.c.client,
    web_session.c.data,
)
_LIVING: Final = (
    select(*_COLUMNS)
    .join_from(web_session, account, web_session.c.account == account.c.id)
    .where(
        account.c.disabled == 0,
        account.c.generation == web_session.c.generation,
        web_session.c.expires > bindparam("now"),
        web_session.c.last_used > bindparam("idle_since"),
    )
)
_FIND: Final = Prepared(_LIVING.where(web_session.c.id == bindparam("session")))
_OF: Final = Prepared(
    _LIVING.where(web_session.c.account == bindparam("of_account")).order_by(
        web_session.c.last_used.desc(), web_session.c.id
    )
)
_GENERATION: Final = Prepared(
    select(account.c.generation).where(account.c.id == bindparam("account_id"), account.c.disabled == 0)
)
_INSERT: Final = Prepared(insert(web_session))
_END: Final = Prepared(delete(web_session).where(web_session.c.id == bindparam("session")))
_END_ONE_OF: Final = Prepared(
    delete(web_session).where(
        web_session.c.id == bindparam("session"), web_session.c.account == bindparam("of_account")
    )
)
_END_OTHERS: Final = Prepared(
    delete(web_session).where(
        web_session.c.account == bindparam("of_account"), web_session.c.id != bindparam("session")
    )
)
_END_OVER: Final = Prepared(
    delete(web_session).where(
        web_session.c.account == bindparam("of_account"),
        web_session.c.last_used <= bindparam("idle_since"),
    )
)
_ALL_OF: Final = Prepared(
    select(web_session.c.id)
    .where(web_session.c.account == bindparam("of_account"))
    .order_by(web_session.c.last_used.desc(), web_session.c.id)
)
_COUNT: Final = Prepared(select(func.count()).where(web_session.c.account == bindparam("of_account")))
_PURGE: Final = Prepared(delete(web_session).where(web_session.c.expires <= bindparam("now")))
_USED: Final = Prepared(
    update(web_session)
    .where(web_session.c.id == bindparam("session"))
    .values(last_used=bindparam("at"), address=bindparam("from_address"))
)
_KEEP: Final = Prepared(
    update(web_session).where(web_session.c.id == bindparam("session")).values(data=bindparam("facts"))
)
_FOLLOW: Final = Prepared(
    update(web_session)
    .where(web_session.c.account == bindparam("of_account"), web_session.c.generation == bindparam("before"))
    .values(generation=bindparam("after"))
)


class Sessions:
    """The sessions of a store. `idle` and `longest` are seconds."""

    def __init__(self, store: Store, *, idle: int = IDLE, longest: int = LONGEST) -> None:
        self._store = store
        self._key = store.secret("web-session")
        self._idle = idle
        self._longest = longest

    def begin(
        self,
        account: int,
        *,
        address: str = "",
        client: str = "",
        longest: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> str:
        """A new session; what its cookie is to hold, empty where the account is gone or disabled by now."""
        secret = secrets.token_urlsafe(32)
        now = clock.now()
        with self._store.write() as tx:
            row = tx.first(_GENERATION, account_id=account)
            if row is None:
                return ""
            self._make_room(tx, account, now)
            tx.run(
                _INSERT,
                id=self._hashed(secret),
                account=account,
                generation=row[0],
                created=now,
                expires=now + (self._longest if longest is None else longest),
                last_used=now,
                address=address,
                client=client[:200],
                data=json.dumps(dict(data or {})),
            )
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of a cookie, if it still holds. One row."""
        if not 20 <= len(secret) <= 100 or not secret.isascii():
            return None
        now = clock.now()
        with self._store.read() as tx:
            row = tx.first(_FIND, session=self._hashed(secret), now=now, idle_since=now - self._idle)
        return None if row is None else _session(row)

    def of(self, account: int) -> list[Session]:
        """The sessions of an account that hold, the one used last first."""
        now = clock.now()
        with self._store.read() as tx:
            return [_session(row) for row in tx.all(_OF, of_account=account, now=now, idle_since=now - self._idle)]

    def used(self, session: Session, address: str) -> None:
        """Note that it was used just now, where the last note is old; a hint for people, and what idleness counts."""
        now = clock.now()
        if now - session.last_used < NOTED and session.address == address:
            return
        try:
            with self._store.write() as tx:
                tx.run(_USED, session=session.id, at=now, from_address=address)
        except StoreError as error:
            _log.warning("accounts: the last use of a web session was not written: %s", error)

    def keep(self, session: Session, data: Mapping[str, Any]) -> None:
        """Replace the small facts of a session."""
        with self._store.write() as tx:
            tx.run(_KEEP, session=session.id, facts=json.dumps(dict(data)))

    def end(self, session: Session) -> None:
        """Sign out."""
        with self._store.write() as tx:
            tx.run(_END, session=session.id)

    def end_one(self, account: int, id: bytes) -> bool:
        """Sign another browser of the account out; whether there was such a one."""
        with self._store.write() as tx:
            return tx.run(_END_ONE_OF, session=id, of_account=account) > 0

    def end_others(self, session: Session) -> int:
        """Sign out everywhere else; how many sessions that were."""
        with self._store.write() as tx:
            return tx.run(_END_OTHERS, of_account=session.account, session=session.id)

    def follow(self, tx: Transaction, account: int, before: int) -> None:
        """Let the sessions of generation `before` live on after a change that ends none of them.

        Revoking an app password makes every verified login of the account be asked anew; whoever is signed in to the
        web stays so.
        """
        row = tx.first(_GENERATION, account_id=account)
        if row is not None and row[0] != before:
            tx.run(_FOLLOW, of_account=account, before=before, after=row[0])

    def _make_room(self, tx: Transaction, account: int, now: int) -> None:
        tx.run(_PURGE, now=now)
        tx.run(_END_OVER, of_account=account, idle_since=now - self._idle)
        row = tx.first(_COUNT, of_account=account)
        if row is not None and row[0] >= MOST:
            for (id_,) in tx.all(_ALL_OF, of_account=account)[MOST - 1 :]:
                tx.run(_END, session=id_)

    def _hashed(self, secret: str) -> bytes:
        return hmac.digest(self._key, secret.encode(), hashlib.sha256)


def _session(row: tuple[Any, ...]) -> Session:
    id_, account_id, name, displayname, email, role, has_password, *times, address, client, data = row
    created, expires, last_used = times
    return Session(
        bytes(id_),
        account_id,
        name,
        displayname,
        email,
        role,
        bool(has_password),
        created,
        expires,
        last_used,
        address,
        client,
        json.loads(data),
    )
