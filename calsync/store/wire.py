"""Statements on a PostgreSQL connection, with less between them and libpq than a cursor of psycopg's.

Each statement is prepared at its first use in a connection, values go out as text or octets and rows come back binary.
A cursor costs as much again as the server's answer, and a request has ten of them (`docs/decisions.md`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from functools import cache
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer
from psycopg.types.numeric import NumericBinaryLoader
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql.base import PGDialect

from calsync.store.watch import Line

_INT8, _BYTEA, _INFERRED = 20, 17, 0
_TYPES: Final = {int: _INT8, bool: _INT8, bytes: _BYTEA, str: _INFERRED, type(None): _INFERRED}
_DONE: Final = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
_TEXT, _BINARY = 0, 1
_DIALECT: Final = PGDialect()  # type: ignore[no-untyped-call]
_PLACE: Final = re.compile("%[s%]")


class Result:
    """What a statement gave, all of it."""

    __slots__ = ("_rows", "description", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int, columns: int) -> None:
        self._rows = rows
        self.rowcount = rowcount
        self.description = columns or None

    def fetchall(self) -> list[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return self._rows[0] if self._rows else None


class _Sum(NumericBinaryLoader):
    """What sums of numbers are: integers, as the numbers."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))


class Session(psycopg.Connection[Any]):
    """A connection with the statements that were prepared in it.

    `used`: when it was given back, `since`: since when an answer is waited for, 0 while none is (`time.monotonic`).
    `bounded`: whether that may be cancelled because it takes long.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.prepared: dict[tuple[str, tuple[type, ...]], bytes] = {}
        # Where a pooler gives the server's session to somebody else, that one must not meet our statements by name.
        self.mark = secrets.token_hex(4).encode()
        self.adapters.register_loader("numeric", _Sum)
        self.rows = Transformer.from_context(self)
        self.used = self.since = 0.0
        self.bounded = False
        self.line: Line | None = None

    def watched(self) -> None:
        """From now on it can be cut off."""
        self.line = Line(self.pgconn.socket)

    def cut(self, since: float) -> None:
        """Let who waits since then hear that the connection is lost."""
        if self.line is not None and self.since == since:
            self.line.cut()

    def close(self) -> None:
        if self.line is not None:
            self.line.close()
        super().close()

    def plain(self, statements: bytes) -> None:
        """Run statements without values, of which no row is wanted, as one message."""
        self.since = monotonic()
        result = self.pgconn.exec_(statements)
        self.since = 0.0
        self._check(result)

    def commit_whole(self) -> None:
        """COMMIT. A transaction in which something failed makes a ROLLBACK of it, without an error; here it is one."""
        self.since = monotonic()
        result = self.pgconn.exec_(b"COMMIT")
        self.since = 0.0
        self._check(result)
        if result.command_status != b"COMMIT":
            raise errors.InFailedSqlTransaction("nothing was committed, for a statement had failed")

    def _check(self, result: pq.abc.PGresult) -> None:
        if result.status in _DONE:
            return
        if self.pgconn.status == pq.ConnStatus.BAD:
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            # What the server said before it went tells more than that it is gone.
            kind = errors.lookup(state.decode()) if state else psycopg.OperationalError
            raise kind(result.error_message.decode("utf-8", "replace") or "the connection is lost")
        raise errors.error_from_result(result, encoding="utf-8")


class Connection:
    """A connection as a transaction needs it."""

    __slots__ = ("real",)

    def __init__(self, real: Session) -> None:
        self.real = real

    def execute(self, sql: str, parameters: Sequence[Any] | None = None, /) -> Result:
        """Without parameters it may take its time: an index that is made, statistics."""
        real = self.real
        pgconn = real.pgconn
        real.bounded = parameters is not None
        parameters = parameters or ()
        real.since = monotonic()
        key = sql, tuple(map(type, parameters))
        name = real.prepared.get(key)
        if name is None:
            name = b"c%d_%b" % (len(real.prepared), real.mark)
            real._check(pgconn.prepare(name, numbered(sql), [_TYPES[kind] for kind in key[1]]))
            real.prepared[key] = name
        values, formats = _written(parameters)
        # The values may be None, though the types of psycopg 3.3 say otherwise.
        result = pgconn.exec_prepared(name, values, formats, _BINARY)  # type: ignore[arg-type]
        real.since = 0.0
        real._check(result)
        rows: list[Any] = []
        if result.ntuples:
            real.rows.set_pgresult(result)
            rows = real.rows.load_rows(0, result.ntuples, tuple)
        return Result(rows, result.command_tuples or 0, result.nfields)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        rows = list(parameters)
        if len(rows) == 1:
            return self.execute(sql, rows[0])
        cursor = self.real.cursor()
        self.real.since, self.real.bounded = monotonic(), True
        cursor.executemany(sql, rows)  # in libpq's pipeline mode: nobody waits for each
        self.real.since = 0.0
        return cursor

    def load(self, table: Table, rows: Iterable[Sequence[Any]], /) -> None:
        """`COPY … FROM STDIN`: rows go as a stream, none waits for an answer."""
        sql, types = _copying(table)
        self.real.since, self.real.bounded = monotonic(), True
        with self.real.cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
        self.real.since = 0.0


@cache
def _copying(table: Table) -> tuple[str, list[str]]:
    """The statement, and what the values are: in the binary form octets are not doubled."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    types = [str(column.type.compile(_DIALECT)).partition(" ")[0].lower() for column in table.columns]
    return f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)', types


def numbered(sql: str) -> bytes:
    """`%s` as `$1`, `$2`, … and `%%` as `%`."""
    number = 0

    def place(match: re.Match[str]) -> str:
        nonlocal number
        if match[0] == "%%":
            return "%"
        number += 1
        return f"${number}"

    return _PLACE.sub(place, sql).encode()


def _written(parameters: Sequence[Any]) -> tuple[list[bytes | None], list[int]]:
    values: list[bytes | None] = []
    formats: list[int] = []
    for value in parameters:
        if isinstance(value, int):
            values.append(b"%d" % value)
            formats.append(_TEXT)
        elif isinstance(value, str):
            octets = value.encode()
            if b"\0" in octets:
                raise psycopg.DataError("PostgreSQL's texts cannot hold the character U+0000")
            values.append(octets)
            formats.append(_TEXT)
        else:
            values.append(value)
            formats.append(_BINARY)
    return values, formats
