"""What a journal says of accounts since a backup: its lines, which of them goes on from the backup's, and whether all
of it is there.

A line is a run of numbered transactions, each with rows as they were after it (`calsync.store.account_changes`). One
begins with all accounts there were, and says which lines it took the place of: the newest that the backup's led to
counts, whatever became of the others.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import DefaultClause, LargeBinary, Table

from calsync.store.account_changes import TABLES
from calsync.store.entries import AccountRows, Accounts
from calsync.store.journal import Written
from calsync.store.schema import account, meta

_TABLES: Final[Mapping[str, Table]] = {table.name: table for table in (*TABLES, meta)}
_OF: Final = {table.name: column.name for table, column in TABLES.items()}

#: Beside what an account has in its table: the epoch of its principal, whose id and name another may have here.
WHOSE: Final = "whose"

Rows = dict[str, list[dict[str, Any]]]


@dataclass(slots=True)
class _Step:
    """A transaction that took a number; where two did, the former was never committed."""

    stamp: int
    key: tuple[str, int]
    entries: list[AccountRows] = field(default_factory=list)


@dataclass(slots=True)
class AccountLine:
    """`before`: the lines that it took the place of. `begins`: what its number 1 says is all there was."""

    name: str
    before: tuple[str, ...] = ()
    begins: bool = False
    stamp: int = 0
    steps: dict[int, _Step] = field(default_factory=dict)

    def add(self, written: Written, entry: Accounts | AccountRows) -> None:
        """Take in an entry of it."""
        self.stamp = max(self.stamp, written.stamp)
        key = (written.parts[0].file.name, written.parts[0].offset)
        step = self.steps.get(entry.number)
        if step is None or (step.key != key and step.stamp < written.stamp):
            step = self.steps[entry.number] = _Step(written.stamp, key)
        if step.key != key:
            return
        if isinstance(entry, Accounts):
            self.before, self.begins = entry.before, True
        else:
            step.entries.append(entry)

    @property
    def last(self) -> int:
        """The greatest number."""
        return max(self.steps, default=0)

    def missing(self, since: int) -> list[int]:
        """The numbers after `since` of which nothing is there."""
        return [number for number in range(since + 1, self.last) if number not in self.steps]

    def entries(self, since: int) -> list[AccountRows]:
        """All that it says after `since`, in order."""
        return [entry for number in sorted(self.steps) if number > since for entry in self.steps[number].entries]

    def applied(self, rows: Rows, since: int) -> Rows:
        """`rows` as they were once all after `since` was done."""
        held = {name: _by_account(name, rows.get(name, [])) for name in _OF}
        secrets = {row["key"]: row for row in rows.get(meta.name, [])}
        for entry in self.entries(since):
            read = [_row(entry.table, row) for row in entry.rows if entry.table in _TABLES]
            if entry.table == account.name:
                read = [row | {WHOSE: entry.whose} for row in read]
            if entry.table == meta.name:
                secrets |= {row["key"]: row for row in read}
            elif entry.table in held:
                own = held[entry.table]
                kept = [row for row in own.get(entry.account, []) if entry.key and row["id"] != entry.key]
                own[entry.account] = kept + read
        found = {name: [row for group in held[name].values() for row in group] for name in _OF}
        return found | {meta.name: list(secrets.values())}

    def revoked(self) -> set[str]:
        """App passwords that it has seen revoked."""
        return {
            str(row["id"])
            for entry in self.entries(0)
            if entry.table == "credential"
            for row in entry.rows
            if row.get("revoked")
        }

    def greatest(self) -> int:
        """The greatest id that an account had."""
        return max((entry.account for entry in self.entries(0)), default=0)


def following(lines: Mapping[str, AccountLine], own: str, epochs: Set[str]) -> AccountLine | None:
    """The line that the backup's led to. A backup without one is found by whose accounts they are: `epochs`."""
    candidates = [line for line in lines.values() if own in (line.name, *line.before)]
    if not own:
        candidates = [line for line in lines.values() if any(entry.whose in epochs for entry in line.entries(0))]
    superseded = {name for line in candidates for name in line.before}
    return max((line for line in candidates if line.name not in superseded), key=lambda line: line.stamp, default=None)


def related(lines: Mapping[str, AccountLine], name: str) -> list[AccountLine]:
    """The lines that one came from, and those that came from it."""
    line = lines.get(name)
    before = line.before if line is not None else ()
    return [one for one in lines.values() if one.name == name or name in one.before or one.name in before]


def _by_account(table: str, rows: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    held: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        held.setdefault(row[_OF[table]], []).append(row)
    return held


def _row(table: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the table has it; a column that the writer did not know is as it is by default."""
    found: dict[str, Any] = {}
    for column in _TABLES[table].columns:
        default = column.server_default
        value = said.get(column.name, default.arg if isinstance(default, DefaultClause) else None)
        if isinstance(column.type, LargeBinary) and value is not None:
            value = b64decode(value)
        found[column.name] = value
    return found
