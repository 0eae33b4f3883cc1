"""Signing in at an OpenID provider: there, and back.

What has to be remembered between the two goes into a cookie of its own, signed, that only the way back gets to see:
nothing is written for somebody who has not signed in yet.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Final

from calsync.accounts import turn
from calsync.accounts.passwords import TooManyChecks
from calsync.dav.request import Response
from calsync.web import render, routes, sign_in
from calsync.web.texts import _
from calsync.webdav.errors import NotFound

if TYPE_CHECKING:
    from calsync.accounts.oidc import Provider
    from calsync.web.visit import Visit

_COOKIE: Final = "calsync-openid"
_PLACE: Final = "sign-in/openid/back"
_LASTS: Final = 600


def begin(visit: Visit) -> Response:
    """To the provider's page."""
    from calsync.accounts.oidc_keys import ProviderDown

    provider = _provider(visit)
    try:
        turn.take()
        url, kept = provider.begin(f"{visit.origin}{visit.url(_PLACE)}")
    except (ProviderDown, TooManyChecks):
        return _failed(visit, _("The sign-in service cannot be reached. Please try again later."), 503)
    kept = {**kept, "next": routes.local(visit.query("next"))}
    jar = visit.site.jar(visit.call)
    value = jar.written(_COOKIE, _sealed(visit, kept), below=_PLACE, lasts=_LASTS)
    return Response(303, {**render.HEADERS, "Location": url, "Set-Cookie": value})


def finish(visit: Visit) -> Response:
    """Back from the provider's page."""
    from calsync.accounts.oidc import SignInFailed
    from calsync.accounts.oidc_keys import ProviderDown

    provider = _provider(visit)
    kept = _opened(visit, visit.site.jar(visit.call).read(visit.call.headers.get("cookie", ""), _COOKIE))
    if kept is None:
        return _failed(visit, _("This sign-in was not begun here, or long ago. Please begin again."), 403)
    try:
        turn.take()
        claims = provider.finish(kept, dict(visit.asked))
        account = visit.site.admit(claims)
    except SignInFailed as error:
        return _failed(visit, str(error), 403)
    except (ProviderDown, TooManyChecks):
        return _failed(visit, _("The sign-in service cannot be reached. Please try again later."), 503)
    if account is None:
        return _failed(visit, _("There is no account here for you. Ask whoever runs this server."), 403)
    # A second step is the provider's to ask for.
    return sign_in.entered(visit, account, routes.local(str(kept.get("next", ""))))


def _provider(visit: Visit) -> Provider:
    if visit.site.provider is None:
        raise NotFound("no OpenID provider is configured")
    return visit.site.provider


def _failed(visit: Visit, told: str, status: int) -> Response:
    headers = {"Retry-After": "30"} if status == 503 else None
    return visit.page("error.html", status, headers, title=_("Signing in did not work"), number=status, hint=told)


def _sealed(visit: Visit, kept: dict[str, Any]) -> str:
    text = base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()
    return f"{text}.{_signature(visit, text)}"


def _opened(visit: Visit, value: str) -> dict[str, Any] | None:
    text, _dot, signature = value.rpartition(".")
    if not hmac.compare_digest(signature, _signature(visit, text)):
        return None
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text))
    return found


def _signature(visit: Visit, text: str) -> str:
    return hmac.new(visit.site.form_key, f"openid {text}".encode(), hashlib.sha256).hexdigest()
