"""REPORT (RFC 3253 §3.6): the body says which; `calsync.dav.reports` answers."""

from __future__ import annotations

from calsync.dav import registry
from calsync.dav.registry import method
from calsync.dav.request import Response
from calsync.dav.resources import EXISTING, Kind
from calsync.dav.scope import Scope
from calsync.webdav import parse
from calsync.webdav.errors import Forbidden, NotFound
from calsync.webdav.names import D, split


@method("REPORT", EXISTING, "RFC 3253 §3.6")
def report(scope: Scope) -> Response:
    wanted = parse.report(scope.request.body, scope.request.header("content-type"))
    one = registry.REPORTS.get(type(wanted))
    scope.request.doing.report = "other" if one is None else split(one.name)[1]
    with scope.read():
        resource = scope.locate()
        busy = one is not None and one.name.endswith("free-busy-query") and scope.access.may_read_busy(resource)
        if not busy and not scope.access.may_read(resource):
            raise scope.access.refusal(scope.href(resource.path, scope.request.slash), D("read"))
        if resource.kind is Kind.MISSING:
            raise NotFound(f"nothing at {scope.href(resource.path, scope.request.slash)}")
    if one is None or resource.kind not in one.kinds:
        raise Forbidden(f"{type(wanted).__name__} on a {resource.kind}", condition=D("supported-report"))
    return one.run(scope, wanted)
