"""What a bulk write refuses is kept: its client takes the answer for the whole and may never send that part again."""

from __future__ import annotations

from calsync.dav.resources import Resource
from calsync.dav.scope import Scope
from calsync.store import quarantine
from calsync.store.quarantine import Refusal
from calsync.store.transaction import Transaction
from calsync.webdav.conditions import MAX_RESOURCES, QUOTA_NOT_EXCEEDED
from calsync.webdav.errors import DavError

# Refusals that say nothing of the object: the client is to ask again, or asked for too much at once. Keeping what is
# over the quota would be a way around it.
_OTHERS = frozenset({MAX_RESOURCES, QUOTA_NOT_EXCEEDED})


def keep(scope: Scope, tx: Transaction, resource: Resource, octets: bytes, error: DavError, href: str = "") -> None:
    """Keep a member that was refused, with the collection's owner. `href`: the name that it was to have, or empty."""
    if error.condition in _OTHERS or not octets:
        return
    request = scope.request
    quarantine.keep(
        tx,
        resource.owner.id,
        Refusal(
            target="/".join(resource.path[1:]),
            href=href,
            source="bulk" if request.method == "POST" else "put",
            origin=f"{request.method} {scope.href(resource.path, True)} (request {request.id})",
            reason=error.hint or str(error),
            octets=octets,
            condition=error.condition or "",
        ),
        scope.settings.quarantine,
    )
