"""What a backup says of itself: `manifest.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from hashlib import file_digest
from pathlib import Path
from typing import Final

FILE: Final = "manifest.json"
DATABASE: Final = "calsync.db"


class BackupError(Exception):
    """There is no such backup, or it is not what was written; the message is for people."""


@dataclass(frozen=True, slots=True)
class Held:
    """A principal in a backup."""

    name: str
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`made`: instant. `journal`: the folder of the journal then, or empty; `position`: how long its segments were.

    `files`: path below the backup → sha256. `damaged`: what was found wrong in the store already.
    """

    calsync: str
    schema: str
    store: str
    made: int
    principals: Sequence[Held]
    collections: int
    items: int
    files: Mapping[str, str]
    journal: str = ""
    position: Mapping[str, int] = field(default_factory=dict)
    damaged: Sequence[str] = ()

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises `BackupError`."""
        try:
            facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
            facts["principals"] = [Held(**one) for one in facts["principals"]]
            known = {one.name for one in fields(cls)}  # a newer calsync may say more
            return cls(**{name: value for name, value in facts.items() if name in known})
        except FileNotFoundError as error:
            raise BackupError(f"{folder}: no backup of calsync's (it has no {FILE})") from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BackupError(f"{folder / FILE}: cannot be read: {error}") from error


def digest(path: Path) -> str:
    """sha256 of a file in hex. Raises `OSError`."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
