"""Failures slow down those that follow, and nobody else's."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from calsync.accounts import audit, throttle, tried
from calsync.accounts.accounts import Accounts, Throttled
from calsync.accounts.policy import Policy
from calsync.store.engine import Store
from calsync.store.schema import throttle as table
from calsync.store.statement import Prepared

HOME, STRANGER = "192.0.2.7", "203.0.113.9"


@pytest.fixture
def accounts(store: Store) -> Iterator[Accounts]:
    made = Accounts(store)
    made.create("anna", "secret")
    made.create("bert", "secret")
    yield made
    made.flush()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that argon2 was asked to verify; none is really computed, which takes long."""
    asked: list[str] = []

    def counted(self: PasswordHasher, stored: str, password: str) -> bool:
        asked.append(stored)
        if password != "secret":
            from argon2.exceptions import VerifyMismatchError

            raise VerifyMismatchError
        return True

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    return asked


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets time pass: by itself it stands still, and nothing is written but at `flush`."""
    monkeypatch.setattr(throttle, "_DELAY", 3600)
    start, passed = time.time(), [0]
    monkeypatch.setattr(time, "time", lambda: start + passed[0])

    def ahead(seconds: int) -> None:
        passed[0] += seconds

    return ahead


def fail(accounts: Accounts, login: str, address: str, times: int = 100) -> int:
    """How many of so many wrong passwords were looked at before the door closed."""
    for number in range(times):
        try:
            assert accounts.authenticate(login, f"wrong {number}", address=address) is None
        except Throttled:
            return number
    return times


def test_guessing_ends_soon_and_costs_nothing_then(accounts: Accounts, runs: list[str]) -> None:
    tried = fail(accounts, "anna", STRANGER)
    assert tried == throttle.FREE["pair"] + 1 and len(runs) == tried
    for _ in range(50):
        with pytest.raises(Throttled) as caught:
            accounts.authenticate("anna", "wrong", address=STRANGER)
    assert len(runs) == tried and 0 < caught.value.retry_after <= throttle.LONGEST["pair"]


def test_the_right_password_waits_too(accounts: Accounts, runs: list[str]) -> None:
    """Or whoever guesses would learn from the answer that it is right."""
    fail(accounts, "anna", STRANGER)
    with pytest.raises(Throttled):
        accounts.authenticate("anna", "secret", address=STRANGER)


def test_unknown_names_are_treated_alike(accounts: Accounts, runs: list[str]) -> None:
    assert fail(accounts, "nobody", STRANGER) == fail(accounts, "anna", "203.0.113.10")


def test_a_stranger_locks_nobody_out(accounts: Accounts, store: Store, runs: list[str]) -> None:
    for last in range(30):
        fail(accounts, "anna", f"203.0.113.{last}", 10)
    accounts.flush()
    assert Accounts(store).authenticate("anna", "secret", address=HOME)


def test_whoever_is_known_at_an_address_is_not_closed_out_by_others_there(
    accounts: Accounts, store: Store, runs: list[str]
) -> None:
    assert accounts.authenticate("anna", "secret", address=HOME)
    accounts.flush()
    for number in range(40):
        fail(accounts, f"guess{number}", HOME, 2)
    with pytest.raises(Throttled):
        accounts.authenticate("bert", "secret", address=HOME)
    again = Accounts(store)
    assert again.authenticate("anna", "secret", address=HOME)
    again.flush()


def test_app_passwords_and_what_was_verified_never_wait(accounts: Accounts, store: Store, runs: list[str]) -> None:
    secret, _ = accounts.add_token("anna", "phone")
    assert accounts.authenticate("anna", "secret", address=STRANGER)
    fail(accounts, "anna", STRANGER)
    fail(accounts, "bert", STRANGER)
    assert accounts.authenticate("anna", "secret", address=STRANGER)
    elsewhere = Accounts(store)
    assert elsewhere.authenticate("anna", secret, address=STRANGER)
    elsewhere.flush()


def test_a_revoked_phone_closes_the_door_to_nobody(accounts: Accounts, store: Store, runs: list[str]) -> None:
    secret, token = accounts.add_token("anna", "phone")
    accounts.revoke("anna", token.id)
    for _ in range(50):
        assert accounts.authenticate("anna", secret, address=HOME) is None
    assert runs == []
    assert accounts.authenticate("anna", "secret", address=HOME)


@pytest.mark.parametrize("login", ["anna", "nobody"])
def test_the_same_wrong_password_counts_and_costs_once(accounts: Accounts, runs: list[str], login: str) -> None:
    """A phone polls with the old password; who types the new one is let in."""
    for _ in range(100):
        assert accounts.authenticate(login, "old", address=STRANGER) is None
    assert len(runs) == 1
    assert accounts.authenticate("anna", "secret", address=STRANGER)


def test_a_password_that_is_set_later_holds(accounts: Accounts, runs: list[str]) -> None:
    accounts.set_password("anna", "something else")
    accounts.create("cleo", None)
    for login in ("anna", "cleo", "dora"):
        assert accounts.authenticate(login, "secret is not", address=STRANGER) is None
    runs.clear()
    accounts.set_password("anna", "secret is not")
    accounts.set_password("cleo", "secret is not")
    accounts.create("dora", "secret is not")
    for login in ("anna", "cleo", "dora"):
        accounts.authenticate(login, "secret is not", address=STRANGER)
    assert len(runs) == 3, "they are compared with the new hash"


def test_a_password_tried_while_the_account_was_closed_holds_when_it_opens(accounts: Accounts, runs: list[str]) -> None:
    accounts.set_disabled("anna", True)
    for _ in range(3):
        assert accounts.authenticate("anna", "secret", address=STRANGER) is None
    assert len(runs) == 1, "as any other: whoever guesses does not learn that it is the right one"
    accounts.set_disabled("anna", False)
    assert accounts.authenticate("anna", "secret", address=STRANGER)


def test_workers_know_what_the_others_were_sent(
    accounts: Accounts, store: Store, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = os.memfd_create("test")
    os.write(memory, os.urandom(tried.KEY))
    monkeypatch.setattr(tried, "_descriptor", None)
    tried.share(memory)
    workers = [Accounts(store) for _ in range(8)]
    for worker in workers * 4:
        assert worker.authenticate("anna", "old", address=STRANGER) is None
    assert len(runs) == 1
    for worker in workers:
        worker.flush()
    assert workers[0].authenticate("anna", "secret", address=STRANGER)
    os.lseek(memory, 0, os.SEEK_SET)
    kept = os.read(memory, tried.SIZE)
    assert b"old" not in kept and hashlib.sha256(b"old").digest()[:8] not in kept
    for worker in workers:
        worker.flush()
    os.close(memory)


def test_a_flood_of_passwords_takes_no_more_memory_and_old_ones_are_guesses_again(
    clock: Callable[[int], None],
) -> None:
    known = tried.Tried(100)
    marks = [known.digest("pair", str(number)) for number in range(3 * tried.SIZE // 32)]
    assert not any(known.note(mark, b"", int(time.time())) for mark in marks)
    assert known.note(marks[-1], b"", int(time.time()))
    clock(101)
    assert not known.note(marks[-1], b"", int(time.time()))


def test_every_process_counts(accounts: Accounts, store: Store, runs: list[str]) -> None:
    fail(accounts, "anna", STRANGER)
    accounts.throttle.flush()
    with pytest.raises(Throttled):
        Accounts(store).authenticate("anna", "secret", address=STRANGER)


def test_waits_double_and_quiet_forgets(accounts: Accounts, runs: list[str], clock: Callable[[int], None]) -> None:
    fail(accounts, "anna", STRANGER)
    waits = []
    for number in range(4):
        with pytest.raises(Throttled) as caught:
            accounts.authenticate("anna", f"another {number}", address=STRANGER)
        waits.append(caught.value.retry_after)
        clock(caught.value.retry_after)
        assert accounts.authenticate("anna", f"another {number}", address=STRANGER) is None
        accounts.throttle.flush()
    assert [later / sooner for sooner, later in pairwise(waits)] == [2, 2, 2]
    clock(throttle.QUIET + 1)
    assert fail(accounts, "anna", STRANGER) == throttle.FREE["pair"] + 1


def test_success_forgives_the_pair_but_washes_no_address_clean(
    accounts: Accounts, store: Store, runs: list[str]
) -> None:
    """Somebody with an account of their own guesses at others' and logs in between."""
    tried = 0
    for number in range(40):
        again = Accounts(store)  # what was verified is not remembered here
        try:
            tried += fail(again, f"victim{number}", STRANGER, 3)
            again.flush()
            again.authenticate("bert", "secret", address=STRANGER)
        except Throttled:
            break
    assert tried <= throttle.FREE["address"] + 3
    for _ in range(3):
        fail(accounts, "anna", HOME, throttle.FREE["pair"])
        assert accounts.authenticate("anna", "secret", address=HOME)
        accounts.set_password("anna", "secret")  # so that it is verified anew
        accounts.throttle.flush()


