"""The embedded back end: one SQLite file in WAL mode, many readers, one writer.

Readers borrow a connection from a pool and see a snapshot; they never wait for the writer nor the writer for them. The
writer holds two locks for its whole transaction, the automatic checkpoint at its end included: one that gives the
threads of this process their turn in order, and a file lock between processes. The second also keeps away the
corruption that SQLite before 3.51.3 risks when two connections commit and checkpoint at the same instant ("WAL-reset
bug").

There is no memory map: a damaged disk would then kill the process instead of failing one read.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from calsync.store import still
from calsync.store.disk import MEANINGS, trouble
from calsync.store.errors import Busy, Damaged, Full, ReadOnly, StoreError
from calsync.store.filelock import FileLock
from calsync.store.serving import Presence
from calsync.store.turns import Turns

#: Seconds that a writer waits for its turn, and a connection for a lock of SQLite's own.
PATIENCE: Final = 15.0
#: SQLite's first version without the WAL-reset bug (https://sqlite.org/wal.html#walreset).
WAL_RESET_FIXED: Final = (3, 51, 3)
#: Below this `RETURNING` is missing.
OLDEST: Final = (3, 35, 0)

_IDLE_READERS: Final = 8
_PREPARED: Final = 256
_READER_CACHE: Final = 2048  # KiB each
_WRITER_CACHE: Final = 8192
_CHECKPOINT_PAGES: Final = 1000  # of 4 KiB
_LARGEST_IDLE_WAL: Final = 64 << 20
#: Seconds for which readers may keep the log from being emptied; milliseconds that a try of it keeps other writers
#: waiting, and seconds between two.
_EMPTYING: Final = 10.0
_BRIEFLY: Final = 200
_PAUSE: Final = 0.2

#: Connections that came over a fork: neither usable nor to be closed in the child (sqlite.org/howtocorrupt.html).
_forsaken: Final[list[sqlite3.Connection]] = []

_KINDS: Final[dict[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_FULL: (Full, "no space left for the store"),
    sqlite3.SQLITE_BUSY: (Busy, "the store is busy"),
    sqlite3.SQLITE_LOCKED: (Busy, "the store is busy"),
    sqlite3.SQLITE_NOMEM: (Busy, "no memory left for the store"),
    sqlite3.SQLITE_READONLY: (ReadOnly, "the store cannot be written"),
    sqlite3.SQLITE_PERM: (ReadOnly, "the store cannot be written"),
    sqlite3.SQLITE_CORRUPT: (Damaged, "the store is damaged"),
    sqlite3.SQLITE_NOTADB: (Damaged, "the file is not an SQLite database"),
    sqlite3.SQLITE_IOERR: (StoreError, "the disk does not read or write the store"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "the store cannot be opened"),
}

_UNCLEAR: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def failure(error: sqlite3.Error, path: Path) -> StoreError:
    """What an error of the driver means."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind, message = _KINDS.get(code, (StoreError, "the store failed"))
    if code in _UNCLEAR and (cause := trouble(path.parent)) is not None:
        kind, message = MEANINGS.get(cause.errno or 0, kind), f"{message}: {cause.strerror}"
    return kind(f"store: {path}: {message} ({error})")


