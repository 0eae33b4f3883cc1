"""Guessing where Radicale's own back ends are asked directly (`[auth] type = htpasswd`, `ldap`, …), without accounts.

The same throttle and the same trail of sign-ins as `calsync.accounts` has; failures count by the name that the back end
is asked about, of which there may be many spellings. What held before in this process is no guess and never waits; the
back end is asked about it all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from calsync import upstream
from calsync.accounts import turn
from calsync.accounts.credentials import Credentials, Identity, Verified
from calsync.accounts.policy import configured
from calsync.accounts.throttle import Throttle
from calsync.accounts.uses import Uses
from calsync.store import clock
from calsync.store.engine import Store

#: Types that look at no password.
_NO_PASSWORDS: Final = frozenset({"none", "denyall", "remote_user", "http_remote_user", "http_x_remote_user"})

_HELD: Final = Verified(Identity("", 0), 0)


class Guesses:
    """The failed logins of a store whose names another back end knows. One object a process."""

    def __init__(self, store: Store, asked_name: Callable[[str], str], *, active: bool, audit_days: int) -> None:
        """`asked_name`: what the back end is asked about where a name was typed."""
        self._asked_name = asked_name
        self._throttle = Throttle(store, active=active)
        self._uses = Uses(store, audit_days=audit_days)
        self._held = Credentials()

    @classmethod
    def of(cls, configuration: upstream.Configuration, backend: upstream.auth.BaseAuth, store: Store) -> Guesses | None:
        """None where the back end counts guesses itself, or takes no passwords."""
        if hasattr(backend, "authenticate") or configuration.get("auth", "type") in _NO_PASSWORDS:
            return None
        policy = configured(configuration)
        asked_name = partial(upstream.asked_name, backend)
        return cls(store, asked_name, active=policy.throttle, audit_days=policy.audit_days)

    def asked(
        self, name: str, password: str, remote: str, client: str, ask: Callable[[], upstream.Login]
    ) -> upstream.Login:
        """What the back end says. Raises `Throttled` without asking it, and what it raises."""
        key = self._held.key(name, password)
        known = self._held.get(key) is not None
        counted = self._asked_name(name)  # whatever was typed for it: `anna@one.example`, `anna@two.example`
        standing = self._throttle.standing(counted, remote) if known else self._throttle.check(counted, remote)
        if not known:
            self._throttle.check_again(standing, password)
            turn.take()
        found = ask()
        if not found.user:
            self._held.forget(key)
            self._throttle.failed(standing, "", remote, password)
            return found
        if not known:
            self._throttle.succeeded(standing)
            self._held.remember(key, _HELD)
        self._uses.note(Identity(found.user, 0), remote, client, clock.now())
        return found

    def flush(self) -> None:
        """Write what has gathered; at shutdown."""
        self._uses.flush()
        self._throttle.flush()
