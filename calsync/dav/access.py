"""Who may do what: Radicale's letters, asked once a collection, and the privileges of RFC 3744 that follow from them.

Radicale's rights speak of paths, so a refusal is the same whether the resource exists or not. Its letters: `R`/`W`
read and write plain collections, `r`/`w` calendars and address books, `i` GET only, `f` busy times, `D`/`d` and `O`/`o`
deletion and replacement of whole collections, `l` locked properties.
"""

from __future__ import annotations

from calsync.dav.request import Request, Segments
from calsync.dav.resources import ITEMS, TAGGED, Kind, Resource
from calsync.upstream import rights
from calsync.webdav.errors import DavError, Forbidden, Unauthorized
from calsync.webdav.multistatus import element
from calsync.webdav.names import C, D


class Access:
    """The rights of one request, with a memory of what was asked."""

    def __init__(self, backend: rights.BaseRights, request: Request) -> None:
        self._backend = backend
        self._mapping = request.mapping
        # The owner's rights hold inside a mapped collection only.
        self._user = request.user
        self._asker = request.user
        self._groups = set(request.groups)
        self._known: dict[Segments, frozenset[str]] = {}
        self.anonymous = not request.user

    def letters(self, path: Segments) -> frozenset[str]:
        """Radicale's letters for `path`, cut to what a mapped collection grants."""
        known = self._known.get(path)
        if known is None:
            text = "/" + "".join(f"{part}/" for part in path)
            mapping = self._mapping
            if mapping is not None and path[: len(mapping.real)] == mapping.real:
                granted = set(self._backend.authorization(mapping.owner, self._groups, text))
                if "r" in granted:
                    granted.add("f")
                granted &= set(mapping.permissions)
            else:
                granted = set(self._backend.authorization(self._user, self._groups, text))
            known = self._known[path] = frozenset(granted)
        return known

    def allows(self, letter: str, resource: Resource) -> bool:
        """Whether `letter` ("r" or "w") is granted on the resource as its kind asks for it."""
        path, kind = resource.path, resource.kind
        if kind is Kind.MISSING:
            return bool({letter, letter.upper()} & self.letters(path)) or bool(
                path and letter in self.letters(path[:-1])
            )
        if kind in ITEMS:
            # Radicale knows no letters for items in plain collections: those of the collection count.
            wanted = letter.upper() if kind is Kind.FILE else letter
            return wanted in self.letters(path[:-1])
        return (letter if kind in TAGGED else letter.upper()) in self.letters(path)

    def may_read(self, resource: Resource) -> bool:
        return self.allows("r", resource)

    def may_write(self, resource: Resource) -> bool:
        return self.allows("w", resource)

    def may_read_busy(self, resource: Resource) -> bool:
        """RFC 4791 §6.1.1: what may be read, or Radicale's `f`."""
        return self.may_read(resource) or (resource.kind is Kind.CALENDAR and "f" in self.letters(resource.path))

    def may_write_properties(self, resource: Resource) -> bool:
        path = resource.path[:-1] if resource.kind in ITEMS else resource.path
        return self.may_write(resource) and "l" not in self.letters(path)

    def may_create(self, path: Segments, *, tagged: bool) -> bool:
        """Whether a collection may be made at `path`."""
        return ("w" if tagged else "W") in self.letters(path)

    def may_replace(self, path: Segments, permitted: bool) -> bool:
        """Whether a whole collection may be overwritten (`[rights] permit_overwrite_collection`, `O`, `o`)."""
        letters = self.letters(path)
        return "o" not in letters if permitted else "O" in letters

    def may_delete_collection(self, resource: Resource, permitted: bool) -> bool:
        """Whether a whole collection may be deleted (`[rights] permit_delete_collection`, `D`, `d`)."""
        letters = self.letters(resource.path)
        return self.may_write(resource) and ("d" not in letters if permitted else "D" in letters)

    def may_unlock(self, resource: Resource) -> bool:
        """Whether the asker may take off another's lock (RFC 3744 §3.5): in one's own home."""
        return bool(self._asker) and resource.path[0] == self._asker and self.may_write(resource)

    def privileges(self, resource: Resource) -> tuple[str, ...]:
        """The privileges that the asker holds, for `current-user-privilege-set` (RFC 3744 §5.4)."""
        held: list[str] = []
        if self.may_read(resource):
            held += [D("read"), D("read-current-user-privilege-set")]
        if self.may_read_busy(resource) and resource.kind in (Kind.CALENDAR, Kind.SUBSCRIBED, Kind.HOME):
            held.append(C("read-free-busy"))
        if self.may_write(resource):
            held += [D("write"), D("write-content")]
            if self.may_write_properties(resource):
                held.append(D("write-properties"))
            if resource.is_collection:
                held += [D("bind"), D("unbind")]
            if len(resource.path) > 1 and self.may_unlock(resource):
                held.append(D("unlock"))
        elif resource.kind is Kind.HOME and "w" in self.letters((*resource.path, "x")):
            held += [D("bind"), D("unbind")]
        return tuple(held)

    def refusal(self, href: str, privilege: str) -> DavError:
        """What is answered where `privilege` (Clark name) is missing: 401 to those who did not log in, else 403.

        RFC 3744 §7.1.1: the body names the resource and the privilege.
        """
        if self.anonymous:
            return Unauthorized("log in first")
        detail = element(
            D("resource"),
            element(D("href"), href) + element(D("privilege"), element(privilege)),
        )
        return Forbidden("not allowed", condition=D("need-privileges"), detail=detail)
