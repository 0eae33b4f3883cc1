"""Findings for people: a line a check, more only where something is wrong, and in the end what to do next."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, TextIO

from calsync.doctor.finding import Finding, Level

_SIGNS: Final = {Level.OK: "✓", Level.NOTE: "·", Level.WARNING: "!", Level.PROBLEM: "✗"}
_PLAIN_SIGNS: Final = {Level.OK: "ok", Level.NOTE: "--", Level.WARNING: "!!", Level.PROBLEM: "XX"}
_COLOURS: Final = {Level.OK: "32", Level.NOTE: "36", Level.WARNING: "33", Level.PROBLEM: "31"}
_ORDER: Final = (Level.PROBLEM, Level.WARNING, Level.NOTE, Level.OK)
_WIDTH: Final = 22


@dataclass(slots=True)
class Report:
    """Where they are written as they come. `counts`: how many there are of each level."""

    stream: TextIO
    colour: bool
    counts: Counter[Level] = field(default_factory=Counter)
    _topic: str = ""
    _worst: Finding | None = None

    @classmethod
    def on(cls, stream: TextIO) -> Report:
        """Coloured on a terminal, unless NO_COLOR or TERM say otherwise."""
        wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(stream, wanted)

    def write(self, one: Finding) -> None:
        if one.topic != self._topic:
            self.stream.write(f"{chr(10) if self._topic else ''}{self._painted(one.topic, '1')}\n")
            self._topic = one.topic
        self.counts[one.level] += 1
        if one.level in (Level.WARNING, Level.PROBLEM) and (self._worst is None or _worse(one, self._worst)):
            self._worst = one
        width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
        indent = " " * (_WIDTH + 5)
        sign = self._sign(one.level)
        got = textwrap.fill(
            one.got, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
        gap = "\n" + indent if len(one.check) > _WIDTH else " " * (_WIDTH - len(one.check) + 1)
        self.stream.write(f"  {sign} {one.check}{gap}{got.lstrip()}\n")
        if one.level is not Level.OK:
            for word, text in (("needed", one.needed), ("mend", one.mend)):
                if text:
                    begin = f"{indent}{word + ':':<8}"
                    rest = " " * len(begin)
                    told = textwrap.fill(
                        text, width, initial_indent=begin, subsequent_indent=rest, break_long_words=False,
                        break_on_hyphens=False,
                    )  # fmt: skip
                    self.stream.write(self._painted(told, "2" if word == "needed" else _COLOURS[one.level]) + "\n")
        self.stream.flush()

    def sum_up(self, next_step: str = "") -> None:
        """The last line, and what to do next."""
        bad = [
            f"{self.counts[level]} {level}{'s' if self.counts[level] != 1 else ''}"
            for level in (Level.PROBLEM, Level.WARNING)
            if self.counts[level]
        ]
        notes = f", {self.counts[Level.NOTE]} to know" if self.counts[Level.NOTE] else ""
        level = Level.PROBLEM if self.counts[Level.PROBLEM] else Level.WARNING if bad else Level.OK
        text = f"{' and '.join(bad) if bad else 'All is well'}{notes}."
        self.stream.write(f"\n{self._painted(text, _COLOURS[level] + ';1')}\n")
        if self._worst is not None and sum(self.counts[one] for one in (Level.PROBLEM, Level.WARNING)) > 1:
            self.stream.write(f"First: {self._worst.check}: {self._worst.mend}\n")
        elif self._worst is None and next_step:
            self.stream.write(f"Next:  {next_step}\n")

    def _sign(self, level: Level) -> str:
        signs = _SIGNS if (self.stream.encoding or "").lower().startswith("utf") else _PLAIN_SIGNS
        return self._painted(signs[level], _COLOURS[level])

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colour else text


def _worse(one: Finding, other: Finding) -> bool:
    return _ORDER.index(one.level) < _ORDER.index(other.level)


def as_json(found: Sequence[Finding]) -> str:
    """All of them as one object."""
    counts = Counter(one.level for one in found)
    facts = {"findings": [asdict(one) for one in found], "counts": {level: counts[level] for level in Level}}
    return json.dumps(facts, ensure_ascii=False, indent=1)
