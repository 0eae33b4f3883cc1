"""Write locks as requests meet them (RFC 4918 §6, §7): what they guard, who submitted their tokens, how they look."""

from __future__ import annotations

from collections.abc import Sequence

from calsync.dav.request import Response, multistatus
from calsync.dav.resources import Kind, Resource, locate
from calsync.dav.scope import Scope
from calsync.store import clock, locks, principals
from calsync.store.locks import Lock
from calsync.webdav import headers, urls
from calsync.webdav.conditions import LOCK_TOKEN_SUBMITTED
from calsync.webdav.errors import Locked
from calsync.webdav.multistatus import element, response_status, stream
from calsync.webdav.names import D


class MembersLocked(Locked):
    """Members of a collection are locked. A DELETE, COPY or MOVE of it names them in a 207 (RFC 4918 §9.6.1)."""

    def __init__(self, hint: str, hrefs: Sequence[str]) -> None:
        super().__init__(hint, condition=LOCK_TOKEN_SUBMITTED, detail=_hrefs(hrefs))
        self.hrefs = hrefs

    def answer(self) -> Response:
        """The 207; the collections above them go without a word, as the RFC asks."""
        parts = (response_status(one.encode(), 423, LOCK_TOKEN_SUBMITTED, _hrefs([one])) for one in self.hrefs)
        return multistatus(stream(parts))


def _hrefs(hrefs: Sequence[str]) -> bytes:
    return b"".join(element(D("href"), one) for one in hrefs)


def now() -> int:
    """The instant at which locks count or do not."""
    return clock.now()


def url_of(resource: Resource) -> str:
    """The URL of a resource below its home, as the store names it."""
    return locks.url_of(resource.path[1:])


def lockable(resource: Resource) -> bool:
    """Whether locks can reach it: the root and the homes cannot be locked."""
    return resource.principal is not None and len(resource.path) > 1


def reaches(lock: Lock, url: str) -> bool:
    """Whether a lock holds at a URL: its own, or one below where its depth is infinity (RFC 4918 §7.5)."""
    return lock.url == url or (lock.depth == "infinity" and url.startswith(lock.url + "/"))


def covering(scope: Scope, resource: Resource) -> list[Lock]:
    """The locks that a resource is under."""
    if not lockable(resource):
        return []
    url = url_of(resource)
    return [one for one in locks.around(scope.tx, resource.owner.id, url, now()) if reaches(one, url)]


def holder(scope: Scope) -> int:
    """The asker as the holder of a lock: the id of the principal, 0 for the anonymous."""
    found = principals.find(scope.tx, scope.request.user) if scope.request.user else None
    return found.id if found else 0


def check(scope: Scope, resource: Resource, *, whole: bool = False) -> None:
    """Raise 423 where a lock forbids to write a resource, and its holder did not submit the token (RFC 4918 §7).

    What is missing would become a member of its parent, and what goes or is replaced `whole` ceases to be one, with all
    that is in it: then the parent's lock counts too (§7.4), and so do those below.
    """
    if not lockable(resource):
        return
    tx, owner, url, moment = scope.tx, resource.owner.id, url_of(resource), now()
    around = locks.around(tx, owner, url, moment)
    below = locks.below(tx, owner, url, moment) if whole and resource.is_collection else []
    if not around and not below:
        return
    submitted = headers.submitted_tokens(headers.if_header(scope.request.header("if")))
    asker = holder(scope)

    def barred(found: Sequence[Lock]) -> bool:
        """Of several shared locks, the token of one is enough (RFC 4918 §7)."""
        return bool(found) and not any(one.token in submitted and one.principal == asker for one in found)

    guards = [[one for one in around if reaches(one, url)]]
    if whole or resource.kind is Kind.MISSING:
        parent = url.rpartition("/")[0]
        guards.append([one for one in around if one.url == parent or (one.url != url and reaches(one, url))])
    for found in guards:
        if barred(found):
            hrefs = roots(scope, resource, found)
            raise Locked(f"locked at {hrefs[0]}", condition=LOCK_TOKEN_SUBMITTED, detail=_hrefs(hrefs))
    rooted: dict[str, list[Lock]] = {}
    for one in around + below:
        rooted.setdefault(one.url, []).append(one)
    # Each root below is a resource of its own, under the locks that reach it.
    members = [
        lock
        for lock in below
        if barred([one for above in locks.upwards(lock.url) for one in rooted.get(above, ()) if reaches(one, lock.url)])
    ]
    if members:
        hrefs = roots(scope, resource, members)
        raise MembersLocked(f"locked inside: {hrefs[0]}", hrefs)


def roots(scope: Scope, resource: Resource, found: Sequence[Lock]) -> list[str]:
    """The hrefs of the roots of locks on or about a resource, each once, as the asker sees them."""
    return list(dict.fromkeys(root(scope, resource, one) for one in found))


def root(scope: Scope, resource: Resource, lock: Lock) -> str:
    """The href of a lock's root. What lies above a mapped collection is not told: it is named in its place."""
    path = (resource.path[0], *urls.decode_path(lock.url)[0])
    mapping = scope.mapping
    if mapping is not None and path[: len(mapping.real)] != mapping.real:
        path = mapping.real
    return scope.url(locate(scope.tx, path))


def discovery(scope: Scope, resource: Resource, found: Sequence[Lock]) -> bytes:
    """The content of `lockdiscovery` (RFC 4918 §15.8): an `activelock` for each lock (§14.1)."""
    moment = now()
    return b"".join(
        element(
            D("activelock"),
            element(D("locktype"), element(D("write")))
            + element(D("lockscope"), element(D(one.scope)))
            + element(D("depth"), one.depth)
            + one.description.encode()
            + element(D("timeout"), f"Second-{max(0, one.expires - moment)}")
            + element(D("locktoken"), element(D("href"), one.token))
            + element(D("lockroot"), element(D("href"), root(scope, resource, one))),
        )
        for one in found
    )


def forget(scope: Scope, resource: Resource) -> None:
    """The locks rooted at a resource and below go with it (RFC 4918 §9.6, §7.6)."""
    if lockable(resource):
        locks.remove_at(scope.tx, resource.owner.id, url_of(resource))
        forget_below(scope, resource)


def forget_below(scope: Scope, resource: Resource) -> None:
    """The locks below a resource go; one of its own stays at its URL, whatever comes to stand there."""
    if lockable(resource) and resource.is_collection:
        locks.remove_below(scope.tx, resource.owner.id, url_of(resource))
