"""What a journal knows of the time since a backup, and what it does not.

It is read twice. First for how things hang together: which transactions follow on each other, so that one that was
written down but never committed is told from those that were acknowledged, which are missing, and which histories go on
from which. Then for what was changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from calsync.recovery.account_lines import AccountLine
from calsync.recovery.state import State
from calsync.store import journal
from calsync.store.entries import (
    AccountRows,
    Accounts,
    Census,
    Content,
    Ended,
    Entry,
    Gone,
    Owner,
    Restored,
    Unknown,
)
from calsync.store.journal import Fault, Part, Written

_Key = tuple[str, int]
_NOW: Final = 2**63


@dataclass(frozen=True, slots=True)
class _Step:
    """A transaction took a counter from `since` to `seq`."""

    since: int
    seq: int
    stamp: int
    key: _Key


@dataclass(slots=True)
class Journaled:
    """`states` by epoch; `restored`: which history followed on which, the oldest first. `gaps`: epoch → stretches of
    seqs of which nothing is there. `ended`: it was given up. `counted`: epochs that it names at all. `lost`: segments
    that were there are not. `empty`: it is no journal, which was begun and never is empty. `accounts`: line →
    what it says. `unknown`: kinds of entries that only a newer calsync understands."""

    states: dict[str, State] = field(default_factory=dict)
    restored: list[Restored] = field(default_factory=list)
    gaps: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    transactions: int = 0
    ended: bool = False
    counted: set[str] = field(default_factory=set)
    lost: bool = False
    empty: bool = False
    accounts: dict[str, AccountLine] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    @property
    def damaged(self) -> bool:
        """Whether something in it that was acknowledged may be unreadable."""
        return any(not fault.torn for fault in self.faults)


def gather(folder: Path, seqs: Mapping[str, int], after: Mapping[str, int]) -> Journaled:
    """All that a journal holds beyond a backup. Raises `OSError`.

    `seqs`: epoch → seq of the backup's principals. `after`: how long each segment was when the backup was made; empty
    where that is not known.
    """
    found = Journaled()
    steps: dict[str, list[_Step]] = {}
    names = {file.name for file in journal.segments(folder)}
    found.empty = not names
    found.lost = found.empty or any(name not in names for name in after)
    restored: list[tuple[int, Restored]] = []
    ended = begun = 0
    for written, entries in _transactions(folder, after, found):
        found.transactions += 1
        for _, entry in entries:
            match entry:
                case Owner():
                    step = _Step(entry.since, entry.seq, written.stamp, _key(written))
                    steps.setdefault(entry.epoch, []).append(step)
                case Gone():
                    _state(found, entry.epoch).gone = True
                case Restored():
                    restored.append((written.stamp, entry))
                case Census():
                    begun = max(begun, written.stamp)
                    found.counted |= set(entry.principals)
                    for epoch, seq in entry.principals.items():
                        steps.setdefault(epoch, []).append(_Step(seq, seq, written.stamp, _key(written)))
                case Accounts() | AccountRows():
                    found.accounts.setdefault(entry.line, AccountLine(entry.line)).add(written, entry)
                case Unknown():
                    found.unknown.add(entry.kind)
                case Ended():
                    ended = max(ended, written.stamp)
                case _:
                    pass
    found.counted |= steps.keys()
    found.restored = [one for _, one in sorted(restored, key=lambda pair: pair[0])]
    found.ended = ended > begun
    begins = {one.new: one.begin for one in found.restored} | dict(seqs)
    dead: set[tuple[str, _Key]] = set()
    for epoch, own in steps.items():
        gaps = _chained(epoch, own, begins.get(epoch, 0), dead)
        if gaps:
            found.gaps[epoch] = gaps
    left = {one.old: _NOW if one.whole else one.at for one in found.restored}
    for written, entries in _transactions(folder, after):
        for part, entry in entries:
            of: str = getattr(entry, "epoch", "")
            if not of or (of, _key(written)) in dead:
                continue
            if begins.get(of, 0) < getattr(entry, "seq", 0) <= left.get(of, _NOW):
                _state(found, of).add(entry, partial(_fetched, part))
    return found


def _transactions(
    folder: Path, after: Mapping[str, int], found: Journaled | None = None
) -> Iterator[tuple[Written, list[tuple[Part, Entry]]]]:
    """What was written since; damage goes to `found`."""
    for file in journal.segments(folder):
        for one in journal.read(file, after.get(file.name, 0)):
            if isinstance(one, Written):
                try:
                    yield one, [pair for part in one.parts for pair in part.located()]
                except ValueError:
                    one = Fault(file, one.parts[0].offset, one.parts[0].length, False)
            if isinstance(one, Fault) and found is not None:
                found.faults.append(one)


def _chained(epoch: str, steps: list[_Step], begin: int, dead: set[tuple[str, _Key]]) -> list[tuple[int, int]]:
    """Follow the counter from `begin`; the stretches that no transaction took. Those that lead nowhere are `dead`.

    A transaction that was written but not committed has left the counter where it was, and the next one has taken the
    same value: of two with one beginning the later counts.
    """
    gaps: list[tuple[int, int]] = []
    at = begin
    # Of those with the same beginning, those that take nothing first, then the latest.
    for step in sorted(steps, key=lambda one: (one.since, one.seq > one.since, -one.stamp)):
        if step.since < at:
            if step.seq > step.since:
                dead.add((epoch, step.key))
            continue
        if step.since > at:
            gaps.append((at, step.since))
        at = step.seq
    return gaps


def _fetched(part: Part) -> Content | None:
    (entry,) = part.entries()
    return entry if isinstance(entry, Content) else None


def _state(found: Journaled, epoch: str) -> State:
    return found.states.setdefault(epoch, State(epoch))


def _key(written: Written) -> _Key:
    return (written.parts[0].file.name, written.parts[0].offset) if written.parts else ("", 0)
