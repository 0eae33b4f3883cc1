"""What is done for every page: which one it is, who asks, whether a form is our own, and what an error looks like."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from calsync.accounts import audit
from calsync.accounts.accounts import Accounts, Identity
from calsync.accounts.factors import SecondFactors
from calsync.accounts.flows import Flows
from calsync.accounts.sessions import Sessions
from calsync.dav.registry import Call
from calsync.dav.request import Response
from calsync.store.engine import Store
from calsync.store.transaction import Transaction
from calsync.upstream import Configuration
from calsync.web import forms, render
from calsync.web.cookies import Jar
from calsync.web.routes import Route, Who, find
from calsync.web.texts import _
from calsync.web.visit import Told, Visit
from calsync.webdav.errors import DavError, MethodNotAllowed, NotFound
from calsync_storage.location import auth_url
from calsync_storage.session import session

if TYPE_CHECKING:
    from calsync.accounts.oidc import Claims, Provider

#: Called with name and groups.
Welcome = Callable[[str, frozenset[str]], None]

#: The cookie.
COOKIE: Final = "calsync"


@dataclass(frozen=True, slots=True)
class Settings:
    """`totp`: who has a second step: `off`, `optional`, `required`, `admins` (required of those)."""

    totp: str = "optional"


class Site:
    """The pages of an application. `store` holds the collections, `logins` the accounts; mostly they are one."""

    #: Octets that a form may have.
    largest: Final = 65_536

    def __init__(
        self,
        store: Store,
        logins: Store,
        accounts: Accounts,
        settings: Settings,
        sessions: Sessions,
        backend: object = None,
        welcome: Welcome | None = None,
    ) -> None:
        self.store = store
        self.logins = logins
        self.accounts = accounts
        self.settings = settings
        self.provider: Provider | None = getattr(backend, "provider", None)
        self._backend: Any = backend
        self._welcome = welcome
        self.sessions = sessions
        self.factors = SecondFactors(logins)
        self.flows = Flows(logins)
        self.form_key = logins.secret("web-form")

    @classmethod
    def of(
        cls, configuration: Configuration, store: Store, backend: object, welcome: Welcome | None = None
    ) -> Site | None:
        """The pages, where they are wanted and calsync knows the accounts itself.

        `welcome` makes the home of somebody who comes for the first time.
        """
        accounts = getattr(backend, "accounts", None)
        if not isinstance(accounts, Accounts) or not configuration.get("calsync", "pages"):
            return None
        logins = session(auth_url(configuration)).store
        idle, longest = (int(configuration.get("calsync", f"session_{name}")) for name in ("idle", "longest"))
        return cls(
            store,
            logins,
            accounts,
            Settings(configuration.get("auth", "totp")),
            Sessions(logins, idle=idle, longest=longest),
            backend,
            welcome,
        )

    def serve(self, call: Call) -> Response:
        """Answer a request of a page."""
        with audit.asked(call.remote, call.agent):
            return self._answered(call)

    def _answered(self, call: Call) -> Response:
        visit = self._visit(call)
        try:
            return self._served(visit)
        except DavError as error:
            if error.status >= 500 and not error.headers:
                raise
            return self._refused(visit, error)

    def _visit(self, call: Call) -> Visit:
        jar = self.jar(call)
        cookie = jar.read(call.headers.get("cookie", ""), COOKIE)
        return Visit(self, call, cookie, self.sessions.find(cookie) if cookie else None)

    def jar(self, call: Call) -> Jar:
        """The cookies of the pages, as this client reaches them."""
        return Jar(f"{call.base}/.calsync/", call.scheme == "https")

    def _served(self, visit: Visit) -> Response:
        call = visit.call
        route, visit.parts = find(call.rest)
        if route is None:
            raise NotFound("no such page")
        run = route.post if call.method == "POST" else route.get if call.method in ("GET", "HEAD") else None
        if run is None:
            allowed = [name for name, one in (("GET, HEAD", route.get), ("POST", route.post)) if one is not None]
            raise MethodNotAllowed(call.method, headers={"Allow": ", ".join(allowed)})
        if route.who in (Who.APP, Who.FILE):
            return run(visit)
        away = self._elsewhere(visit, route)
        if away is not None:
            return away
        fresh = not visit.cookie
        if fresh:
            visit.cookie = secrets.token_urlsafe(32)
        if call.method == "POST":
            visit.form = forms.parse(call.body, call.headers.get("content-type", ""))
            forms.check(visit.form, self.form_key, "" if fresh else visit.cookie, call.headers, call.host)
        if visit.session is not None:
            self.sessions.used(visit.session, call.remote)
        response = run(visit)
        if fresh and "Set-Cookie" not in response.headers:
            self.set_cookie(visit, response, visit.cookie)
        return response

    def _elsewhere(self, visit: Visit, route: Route) -> Response | None:
        """Where somebody has to go first, if the page is not for them yet."""
        stage = visit.stage
        if route.who is Who.ANYBODY or (route.who is Who.SIGNED_IN and stage == "full") or route.who.value == stage:
            return None
        if route.who is Who.SETTING_UP and stage == "full":
            return None
        if stage == "code":
            return visit.go("sign-in/code")
        if stage == "setup":
            return visit.go("account/second-step/set-up")
        if stage == "full":
            return visit.go()
        wanted = visit.call.rest if route.get is not None and visit.call.method != "POST" else ""
        return visit.go("sign-in", **({"next": wanted} if wanted else {}))

    # --- what several pages need --------------------------------------------------------------------------------------

    def must_have_second_step(self, role: str) -> bool:
        """Whether the server asks it of an account of this role."""
        policy = self.settings.totp
        return policy == "required" or (policy == "admins" and role == "admin")

    def proves(self, name: str, secret: str, call: Call) -> bool:
        """Whether an app password is good for this account, as a device would find out."""
        identity = self.accounts.identity_of_token(secret, address=call.remote, client=call.agent)
        return identity is not None and identity.name == name

    def sign_in(self, login: str, password: str, call: Call) -> Identity | None:
        """Who this is by the main password, or None. Raises `Throttled`, `TooManyChecks` and `BackendDown`."""
        found: Identity | None = self._backend.sign_in(login, password, address=call.remote, client=call.agent)
        return found

    def admit(self, claims: Claims) -> int | None:
        """The account of somebody who signed in at the provider, made if that is allowed; None where there is none."""
        found = self._backend.admit(claims)
        return None if found is None else int(found.id)

    @contextmanager
    def kept_sessions(self, tx: Transaction, name: str) -> Iterator[None]:
        """A change of app passwords, which makes every login be asked anew; the web sessions of the account live on."""
        account = self.accounts.find(name)
        before = 0 if account is None else account.generation
        yield
        if account is not None:
            self.sessions.follow(tx, account.id, before)

    def set_cookie(self, visit: Visit, response: Response, value: str) -> None:
        """Give the browser its cookie; an empty value takes it away."""
        response.headers["Set-Cookie"] = self.jar(visit.call).written(COOKIE, value, lasts=None if value else 0)

    def begin(self, visit: Visit, account: int, data: Mapping[str, Any], *, longest: int | None = None) -> bool:
        """A session under a new id, in place of what the browser had; whoever planted that one knows nothing of it."""
        if visit.session is not None:
            self.sessions.end(visit.session)
        cookie = self.sessions.begin(
            account, address=visit.call.remote, client=visit.call.agent, data=data, longest=longest
        )
        found = self.sessions.find(cookie)
        if found is None:
            return False
        visit.cookie, visit.session = cookie, found
        if self._welcome is not None and visit.stage == "full" and found.role != "guest":
            self._welcome(found.name, self.accounts.groups_of(found.name))
        return True

    def _refused(self, visit: Visit, error: DavError) -> Response:
        title = {
            403: _("This form did not come from here"),
            404: _("There is no such page"),
            429: _("Too many attempts"),
            503: _("Just a moment"),
        }.get(error.status, _("That did not work"))
        told = {
            403: _("Go back, load the page anew and try once more. If you did not send it: nothing has happened."),
            404: _("The address may be mistyped, or what it named is gone."),
        }.get(error.status, "")
        headers = {**render.HEADERS, **error.headers}
        if visit.call.method not in ("GET", "HEAD", "POST"):
            return Response(error.status, headers)
        return visit.page(
            "error.html",
            error.status,
            headers,
            title=title,
            number=error.status,
            hint=error.hint if isinstance(error, Told) else told,
        )
