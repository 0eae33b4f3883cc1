"""Accounts of a restored store: what was revoked must not come back to life, and what was given must work on.

Three know of them: the backup, the journal, which has each change since (`account_lines`), and the store that is
replaced, where it can be read. Whatever of them knows the last state counts; an app password that any of them has seen
revoked stays so.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, bindparam, delete, insert, select

from calsync.recovery.account_lines import WHOSE, AccountLine, Rows, following, related
from calsync.recovery.replay import Journaled
from calsync.store import account_changes, meta, principals
from calsync.store.account_changes import TABLES
from calsync.store.names import folded
from calsync.store.schema import account, login_flow, web_session
from calsync.store.schema import principal as principal_table
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

#: Sign-ins that would go on from before the backup.
_FORGOTTEN: Final = (web_session, login_flow)
_ALL: Final = {table.name: Prepared(select(*table.c)) for table in TABLES}
_EPOCHS: Final = Prepared(select(principal_table.c.id, principal_table.c.epoch))
# The line begins anew when all is done, with all there are then: no single change need be said.
_EMPTY: Final = {table.name: Prepared(delete(table)) for table in (*TABLES, *_FORGOTTEN)}
_INSERT: Final = {table.name: Prepared(insert(table)) for table in TABLES}
_OF_HOME: Final = Prepared(select(account.c.id).where(account.c.principal == bindparam("home")))
_REMOVE: Final = tuple(Prepared(delete(table).where(of == bindparam("of_account"))) for table, of in TABLES.items())
_COUNTER: Final = "counter:account"
_NUMBER: Final = f"counter:{account_changes.COUNTER}"

_REOPENED: Final = (
    "A password that was changed since is the old one again; an app password that was revoked since lets in again, "
    "until it is revoked anew (calsync token revoke)"
)


@dataclass(frozen=True, slots=True)
class Known:
    """The accounts of a store with the epochs of their principals, and how far it was (`account_changes`)."""

    rows: Rows
    line: str = ""
    before: tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of them, for people. `certain`: nothing that was acknowledged is missing."""

    text: str
    certain: bool
    notices: tuple[str, ...] = ()


def read(connection: sqlite3.Connection) -> Known | None:
    """What the store that is replaced has; None where it cannot all be read."""
    found: Rows = {}
    try:
        for table in TABLES:
            names = [column.name for column in table.c]
            found[table.name] = _named(table, connection.execute(f"SELECT {', '.join(names)} FROM {table.name}"))
        epochs = dict(connection.execute("SELECT id, epoch FROM principal"))
        facts = {key: bytes(value) for key, value in connection.execute("SELECT key, value FROM meta")}
        return _known(found, epochs, facts)
    except (sqlite3.Error, ValueError, TypeError):
        return None


def part(tx: Transaction) -> Known:
    """How far the backup's line was. What the restore itself changes of accounts on its way is not of it any more."""
    found = Known({}, *account_changes.line(tx), int(meta.get(tx, _NUMBER) or b"0"))
    account_changes.set_line(tx, "", (*found.before, found.line))
    return found


def leave(tx: Transaction, home: int) -> None:
    """Take out the account of a home that is to go: its name may be somebody else's since."""
    for (account_id,) in tx.all(_OF_HOME, home=home):
        for statement in _REMOVE:
            tx.run(statement, of_account=account_id)


def _own(tx: Transaction, parted: Known) -> Known:
    found = {table.name: _named(table, tx.all(_ALL[table.name])) for table in TABLES}
    facts = dict(meta.starting(tx, account_changes.SECRET))
    facts[_COUNTER] = meta.get(tx, _COUNTER) or b"0"
    known = _known(found, {row[0]: row[1] for row in tx.all(_EPOCHS)}, facts)
    return Known(known.rows, parted.line, parted.before, parted.number)


