"""The log on standard error: lines for people or JSON, with priorities where systemd's journal reads (sd-daemon(3)).

Whatever comes from outside and would end a line or control a terminal is written out, whoever logs it; of a traceback
the further lines are indented. So no line begins with what a client has sent.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from calsync.counters.recent import Record
from calsync.gate.observe import masked, one_line

#: The loggers whose level `[logging] level` sets.
OURS: Final = ("calsync", "calsync_storage", "calsync_auth", "radicale")

_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (25, 5), (logging.INFO, 6))


class _Plain(logging.Formatter):
    """Whoever speaks, Radicale too: no address that opens something is told whole."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.getMessage())
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [self.formatMessage(record)]
        for more in _beside(self, record):
            lines += [f"  {one_line(line)}" for line in more.splitlines()]
        return masked("\n".join(lines))


def _beside(formatter: logging.Formatter, record: logging.LogRecord) -> Iterator[str]:
    """Tracebacks that belong to a record."""
    if record.exc_info:
        yield formatter.formatException(record.exc_info)
    if record.stack_info:
        yield formatter.formatStack(record.stack_info)


class _Json(logging.Formatter):
    """An object a line. Of a request its facts stand by themselves, `message` is what people read."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(one_line(record.getMessage())),
        }
        told = getattr(record, "calsync", None)
        if told is not None:
            found |= _request(*told)
        traceback = "\n".join(_beside(self, record))
        if traceback:
            found["traceback"] = masked(traceback)
        return json.dumps(found)


def _request(record: Record, agent: str, hint: str) -> dict[str, Any]:
    return {
        "request": record.id,
        "address": record.address,
        "user": record.user,
        "device": record.device,
        "client": record.client,
        "agent": agent,
        "method": record.method,
        "report": record.report,
        "path": masked(record.path),
        "status": record.status,
        "items": record.items,
        "bytes_in": record.octets_in,
        "bytes_out": record.octets_out,
        "ms": round(record.seconds * 1000, 2),
        "hint": masked(hint),
    }


class _Journal(logging.Formatter):
    """Every line with its priority; the journal knows the time itself."""

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self._lines.format(record).split("\n"))


def setup(level: str, form: str = "human") -> None:
    """Log to standard error from now on. `level`: one of Radicale's names. `form`: `human` or `json`."""
    handler = logging.StreamHandler()
    journal = _is_journal()
    formatter: logging.Formatter
    if form == "json":
        formatter = _Json()
    elif journal:
        formatter = _Plain("%(message)s")
    else:
        formatter = _Plain("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
    handler.setFormatter(_Journal(formatter) if journal else formatter)
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
