"""What long runs measured, for the summary at the end of `make soak` (and docs/reliability.md)."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence

FIGURES: list[tuple[str, str]] = []


def note(what: str, value: object) -> None:
    """Keep a figure."""
    FIGURES.append((what, str(value)))


def minutes(share: float) -> float:
    """Seconds that a long test may take: its share of `CALSYNC_SOAK_MINUTES` (20 by default)."""
    return share * 60 * float(os.environ.get("CALSYNC_SOAK_MINUTES", "20"))


def spread(seconds: Sequence[float]) -> str:
    """Median and 95th percentile in milliseconds."""
    if len(seconds) < 2:
        return "too few to say"
    cuts = statistics.quantiles(seconds, n=20)
    return f"p50 {statistics.median(seconds) * 1000:.1f} ms, p95 {cuts[-1] * 1000:.1f} ms of {len(seconds)}"
