"""Who does a work, when it was last done, and how that went: a row of `lease`, and in `meta` what is for people."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, update

from calsync.store import meta
from calsync.store.schema import lease
from calsync.store.statement import Prepared

if TYPE_CHECKING:
    from calsync.store.engine import Store
    from calsync.store.transaction import Transaction

#: Seconds for which a work is taken. Its holder renews it; of one that died the next takes it over after that.
LASTS: Final = 900

_ALL: Final = Prepared(select(lease.c.name, lease.c.holder, lease.c.until, lease.c.done))
_GET: Final = Prepared(select(lease.c.holder, lease.c.until).where(lease.c.name == bindparam("work")))
_INSERT: Final = Prepared(insert(lease))
_TAKE: Final = Prepared(
    update(lease).where(lease.c.name == bindparam("work")).values(holder=bindparam("who"), until=bindparam("to"))
)
_END: Final = Prepared(
    update(lease)
    .where(lease.c.name == bindparam("work"), lease.c.holder == bindparam("who"))
    .values(until=0, done=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class State:
    """`until`: to when somebody has it, 0 for nobody. `done`: when it was last done or tried, 0 for never.

    `failures`: since it last went well; `error`: the last one, in words. `count`: what it did, last.
    """

    holder: str = ""
    until: int = 0
    done: int = 0
    failures: int = 0
    error: str = ""
    count: int = 0


def holder() -> str:
    """A name for this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def states(tx: Transaction) -> dict[str, State]:
    """Of each work that was ever taken."""
    return {name: State(who, until, done, **_told(tx, name)) for name, who, until, done in tx.all(_ALL)}


def take(store: Store, name: str, who: str, now: int) -> bool:
    """Take a work, or renew it; False where somebody else has it."""
    with store.write() as tx:
        row = tx.first(_GET, work=name)
        # One that ends later than any can was taken while the clock stood in the future.
        if row is not None and row[0] != who and now < row[1] <= now + LASTS:
            return False
        if row is None:
            tx.run(_INSERT, name=name, holder=who, until=now + LASTS, done=0)
        else:
            tx.run(_TAKE, work=name, who=who, to=now + LASTS)
    return True


def end(store: Store, name: str, who: str, now: int, *, count: int = 0, error: str = "") -> State:
    """Give it back, and note how it went."""
    with store.write() as tx:
        failures = _told(tx, name)["failures"] + 1 if error else 0
        state = State(who, 0, now, failures, error, count)
        if tx.run(_END, work=name, who=who, at=now):
            facts = asdict(state)
            told = {key: facts[key] for key in ("failures", "error", "count")}
            meta.put(tx, f"job:{name}", json.dumps(told).encode())
    return state


def _told(tx: Transaction, name: str) -> dict[str, Any]:
    stored = meta.get(tx, f"job:{name}")
    found: dict[str, Any] = {"failures": 0, "error": "", "count": 0}
    return found if stored is None else found | json.loads(stored)
