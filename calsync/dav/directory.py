"""Whom a search may find: `[calsync] directory = self | groups | all`. Nobody else is told apart from nobody."""

from __future__ import annotations

from calsync.dav.scope import Scope
from calsync.store import principals
from calsync.store.principals import Principal


def visible(scope: Scope) -> list[Principal]:
    """The principals that the asker may know of, its own first."""
    own = principals.find(scope.tx, scope.request.user) if scope.request.user else None
    # Other auth back ends tell `anna` from `Anna`: a home is that of the very name.
    if own is None or own.name != scope.request.user:
        return []
    if not scope.access.sees_people:
        return [own]
    if scope.settings.directory == "all":
        return [own, *(one for one in principals.listing(scope.tx) if one.id != own.id)]
    if scope.settings.directory == "groups":
        groups = (principals.find(scope.tx, name) for name in sorted(scope.request.groups))
        named = [one for one in groups if one is not None and one.name in scope.request.groups]
        return [own, *(one for one in named if one.id != own.id)]
    return [own]
