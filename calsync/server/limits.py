"""How much of everything a client may take."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

KIBI = 1024
MEBI = 1024 * KIBI
NEVER = float("inf")


class Options(Protocol):
    """What is read of a configuration."""

    def get(self, section: str, option: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds (0: no bound), sizes in octets (`body` 0: no bound)."""

    timeout: float = 30.0
    """For an answer of which the client takes nothing."""
    head_timeout: float = 30.0
    """For a whole head, from its first octet (the first on a connection: from its beginning)."""
    body_timeout: float = 30.0
    """For a body of which nothing comes."""
    handshake: float = 10.0
    """For TLS to begin."""
    body_rate: int = KIBI
    """Octets a second that a body must bring on average, once `4 * body_timeout` is over."""
    idle: float = 75.0
    """How long a connection may wait for its next request."""
    body: int = 100_000_000
    head: int = 64 * KIBI
    target: int = 16 * KIBI
    headers: int = 200
    connections: int = 1000
    connections_per_address: int = 0
    """Of one IPv4 address or IPv6 /64 that is no trusted proxy; 0: no bound."""
    streams: int = 32
    """Requests at a time on one HTTP/2 connection."""
    threads: int = 4
    checks: int = 2
    """Logins that are checked at a time, by threads beside those."""
    spool_memory: int = MEBI
    """A body over this goes on to an unnamed file."""
    spool_total: int = 1024 * MEBI
    """All bodies that are on their way or being answered, together."""
    batch: int = 128 * KIBI
    """An answer is taken from the application in pieces of about this size."""
    stop: float = 10.0
    """How long requests in flight may take to end when the server stops."""

    def body_until(self, touched: float, since: float, size: int) -> float:
        """When a body has come too slowly: something moved at `touched`, the head was whole at `since`."""
        if not self.body_timeout:
            return NEVER
        earned = 4 * self.body_timeout + size / self.body_rate if self.body_rate else NEVER
        return min(touched + self.body_timeout, since + earned)

    @classmethod
    def from_options(cls, options: Options) -> Limits:
        body = int(options.get("server", "max_content_length"))
        timeout = float(options.get("server", "timeout"))
        head, upload = options.get("limits", "head_timeout"), options.get("limits", "body_timeout")
        return cls(
            timeout=timeout,
            head_timeout=timeout if head is None else head,
            body_timeout=timeout if upload is None else upload,
            body_rate=int(options.get("limits", "body_rate")),
            handshake=float(options.get("limits", "handshake_timeout")),
            idle=float(options.get("limits", "idle_timeout")),
            body=body,
            connections=max(1, int(options.get("limits", "connections"))),
            connections_per_address=int(options.get("limits", "connections_per_address")),
            threads=int(options.get("limits", "threads")) or default_threads(int(options.get("limits", "workers"))),
            checks=max(1, int(options.get("auth", "backend_concurrent"))),
            spool_total=max(int(options.get("limits", "spool")), 2 * body),
            stop=float(options.get("limits", "stop_timeout")),
        )


def default_threads(workers: int = 1) -> int:
    """Of one process. Threads of Python's wait for each other where they compute; several processes need fewer each."""
    return min(8, 2 * (os.cpu_count() or 1) + 2) if workers == 1 else 4
