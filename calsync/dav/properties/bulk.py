"""What POST takes: where new members go (RFC 5995), and the limits of bulk changes (CalendarServer)."""

from __future__ import annotations

from typing import Final

from calsync.dav.properties.acl import href
from calsync.dav.registry import live
from calsync.dav.resources import TAGGED, Kind, Resource
from calsync.dav.scope import Scope
from calsync.webdav.multistatus import element
from calsync.webdav.names import ME_, D
from calsync.webdav.parse_bulk import MOST
from calsync.webdav.parse_tree import LARGEST

#: The query of a collection's URL that takes one new member.
ADD_MEMBER: Final = "add-member"


@live(D("add-member"), frozenset({Kind.CALENDAR}), "RFC 5995 §3.2")
def add_member(scope: Scope, resource: Resource) -> bytes:
    """Not on address books: Apple's Contacts break on it (clients.md 9)."""
    return href(f"{scope.href(resource.path, True)}?{ADD_MEMBER}")


@live(ME_("bulk-requests"), TAGGED, "CalendarServer bulk changes §5.1")
def bulk_requests(scope: Scope, resource: Resource) -> bytes:
    """A text may be as long as any body; XML has a limit of its own, and so has the number of resources in it."""
    limit = scope.settings.max_content_length
    simple = element(ME_("max-resources")) + element(ME_("max-bytes"), str(limit) if limit else "")
    crud = element(ME_("max-resources"), str(MOST)) + element(ME_("max-bytes"), str(min(limit or LARGEST, LARGEST)))
    return element(ME_("simple"), simple) + element(ME_("crud"), crud)
