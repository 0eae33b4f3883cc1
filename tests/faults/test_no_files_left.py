"""A process that may open no more files: it goes on with those it has, and turns nobody's password down."""

from __future__ import annotations

import resource
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from calsync.server.door import Complaint
from tests.dav.conftest import PASSWORD, event
from tests.faults.site import Site
from tests.server.conftest import until
from tests.soak.wire import Wire

ITEM = "/anna/calendar/a.ics"
FILES = 160


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server that may have few files."""
    site = Site(tmp_path)
    site.config.touch()
    site.add_user("anna", PASSWORD)
    with site.start():
        yield site


def forbid_files(site: Site, number: int) -> None:
    _, most = resource.prlimit(site.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(site.pid, resource.RLIMIT_NOFILE, (number, most))


def open_files(site: Site) -> int:
    return psutil.Process(site.pid).num_fds()


def busy(site: Site) -> float:
    """Processor seconds of a second in which nobody asks anything."""
    before = psutil.Process(site.pid).cpu_times()
    time.sleep(1)
    after = psutil.Process(site.pid).cpu_times()
    return after.user + after.system - before.user - before.system


def accepted(site: Site) -> int:
    """Connections that the server has taken."""
    found = psutil.Process(site.pid).net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED for one in found)


def test_it_is_said_once_a_minute_with_how_often() -> None:
    complaint = Complaint()
    assert [complaint.due(half / 2) for half in range(242)] == [1, *[0] * 119, 120, *[0] * 119, 120, 0]


def test_known_connections_are_answered_and_nobody_is_turned_away(site: Site) -> None:
    anna = Wire(site.address, "anna")
    assert anna.ask("PUT", ITEM, event("a")).status == 201
    forbid_files(site, open_files(site) + 8)
    with ExitStack() as stack:
        for _ in range(40):  # some are accepted, the others wait in the kernel's queue
            stack.enter_context(socket.create_connection(site.address))
        until(lambda: "no connection can be accepted" in site.log())
        for number in range(20):
            assert anna.ask("GET", ITEM).status == 200
            assert anna.ask("PUT", ITEM, event("a", f"SUMMARY:{number}")).status in (204, 503)
        large = event("large", "DESCRIPTION:" + "x" * 3_000_000)
        assert anna.ask("PUT", "/anna/calendar/large.ics", large).status in (201, 503)
        until(lambda: busy(site) < 0.2)  # else it spins
    anna.close()
    forbid_files(site, 1000)
    assert site.ask("GET", ITEM).status == 200


def test_a_login_that_cannot_be_checked_is_no_wrong_login(site: Site) -> None:
    """The first login of a process reads the accounts, which needs a file."""
    assert site.ask("GET", ITEM).status == 404
    site.stop()
    with site.start():
        strangers = [Wire(site.address, "anna") for _ in range(3)]
        for wire in strangers:
            wire.connect()
        until(lambda: accepted(site) == len(strangers))
        forbid_files(site, open_files(site))
        for wire in strangers:
            assert wire.ask("GET", ITEM).status in (404, 503)
            wire.close()


class Few(Site):
    """Started where a process may have few files."""

    def _command(self) -> list[str]:
        return ["prlimit", f"--nofile={FILES}:{FILES}", *super()._command()]


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="no prlimit (apt install util-linux)")
def test_a_low_bound_lets_fewer_in(tmp_path: Path) -> None:
    """Whoever waits longest makes room, so that the store has files and a new client comes in."""
    with Few(tmp_path) as few, ExitStack() as stack:
        few.add_user("anna", PASSWORD)
        assert f"only {FILES} files" in few.log()
        psutil.Process(few.pid).suspend()  # as a busy machine does: it finds them all at once
        for _ in range(FILES):
            stack.enter_context(socket.create_connection(few.address))
        psutil.Process(few.pid).resume()
        for number in range(3):
            assert few.ask("PUT", f"/anna/calendar/{number}.ics", event(f"u{number}")).status == 201
        assert "no connection can be accepted" not in few.log()
