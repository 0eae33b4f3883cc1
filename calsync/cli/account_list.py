"""Accounts of several people, one a line, as `calsync migrate dav --accounts` takes them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from calsync.transfer.source import SourceError


@dataclass(frozen=True, slots=True)
class Line:
    """`login`: at the source. `password_file`: with its folder. `into`: whose it becomes."""

    source: str
    login: str
    password_file: str
    into: str


def read(name: str) -> list[Line]:
    """All of a file. Raises `SourceError`, which names the line."""
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{name}: not UTF-8") from error
    found = list(_lines(path, text))
    if not found:
        raise SourceError(f"{name}: no account is in it")
    return found


def _lines(path: Path, text: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise SourceError(f"{path}:{number}: {str(error).lower()}") from error
        if not words:
            continue
        if len(words) != 4:
            raise SourceError(f"{path}:{number}: {len(words)} words, not four: SOURCE LOGIN PASSWORDFILE INTO")
        source, login, file, into = words
        yield Line(source, login, str(path.parent / file), into)
