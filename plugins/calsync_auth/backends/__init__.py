"""Radicale's own auth back ends, made to say when they are down, and not to wait for ever.

Each of Radicale's answers "no login" for a wrong password, and several of them for a server that cannot be reached as
well; a phone that is told 401 then asks its owner for a password that was right. The classes here are Radicale's with
their options, and differ where a failure would be hidden: they raise `BackendDown` instead, and give up after a while.
A type that is not named here (a plugin of somebody's) is Radicale's as it is: what it raises counts as down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radicale import auth
from radicale.config import Configuration

from calsync_auth.backends.dovecot import Dovecot
from calsync_auth.backends.htpasswd import Htpasswd
from calsync_auth.backends.imap import Imap
from calsync_auth.backends.ldap import Ldap
from calsync_auth.backends.oauth2 import OAuth2
from calsync_auth.backends.pam import Pam

_OWN: Final[dict[str, Callable[[Configuration, float], auth.BaseAuth]]] = {
    "htpasswd": Htpasswd,
    "ldap": Ldap,
    "imap": Imap,
    "dovecot": Dovecot,
    "oauth2": OAuth2,
    "pam": Pam,
}


def load(configuration: Configuration, kind: str, seconds: float) -> auth.BaseAuth:
    """The back end `kind` with its own options; no wait for a socket is longer than `seconds`.

    Raises what Radicale raises where it cannot be used.
    """
    copy = configuration.copy()
    # What is remembered is remembered by calsync, where a revoked account is seen.
    copy.update({"auth": {"type": kind, "cache_logins": "False"}}, "calsync_auth", privileged=True)
    own = _OWN.get(kind)
    return auth.load(copy) if own is None else own(copy, seconds)
