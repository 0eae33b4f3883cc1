"""My account: name and mail address, the password, and where I am signed in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from calsync import user_agents
from calsync.accounts.accounts import BackendDown, Throttled, TooManyChecks
from calsync.accounts.passwords import MAX_LENGTH, SHORTEST, BadPassword
from calsync.dav.request import Response
from calsync.web import sign_in
from calsync.web.texts import _
from calsync.webdav.errors import NotFound

if TYPE_CHECKING:
    from calsync.web.visit import Visit

_MAIL: Final = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+").fullmatch


def show(visit: Visit) -> Response:
    """The account at a glance."""
    return visit.page(
        "account.html",
        section="account",
        sessions=visit.site.sessions.of(visit.me.account),
        factors=visit.site.factors.of(visit.me.account),
        totp=visit.site.settings.totp,
        required=visit.site.must_have_second_step(visit.me.role),
        named=user_agents.named,
    )


def ask_details(visit: Visit) -> Response:
    """The form for name and mail address."""
    return _details(visit, displayname=visit.me.displayname, email=visit.me.email)


def set_details(visit: Visit) -> Response:
    """Keep them."""
    displayname, email = visit.form.text("displayname", 100), visit.form.text("email", 254)
    if email and not _MAIL(email):
        return _details(visit, 422, _("This is not a mail address."), displayname=displayname, email=email)
    visit.site.accounts.set_details(visit.me.name, email=email, displayname=displayname, actor=visit.me.name)
    return visit.go("account", done="details")


def ask_password(visit: Visit) -> Response:
    """The form for a new password."""
    _own(visit)
    return visit.page("password.html", section="account", shortest=SHORTEST, error="")


def set_password(visit: Visit) -> Response:
    """Change it; all other browsers are signed out."""
    form, me, site = visit.form, visit.me, visit.site
    _own(visit)
    new = form.get("new")
    if new != form.get("again"):
        return _password(visit, 422, _("The two new passwords differ."))
    if not SHORTEST <= len(new) <= MAX_LENGTH:
        return _password(visit, 422, _("At least {count} characters, please.").format(count=SHORTEST))
    status, told = known(visit, form.get("old"))
    if status != 200:
        return _password(visit, status, told)
    try:
        site.accounts.set_password(me.name, new, actor=me.name)
    except BadPassword as error:
        return _password(visit, 422, str(error))
    # With the account's generation every session has ended, this one too: it goes on under a new id.
    site.begin(visit, me.account, {"stage": "full"})
    site.sessions.end_others(visit.me)
    response = visit.go("account", done="password")
    site.set_cookie(visit, response, visit.cookie)
    return response


def _own(visit: Visit) -> None:
    if not visit.me.has_password:
        raise NotFound("this account has no password of its own")


def known(visit: Visit, password: str) -> tuple[int, str]:
    """Whether this is the password of whoever is signed in: 200, or another status and what to say."""
    try:
        identity = visit.site.sign_in(visit.me.name, password, visit.call)
    except Throttled as error:
        return 429, sign_in.waiting(error.retry_after)
    except (TooManyChecks, BackendDown):
        return 503, _("Passwords cannot be checked at the moment. Please try again later.")
    if identity is None or identity.account != visit.me.account:
        return 403, _("This is not your password.")
    return 200, ""


def end_session(visit: Visit) -> Response:
    """Sign out another browser, or all of them."""
    if visit.form.get("which") == "others":
        visit.site.sessions.end_others(visit.me)
        return visit.go("account", done="ended-all")
    try:
        id_ = bytes.fromhex(visit.form.get("which"))
    except ValueError:
        raise NotFound("no such session") from None
    if id_ == visit.me.id or not visit.site.sessions.end_one(visit.me.account, id_):
        raise NotFound("no such session")
    return visit.go("account", done="ended")


def _details(visit: Visit, status: int = 200, error: str = "", *, displayname: str, email: str) -> Response:
    return visit.page("details.html", status, section="account", error=error, displayname=displayname, email=email)


def _password(visit: Visit, status: int, error: str) -> Response:
    return visit.page("password.html", status, section="account", shortest=SHORTEST, error=error)
