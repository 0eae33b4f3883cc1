import threading

import pytest
from argon2 import PasswordHasher

from calsync.accounts import passwords
from calsync.accounts.passwords import CONCURRENT, WAITING, BadPassword, Parameters, TooManyChecks
from calsync.options import schema
from tests.server.conftest import until

REAL = Parameters()
"""The cost that an administrator gets; what the other tests pay is in tests/conftest.py."""


def test_the_hash_is_argon2id_and_holds_for_its_password_only() -> None:
    stored = passwords.hashed("correct horse", REAL)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify(stored, "correct horse")
    assert not passwords.verify(stored, "wrong horse")


def test_what_is_configured_by_default_costs_that_much() -> None:
    options = schema()["auth"]
    assert {name: options[f"password_{name}"]["value"] for name in ("memory", "passes", "lanes")} == {
        "memory": str(REAL.memory),
        "passes": str(REAL.time),
        "lanes": str(REAL.lanes),
    }


def test_two_hashes_of_one_password_differ() -> None:
    assert passwords.hashed("x") != passwords.hashed("x")


def test_a_password_typed_decomposed_is_the_same_password() -> None:
    assert passwords.verify(passwords.hashed("Übung"), "U\u0308bung")


@pytest.mark.parametrize("password", ["", "a\nb", "a\x00", "x" * 1025])
def test_what_no_client_can_send_is_no_password(password: str) -> None:
    with pytest.raises(BadPassword):
        passwords.hashed(password)


def test_a_longer_password_is_not_cut_to_one_that_fits() -> None:
    assert not passwords.verify(passwords.hashed("x" * 1024), "x" * 1025)


def test_a_hash_that_cannot_be_read_holds_for_nothing() -> None:
    assert not passwords.verify("", "x")
    assert not passwords.verify("{SSHA}abc", "x")
    assert passwords.needs_rehash("{SSHA}abc")


def test_only_other_parameters_ask_for_a_new_hash() -> None:
    assert not passwords.needs_rehash(passwords.hashed("x"))
    assert passwords.needs_rehash(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("x"))


def test_a_flood_of_checks_is_turned_away_and_spends_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = passwords.hashed("x", REAL)
    verify, go_on = PasswordHasher.verify, threading.Event()
    refused, running, most = [], [0], [0]
    guard = threading.Lock()

    def held(self: PasswordHasher, known: str, password: str) -> bool:
        """As long as nobody has come to an end, all come at once."""
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        assert go_on.wait(60)
        try:
            return verify(self, known, password)
        finally:
            with guard:
                running[0] -= 1

    monkeypatch.setattr(PasswordHasher, "verify", held)

    def check() -> None:
        try:
            passwords.verify(stored, "wrong")
        except TooManyChecks:
            refused.append(True)

    threads = [threading.Thread(target=check) for _ in range(60)]
    for thread in threads:
        thread.start()
    until(lambda: len(refused) == 60 - CONCURRENT - WAITING)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(refused) == 60 - CONCURRENT - WAITING and most[0] <= CONCURRENT
    assert passwords.verify(stored, "x")
