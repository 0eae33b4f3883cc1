"""Who a request is from: Basic credentials or an external login, asked of the configured auth back end."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Mapping
from typing import Any

from calsync import upstream
from calsync.accounts.passwords import TooManyChecks
from calsync.upstream import logger
from calsync.webdav.errors import ServiceUnavailable, Unauthorized


class Denied(Unauthorized):
    """Credentials that did not hold; `delay` seconds pass before the answer leaves (the runner waits, not a worker)."""

    def __init__(self, hint: str, delay: float) -> None:
        super().__init__(hint)
        self.delay = delay


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


def identify(backend: upstream.auth.BaseAuth, environ: Mapping[str, Any], delay: float) -> upstream.Login:
    """The login of a request; its user is empty for an anonymous one.

    Raises `Denied` where credentials were sent and did not hold.
    """
    remote = str(environ.get("REMOTE_ADDR", ""))
    external = backend.get_external_login(dict(environ))
    if external:
        credentials: tuple[str, str] | None = (external[0] or "", external[1] or "")
    else:
        credentials = basic(str(environ.get("HTTP_AUTHORIZATION", "")))
    if credentials is None or not credentials[0]:
        return upstream.Login("")
    name, password = credentials
    found = _ask(backend, name, password, remote)
    if not found.user:
        # One line that fail2ban can read.
        logger.warning("Failed login attempt from %s: %r", remote or "unknown", name)
        raise Denied("wrong login or password", delay * (0.5 + random.random()))
    if "/" in found.user or found.user in (".", "..") or found.user.startswith("."):
        raise Denied(f"the name {found.user!r} cannot be part of a URL", delay)
    return found


def _ask(backend: upstream.auth.BaseAuth, name: str, password: str, remote: str) -> upstream.Login:
    own = getattr(backend, "authenticate", None)
    if own is None:
        return upstream.login(backend, name, password, remote)
    try:
        identity = own(name, password, remote)
    except TooManyChecks as error:
        # Passwords are dear to check; a flood of wrong ones must not become a 401 for those who know theirs.
        raise ServiceUnavailable(str(error), headers={"Retry-After": "5"}) from error
    return upstream.Login("", method="calsync") if identity is None else upstream.Login(identity.name, method="calsync")
