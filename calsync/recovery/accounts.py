"""Accounts come from the store that is replaced, where it can be read: what was revoked must not come back to life."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Table, bindparam, delete, insert

from calsync.store import meta
from calsync.store.names import folded
from calsync.store.principals import find
from calsync.store.schema import (
    account,
    credential,
    external_identity,
    login_flow,
    membership,
    recovery_code,
    second_factor,
    web_session,
)
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

#: What is taken over whole.
_TABLES: Final[tuple[Table, ...]] = (
    account,
    credential,
    membership,
    second_factor,
    recovery_code,
    external_identity,
)
#: Sign-ins that would go on from before the backup.
_FORGOTTEN: Final = (web_session, login_flow)
_EMPTY: Final = {table.name: Prepared(delete(table)) for table in (*_TABLES, *_FORGOTTEN)}
_INSERT: Final = {table.name: Prepared(insert(table)) for table in _TABLES}
_SECRET: Final = "secret:"

_REMOVE: Final = Prepared(delete(account).where(account.c.name_key == bindparam("wanted")))

Rows = dict[str, list[dict[str, Any]]]


def read(connection: sqlite3.Connection) -> Rows | None:
    """The rows of all accounts, with the names of their principals; None where they cannot all be read."""
    found: Rows = {}
    try:
        for table in _TABLES:
            names = [column.name for column in table.c]
            rows = connection.execute(f"SELECT {', '.join(names)} FROM {table.name}")
            found[table.name] = [dict(zip(names, row, strict=True)) for row in rows]
        owners = dict(connection.execute("SELECT id, name FROM principal"))
        found["meta"] = [
            {"key": key, "value": value}
            for key, value in connection.execute("SELECT key, value FROM meta")
            if key.startswith((_SECRET, "counter:account"))
        ]
    except sqlite3.Error:
        return None
    for row in found[account.name]:
        row["owner"] = owners.get(row["principal"])
    return found


def write(tx: Transaction, rows: Rows) -> int:
    """Put them, and the keys that they were hashed with, in place of those that the backup holds; how many accounts.

    Every login is to be verified anew, so all generations are raised.
    """
    forget_sign_ins(tx)
    for table in _TABLES:
        tx.run(_EMPTY[table.name])
    taken: set[int] = set()
    for row in rows[account.name]:
        owner = None if row["owner"] is None else find(tx, row["owner"])
        owner = owner or find(tx, folded(row["name"]))
        if owner is None:
            continue
        taken.add(row["id"])
        values = {name: value for name, value in row.items() if name != "owner"}
        tx.run(_INSERT[account.name], **values | {"principal": owner.id, "generation": row["generation"] + 1})
    for table in _TABLES[1:]:
        for row in rows[table.name]:
            if row["account"] in taken:
                tx.run(_INSERT[table.name], **row)
    for row in rows["meta"]:
        meta.put(tx, row["key"], row["value"])
    return len(taken)


def forget_sign_ins(tx: Transaction) -> None:
    """End the sessions in browsers, and what waits for somebody to let it in."""
    for table in _FORGOTTEN:
        tx.run(_EMPTY[table.name])


def remove(tx: Transaction, names: Iterable[str]) -> None:
    """Remove the accounts of people who were removed since."""
    for name in names:
        tx.run(_REMOVE, wanted=folded(name))
