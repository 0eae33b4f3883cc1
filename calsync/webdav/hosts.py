"""Hosts of URLs, by their names alone: what is one place, what belongs together, what is this machine."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

#: The port of a scheme where a URL names none.
PORTS: Final = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """`https://dav.example.org:8443`, the port left out where it is the usual one."""
    parts = urlsplit(url)
    return origin(parts.scheme, parts.hostname or "", parts.port)


def origin(scheme: str, host: str, port: int | None) -> str:
    """The same of its parts."""
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port in (None, PORTS.get(scheme)) else f":{port}")


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def same_family(home: str, host: str) -> bool:
    """Whether a host belongs to the one that was named: the same, below it, or beside it in its domain.

    `caldav.icloud.com` and `p34-caldav.icloud.com` do. What is registered under an ending such as `co.uk` does not:
    there is no list of them here, so a domain of two labels, the first of them short, below a country is taken for one.
    """
    home, host = home.lower().rstrip("."), host.lower().rstrip(".")
    if home == host:
        return True
    try:
        ipaddress.ip_address(home.strip("[]"))
    except ValueError:
        pass
    else:
        return False
    if "." in home and host.endswith(f".{home}"):
        return True
    labels = home.split(".")[1:]
    if len(labels) < 2 or (len(labels) == 2 and len(labels[1]) == 2 and len(labels[0]) <= 3):
        return False
    return host.endswith("." + ".".join(labels))
