"""Where a store went: what a move writes into `meta`, and what everybody who opens a store makes of it.

In the store that is left: `moving` while it is copied, and `moved-to`, at first empty (the switch is near: it is asked
for with every transaction from then on), then where everything is now. In the new one: `arriving` as long as it is not
whole, then `arrived`, the names of the moves that led to it. A move ends with the one transaction that writes the
address into the old store; before it only the old one counts, after it only the new one.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from calsync.store import meta
from calsync.store.errors import StoreError

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

MOVING: Final = "moving"
MOVED: Final = "moved-to"
ARRIVING: Final = "arriving"
ARRIVED: Final = "arrived"

#: What of `meta` belongs to one store and does not go with the rest.
OWN: Final = (MOVING, MOVED, ARRIVING)

#: Seconds for which it is believed that a store was not moved.
FRESH: Final = 1.0


@dataclass(frozen=True, slots=True)
class Move:
    """`id`: a random name. `to`: the URL. `since`: when it was begun; of `moved-to`, when it ended."""

    id: str
    to: str
    since: int

    def encoded(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decoded(cls, value: bytes | None) -> Move | None:
        return cls(**json.loads(value)) if value else None


def begun(tx: Transaction) -> Move | None:
    """The move from here that is under way."""
    return Move.decoded(meta.get(tx, MOVING))


def ended(tx: Transaction) -> Move | None:
    """The move that led away from here."""
    return Move.decoded(meta.get(tx, MOVED))


def leave(tx: Transaction, move: Move) -> None:
    """From this commit on everything is at `move.to`."""
    meta.put(tx, MOVED, Move(move.id, move.to, int(time.time())).encoded())
    meta.remove(tx, MOVING)


def arrive(tx: Transaction, move: Move) -> bool:
    """In the new store: everything is there. False where it is not, or where it is another store."""
    arrived: list[str] = json.loads(meta.get(tx, ARRIVED) or b"[]")
    if move.id in arrived:
        return True
    stored = meta.get(tx, ARRIVING)
    state = json.loads(stored) if stored else {}
    if state.get("id") != move.id or state.get("phase") != "whole":
        return False
    meta.put(tx, ARRIVED, json.dumps([*arrived, move.id]).encode())
    meta.remove(tx, ARRIVING)
    return True


def check(tx: Transaction, place: str) -> None:
    """Raise `StoreError` where a store is only half made."""
    if meta.get(tx, ARRIVING) is not None:
        raise StoreError(
            f"store: {place}: half made, a move to it was broken off or goes on "
            "(calsync migrate-store FROM TO, the same again, continues it)"
        )
