"""The class that Radicale loads."""

from __future__ import annotations

import secrets
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from radicale.auth import AuthContext, BaseAuth
from radicale.config import Configuration
from radicale.log import logger

from calsync.accounts.accounts import Accounts, Identity, Policy, Throttled
from calsync.accounts.names import BadName
from calsync.accounts.scopes import CURRENT
from calsync.accounts.throttle import is_here
from calsync_auth.chain import Chain
from calsync_auth.settings import BadOption, given, option
from calsync_storage.location import auth_url, partitions
from calsync_storage.session import session

if TYPE_CHECKING:
    from calsync.accounts.accounts import Account
    from calsync.accounts.oidc import Claims, Provider
    from calsync_auth.openid import OpenId

#: Back ends of Radicale's that take a name from the server in front; they look at no password.
_NAMED_IN_FRONT: Final = frozenset({"remote_user", "http_remote_user", "http_x_remote_user"})

#: Whether the request of this thread is for Radicale's sharing interface.
_SHARES: Final[ContextVar[bool]] = ContextVar("calsync_shares", default=False)

_OWN: Final = frozenset({"accounts", "calsync_auth", ""})


class Auth(BaseAuth):
    """`[auth] type = calsync_auth`. `accounts` are those that it asks, `provider` the OpenID provider, if any."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        # What was verified is remembered with the generation of its account; Radicale's own memory knows none.
        self._cache_logins = False
        self._session = session(auth_url(configuration), partitions(configuration))
        kind = str(option(configuration, "backend")).strip()
        self._front: BaseAuth | None = None
        self._token = secrets.token_urlsafe(32)
        self.accounts = Accounts(
            self._session.store,
            self._main(configuration, kind),
            policy=Policy.read(lambda name: given(configuration, name)),
        )
        self._openid = _openid(configuration, self.accounts)
        self._scopes_hold = configuration.get("rights", "type") == "calsync_rights"

    def _main(self, configuration: Configuration, kind: str) -> Chain | None:
        """The back end that knows the main passwords; None: the accounts' own."""
        if kind in _OWN:
            return None
        from calsync_auth import backends

        timeout, concurrent = option(configuration, "backend_timeout"), option(configuration, "backend_concurrent")
        if not timeout or not concurrent:
            raise BadOption("[auth] backend_timeout and backend_concurrent must be more than 0")
        backend = backends.load(configuration, kind, timeout)
        if kind in _NAMED_IN_FRONT:
            self._front = backend
            backend = backends.load(configuration, "denyall", timeout)
        return Chain(kind, backend, seconds=timeout, concurrent=concurrent)

    # --- what calsync asks --------------------------------------------------------------------------------------------

    @property
    def provider(self) -> Provider | None:
        """The OpenID provider of the sign-in page."""
        return None if self._openid is None else self._openid.provider

    @property
    def offers_bearer(self) -> bool:
        """Whether clients should hear that `Authorization: Bearer` is taken."""
        return self._openid is not None and self._openid.options.bearer

    def authenticate(self, login: str, password: str, address: str = "", client: str = "") -> Identity | None:
        """Who this is, or None; `address` is the client's, `client` what it calls itself.

        As Radicale's `login`, with its treatment of the name, but a failure does not sleep in the calling thread.
        Raises `Throttled`, `TooManyChecks`, `BackendDown` and `StoreError`.
        """
        return self._identified(self._treated(login), password, address, client)

    def sign_in(self, login: str, password: str, address: str = "", client: str = "") -> Identity | None:
        """Who a person at the sign-in page is, or None: main passwords only, and names as for devices."""
        return self.accounts.sign_in(self._treated(login), password, address=address, client=client)

    def _treated(self, login: str) -> str:
        """The name as Radicale's options have it (`lc_username`, `strip_domain`, …)."""
        if self._lc_username:
            login = login.lower()
        if self._uc_username:
            login = login.upper()
        if self._urldecode_username:
            login = unquote(login)
        return login.split("@")[0] if self._strip_domain else login

    def bearer(self, token: str, address: str = "", client: str = "") -> Identity | None:
        """Whom `Authorization: Bearer` lets in (RFC 6750 §2.1): an app password, or the provider's access token.

        Raises as `authenticate` does.
        """
        identity = self.accounts.identity_of_token(token, address=address, client=client)
        if identity is None and self._openid is not None and self.offers_bearer:
            identity = self._openid.identity(token)
        # No failure is counted: nobody guesses such tokens, and who is told to wait does not get itself another one.
        CURRENT.set(identity)
        return identity

    def admit(self, claims: Claims) -> Account | None:
        """The account of somebody who signed in at the provider; None where there is to be none."""
        return None if self._openid is None else self._openid.admit(claims)

    # --- what Radicale asks -------------------------------------------------------------------------------------------

    def get_external_login(self, environ: Any) -> tuple[()] | tuple[str, str]:
        """The name that the server in front has verified; where it names none, credentials of our own count.

        Called at the beginning of each request.
        """
        CURRENT.set(None)
        _SHARES.set("/.sharing" in f"/{environ.get('PATH_INFO', '')}")
        if self._front is None:
            return ()
        named = self._front.get_external_login(environ)
        return (named[0], self._token) if named and named[0] else ()

    def _login_ext_with_groups(self, login: str, password: str, context: AuthContext) -> tuple[str, set[str]]:
        address = context.remote_addr or ""
        if is_here(address):
            # Only a proxy on this machine is believed; anybody else could be a new address with each guess.
            address = context.x_remote_addr or address
        try:
            identity = self._identified(login, password, address, "")
        except Throttled:
            return "", set()
        if identity is None:
            return "", set()
        refusal = self._refusal() if identity.is_limited else ""
        if refusal:
            logger.warning("an app password of %r is refused: %s", identity.name, refusal)
            CURRENT.set(None)
            return "", set()
        return identity.name, set(identity.groups)

    def _refusal(self) -> str:
        """Why stock Radicale cannot let a limited app password in."""
        if not self._scopes_hold:
            return "what it may do needs [rights] type = calsync_rights"
        # That interface asks no rights about shares that there are, and tells their tokens.
        return "/.sharing is not for devices that are limited" if _SHARES.get() else ""

    def _identified(self, login: str, password: str, address: str, client: str) -> Identity | None:
        if self._front is not None and secrets.compare_digest(password.encode(errors="replace"), self._token.encode()):
            identity = self._named_in_front(login)
        else:
            identity = self.accounts.authenticate(login, password, address=address, client=client)
        CURRENT.set(identity)
        return identity

    def _named_in_front(self, login: str) -> Identity | None:
        try:
            account = self.accounts.ensure(login)
        except BadName as error:
            logger.warning("the server in front named %r, which cannot be an account: %s", login, error)
            return None
        return None if account is None else self.accounts.identity_of(account.name)


def _openid(configuration: Configuration, accounts: Accounts) -> OpenId | None:
    if not str(option(configuration, "oidc_issuer")).strip():
        return None
    try:
        from calsync_auth.openid import openid
    except ImportError as error:
        raise BadOption(f"[auth] oidc_issuer needs more libraries: pip install 'calsync[oidc]' ({error})") from error
    return openid(configuration, accounts)
