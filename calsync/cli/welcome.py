"""The first start: Radicale's folder taken in, a first user with a home, and what to type into a phone."""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import itertools
import logging
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from calsync import config, upstream
from calsync.accounts import newcomer, passwords
from calsync.accounts.accounts import Accounts
from calsync.accounts.names import BadName
from calsync.store import principals
from calsync.store.engine import Store

logger = logging.getLogger("calsync")

#: Where the first password goes when nobody looks at the terminal.
LETTER: Final = "first-login.txt"

# Accounts below are those of services (login.defs, UID_MIN).
_FIRST_PERSON: Final = 1000


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first user, just made."""

    name: str
    password: str


def prepare(store: Store, configuration: upstream.Configuration) -> Greeting | None:
    """What a start does before it serves; the first user, where one was made."""
    from calsync.transfer import dropin  # most starts have nothing to take in

    folder = Path(configuration.get("storage", "filesystem_folder"))
    for notice in dropin.notices(hook=configuration.get("storage", "hook")):
        logger.warning("%s", notice)
    dropin.take_in(store, folder, logger=logger, encoding=configuration.get("encoding", "stock"))
    if configuration.get("auth", "type") != "calsync_auth":
        return None
    accounts = Accounts(store)
    if accounts.listing():
        return None
    with store.read() as tx:
        known = [principal.name for principal in principals.listing(tx)]
    if known:
        logger.warning("nobody can log in: calsync user add NAME, for %s", ", ".join(sorted(known)[:10]))
        return None
    return _first_user(store, accounts, configuration)


def _first_user(store: Store, accounts: Accounts, configuration: upstream.Configuration) -> Greeting:
    # Before the account: its password must not be lost because there is nowhere to put it.
    Path(configuration.get("storage", "filesystem_folder")).mkdir(0o700, parents=True, exist_ok=True)
    password = passwords.made_up()
    try:
        account = accounts.create(_login_name(), password)
    except BadName:
        account = accounts.create("me", password)
    furnish(store, account.name, configuration)
    return Greeting(account.name, password)


def furnish(store: Store, name: str, configuration: upstream.Configuration) -> None:
    """Give a new user's home its first collections."""
    from calsync_storage.predefined import predefined

    with store.write() as tx:
        principal = principals.find(tx, name)
        assert principal is not None
        newcomer.provision(tx, principal, predefined(configuration))


def _login_name() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in containers
        return "me"
    return "me" if name == "root" or os.getuid() < _FIRST_PERSON else name


def show(greeting: Greeting | None, urls: Sequence[str], configuration: upstream.Configuration) -> None:
    """Tell a person at the terminal what to do; without one, put the first password where only its owner reads it."""
    if sys.stdout.isatty():
        print(_card(greeting, urls, configuration), flush=True)
    elif greeting is not None:
        path = _posted(Path(configuration.get("storage", "filesystem_folder")), _card(greeting, urls, configuration))
        logger.info("made the first user, %s; the password is in %s: read it, then delete it", greeting.name, path)


def _posted(folder: Path, text: str) -> Path:
    """The letter. One that lies there already may be all that anybody has of another store's password."""
    for number in itertools.count(1):
        path = folder / (LETTER if number == 1 else LETTER.replace(".", f"-{number}."))
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(f"{text}\n")
            return path
    raise AssertionError("unreachable")


def _card(greeting: Greeting | None, urls: Sequence[str], configuration: upstream.Configuration) -> str:
    lines = ["", "  calsync runs."]
    lines += [f"    address   {url}" for url in _told(urls)]
    if greeting is not None:
        lines += [
            f"    user      {greeting.name}",
            f"    password  {greeting.password}",
            "",
            "  Type these three into a client on this machine (Thunderbird, vdirsyncer, …); it finds the rest itself.",
            "  The password is shown this once; this sets another:",
            f"    {_command()} user passwd {greeting.name}{_store(configuration)}",
        ]
    return "\n".join([*lines, *_phone(urls), ""])


def _told(urls: Sequence[str]) -> list[str]:
    """Without the second of two that mean this machine."""
    doubled = {url.replace("//127.0.0.1:", "//[::1]:") for url in urls if "//127.0.0.1:" in url}
    return [url for url in urls if url not in doubled]


def _command() -> str:
    """What a person types to run this very calsync."""
    running = Path(sys.argv[0])
    if running.name != "calsync":
        return f"{sys.executable} -m calsync"
    found = shutil.which("calsync")
    if found and Path(found).samefile(running):
        return "calsync"
    here = Path.cwd()
    return str(running.relative_to(here) if sys.stdout.isatty() and running.is_relative_to(here) else running)


def _store(configuration: upstream.Configuration) -> str:
    """The option that leads a command to this store, where it would not find it by itself.

    A service may have other surroundings than the person that reads its letter.
    """
    from calsync_storage.location import auth_url

    url = auth_url(configuration)
    try:
        found = auth_url(config.load()) if sys.stdout.isatty() else ""
    except config.ConfigurationError:
        found = ""
    return "" if url == found else f" --store {url}"


def _phone(urls: Sequence[str]) -> list[str]:
    """How a phone gets here."""
    tcp = [urlsplit(url) for url in urls if not url.startswith("unix:")]
    if not tcp:
        return ["  It listens for a proxy on this machine; phones use the proxy's address."]
    outside = [url for url in tcp if not ipaddress.ip_address(url.hostname or "::1").is_loopback]
    if not outside:
        everywhere = f"0.0.0.0:{tcp[0].port}"
        if "MAKELEVEL" in os.environ:
            start, line = "Start it with", f'make serve ARGS="--hosts {everywhere}"'
        elif sys.stdout.isatty():
            start, line = "Start it with", f"{_command()} serve --hosts {everywhere}"
        else:
            start, line = "In the configuration, [server], write", f"hosts = {everywhere}"
        return [
            f"  From a phone: calsync listens on this machine only. {start}",
            f"    {line}",
            f"  and type http://{_own_address()}:{tcp[0].port}/ into DAVx5. {_APPLE}",
        ]
    first = outside[0]
    host = first.hostname or ""
    if ipaddress.ip_address(host).is_unspecified:
        host = _own_address()
    line = f"  On a phone: {first.scheme}://{f'[{host}]' if ':' in host else host}:{first.port}/"
    return [line] if first.scheme == "https" else [f"{line} in DAVx5. {_APPLE}"]


_APPLE: Final = "iPhones and Macs insist on HTTPS:\n  --ssl --certificate FILE --key FILE, or a proxy that does TLS."


def _own_address() -> str:
    """The address that this machine has towards others; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])
