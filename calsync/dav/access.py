"""Who may do what: Radicale's letters, asked once a collection, and the privileges of RFC 3744 that follow from them.

Radicale's rights speak of paths, so a refusal is the same whether the resource exists or not. Its letters: `R`/`W`
read and write plain collections, `r`/`w` calendars and address books, `i` GET only, `f` busy times, `D`/`d` and `O`/`o`
deletion and replacement of whole collections, `l` locked properties.

What an app password takes away is taken here, so that every method and report asks for both at once: `allows` and what
follows from it for resources, by the kind of the collection that they are in; `letters` and `may_create` for paths.
What is out of scope is refused like what the rights refuse, and left out of every listing. The root and the homes stay
open to be looked at, or no client could find what is in scope.
"""

from __future__ import annotations

from calsync.accounts.scopes import WRITING
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
        self._limits = request.limits
        self._read_only = request.read_only
        self._guest = request.role == "guest"
        self.anonymous = not request.user

    @property
    def limited(self) -> bool:
        """Whether an app password allows less here than the account may."""
        return self._read_only or self._limits.kind != "all"

    @property
    def sees_people(self) -> bool:
        """Whether others may be searched for: not with what opens chosen collections only."""
        return self._limits.kind != "collections"

    def letters(self, path: Segments) -> frozenset[str]:
        """Radicale's letters for `path`, cut to what a mapped collection grants, and to reading where that is all.

        Which kinds or collections an app password opens is not in them.
        """
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
                if self._guest and path[:1] == (self._asker,):
                    # A guest's home is the place where shares are found, and holds nothing else.
                    granted &= {"R"} if len(path) == 1 else set()
            if self._read_only:
                granted -= WRITING
            known = self._known[path] = frozenset(granted)
        return known

    def _covers(self, path: Segments, kind: str) -> bool:
        """Whether a collection is in scope, under its own path or the one under which it is mapped."""
        mapping = self._mapping
        if mapping is not None and path[: len(mapping.real)] == mapping.real:
            shown = mapping.shown + path[len(mapping.real) :]
            if self._limits.covers(shown, kind):
                return True
        return self._limits.covers(path, kind)

    def _in_scope(self, letter: str, resource: Resource) -> bool:
        """Whether the app password reaches the resource, to read ("r") or to write ("w")."""
        limits, path, kind = self._limits, resource.path, resource.kind
        if limits.kind == "all":
            return True
        if kind in (Kind.ROOT, Kind.HOME):
            return letter == "r"
        if resource.collection is not None and kind is not Kind.MISSING:
            place = path[:-1] if kind in ITEMS else path
            return self._covers(place, resource.collection.kind)
        if resource.collection is not None:
            return self._covers(path, resource.collection.kind)
        if letter == "w":
            return len(path) == 2 and limits.kind != "collections"
        return limits.kind != "collections" or len(path) == 1 or self._covers(path, "")

    def may_touch(self, resource: Resource) -> bool:
        """Whether the app password lets anything be changed here; whether the user may is asked elsewhere."""
        return not self._read_only and self._in_scope("w", resource)

    def may_hear_of(self, path: Segments) -> bool:
        """Whether it may be told that a collection at `path` is gone; of what kind it was is not known any more."""
        return self._limits.kind != "collections" or self._covers(path, "")

    def allows(self, letter: str, resource: Resource) -> bool:
        """Whether `letter` ("r" or "w") is granted on the resource as its kind asks for it."""
        path, kind = resource.path, resource.kind
        if not self._in_scope(letter, resource):
            return False
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
        """RFC 4791 §6.1.1: what may be read, or Radicale's `f`. A home's busy times are of calendars only."""
        if resource.kind is Kind.HOME and not self._limits.has_calendars:
            return False
        busy = resource.kind is Kind.CALENDAR and "f" in self.letters(resource.path)
        return self.may_read(resource) or (busy and self._in_scope("r", resource))

    def may_get(self, resource: Resource) -> bool:
        """Whether a whole collection may be fetched by GET alone: Radicale's `i`."""
        return resource.kind in TAGGED and "i" in self.letters(resource.path) and self._in_scope("r", resource)

    def may_write_properties(self, resource: Resource) -> bool:
        path = resource.path[:-1] if resource.kind in ITEMS else resource.path
        return self.may_write(resource) and "l" not in self.letters(path)

    def may_create(self, path: Segments, kind: str) -> bool:
        """Whether a collection of `kind`, as the store names it, may be made at `path`."""
        if not self._limits.may_make(kind) or (self._limits.kind != "all" and len(path) != 2):
            return False
        return ("W" if kind == "plain" else "w") in self.letters(path)

    def may_replace(self, path: Segments, permitted: bool) -> bool:
        """Whether a whole collection may be overwritten (`[rights] permit_overwrite_collection`, `O`, `o`)."""
        letters = self.letters(path)
        return "o" not in letters if permitted else "O" in letters

    def may_delete_collection(self, resource: Resource, permitted: bool) -> bool:
        """Whether a whole collection may be deleted (`[rights] permit_delete_collection`, `D`, `d`)."""
        letters = self.letters(resource.path)
        if resource.collection is not None and not self._limits.may_make(resource.collection.kind):
            return False  # what was chosen is filled and emptied, but is there as long as its owner wants it
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
        elif resource.kind is Kind.HOME and any(
            self.may_create((*resource.path, "x"), kind) for kind in ("calendar", "addressbook")
        ):
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
