"""The machine: room on its disks, and its clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from calsync.doctor.finding import Checks, Finding, ok, problem, warning
from calsync.doctor.inside.context import Context
from calsync.store import clock, journal
from calsync.store.errors import StoreError
from calsync.store.schema import collection, principal
from calsync.store.statement import Prepared

CHECKS: Final[Checks[Context]] = Checks("Machine", (OSError, StoreError))

_GIB: Final = 1 << 30
#: Free octets below which it is urgent, and below which somebody should look where little of the whole is left, too.
_URGENT: Final = 200 << 20
_LOW: Final = 2 * _GIB
#: Seconds that a clock may be off.
_OFF: Final = 5.0
_FUTURE: Final = 60

_NEWEST: Final = Prepared(
    select(
        select(func.coalesce(func.max(principal.c.modified), 0)).scalar_subquery(),
        select(func.coalesce(func.max(collection.c.modified), 0)).scalar_subquery(),
    )
)


@CHECKS("disk")
def disks(context: Context) -> Iterator[Finding]:
    devices: dict[int, Path] = {}
    for path in _folders(context):
        if path.exists():
            devices.setdefault(path.stat().st_dev, path)
    for path in devices.values():
        yield from _room(path)


def _folders(context: Context) -> Iterator[Path]:
    if context.folder is not None:
        yield context.folder
    if context.store is not None:
        with context.store.read() as tx:
            folder = journal.folder_of(tx)
        if folder is not None:
            yield folder
    for section, option in (("backup", "folder"), ("calsync", "mirror")):
        if text := context.option(section, option):
            yield Path(text)


def _room(path: Path) -> Iterator[Finding]:
    found = os.statvfs(path)
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    text = f"{_size(free)} of {_size(whole)} are free at {path}"
    if free < _URGENT:
        yield problem(
            text, "room for what is written", "make room: a full disk refuses every change (507)", "disk-full"
        )
    elif free < _LOW and free < whole / 20:
        yield warning(text, "a twentieth of it, or 2 GiB", "make room, or a larger disk", "disk-low")
    else:
        yield ok(text)
    if found.f_files and found.f_favail < max(1000, found.f_files // 100):
        yield warning(
            f"{found.f_favail} inodes of {found.f_files} are free at {path}",
            "some thousand",
            "remove small files there (df -i)",
            "inodes",
        )


def _size(octets: int) -> str:
    return f"{octets / _GIB:.1f} GiB" if octets >= _GIB else f"{octets >> 20} MiB"


@CHECKS("clock")
def clocks(context: Context) -> Iterator[Finding]:
    if context.store is None:
        return
    with context.store.read() as tx:
        newest = max(tx.all(_NEWEST)[0])
    ahead = clock.now() - time.time()
    if newest - context.now > _FUTURE:
        yield problem(
            f"something was written {int(newest - context.now)} s in the future",
            "a clock that never goes back",
            "timedatectl set-ntp true; the clock was, or is, wrong",
            "clock-back",
        )
    elif abs(ahead) > _OFF:
        yield warning(
            f"the clock is {abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} the database's",
            "the same time on both",
            "timedatectl set-ntp true, on both machines",
            "clock-database",
        )
    else:
        yield ok("not before the last change")
