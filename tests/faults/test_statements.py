"""A process that is killed between any two SQL statements of a write: before it or after it, never in the middle."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calsync.accounts.accounts import Accounts
from calsync.store import transaction, verify
from tests.dav.conftest import PASSWORD, Client, event, make_application
from tests.faults.test_nth_fault import bulk, whole

HOME = "/anna/calendar/"

WRITES: dict[str, Callable[[Client], Any]] = {
    "a new item": lambda anna: anna.put(f"{HOME}new.ics", event("new")),
    "a changed item": lambda anna: anna.put(f"{HOME}a.ics", event("a", "SUMMARY:changed")),
    "a deleted item": lambda anna: anna.delete(f"{HOME}a.ics"),
    "a moved item": lambda anna: anna.move(f"{HOME}a.ics", Destination="/anna/other/a.ics"),
    "a copied calendar": lambda anna: anna.copy("/anna/calendar/", Destination="/anna/copy/"),
    "a deleted calendar": lambda anna: anna.delete("/anna/calendar/"),
    "many at once": lambda anna: anna.post(HOME, bulk(1), Content_Type="application/xml"),
    "a whole calendar": lambda anna: anna.put("/anna/other/", whole(1)),
}


class Counted:
    """A connection that ends the process before its n-th statement, or only counts them."""

    def __init__(self, connection: Any, n: int) -> None:
        self._connection, self._n = connection, n

    def _count(self) -> None:
        Counted.seen += 1
        if Counted.seen == self._n:
            os.kill(os.getpid(), signal.SIGKILL)

    seen = 0

    def execute(self, *arguments: Any) -> Any:
        self._count()
        return self._connection.execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        self._count()
        return self._connection.executemany(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def run(folder: Path, name: str, n: int) -> bool:
    """The write in a process of its own, which is killed before the n-th statement; whether it came to its end."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = _write(folder, name, n)
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0
    return True


def _write(folder: Path, name: str, n: int) -> int:
    application = make_application(folder)
    anna = Client(application)
    anna.propfind(HOME, Depth="0")
    plain = transaction.Transaction.__init__

    def counted(self: Any, backend: Any, connection: Any, *rest: Any, **more: Any) -> None:
        plain(self, backend, Counted(connection, n) if more.get("writes") else connection, *rest, **more)

    transaction.Transaction.__init__ = counted  # type: ignore[method-assign]
    return int(WRITES[name](anna).status >= 300)


def state(folder: Path) -> dict[str, str]:
    """All items of anna with their octets, and the tokens of her calendars."""
    application = make_application(folder)
    anna = Client(application)
    found: dict[str, str] = {}
    try:
        for home in anna.props("/anna/", "{DAV:}sync-token", depth="1").multistatus.responses:
            found[home.href] = home.text("{DAV:}sync-token") or ""
            if home.href != "/anna/":
                members = anna.props(home.href, "{DAV:}getetag", depth="1").multistatus.responses[1:]
                found |= {one.href: anna.get(one.href).text for one in members}
        assert application.store is not None
        assert list(verify.verify(application.store)) == []
    finally:
        application.close()
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    application = make_application(folder)
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    assert anna.put(f"{HOME}a.ics", event("a")).status == 201
    assert anna.put(f"{HOME}b.ics", event("b")).status == 201
    assert anna.put("/anna/other/", whole(0)).status == 201
    application.close()
    return folder


@pytest.mark.parametrize("step", [pytest.param(7, id="some"), pytest.param(1, id="all", marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", WRITES)
def test_killed_between_statements(template: Path, tmp_path: Path, name: str, step: int) -> None:
    def attempt(n: int) -> tuple[bool, dict[str, str]]:
        folder = tmp_path / str(n)
        shutil.copytree(template, folder)
        whole_way = run(folder, name, n)
        return whole_way, state(folder)

    before = state(template)
    _, after = attempt(0)
    assert after != before
    n = 1 + step // 2
    while True:
        ended, found = attempt(n)
        if ended:
            break
        if name == "many at once":  # new names each time: each member is there whole, or not at all
            assert set(found.values()) <= {*before.values(), *after.values()}, n
        else:
            assert found in (before, after), n
        n += step
    assert n > step, "it wrote nothing"
