"""Services for tests, each a process on loopback with its files in a folder of the test: they end with the test."""

from __future__ import annotations

import contextlib
import getpass
import grp
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.server_process import ROOT


class OidcProvider:
    """tests/services/provider.py; `issuer` is its address."""

    def __init__(self, process: subprocess.Popen[bytes], issuer: str) -> None:
        self._process = process
        self.issuer = issuer

    def control(self, **order: Any) -> dict[str, Any]:
        """Make it do something; see `Handler.control`."""
        request = urllib.request.Request(f"{self.issuer}/control", json.dumps(order).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def token(self, login: str, **claims: Any) -> str:
        """A signed access token."""
        return str(self.control(login=login, sign=claims)["token"])

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def oidc_provider() -> Iterator[OidcProvider]:
    """A provider of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.services.provider"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout is not None
            yield OidcProvider(process, process.stdout.readline().decode().strip())
        finally:
            process.kill()


def program(name: str, package: str) -> str:
    """The path of a program of Debian's; the test is skipped where it is missing, unless nothing may be skipped."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        assert not os.environ.get("CALSYNC_TEST_ALL"), f"{name} is not installed (apt install {package})"
        pytest.skip(f"{name} is not installed (apt install {package})")
    return found


def until_open(address: tuple[str, int] | str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something listens at an address or at a socket's path."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        with socket.socket(family) as probe:
            if probe.connect_ex(address) == 0:
                return
        assert process.poll() is None, log.read_text(errors="replace")
        time.sleep(0.05)
    raise AssertionError(f"nothing listens at {address}:\n{log.read_text(errors='replace')}")


class Service:
    """A running program; `stop` ends it, `start` starts it again at the same address."""

    def __init__(self, command: list[str], log: Path, address: tuple[str, int]) -> None:
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.address = address

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until_open(self.address, self._process, self._log)

    def stop(self) -> None:
        """End it and what it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        # Dovecot's children end by and by, and what listens takes connections as long as one of them is there.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def pause(self) -> None:
        """Let it hang: it takes connections and answers nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)


_SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw {reader}
directory {folder}/data
"""

_LDIF = """
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example
"""

_PERSON = """
dn: uid={name},dc=example,dc=org
objectClass: inetOrgPerson
uid: {name}
cn: {cn}
sn: {cn}
mail: {name}@example.org
userPassword: {password}
"""

#: The password of the LDAP user that searches.
READER = "reader's secret"


@contextlib.contextmanager
def slapd(folder: Path) -> Iterator[Service]:
    """OpenLDAP with anna and bert (passwords `secret of NAME`), and the groups family (both) and staff (anna)."""
    program("slapadd", "slapd")
    folder.mkdir(parents=True)
    (folder / "data").mkdir()
    configuration = folder / "slapd.conf"
    configuration.write_text(_SLAPD.format(folder=folder, reader=f'"{READER}"'))
    people = [
        _PERSON.format(name=name, cn=name.capitalize(), password=f"secret of {name}") for name in ("anna", "bert")
    ]
    groups = [_group("family", "anna", "bert"), _group("staff", "anna")]
    entries = "".join([_LDIF, *people, *groups])
    subprocess.run(
        [program("slapadd", "slapd"), "-f", str(configuration)], input=entries.encode(), check=True, capture_output=True
    )
    port = free_port()
    address = ("127.0.0.1", port)
    command = [program("slapd", "slapd"), "-f", str(configuration), "-h", f"ldap://127.0.0.1:{port}", "-d", "0"]
    yield from _running(Service(command, folder / "log", address))


def _group(name: str, *members: str) -> str:
    lines = "".join(f"member: uid={member},dc=example,dc=org\n" for member in members)
    return f"\ndn: cn={name},dc=example,dc=org\nobjectClass: groupOfNames\ncn: {name}\n{lines}"


_DOVECOT = """
base_dir = {run}
state_dir = {run}
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
auth_verbose = yes
{users}
mail_location = maildir:{run}/mail/%u
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service auth {{
  user = {user}
  unix_listener calsync-auth {{
    mode = 0600
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {folder}/users
}}
{more}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={run}/mail
}}
"""


_DEAD = """
passdb {{
  driver = imap
  args = host=127.0.0.1 port={port}
}}
"""


@contextlib.contextmanager
def dovecot(folder: Path, *, broken: bool = False) -> Iterator[Service]:
    """Dovecot with anna and bert (passwords `secret of NAME`): IMAP at `address`, and its auth socket.

    `broken`: whom it does not know, it asks another server about, which is down. A socket's path must be short, so it
    lies in a folder of its own; `socket` in this one is a link to it.
    """
    folder.mkdir(parents=True)
    run = Path(tempfile.mkdtemp(prefix="calsync-"))
    (run / "mail").mkdir()
    (run / "mail").chmod(0o777)
    (folder / "users").write_text("".join(f"{name}:{{PLAIN}}secret of {name}\n" for name in ("anna", "bert")))
    (folder / "socket").symlink_to(run / "calsync-auth")
    user, group, port = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name, free_port()
    # Started as root it gives its rights up, to users that Debian's package makes; else it is one user all through.
    one = [("default_internal_user", user), ("default_internal_group", group), ("default_login_user", user)]
    configuration = folder / "dovecot.conf"
    configuration.write_text(
        _DOVECOT.format(
            folder=folder,
            run=run,
            port=port,
            user=user,
            more=_DEAD.format(port=free_port()) if broken else "",
            users="\n".join(f"{name} = {value}" for name, value in one) if os.getuid() else "",
            uid=os.getuid() or 1000,
            gid=os.getgid() or 1000,
        )
    )
    command = [program("dovecot", "dovecot-imapd"), "-F", "-c", str(configuration)]
    try:
        yield from _running(Service(command, folder / "log", ("127.0.0.1", port)))
    finally:
        shutil.rmtree(run, ignore_errors=True)


def _running(service: Service) -> Iterator[Service]:
    service.start()
    try:
        yield service
    finally:
        service.resume()
        service.stop()
