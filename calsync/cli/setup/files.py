"""Files that are written together or not at all; what is there already is never lost."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """By number; None leaves a file to whoever makes it."""

    user: int | None = None
    group: int | None = None

    def take(self, path: Path) -> None:
        """Of a link, the link: where it leads was chosen by whoever may write to the folder."""
        if self.user is not None or self.group is not None:
            user, group = (-1 if number is None else number for number in (self.user, self.group))
            os.chown(path, user, group, follow_symlinks=False)


@dataclass(frozen=True, slots=True)
class Planned:
    """A file to be written: what it is, in a few words, and its text. `secret`: nothing of it is shown."""

    path: Path
    text: str
    what: str
    mode: int = 0o644
    secret: bool = False

    @property
    def differs(self) -> bool:
        """Whether another text stands there."""
        return self.path.exists() and self.path.read_text(encoding="utf-8", errors="replace") != self.text

    def difference(self, shown: Callable[[str], str]) -> str:
        """What would change, as a diff; `shown` makes a line one that may be seen."""
        if self.secret:
            return f"{self.path} holds other passwords"
        there = self.path.read_text(encoding="utf-8", errors="replace")
        lines = difflib.unified_diff(
            there.splitlines(), self.text.splitlines(), str(self.path), f"{self.path} (new)", lineterm=""
        )
        return "\n".join(map(shown, lines))


class Writing:
    """A block in which files and folders are made; where it fails, what it has made is gone again."""

    def __init__(self) -> None:
        self._undo = ExitStack()

    def __enter__(self) -> Writing:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._undo.pop_all()
        else:
            self._undo.close()

    def on_failure(self, action: Callable[[], object]) -> None:
        self._undo.callback(action)

    def folder(self, path: Path, mode: int, owner: Owner) -> None:
        """Make a folder, with those above it that are missing."""
        if path.is_dir():
            return
        self.folder(path.parent, 0o755, Owner())
        path.mkdir(mode)
        self.on_failure(lambda: _remove_folder(path))
        path.chmod(mode)
        owner.take(path)

    def file(self, planned: Planned, owner: Owner) -> Path | None:
        """Write a file; the copy of what stood there, if something else did."""
        path = planned.path
        if path.exists() and not planned.differs:
            return None
        self.folder(path.parent, 0o755, Owner())
        copy = _copied(path) if path.exists() else None
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        new = Path(name)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(planned.text)
                file.flush()
                os.fsync(file.fileno())
            new.chmod(planned.mode)
            owner.take(new)
            if copy is None:
                os.link(new, path)  # fails where somebody was faster
            else:
                new.replace(path)
        finally:
            new.unlink(missing_ok=True)
        self.on_failure(lambda: path.unlink(missing_ok=True) if copy is None else copy.replace(path))
        return copy


def in_the_way(planned: Sequence[Planned]) -> list[Planned]:
    """Files that hold something else than what would be written."""
    return [one for one in planned if one.differs]


def _copied(path: Path) -> Path:
    """A copy beside a file, with its owner and mode; before it has them it is for nobody else to read."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy, number = path.with_name(f"{path.name}.before-{moment}"), 1
    while os.path.lexists(copy):
        number += 1
        copy = path.with_name(f"{path.name}.before-{moment}-{number}")
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(path.read_bytes())
        found = path.stat()
        with suppress(PermissionError):
            os.fchown(file.fileno(), found.st_uid, found.st_gid)
    shutil.copystat(path, copy)
    return copy


def _remove_folder(path: Path) -> None:
    with suppress(OSError):  # somebody has put something there
        path.rmdir()
