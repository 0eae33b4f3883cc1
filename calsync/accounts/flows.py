"""Apps that ask to be let in, and wait while their owner signs in elsewhere (Nextcloud's login flow v2).

The app gets two tokens: one goes into the address of the page that a person opens, with the other it asks again and
again. Whoever asks has not signed in, so nothing is written for them: the first token says itself which app waits since
when, under our signature, and the second follows from it under a key of ours. Only an answer is written. Granting notes
who agreed and to what; the app password itself is made at the moment when the app fetches it, so it lies nowhere,
sealed or not, and an app that never comes back leaves none behind.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import bindparam, delete, insert, null, select, update

from calsync.accounts.throttle import network
from calsync.store import clock
from calsync.store.engine import Store
from calsync.store.schema import account, login_flow
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

#: Seconds that an app waits.
LASTS: Final = 20 * 60

_NONCE: Final = 16
_SIGNATURE: Final = 16
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Flow:
    """An app that waits. `client` is what it called itself, `address` where it asked from."""

    id: bytes
    poll: bytes
    created: int
    expires: int
    client: str
    address: str
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """Who let an app in, and what to: `wanted` is what the page noted."""

    name: str
    wanted: Mapping[str, Any]


_INSERT: Final = Prepared(insert(login_flow))
_PURGE: Final = Prepared(delete(login_flow).where(login_flow.c.expires <= bindparam("now")))
_ANSWERED: Final = Prepared(select(login_flow.c.id).where(login_flow.c.id == bindparam("flow")))
_FETCHED: Final = Prepared(
    update(login_flow)
    .where(login_flow.c.id == bindparam("flow"))
    .values(account=null(), generation=null(), granted=null())
)
_POLL: Final = Prepared(
    select(login_flow.c.id, account.c.name, login_flow.c.granted)
    .join_from(login_flow, account, login_flow.c.account == account.c.id)
    .where(
        login_flow.c.poll == bindparam("polled"),
        login_flow.c.expires > bindparam("now"),
        account.c.disabled == 0,
        account.c.generation == login_flow.c.generation,
    )
)
_GENERATION: Final = Prepared(select(account.c.generation).where(account.c.id == bindparam("by")))

_Made = TypeVar("_Made")


class Flows:
    """The waiting apps of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = store.secret("login-flow")

    def begin(self, client: str, address: str) -> tuple[str, str]:
        """A new app waits: the token of the page, and the one to ask with."""
        nonce = secrets.token_bytes(_NONCE)
        said = json.dumps([clock.now(), client[:120], network(address)], separators=(",", ":")).encode()
        return _text(self._mac("page", nonce + said)[:_SIGNATURE] + nonce + said), self._asking(nonce)

    def find(self, page: str) -> Flow | None:
        """The app that waits for this page."""
        octets = _octets(page)
        signature, signed = octets[:_SIGNATURE], octets[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._mac("page", signed)[:_SIGNATURE]):
            return None
        nonce = signed[:_NONCE]
        created, client, address = json.loads(signed[_NONCE:])
        if created + LASTS <= clock.now():
            return None
        id_, poll = self._mac("flow", nonce), self._mac("poll", self._asking(nonce).encode())
        with self._store.read() as tx:
            answered = tx.first(_ANSWERED, flow=id_) is not None
        return Flow(id_, poll, created, created + LASTS, client, address, answered)

    def grant(self, flow: Flow, account: int, wanted: Mapping[str, Any]) -> bool:
        """Let it in; False where it does not wait any more."""
        with self._store.write() as tx:
            row = tx.first(_GENERATION, by=account)
            return row is not None and _answer(tx, flow, account, row[0], json.dumps(dict(wanted)))

    def refuse(self, flow: Flow) -> None:
        """Turn it away: it will not be told anything else than before, until it gives up."""
        with self._store.write() as tx:
            _answer(tx, flow, None, None, None)

    def fetch(self, poll: str, make: Callable[[Transaction, Grant], _Made]) -> _Made | None:
        """What `make` makes for an app that was let in, this once; None where it was not, or not yet.

        It is made in the transaction that forgets the flow: two askers never get one each.
        """
        if len(poll) > 200:
            return None
        values = {"polled": self._mac("poll", poll.encode()), "now": clock.now()}
        with self._store.read() as tx:
            if tx.first(_POLL, **values) is None:
                return None
        with self._store.write() as tx:
            row = tx.first(_POLL, **values)
            if row is None:
                return None
            id_, name, granted = row
            # The page must not be answered once more: the row stays, and says nothing.
            tx.run(_FETCHED, flow=id_)
            return make(tx, Grant(name, json.loads(granted)))

    def _asking(self, nonce: bytes) -> str:
        """What the app asks with."""
        return _text(self._mac("asking", nonce))

    def _mac(self, kind: str, octets: bytes) -> bytes:
        return hmac.digest(self._key, kind.encode() + b" " + octets, hashlib.sha256)


def _answer(tx: Transaction, flow: Flow, account: int | None, generation: int | None, wanted: str | None) -> bool:
    """Write down what was answered, once; whether this was the first answer, in time."""
    now = clock.now()
    tx.run(_PURGE, now=now)
    if flow.expires <= now or tx.first(_ANSWERED, flow=flow.id) is not None:
        return False
    tx.run(
        _INSERT,
        id=flow.id,
        poll=flow.poll,
        created=flow.created,
        expires=flow.expires,
        client=flow.client,
        address=flow.address,
        account=account,
        generation=generation,
        granted=wanted,
    )
    return True


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    """The same backwards; empty for what is no such text."""
    if len(text) > _LONGEST or not text.isascii():
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
