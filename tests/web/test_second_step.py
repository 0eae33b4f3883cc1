from __future__ import annotations

import re
import time
from pathlib import Path

import pyotp
import pytest

from calsync.app import Application
from calsync.store.schema import recovery_code
from calsync.web.routes import ROUTES, Who
from tests.web.conftest import PASSWORD, Person, accounts_of, application_with
from tests.web.test_security import path


def wrong(totp: pyotp.TOTP) -> str:
    """No code of these minutes."""
    held = {totp.at(time.time() + 30 * step) for step in range(-9, 10)}
    return next(code for code in ("000000", "111111", "222222", *(f"{n:06}" for n in range(99))) if code not in held)


def enrol(person: Person) -> tuple[pyotp.TOTP, list[str]]:
    """The authenticator, and the recovery codes; the code of now is used up, see `unused`."""
    shown = person.get("account/second-step/set-up").text
    found = re.search(r"<code class=\"secret\"[^>]*>([A-Z2-7 ]+)</code>", shown)
    assert found is not None
    totp = pyotp.TOTP(found[1].replace(" ", ""))
    done = person.fill("account/second-step/set-up", code=totp.now())
    assert done.status_code == 200, done.text
    return totp, re.findall(r"<li><code>([0-9a-z-]{19})</code>", done.text)


def unused(totp: pyotp.TOTP) -> str:
    """A code that was not used yet. It is the next one, which holds for half a minute at least, and now already."""
    return totp.at(time.time() + 30)


def test_the_second_step_is_asked_for_from_then_on(application: Application, anna: Person) -> None:
    before, other = anna.cookie, Person(application)
    other.sign_in()
    totp, codes = enrol(anna)
    assert len(set(codes)) == 10
    assert anna.is_in and anna.cookie != before
    assert not other.is_in
    assert other.sign_in().headers["Location"] == "/.calsync/sign-in/code"
    assert not other.is_in
    half = other.cookie
    assert other.fill("sign-in/code", code=wrong(totp)).status_code == 403
    code = unused(totp)
    assert other.fill("sign-in/code", code=f" {code[:3]} {code[3:]}").headers["Location"] == "/.calsync/"
    assert other.is_in and other.cookie != half
    # RFC 6238 §5.2: nobody who looked over the shoulder comes in with it.
    third = Person(application)
    third.sign_in()
    assert third.fill("sign-in/code", code=code).status_code == 403
    assert not third.is_in


def test_halfway_in_sees_nothing(application: Application, anna: Person) -> None:
    enrol(anna)
    half = Person(application)
    half.sign_in()
    token = half.get("sign-in/code").text.partition('name="csrf" value="')[2][:64]
    for route in ROUTES:
        if route.who in (Who.SIGNED_IN, Who.SETTING_UP) and route.get is not None:
            assert half.get(path(route)).headers["Location"] == "/.calsync/sign-in/code", route.path
        if route.who in (Who.SIGNED_IN, Who.SETTING_UP) and route.post is not None:
            assert half.post(path(route), {"csrf": token}).headers["Location"] == "/.calsync/sign-in/code"
    assert half.post("sign-in/code", {"code": "123456"}).status_code == 403
    assert half.post("sign-in/code", {"csrf": token, "code": "x"}, headers={"Origin": "null"}).status_code == 403


def test_a_recovery_code_lets_in_once(application: Application, anna: Person) -> None:
    _, codes = enrol(anna)
    person = Person(application)
    person.sign_in()
    assert person.fill("sign-in/code", code=codes[3].upper().replace("-", " ")).status_code == 303
    assert person.is_in
    assert "9 recovery codes are left" in person.get("account").text
    again = Person(application)
    again.sign_in()
    assert again.fill("sign-in/code", code=codes[3]).status_code == 403
    assert application.store is not None
    with application.store.read() as tx:
        rows = str(tx._connection.execute("SELECT * FROM recovery_code").fetchall())
    assert recovery_code.c.hash.name == "hash" and not any(code.replace("-", "") in rows for code in codes)


def test_guessing_codes_is_slowed_down_from_wherever(
    application: Application, anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, codes = enrol(anna)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # the wait is of seconds
    for number in range(5):
        person = Person(application)
        person.session.headers["X-Forwarded-For"] = f"198.51.100.{number}"
        person.sign_in()
        assert person.fill("sign-in/code", code="12345a").status_code == 403
    last = Person(application)
    last.sign_in()
    slowed = last.fill("sign-in/code", code=codes[0])
    assert (slowed.status_code, int(slowed.headers["Retry-After"]) > 0) == (429, True)


def test_recovery_codes_are_renewed_and_the_step_switched_off(application: Application, anna: Person) -> None:
    totp, codes = enrol(anna)
    assert anna.fill("account/second-step/codes", proof="wrong").status_code == 403
    renewed = anna.fill("account/second-step/codes", proof=PASSWORD)
    fresh = re.findall(r"<li><code>([0-9a-z-]{19})</code>", renewed.text)
    assert len(fresh) == 10 and not set(fresh) & set(codes)
    assert anna.fill("account/second-step/off", proof="wrong").status_code == 403
    assert anna.fill("account/second-step/off", proof=unused(totp)).status_code == 303
    person = Person(application)
    assert person.sign_in().headers["Location"] == "/.calsync/"
    assert anna.get("account/second-step/codes").status_code == 404


def test_a_wrong_first_code_switches_nothing_on(application: Application, anna: Person) -> None:
    assert anna.fill("account/second-step/set-up", code="abcdef").status_code == 422
    assert Person(application).sign_in().headers["Location"] == "/.calsync/"


@pytest.mark.parametrize(
    ("policy", "role", "due"),
    [("required", "user", True), ("admins", "user", False), ("admins", "admin", True), ("optional", "admin", False)],
)
def test_who_has_to_have_one(tmp_path: Path, policy: str, role: str, due: bool) -> None:
    made = application_with(tmp_path / "data", auth={"totp": policy})
    accounts_of(made).set_role("anna", role)
    person = Person(made)
    target = person.sign_in().headers["Location"]
    assert target == ("/.calsync/account/second-step/set-up" if due else "/.calsync/")
    assert person.is_in is not due
    if due:
        assert person.get("devices").headers["Location"] == "/.calsync/account/second-step/set-up"
        totp, _ = enrol(person)
        assert person.is_in
        assert person.fill("account/second-step/off", proof=unused(totp)).status_code == 403
    made.close()


def test_where_it_is_off_nobody_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made = application_with(folder)
    person = Person(made)
    person.sign_in()
    enrol(person)
    made.close()
    from tests.dav.conftest import make_application

    other = make_application(folder, auth={"totp": "off"})
    person = Person(other)
    assert person.sign_in().headers["Location"] == "/.calsync/"
    assert person.get("account/second-step/set-up").status_code == 404
    other.close()