def connect(path: Path, *, reader: bool = False, mode: str = "mode=rw") -> sqlite3.Connection:
    """A connection to an existing file, in autocommit, usable from any thread. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{mode}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_PREPARED,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE if reader else _WRITER_CACHE}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")
        if reader:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_IDLE_WAL}")
            # As Debian compiles it: what is deleted is overwritten.
            connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def lock_of(path: Path) -> FileLock:
    """The lock between processes that belongs to a store."""
    return FileLock(path.with_name(path.name + "-lock"))


class Database:
    """The connections of this process to one file. `engine` shares one among all that open the same path."""

    dialect: Final = "sqlite"
    failures: Final[tuple[type[Exception], ...]] = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._presence = Presence(path)
        self._start()

    def _start(self) -> None:
        self._presence.come(PATIENCE)
        self._turns = Turns()
        self._lock = lock_of(self.path)
        self._readers: list[sqlite3.Connection] = []
        #: Of a file that is read without its log, because it cannot be written.
        self._mark: still.Mark | None = None
        self._writer: sqlite3.Connection | None = None

    def failure(self, error: Exception) -> StoreError:
        assert isinstance(error, sqlite3.Error)
        return failure(error, self.path)

    def lost(self, connection: Any) -> bool:
        """Whether SQLite has ended the transaction by itself, as it does after some errors (a full disk)."""
        return not connection.in_transaction

    # --- reading ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def snapshot(self, *, one: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection inside a read transaction, whose snapshot is taken by its first statement."""
        readers = self._readers
        try:
            connection = self._borrow(readers)
        except sqlite3.Error as error:
            raise self.failure(error) from error
        try:
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error as error:
            raise self.failure(error) from error
        finally:
            self._give_back(connection, readers)

    def _borrow(self, readers: list[sqlite3.Connection]) -> sqlite3.Connection:
        # A list's pop and append are atomic; the connection used last has the warmest cache.
        if self._mark is not None and still.mark_of(self.path) != self._mark:
            self._mark = None
            stale, self._readers = self._readers, []
            readers = self._readers
            with contextlib.suppress(IndexError):
                while True:
                    stale.pop().close()
        try:
            return readers.pop()
        except IndexError:
            return self._reader()

    def _reader(self) -> sqlite3.Connection:
        connection, self._mark = still.reader(self.path, lambda path, mode: connect(path, reader=True, mode=mode))
        return connection

    def _give_back(self, connection: sqlite3.Connection, readers: list[sqlite3.Connection]) -> None:
        try:
            if connection.in_transaction:
                connection.execute("COMMIT")
        except sqlite3.Error:
            connection.close()
            return
        if len(readers) < _IDLE_READERS and readers is self._readers:
            readers.append(connection)
        else:
            connection.close()

    # --- writing ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def exclusive(self, *, alone: bool = True, still: bool = True) -> Iterator[sqlite3.Connection]:
        """The writer's connection inside its transaction: committed at the end, rolled back by an exception."""
        with self._alone():
            connection = self._begin()
            try:
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._undo(connection)
                raise self.failure(error) from error
            except BaseException:
                self._undo(connection)
                raise

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Both locks. Whatever commits, checkpoints or closes a connection holds them."""
        if not self._turns.take(PATIENCE):
            raise Busy(f"store: {self.path}: another writer holds the store since {PATIENCE:.0f} s")
        try:
            try:
                taken = self._lock.take(PATIENCE)
            except OSError as error:
                kind = MEANINGS.get(error.errno or 0, StoreError)
                raise kind(f"store: {self._lock.path}: {error.strerror}: the store cannot be written") from error
            if not taken:
                raise Busy(f"store: {self.path}: another process holds the store since {PATIENCE:.0f} s")
            try:
                yield
            finally:
                self._lock.give()
        finally:
            self._turns.give()

    def _begin(self) -> sqlite3.Connection:
        try:
            if self._writer is None:
                self._writer = connect(self.path)
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self.failure(error) from error
        return self._writer

    def _undo(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            # A connection that cannot even roll back is not used again.
            self._writer = None
            connection.close()

    # --- the rest -----------------------------------------------------------------------------------------------------

    def grown(self, rows: int) -> None:
        """Plans come from a model of sizes (`calsync.store.plans`), not from what there is."""

    def backup(self, target: Path) -> None:
        """A consistent copy at `target`, mode 0600, while everybody goes on reading and writing."""
        try:
            copy(self.path, target)
        except sqlite3.Error as error:
            raise self.failure(error) from error

    def wipe(self) -> bool:
        """Empty the log, in which rows stand that have long been deleted from the file.

        A reader's snapshot may need it; so it is tried for a while, and others write between the tries.
        """
        end = time.monotonic() + _EMPTYING
        while not self._emptied():
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE)
        return True

    def _emptied(self) -> bool:
        with self._alone():
            try:
                with contextlib.closing(connect(self.path)) as connection:
                    connection.execute(f"PRAGMA busy_timeout = {_BRIEFLY}")
                    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    return not busy
            except sqlite3.Error as error:
                raise self.failure(error) from error

    def problems(self) -> list[str]:
        """What SQLite's own check finds in the file; reads all of it."""
        try:
            with self.snapshot() as connection:
                rows = connection.execute("PRAGMA integrity_check").fetchall()
        except sqlite3.Error as error:
            raise self.failure(error) from error
        return [text for (text,) in rows if text != "ok"]

    def describe(self) -> dict[str, str]:
        """What an administrator wants to know of the back end."""
        fixed = sqlite3.sqlite_version_info >= WAL_RESET_FIXED
        return {
            "back end": "SQLite",
            "version": sqlite3.sqlite_version,
            "file": str(self.path),
            "wal-reset bug": "fixed in this SQLite" if fixed else "kept away by calsync's lock file",
            "lock file": str(self._lock.path),
        }

    def forsake(self) -> None:
        """In a child after a fork: begin anew without touching what belongs to the parent."""
        _forsaken.extend(self._readers)
        if self._writer is not None:
            _forsaken.append(self._writer)
        self._lock.close()
        self._presence.leave()
        self._start()

    def close(self) -> None:
        """Close all connections; the last one of all processes checkpoints, hence the locks."""
        readers, self._readers = self._readers, []
        try:
            with self._alone():
                self._close(readers)
        except StoreError:
            self._close(readers)
        self._lock.close()
        self._presence.leave()

    def _close(self, readers: list[sqlite3.Connection]) -> None:
        for connection in readers:
            connection.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class Still(Database):
    """A file that nobody writes, like a backup: read where it lies, and nothing comes to lie beside it."""

    def _start(self) -> None:
        self._readers = []
        self._mark = None

    def _reader(self) -> sqlite3.Connection:
        return connect(self.path, reader=True, mode="mode=ro&immutable=1")

    @contextlib.contextmanager
    def exclusive(self, *, alone: bool = True, still: bool = True) -> Iterator[sqlite3.Connection]:
        """A backup is not changed."""
        raise ReadOnly(f"store: {self.path}: a copy is only read")
        yield

    def forsake(self) -> None:
        _forsaken.extend(self._readers)
        self._start()

    def close(self) -> None:
        for connection in self._readers:
            connection.close()


def copy(path: Path, target: Path) -> None:
    """SQLite's online backup, also of a store that cannot be written. Raises `sqlite3.Error` and `OSError`: then there
    is none, and no half of one that would be taken for it."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        source, _ = still.reader(path, lambda place, mode: connect(place, reader=True, mode=mode))
        with contextlib.closing(source), contextlib.closing(sqlite3.connect(target)) as copied:
            source.backup(copied)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
