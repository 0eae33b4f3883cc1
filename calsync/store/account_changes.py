"""What a transaction has changed of accounts, for the journal: who may log in, with what, and what may no longer.

A statement that changes such rows says whose (`Prepared(…, marks=of(…))`), so that none can be run without its being
known; before the commit the rows are read as they are then. Each transaction takes the next number of a *line*, so
that a restore sees whether one is missing. A line begins with all accounts there are (with the journal, with a restored
backup, with the first start or change after an upgrade), and goes on for as long as each change is journaled.

When something was last used, and how often somebody mistyped, is not said: it is written often and closes nothing.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Table, bindparam, select

from calsync.store import meta
from calsync.store.entries import AccountRows, Accounts, Entry
from calsync.store.schema import (
    account,
    credential,
    external_identity,
    membership,
    principal,
    recovery_code,
    second_factor,
)
from calsync.store.schema import meta as meta_table
from calsync.store.statement import Marks, Prepared

if TYPE_CHECKING:
    from calsync.store.transaction import Row, Transaction

#: Which tables, and the column that says whose a row is.
TABLES: Final[Mapping[Table, Column[Any]]] = {
    account: account.c.id,
    credential: credential.c.account,
    membership: membership.c.account,
    second_factor: second_factor.c.account,
    recovery_code: recovery_code.c.account,
    external_identity: external_identity.c.account,
}
#: Where `meta` has the line and what it took the place of, and the last number of it.
LINE: Final = "accounts"
COUNTER: Final = "accounts-line"
SECRET: Final = "secret:"

_ALL: Final = ("", 0, "")
_PAGE: Final = 500  # accounts a read

_OF: Final = {
    table.name: Prepared(select(*table.c).where(of == bindparam("of")).order_by(*table.primary_key))
    for table, of in TABLES.items()
}
_PAGES: Final = {
    table.name: Prepared(
        select(*table.c).where(of > bindparam("after"), of <= bindparam("upto")).order_by(of, *table.primary_key)
    )
    for table, of in TABLES.items()
}
_TOKEN: Final = Prepared(select(*credential.c).where(credential.c.id == bindparam("key")))
_WHOSE: Final = Prepared(
    select(principal.c.epoch)
    .join(account, account.c.principal == principal.c.id)
    .where(account.c.id == bindparam("account_id"))
)
_OF_PRINCIPAL: Final = Prepared(select(account.c.id).where(account.c.principal == bindparam("of_principal")))
_NEXT: Final = Prepared(
    select(account.c.id, principal.c.epoch)
    .join(principal, account.c.principal == principal.c.id, isouter=True)
    .where(account.c.id > bindparam("after"))
    .order_by(account.c.id)
    .limit(_PAGE)
)
_COLUMNS: Final = {table.name: tuple(column.name for column in table.c) for table in (*TABLES, meta_table)}


def of(table: Table, whose: str, key: str = "") -> Marks:
    """For a statement that changes `table`: its parameters that name the account, and the row where it is one."""

    def marks(tx: Transaction, values: Mapping[str, Any]) -> None:
        _mark(tx, table, values[whose], values[key] if key else "")

    return marks


def of_principal(whose: str) -> Marks:
    """For a statement that changes the account of a principal, which it names so."""

    def marks(tx: Transaction, values: Mapping[str, Any]) -> None:
        for (account_id,) in tx.all(_OF_PRINCIPAL, of_principal=values[whose]):
            _mark(tx, account, account_id, "")

    return marks


def secret_made(tx: Transaction, key: str) -> None:
    """A key was made; what is hashed with it is worth nothing without it."""
    _mark(tx, meta_table, 0, key)


def begin(tx: Transaction) -> None:
    """Begin a line with this transaction."""
    tx.accounts[_ALL] = ""


def line(tx: Transaction) -> tuple[str, tuple[str, ...]]:
    """The line of the store, and those that it took the place of; empty where none was begun."""
    stored = json.loads(meta.get(tx, LINE) or b"{}")
    return str(stored.get("line", "")), tuple(stored.get("before", ()))


def set_line(tx: Transaction, name: str, before: Iterable[str]) -> None:
    """Have a line begin; with an empty name the next change begins one."""
    known = [one for one in dict.fromkeys(before) if one and one != name]
    meta.put(tx, LINE, json.dumps({"line": name, "before": known}).encode())
    meta.put(tx, f"counter:{COUNTER}", b"0")


def entries(tx: Transaction) -> Iterator[Entry]:
    """What the journal is to say. Takes the number, so it is asked once, and only where there is a journal."""
    if not tx.accounts:
        return
    name, before = line(tx)
    if not name or _ALL in tx.accounts:
        before = (*before, name)
        name = secrets.token_hex(8)
        set_line(tx, name, before)
        yield Accounts(name, meta.count(tx, COUNTER), line(tx)[1])
        yield from _everybody(tx, name)
        return
    number = meta.count(tx, COUNTER)
    for (table, account_id, key), whose in tx.accounts.items():
        known = whose or _whose(tx, account_id)
        yield AccountRows(name, number, known, table, account_id, key, _rows(table, _read(tx, table, account_id, key)))


def _mark(tx: Transaction, table: Table, account_id: int, key: str) -> None:
    # Who it was is known before the row goes.
    if tx.journal is not None and (table.name, account_id, key) not in tx.accounts:
        tx.accounts[table.name, account_id, key] = _whose(tx, account_id)


def _whose(tx: Transaction, account_id: int) -> str:
    row = tx.first(_WHOSE, account_id=account_id) if account_id else None
    return "" if row is None else str(row[0])


def _read(tx: Transaction, table: str, account_id: int, key: str) -> list[Row]:
    if table == meta_table.name:
        value = meta.get(tx, key)
        return [] if value is None else [(key, value)]
    if key:
        return tx.all(_TOKEN, key=key)
    return tx.all(_OF[table], of=account_id)


def _everybody(tx: Transaction, name: str) -> Iterator[AccountRows]:
    for key, value in meta.starting(tx, SECRET):
        yield AccountRows(name, 1, "", meta_table.name, 0, key, _rows(meta_table.name, [(key, value)]))
    after = 0
    while page := tx.all(_NEXT, after=after):
        epochs = {id_: epoch or "" for id_, epoch in page}
        upto = page[-1][0]
        for table, column in TABLES.items():
            place = list(table.c).index(column)
            found = tx.all(_PAGES[table.name], after=after, upto=upto)
            for id_, own in groupby(found, key=itemgetter(place)):
                yield AccountRows(name, 1, epochs.get(id_, ""), table.name, id_, "", _rows(table.name, own))
        after = upto


def _rows(table: str, found: Iterable[Row]) -> list[dict[str, Any]]:
    """As an entry has them: by the names of the columns, octets in base64."""
    return [dict(zip(_COLUMNS[table], map(_plain, row), strict=True)) for row in found]


def _plain(value: Any) -> Any:
    return b64encode(value).decode("ascii") if isinstance(value, bytes | memoryview) else value
