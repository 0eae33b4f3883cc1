"""Write locks (RFC 4918 §6, §7), tied to URLs: they outlive what stands there, and may come before it.

A URL is a path below the owner's home (`url_of`). A lock counts until it expires; expired ones are never seen, and the
next lock of the same owner removes their rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy import delete as delete_from

from calsync.store.principals import lock_owner
from calsync.store.schema import lock
from calsync.store.statement import Prepared, each
from calsync.webdav.urls import encode_segment

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Lock:
    """`owner`: in whose home. `scope`: `exclusive`, `shared`. `depth`: `0`, `infinity`. `description`: XML.

    `principal`: who holds it, 0 for anonymous. `expires`, `created`: instants.
    """

    owner: int
    token: str
    url: str
    scope: str
    depth: str
    description: str
    principal: int
    expires: int
    created: int


_ALIVE: Final = (lock.c.owner == bindparam("owner"), lock.c.expires > bindparam("now"))
# `0` is the character that follows `/`.
_INSIDE: Final = (lock.c.url > bindparam("least"), lock.c.url < bindparam("beyond"))
_NAMED: Final = Prepared(
    select(*lock.c).where(*_ALIVE, lock.c.url.in_(each("urls"))).order_by(lock.c.url, lock.c.created, lock.c.token)
)
_BELOW: Final = Prepared(select(*lock.c).where(*_ALIVE, *_INSIDE).order_by(lock.c.url, lock.c.created, lock.c.token))
_GET: Final = Prepared(select(*lock.c).where(*_ALIVE, lock.c.token == bindparam("token")))
_COUNT: Final = Prepared(
    select(func.count())
    .select_from(lock)
    .where(lock.c.owner == bindparam("owner"), lock.c.principal == bindparam("principal"))
)
_INSERT: Final = Prepared(insert(lock))
_THIS: Final = (lock.c.owner == bindparam("owner"), lock.c.token == bindparam("token"))
_EXTEND: Final = Prepared(update(lock).where(*_THIS).values(expires=bindparam("expires")))
_REMOVE: Final = Prepared(delete_from(lock).where(*_THIS))
_REMOVE_AT: Final = Prepared(
    delete_from(lock).where(lock.c.owner == bindparam("owner"), lock.c.url == bindparam("url"))
)
_REMOVE_BELOW: Final = Prepared(delete_from(lock).where(lock.c.owner == bindparam("owner"), *_INSIDE))
_REMOVE_EXPIRED: Final = Prepared(
    delete_from(lock).where(lock.c.owner == bindparam("owner"), lock.c.expires <= bindparam("now"))
)


def url_of(path: Sequence[str]) -> str:
    """The names below a home as one URL: encoded, no slash at its ends."""
    return "/".join(map(encode_segment, path))


def upwards(url: str) -> list[str]:
    """A URL and those above it in the home, the outermost first."""
    parts = url.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def around(tx: Transaction, owner: int, url: str, now: int) -> list[Lock]:
    """The locks on a URL and on the collections above it, the outermost first."""
    return [Lock(*row) for row in tx.all(_NAMED, owner=owner, now=now, urls=json.dumps(upwards(url)))]


def below(tx: Transaction, owner: int, url: str, now: int) -> list[Lock]:
    """The locks on what lies below a URL."""
    return [Lock(*row) for row in tx.all(_BELOW, owner=owner, now=now, least=url + "/", beyond=url + "0")]


def get(tx: Transaction, owner: int, token: str, now: int) -> Lock | None:
    """The lock with this token."""
    row = tx.first(_GET, owner=owner, token=token, now=now)
    return None if row is None else Lock(*row)


def count(tx: Transaction, owner: int, principal: int) -> int:
    """How many locks somebody holds in a home."""
    row = tx.first(_COUNT, owner=owner, principal=principal)
    return 0 if row is None else int(row[0])


def forget_expired(tx: Transaction, owner: int, now: int) -> None:
    """Remove the rows of locks that count no more."""
    lock_owner(tx, owner)
    tx.run(_REMOVE_EXPIRED, owner=owner, now=now)


def add(tx: Transaction, one: Lock) -> None:
    """Write a new lock; whether it is in conflict with others is for the caller to see."""
    lock_owner(tx, one.owner)
    tx.run(_INSERT, **{name: getattr(one, name) for name in Lock.__slots__})


def extend(tx: Transaction, one: Lock, expires: int) -> None:
    """Let a lock count until another instant."""
    lock_owner(tx, one.owner)
    tx.run(_EXTEND, owner=one.owner, token=one.token, expires=expires)


def remove(tx: Transaction, one: Lock) -> None:
    """Remove a lock."""
    lock_owner(tx, one.owner)
    tx.run(_REMOVE, owner=one.owner, token=one.token)


def remove_at(tx: Transaction, owner: int, url: str) -> None:
    """Remove the locks on a URL."""
    lock_owner(tx, owner)
    tx.run(_REMOVE_AT, owner=owner, url=url)


def remove_below(tx: Transaction, owner: int, url: str) -> None:
    """Remove the locks on what lies below a URL."""
    lock_owner(tx, owner)
    tx.run(_REMOVE_BELOW, owner=owner, least=url + "/", beyond=url + "0")