def test_addresses_of_this_machine_are_no_address(accounts: Accounts, runs: list[str]) -> None:
    for number in range(40):
        fail(accounts, f"guess{number}", "127.0.0.1", 3)
    assert accounts.authenticate("anna", "secret", address="127.0.0.1")


@pytest.mark.parametrize("address", ["127.0.0.2", "::1", "::ffff:127.0.0.1", ""])
def test_what_is_of_this_machine(address: str) -> None:
    """Also through a socket for both kinds of addresses."""
    assert throttle.is_here(address)


def test_it_can_be_switched_off(store: Store, runs: list[str]) -> None:
    accounts = Accounts(store, policy=Policy(throttle=False))
    assert fail(accounts, "anna", STRANGER) == 100
    accounts.flush()
    with store.read() as tx:
        assert tx.all(Prepared(select(table.c.key))) == []


def test_the_sign_in_page_counts_too(accounts: Accounts, runs: list[str]) -> None:
    for number in range(throttle.FREE["pair"] + 1):
        assert accounts.sign_in("anna", f"wrong {number}", address=STRANGER) is None
    with pytest.raises(Throttled):
        accounts.authenticate("anna", "secret", address=STRANGER)


def test_a_flood_is_bounded(
    accounts: Accounts, store: Store, runs: list[str], monkeypatch: pytest.MonkeyPatch, clock: Callable[[int], None]
) -> None:
    monkeypatch.setattr(throttle, "_PENDING", 60)
    for number in range(500):
        accounts.authenticate(f"guess {number}" * 1000, "wrong", address=f"2001:db8:{number:x}::1")
    assert len(accounts.throttle._pending) <= 60
    accounts.throttle.flush()
    count = Prepared(select(func.count()).select_from(table))
    with store.read() as tx:
        assert tx.first(count) == (60,)
        assert max(len(row[0]) for row in tx.all(Prepared(select(table.c.key)))) < 80
        told = audit.listing(tx)
    assert len([entry for entry in told if entry.action == "sign-in-failed"]) <= throttle._TOLD_AT_ONCE + 1
    clock(throttle.QUIET + 1)
    with store.write() as tx:
        throttle.clean(tx, int(time.time()))
        assert tx.first(count) == (0,)


