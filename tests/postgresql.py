"""A PostgreSQL server of the tests' own: Debian's, in a folder that goes with it, on a Unix socket and loopback."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
import pytest

from calsync.store.postgresql import prepare
from tests.ports import free_port


def binary(name: str) -> Path | None:
    """A program of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1]
    elsewhere = shutil.which(name)
    return Path(elsewhere) if elsewhere else None


def required() -> None:
    """Skip where there is no server; under CALSYNC_TEST_ALL that is a failure."""
    if binary("initdb") is None:
        reason = "no PostgreSQL server is installed (apt install postgresql)"
        if os.environ.get("CALSYNC_TEST_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)


def _as_postgres() -> Callable[[], None] | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres")

    def become() -> None:
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)

    return become


def _memory() -> str | None:
    """Where files are made and removed fast, if there is room."""
    place = Path("/dev/shm")
    return str(place) if place.is_dir() and shutil.disk_usage(place).free > 1 << 30 else None


#: For a start or an end, as long as a test may last.
_WAIT: Final = ("-w", "-t", "280")


@dataclass
class Cluster:
    """A server with databases that are made on demand. `fast`: no fsync, for what no crash is to be survived."""

    fast: bool = True
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="calsync-pg-", dir=_memory())))
    port: int = 0
    follows: Cluster | None = None
    _patterns: dict[int, str] = field(default_factory=dict)

    def start(self) -> None:
        """Make the cluster at the first start; a start after a crash recovers it."""
        if not self.port:
            if os.geteuid() == 0:
                user = pwd.getpwnam("postgres")
                os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.port = free_port()
            data = f"{self.folder}/data"
            if self.follows is None:
                self._run("initdb", "-D", data, "-U", "calsync", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
            else:
                source = f"host=127.0.0.1 port={self.follows.port} user=calsync"
                self._run("pg_basebackup", "-D", data, "-d", source, "-R", "-X", "stream", "-c", "fast")
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        if self.fast:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
            options += " -c autovacuum=off"  # plans are what a test makes them, not what came by while it ran
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", *_WAIT, "-o", options, "start")

    def replica(self) -> Cluster:
        """A server that follows this one, as a copy of all its databases; stopped and removed like any other."""
        made = Cluster(self.fast, follows=self)
        made.start()
        return made

    def stop(self, mode: str = "fast") -> None:
        """`fast`, or `immediate`: as a crash."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", *_WAIT, "-m", mode, "stop")

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self, name: str = "") -> str:
        """The URL of a new, empty database."""
        name = name or f"t{uuid.uuid4().hex[:12]}"
        self._administer(f"CREATE DATABASE {name}")
        return self.url(name)

    def store(self, partitions: int = 0) -> str:
        """The URL of a new database with the tables of a store, and nothing in them: a copy of the first such one.

        CALSYNC_TEST_PARTITIONS says of how many partitions the tables are where the test does not.
        """
        count = partitions or int(os.environ.get("CALSYNC_TEST_PARTITIONS", "0"))
        if count not in self._patterns:
            self._patterns[count] = self.database()
            prepare(self._patterns[count], partitions=count)
        name = f"t{uuid.uuid4().hex[:12]}"
        pattern = self._patterns[count].rpartition("/")[2]
        self._administer(f"CREATE DATABASE {name} TEMPLATE {pattern} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._administer(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        """Who left a database a moment ago, or keeps it clean, may still be in it: PostgreSQL waits 5 s for them."""
        until = time.monotonic() + 60
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            while True:
                try:
                    connection.execute(statement.encode())
                    return
                except psycopg.errors.ObjectInUse:
                    if time.monotonic() > until:
                        raise

    def url(self, name: str) -> str:
        return f"postgresql://calsync@127.0.0.1:{self.port}/{name}"

    def _run(self, name: str, *arguments: str) -> None:
        program = binary(name)
        assert program is not None
        done = subprocess.run(
            [str(program), *arguments],
            preexec_fn=_as_postgres(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"


@contextmanager
def running(*, fast: bool = True) -> Iterator[Cluster]:
    """A server of the caller's own, that may be stopped, until the block ends."""
    required()
    made = Cluster(fast)
    made.start()
    try:
        yield made
    finally:
        made.remove()


_shared: Cluster | None = None
_stores: dict[str, str] = {}


def shared() -> Cluster:
    """The server of this test run, started at the first asking and removed at the end."""
    global _shared
    if _shared is None:
        required()
        _shared = Cluster()
        atexit.register(_shared.remove)
        _shared.start()
    return _shared


def everywhere() -> bool:
    """Whether CALSYNC_TEST_STORE asks for it in tests that do not care on which database they run."""
    return os.environ.get("CALSYNC_TEST_STORE", "sqlite") == "postgresql"


def instead_of(folder: Path) -> str | None:
    """The store of a test that would keep its data in `folder`, if `everywhere`; else None."""
    if not everywhere():
        return None
    key = os.path.realpath(folder)
    if key not in _stores:
        _stores[key] = shared().store()
    return _stores[key]
