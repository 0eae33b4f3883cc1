"""How a back end is asked: a few at a time, not for ever, and left alone after a failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from radicale.auth import AuthContext, BaseAuth

from calsync.accounts.accounts import BackendDown, External
from calsync_auth.chain import PAUSE, Chain, NotNow


class Backend(BaseAuth):
    """Anybody whose password is `right`; `hold` makes it wait, `error` fail."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.inside = self.most = 0
        self.guard = threading.Lock()

    def _login_ext_with_groups(self, login: str, password: str, context: AuthContext) -> tuple[str, set[str]]:
        with self.guard:
            self.asked.append(login)
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.free.wait(100)
        with self.guard:
            self.inside -= 1
        if self.error is not None:
            raise self.error
        return (login, {"staff"}) if password == "right" else ("", set())


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    made.free.set()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_says_who_that_is(backend: Backend) -> None:
    chain = Chain("ldap", backend)
    assert chain.check("anna", "right", "") == External("anna", frozenset({"staff"}))
    assert chain.check("anna", "wrong", "") is None


@pytest.mark.parametrize(("name", "password"), [("", "right"), ("anna", ""), ("an\nna", "right"), ("anna", "ri\0ght")])
def test_what_no_back_end_should_see(backend: Backend, name: str, password: str) -> None:
    assert Chain("ldap", backend).check(name, password, "") is None
    assert backend.asked == []


def test_a_name_that_cannot_be_an_account_is_nobody(backend: Backend) -> None:
    assert Chain("ldap", backend).check("anna/work", "right", "") is None


def test_the_same_login_at_the_same_time_is_asked_once(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    came = threading.Semaphore(0)

    class Shared(Future[External | None]):
        """Tells of each that waits for it, and so of each that has it."""

        def result(self, timeout: float | None = None) -> External | None:
            came.release()
            return super().result(timeout)

    monkeypatch.setattr("calsync_auth.chain.Future", Shared)
    chain = Chain("ldap", backend, seconds=60, concurrent=4)
    backend.free.clear()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(chain.check, "anna", "right", "") for _ in range(4)]
        assert all(came.acquire(timeout=60) for _ in range(4))
        backend.free.set()
        assert {future.result() for future in waiting} == {External("anna", frozenset({"staff"}))}
    assert backend.asked == ["anna"]


def test_a_few_are_asked_at_a_time(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calsync_auth.chain.TURN", 60)
    chain = Chain("ldap", backend, seconds=60, concurrent=2)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: chain.check(f"user{number}", "right", ""), range(50)))
    assert all(found) and backend.most <= 2


def test_one_that_hangs_holds_few_and_not_for_ever(backend: Backend) -> None:
    chain = Chain("ldap", backend, seconds=0.2, concurrent=2)
    backend.free.clear()

    def answer(number: int) -> str:
        try:
            return str(chain.check(f"user{number}", "right", ""))
        except BackendDown as error:
            return type(error).__name__

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(answer, range(20))) == {"BackendDown"}
    assert len(backend.asked) <= 2


def test_after_a_failure_it_is_left_alone_for_a_moment_then_asked_again(backend: Backend) -> None:
    clock = Clock()
    chain = Chain("ldap", backend, clock=clock)
    backend.error = BackendDown("gone")
    for _ in range(3):
        with pytest.raises(BackendDown, match="gone"):
            chain.check("anna", "right", "")
    assert len(backend.asked) == 1
    backend.error = None
    clock.now += PAUSE
    assert chain.check("anna", "right", "")
    assert chain.check("bert", "right", "")


@pytest.mark.parametrize("error", [NotNow("of this one"), ValueError("odd letters")])
def test_what_concerns_one_login_does_not_lock_out_the_others(backend: Backend, error: Exception) -> None:
    chain = Chain("ldap", backend)
    backend.error = error
    with pytest.raises(BackendDown):
        chain.check("mallory", "right", "")
    backend.error = None
    assert chain.check("anna", "right", "")
