"""A store on hold: clients are asked to come back later, until an administrator agrees that they see what is there.

A client that is told a list takes it for the whole, and deletes what is not on it. So a store of which something is
missing does not answer at all at first.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Final

from calsync.store import meta
from calsync.store.engine import Store
from calsync.store.transaction import Transaction

KEY: Final = "hold"
#: Seconds after which a client is to ask again.
RETRY: Final = 300
_FRESH: Final = 1.0  # seconds for which an answer is believed


def hold(tx: Transaction, reason: str) -> None:
    """From now on."""
    meta.put(tx, KEY, json.dumps({"since": int(time.time()), "reason": reason}).encode())


def release(tx: Transaction) -> str | None:
    """No longer; the reason that there was, None where it was not on hold."""
    reason = reason_of(tx)
    meta.remove(tx, KEY)
    return reason


def reason_of(tx: Transaction) -> str | None:
    """Why the store is on hold; None where it is not."""
    stored = meta.get(tx, KEY)
    return None if stored is None else str(json.loads(stored)["reason"])


@dataclass(slots=True)
class Held:
    """Whether a store is on hold, asked with every request and read once a second."""

    store: Store
    _reason: str | None = None
    _until: float = 0.0

    @property
    def reason(self) -> str | None:
        now = time.monotonic()
        if now >= self._until:
            with self.store.read(one=True) as tx:
                self._reason = reason_of(tx)
            self._until = now + _FRESH
        return self._reason
