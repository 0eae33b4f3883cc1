"""The configuration, and whether what it names can be used: files, addresses, certificates, rights on secrets."""

from __future__ import annotations

import http.client
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from calsync import config
from calsync.config import check
from calsync.doctor import certificate
from calsync.doctor.finding import Checks, Finding, note, ok, problem, warning
from calsync.doctor.inside.context import Context
from calsync.options import SECRETS
from calsync.server.certificate import of_file
from calsync.store.urls import path_of

CHECKS: Final[Checks[Context]] = Checks("Configuration")

_MEND: Final = "change what is named; calsync config check looks again"
#: What is looked at more closely below.
LATER: Final = (
    ("server", "hosts"),
    ("storage", "url"),
    ("storage", "filesystem_folder"),
    ("auth", "calsync_url"),
    ("history", "journal"),
    ("backup", "folder"),
    ("calsync", "mirror"),
)
_OTHERS: Final = stat.S_IRWXO
_ANSWER: Final = 5.0  # seconds


@CHECKS("configuration")
def read(context: Context) -> Iterator[Finding]:
    if not context.not_read and context.configuration is None:
        return
    sound = not context.not_read
    for found in check.examine(context.paths)[1]:
        if (found.section, found.option) in LATER and not (found.section == "storage" and _is_missing(context)):
            continue
        if found.level == check.WARNING:
            mend = "change it, or take it out" if found.option else "nothing, where it is meant so; each start logs it"
            yield warning(str(found), "nothing that is suspicious", mend, "config")
        else:
            sound = False
            yield problem(str(found), "a configuration that a server starts with", _MEND, "config")
    if sound and context.configuration is not None:
        yield ok(", ".join(context.files) or "no file, all is as it comes")
        if not config.is_own_storage(context.configuration):
            kind = context.configuration.get("storage", "type")
            yield note(
                f"[storage] type = {kind}: Radicale's own code serves, calsync's store is not used",
                "calsync_storage, for all that calsync adds",
                "leave [storage] type out; the first start takes the folder in",
                "stock-storage",
            )


def _is_missing(context: Context) -> bool:
    """Whether the store would be made: then its folder matters."""
    return context.folder is not None and not path_of(context.url).exists()


@CHECKS("secrets")
def secrets(context: Context) -> Iterator[Finding]:
    told = False
    for name in context.files:
        path = Path(name)
        if not _holds_secret(path):
            continue
        told = True
        mode = path.stat().st_mode
        if mode & _OTHERS:
            yield warning(
                f"{path} holds a password and everybody on this machine may read it ({stat.filemode(mode)})",
                "only the server's user may",
                f"chmod o= {path}",
                "secret-readable",
            )
    if not told and context.files:
        yield ok("none in the configuration")


def _holds_secret(path: Path) -> bool:
    """Whether one of the secret options, or a URL with a password, stands in it."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        return False
    names = {option for _, option in SECRETS}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or line.startswith(("#", ";")) or not value.strip():
            continue
        if key.strip() in names:
            return True
        login = value.partition("://")[2].partition("@")
        if login[1] and ":" in login[0] and "/" not in login[0]:
            return True
    return False


@CHECKS("certificate")
def tls(context: Context) -> Iterator[Finding]:
    if context.configuration is None or not context.configuration.get("server", "ssl"):
        return
    path = Path(context.option("server", "certificate"))
    try:
        found = of_file(path)
    except (OSError, ValueError):
        return  # told above
    yield from certificate.validity(found, context.now)


@CHECKS("addresses")
def addresses(context: Context) -> Iterator[Finding]:
    if context.configuration is None:
        return
    tls = bool(context.configuration.get("server", "ssl"))
    reached: list[str] = []
    silent: list[str] = []
    for host, port in context.configuration.get("server", "hosts"):
        (reached if _answers(host, port, tls) else silent).append(
            host if host.startswith("unix:") else f"{host}:{port}"
        )
    if reached:
        yield ok(f"a server answers at {', '.join(reached)}")
    if silent:
        yield note(
            f"nobody answers at {', '.join(silent)}",
            "calsync, where it is to run now",
            "systemctl start calsync, or calsync serve",
            "not-running",
        )


def _answers(host: str, port: int, tls: bool) -> bool:
    """Whether calsync's health page is there."""
    if host.startswith("unix:"):
        place: str | tuple[str, int] = host.removeprefix("unix:")
    else:
        place = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host), port
    connection = http.client.HTTPConnection("localhost")
    try:
        connection.sock = _connected(place, tls)
        connection.request("GET", "/.calsync/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connected(place: str | tuple[str, int], tls: bool) -> socket.socket:
    if isinstance(place, str):
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(_ANSWER)
        plain.connect(place)
    else:
        plain = socket.create_connection(place, _ANSWER)
    if not tls:
        return plain
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only whether it is there
    return context.wrap_socket(plain)
