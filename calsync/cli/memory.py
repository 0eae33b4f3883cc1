"""What a process that runs for months does about memory. Measured: docs/benchmarks.md."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_M_ARENA_MAX: Final = -8  # malloc.h


def share_arena() -> None:
    """One arena for all threads, where the C library is glibc; before any thread is started.

    Python's threads run one at a time, so an arena each only keeps as many times what the largest answer took.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """Once all is loaded: the collector need not look at it again, and seldom at what a large answer is made of."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
