"""The class that Radicale loads."""

from __future__ import annotations

from radicale import rights
from radicale.config import Configuration

from calsync.accounts.credentials import Identity
from calsync.accounts.scopes import CURRENT, WRITING
from calsync_rights.kinds import Segments, kinds

#: Letters by which Radicale would let shares be made, and those that forbid it.
_SHARING = frozenset("TM")
_NO_SHARING = frozenset("tm")


class Rights(rights.BaseRights):
    """`[rights] type = calsync_rights`. `unlimited` are the rights that it wraps (`[rights] backend`)."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        there = configuration.options("rights")
        backend = str(configuration.get("rights", "backend") if "backend" in there else "").strip() or "owner_only"
        if backend == "calsync_rights":
            raise RuntimeError("[rights] backend: calsync_rights cannot wrap itself (owner_only, from_file, …)")
        inner = configuration.copy()
        inner.update({"rights": {"type": backend}}, "calsync_rights", privileged=True)
        self.unlimited: rights.BaseRights = rights.load(inner)
        self._kind_of = kinds(configuration)

    def authorization(self, user: str, user_groups: set[str], path: str) -> str:
        """Radicale's letters. Who asks is who logged in, for whomever's share Radicale may ask."""
        granted = self.unlimited.authorization(user, user_groups, path)
        identity = CURRENT.get()
        if identity is None or not granted:
            return granted
        segments = tuple(part for part in path.split("/") if part)
        letters = frozenset(granted)
        if identity.role == "guest" and segments[:1] == (identity.name,):
            letters &= frozenset("R" if len(segments) == 1 else "")
        if identity.is_limited:
            letters = self._limited(identity, letters, segments)
        return "".join(sorted(letters))

    def _limited(self, identity: Identity, letters: frozenset[str], path: Segments) -> frozenset[str]:
        if identity.read_only:
            letters -= WRITING
        if identity.scope.kind != "all":
            letters = self._in_scope(identity, letters, path)
        return (letters - _SHARING) | _NO_SHARING if letters else letters

    def _in_scope(self, identity: Identity, letters: frozenset[str], path: Segments) -> frozenset[str]:
        scope = identity.scope
        if len(path) < 2:
            return letters & frozenset("R")
        kind = self._kind_of(path)
        if kind and scope.covers(path, kind):
            # What was chosen is filled and emptied, but is there as long as its owner wants it.
            return letters if scope.may_make(kind) else letters | {"d"}
        if kind:
            return frozenset()
        above = self._kind_of(path[:-1]) if len(path) > 2 else ""
        if above:
            return letters if scope.covers(path[:-1], above) else frozenset()
        # Nothing is there: what might be made, nobody says.
        return letters & frozenset("rR") if scope.covers(path, "") else frozenset()
