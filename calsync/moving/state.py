"""How far a move has come: a row of `meta` in the new store, written in the transactions that bring it further."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from calsync.store import meta, moved

if TYPE_CHECKING:
    from calsync.store.transaction import Transaction

#: Rows are copied; the indexes are there and the changes so far; nothing is missing.
COPYING: Final = "copying"
FOLLOWING: Final = "following"
WHOLE: Final = "whole"


@dataclass(slots=True)
class Arriving:
    """`id`: the move's name. `tables`: table → the last key that was copied, as JSON; empty text once all were.

    `indexes`: name → what makes it, of those that were put away while rows are copied.
    """

    id: str
    source: str
    phase: str = COPYING
    tables: dict[str, str] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, tx: Transaction) -> Arriving | None:
        """What is noted in a store; None where nothing is on its way to it."""
        stored = meta.get(tx, moved.ARRIVING)
        return None if stored is None else cls(**json.loads(stored))

    def write(self, tx: Transaction) -> None:
        """Note it."""
        meta.put(tx, moved.ARRIVING, json.dumps(asdict(self)).encode())
