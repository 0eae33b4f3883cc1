"""My devices: app passwords, one each; making one, and locking a device out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from calsync.accounts.accounts import Token
from calsync.accounts.scopes import BadScope, Scope
from calsync.dav.request import Response
from calsync.store import clock
from calsync.web import clients, homes
from calsync.web.texts import _
from calsync.webdav.errors import NotFound

if TYPE_CHECKING:
    from calsync.web.visit import Visit

_DAY: Final = 86_400

#: For how long an app password may last: the word in the form, seconds, what the form says.
LIFETIMES: Final = (
    ("", None, _("Until I lock it out")),
    ("7", 7 * _DAY, _("A week")),
    ("90", 90 * _DAY, _("Three months")),
    ("365", 365 * _DAY, _("A year")),
)

#: How many forms are remembered as sent, so that a reload makes no second app password.
_REMEMBERED: Final = 10


def show(visit: Visit) -> Response:
    """The devices that may come in, those used last first."""
    now = clock.now()
    found = visit.site.accounts.tokens(visit.me.name)
    working = [one for one in found if one.works(now)]
    working.sort(key=lambda one: (-(one.last_used or one.created), one.id))
    expired = [one for one in found if not one.revoked and not one.works(now)]
    return visit.page("devices.html", section="devices", devices=working, expired=expired, opens=opens)


def opens(token: Token) -> str:
    """What a device gets to see, for people."""
    what = {
        "all": _("Calendars and contacts"),
        "calendars": _("Calendars only"),
        "contacts": _("Contacts only"),
    }.get(token.scope.kind) or ", ".join(text.split("/")[2] for text in token.scope.texts)
    return f"{what} · {_('read only')}" if token.read_only else what


def ask(visit: Visit) -> Response:
    """The form for a new device."""
    return _form(visit)


def add(visit: Visit) -> Response:
    """Make the app password and show it, this once."""
    form, me = visit.form, visit.me
    once = form.text("once", 60)
    used = [str(one) for one in visit.me.data.get("used", [])]
    if once in used:
        return visit.go("devices", done="shown")
    label = form.text("label", 60)
    if not label:
        return _form(visit, 422, _("Give the device a name, so that you recognise it later."))
    try:
        scope, read_only, expires = wanted(visit)
    except BadScope:
        return _form(visit, 422, _("Choose at least one calendar or address book."))
    visit.site.sessions.keep(me, {**me.data, "used": [*used, once][-_REMEMBERED:]})
    with visit.site.logins.write() as tx, visit.site.kept_sessions(tx, me.name):
        secret, token = visit.site.accounts.add_token(
            me.name, label, expires=expires, scope=scope, read_only=read_only, actor=me.name
        )
    return visit.page(
        "device_added.html", section="devices", secret=secret, token=token, **clients.facts(visit, secret)
    )


def wanted(visit: Visit) -> tuple[Scope, bool, int | None]:
    """What the form says that the device may do. Raises `BadScope`."""
    form = visit.form
    kind = form.get("scope") or "all"
    if kind == "chosen":
        own = {one.path for one in homes.shelves(visit)}
        scope = Scope.of_paths(*(path for path in form.all("collection") if path in own))
    else:
        scope = Scope.named(kind)
    seconds = next((lasts for word, lasts, _said in LIFETIMES if word == form.get("lasts")), None)
    return scope, bool(form.get("read_only")), None if seconds is None else clock.now() + seconds


def ask_revoke(visit: Visit) -> Response:
    """Really?"""
    return visit.page("device_revoke.html", section="devices", token=_token(visit))


def revoke(visit: Visit) -> Response:
    """Lock a device out. Whoever is signed in to the web stays so."""
    token, me = _token(visit), visit.me
    with visit.site.logins.write() as tx, visit.site.kept_sessions(tx, me.name):
        visit.site.accounts.revoke(me.name, token.id, actor=me.name)
    return visit.go("devices", done="revoked")


def _token(visit: Visit) -> Token:
    for one in visit.site.accounts.tokens(visit.me.name):
        if one.id == visit.parts["id"] and not one.revoked:
            return one
    raise NotFound("no such device")


def _form(visit: Visit, status: int = 200, error: str = "") -> Response:
    values: dict[str, Any] = {name: visit.form.text(name) for name in ("label", "scope", "lasts", "read_only")}
    return visit.page(
        "device_add.html",
        status,
        section="devices",
        error=error,
        values=values,
        chosen=visit.form.all("collection"),
        shelves=homes.shelves(visit),
        lifetimes=LIFETIMES,
        once=secrets.token_urlsafe(12),
    )
