"""The corpus over a socket of a real server process, which is there afterwards as it was before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dav.conftest import PASSWORD
from tests.hostile import stage
from tests.hostile.case import Case
from tests.hostile.wire import WireClient
from tests.server_process import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("wire")
    with ServerProcess(folder, config_text="[logging]\nlevel = info\n[auth]\ndelay = 0\nthrottle = False\n") as server:
        server.add_user("anna", PASSWORD)
        server.add_user("bert", PASSWORD)
        stage.prepare(WireClient(address=server.address))
        yield server


@pytest.mark.parametrize("case", [case for _, case in stage.CASES], ids=[stage.name(*one) for one in stage.CASES])
def test_the_server_answers_as_the_table_says(server: ServerProcess, case: Case) -> None:
    client, before = WireClient(address=server.address), server.pid
    answer = client.request(case.method, case.path, case.octets, **dict(case.headers))
    stage.judge(case, answer, case.wire or case.status)
    stage.settle(client, case)
    assert server.pid == before


def test_nothing_was_logged_as_a_failure(server: ServerProcess) -> None:
    log = server.log()
    assert "Traceback" not in log
    assert " failed" not in log
