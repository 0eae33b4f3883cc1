"""What tests do to a database past the store."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg

from calsync.store.engine import Store
from calsync.store.schema import METADATA
from calsync.store.urls import path_of


@dataclass(frozen=True)
class Raw:
    """Statements past the store, on whichever database it is. Octets are written as in SQLite."""

    url: str

    @classmethod
    def of(cls, store: Store | None) -> Raw:
        """The database of a store that is open."""
        assert store is not None
        told = store.describe()
        return cls(f"sqlite:///{told['file']}" if "file" in told else told["database"])

    def run(self, *statements: str) -> int:
        """Run them in one transaction; how many rows the last one touched."""
        count = 0
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(path_of(self.url))) as connection, connection:
                for statement in statements:
                    count = connection.execute(statement).rowcount
            return count
        with psycopg.connect(self.url) as connected:
            for statement in statements:
                count = connected.execute(_translated(statement).encode()).rowcount
        return count

    def rot(self, old: str, new: str) -> int:
        """Exchange a text, by another of the same length, in all bodies that hold it; how many there are."""
        assert len(old) == len(new)
        if self.url.startswith("sqlite"):
            return self.run(
                f"UPDATE body SET octets = CAST(replace(octets, '{old}', '{new}') AS BLOB) WHERE instr(octets, '{old}')"
            )
        return self.run(
            f"UPDATE body SET octets = overlay(octets PLACING '{new}'::bytea FROM position('{old}'::bytea IN octets))"
            f" WHERE position('{old}'::bytea IN octets) > 0"
        )

    def becomes_idle(self, timeout: float = 30) -> bool:
        """Whether no reader holds on to an old state, once who writes beside (a last use, say) has ended."""
        until = time.monotonic() + timeout
        while not (idle := self._is_idle()) and time.monotonic() < until:
            time.sleep(0.02)
        return idle

    def _is_idle(self) -> bool:
        """A checkpoint takes SQLite's whole log over, no session works."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(path_of(self.url), timeout=0)) as connection:
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return bool(busy == 0)
        return self.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
            " AND pid <> pg_backend_pid()"
        ) == [(0,)]

    def is_left(self) -> bool:
        """Whether nobody else has the PostgreSQL database open: of who has ended, all is done by then."""
        return self.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ) == [(0,)]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(path_of(self.url))) as connection:
                return list(connection.execute(statement))
        with psycopg.connect(self.url) as connected:
            return connected.execute(_translated(statement).encode()).fetchall()

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns."""
        return [column.name for column in METADATA.tables[table].columns]


def _translated(statement: str) -> str:
    """x'00' is a string of bits in PostgreSQL, and `instr` is called otherwise."""
    statement = re.sub(r"\bx'([0-9a-f]*)'", r"'\\x\1'::bytea", statement)
    return re.sub(r"\binstr\((\w+), ('[^']*')\)", r"position(\2::bytea in \1) > 0", statement)
