"""For all tests: what would be paid thousands of times costs next to nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from calsync.accounts import passwords
from calsync.store import clock, collections, principals
from calsync.store.collections import Collection
from calsync.store.engine import Store
from tests.server_process import CHEAP_PASSWORDS
from tests.services.processes import OidcProvider, Service, oidc_provider, slapd

# A process that keeps no bytecode compiles all of calsync at its start, a third more than it takes without.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Thousands of tests make accounts and log in; what that costs by default is tests/accounts/test_passwords.py's matter.
os.environ.update(CHEAP_PASSWORDS)
object.__setattr__(passwords.DEFAULT, "memory", int(CHEAP_PASSWORDS["CALSYNC_AUTH_PASSWORD_MEMORY"]))
object.__setattr__(passwords.DEFAULT, "time", int(CHEAP_PASSWORDS["CALSYNC_AUTH_PASSWORD_PASSES"]))

# An example is slow where the machine is busy, and one commit has one outcome: the examples are the same in each run.
# Others are drawn by `make soak`, and by `pytest --hypothesis-profile=curious`.
SLOW_MACHINE: Final = (HealthCheck.too_slow,)
settings.register_profile("calm", deadline=None, derandomize=True, suppress_health_check=SLOW_MACHINE)
settings.register_profile("curious", deadline=None, suppress_health_check=SLOW_MACHINE)
settings.load_profile("curious" if os.environ.get("CALSYNC_SOAK_MINUTES") else "calm")

#: Files that take longest, so that none of them is what all wait for at the end (`make test` gives out whole files).
LONGEST: Final = (
    "recovery/test_restore.py",
    "soak/test_several_machines.py",
    "server/test_workers.py",
    "moving/test_online.py",
    "moving/test_move.py",
    "dav/test_on_postgresql.py",
    "server/test_restart.py",
    "hostile/test_recurrence.py",
    "clients/test_thunderbird.py",
    "clients/test_vdirsyncer.py",
    "faults/test_small_disk.py",
    "server/test_read_only.py",
    "moving/test_commands.py",
    "clients/test_python_caldav.py",
    "plugins/test_rights.py",
    "soak/test_crash.py",
    "web/test_browser.py",
    "test_docs_run.py",
)


def pytest_runtest_setup() -> None:
    """A test that sets the time aside makes the database's clock seem to go wrong, which a process remembers."""
    clock._ahead = 0.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    places = {name: place for place, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        return places.get(item.nodeid.partition("::")[0].removeprefix("tests/"), len(LONGEST))

    items.sort(key=place)


# --- a store of its own for whoever asks for one; tests/store has the same on each back end ---------------------------


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a store in which nothing is."""
    return f"sqlite:///{tmp_path / 'store' / 'calsync.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


@pytest.fixture
def calendar(store: Store) -> Collection:
    """anna's `work`, empty."""
    with store.write() as tx:
        return collections.create(tx, principals.create(tx, "anna"), 0, "work", "calendar")


# --- services, one for all tests of a module --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An LDAP server that knows anna and bert."""
    with slapd(tmp_path_factory.mktemp("services") / "ldap") as service:
        yield service


@pytest.fixture(scope="module")
def openid_process() -> Iterator[OidcProvider]:
    """A provider to sign in at."""
    with oidc_provider() as running:
        yield running


@pytest.fixture
def openid(openid_process: OidcProvider) -> OidcProvider:
    """It lies no more, whatever the test before wanted of it."""
    openid_process.control(fault="")
    return openid_process
