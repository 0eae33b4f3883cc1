"""Letting an app in: Nextcloud's login flow v2, as DAVx⁵ and others speak it.

The app POSTs to `/index.php/login/v2`, opens the page that it is told in a browser, and asks at the other address until
it is given server, name and an app password of its own. DAVx⁵ then goes to `SERVER/remote.php/dav`, which leads to the
root; the rest is the usual discovery.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from calsync import user_agents
from calsync.accounts import audit
from calsync.accounts.flows import Flow, Grant
from calsync.accounts.scopes import BadScope, Scope
from calsync.dav.request import Response
from calsync.store.transaction import Transaction
from calsync.web import devices, forms, homes, render
from calsync.web.texts import _
from calsync.web.visit import Told
from calsync.webdav.errors import BadRequest

if TYPE_CHECKING:
    from calsync.web.visit import Visit


def begin(visit: Visit) -> Response:
    """An app asks; nobody has signed in yet."""
    call = visit.call
    origin = visit.origin
    page, poll = visit.site.flows.begin(call.agent, call.remote)
    endpoint = f"{origin}{visit.url('login-flow/poll')}"
    answer = {"poll": {"token": poll, "endpoint": endpoint}, "login": f"{origin}{visit.url(f'let-in/{page}')}"}
    return _json(200, answer)


def poll(visit: Visit) -> Response:
    """The app asks whether it may. 404 until then, 200 once."""
    try:
        token = forms.parse(visit.call.body, visit.call.headers.get("content-type", "")).get("token")
    except BadRequest:
        return _json(400, {"error": "token missing"})
    maker = _Maker(visit)
    answer = visit.site.flows.fetch(token, maker.make) if token else None
    return _json(404, []) if answer is None else _json(200, answer)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the app password at the moment when the app fetches it."""

    visit: Visit

    def make(self, tx: Transaction, grant: Grant) -> dict[str, str]:
        wanted, visit = grant.wanted, self.visit
        with visit.site.kept_sessions(tx, grant.name):
            secret, _token = visit.site.accounts.add_token(
                grant.name,
                str(wanted["label"]),
                expires=wanted["expires"],
                scope=Scope.parse(str(wanted["scope"])),
                read_only=bool(wanted["read_only"]),
                actor=grant.name,
            )
        return {"server": visit.server.rstrip("/"), "loginName": grant.name, "appPassword": secret}


def ask(visit: Visit) -> Response:
    """May it? Said so that nobody agrees to what somebody else has begun."""
    return _form(visit, _flow(visit))


def decide(visit: Visit) -> Response:
    """Yes or no."""
    flow, me, form = _flow(visit), visit.me, visit.form
    if form.get("answer") != "yes":
        visit.site.flows.refuse(flow)
        return visit.page("let_in_done.html", let_in=False, label="")
    label = form.text("label", 60)
    if not label:
        return _form(visit, flow, 422, _("Give the device a name, so that you recognise it later."))
    try:
        scope, read_only, expires = devices.wanted(visit)
    except BadScope:
        return _form(visit, flow, 422, _("Choose at least one calendar or address book."))
    wanted = {"label": label, "scope": scope.serialise(), "read_only": read_only, "expires": expires}
    if not visit.site.flows.grant(flow, me.account, wanted):
        raise _gone()
    with visit.site.logins.write() as tx:
        audit.note(tx, "app-let-in", account=me.name, actor=me.name, app=flow.client)
    return visit.page("let_in_done.html", let_in=True, label=label)


def _flow(visit: Visit) -> Flow:
    flow = visit.site.flows.find(visit.parts["token"])
    if flow is None or flow.answered:
        raise _gone()
    return flow


def _gone() -> Told:
    return Told(_("No app waits here any more. Begin again in the app."), status=404)


def _form(visit: Visit, flow: Flow, status: int = 200, error: str = "") -> Response:
    return visit.page(
        "let_in.html",
        status,
        flow=flow,
        app=user_agents.named(flow.client) or _("An app"),
        values={name: visit.form.text(name) for name in ("label", "scope", "lasts", "read_only")},
        chosen=visit.form.all("collection"),
        shelves=homes.shelves(visit),
        lifetimes=devices.LIFETIMES,
        error=error,
    )


def _json(status: int, value: Any) -> Response:
    return Response(status, {**render.HEADERS, "Content-Type": "application/json"}, json.dumps(value).encode())
