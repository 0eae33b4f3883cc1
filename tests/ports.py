"""Ports for programs that have to be told theirs: nobody else gets one between its choice and the moment it is taken.

What binds port 0, or connects to somewhere, is given a port of the kernel's own range by it; these lie outside of that.
Among test processes a locked file stands for each: it is the process's own until it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LEAST: Final = 10_000
_LOCKS: Final = Path(tempfile.gettempdir()) / f"calsync-test-ports-{os.getuid()}"

#: What is held open until this process ends.
_held: Final[dict[int, int]] = {}


def _candidates() -> list[int]:
    """Those outside of the kernel's range, in an order in which processes seldom meet."""
    first, last = (int(text) for text in _RANGE.read_text().split()) if _RANGE.exists() else (32768, 60999)
    every = [port for port in range(_LEAST, 65_000) if not first <= port <= last]
    if len(every) < 1000:  # a machine that gives out nearly all of them
        every = list(range(_LEAST, 65_000))
    begin = os.getpid() * 97 % len(every)
    return every[begin:] + every[:begin]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, and that this process keeps for itself."""
    _LOCKS.mkdir(mode=0o700, exist_ok=True)
    for port in _candidates():
        if port not in _held and _hold(port):
            return port
    raise AssertionError("no port of this machine is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: old connections are no hindrance
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            return False
    return True


def _hold(port: int) -> bool:
    descriptor = os.open(_LOCKS / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    # Not looked at before: a look binds it, and whose it is may be about to.
    if not _is_free(port):
        os.close(descriptor)
        return False
    _held[port] = descriptor
    return True
