"""Signing in with name and password, then a code where the account has a second step; and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calsync import counters
from calsync.accounts import audit
from calsync.accounts.accounts import BackendDown, Throttled, TooManyChecks
from calsync.counters import families
from calsync.dav.request import Response
from calsync.gate.login import log_failure
from calsync.web import routes
from calsync.web.texts import _

if TYPE_CHECKING:
    from calsync.web.visit import Visit

#: Seconds that somebody has for the second step.
SECOND_STEP: Final = 600


def ask(visit: Visit) -> Response:
    """The form; whoever is signed in goes on."""
    if visit.stage == "full":
        return visit.go(routes.local(visit.query("next")))
    return _form(visit, next_page=routes.local(visit.query("next")))


def check(visit: Visit) -> Response:
    """Name and password. A wrong one costs the same whether there is such an account or not."""
    login, next_page = visit.form.text("login"), routes.local(visit.form.get("next"))
    try:
        identity = visit.site.sign_in(login, visit.form.get("password"), visit.call)
    except Throttled as error:
        counters.add(families.LOGINS, ("throttled",))
        return _form(visit, 429, {"Retry-After": str(error.retry_after)}, login, next_page, waiting(error.retry_after))
    except TooManyChecks:
        counters.add(families.LOGINS, ("busy",))
        told = _("Too many people are signing in right now. Please try again in a moment.")
        return _form(visit, 503, {"Retry-After": "5"}, login, next_page, told)
    except BackendDown:
        counters.add(families.LOGINS, ("down",))
        told = _("Passwords cannot be checked at the moment. Please try again later.")
        return _form(visit, 503, {"Retry-After": "30"}, login, next_page, told)
    if identity is None:
        log_failure(visit.call.remote, login)
        told = _("User name and password do not belong together.")
        return _form(visit, 403, None, login, next_page, told)
    counters.add(families.LOGINS, ("ok",))
    return entered(visit, identity.account, next_page, stage=_stage(visit, identity.account, identity.role))


def entered(visit: Visit, account: int, next_page: str, *, stage: str = "full") -> Response:
    """Somebody has shown who they are: let them in, or on to their second step."""
    data = {"stage": stage, "next": next_page} if stage != "full" else {"stage": stage}
    if not visit.site.begin(visit, account, data, longest=None if stage == "full" else SECOND_STEP):
        return _form(visit, 403, None, "", next_page, _("This account is disabled."))
    target = {"code": "sign-in/code", "setup": "account/second-step/set-up"}.get(stage, next_page)
    response = visit.go(target)
    visit.site.set_cookie(visit, response, visit.cookie)
    return response


def _stage(visit: Visit, account: int, role: str) -> str:
    if visit.site.settings.totp == "off":
        return "full"
    if visit.site.factors.of(account).totp:
        return "code"
    return "setup" if visit.site.must_have_second_step(role) else "full"


def ask_code(visit: Visit) -> Response:
    """The form for the second step."""
    return visit.page("code.html", error="")


def check_code(visit: Visit) -> Response:
    """A code of the authenticator app, or a recovery code."""
    site, me = visit.site, visit.me
    try:
        held = site.factors.verify(me.account, visit.form.get("code"))
    except Throttled as error:
        headers = {"Retry-After": str(error.retry_after)}
        return visit.page("code.html", 429, headers, error=waiting(error.retry_after))
    with site.logins.write() as tx:
        action = {"totp": "second-step", "recovery": "recovery-code-used"}.get(held, "second-step-failed")
        audit.note(tx, action, account=me.name, actor=me.name)
    if not held:
        return visit.page("code.html", 403, error=_("That code does not hold. Codes change every half minute."))
    return entered(visit, me.account, routes.local(str(me.data.get("next", ""))))


def out(visit: Visit) -> Response:
    """Sign out."""
    if visit.session is not None:
        visit.site.sessions.end(visit.session)
        with visit.site.logins.write() as tx:
            audit.note(tx, "signed-out", account=visit.me.name, actor=visit.me.name)
    response = visit.go("sign-in", done="signed-out")
    visit.site.set_cookie(visit, response, "")
    return response


def waiting(seconds: int) -> str:
    """How long to wait, for people."""
    if seconds < 90:
        return _("Too many attempts. Please wait {seconds} seconds.").format(seconds=seconds)
    return _("Too many attempts. Please wait {minutes} minutes.").format(minutes=-(-seconds // 60))


def _form(
    visit: Visit,
    status: int = 200,
    headers: dict[str, str] | None = None,
    login: str = "",
    next_page: str = "",
    error: str = "",
) -> Response:
    provider = visit.site.provider
    return visit.page(
        "sign_in.html",
        status,
        headers,
        login=login,
        next_page=next_page,
        error=error,
        openid=provider.settings.name if provider is not None else "",
        app=next_page.startswith("let-in/"),
    )
