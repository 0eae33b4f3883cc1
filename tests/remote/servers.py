"""Other people's servers on loopback, each in a folder of its own: stock Radicale, Xandikos, DAViCal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests

from tests.ports import free_port
from tests.postgresql import Cluster, required, shared
from tests.server_process import FOREIGN

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Source:
    """A server that runs. `url`: where an account begins; `home`: below which its calendars and address books are."""

    url: str
    calendars: str
    contacts: str
    login: str = ""

    def ask(self, method: str, url: str, body: bytes | str = b"", **headers: str) -> requests.Response:
        octets = body.encode() if isinstance(body, str) else body
        auth = (self.login, PASSWORD) if self.login else None
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(method, url, data=octets, headers=sent, auth=auth, timeout=60)

    def put(self, url: str, octets: bytes) -> None:
        kind = "text/vcard" if b"BEGIN:VCARD" in octets else "text/calendar"
        answer = self.ask("PUT", url, octets, Content_Type=f"{kind}; charset=utf-8")
        assert answer.status_code in (200, 201, 204), (url, answer.status_code, answer.text)


@contextmanager
def running(command: Sequence[str], folder: Path, port: int, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """A program until the block ends, once it takes connections."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**own, "HOME": str(folder), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 10).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until, log.read_text(errors="replace")
                time.sleep(0.05)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def radicale(folder: Path) -> Iterator[Source]:
    """Stock Radicale with the user anna."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "users").write_text(f"anna:{PASSWORD}\n")
    config = folder / "config"
    config.write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {folder}/users\n"
        "htpasswd_encryption = plain\ndelay = 0\n[storage]\n"
        f"filesystem_folder = {folder}/collections\n[logging]\nlevel = warning\n"
    )
    with running([sys.executable, "-m", "radicale", "--config", str(config)], folder / "run", port):
        url = f"http://127.0.0.1:{port}/"
        source = Source(url, f"{url}anna/work", f"{url}anna/people", "anna")
        make(source)
        yield source


def make(source: Source) -> None:
    """A calendar and an address book, with names and a colour (RFC 5689)."""
    for url, kind, rest in (
        (
            source.calendars,
            "<C:calendar/>",
            "<D:displayname>Work &amp; more</D:displayname>"
            "<I:calendar-color>#ff8800ff</I:calendar-color><C:calendar-description>All of it</C:calendar-description>"
            '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>',
        ),
        (source.contacts, "<R:addressbook/>", "<D:displayname>People</D:displayname>"),
    ):
        made = source.ask(
            "MKCOL",
            f"{url}/",
            '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:R="urn:ietf:params:xml:ns:carddav" '
            'xmlns:I="http://apple.com/ns/ical/"><D:set><D:prop>'
            f"<D:resourcetype><D:collection/>{kind}</D:resourcetype>{rest}</D:prop></D:set></D:mkcol>",
            Content_Type="application/xml",
        )
        assert made.status_code in (200, 201, 207), (made.status_code, made.text)


@contextmanager
def xandikos(folder: Path) -> Iterator[Source]:
    """Xandikos, which asks for no login over http."""
    port = free_port()
    program = Path(sys.executable).parent / "xandikos"
    command = [str(program), "serve", "--defaults", "-d", str(folder / "data"), "-l", "127.0.0.1", "-p", str(port)]
    with running([*command, "--no-detect-systemd"], folder, port):
        url = f"http://127.0.0.1:{port}/"
        yield Source(url, f"{url}user/calendars/calendar", f"{url}user/contacts/addressbook")


_HTDOCS = Path("/usr/share/davical/htdocs")
_DBA = Path("/usr/share/davical/dba")
_AWL = Path("/usr/share/awl/dba")

# PHP's own server takes a dot in a path for a file's ending; Debian's configuration is read as it is, and libpq takes
# host and port from the environment.
_ROUTER = """<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (preg_match('#^/caldav\\.php(/.*)?$#', $path, $found)) {
  $_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/caldav.php';
  $_SERVER['SCRIPT_FILENAME'] = 'HTDOCS/caldav.php';
  $_SERVER['PATH_INFO'] = rawurldecode($found[1] ?? '/');
  chdir('HTDOCS');
  require 'HTDOCS/caldav.php';
  return true;
}
http_response_code(404);
"""


def davical_required() -> None:
    """Skip where DAViCal is not installed; under CALSYNC_TEST_ALL that is a failure."""
    required()
    missing = [name for name in ("php", "perl") if shutil.which(name) is None]
    if not _HTDOCS.is_dir() or not _AWL.is_dir():
        missing.append("davical")
    if missing:
        reason = f"{', '.join(missing)} not installed (apt install davical php-cli)"
        if os.environ.get("CALSYNC_TEST_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def davical(folder: Path) -> Iterator[Source]:
    """DAViCal on PHP's own server and the tests' PostgreSQL, with the user anna."""
    davical_required()
    cluster = shared()
    _database(cluster)
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    router = folder / "router.php"
    router.write_text(_ROUTER.replace("HTDOCS", str(_HTDOCS)))
    command = ["php", "-d", "error_reporting=0", "-d", "display_errors=0", "-S", f"127.0.0.1:{port}", str(router)]
    env = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.port), "PHP_CLI_SERVER_WORKERS": "4"}
    with running(command, folder, port, env):
        url = f"http://127.0.0.1:{port}/caldav.php/"
        source = Source(url, f"{url}anna/work", f"{url}anna/people", "anna")
        make(source)
        yield source
    cluster.drop(cluster.url("davical"))


def _database(cluster: Cluster) -> None:
    """As DAViCal's own script makes it, in a cluster that trusts everybody."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for name in ("davical_dba", "davical_app"):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is None:
                connection.execute(f"CREATE USER {name}".encode())
        connection.execute(b"DROP DATABASE IF EXISTS davical WITH (FORCE)")
        connection.execute(b"CREATE DATABASE davical OWNER davical_dba TEMPLATE template0 ENCODING 'UTF8'")
    psql = ["psql", "-qXAt", "-h", "127.0.0.1", "-p", str(cluster.port), "-U", "davical_dba", "-d", "davical"]
    for script in (_AWL / "awl-tables.sql", _AWL / "schema-management.sql", _DBA / "davical.sql"):
        _run([*psql, "-f", str(script)])
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.port)}
    update = [str(_DBA / "update-davical-database"), "--dbuser", "davical_dba", "--dbname", "davical"]
    _run([*update, "--appuser", "davical_app", "--nopatch", "--owner", "davical_dba"], where)
    _run([*psql, "-f", str(_DBA / "base-data.sql")])
    with psycopg.connect(cluster.url("davical"), autocommit=True) as connection:
        # `**` before a password: it is stored as it is.
        connection.execute(
            "INSERT INTO usr (user_no, active, username, password, fullname, email) "
            "VALUES (1001, true, 'anna', %s, 'Anna', 'anna@example.org')",
            (f"**{PASSWORD}",),
        )
        connection.execute(
            "INSERT INTO principal (principal_id, type_id, user_no, displayname, default_privileges) "
            "VALUES (1001, 1, 1001, 'Anna', 0::bit(24))"
        )


def _run(command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and not re.search(r"^psql.*ERROR", done.stderr, re.MULTILINE), done.stderr[-2000:]
