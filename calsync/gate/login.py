"""Who a request is from: Basic or Bearer credentials or an external login, asked of the configured auth back end.

401 is said only where credentials do not hold. Where that cannot be told now (no store, no back end, too many checks)
it is 503, and 429 where too many did not hold: phones ask their owners for another password after a 401.
"""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from calsync import counters, upstream
from calsync.accounts.accounts import BackendDown, Identity, Throttled, TooManyChecks
from calsync.counters import families
from calsync.gate.guesses import Guesses
from calsync.gate.observe import address_of
from calsync.store.errors import StoreError
from calsync.upstream import logger
from calsync.webdav.errors import ServiceUnavailable, TooManyRequests, Unauthorized

#: Characters of a name that the log shows; anybody can send a long one.
_SHOWN = 128


class Denied(Unauthorized):
    """Credentials that did not hold; `delay` seconds pass before the answer leaves (the runner waits, not a worker).

    `bearer`: they were a bearer token.
    """

    def __init__(self, hint: str, delay: float, *, bearer: bool = False) -> None:
        super().__init__(hint)
        self.delay = delay
        self.bearer = bearer


class Throttling(TooManyRequests):
    """Too many credentials that did not hold came from there (RFC 6585 §4)."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many failed logins", headers={"Retry-After": str(retry_after)})


def basic(header: str) -> tuple[str, str] | None:
    """Login and password of `Authorization: Basic` (RFC 7617 §2), None where there is none.

    UTF-8, else Latin-1 as older clients send it. Raises `Unauthorized` for what cannot be read.
    """
    scheme, _, encoded = header.strip().partition(" ")
    if not scheme:
        return None
    if scheme.lower() != "basic":
        raise Unauthorized(f"Authorization: {scheme[:20]} is not supported")
    try:
        octets = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unauthorized("Authorization: not base64") from error
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon or any(ord(letter) < 32 for letter in name):
        raise Unauthorized("Authorization: no login and password")
    return name, password


def identify(
    backend: upstream.auth.BaseAuth, environ: Mapping[str, Any], delay: float, guesses: Guesses | None = None
) -> upstream.Login:
    """The login of a request; its user is empty for an anonymous one. `guesses`: of a back end that counts none.

    Raises `Denied` where credentials were sent and did not hold, `Throttling`, and `ServiceUnavailable`.
    """
    remote = address_of(environ)
    client = str(environ.get("HTTP_USER_AGENT", ""))
    external = backend.get_external_login(dict(environ))
    header = str(environ.get("HTTP_AUTHORIZATION", ""))
    bearer = getattr(backend, "bearer", None)
    if external:
        credentials: tuple[str, str] | None = (external[0] or "", external[1] or "")
    elif bearer is not None and header[:7].lower() == "bearer ":  # RFC 6750 §2.1
        token = header[7:].strip()
        found = _told(lambda: _own(bearer(token, remote, client)))
        return _checked(found, "bearer token", remote, delay, bearer=True)
    else:
        credentials = basic(header)
    if credentials is None or not credentials[0]:
        return upstream.Login("")
    name, password = credentials
    own = getattr(backend, "authenticate", None)
    if own is None and guesses is not None and not external:
        asked = partial(upstream.login, backend, name, password, remote)
        found = _told(lambda: guesses.asked(name, password, remote, client, asked))
    elif own is None:
        found = _told(lambda: upstream.login(backend, name, password, remote))
    else:
        found = _told(lambda: _own(own(name, password, remote, client)))
    return _checked(found, name, remote, delay)


def challenge(backend: upstream.auth.BaseAuth, realm: str, *, bad_token: bool) -> str:
    """`WWW-Authenticate`: what credentials are taken (RFC 7617 §2, RFC 6750 §3). `bad_token`: one did not hold."""
    quoted = '"' + realm.replace("\\", "\\\\").replace('"', '\\"') + '"'
    offered = f'Basic realm={quoted}, charset="UTF-8"'
    # After Basic: some clients know the first one only.
    if bad_token:
        offered += f', Bearer realm={quoted}, error="invalid_token"'
    elif getattr(backend, "offers_bearer", False):
        offered += f", Bearer realm={quoted}"
    return offered


def log_failure(remote: str, name: str) -> None:
    """One line that fail2ban can read, the same for devices and for the sign-in page."""
    counters.add(families.LOGINS, ("refused",))
    logger.warning("Failed login attempt from %s: %r", remote or "unknown", name[:_SHOWN])


def _checked(found: upstream.Login, name: str, remote: str, delay: float, *, bearer: bool = False) -> upstream.Login:
    if not found.user:
        log_failure(remote, name)
        raise Denied("wrong login or password", delay * (0.5 + random.random()), bearer=bearer)
    if "/" in found.user or found.user in (".", "..") or found.user.startswith("."):
        raise Denied(f"the name {found.user!r} cannot be part of a URL", delay)
    counters.add(families.LOGINS, ("ok",))
    return found


def _own(identity: Identity | None) -> upstream.Login:
    if identity is None:
        return upstream.Login("", method="calsync")
    return upstream.Login(identity.name, identity.groups, "calsync", identity)


def _told(ask: Callable[[], upstream.Login]) -> upstream.Login:
    """What the back end says, or the answer where it cannot say anything."""
    try:
        return ask()
    except Throttled as error:
        counters.add(families.LOGINS, ("throttled",))
        raise Throttling(error.retry_after) from error
    except TooManyChecks as error:
        counters.add(families.LOGINS, ("busy",))
        # Passwords are dear to check; a flood of wrong ones must not become a 401 for those who know theirs.
        raise ServiceUnavailable(str(error), headers={"Retry-After": "5"}) from error
    except (BackendDown, StoreError, OSError, RuntimeError) as error:
        # Radicale's own back ends raise RuntimeError where a server does not answer.
        counters.add(families.LOGINS, ("down",))
        logger.error("a login cannot be checked: %s", error)
        raise ServiceUnavailable("logins cannot be checked now", headers={"Retry-After": "30"}) from error
