"""What became of each item: the report of an import or export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What became of an item, in the words of the report."""

    TAKEN = "taken"
    WRITTEN = "written"
    UNCHANGED = "already there"
    REPLACED = "replaced"
    KEPT = "kept as stored"  # what is stored is newer (`--keep`)
    REFUSED = "refused"
    SKIPPED = "skipped"  # nothing that a client could have seen: no calendar data to lose


@dataclass(frozen=True, slots=True)
class Result:
    """One item's fate. `place`: where it was read, for people; `target`: /user/collection/href, as far as known."""

    outcome: Outcome
    place: str
    target: str = ""
    reason: str = ""

    def line(self) -> str:
        shown = f"{self.place} → {self.target}" if self.target and self.target != self.place else self.place
        return f"{self.outcome}: {shown}" + (f": {self.reason}" if self.reason else "")


@dataclass(slots=True)
class Report:
    """Counts of all, and the results and notices that a person should read. `quarantined`: of each user, how many
    refused objects are kept."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    remarkable: list[Result] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.counts[result.outcome] += 1
        if result.reason:
            self.remarkable.append(result)

    def notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)

    @property
    def complete(self) -> bool:
        """Nothing was refused."""
        return not self.counts[Outcome.REFUSED]

    def summary(self) -> str:
        """`120 taken, 3 already there, 1 refused`."""
        parts = [f"{self.counts[outcome]} {outcome}" for outcome in Outcome if self.counts[outcome]]
        return ", ".join(parts) or "nothing found"

    def lines(self) -> Iterator[str]:
        """What a person should read, a line each."""
        yield from self.notices
        for result in self.remarkable:
            yield result.line()
        yield from self.kept()

    def kept(self) -> Iterator[str]:
        """What became of what was refused."""
        for user, count in self.quarantined.items():
            them = "it is" if count == 1 else f"{count} of them are"
            yield f"refused, but {them} kept: calsync quarantine list {user} (and calsync quarantine repair {user})"
