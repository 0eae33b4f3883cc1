"""What a login is answered: 401 only where credentials do not hold, 429 where too many did not, 503 where nobody knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.accounts import throttle
from calsync.accounts.accounts import Accounts
from calsync.accounts.scopes import Scope
from calsync.app import Application
from tests.dav.conftest import PASSWORD, Client, make_application

STRANGER = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}


@pytest.fixture
def loud(application: Application) -> Iterator[list[str]]:
    """What the log says."""
    said: list[str] = []

    class Ears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ears, logger = Ears(), logging.getLogger("radicale")
    logger.addHandler(ears)
    yield said
    logger.removeHandler(ears)


def test_too_many_failures_are_answered_429(application: Application) -> None:
    right = Client(application, "anna", headers=STRANGER)
    guesses = [Client(application, "anna", f"wrong {number}", STRANGER) for number in range(throttle.FREE["pair"] + 3)]
    statuses = [guess.propfind("/anna/").status for guess in guesses]
    assert statuses == [401] * (throttle.FREE["pair"] + 1) + [429] * 2
    answer = right.propfind("/anna/")
    assert answer.status == 429 and 0 < int(answer.headers["Retry-After"]) <= throttle.LONGEST["pair"]
    assert "WWW-Authenticate" not in answer.headers
    assert Client(application, "anna", headers={"X-Forwarded-For": "192.0.2.7"}).propfind("/anna/").status == 207


def test_a_phone_with_the_old_password_closes_the_door_to_nobody(application: Application) -> None:
    phone = Client(application, "anna", "the old one", STRANGER)
    assert [phone.propfind("/anna/").status for _ in range(12)] == [401] * 12
    assert Client(application, "anna", headers=STRANGER).propfind("/anna/").status == 207


def test_the_address_is_the_one_that_the_proxy_saw(application: Application) -> None:
    """What stands before it, the client may have written."""
    for number in range(throttle.FREE["pair"] + 1):
        spoofed = {"X-Forwarded-For": f"192.0.2.{number}, 203.0.113.9"}
        assert Client(application, "anna", f"wrong {number}", spoofed).propfind("/anna/").status == 401
    assert Client(application, "anna", "wrong", STRANGER).propfind("/anna/").status == 429


def test_a_long_name_does_not_fill_the_log(application: Application, loud: list[str]) -> None:
    assert Client(application, "x" * 50_000, "wrong").propfind("/").status == 401
    assert len("".join(loud)) < 500


def test_a_realm_with_quotes_is_one_string(tmp_path: Path) -> None:
    application = make_application(tmp_path / "data", auth={"realm": 'Anna\'s "home" \\'})
    told = Client(application, "").propfind("/anna/").headers["WWW-Authenticate"]
    assert told == 'Basic realm="Anna\'s \\"home\\" \\\\", charset="UTF-8"'
    application.close()


@pytest.mark.parametrize("shape", ["203.0.113.9:{}", "[2001:db8::1]:{}"])
def test_a_port_makes_no_other_address(application: Application, shape: str) -> None:
    clients = [
        Client(application, "anna", f"wrong {number}", {"X-Forwarded-For": shape.format(50000 + number)})
        for number in range(throttle.FREE["pair"] + 2)
    ]
    assert [client.propfind("/anna/").status for client in clients][-1] == 429


def test_a_failure_is_one_line_for_fail2ban(application: Application, loud: list[str]) -> None:
    assert Client(application, "nobody\t", "wrong", STRANGER).propfind("/").status == 401
    Client(application, "anna", "wrong", STRANGER).propfind("/")
    assert [line for line in loud if line.startswith("Failed login attempt from")] == [
        "Failed login attempt from 203.0.113.9: 'anna'"
    ]
    assert "wrong'" not in "".join(loud)


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_a_store_that_cannot_be_read_is_no_wrong_password(tmp_path: Path, password: str) -> None:
    logins = tmp_path / "logins.db"
    application = make_application(tmp_path / "data", auth={"calsync_url": f"sqlite:///{logins}"})
    accounts = application._auth.accounts  # type: ignore[attr-defined]
    accounts.create("anna", PASSWORD)
    client = Client(application)
    assert client.propfind("/anna/").status == 207
    accounts.flush()
    accounts._store.close()
    for file in tmp_path.glob("logins.db*"):
        file.unlink()
    logins.mkdir()
    answer = Client(application, "anna", password).propfind("/anna/")
    assert answer.status == 503 and answer.headers["Retry-After"]
    application.close()


def test_an_app_password_as_a_bearer_token(application: Application) -> None:
    assert application.store is not None
    secret, _ = Accounts(application.store).add_token("anna", "script", scope=Scope("contacts"), read_only=True)
    nobody = Client(application, "")
    assert nobody.propfind("/anna/", Authorization=f"Bearer {secret}").status == 207
    assert nobody.mkcalendar("/anna/new/", Authorization=f"Bearer {secret}").status == 403
    wrong = secret[:-1] + ("x" if secret[-1] != "x" else "y")
    assert nobody.propfind("/anna/", Authorization=f"bearer {wrong}").status == 401
    assert nobody.propfind("/anna/", Authorization="Bearer").status == 401


def test_main_passwords_can_be_kept_from_devices(tmp_path: Path) -> None:
    application = make_application(tmp_path / "data", auth={"dav_main_password": "no"})
    assert application.store is not None
    accounts = Accounts(application.store)
    accounts.create("anna", PASSWORD)
    secret, _ = accounts.add_token("anna", "phone")
    assert Client(application).propfind("/anna/").status == 401
    assert Client(application, "anna", secret).propfind("/anna/").status == 207
    application.close()


def test_the_plugin_for_stock_changes_nothing_here(tmp_path: Path) -> None:
    application = make_application(tmp_path / "data", rights={"type": "calsync_rights", "backend": "owner_only"})
    assert application.store is not None
    accounts = Accounts(application.store)
    accounts.create("anna", PASSWORD)
    secret, _ = accounts.add_token("anna", "phone", scope=Scope("calendars"))
    assert Client(application).propfind("/anna/", depth="1").status == 207
    phone = Client(application, "anna", secret)
    assert phone.mkcalendar("/anna/new/").status == 201
    assert "/anna/contacts/" not in phone.propfind("/anna/", depth="1").statuses
    assert "/anna/contacts/" in Client(application).propfind("/anna/", depth="1").statuses
    application.close()