def test_what_was_typed_is_not_kept(accounts: Accounts, store: Store, runs: list[str]) -> None:
    """People type their password where the name belongs."""
    accounts.authenticate("correct horse", "anna", address=STRANGER)
    accounts.authenticate("anna", "correct horse", address=STRANGER)
    accounts.flush()
    with store.read() as tx:
        told = [entry for entry in audit.listing(tx) if entry.action == "sign-in-failed"]
        assert {(entry.account, entry.address) for entry in told} == {("", STRANGER), ("anna", STRANGER)}
        kept = repr(tx.all(Prepared(select(table.c.key)))) + repr(told)
    assert "horse" not in kept


def test_a_purged_user_leaves_nothing(accounts: Accounts, store: Store, runs: list[str]) -> None:
    fail(accounts, "anna", STRANGER, 3)
    assert accounts.authenticate("anna", "secret", address=HOME)
    accounts.flush()
    accounts.remove("anna", forget=True)
    with store.read() as tx:
        assert {row[0] for row in tx.all(Prepared(select(table.c.key)))} == {f"address {STRANGER}"}
        assert "anna" not in {name for entry in audit.listing(tx) for name in (entry.account, entry.actor)}
        assert HOME not in {entry.address for entry in audit.listing(tx)}


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("2001:db8::1", "2001:db8::dead:beef"),
        ("fe80::1%eth0", "fe80::2"),
        ("2001:0DB8::1", "2001:db8::1"),
    ],
)
def test_one_subscriber_is_one_address(address: str, same: str) -> None:
    assert throttle.network(address) == throttle.network(same)


def test_neighbours_are_not() -> None:
    found = {throttle.network(one) for one in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1", "")}
    assert len(found) == 5


@given(st.integers(0, 10**9), st.sampled_from(sorted(throttle.FREE)))
def test_waits_grow_and_end_somewhere(failures: int, rule: str) -> None:
    assert throttle.wait(failures, rule) <= throttle.wait(failures + 1, rule) <= throttle.LONGEST[rule]
    assert (throttle.wait(failures, rule) == 0) == (failures <= throttle.FREE[rule])
