"""What somebody tries who is not meant to get in, or further than they are: a test for each hole there was."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from calsync.app import Application
from calsync.store import sqlite
from tests.dav.conftest import Client
from tests.web.conftest import PASSWORD, Person, application_with, hidden
from tests.web.test_second_step import enrol, unused


@pytest.mark.parametrize(
    "wanted", ["let-in/x\r\nSet-Cookie: a=b", "let-in/€", "let-in/x y", "let-in/x\\..", "devices/../revoke", "//evil"]
)
def test_where_to_go_next_is_an_address_and_nothing_else(anna: Person, wanted: str) -> None:
    answer = anna.get("sign-in", params={"next": wanted})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/.calsync/")


@pytest.mark.parametrize("page", ["sign-in", "sign-in/openid/back", "no-such-page"])
def test_an_address_with_too_many_questions_is_the_askers_mistake(nobody: Person, page: str) -> None:
    assert nobody.get(f"{page}?{'a=1&' * 100}done=revoked").status_code < 500


@pytest.mark.parametrize("length", ["²", "-1", "1e3", "9" * 30])
def test_a_length_that_is_no_number_is_the_askers_mistake(application: Application, length: str) -> None:
    assert Client(application).post("/.calsync/login-flow", Content_Length=length).status in (400, 413)


@pytest.mark.parametrize(
    ("option", "typed"),
    [
        ("lc_username", "ANNA"),
        ("uc_username", "anna"),
        ("strip_domain", "anna@example.org"),
        ("urldecode_username", "%61nna"),
    ],
)
def test_a_name_means_the_same_to_a_page_and_to_a_device(tmp_path: Path, option: str, typed: str) -> None:
    application = application_with(tmp_path / "data", auth={option: "True"})
    assert Client(application, typed, PASSWORD).props("/", "{DAV:}current-user-principal").status == 207
    person = Person(application)
    assert person.sign_in(typed).status_code == 303
    assert person.is_in
    application.close()


def test_a_browser_gets_its_icon_without_a_login(tmp_path: Path, nobody: Person) -> None:
    found = nobody.dav("GET", "/favicon.ico")
    assert (found.status_code, found.headers["Content-Type"]) == (200, "image/svg+xml")
    bare = application_with(tmp_path / "bare", calsync={"pages": "False"})
    assert Client(bare, "").get("/favicon.ico").status == 404
    bare.close()


def test_a_phone_with_the_main_password_does_not_close_the_page_to_its_owner(tmp_path: Path) -> None:
    application = application_with(tmp_path / "data", auth={"dav_main_password": "no"})
    for _ in range(30):
        assert Client(application, "anna", PASSWORD, {"X-Forwarded-For": "192.0.2.1"}).propfind("/anna/").status == 401
    assert Person(application).sign_in().status_code == 303
    application.close()


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
def test_another_site_shares_nothing_with_the_login_that_a_browser_remembers(tmp_path: Path, content_type: str) -> None:
    sharing = {"type": "csv", "collection_by_token": "True", "permit_create_token": "True"}
    application = application_with(tmp_path / "data", sharing=sharing)
    anna = Client(application, "anna", PASSWORD)
    assert anna.propfind("/anna/").status == 207
    for site in ("cross-site", "same-site"):
        answer = anna.post(
            "/.sharing/v1/token/create", "PathMapped=/anna/calendar/", Content_Type=content_type, Sec_Fetch_Site=site
        )
        assert answer.status == 403
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    own = anna.post("/.sharing/v1/token/create", "PathMapped=/anna/calendar/", Sec_Fetch_Site="same-origin", **form)
    assert own.status == 200
    evil = anna.post("/.sharing/v1/token/create", "PathMapped=/anna/tasks/", Origin="https://evil.example", **form)
    assert evil.status == 403
    application.close()


def test_a_store_that_is_locked_signs_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that a password or a code is wrong: it is 503, and a device syncs on."""
    monkeypatch.setattr(sqlite, "PATIENCE", 0.1)
    application = application_with(tmp_path / "data")  # its connections are as impatient
    monkeypatch.setattr(sqlite, "PATIENCE", 60)
    anna, bert, late = Person(application), Person(application), Person(application)
    anna.sign_in()
    bert.sign_in("bert")
    secret = anna.add_device()
    totp, _ = enrol(anna)
    late.sign_in()
    (place,) = (tmp_path / "data").glob("*.db")
    lock = sqlite3.connect(place, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(sqlite, "PATIENCE", 0.1)
    for person, page, fields in (
        (Person(application), "sign-in", {"login": "bert", "password": PASSWORD}),
        (late, "sign-in/code", {"code": unused(totp)}),
        (bert, "devices/add", {"label": "Phone"}),
        (bert, "account/details", {"displayname": "B"}),
    ):
        assert person.fill(page, **fields).status_code == 503, page
    assert bert.is_in and late.get("sign-in/code").status_code == 200
    assert Client(application, "bert", PASSWORD).propfind("/bert/").status == 207
    assert Client(application, "anna", secret).propfind("/anna/").status == 207
    assert Client(application, "bert", "wrong").propfind("/bert/").status == 401
    lock.close()
    monkeypatch.setattr(sqlite, "PATIENCE", 60)
    assert late.fill("sign-in/code", code=unused(totp)).status_code == 303
    application.close()


def test_a_proxy_that_keeps_our_name_to_itself_breaks_no_form(anna: Person) -> None:
    headers = {"X-Forwarded-Host": "localhost:5232", "Origin": "https://cal.example.org"}
    assert anna.session.get(f"{anna.root}/.calsync/account", headers=headers).status_code == 200
    fields = {**hidden(anna.get("account/details").text, "account/details"), "displayname": "Anna"}
    assert anna.post("account/details", fields, headers=headers).status_code == 403
    assert anna.post("account/details", fields, headers={**headers, "Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_no_secret_is_in_what_a_value_says_of_itself(anna: Person) -> None:
    from calsync.accounts.oidc import Settings
    from calsync.dav.registry import Call
    from calsync.dav.request import Request
    from calsync.web.forms import Form

    headers = {"authorization": "Basic hidden", "cookie": "hidden"}
    values = (
        Form((("password", "hidden"),)),
        Settings("https://idp.example", "calsync", "hidden"),
        Request("1", "GET", (), False, "", headers, b"hidden", "anna"),
        Call("POST", "", "", "token=hidden", headers, b"hidden", "", "https", "h", "a"),
    )
    assert not [value for value in values if "hidden" in repr(value)]
