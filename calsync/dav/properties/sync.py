"""The sync token (RFC 6578 §4): the owner's epoch and the collection's last change, one row read (decision D7)."""

from __future__ import annotations

from calsync.dav.registry import live
from calsync.dav.resources import STORED_COLLECTIONS, Kind, Resource
from calsync.dav.scope import Scope
from calsync.store.changes import SyncToken
from calsync.webdav.names import D


def token(resource: Resource) -> str:
    """The token of the state at hand; canonical, because DAVx5 compares it as a string (clients.md 40)."""
    state = resource.collection or resource.owner
    return str(SyncToken(state.epoch, state.seq))


@live(D("sync-token"), STORED_COLLECTIONS | {Kind.HOME}, "RFC 6578 §4")
def sync_token(scope: Scope, resource: Resource) -> bytes:
    return token(resource).encode()
