"""Telling who started this process how it is: systemd (sd_notify(3)), or the parent of a worker, in the same words."""

from __future__ import annotations

import contextlib
import os
import socket
import time

#: Where a worker speaks; None where this process is nobody's worker.
_parent: socket.socket | None = None


def notify(*lines: str) -> None:
    """Send state lines (`READY=1`) where somebody listens; nothing elsewhere."""
    if _parent is not None:
        with contextlib.suppress(OSError):  # it is gone, or does not listen: nothing here depends on it
            _parent.sendall("".join(f"{line}\n" for line in lines).encode())
        return
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto("\n".join(lines).encode(), address)


def speak_to(parent: socket.socket) -> None:
    """From now on tell this one instead."""
    global _parent
    _parent = parent


def reloading() -> None:
    """Announce a reload; `notify("READY=1")` ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def patience() -> float:
    """Seconds after which systemd takes a silent service for dead (`WatchdogSec=`), 0 where it does not."""
    text = os.environ.get("WATCHDOG_USEC", "")
    if not text.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    return int(text) / 1_000_000
