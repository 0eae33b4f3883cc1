"""The Application: one gate, one dispatch.

It is a `radicale.app.Application`, so configuration, auth, rights, sharing, web and hook plugins load as in Radicale.
With the calsync storage it answers every request itself; with any other storage type each goes to Radicale whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from calsync import compress, streams, upstream
from calsync.accounts import newcomer
from calsync.dav import changes, methods, properties, registry, reports
from calsync.dav.context import Context, settings
from calsync.dav.request import XML, Mount, Request, Response, Segments
from calsync.dav.resources import Kind
from calsync.dav.scope import Scope
from calsync.failures import failure
from calsync.health import NAMES as HEALTH
from calsync.health import Health
from calsync.jobs.hands import Hands
from calsync.login import Denied, identify
from calsync.metrics import exposition
from calsync.metrics.exposition import Figures
from calsync.observe import Trace, address_of
from calsync.recovery import hold
from calsync.store import principals
from calsync.store.engine import Store
from calsync.upstream import logger
from calsync.web import forms, render
from calsync.web.site import Site
from calsync.webdav import urls
from calsync.webdav.errors import (
    BadRequest,
    ContentTooLarge,
    DavError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMediaType,
)
from calsync.webdav.multistatus import error_body, reason

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

#: Importing these fills the registries.
FAMILIES = (methods, properties, reports)

#: Methods that some specification knows; anything else is 501 (RFC 9110 §9.1).
_KNOWN = frozenset(registry.METHODS) | {"POST", "PATCH", "TRACE", "CONNECT", "LOCK", "UNLOCK", "ACL", "SEARCH"}

#: The counter of a principal whose home has never held anything.
_UNTOUCHED = 1

#: What is Radicale's own and stays so: its page, its sharing interface, its Apple profile.
_RADICALES = (".web", ".sharing", ".mobileconfig")

#: How paths begin that go on while the store is on hold: pages, and the root for browsers.
_PAGES = ((), *((name,) for name in _RADICALES))

#: Where addresses begin that apps know from another server; a user may be called so all the same.
_GUESTS = ("index.php", "remote.php")


class Application(upstream.RadicaleApplication):
    """WSGI application; `configuration` comes from `calsync.config.load`."""

    def __init__(self, configuration: upstream.Configuration) -> None:
        upstream.check()
        # Without it Radicale leaves its size limits to the server in front.
        configuration.update({"server": {"_internal_server": "True"}}, "calsync", privileged=True)
        super().__init__(configuration)
        session = getattr(self._storage, "session", None)
        self.store: Store | None = session.store if session is not None else None
        self._context: Context | None = None
        self._held = None if self.store is None else hold.Held(self.store)
        self._health = None if self.store is None else Health(self.store)
        if self.store is not None:
            self._context = Context(
                self.store, upstream.unlimited(self._rights), self._sharing, self._hook, settings(configuration)
            )
        self.figures: Figures | None = None
        self.hands: Hands | None = None
        if self.store is not None and configuration.get("calsync", "jobs"):
            self.hands = Hands(self.store, {changes.HOOK: partial(changes.tell, self.store, self._hook)})
        self._realm: str = configuration.get("auth", "realm")
        self._largest_body: int = configuration.get("server", "max_content_length")
        self._delay: float = configuration.get("auth", "delay")
        self._site: Site | None = None
        if self.store is not None:
            self._site = Site.of(configuration, self.store, self._auth, self._make_home)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._context is None:
            return super().__call__({**environ, "PATH_INFO": _utf8(environ)}, start_response)
        environ = dict(environ) if not isinstance(environ, dict) else environ
        trace = Trace(environ)
        try:
            response = streams.begun(self._answer(environ, self._context, trace))
        except DavError as error:
            response = self._refusal(error, environ, trace)
        except Exception as error:  # noqa: BLE001 - the gate: every failure has an answer
            response = self._refusal(failure(error, trace), environ, trace)
        return self._send(response, environ, start_response, trace)

    def reload(self, configuration: upstream.Configuration) -> None:
        """Take on what may change while the server runs: the rights, which may stand in a file of their own."""
        self._rights = upstream.rights.load(configuration)
        if self._context is not None:
            self._context = replace(self._context, rights=upstream.unlimited(self._rights))

    def close(self) -> None:
        """End the job at hand, write what is pending and close the store."""
        if self.hands is not None:
            self.hands.stop()
        accounts = getattr(self._auth, "accounts", None)
        if accounts is not None:
            accounts.flush()
        if self.store is not None:
            self.store.close()

    # --- the gate -----------------------------------------------------------------------------------------------------

    def _answer(self, environ: dict[str, Any], context: Context, trace: Trace) -> Response:
        method = str(environ["REQUEST_METHOD"]).upper()
        served = self._service(environ, method)
        if served is not None:
            return served
        base, path, slash = self._path(environ)
        well_known = _well_known(base, path)
        if well_known is not None:
            return well_known
        if method not in _KNOWN:
            raise DavError(f"method {method[:20]!r}", status=501)
        if path == ("favicon.ico",) and not slash and method in ("GET", "HEAD"):
            return self._icon()
        if path and path[0] in _GUESTS:
            guest = self._guest(environ, method, base, path)
            if guest is not None:
                return guest
        if path[:1] not in _PAGES or (not path and method not in ("GET", "HEAD")):
            self._check_hold()
        login = identify(self._auth, environ, self._delay)
        who = login.identity
        trace.is_from(login.user, "" if who is None else who.label)
        if path and login.user and path[0] != login.user and path[0].casefold() == login.user.casefold():
            path = (login.user, *path[1:])  # clients.md 41
        if who is None or who.role != "guest":
            self._welcome(context, login.user, login.groups)
        if not path and method in ("GET", "HEAD"):
            return Response(302, {"Location": f"{base}/.web" if self._site is None else f"{base}/.calsync/"})
        if path and path[0] in _RADICALES:
            if who is not None and who.is_limited:
                raise Forbidden("this app password is for calendars and address books, not for pages")
            return self._radicales(environ, method, base, path, slash, login)
        mapping, path = Mount.resolve(self._sharing, path, slash, login.user, login.groups)
        request = Request(
            id=trace.id,
            method=method,
            path=path,
            slash=slash,
            base=base,
            headers=_headers(environ),
            body=self._body(environ),
            user=login.user,
            groups=login.groups,
            mapping=mapping,
            scheme=str(environ.get("wsgi.url_scheme", "http")),
            host=str(environ.get("HTTP_HOST", "")),
            remote=str(environ.get("REMOTE_ADDR", "")),
            query=str(environ.get("QUERY_STRING", "")),
            doing=trace.doing,
        )
        if who is not None:
            request = replace(request, device=who.label, limits=who.scope, read_only=who.read_only, role=who.role)
        one = registry.METHODS.get(method)
        if one is None:
            raise MethodNotAllowed(method, headers=_allow(Scope(context, request)))
        try:
            # Begun anew where another writer came between: nothing of the answer is out before the write.
            return context.store.attempt(lambda: one.run(Scope(context, request)))
        except MethodNotAllowed as error:
            error.headers.update(_allow(Scope(context, request)))
            raise

    def _check_hold(self) -> None:
        """What a restored store does not know, clients would delete: they wait until somebody has looked at it."""
        reason = None if self._held is None else self._held.reason
        if reason is not None:
            raise ServiceUnavailable(f"on hold: {reason}", headers={"Retry-After": str(hold.RETRY)})

    def _service(self, environ: dict[str, Any], method: str) -> Response | None:
        """What a service of ours or a page answers; its part of the path may hold encoded slashes."""
        raw = _raw_path(environ)
        outside, mark, inside = raw.partition("/.calsync/")
        bare = not mark and raw.endswith("/.calsync")
        if not mark and not bare:
            return None
        base, path, _ = self._path({**environ, "calsync.raw_path": f"{outside.removesuffix('/.calsync')}/"})
        if path:
            return None
        name, _, rest = inside.partition("/")
        if self._health is not None and inside in HEALTH:
            return self._health.answer(environ, inside)
        if inside == "metrics" and self.figures is not None:
            return self._told_figures(self.figures, environ, method)
        one = registry.SERVICES.get(name)
        if one is not None:
            asked = self._call(environ, method, base, f"{base}/.calsync/{name}", rest, one.largest)
            return self._attempted(lambda: one.run(asked))
        if self._site is None:
            raise NotFound("not a service of ours")
        if bare:
            return Response(301, {"Location": f"{base}/.calsync/"})
        site = self._site
        page = self._call(environ, method, base, f"{base}/.calsync", inside, site.largest)
        return self._attempted(lambda: site.serve(page))

    def _told_figures(self, figures: Figures, environ: dict[str, Any], method: str) -> Response:
        """For administrators, by the main password or an app password that may do everything."""
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed(method, headers={"Allow": "GET, HEAD"})
        who = identify(self._auth, environ, self._delay).identity
        if who is None:
            raise Unauthorized("log in first")
        if who.role != "admin" or who.is_limited:
            raise Forbidden("figures are for administrators")
        return Response(200, {"Content-Type": exposition.TYPE, "Cache-Control": "no-store"}, figures.text())

    def _attempted(self, work: Callable[[], Response]) -> Response:
        return work() if self.store is None else self.store.attempt(work)

    def _guest(self, environ: dict[str, Any], method: str, base: str, path: Segments) -> Response | None:
        """What stands at an address that apps expect of another server: Nextcloud's login flow and its DAV root."""
        if self._site is None or self.store is None:
            return None
        if method == "POST" and path == ("index.php", "login", "v2"):
            site = self._site
            asked = self._call(environ, method, base, f"{base}/.calsync", "login-flow", site.largest)
            return self._attempted(lambda: site.serve(asked))
        if path in (("remote.php", "dav"), ("remote.php", "webdav")):
            with self.store.read() as tx:
                if principals.find(tx, path[0]) is None:
                    return Response(301, {"Location": f"{base}/"})
        return None

    def _icon(self) -> Response:
        """What browsers ask for beside any page; a 401 would make them ask for a login."""
        if self._site is None:
            raise NotFound("no pages, no icon")
        return render.icon()

    def _call(
        self, environ: dict[str, Any], method: str, base: str, place: str, rest: str, largest: int
    ) -> registry.Call:
        stated = str(environ.get("CONTENT_LENGTH") or "0").strip()
        if len(stated) > 19 or (stated.isascii() and stated.isdigit() and int(stated) > largest):
            raise ContentTooLarge(f"{stated[:20]} octets, {largest} are taken here")
        scheme, host, remote = _outside(environ)
        query = str(environ.get("QUERY_STRING", ""))
        return registry.Call(
            method, place, rest, query, _headers(environ), self._body(environ), base, scheme, host, remote
        )

    def _path(self, environ: Environ) -> tuple[str, Segments, bool]:
        """The prefix that a proxy took off, the decoded segments, and whether the URL ended with a slash."""
        base = str(environ.get("HTTP_X_SCRIPT_NAME") or environ.get("SCRIPT_NAME") or self._script_name or "").rstrip(
            "/"
        )
        if base and not base.startswith("/"):
            raise BadRequest(f"X-Script-Name must begin with a slash: {base[:50]!r}")
        # As one path of this host, so that no redirect leads to another (`//evil`, `/\\evil`).
        base = "".join("/" + quote(part, safe="@:!$&'()*+,;=") for part in urls.decode_path(base)[0])
        raw = environ.get("calsync.raw_path")
        if raw is None:
            raw = quote(str(environ.get("PATH_INFO", "")).encode("latin-1"), safe="/")
        path, slash = urls.decode_path(str(raw))
        return base, self._without(base, path), slash

    def _without(self, base: str, path: Segments) -> Segments:
        """Radicale takes the prefix off where the proxy left it on."""
        prefix, _ = urls.decode_path(base) if base else ((), False)
        return path[len(prefix) :] if prefix and path[: len(prefix)] == prefix else path

    def _body(self, environ: Environ) -> bytes:
        coding = str(environ.get("HTTP_CONTENT_ENCODING", "")).strip().lower()
        if coding not in ("", "identity"):
            raise UnsupportedMediaType(f"Content-Encoding: {coding[:20]}", headers={"Accept-Encoding": "identity"})
        stated = str(environ.get("CONTENT_LENGTH") or "0").strip()
        if not (stated.isascii() and stated.isdigit() and len(stated) < 20):
            raise BadRequest(f"Content-Length: {stated[:20]!r}")
        length = int(stated)
        if self._largest_body and length > self._largest_body:
            raise ContentTooLarge(f"{length} octets, [server] max_content_length is {self._largest_body}")
        body: bytes = environ["wsgi.input"].read(length) if length else b""
        if len(body) != length:
            raise BadRequest(f"the body broke off at {len(body)} of {length} octets")
        return body

    def _make_home(self, user: str, groups: frozenset[str]) -> None:
        if self._context is not None:
            self._welcome(self._context, user, groups)

    def _welcome(self, context: Context, user: str, groups: frozenset[str]) -> None:
        """Make the home of a user who logged in for the first time, with its first collections."""
        if not user:
            return
        with context.store.read(one=True) as tx:
            found = principals.find(tx, user)
        if found is not None and (found.seq > _UNTOUCHED or found.name != user):
            return
        if "W" not in context.rights.authorization(user, set(groups), f"/{user}/"):
            return
        context.store.attempt(partial(_provide, context, user))

    def _radicales(
        self, environ: dict[str, Any], method: str, base: str, path: Segments, slash: bool, login: upstream.Login
    ) -> Response:
        """Radicale's own pages, answered by Radicale."""
        function = getattr(self, f"do_{method}", None) if method in ("GET", "HEAD", "POST") else None
        if function is None:
            raise MethodNotAllowed(method, headers={"Allow": "GET, HEAD, POST"})
        if method == "POST":
            # A browser adds a login that it remembers to what any site makes it send.
            forms.check_origin(_headers(environ), _outside(environ)[1])
        text = "/" + "/".join(path)
        if slash and path[0] == ".web" and len(path) == 1:
            text += "/"
        # Radicale compares PATH_INFO with the path and redirects where they differ: also a prefix that was left on.
        environ = {**environ, "PATH_INFO": text}
        status, headers, body, _ = function(environ, base, text, login.user, set(login.groups), {})
        if status == HTTPStatus.FORBIDDEN and not login.user:
            raise Unauthorized("log in first")
        octets = body.encode() if isinstance(body, str) else body or b""
        return Response(int(status), {"Content-Security-Policy": _PAGE_POLICY, **dict(headers)}, octets)

    # --- the way out --------------------------------------------------------------------------------------------------

    def _refusal(self, error: DavError, environ: dict[str, Any], trace: Trace) -> Response:
        trace.hint = error.hint
        if isinstance(error, Denied):
            environ["calsync.delay"] = error.delay
        headers = dict(error.headers)
        if error.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = self._challenge(isinstance(error, Denied) and error.bearer)
        if error.condition or error.detail:
            return Response(error.status, {"Content-Type": XML, **headers}, error_body(error.condition, error.detail))
        hint = f": {error.hint}" if error.hint and error.status < 500 else f" (request {trace.id})"
        text = f"{reason(error.status)}{hint}\n".encode()
        return Response(error.status, {"Content-Type": "text/plain; charset=utf-8", **headers}, text)

    def _challenge(self, bad_token: bool) -> str:
        """What credentials are taken (RFC 7617 §2, RFC 6750 §3)."""
        realm = '"' + self._realm.replace("\\", "\\\\").replace('"', '\\"') + '"'
        challenge = f'Basic realm={realm}, charset="UTF-8"'
        # After Basic: some clients know the first one only.
        if bad_token:
            challenge += f', Bearer realm={realm}, error="invalid_token"'
        elif getattr(self._auth, "offers_bearer", False):
            challenge += f", Bearer realm={realm}"
        return challenge

    def _send(
        self, response: Response, environ: Environ, start_response: StartResponse, trace: Trace
    ) -> Iterable[bytes]:
        headers = {"X-Content-Type-Options": "nosniff", **response.headers, **self._extra_headers}
        body: Iterable[bytes]
        if isinstance(response.body, bytes):
            octets = response.body
            body = (octets,)
            if response.status not in (204, 304):
                headers["Content-Length"] = str(len(octets))
        else:
            body = response.body
        streamed = not isinstance(response.body, bytes) and "Content-Length" not in headers
        if streamed:
            headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Accept-Encoding")))
            coding = compress.accepted(str(environ.get("HTTP_ACCEPT_ENCODING", "")))
            if coding:
                headers["Content-Encoding"] = coding
                body = compress.coded(coding, body)
        start_response(f"{response.status} {reason(response.status)}", list(headers.items()))
        trace.status = response.status
        if environ.get("REQUEST_METHOD") == "HEAD" or (isinstance(response.body, bytes)):
            close = getattr(body, "close", None)
            if close is not None:
                close()
            trace.end(0 if environ.get("REQUEST_METHOD") == "HEAD" else len(response.body))  # type: ignore[arg-type]
            return () if environ.get("REQUEST_METHOD") == "HEAD" else body
        return streams.counted(body, trace)


