from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from calsync.accounts import sessions
from calsync.app import Application
from tests.web.conftest import PASSWORD, Person, accounts_of, application_with, hidden


def test_signing_in_and_out(nobody: Person) -> None:
    away = nobody.get()
    assert (away.status_code, away.headers["Location"]) == (303, "/.calsync/sign-in")
    assert nobody.sign_in().headers["Location"] == "/.calsync/"
    assert "Hello, anna" in nobody.get().text
    cookie = nobody.cookie
    out = nobody.fill("", action="sign-out")
    assert out.headers["Location"] == "/.calsync/sign-in?done=signed-out"
    assert not nobody.is_in
    # Not only the browser has forgotten it.
    assert nobody.get(headers={"Cookie": f"__Secure-calsync={cookie}"}).status_code == 303


def test_a_wrong_password_and_an_unknown_name_are_told_alike(nobody: Person) -> None:
    wrong, unknown = nobody.sign_in(password="wrong"), nobody.sign_in(name="nobody")
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert wrong.text.replace('value="anna"', 'value="nobody"') == unknown.text
    assert not nobody.is_in


def test_a_failure_is_the_line_that_fail2ban_reads(nobody: Person, caplog: pytest.LogCaptureFixture) -> None:
    nobody.sign_in(password="wrong")
    nobody.sign_in()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1 and lines[0].startswith("Failed login attempt from ") and lines[0].endswith(": 'anna'")


def test_app_passwords_do_not_open_the_pages(anna: Person, nobody: Person) -> None:
    assert nobody.sign_in(password=anna.add_device()).status_code == 403


def test_a_name_is_taken_in_any_case_and_goes_back_escaped(nobody: Person) -> None:
    assert '"><b>' not in nobody.sign_in(name='x"><b>').text
    assert nobody.sign_in(name="Anna").status_code == 303


def test_a_planted_cookie_never_becomes_a_session(application: Application, nobody: Person) -> None:
    nobody.get("sign-in")
    planted = nobody.cookie
    assert nobody.sign_in().status_code == 303
    assert nobody.cookie != planted
    attacker = Person(application)
    assert attacker.get(headers={"Cookie": f"__Secure-calsync={planted}"}).status_code == 303


def test_signing_in_anew_ends_the_session_before(anna: Person) -> None:
    before = anna.cookie
    form = hidden(Person(anna.application).get("sign-in").text, "sign-in")
    assert form["csrf"]
    token = hidden(anna.get().text, "sign-out")["csrf"]
    assert anna.post("sign-in", {"csrf": token, "login": "bert", "password": PASSWORD}).status_code == 303
    assert "Hello, bert" in anna.get().text
    assert anna.get(headers={"Cookie": f"__Secure-calsync={before}"}).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "../anna/",
        "devices/../../anna/",
        "%2e%2e/x",
        "sign-out",
        "static/x/style.css",
        "devices\r\nX: y",
        "\u0000",
    ],
)
def test_after_the_sign_in_it_goes_to_our_own_pages_only(nobody: Person, wanted: str) -> None:
    shown = nobody.get("sign-in", params={"next": wanted})
    assert hidden(shown.text, "sign-in")["next"] == ""
    answer = nobody.sign_in(next=wanted)
    assert answer.status_code == 400 or answer.headers["Location"] == "/.calsync/"


def test_after_the_sign_in_it_goes_to_the_page_that_was_wanted(nobody: Person) -> None:
    away = nobody.get("devices/add")
    assert away.headers["Location"] == "/.calsync/sign-in?next=devices%2Fadd"
    shown = nobody.get("sign-in?next=devices%2Fadd")
    fields = {**hidden(shown.text, "sign-in"), "login": "anna", "password": PASSWORD}
    assert nobody.post("sign-in", fields).headers["Location"] == "/.calsync/devices/add"


