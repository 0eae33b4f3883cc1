"""The collections of whoever is signed in, as pages list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree

from calsync.store import places, principals
from calsync.web.texts import _
from calsync.webdav import urls
from calsync.webdav.names import D

if TYPE_CHECKING:
    from calsync.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Shown:
    """A collection. `path` is below the server's root, `/anna/work/`; `url` the whole address."""

    name: str
    kind: str
    path: str
    url: str
    items: int


_KINDS: Final = {
    "calendar": _("Calendar"),
    "tasks": _("Task list"),
    "addressbook": _("Address book"),
    "subscribed": _("Subscribed calendar"),
    "plain": _("Folder"),
}


def shelves(visit: Visit) -> list[Shown]:
    """The collections of the home, in its order."""
    with visit.site.store.read() as tx:
        principal = principals.find(tx, visit.me.name)
        found = [] if principal is None else places.children(tx, principal.id)
    return [_shown(visit, one) for one in found]


def address(visit: Visit) -> str:
    """The address of the home, which is the principal's."""
    return visit.origin + urls.href(visit.call.base, (visit.me.name,), True)


def _shown(visit: Visit, one: places.Collection) -> Shown:
    kind = "tasks" if one.kind == "calendar" and one.components == ("VTODO",) else one.kind
    href = urls.href(visit.call.base, (visit.me.name, one.name), True)
    name = _text(one.properties).strip() or one.name
    return Shown(name, _KINDS.get(kind, kind), f"/{visit.me.name}/{one.name}/", visit.origin + href, one.items)


def _text(properties: Mapping[str, str]) -> str:
    xml = properties.get(D("displayname"), "")
    if not xml:
        return ""
    return str(etree.fromstring(xml.encode(), etree.XMLParser(resolve_entities=False)).xpath("string()"))
