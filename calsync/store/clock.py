"""The time that counts where several machines must agree on it: when a lock, a lease or a session ends.

Machines with one database go by its clock, as far as theirs differ from it by more than a message may take; without a
database on the network it is the machine's own. A clock that is set anew is noticed with the next connection.
"""

from __future__ import annotations

import logging
import time
from typing import Final

logger = logging.getLogger("calsync.store")

#: Seconds by which clocks may differ before it matters.
TOLERANCE: Final = 1.0
#: Seconds of difference of which an administrator should hear.
_TOLD: Final = 5.0

_ahead = 0.0


def now() -> int:
    """The instant, as all that use the store see it."""
    return int(time.time() + _ahead)


def compare(other: float, began: float, ended: float) -> None:
    """The database's clock said `other` at some time between `began` and `ended` of this machine's clock."""
    global _ahead
    ahead = other - (began + ended) / 2
    before, _ahead = _ahead, ahead if abs(ahead) > TOLERANCE + (ended - began) / 2 else 0.0
    if abs(_ahead) > _TOLD and abs(_ahead - before) > TOLERANCE:
        logger.warning(
            "this machine's clock is %.0f s %s the database's, which is the one that counts (is NTP running?)",
            abs(_ahead),
            "behind" if _ahead > 0 else "ahead of",
        )
