"""What people do on the pages stands in the audit trail with where they did it."""

from __future__ import annotations

from calsync.accounts import audit
from calsync.app import Application
from tests.web.conftest import PASSWORD, Person
from tests.web.test_second_step import enrol

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def entries(application: Application) -> list[audit.Entry]:
    assert application.store is not None
    with application.store.read() as tx:
        return audit.listing(tx)


def test_what_is_changed_says_from_where(application: Application, anna: Person) -> None:
    anna.session.headers["User-Agent"] = FIREFOX
    anna.add_device("Phone")
    page = anna.get("devices").text
    token = next(part.split("/")[0] for part in page.split("/.calsync/devices/")[1:] if "/revoke" in part[:20])
    assert anna.fill(f"devices/{token}/revoke").status_code == 303
    assert anna.fill("account/details", displayname="Anna A.", email="").status_code == 303
    new = "another horse battery"
    assert anna.fill("account/password", old=PASSWORD, new=new, again=new).status_code == 303
    enrol(anna)
    assert anna.fill("account/second-step/codes", proof=new).status_code == 200
    assert anna.fill("account/second-step/off", proof=new).status_code == 303
    told = {one.action: one for one in entries(application) if one.client == FIREFOX}
    assert set(told) == {
        "token-added",
        "token-revoked",
        "details-changed",
        "password-changed",
        "second-step-added",
        "recovery-codes-renewed",
        "second-step-removed",
    }
    assert {(one.account, one.actor, one.address) for one in told.values()} == {("anna", "anna", "192.0.2.1")}


def test_an_app_that_is_let_in_says_from_where(application: Application, anna: Person) -> None:
    app = Person(application)
    app.session.headers["User-Agent"] = "DAVx5/4.4"
    asked = app.dav("POST", "/index.php/login/v2").json()
    page = asked["login"].partition("/.calsync/")[2]
    assert anna.fill(page, answer="yes", label="Phone").status_code == 200
    fetched = app.dav("POST", "/.calsync/login-flow/poll", data={"token": asked["poll"]["token"]})
    assert fetched.status_code == 200
    told = {one.action: (one.account, one.address, one.client) for one in entries(application)}
    assert told["token-added"] == ("anna", "192.0.2.1", "DAVx5/4.4")
    assert told["app-let-in"][:2] == ("anna", "192.0.2.1")


def test_what_nobody_asked_over_http_has_no_address(application: Application, anna: Person) -> None:
    anna.add_device("Phone")
    assert application.store is not None
    with application.store.write() as tx:
        audit.note(tx, "user-enabled", account="anna", actor="calsync user")
    assert (entries(application)[0].address, entries(application)[0].client) == ("", "")
