"""What a look at something gave, and the registry of those looks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Generic, TypeVar

from calsync.gate.observe import one_line

Subject = TypeVar("Subject")

#: Characters of a text.
_LONGEST: Final = 2000


class Level(StrEnum):
    """How bad it is. A note is worth knowing and needs nothing; a warning will hurt one day; a problem does now."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`got`: what is there. `needed`: what should be; `mend`: what to do, both empty where all is well.

    `check` and `topic` come from the registry. `code` names the finding for programs and tests, where it has a name.
    """

    level: Level
    got: str
    needed: str = ""
    mend: str = ""
    code: str = ""
    check: str = ""
    topic: str = ""

    def printable(self) -> Finding:
        """The same, of which nothing controls a terminal, fills it or ends a line: another server has written in it."""
        return replace(self, got=_printable(self.got), needed=_printable(self.needed), mend=_printable(self.mend))


def _printable(text: str) -> str:
    shown = one_line(re.sub(r"\s*\n\s*", " ", text))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def ok(got: str, code: str = "") -> Finding:
    return Finding(Level.OK, got, code=code)


def note(got: str, needed: str = "", mend: str = "", code: str = "") -> Finding:
    return Finding(Level.NOTE, got, needed, mend, code)


def warning(got: str, needed: str, mend: str, code: str = "") -> Finding:
    return Finding(Level.WARNING, got, needed, mend, code)


def problem(got: str, needed: str, mend: str, code: str = "") -> Finding:
    return Finding(Level.PROBLEM, got, needed, mend, code)


@dataclass(slots=True)
class Checks(Generic[Subject]):
    """The looks at one thing, in their order. `failures`: what a look may raise; it is then a finding of its own."""

    topic: str
    failures: tuple[type[Exception], ...] = (OSError,)
    _named: list[tuple[str, Callable[[Subject], Iterator[Finding]]]] = field(default_factory=list)

    def __call__(
        self, name: str
    ) -> Callable[[Callable[[Subject], Iterator[Finding]]], Callable[[Subject], Iterator[Finding]]]:
        """Register a look under the name that people see."""

        def registered(look: Callable[[Subject], Iterator[Finding]]) -> Callable[[Subject], Iterator[Finding]]:
            self._named.append((name, look))
            return look

        return registered

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """What all of them find."""
        for name, look in self._named:
            try:
                for one in look(subject):
                    yield replace(one, check=one.check or name, topic=self.topic)
            except self.failures as error:
                text = " ".join(str(error).split()) or type(error).__name__
                yield Finding(Level.PROBLEM, text, "it could be looked at", "see what it says", "", name, self.topic)


def command(url: str, user: str = "") -> str:
    """What a person types next, to see whether clients can use a server."""
    return shlex.join(["calsync", "doctor", url, *(["--user", user] if user else [])])
