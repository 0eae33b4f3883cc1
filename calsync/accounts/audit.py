"""The audit trail: who signed in, failed, made and revoked tokens, changed passwords and rights, took data out.

Rows are appended in the transaction that does what they tell, and never changed, but that a user who is removed with
all data is no longer named in them; `purge` removes what is older than the retention asks for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, delete, insert, or_, select, update

from calsync.accounts import rows
from calsync.store.names import folded
from calsync.store.schema import audit
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction


class Entry(NamedTuple):
    """`at`: an instant. `account`: whom it concerns, `actor`: who did it. `detail`: facts by name, never a secret."""

    id: int
    at: int
    action: str
    account: str
    actor: str
    address: str
    client: str
    detail: dict[str, Any]


_PAGE: Final = 200

_FACTS: Final = [column.name for column in audit.c if column.name != "id"]
_INSERT: Final = Prepared(insert(audit).values({name: bindparam(name) for name in _FACTS}))
_LISTING: Final = Prepared(
    select(*audit.c)
    .where(
        audit.c.id < bindparam("before"),
        audit.c.at >= bindparam("since"),
        or_(bindparam("every") == 1, audit.c.account == bindparam("name")),
    )
    .order_by(audit.c.id.desc())
    .limit(bindparam("limit"))
)
_FORGET: Final = (
    Prepared(
        update(audit)
        .where(audit.c.account == bindparam("name"), audit.c.id < bindparam("upto"))
        .values(account=bindparam("gone"), address="", client="", detail="{}")
    ),
    Prepared(
        update(audit)
        .where(audit.c.actor == bindparam("name"), audit.c.id < bindparam("upto"))
        .values(actor=bindparam("gone"))
    ),
)
_RENAMED: Final = Prepared(
    select(audit.c.id, audit.c.detail)
    .where(audit.c.account == bindparam("name"), audit.c.action == "user-renamed", audit.c.id < bindparam("upto"))
    .order_by(audit.c.id.desc())
    .limit(1)
)
_PURGE: Final = Prepared(delete(audit).where(audit.c.at < bindparam("before")))

#: Characters of what a client calls itself that are kept.
_CLIENT: Final = 200

#: Address and client of the request that this thread answers; empty in commands and in threads of their own.
_ASKED: Final[ContextVar[tuple[str, str]]] = ContextVar("calsync_asked", default=("", ""))


@contextmanager
def asked(address: str, client: str) -> Iterator[None]:
    """What is noted inside is done for a request from there, and says so."""
    before = _ASKED.set((address, client[:_CLIENT]))
    try:
        yield
    finally:
        _ASKED.reset(before)


def note(
    tx: Transaction,
    action: str,
    *,
    account: str = "",
    actor: str = "",
    address: str = "",
    client: str = "",
    **detail: Any,
) -> None:
    """Append an entry: `note(tx, "token-added", account="anna", actor="anna", token="k3m70w", scope="calendars")`.

    Without an address it is that of the request at hand, if any (`asked`).
    """
    if not address:
        address, client = _ASKED.get()[0], client or _ASKED.get()[1]
    tx.run(
        _INSERT,
        at=int(time.time()),
        action=action,
        account=account,
        actor=actor or tx.actor,
        address=address,
        client=client,
        detail=json.dumps(detail),
    )


def listing(
    tx: Transaction, *, account: str | None = None, since: int = 0, before: int = 2**62, limit: int = _PAGE
) -> list[Entry]:
    """The entries with an id below `before`, the newest first: of one account, or of all."""
    rows = tx.all(_LISTING, every=int(account is None), name=account or "", since=since, before=before, limit=limit)
    return [Entry._make((*row[:-1], json.loads(row[-1]))) for row in rows]


def chosen(
    tx: Transaction, *, account: str | None = None, since: int = 0, actions: Sequence[str] | None = None, limit: int
) -> list[Entry]:
    """The newest entries, the newest first: of an account in whatever case, and of some actions only.

    What an account did under a former name is its own, too.
    """
    if account is None:
        return _listed(tx, None, 2**62, since, actions, limit)
    row = tx.first(rows.BY_NAME, name_key=folded(account))
    account = account if row is None else rows.account_of(row).name
    told: list[Entry] = []
    for name, upto in _names(tx, account):
        told += _listed(tx, name, upto, since, actions, limit)
    return sorted(told, key=lambda entry: -entry.id)[:limit]


def _listed(
    tx: Transaction, account: str | None, before: int, since: int, actions: Sequence[str] | None, limit: int
) -> list[Entry]:
    found: list[Entry] = []
    while len(found) < limit:
        page = listing(tx, account=account, since=since, before=before)
        found += [entry for entry in page if not actions or entry.action in actions]
        if len(page) < _PAGE:
            break
        before = page[-1].id
    return found[:limit]


def _names(tx: Transaction, name: str) -> list[tuple[str, int]]:
    """The names that an account had, the newest first, each with the entry from which on it had another one."""
    found = [(name, 2**62)]
    while (row := tx.first(_RENAMED, name=found[-1][0], upto=found[-1][1])) is not None:
        found.append((str(json.loads(row[1]).get("before", "")), int(row[0])))
    return found


def purge(tx: Transaction, before: int) -> int:
    """Remove what is older than an instant; how many entries that were."""
    return tx.run(_PURGE, before=before)


#: In place of the name of somebody who was removed with all data.
GONE: Final = "(removed)"


def forget(tx: Transaction, name: str) -> None:
    """Take a name, and those that its bearer had before, out of the trail, with addresses and facts of the entries."""
    for one, upto in _names(tx, name):
        for statement in _FORGET:
            tx.run(statement, name=one, upto=upto, gone=GONE)