def _named(table: Table, rows: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
    return [dict(zip((column.name for column in table.c), row, strict=True)) for row in rows]


def _known(found: Rows, epochs: dict[int, str], facts: dict[str, bytes]) -> Known:
    for row in found[account.name]:
        row[WHOSE] = epochs.get(row["principal"], "")
    kept = {key: value for key, value in facts.items() if key.startswith(account_changes.SECRET) or key == _COUNTER}
    found["meta"] = [{"key": key, "value": value} for key, value in kept.items()]
    stored = json.loads(facts.get(account_changes.LINE, b"{}"))
    return Known(found, stored.get("line", ""), tuple(stored.get("before", ())), int(facts.get(_NUMBER, b"0")))


def settle(
    tx: Transaction,
    parted: Known,
    replaced: Known | None,
    journaled: Journaled | None,
    epochs: Set[str],
    gone: Set[str],
    homes: Mapping[str, int],
    *,
    kin: bool,
) -> Settled:
    """Put the last state that is known in place of what the backup holds.

    `parted`: what `part` gave. `epochs`: of the backup's principals. `gone`: names of those that were removed since.
    `homes`: epoch → id here of a principal, 0 of one that was removed. `kin`: the replaced store's history is that of
    the backup.
    """
    own = _own(tx, parted)
    lines = journaled.accounts if journaled is not None else {}
    line = following(lines, own.line, epochs) or AccountLine(own.line)
    source = _of_journal(own, line, journaled)
    same = replaced is not None and bool(line.name) and replaced.line == line.name
    notices: list[str] = []
    if replaced is not None:
        later = bool(line.name) and line.name in replaced.before
        alone = not line.name and bool(replaced.rows[account.name]) and (kin or not own.rows[account.name])
        if later or alone or (same and not (source.certain and line.last >= replaced.number)):
            rest = line.missing(replaced.number) if same else []
            rows = line.applied(replaced.rows, replaced.number) if same else replaced.rows
            source = _Source(rows, not rest, "with passwords and app passwords of the replaced store", len(rest))
        elif not same and replaced.line not in line.before and not kin:
            notices += _left(replaced.rows, source.rows)
    if not source.certain:
        # Whatever is missing in between: nobody takes a revocation back.
        revoked = {one for each in related(lines, line.name) for one in each.revoked()}
        if replaced is not None:
            revoked |= {row["id"] for row in replaced.rows["credential"] if row["revoked"]}
        for row in source.rows["credential"]:
            row["revoked"] = int(bool(row["revoked"]) or row["id"] in revoked)
    count = _write(tx, source.rows, gone, homes, notices)
    greatest = max((each.greatest() for each in related(lines, line.name)), default=0)
    meta.put(tx, _COUNTER, b"%d" % max(int(meta.get(tx, _COUNTER) or b"0"), _counted(own), greatest))
    before = (
        *own.before,
        own.line,
        account_changes.line(tx)[0],
        *line.before,
        line.name,
        *((replaced.line,) if same and replaced else ()),
    )
    if replaced is not None and line.name in replaced.before:
        before = (*before, *replaced.before, replaced.line)
    account_changes.set_line(tx, "", before)
    account_changes.begin(tx)
    return Settled(source.told(count), source.certain, tuple(notices))


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the last state is from, for people, and how many changes are missing in it."""

    rows: Rows
    certain: bool
    text: str = ""
    missing: int = 0

    def told(self, count: int) -> str:
        if self.text and self.certain:
            return f"accounts: {count}, {self.text}"
        if self.missing:
            number = "1 change of them is" if self.missing == 1 else f"{self.missing} changes of them are"
            return f"accounts: {count}; {number} in no journal that is left. {_REOPENED}"
        if self.text:
            return f"accounts: {count}, {self.text}; whether all changes since are among them is not known. {_REOPENED}"
        return f"accounts: those of the backup. {_REOPENED}"


def _of_journal(own: Known, line: AccountLine, journaled: Journaled | None) -> _Source:
    """The backup's accounts, or those with which the line begins, and what was changed since."""
    if journaled is None or not line.name:
        return _Source(own.rows, False)
    rows, since = own.rows, own.number
    whole = line.name == own.line
    if not whole:
        since, whole = 0, line.begins and not journaled.damaged
        rows = {} if whole else rows
    missing = line.missing(since)
    certain = whole and not (missing or journaled.damaged or journaled.ended or journaled.lost)
    changes = sum(1 for number in line.steps if number > since)
    text = f"with {changes} change{'' if changes == 1 else 's'} from the journal"
    return _Source(line.applied(rows, since), certain, text, len(missing))


def _left(rows: Rows, taken: Rows) -> list[str]:
    """Accounts of a store that began anew after the loss: with its own keys, and nothing that was closed before."""
    known = {row["name_key"] for row in taken[account.name]}
    names = sorted(row["name"] for row in rows[account.name] if row["name_key"] not in known)
    if not names:
        return []
    return [f"accounts that only the replaced store had, which was made anew, are left there: {', '.join(names)}"]


def _counted(own: Known) -> int:
    return max((int(row["value"]) for row in own.rows["meta"] if row["key"] == _COUNTER), default=0)


def _write(tx: Transaction, rows: Rows, gone: Set[str], homes: Mapping[str, int], notices: list[str]) -> int:
    """Put them, and the keys that they were hashed with, in place of those that there are; how many accounts.

    Every login is to be verified anew, so all generations are raised. Where something is missing, two may have what
    only one can: the later counts.
    """
    for table in (*TABLES, *_FORGOTTEN):
        tx.run(_EMPTY[table.name])
    ids = {epoch: id_ for id_, epoch in tx.all(_EPOCHS)} | dict(homes)
    known = set(homes.values())
    taken: set[int] = set()
    owned: set[int] = set()
    for row in sorted(rows[account.name], key=lambda row: -row["id"]):
        home = ids.get(row[WHOSE])
        if home == 0 or (home is None and folded(row["name"]) in gone):
            continue
        owner = principals.get(tx, home) if home else principals.find(tx, row["name"])
        if owner is not None and not home and row[WHOSE] and owner.id in known:
            # A name does not say whose a home is.
            notices.append(f"accounts: {row['name']!r} is left out, as what is called so is somebody else's")
            continue
        owner = owner or principals.create(tx, row["name"])
        if owner.id in owned:
            notices.append(
                f"accounts: {row['name']!r} is there twice, as changes of it are missing: the later one counts"
            )
            continue
        if folded(owner.name) != row["name_key"]:
            notices.append(f"accounts: {row['name']!r} is {owner.name!r}, as the home is")
        taken.add(row["id"])
        owned.add(owner.id)
        values = {column.name: row[column.name] for column in account.c}
        values |= {"name": owner.name, "name_key": folded(owner.name), "principal": owner.id}
        tx.run(_INSERT[account.name], **values | {"generation": row["generation"] + 1})
    for table in TABLES:
        if table is not account:
            keys = [column.name for column in table.primary_key]
            own = {tuple(row[name] for name in keys): row for row in rows[table.name] if row["account"] in taken}
            tx.run_many(_INSERT[table.name], list(own.values()))
    for row in rows["meta"]:
        meta.put(tx, row["key"], row["value"])
    return len(taken)
