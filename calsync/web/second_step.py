"""The second step of the sign-in: setting up an authenticator app, recovery codes, switching it off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calsync.accounts import audit, factors
from calsync.accounts.throttle import Throttled
from calsync.dav.request import Response
from calsync.web import account, clients, routes, sign_in
from calsync.web.texts import _
from calsync.web.visit import Told
from calsync.webdav.errors import NotFound

if TYPE_CHECKING:
    from calsync.web.visit import Visit


def ask(visit: Visit) -> Response:
    """The secret, as a QR code and to be typed, until a code of it is typed back."""
    return _set_up(visit)


def confirm(visit: Visit) -> Response:
    """A code shows that the app has the secret: from now on it counts. Then come the recovery codes."""
    _wanted(visit)
    me, site = visit.me, visit.site
    codes = site.factors.confirm(me.account, visit.form.get("code"))
    if codes is None:
        return _set_up(visit, 422, _("That code does not hold. Is the clock of the phone right?"))
    _note(visit, "second-step-added")
    # Signed in further than before, so under a new id; other browsers have to show the second step too.
    next_page = routes.local(str(me.data.get("next", "")))
    if not site.begin(visit, me.account, {"stage": "full"}):
        return visit.go("sign-in")
    site.sessions.end_others(visit.me)
    response = visit.page("recovery_codes.html", section="account", codes=codes, next_page=next_page, fresh=True)
    site.set_cookie(visit, response, visit.cookie)
    return response


def ask_codes(visit: Visit) -> Response:
    """New recovery codes?"""
    return _asked(visit, "codes")


def renew_codes(visit: Visit) -> Response:
    """New recovery codes, for somebody who shows once more who they are."""
    refused = _proven(visit, "codes")
    if refused is not None:
        return refused
    codes = visit.site.factors.renew_codes(visit.me.account)
    _note(visit, "recovery-codes-renewed")
    return visit.page("recovery_codes.html", section="account", codes=codes, next_page="account", fresh=False)


def ask_off(visit: Visit) -> Response:
    """Switch it off?"""
    return _asked(visit, "off")


def off(visit: Visit) -> Response:
    """Switch it off, for somebody who shows once more who they are."""
    if visit.site.must_have_second_step(visit.me.role):
        raise Told(_("This server asks for a second step, so it cannot be switched off."), status=403)
    refused = _proven(visit, "off")
    if refused is not None:
        return refused
    with visit.site.logins.write() as tx:
        visit.site.factors.forget(tx, visit.me.account)
    _note(visit, "second-step-removed")
    return visit.go("account", done="factor-off")


def _wanted(visit: Visit) -> None:
    if visit.site.settings.totp == "off":
        raise NotFound("a second step is not offered on this server")


def _set_up(visit: Visit, status: int = 200, error: str = "") -> Response:
    _wanted(visit)
    secret = visit.site.factors.enrol(visit.me.account)
    if not secret:
        return visit.go("account")
    host = visit.call.host.rpartition(":")[0] or visit.call.host
    return visit.page(
        "second_step.html",
        status,
        section="account",
        error=error,
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        qr=clients.qr(factors.address(secret, visit.me.name, f"calsync {host}")),
        due=visit.stage == "setup",
    )


def _asked(visit: Visit, what: str, status: int = 200, error: str = "") -> Response:
    if not visit.site.factors.of(visit.me.account).totp:
        raise NotFound("no second step is set up")
    return visit.page(
        "prove.html", status, section="account", what=what, error=error, has_password=visit.me.has_password
    )


def _proven(visit: Visit, what: str) -> Response | None:
    """None where a code or the password shows who this is, else the form once more."""
    typed = visit.form.get("proof")
    digits = "".join(typed.split())
    try:
        if len(digits) == 6 and digits.isdigit():
            if visit.site.factors.verify(visit.me.account, digits):
                return None
            return _asked(visit, what, 403, _("That code does not hold."))
    except Throttled as error:
        return _asked(visit, what, 429, sign_in.waiting(error.retry_after))
    status, told = account.known(visit, typed)
    return None if status == 200 else _asked(visit, what, status, told)


def _note(visit: Visit, action: str) -> None:
    with visit.site.logins.write() as tx:
        audit.note(tx, action, account=visit.me.name, actor=visit.me.name)
