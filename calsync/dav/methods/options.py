"""OPTIONS (RFC 9110 §9.3.7, RFC 4918 §10.1): what may be asked of a resource."""

from __future__ import annotations

from calsync.dav import registry
from calsync.dav.registry import method
from calsync.dav.request import Response
from calsync.dav.resources import EXISTING, Kind
from calsync.dav.scope import Scope


@method("OPTIONS", EXISTING | {Kind.MISSING}, "RFC 9110 §9.3.7")
def options(scope: Scope) -> Response:
    """200, not 204 (clients.md 23). Who may not see a resource learns the methods of one that does not exist.

    The `DAV:` tokens stand on every answer, the principals' included (clients.md 4).
    """
    with scope.read():
        resource = scope.locate()
        kind = resource.kind if scope.access.may_read(resource) else Kind.MISSING
    return Response(
        200,
        {
            "Allow": ", ".join(registry.methods_of(kind)),
            "DAV": ", ".join(registry.compliance()),
            "MS-Author-Via": "DAV",
        },
    )