def test_guessing_is_slowed_down(nobody: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # the wait is of two seconds
    for number in range(6):
        assert nobody.sign_in(password=f"guess {number}").status_code == 403
    slowed = nobody.sign_in()
    assert slowed.status_code == 429
    assert int(slowed.headers["Retry-After"]) > 0
    assert "Please wait" in slowed.text


def test_a_changed_password_ends_all_other_sessions(application: Application, anna: Person) -> None:
    other = Person(application)
    other.sign_in()
    device = anna.add_device()
    before = anna.cookie
    answer = anna.fill("account/password", old=PASSWORD, new="a new long one", again="a new long one")
    assert answer.headers["Location"] == "/.calsync/account?done=password"
    assert anna.is_in and not other.is_in
    assert anna.cookie != before
    assert Person(application).sign_in().status_code == 403
    assert Person(application).sign_in(password="a new long one").status_code == 303
    assert anna.dav("PROPFIND", "/anna/", ("anna", device)).status_code == 207


@pytest.mark.parametrize(
    ("old", "new", "again", "status"),
    [
        ("wrong", "a new long one", "a new long one", 403),
        (PASSWORD, "a new long one", "another one!", 422),
        (PASSWORD, "short", "short", 422),
        (PASSWORD, "with a \x07 bell in it", "with a \x07 bell in it", 422),
    ],
)
def test_a_password_is_not_changed(anna: Person, old: str, new: str, again: str, status: int) -> None:
    assert anna.fill("account/password", old=old, new=new, again=again).status_code == status
    assert Person(anna.application).sign_in().status_code == 303


def test_what_another_process_does_to_the_account_ends_its_sessions(application: Application, anna: Person) -> None:
    accounts_of(application).set_password("anna", "something else")
    assert not anna.is_in
    bert = Person(application)
    bert.sign_in("bert")
    accounts_of(application).set_disabled("bert", True)
    assert not bert.is_in
    assert bert.sign_in("bert").status_code == 403


def test_a_removed_account_leaves_no_session(application: Application, anna: Person) -> None:
    accounts_of(application).remove("anna")
    accounts_of(application).create("anna", PASSWORD)
    assert not anna.is_in


@pytest.mark.parametrize("option", ["session_idle", "session_longest"])
def test_sessions_end_by_themselves(tmp_path: Path, option: str) -> None:
    made = application_with(tmp_path / "data", calsync={option: "0"})
    person = Person(made)
    assert person.sign_in().status_code == 403 or not person.is_in
    assert not person.is_in
    made.close()


def test_sessions_are_listed_and_ended(application: Application, anna: Person) -> None:
    others = [Person(application) for _ in range(3)]
    for one in others:
        one.session.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        one.sign_in()
    shown = anna.get("account").text
    assert shown.count("Firefox on Linux") == 3
    token = hidden(shown, "account/sessions/end")["csrf"]
    bert = Person(application)
    bert.sign_in("bert")
    # Those of somebody else cannot be ended, nor told from none.
    mine = [line for line in bert.get("account").text.split() if "this" in line]
    assert mine
    assert anna.post("account/sessions/end", {"csrf": token, "which": "00" * 32}).status_code == 404
    assert anna.post("account/sessions/end", {"csrf": token, "which": "others"}).status_code == 303
    assert [one.is_in for one in others] == [False] * 3
    assert anna.is_in and bert.is_in


def test_an_account_has_no_endless_sessions(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    people = [Person(application) for _ in range(5)]
    for one in people:
        one.sign_in()
    assert sum(one.is_in for one in people) == 3
    assert people[-1].is_in


def test_details_are_kept(anna: Person) -> None:
    assert anna.fill("account/details", displayname=" Anna\u0000 Ahorn ", email="x").status_code == 400
    assert anna.fill("account/details", displayname="Anna Ahorn", email="no address").status_code == 422
    assert anna.fill("account/details", displayname="Anna Ahorn", email="a@example.org").status_code == 303
    assert "Hello, Anna Ahorn" in anna.get().text
    found = accounts_of(anna.application).find("anna")
    assert found is not None and found.email == "a@example.org"


def test_without_accounts_of_our_own_there_are_no_pages(tmp_path: Path) -> None:
    made = application_with(tmp_path / "data", calsync={"pages": "False"})
    person = Person(made)
    assert person.get("sign-in").status_code == 404
    assert person.dav("GET", "/").headers["Location"] == "/.web"
    assert person.dav("POST", "/index.php/login/v2").status_code in (401, 403, 405)
    made.close()
