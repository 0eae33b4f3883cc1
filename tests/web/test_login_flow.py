"""Nextcloud's login flow v2, as DAVx⁵ goes through it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from calsync.accounts import flows
from calsync.app import Application
from tests.dav.conftest import Client, event
from tests.web.conftest import HOST, PASSWORD, Person, accounts_of

AGENT = "DAVx5/4.4.5-ose (dav4jvm; okhttp/4.12.0) Android/14"


class App:
    """An app that wants to be let in; it has no cookies and no password."""

    def __init__(self, application: Application, *, base: str = "", address: str = "192.0.2.1") -> None:
        self.http = Person(application, base=base)
        self.http.session.headers["User-Agent"] = AGENT
        self.http.session.headers["X-Forwarded-For"] = address
        self.begun = self.http.dav("POST", "/index.php/login/v2")
        if self.begun.status_code == 200:
            found = self.begun.json()
            self.token, self.endpoint = found["poll"]["token"], found["poll"]["endpoint"]
            self.page = urlsplit(found["login"]).path.partition("/.calsync/")[2]

    def poll(self) -> requests.Response:
        return self.http.session.post(self.endpoint, data={"token": self.token})


def test_an_app_is_let_in(application: Application, nobody: Person) -> None:
    app = App(application)
    assert app.begun.headers["Content-Type"] == "application/json"
    assert "Set-Cookie" not in app.begun.headers
    assert app.poll().status_code == 404
    away = nobody.get(app.page)
    assert away.headers["Location"].startswith("/.calsync/sign-in?next=let-in%2F")
    shown = nobody.get(away.headers["Location"].removeprefix("/.calsync/"))
    assert "An app wants" in shown.text
    nobody.sign_in()
    assert "DAVx⁵ on Android" in nobody.get(app.page).text
    assert app.poll().status_code == 404
    assert "Go back to the app" in nobody.fill(app.page, label="Fairphone", answer="yes").text
    granted = app.poll()
    assert granted.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = granted.json()
    assert found["server"] == f"https://{HOST}" and found["loginName"] == "anna"
    assert app.poll().status_code == 404, "it is told once"
    assert nobody.get(app.page).status_code == 404
    assert "Fairphone" in nobody.get("devices").text
    # DAVx⁵ resolves `remote.php/dav` against the server and follows.
    login = (found["loginName"], found["appPassword"])
    led = app.http.dav("PROPFIND", "/remote.php/dav", login, headers={"Depth": "0"})
    assert (led.status_code, led.headers["Location"]) == (301, "/")
    assert app.http.dav("PROPFIND", "/", login, headers={"Depth": "0"}).status_code == 207
    assert app.http.dav("PUT", "/anna/calendar/x.ics", login, data=event("x")).status_code == 201


def test_behind_a_prefix(application: Application) -> None:
    app = App(application, base="/cal")
    assert app.endpoint == f"https://{HOST}/cal/.calsync/login-flow/poll"
    person = Person(application, base="/cal")
    person.sign_in()
    person.fill(app.page, label="Phone", answer="yes")
    assert app.poll().json()["server"] == f"https://{HOST}/cal"
    assert app.http.dav("PROPFIND", "/remote.php/dav/").headers["Location"] == "/cal/"


def test_an_app_is_turned_away(application: Application, anna: Person) -> None:
    app = App(application)
    assert "gets nothing" in anna.fill(app.page, answer="no").text
    assert app.poll().status_code == 404
    assert anna.get(app.page).status_code == 404
    assert accounts_of(application).tokens("anna") == []


def test_an_app_may_what_was_agreed(application: Application, anna: Person) -> None:
    app = App(application)
    assert anna.fill(app.page, label="", answer="yes").status_code == 422
    anna.fill(app.page, label="Wall", scope="calendars", read_only="1", lasts="90", answer="yes")
    assert accounts_of(application).tokens("anna") == [], "made when it is fetched, so it lies nowhere"
    assert app.poll().status_code == 200
    (token,) = accounts_of(application).tokens("anna")
    assert (str(token.scope), token.read_only, token.expires is None) == ("calendars", True, False)
    assert anna.is_in


def test_nobody_waits_for_ever(application: Application, anna: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "LASTS", -1)
    app = App(application)
    assert anna.get(app.page).status_code == 404
    assert app.poll().status_code == 404


def test_what_was_granted_falls_with_the_account(application: Application, anna: Person) -> None:
    app, other = App(application), App(application)
    for one in (app, other):
        anna.fill(one.page, label="Phone", answer="yes")
    accounts_of(application).set_password("anna", "changed by its owner")
    assert app.poll().status_code == 404
    accounts_of(application).remove("anna")
    assert other.poll().status_code == 404


def test_nothing_is_written_for_strangers(application: Application) -> None:
    assert application.store is not None
    with application.store.read() as tx:
        before = tx._connection.execute("SELECT count(*) FROM login_flow").fetchall()
    apps = [App(application, address=f"2001:db8::{number}") for number in range(30)]
    assert {app.begun.status_code for app in apps} == {200} and {app.poll().status_code for app in apps} == {404}
    with application.store.read() as tx:
        assert tx._connection.execute("SELECT count(*) FROM login_flow").fetchall() == before


@pytest.mark.parametrize("place", [0, 10, 20, 30, 60, -1])
def test_a_page_that_was_written_by_somebody_else(application: Application, anna: Person, place: int) -> None:
    app = App(application)
    where, _, token = app.page.rpartition("/")
    letters = list(token)
    letters[place] = "A" if letters[place] != "A" else "Q"
    assert anna.get(f"{where}/{''.join(letters)}").status_code == 404
    assert anna.get(app.page).status_code == 200


def test_an_app_waits_for_a_while_only(application: Application, anna: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App(application)
    monkeypatch.setattr(flows, "LASTS", 0)
    assert anna.get(app.page).status_code == 404
    monkeypatch.undo()
    assert anna.fill(app.page, label="Phone", answer="yes").status_code == 200
    assert app.poll().status_code == 200
    assert anna.get(app.page).status_code == 404, "answered, and fetched: nothing to be said twice"


def test_the_store_alone_opens_nothing(application: Application, anna: Person) -> None:
    app = App(application)
    anna.fill(app.page, label="Phone", answer="yes")
    assert application.store is not None
    with application.store.read() as tx:
        rows = str(tx._connection.execute("SELECT * FROM login_flow").fetchall())
        sessions = str(tx._connection.execute("SELECT * FROM web_session").fetchall())
    assert "Phone" in rows
    assert app.token not in rows and app.page.rpartition("/")[2] not in rows
    assert anna.cookie not in sessions


def test_nonsense(application: Application) -> None:
    app = App(application)
    for token in ("", "x", "x" * 5000, "\u0000"):
        app.token = token
        assert app.poll().status_code in (400, 404)
    assert app.http.session.post(app.endpoint, json={"token": "x"}).status_code == 400
    assert app.http.session.get(app.endpoint).status_code == 405
    strange = app.http.dav("POST", "/index.php/login/v2", headers={"X-Forwarded-Host": "evil.example/x?"})
    assert strange.status_code == 400
    assert app.http.dav("GET", "/index.php/login/v2").status_code == 401


@pytest.mark.parametrize("name", ["index.php", "remote.php"])
def test_users_of_such_names_keep_their_homes(application: Application, name: str) -> None:
    accounts_of(application).create(name, PASSWORD)
    user = Client(application, name, PASSWORD)
    assert user.request("MKCALENDAR", f"/{name}/dav/").status == 201
    assert user.put(f"/{name}/dav/a.ics", event("a")).status == 201
    assert user.propfind(f"/{name}/dav/", Depth="1").status == 207
    assert user.request("MKCALENDAR", f"/{name}/login/").status == 201
    assert user.put(f"/{name}/login/v2", event("b")).status == 201
    assert user.get(f"/{name}/login/v2").body == event("b")
