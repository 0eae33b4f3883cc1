"""The class that Radicale loads."""

from __future__ import annotations

from urllib.parse import unquote

from radicale.auth import AuthContext, BaseAuth
from radicale.config import Configuration

from calsync.accounts.accounts import Accounts, Identity
from calsync_storage.location import auth_url
from calsync_storage.session import session


class Auth(BaseAuth):
    """`[auth] type = calsync_auth`. `accounts` are those that it asks."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._session = session(auth_url(configuration))
        self.accounts = Accounts(self._session.store)

    def authenticate(self, login: str, password: str, address: str = "") -> Identity | None:
        """Who this is, or None; `address` is the client's.

        As Radicale's `login`, with its treatment of the name (`lc_username`, `strip_domain`, …), but a failure does not
        sleep in the calling thread. Raises `TooManyChecks`.
        """
        if self._lc_username:
            login = login.lower()
        if self._uc_username:
            login = login.upper()
        if self._urldecode_username:
            login = unquote(login)
        if self._strip_domain:
            login = login.split("@")[0]
        return self.accounts.authenticate(login, password, address=address)

    def _login_ext(self, login: str, password: str, context: AuthContext) -> str:
        address = context.x_remote_addr or context.remote_addr or ""
        identity = self.accounts.authenticate(login, password, address=address)
        return identity.name if identity else ""
