"""The targets of the fuzzers, for a moment each: texts that are nearly right, cut, joined and changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dav.conftest import PASSWORD
from tests.fuzz import seeds
from tests.fuzz.targets import TARGETS
from tests.hostile.wire import WireClient, login, talk
from tests.server_process import ServerProcess


def nearly(name: str) -> st.SearchStrategy[bytes]:
    """Octets of a seed, with pieces of others and of nothing put in at some places."""
    known = seeds.of(name)
    piece = st.one_of(st.binary(max_size=8), st.sampled_from(known).map(lambda seed: seed[:40]))

    def changed(seed: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
        for where, gone, new in changes:
            place = int(where * len(seed))
            seed = seed[:place] + new + seed[place + gone :]
        return seed

    edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), piece), max_size=4)
    return st.one_of(st.binary(max_size=100), st.builds(changed, st.sampled_from(known), edits))


@pytest.mark.parametrize("name", TARGETS)
def test_only_what_is_documented_is_raised(name: str) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(nearly(name))
    def run(octets: bytes) -> None:
        TARGETS[name](octets)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_themselves(name: str) -> None:
    for seed in seeds.of(name):
        TARGETS[name](seed)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = "[server]\ntimeout = 300\n[auth]\ndelay = 0\nthrottle = False\n"
    with ServerProcess(tmp_path_factory.mktemp("fuzz"), config_text=config) as server:
        server.add_user("anna", PASSWORD)
        yield server


def test_the_runner_answers_whatever_head_it_is_sent(server: ServerProcess) -> None:
    heads = [
        *seeds.of("http1_grammar"),
        f"GET /anna/ HTTP/1.1\r\nHost: x\r\nAuthorization: {login('anna')}\r\n\r\n".encode(),
    ]
    heads += [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"]

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(heads),
        st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), st.binary(max_size=6)), max_size=3),
    )
    def run(head: bytes, changes: list[tuple[float, int, bytes]]) -> None:
        for where, gone, new in changes:
            place = int(where * len(head))
            head = head[:place] + new + head[place + gone :]
        answer = talk(server.address, head)
        if answer and not answer.startswith(b"\x00\x00"):  # frames of HTTP/2
            for status in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", answer, re.MULTILINE):
                assert int(status) < 500 or status in (b"501", b"505"), (head, answer[:200])

    before = server.pid
    run()
    assert server.pid == before
    assert WireClient(address=server.address).propfind("/anna/", Depth="0").status == 207
    assert "Traceback" not in server.log()