def _provide(context: Context, user: str) -> None:
    with context.store.write() as tx:
        found = principals.find(tx, user)
        if found is None or found.seq == _UNTOUCHED:
            newcomer.provision(tx, found or principals.create(tx, user), context.settings.predefined)
            logger.info("made the first collections of %s", user)


_PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "style-src 'self' 'unsafe-inline'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    )
)


#: Names below `.well-known` and where they lead.
_WELL_KNOWN = {"caldav": "/", "carddav": "/", "timezone": "/.calsync/timezones"}


def _well_known(base: str, path: Segments) -> Response | None:
    """RFC 6764 §5, RFC 7808 §4.2.1.3: 301 from `.well-known/NAME`, any method, any prefix (clients.md 3, 18)."""
    if ".well-known" not in path:
        return None
    if len(path) > 1 and path[-2] == ".well-known" and path[-1] in _WELL_KNOWN:
        return Response(301, {"Location": base + _WELL_KNOWN[path[-1]]})
    raise NotFound("not a service of ours")


def _raw_path(environ: Environ) -> str:
    """The path as it was sent; a server that decodes it gives it encoded anew."""
    raw = environ.get("calsync.raw_path")
    return quote(str(environ.get("PATH_INFO", "")).encode("latin-1"), safe="/%") if raw is None else str(raw)


