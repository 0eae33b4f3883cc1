"""Guessing is slowed down also where Radicale's own back ends are asked, without accounts of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calsync.accounts import audit
from calsync.app import Application
from calsync.store import clock
from tests.dav.conftest import Answer, Client, make_application

HOME, STRANGER = "192.0.2.7", "203.0.113.9"
GOOD, WRONG = "secret", "wrong"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "users"
    made.write_text(f"anna:{GOOD}\nben:{GOOD}\n")
    return made


def begun(file: Path, **more: str) -> Application:
    auth = {"type": "htpasswd", "htpasswd_filename": str(file), "htpasswd_encryption": "plain", **more}
    return make_application(file.parent / "data", auth=auth)


@pytest.fixture
def application(file: Path) -> Iterator[Application]:
    made = begun(file)
    yield made
    made.close()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The clock stands, but for what a test moves it."""
    at = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: at[0])

    def move(seconds: int) -> None:
        at[0] += seconds

    return move


def ask(application: Application, user: str, password: str, remote: str) -> Answer:
    """Through a proxy on this machine, which says who the client is."""
    return Client(application, user, password).propfind("/", X_Forwarded_For=remote, Depth="0")


def test_an_account_from_an_address_waits(
    application: Application, later: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(application, "ben", GOOD, HOME).status == 207
    statuses = [ask(application, "anna", f"{WRONG} {number}", HOME).status for number in range(7)]
    assert statuses == [401] * 6 + [429]
    refused = ask(application, "anna", GOOD, HOME)
    assert refused.status == 429 and 0 < int(refused.headers["Retry-After"]) <= 900
    assert caplog.text.count(f"Failed login attempt from {HOME}: 'anna'") == 6
    # Nobody else waits: not who was let in from there, not the same account elsewhere.
    assert ask(application, "ben", GOOD, HOME).status == 207
    assert ask(application, "anna", GOOD, STRANGER).status == 207
    later(int(refused.headers["Retry-After"]))
    assert ask(application, "anna", GOOD, HOME).status == 207


def test_an_address_waits_whatever_it_tries(application: Application, later: Callable[[int], None]) -> None:
    statuses = [ask(application, f"user{number}", WRONG, STRANGER).status for number in range(22)]
    assert statuses == [401] * 21 + [429]
    assert ask(application, "anna", GOOD, STRANGER).status == 429
    assert ask(application, "anna", GOOD, HOME).status == 207


def test_one_name_typed_in_many_ways_waits(file: Path, later: Callable[[int], None]) -> None:
    """Also from this machine, whose address is not counted: a proxy there may not say for whom it speaks."""
    made = begun(file, strip_domain="True", urldecode_username="True")
    typed = ["anna", "%61nna", *(f"anna@{number}.example" for number in range(5))]
    statuses = [ask(made, name, f"{WRONG} {number}", "127.0.0.1").status for number, name in enumerate(typed)]
    assert statuses == [401] * 6 + [429]
    made.close()


def test_the_same_password_again_waits_by_itself(application: Application, later: Callable[[int], None]) -> None:
    """A phone with an old one: who types the new one comes in. The back end is asked about the old one ever less."""
    statuses = [ask(application, "anna", WRONG, HOME).status for _ in range(12)]
    assert statuses == [401] * 6 + [429] * 6
    assert ask(application, "anna", GOOD, HOME).status == 207
    later(900)
    assert ask(application, "anna", WRONG, HOME).status == 401


def test_a_known_device_waits_for_a_minute_at_most(
    application: Application, file: Path, later: Callable[[int], None]
) -> None:
    """However often the back end has refused its password, which may hold again: the account was locked there."""
    assert ask(application, "anna", GOOD, HOME).status == 207
    application.close()
    other = begun(file)
    for _ in range(15):
        assert ask(other, "anna", WRONG, HOME).status == 401
        later(60)
    file.write_text(f"anna:{WRONG}\n")
    assert ask(other, "anna", WRONG, HOME).status == 207
    other.close()


def test_other_processes_count_with_it(application: Application, file: Path, later: Callable[[int], None]) -> None:
    for number in range(7):
        ask(application, "anna", f"{WRONG} {number}", HOME)
    application.close()
    other = begun(file)
    assert ask(other, "anna", GOOD, HOME).status == 429
    assert other.store is not None
    with other.store.read() as tx:
        failed = [one for one in audit.listing(tx) if one.action == "sign-in-failed"]
    assert {(one.account, one.address) for one in failed} == {("", HOME)}
    assert sum(one.detail["count"] for one in failed) == 6
    other.close()


def test_sign_ins_are_in_the_audit_trail(application: Application) -> None:
    for user in ("anna", "ben"):
        assert ask(application, user, GOOD, HOME).status == 207
    assert application.services is not None and application.services.guesses is not None
    application.services.guesses.flush()
    assert application.store is not None
    with application.store.read() as tx:
        found = {(one.action, one.account, one.address) for one in audit.listing(tx)}
    assert found == {("signed-in", "anna", HOME), ("signed-in", "ben", HOME)}


def test_a_password_that_held_is_asked_about_all_the_same(application: Application, file: Path) -> None:
    assert ask(application, "anna", GOOD, HOME).status == 207
    file.write_text("anna:other\n")
    assert ask(application, "anna", GOOD, HOME).status == 401


@pytest.mark.parametrize("options", [{"throttle": "False"}, {"type": "denyall"}])
def test_where_nothing_is_counted(file: Path, options: dict[str, str]) -> None:
    application = begun(file, **options)
    assert {ask(application, "anna", WRONG, HOME).status for _ in range(9)} == {401}
    application.close()
