"""The audit trail: who signed in, failed, made and revoked tokens, changed passwords and rights, took data out.

Rows are appended in the transaction that does what they tell, and never changed; `purge` removes what is older than
the retention asks for.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, delete, insert, or_, select

from calsync.store.schema import audit
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Transaction


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
_PURGE: Final = Prepared(delete(audit).where(audit.c.at < bindparam("before")))


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
    """Append an entry: `note(tx, "token-added", account="anna", actor="anna", token="k3m70w", scope="calendars")`."""
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
    tx: Transaction, *, account: str | None = None, since: int = 0, before: int = 2**62, limit: int = 200
) -> list[Entry]:
    """The entries with an id below `before`, the newest first: of one account, or of all."""
    rows = tx.all(_LISTING, every=int(account is None), name=account or "", since=since, before=before, limit=limit)
    return [Entry._make((*row[:-1], json.loads(row[-1]))) for row in rows]


def purge(tx: Transaction, before: int) -> int:
    """Remove what is older than an instant; how many entries that were."""
    return tx.run(_PURGE, before=before)
