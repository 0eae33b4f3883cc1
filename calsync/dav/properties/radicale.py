"""What Radicale's page asks for in Radicale's own namespace, only when named."""

from __future__ import annotations

from calsync import upstream
from calsync.dav.answer import stored_properties
from calsync.dav.registry import live
from calsync.dav.resources import COLLECTIONS, STORED_COLLECTIONS, TAGGED, Kind, Resource
from calsync.dav.scope import Scope
from calsync.webdav.multistatus import escape
from calsync.webdav.names import RADICALE, D
from calsync_storage.properties import text


@live(f"{{{RADICALE}}}version", COLLECTIONS, "Radicale's page")
def version(scope: Scope, resource: Resource) -> bytes | None:
    """The page shows it to who has logged in."""
    return None if scope.access.anonymous else upstream.VERSION.encode()


@live(f"{{{RADICALE}}}displayname", TAGGED | {Kind.HOME}, "Radicale's page")
def displayname(scope: Scope, resource: Resource) -> bytes:
    """The name that was given, else what stands in the URL."""
    given = stored_properties(scope, resource).get(D("displayname"))
    return escape(text(D("displayname"), given) if given else resource.name).encode()


@live(f"{{{RADICALE}}}getcontentcount", STORED_COLLECTIONS, "Radicale's page")
def getcontentcount(scope: Scope, resource: Resource) -> bytes:
    """How many items a collection holds, from its row."""
    return b"%d" % resource.container.items
