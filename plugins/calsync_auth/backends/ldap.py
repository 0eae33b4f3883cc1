"""A directory (RFC 4511)."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from typing import Any, Final

from radicale import auth
from radicale.auth import ldap
from radicale.config import Configuration

from calsync.accounts.accounts import BackendDown
from calsync_auth.chain import NotNow

Logged = tuple[str, set[str]]
_NOBODY: Final[Logged] = ("", set())

#: Result codes that speak of the user or the password (RFC 4511 §A.1): of a locked account or a policy too.
_REFUSALS: Final = frozenset({19, 32, 34, 48, 49, 50, 53})


class Ldap(ldap.Auth):
    """Searches and binds that fail because of the server are told apart from a wrong password."""

    def __init__(self, configuration: Configuration, seconds: float) -> None:
        # A list of the class in Radicale, which every instance would lengthen.
        self._ldap_attributes = []
        super().__init__(configuration)
        if self._ldap_security == "tls" and self._ldap_uri.lower().startswith("ldap://"):
            # ldap3 believes the scheme: passwords would go out in clear text.
            raise RuntimeError("[auth] ldap_security = tls needs ldap_uri = ldaps://… (or ldap_security = starttls)")
        if self._ldap_module_version == 3:
            self.ldap3 = _ldap3(self.ldap3, seconds)

    def _login_ext_with_groups(self, login: str, password: str, context: auth.AuthContext) -> Logged:
        # RFC 4513 §5.1.2: a bind with an empty password succeeds and proves nothing.
        if not login or not password:
            return _NOBODY
        if self._ldap_module_version == 2:
            found: Logged = super()._login_ext_with_groups(login, password, context)
            return found
        self.ldap3.begin()
        try:
            found = super()._login_ext_with_groups(login, password, context)
        except (RuntimeError, OSError, self.ldap3.core.exceptions.LDAPException) as error:
            raise BackendDown(f"ldap: {self.ldap3.trouble or error}") from error
        finally:
            self.ldap3.close()
        if not found[0] and self.ldap3.trouble:
            raise NotNow(f"ldap: {self.ldap3.trouble}")
        return found


def _ldap3(module: Any, seconds: float) -> Any:
    """The module `ldap3` as Radicale's code uses it, with time-outs; `trouble` of a thread says what went wrong."""
    noted = threading.local()

    class Connection(module.Connection):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{"receive_timeout": math.ceil(seconds), **options})
            noted.connections.append(self)

        def bind(self, *arguments: Any, **options: Any) -> Any:
            bound = self._noted("bind", super().bind, *arguments, **options)
            if not bound and self.result.get("result") not in _REFUSALS:
                noted.trouble = f"bind: {self.result.get('description')}"
            return bound

        def start_tls(self, *arguments: Any, **options: Any) -> Any:
            return self._noted("StartTLS", super().start_tls, *arguments, **options)

        def search(self, *arguments: Any, **options: Any) -> Any:
            return self._noted("search", super().search, *arguments, **options)

        def _noted(self, step: str, ask: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
            try:
                return ask(*arguments, **options)
            except module.core.exceptions.LDAPException as error:
                noted.trouble = f"{step}: {error}"
                raise

    class Watched:
        """Stands for the module."""

        def __init__(self) -> None:
            self.Connection = Connection

        @property
        def trouble(self) -> str:
            return str(noted.trouble)

        def begin(self) -> None:
            noted.trouble, noted.connections = "", []

        def close(self) -> None:
            # Radicale leaves those open that did not come to their end.
            for connection in noted.connections:
                with contextlib.suppress(module.core.exceptions.LDAPException, OSError):
                    connection.unbind()
                if connection.socket is not None:
                    connection.socket.close()

        @staticmethod
        def Server(*arguments: Any, **options: Any) -> Any:
            return module.Server(*arguments, **{"connect_timeout": seconds, **options})

        def __getattr__(self, name: str) -> Any:
            return getattr(module, name)

    return Watched()
