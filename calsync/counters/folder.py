"""Where the processes of a server keep their figures, so that they find each other's and `calsync top` finds them all.

A folder for each server, named by its store and its process, below one that is its user's alone: on memory where there
is such a place, for it is written with each request and worth nothing after the end.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from calsync.counters import page, recent
from calsync.counters.page import Page
from calsync.counters.recent import Recent

#: What processes that have ended had counted.
ENDED: Final = "ended.json"
_LOCK: Final = "lock"
#: Seconds for which a folder stays in which nobody counts yet.
_YOUNG: Final = 600.0
#: Seconds for which a reader waits while pages are put together.
_PATIENCE: Final = 10.0
_LARGEST: Final = 1 << 24
#: How the folders of servers are called: what is called otherwise is not ours to remove.
_NAME: Final = re.compile(r"[0-9a-f]{12}-[0-9]+").fullmatch

#: Folders on memory that everybody may write to.
MEMORY: Final = (Path("/dev/shm"),)
#: What systemd makes for the unit (`RuntimeDirectory=calsync`).
RUNTIME: Final = Path("/run/calsync")


def name_of(store: str) -> str:
    """How the folders of the servers of a store begin; its URL may hold a password."""
    return hashlib.sha256(store.encode()).hexdigest()[:12]


def places(wanted: str, data: Path, user: int) -> Iterator[Path]:
    """Where the folders of a user's servers may be, best first. `wanted`: what the configuration says, if anything."""
    if wanted:
        yield Path(wanted)
        return
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if runtime:
        yield Path(runtime)
    yield RUNTIME
    for one in MEMORY:
        yield one / f"calsync-{user}"
    yield data / "live"


def make(wanted: str, data: Path, store: str) -> Path:
    """A new, empty folder for the server whose first process this is. Raises OSError where there is no place for it."""
    trouble: OSError | None = None
    for base in places(wanted, data, os.getuid()):
        try:
            if base == RUNTIME and not base.is_dir():
                continue
            _own(base)
            _clear(base)
            folder = base / f"{name_of(store)}-{os.getpid()}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            return folder
        except OSError as error:
            trouble = trouble or error
    raise trouble or FileNotFoundError("no folder for the figures")


def find(wanted: str, data: Path, store: str) -> list[Path]:
    """The folders of the servers of a store that run on this machine: one's own, and those of whoever owns the data.

    Others are not believed, by root neither: where everybody may write, anybody can leave a folder to be found.
    """
    users = {os.getuid()}
    with contextlib.suppress(OSError):
        users.add(data.stat().st_uid)
    bases = {base: None for user in sorted(users) for base in places(wanted, data, user)}
    found = []
    for base in bases:
        with contextlib.suppress(OSError):
            if base.parent in MEMORY and base.lstat().st_uid not in users:
                continue
            found += [one for one in sorted(base.glob(f"{name_of(store)}-*")) if alive(one)]
    return found


def _own(base: Path) -> None:
    """It must be ours alone: where everybody may write, somebody else may have been there before."""
    with contextlib.suppress(FileExistsError):
        base.mkdir(mode=0o700)
    status = base.lstat()
    if not base.is_dir() or base.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(13, "it belongs to somebody else, or others may write there", str(base))


def _clear(base: Path) -> None:
    """Remove what servers have left that are no more."""
    for one in base.iterdir():
        young = time.time() - one.lstat().st_mtime < _YOUNG
        if _NAME(one.name) and one.is_dir() and not one.is_symlink() and not young and not alive(one):
            shutil.rmtree(one, ignore_errors=True)


def begin(folder: Path | None) -> tuple[Page, Recent | None]:
    """The page and the ring of this process. What others have left that ended is put together. Raises OSError."""
    if folder is None:
        return Page(None), None
    _gather(folder)
    name = f"{os.getpid()}-{time.monotonic_ns():x}"
    ring = Recent(folder / f"{name}{recent.SUFFIX}")
    try:
        return Page(folder / f"{name}{page.SUFFIX}"), ring
    except OSError:
        (folder / f"{name}{recent.SUFFIX}").unlink(missing_ok=True)
        raise


def end(folder: Path) -> None:
    """The server ends: nobody asks any more."""
    shutil.rmtree(folder, ignore_errors=True)


def pages(folder: Path) -> list[Path]:
    """The pages of all processes of a server, of ended ones too."""
    return sorted(folder.glob(f"*{page.SUFFIX}"))


def alive(folder: Path) -> list[Path]:
    """The pages of those that run."""
    return [one for one in pages(folder) if page.is_alive(one)]


@contextmanager
def locked(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """While the pages of ended processes are put together, nobody adds up."""
    if alone:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    else:
        descriptor = page.opened(folder / _LOCK)  # who only reads makes nothing
    try:
        if alone:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            _share(descriptor)
        yield
    finally:
        os.close(descriptor)


def _share(descriptor: int) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def ended(folder: Path) -> tuple[set[str], dict[str, list[float]]]:
    """The names of pages that were put together, and what stood on them."""
    try:
        told = json.loads(page.octets_of(folder / ENDED, _LARGEST))
    except (OSError, ValueError):
        return set(), {}
    return set(told["pages"]), dict(told["numbers"])


def _gather(folder: Path) -> None:
    """So that a server whose workers are replaced each hour does not gather files for a year."""
    with locked(folder, alone=True):
        known, numbers = ended(folder)
        left = [one for one in pages(folder) if not page.is_alive(one)]
        if not left:
            return
        for one in left:
            if one.name in known:
                continue
            for name, labels, found in page.entries(one):
                key = "\x1f".join((name, *labels))
                before = numbers.get(key, [0.0] * len(found))
                if len(before) == len(found):
                    numbers[key] = [a + b for a, b in zip(before, found, strict=True)]
        anew = folder / f"{ENDED}.new"
        anew.write_text(json.dumps({"pages": [one.name for one in left], "numbers": numbers}))
        anew.replace(folder / ENDED)
        for one in left:
            one.unlink(missing_ok=True)
            one.with_suffix(recent.SUFFIX).unlink(missing_ok=True)
