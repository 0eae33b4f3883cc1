"""What is answered beside DAV: all below `/.calsync/` (services, pages, probes, figures) and addresses that lead there.

It comes before the login: a service says itself who may ask, a page signs people in by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from calsync import upstream
from calsync.dav import registry
from calsync.dav.request import Response, Segments
from calsync.gate.environ import body_of, headers_of, outside, path_of, raw_path, stated_length
from calsync.gate.guesses import Guesses
from calsync.gate.health import NAMES as HEALTH
from calsync.gate.health import Health
from calsync.gate.login import identify
from calsync.metrics import exposition
from calsync.metrics.exposition import Figures
from calsync.store import principals
from calsync.store.engine import Store
from calsync.web import render
from calsync.web.site import Site
from calsync.webdav.errors import ContentTooLarge, Forbidden, MethodNotAllowed, NotFound, Unauthorized

#: Names below `.well-known` and where they lead.
_WELL_KNOWN: Final = {"caldav": "/", "carddav": "/", "timezone": "/.calsync/timezones"}

#: Where addresses begin that apps know from another server; a user may be called so all the same.
_GUESTS: Final = ("index.php", "remote.php")


def well_known(base: str, path: Segments) -> Response | None:
    """RFC 6764 §5, RFC 7808 §4.2.1.3: 301 from `.well-known/NAME`, any method, any prefix (clients.md 3, 18)."""
    if ".well-known" not in path:
        return None
    if len(path) > 1 and path[-2] == ".well-known" and path[-1] in _WELL_KNOWN:
        return Response(301, {"Location": base + _WELL_KNOWN[path[-1]]})
    raise NotFound("not a service of ours")


@dataclass(slots=True)
class Services:
    """`site`: the pages, None where there are none. `figures`: what `/.calsync/metrics` tells, None where nothing.

    `largest`: octets that a body may have (0: any number); a service may take less. `script_name`, `delay`,
    `guesses`: as `calsync.gate.environ.path_of` and `calsync.gate.login.identify` take them.
    """

    store: Store
    site: Site | None
    health: Health
    backend: upstream.auth.BaseAuth
    delay: float
    script_name: str
    largest: int
    figures: Figures | None = None
    guesses: Guesses | None = None

    def below(self, environ: dict[str, Any], method: str) -> Response | None:
        """What is answered below `/.calsync/`, whose part of the path may hold encoded slashes; None elsewhere."""
        raw = raw_path(environ)
        before, mark, inside = raw.partition("/.calsync/")
        bare = not mark and raw.endswith("/.calsync")
        if not mark and not bare:
            return None
        base, path, _ = path_of(
            {**environ, "calsync.raw_path": f"{before.removesuffix('/.calsync')}/"}, self.script_name
        )
        if path:
            return None
        name, _, rest = inside.partition("/")
        if inside in HEALTH:
            return self.health.answer(environ, inside)
        if inside == "metrics" and self.figures is not None:
            return self._told(self.figures, environ, method)
        one = registry.SERVICES.get(name)
        if one is not None:
            asked = self._call(environ, method, base, f"{base}/.calsync/{name}", rest, one.largest)
            return self.store.attempt(lambda: one.run(asked))
        if self.site is None:
            raise NotFound("not a service of ours")
        if bare:
            return Response(301, {"Location": f"{base}/.calsync/"})
        return self._page(self.site, environ, method, base, inside)

    def elsewhere(
        self, environ: dict[str, Any], method: str, base: str, path: Segments, slash: bool
    ) -> Response | None:
        """What stands at addresses that browsers guess, or apps know from another server; None where DAV is meant."""
        if path == ("favicon.ico",) and not slash and method in ("GET", "HEAD"):
            # Browsers ask for it beside any page; a 401 would make them ask for a login.
            if self.site is None:
                raise NotFound("no pages, no icon")
            return render.icon()
        return self._guest(environ, method, base, path) if path and path[0] in _GUESTS else None

    def _guest(self, environ: dict[str, Any], method: str, base: str, path: Segments) -> Response | None:
        """What apps expect of another server: Nextcloud's login flow and its DAV root."""
        if self.site is None:
            return None
        if method == "POST" and path == ("index.php", "login", "v2"):
            return self._page(self.site, environ, method, base, "login-flow")
        if path in (("remote.php", "dav"), ("remote.php", "webdav")):
            with self.store.read() as tx:
                if principals.find(tx, path[0]) is None:
                    return Response(301, {"Location": f"{base}/"})
        return None

    def _page(self, site: Site, environ: dict[str, Any], method: str, base: str, inside: str) -> Response:
        asked = self._call(environ, method, base, f"{base}/.calsync", inside, site.largest)
        return self.store.attempt(lambda: site.serve(asked))

    def _told(self, figures: Figures, environ: dict[str, Any], method: str) -> Response:
        """For administrators, by the main password or an app password that may do everything."""
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed(method, headers={"Allow": "GET, HEAD"})
        who = identify(self.backend, environ, self.delay, self.guesses).identity
        if who is None:
            raise Unauthorized("log in first")
        if who.role != "admin" or who.is_limited:
            raise Forbidden("figures are for administrators")
        return Response(200, {"Content-Type": exposition.TYPE, "Cache-Control": "no-store"}, figures.text())

    def _call(
        self, environ: dict[str, Any], method: str, base: str, place: str, rest: str, largest: int
    ) -> registry.Call:
        stated = stated_length(environ)
        if len(stated) > 19 or (stated.isascii() and stated.isdigit() and int(stated) > largest):
            raise ContentTooLarge(f"{stated[:20]} octets, {largest} are taken here")
        scheme, host, remote = outside(environ)
        query = str(environ.get("QUERY_STRING", ""))
        body = body_of(environ, self.largest)
        return registry.Call(method, place, rest, query, headers_of(environ), body, base, scheme, host, remote)
