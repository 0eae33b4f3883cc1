"""The Application: one gate, one dispatch.

It is a `radicale.app.Application`, so configuration, auth, rights, sharing, web and hook plugins load as in Radicale.
With the calsync storage it answers every request itself; with any other storage type each goes to Radicale whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from calsync import upstream
from calsync.accounts import turn
from calsync.accounts.throttle import is_here, network
from calsync.dav import changes, methods, properties, registry, reports
from calsync.dav.context import Context, settings
from calsync.dav.request import Mount, Request, Response, Segments
from calsync.dav.resources import Kind
from calsync.dav.scope import Scope
from calsync.gate import failures, grants, home, streams
from calsync.gate.environ import Environ, body_of, headers_of, outside, path_of, radicales_path
from calsync.gate.guesses import Guesses
from calsync.gate.health import Health
from calsync.gate.login import Denied, challenge, identify
from calsync.gate.observe import Trace, address_of
from calsync.gate.streams import StartResponse
from calsync.jobs.hands import Hands
from calsync.recovery import hold
from calsync.services import Services, well_known
from calsync.store.engine import Store
from calsync.web import forms
from calsync.web.site import Site
from calsync.webdav.errors import DavError, Forbidden, MethodNotAllowed, ServiceUnavailable, Unauthorized

#: Importing these fills the registries.
FAMILIES = (methods, properties, reports)

#: Methods that some specification knows; anything else is 501 (RFC 9110 §9.1).
_KNOWN = frozenset(registry.METHODS) | {"POST", "PATCH", "TRACE", "CONNECT", "LOCK", "UNLOCK", "ACL", "SEARCH"}

#: What is Radicale's own and stays so: its page, its sharing interface, its Apple profile.
_RADICALES = (".web", ".sharing", ".mobileconfig")

#: How paths begin that go on while the store is on hold: pages, and the root for browsers.
_PAGES = ((), *((name,) for name in _RADICALES))

#: What Radicale's pages may load; they have scripts of their own.
_PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "style-src 'self' 'unsafe-inline'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    )
)


class Application(upstream.RadicaleApplication):
    """WSGI application; `configuration` comes from `calsync.config.load`."""

    def __init__(self, configuration: upstream.Configuration) -> None:
        upstream.check()
        # Without it Radicale leaves its size limits to the server in front.
        configuration.update({"server": {"_internal_server": "True"}}, "calsync", privileged=True)
        super().__init__(configuration)
        self._realm: str = configuration.get("auth", "realm")
        self._largest_body: int = configuration.get("server", "max_content_length")
        self._delay: float = configuration.get("auth", "delay")
        session = getattr(self._storage, "session", None)
        self.store: Store | None = session.store if session is not None else None
        self.services: Services | None = None
        self.hands: Hands | None = None
        self._context: Context | None = None
        if self.store is not None:
            self._open(configuration, self.store)

    def _open(self, configuration: upstream.Configuration, store: Store) -> None:
        """What there is with the calsync storage alone."""
        rights = upstream.unlimited(self._rights)
        self._context = Context(store, rights, self._sharing, self._hook, settings(configuration))
        self._held = hold.Held(store)
        if configuration.get("calsync", "jobs"):
            self.hands = Hands(store, {changes.HOOK: partial(changes.tell, store, self._hook)})
        site = Site.of(configuration, store, self._auth, self._make_home)
        self.services = Services(
            store, site, Health(store), self._auth, self._delay, self._script_name, self._largest_body
        )
        self.services.guesses = Guesses.of(configuration, self._auth, store)
        grants.watch(self._sharing)
        grants.note_rights(store, configuration)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._context is None or self.services is None:
            return super().__call__({**environ, "PATH_INFO": radicales_path(environ)}, start_response)
        environ = dict(environ) if not isinstance(environ, dict) else environ
        trace = Trace(environ)
        turn.place(environ.get("calsync.checks", ""))
        try:
            response = streams.begun(self._answer(environ, self._context, self.services, trace))
        except DavError as error:
            response = self._refusal(error, environ, trace)
        except turn.Elsewhere:
            environ["calsync.began"] = trace.withdraw()
            remote = address_of(environ)
            environ["calsync.unchecked"] = "" if is_here(remote) else network(remote)
            return []
        except Exception as error:  # noqa: BLE001 - the gate: every failure has an answer
            response = self._refusal(failures.failure(error, trace), environ, trace)
        return streams.sent(response, environ, start_response, trace, self._extra_headers)

    def reload(self, configuration: upstream.Configuration) -> None:
        """Take on what may change while the server runs: the rights, which may stand in a file of their own."""
        self._rights = upstream.rights.load(configuration)
        if self._context is not None:
            self._context = replace(self._context, rights=upstream.unlimited(self._rights))
            grants.note_rights(self._context.store, configuration)

    def close(self) -> None:
        """End the job at hand, write what is pending and close the store."""
        if self.hands is not None:
            self.hands.stop()
        accounts = getattr(self._auth, "accounts", None)
        if accounts is not None:
            accounts.flush()
        if self.services is not None and self.services.guesses is not None:
            self.services.guesses.flush()
        if self.store is not None:
            self.store.close()

    # --- the gate -----------------------------------------------------------------------------------------------------

    def _answer(self, environ: dict[str, Any], context: Context, services: Services, trace: Trace) -> Response:
        method = str(environ["REQUEST_METHOD"]).upper()
        served = services.below(environ, method)
        if served is not None:
            return served
        base, path, slash = path_of(environ, self._script_name)
        served = well_known(base, path)
        if served is not None:
            return served
        if method not in _KNOWN:
            raise DavError(f"method {method[:20]!r}", status=501)
        served = services.elsewhere(environ, method, base, path, slash)
        if served is not None:
            return served
        if path[:1] not in _PAGES or (not path and method not in ("GET", "HEAD")):
            self._check_hold()
        login = identify(self._auth, environ, self._delay, services.guesses)
        who = login.identity
        trace.is_from(login.user, "" if who is None else who.label)
        if path and login.user and path[0] != login.user and path[0].casefold() == login.user.casefold():
            path = (login.user, *path[1:])  # clients.md 41
        if who is None or who.role != "guest":
            home.welcome(context, login.user, login.groups)
        if not path and method in ("GET", "HEAD"):
            return Response(302, {"Location": f"{base}/.web" if services.site is None else f"{base}/.calsync/"})
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
            headers=headers_of(environ),
            body=body_of(environ, self._largest_body),
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
        reason = self._held.reason
        if reason is not None:
            raise ServiceUnavailable(f"on hold: {reason}", headers={"Retry-After": str(hold.RETRY)})

    def _make_home(self, user: str, groups: frozenset[str]) -> None:
        if self._context is not None:
            home.welcome(self._context, user, groups)

    def _radicales(
        self, environ: dict[str, Any], method: str, base: str, path: Segments, slash: bool, login: upstream.Login
    ) -> Response:
        """Radicale's own pages, answered by Radicale."""
        function = getattr(self, f"do_{method}", None) if method in ("GET", "HEAD", "POST") else None
        if function is None:
            raise MethodNotAllowed(method, headers={"Allow": "GET, HEAD, POST"})
        if method == "POST":
            # A browser adds a login that it remembers to what any site makes it send.
            forms.check_origin(headers_of(environ), outside(environ)[1])
        text = "/" + "/".join(path)
        if slash and path[0] == ".web" and len(path) == 1:
            text += "/"
        # Radicale compares PATH_INFO with the path and redirects where they differ: also a prefix that was left on.
        environ = {**environ, "PATH_INFO": text}
        with self._noted_shares(environ, login.user) if path[0] == ".sharing" else nullcontext():
            status, headers, body, _ = function(environ, base, text, login.user, set(login.groups), {})
        if status == HTTPStatus.FORBIDDEN and not login.user:
            raise Unauthorized("log in first")
        octets = body.encode() if isinstance(body, str) else body or b""
        return Response(int(status), {"Content-Security-Policy": _PAGE_POLICY, **dict(headers)}, octets)

    def _noted_shares(self, environ: Environ, user: str) -> AbstractContextManager[None]:
        if self.store is None:
            return nullcontext()
        return grants.noted_shares(self.store, user, address_of(environ), str(environ.get("HTTP_USER_AGENT", "")))

    # --- the way out --------------------------------------------------------------------------------------------------

    def _refusal(self, error: DavError, environ: dict[str, Any], trace: Trace) -> Response:
        trace.hint = error.hint
        response = failures.told(error, trace)
        if isinstance(error, Denied):
            environ["calsync.delay"] = error.delay
        if error.status == HTTPStatus.UNAUTHORIZED:
            bad_token = isinstance(error, Denied) and error.bearer
            response.headers["WWW-Authenticate"] = challenge(self._auth, self._realm, bad_token=bad_token)
        return response


def _allow(scope: Scope) -> dict[str, str]:
    """RFC 9110 §15.5.6: a 405 names what is allowed."""
    with scope.read():
        resource = scope.locate()
        kind = resource.kind if scope.access.may_read(resource) else Kind.MISSING
    return {"Allow": ", ".join(registry.methods_of(kind))}