def _utf8(environ: Environ) -> str:
    """PATH_INFO as Radicale expects it: PEP 3333 gives octets as Latin-1, its own server decodes them as UTF-8."""
    return str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")


def _outside(environ: Environ) -> tuple[str, str, str]:
    """Scheme, host and address of the client as a proxy tells them; the server lets only known proxies speak."""

    def told(name: str) -> list[str]:
        return [part.strip() for part in str(environ.get(name, "")).split(",") if part.strip()]

    scheme = (told("HTTP_X_FORWARDED_PROTO") or [str(environ.get("wsgi.url_scheme", "http"))])[0].lower()
    host = (told("HTTP_X_FORWARDED_HOST") or [str(environ.get("HTTP_HOST", ""))])[0]
    port = (told("HTTP_X_FORWARDED_PORT") or [""])[0]
    if port.isdigit() and port != {"https": "443", "http": "80"}.get(scheme) and not host.rpartition("]")[2].count(":"):
        host = f"{host}:{port}"
    return "https" if scheme == "https" else "http", host, address_of(environ)


def _headers(environ: Environ) -> dict[str, str]:
    found = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        found["content-type"] = str(environ["CONTENT_TYPE"])
    return found


def _allow(scope: Scope) -> dict[str, str]:
    """RFC 9110 §15.5.6: a 405 names what is allowed."""
    with scope.read():
        resource = scope.locate()
        kind = resource.kind if scope.access.may_read(resource) else Kind.MISSING
    return {"Allow": ", ".join(registry.methods_of(kind))}
