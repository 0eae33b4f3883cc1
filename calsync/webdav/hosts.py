"""Hosts of URLs, by their names alone: what is one place, what belongs together, what is this machine."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

#: The port of a scheme where a URL names none.
PORTS: Final = {"http": 80, "https": 443}

# Where strangers stand beside each other. There is no list of public suffixes here: these are what servers at home and
# in clouds are often found below, and what countries have beside that of three letters and fewer.
_BELOW_COUNTRIES: Final = frozenset({"asso", "firm", "gouv", "govt", "info", "name", "priv", "school"})
_CROWDS: Final = """
    afraid.org azurewebsites.net cloudfront.net ddns.net ddnss.de dedyn.io dnsalias.com dnsalias.net dnsalias.org
    duckdns.org dyndns.org dynu.net dynv6.net eu.org fly.dev freeddns.org freemyip.com github.io goip.de herokuapp.com
    homelinux.net homelinux.org hopto.org myds.me myfritz.net myqnapcloud.com netlify.app ngrok.app ngrok.io no-ip.org
    nsupdate.info onrender.com pages.dev run.app selfhost.de selfhost.eu spdns.de spdns.org synology.me sytes.net
    trycloudflare.com uk.com us.com vercel.app web.app workers.dev zapto.org
"""
_SHARED: Final = frozenset(_CROWDS.split())


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

    `caldav.icloud.com` and `p34-caldav.icloud.com` do. What is registered under an ending such as `co.uk` does not, nor
    what strangers have under `duckdns.org`.
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
    domain = ".".join(labels)
    if len(labels) < 2 or domain in _SHARED:
        return False
    if len(labels) == 2 and len(labels[1]) == 2 and (len(labels[0]) <= 3 or labels[0] in _BELOW_COUNTRIES):
        return False
    return host.endswith(f".{domain}")
