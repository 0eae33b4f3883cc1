"""The log: lines for people on standard error, with priorities where systemd's journal reads them (sd-daemon(3))."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from calsync.observe import masked

#: The loggers whose level `[logging] level` sets.
OURS: Final = ("calsync", "calsync_storage", "calsync_auth", "radicale")

_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (25, 5), (logging.INFO, 6))


class _Plain(logging.Formatter):
    """Whoever speaks, Radicale too: no address that opens something is told whole."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class _Journal(_Plain):
    """Every line with its priority; the journal knows the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def setup(level: str) -> None:
    """Log to standard error from now on. `level`: one of Radicale's names."""
    handler = logging.StreamHandler()
    if _is_journal():
        handler.setFormatter(_Journal("%(message)s"))
    else:
        handler.setFormatter(_Plain("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level(level)


def set_level(level: str) -> None:
    number = logging.getLevelName(level.upper())
    for name in OURS:
        logging.getLogger(name).setLevel(number)


@contextmanager
def without_inventory() -> Iterator[None]:
    """Radicale lists all its options at level info while it loads; that is left out unless more is logged anyway.

    So is what the storage plugin says of a hook, twice: `serve` says it better.
    """
    logger = logging.getLogger("radicale")
    level = logger.level
    if level >= logging.INFO:
        logger.setLevel(max(level, logging.WARNING))
    logger.addFilter(_is_not_of_the_hook)
    try:
        yield
    finally:
        logger.removeFilter(_is_not_of_the_hook)
        logger.setLevel(level)


def _is_not_of_the_hook(record: logging.LogRecord) -> bool:
    return "hook runs only with" not in record.getMessage()


def _is_journal() -> bool:
    """Whether standard error is the very stream that systemd connected to the journal (systemd.exec(5))."""
    device, colon, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    if not colon:
        return False
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))
