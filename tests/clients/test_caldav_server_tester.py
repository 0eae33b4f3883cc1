"""caldav-server-tester: what python-caldav's authors examine a server for (clients.md 36)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import PASSWORD, Programs
from tests.server_process import ServerProcess

pytest.importorskip("caldav_server_tester")

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

#: With an `@`, as the tester has questions about such paths.
USER = "anna@example.com"

#: What is not "full", and why.
EXCEPT = {
    # Not here yet.
    "scheduling": "unsupported",
    # `%40` and `@` are one resource, as of all servers that it knows: clients write either (clients.md 13).
    "url.encode-at.identity": "unsupported",
    # A prop-filter on VCALENDAR is about the properties of VCALENDAR: RFC 7986 has CATEGORIES there too.
    "search.text.comp-type-optional": "unsupported",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    # It asks nothing of .well-known at 127.0.0.1 or localhost.
    with ServerProcess(tmp_path / "server", args=("--hosts", "127.0.0.2:0")) as process:
        process.add_user(USER, PASSWORD)
        yield process


def test_everything_but_scheduling_is_full(server: ServerProcess, programs: Programs) -> None:
    done = programs.run(
        "caldav-server-tester",
        "--format=json",
        *("--caldav-url", server.url, "--caldav-user", USER, "--caldav-pass", PASSWORD),
    )
    features = json.loads(done.stdout)["features"]
    assert {name: one["support"] for name, one in features.items() if one["support"] != "full"} == EXCEPT
