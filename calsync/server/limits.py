"""How much of everything a client may take."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

KIBI = 1024
MEBI = 1024 * KIBI


class Options(Protocol):
    """What is read of a configuration."""

    def get(self, section: str, option: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds (0: no bound), sizes in octets (`body` 0: no bound)."""

    timeout: float = 30.0
    """For a whole head; for a body or an answer: without any octet moving."""
    body_rate: int = KIBI
    """Octets a second that a body must bring on average, once `4 * timeout` is over."""
    idle: float = 75.0
    """How long a connection may wait for its next request."""
    body: int = 100_000_000
    head: int = 64 * KIBI
    target: int = 16 * KIBI
    headers: int = 200
    connections: int = 1000
    streams: int = 32
    """Requests at a time on one HTTP/2 connection."""
    threads: int = 4
    spool_memory: int = MEBI
    """A body over this goes on to an unnamed file."""
    spool_total: int = 1024 * MEBI
    """All bodies that are on their way or being answered, together."""
    batch: int = 128 * KIBI
    """An answer is taken from the application in pieces of about this size."""
    stop: float = 10.0
    """How long requests in flight may take to end when the server stops."""

    @classmethod
    def from_options(cls, options: Options) -> Limits:
        body = int(options.get("server", "max_content_length"))
        return cls(
            timeout=float(options.get("server", "timeout")),
            idle=float(options.get("limits", "idle_timeout")),
            body=body,
            connections=max(1, int(options.get("limits", "connections"))),
            threads=int(options.get("limits", "threads")) or default_threads(),
            spool_total=max(int(options.get("limits", "spool")), 2 * body),
            stop=float(options.get("limits", "stop_timeout")),
        )


def default_threads() -> int:
    return min(8, 2 * (os.cpu_count() or 1) + 2)
