"""Builds and steers `faults.c`, the disk that fails when it is told to."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntFlag
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).with_name("faults.c")

#: Beside an errno: what the n-th call does.
KILL, SLEEP, BLOCK, TEAR = -1, -2, -3, -4

_LAYOUT: Final = struct.Struct("iiiiqqqq216s")
_COUNTS: Final = struct.Struct("qqqq")
_COUNTED_AT: Final = 16
_FOR_EVER: Final = 1 << 60


class Calls(IntFlag):
    """Kinds of system calls."""

    WRITE = 1
    SYNC = 2
    TRUNCATE = 4
    OPEN = 8
    READ = 16
    UNLINK = 32
    CHANGES = WRITE | SYNC | TRUNCATE | UNLINK


def build(folder: Path) -> Path:
    """The shared library. Skips where it cannot be made, unless everything is to be tested."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        reason = "no C compiler for the failing disk (apt install gcc libc6-dev)"
        if os.environ.get("CALSYNC_TEST_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    library = folder / "faults.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Faults:
    """What the disk of one server process does. Steered while that runs."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._library = library
        self._path = folder / "faults"
        self._path.write_bytes(bytes(_LAYOUT.size))
        with self._path.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), _LAYOUT.size)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": str(self._library), "FAULTS_CONTROL": str(self._path)}

    def arm(
        self, what: int, calls: Calls, *, match: str = "calsync.db", n: int = 1, all: bool = False, seconds: float = 0
    ) -> None:
        """The n-th call from now on (with `all`, each from it on) does `what`."""
        self.disarm()
        fields = (0, what, calls, int(all), n, 0, 0, int(seconds * 1e6), match.encode())
        self._control[: _LAYOUT.size] = _LAYOUT.pack(*fields)
        self._control[:4] = struct.pack("i", 1)

    def disarm(self) -> None:
        """The disk is well again; whoever was blocked goes on."""
        self._control[:4] = struct.pack("i", 0)

    @contextmanager
    def armed(self, what: int, calls: Calls, **how: object) -> Iterator[None]:
        self.arm(what, calls, **how)  # type: ignore[arg-type]
        try:
            yield
        finally:
            self.disarm()

    def arm_to_count(self, calls: Calls) -> None:
        """Only count: `seen` tells."""
        self.arm(errno.EIO, calls, n=_FOR_EVER)

    @property
    def seen(self) -> int:
        """Calls of the kinds in question since it was armed."""
        return int(_COUNTS.unpack_from(self._control, _COUNTED_AT)[1])

    @property
    def hit(self) -> int:
        """How many of them failed or waited."""
        return int(_COUNTS.unpack_from(self._control, _COUNTED_AT)[2])
