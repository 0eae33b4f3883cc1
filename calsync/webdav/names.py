"""Names of XML elements: the namespaces, their prefixes, and the two ways of writing a name.

Inside calsync a name is always in Clark notation, `{DAV:}getetag`; Radicale's property files say `D:getetag`.
"""

from __future__ import annotations

from typing import Final

DAV: Final = "DAV:"
CALDAV: Final = "urn:ietf:params:xml:ns:caldav"
CARDDAV: Final = "urn:ietf:params:xml:ns:carddav"
CS: Final = "http://calendarserver.org/ns/"
ICAL: Final = "http://apple.com/ns/ical/"
ME: Final = "http://me.com/_namespace/"
RADICALE: Final = "http://radicale.org/ns/"
INF: Final = "http://inf-it.com/ns/ab/"
CALSYNC: Final = "urn:calsync:ns"

XML: Final = "http://www.w3.org/XML/1998/namespace"
XML_LANG: Final = f"{{{XML}}}lang"

# The prefixes of Radicale's property files; the same ones are declared on every answer.
PREFIXES: Final[dict[str, str]] = {
    DAV: "D",
    CALDAV: "C",
    CARDDAV: "CR",
    CS: "CS",
    ICAL: "ICAL",
    ME: "ME",
    RADICALE: "RADICALE",
}
# `INF` stands in Radicale's shares alone (`INF:addressbook-color`).
NAMESPACES: Final[dict[str, str]] = {prefix: namespace for namespace, prefix in PREFIXES.items()} | {"INF": INF}


def D(local: str) -> str:
    """`getetag` → `{DAV:}getetag`."""
    return f"{{{DAV}}}{local}"


def C(local: str) -> str:
    """A name of CalDAV."""
    return f"{{{CALDAV}}}{local}"


def CR(local: str) -> str:
    """A name of CardDAV."""
    return f"{{{CARDDAV}}}{local}"


def CS_(local: str) -> str:
    """A name of CalendarServer's extensions."""
    return f"{{{CS}}}{local}"


def ME_(local: str) -> str:
    """A name of Apple's me.com namespace (bulk requests)."""
    return f"{{{ME}}}{local}"


def split(clark: str) -> tuple[str, str]:
    """`{DAV:}getetag` → (`DAV:`, `getetag`); a name without namespace has the empty one."""
    if clark.startswith("{"):
        # a namespace may hold a brace, a local name never does
        namespace, _, local = clark[1:].rpartition("}")
        return namespace, local
    return "", clark


def to_human(clark: str) -> str:
    """`{DAV:}displayname` → `D:displayname`, as Radicale's property files write it; foreign names stay Clark."""
    namespace, local = split(clark)
    prefix = PREFIXES.get(namespace)
    return f"{prefix}:{local}" if prefix else clark


def from_human(name: str) -> str:
    """`D:displayname` → `{DAV:}displayname`; Clark names stay. ValueError for a prefix that is not known."""
    if name.startswith("{"):
        return name
    prefix, _, local = name.partition(":")
    namespace = NAMESPACES.get(prefix)
    if namespace is None or not local:
        raise ValueError(f"not a property name: {name!r}")
    return f"{{{namespace}}}{local}"
