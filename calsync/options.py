"""calsync's own options, and what its defaults change in Radicale's.

`SCHEMA` has the form of Radicale's: section → option → value (the default, as text), help, type.
"""

from __future__ import annotations

import copy
import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from calsync import upstream

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Option = dict[str, Any]
Schema = dict[str, dict[str, Any]]

#: Where stock Radicale keeps collections that no configuration places elsewhere.
STOCK_FOLDER: Final = Path("/var/lib/radicale/collections")

#: The folder below which Radicale's multifilesystem keeps users, inside of `filesystem_folder`.
STOCK_ROOT: Final = "collection-root"


def data_folder() -> Path:
    """Where calsync keeps things unless told otherwise: `$XDG_DATA_HOME/calsync`."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path("~/.local/share").expanduser()) / "calsync"


def networks(value: str | tuple[Network, ...]) -> tuple[Network, ...]:
    """`192.0.2.1, 2001:db8::/32` as networks. ValueError for anything else."""
    if isinstance(value, tuple):
        return value
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def hosts(value: str | list[tuple[str, int]]) -> list[tuple[str, int]]:
    """`localhost:5232, [::1]:0, unix:/run/calsync.sock` as host and port.

    Unix sockets keep their prefix and have port 0; elsewhere port 0 takes a free one. ValueError says what is wrong.
    """
    if isinstance(value, list):
        return value
    return [_host(part.strip()) for part in value.split(",") if part.strip()]


def _host(text: str) -> tuple[str, int]:
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError(f"{text!r}: a unix socket needs a path that begins with / (unix:/run/calsync.sock)")
        return text, 0
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ValueError(f"{text!r} is not HOST:PORT (localhost:5232, [::1]:5232, unix:/run/calsync.sock)")
    return host.strip("[]"), int(port)


def one_of(*words: str) -> Callable[[str], str]:
    """A type that takes one of `words`."""

    def choice(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return value

    return choice


def whole(value: str | int) -> int:
    """A whole number from 0."""
    number = int(value)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


def seconds(value: str | float) -> float:
    """A time from 0."""
    number = float(value)
    if not 0 <= number < 10**9:
        raise ValueError(f"{value} is no time in seconds")
    return number


def _option(value: str, kind: Callable[[Any], Any], text: str, **more: Any) -> Option:
    return {"value": value, "type": kind, "help": text, **more}


OWN: Final[Schema] = {
    "calsync": {
        "trusted_proxies": _option(
            "",
            networks,
            "addresses or networks of proxies whose X-Forwarded-*, X-Script-Name and X-Remote-User are believed",
        ),
        "directory": _option(
            "groups",
            one_of("self", "groups", "all"),
            "whom a user can find by searching: self, groups (who shares a group), all",
        ),
    },
    "limits": {
        "connections": _option("1000", whole, "connections at a time; over it those that wait longest are closed"),
        "idle_timeout": _option("75", seconds, "seconds a connection may wait for its next request"),
        "threads": _option("0", whole, "requests computed at a time (0: by the number of processors)"),
        "spool": _option("1073741824", whole, "octets that all request bodies on their way may take together"),
        "stop_timeout": _option("10", seconds, "seconds that requests in flight get when the server stops"),
        "propfind_infinity": _option("True", bool, "answer PROPFIND with Depth: infinity"),
    },
}

#: Options of calsync in sections of Radicale.
ADDED: Final[Schema] = {
    "storage": {
        "permit_files": _option("False", bool, "take any file in plain collections (not in calendars or address books)")
    },
}

#: Where calsync's default is another than Radicale's, or its option takes more.
CHANGED: Final[Schema] = {
    "server": {
        "hosts": {
            "type": hosts,
            "help": "addresses to listen on: HOST:PORT, [IPV6]:PORT, unix:/PATH, several with commas",
        },
        "validate_path_value": {"value": "none"},  # `minimal` refuses quote'.ics, which clients send
    },
    "auth": {"type": {"value": "calsync_auth"}},
    "storage": {"type": {"value": "calsync_storage"}},
}


def schema() -> Schema:
    """Radicale's schema with what calsync adds and changes; a new copy each time, for the data folder may move."""
    made: Schema = {
        section: {name: copy.copy(option) if isinstance(option, dict) else option for name, option in options.items()}
        for section, options in upstream.DEFAULT_CONFIG_SCHEMA.items()
    }
    for section, options in CHANGED.items():
        for name, changes in options.items():
            made[section][name].update(changes)
    for section, options in (OWN | ADDED).items():
        made.setdefault(section, {}).update(copy.deepcopy(options))
    for section, own in (("auth", "calsync_auth (accounts in the store)"), ("storage", "calsync_storage")):
        kind = made[section]["type"]
        kind["help"] = f"{own}, Radicale's {', '.join(kind['internal'])}, or a module"
    made["storage"]["filesystem_folder"]["value"] = str(data_folder())
    return made
