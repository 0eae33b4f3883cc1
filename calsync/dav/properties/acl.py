"""Principals and privileges (RFC 3744, RFC 5397), derived from Radicale's rights."""

from __future__ import annotations

from functools import lru_cache

from calsync.dav import overlay
from calsync.dav.registry import live
from calsync.dav.resources import CALENDARS, EXISTING, Kind, Resource
from calsync.dav.scope import Scope
from calsync.webdav.multistatus import element
from calsync.webdav.names import C, D

_PRINCIPALS = frozenset({Kind.HOME})
_OWNED = EXISTING - {Kind.ROOT}


def href(text: str) -> bytes:
    return element(D("href"), text)


@live(D("current-user-principal"), EXISTING, "RFC 5397 §3")
def current_user_principal(scope: Scope, resource: Resource) -> bytes:
    user = scope.request.user
    return href(scope.href((user,), True)) if user else element(D("unauthenticated"))


@live(D("principal-URL"), _PRINCIPALS, "RFC 3744 §4.2")
def principal_url(scope: Scope, resource: Resource) -> bytes:
    return href(scope.href(resource.path, True))


@live(D("alternate-URI-set"), _PRINCIPALS, "RFC 3744 §4.1")
def alternate_uri_set(scope: Scope, resource: Resource) -> bytes:
    return b""


@live(D("group-member-set"), _PRINCIPALS, "RFC 3744 §4.3")
def group_member_set(scope: Scope, resource: Resource) -> bytes:
    return b""


@live(D("group-membership"), _PRINCIPALS, "RFC 3744 §4.4")
def group_membership(scope: Scope, resource: Resource) -> bytes:
    return b""


@live(D("principal-collection-set"), EXISTING, "RFC 3744 §5.8")
def principal_collection_set(scope: Scope, resource: Resource) -> bytes:
    return href(scope.href((), True))


@live(D("owner"), _OWNED, "RFC 3744 §5.1")
def owner(scope: Scope, resource: Resource) -> bytes:
    return href(scope.href((resource.owner.name,), True))


@live(D("group"), _OWNED, "RFC 3744 §5.2")
def group(scope: Scope, resource: Resource) -> bytes:
    return b""


@live(D("current-user-privilege-set"), EXISTING, "RFC 3744 §5.4")
def current_user_privilege_set(scope: Scope, resource: Resource) -> bytes:
    held = overlay.privileges(scope, resource, scope.access.privileges(resource))
    return _privileges(tuple(held))


@lru_cache(maxsize=64)
def _privileges(names: tuple[str, ...]) -> bytes:
    return b"".join(element(D("privilege"), element(name)) for name in names)


def _supported(name: str, text: str, *inside: bytes) -> bytes:
    head = element(D("privilege"), element(name)) + element(D("description"), text, {"xml:lang": "en"})
    return element(D("supported-privilege"), head + b"".join(inside))


@live(D("supported-privilege-set"), EXISTING, "RFC 3744 §5.3")
def supported_privilege_set(scope: Scope, resource: Resource) -> bytes:
    """One tree for every resource; busy times are part of reading a calendar (RFC 4791 §6.1.1)."""
    reading = [_supported(D("read-current-user-privilege-set"), "See one's own privileges")]
    if resource.kind in CALENDARS or resource.kind in (Kind.HOME, Kind.EVENT):
        reading.append(_supported(C("read-free-busy"), "See busy times"))
    writing = [
        _supported(D("write-properties"), "Change properties"),
        _supported(D("write-content"), "Change content"),
        _supported(D("bind"), "Add members"),  # RFC 3744 §3.2: all of these are in DAV:write
        _supported(D("unbind"), "Remove members"),
    ]
    return _supported(
        D("all"),
        "Everything",
        _supported(D("read"), "Read", *reading),
        _supported(D("write"), "Write", *writing),
        _supported(D("unlock"), "Remove another's lock"),
        _supported(D("read-acl"), "Read the access control list"),
        _supported(D("write-acl"), "Change the access control list"),
    )


@live(D("acl"), EXISTING, "RFC 3744 §5.5")
def acl(scope: Scope, resource: Resource) -> bytes:
    """What the asker's own rights are, as one protected entry: Radicale's rules are not lists of principals."""
    user = scope.request.user
    if user:
        principal = href(scope.href((user,), True))
    else:
        principal = element(D("unauthenticated"))
    granted = b"".join(element(D("privilege"), element(name)) for name in scope.access.privileges(resource))
    if not granted:
        return b""
    entry = element(D("principal"), principal) + element(D("grant"), granted) + element(D("protected"))
    return element(D("ace"), entry)


@live(D("acl-restrictions"), EXISTING, "RFC 3744 §5.6")
def acl_restrictions(scope: Scope, resource: Resource) -> bytes:
    return element(D("grant-only")) + element(D("no-invert"))


@live(D("inherited-acl-set"), EXISTING, "RFC 3744 §5.7")
def inherited_acl_set(scope: Scope, resource: Resource) -> bytes:
    return b""
