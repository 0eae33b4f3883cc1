"""What `calsync init` has to know: asked on a terminal, given as options, or guessed with `--yes`."""

from __future__ import annotations

import getpass
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from calsync.accounts import names
from calsync.accounts.names import BadName
from calsync.server.tls import Tls, TlsError
from calsync.webdav.hosts import origin

TLS: Final = ("own", "proxy", "later")

_PROXIES: Final = ("nginx", "caddy", "apache2", "httpd", "haproxy", "traefik")
_ACME: Final = Path("/etc/letsencrypt/live")

T = TypeVar("T")


class BadAnswer(ValueError):
    """An answer cannot be used; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Address:
    """What people type; `port`: None for that of the scheme."""

    host: str
    port: int | None = None
    path: str = "/"

    @classmethod
    def parse(cls, text: str) -> Address:
        """`calendar.example.org`, `192.0.2.1:5232`, `https://example.org/dav/`. Raises `BadAnswer`."""
        text = text.strip()
        try:
            parts = urlsplit(text if "://" in text else f"https://{text}")
            port = parts.port
        except ValueError as error:
            raise BadAnswer(f"address: {text!r}: {error}") from error
        wrong = parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username
        if wrong or not parts.hostname or any(character.isspace() for character in text):
            raise BadAnswer(
                f"address: {text!r} is none (calendar.example.org, 192.0.2.1:5232, https://example.org/dav/)"
            )
        return cls(parts.hostname, port, f"/{parts.path.strip('/')}/".replace("//", "/"))

    def url(self, scheme: str, port: int) -> str:
        """With the port, where it is not the scheme's."""
        return f"{origin(scheme, self.host, port)}{self.path}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of a TLS certificate, which fit."""

    certificate: str
    key: str

    @classmethod
    def checked(cls, certificate: str, key: str) -> Certificate:
        """Raises `BadAnswer`."""
        made = cls(*(str(Path(path).expanduser().absolute()) for path in (certificate, key)))
        try:
            Tls(made.certificate, made.key).context()
        except TlsError as error:
            raise BadAnswer(str(error).removeprefix("[server] ")) from error
        return made


class Questions:
    """Asks at the terminal. `asks` is off with `--yes`: then what is proposed is the answer."""

    def __init__(self, asks: bool) -> None:
        self.asks = asks

    def answer(self, question: str, given: str | None, proposed: str, understood: Callable[[str], T]) -> T:
        """An option's value, else what is typed (again, while it cannot be used), else what is proposed."""
        if given is not None or not self.asks:
            return understood(proposed if given is None else given)
        while True:
            typed = input(f"{question}{f' [{proposed}]' if proposed else ''}: ").strip()
            try:
                return understood(typed or proposed)
            except (BadAnswer, BadName) as error:
                print(f"  {error}")

    def agreed(self, question: str) -> bool:
        """Yes, unless something else is typed."""
        return not self.asks or input(f"{question} [yes]: ").strip().lower() in ("", "y", "yes")

    def password(self) -> str:
        """Twice the same; empty where one is to be made up."""
        while True:
            first = getpass.getpass("Password (empty: make one up): ")
            if not first or getpass.getpass("The same again: ") == first:
                return first
            print("  the two differ")


def one_of_tls(text: str) -> str:
    """Raises `BadAnswer`."""
    if text not in TLS:
        raise BadAnswer(f"{text!r} is none of {', '.join(TLS)}")
    return text


def user_name(text: str) -> str:
    """Raises `BadName`."""
    return names.checked(text)


def readable(option: str) -> Callable[[str], str]:
    """What takes the name of a file that can be read, and raises `BadAnswer` where it cannot."""

    def file(text: str) -> str:
        if not text:
            raise BadAnswer(f"{option}: a file is needed")
        path = Path(text).expanduser()
        try:
            path.open("rb").close()
        except OSError as error:
            raise BadAnswer(f"{option}: {path}: {error.strerror}") from error
        return str(path.absolute())

    return file


def likely_host() -> str:
    """The name of this machine, if it is one that others know."""
    name = socket.getfqdn()
    return name if "." in name and not name.startswith(("localhost", "ip6-")) else "localhost"


def likely_tls(host: str) -> str:
    """How others come to TLS here, as far as can be seen."""
    if host == "localhost":
        return "later"
    if acme(host) is not None:
        return "own"
    return "proxy" if any(map(shutil.which, _PROXIES)) else "later"


def acme(host: str) -> Certificate | None:
    """The certificate that certbot keeps for a name."""
    folder = _ACME / host
    try:
        return Certificate.checked(str(folder / "fullchain.pem"), str(folder / "privkey.pem"))
    except BadAnswer:
        return None


def on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
