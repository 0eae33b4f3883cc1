"""Clients that are slow, silent or gone hold nothing that others need (decision D2)."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.server.conftest import HASTE, Site, read_all, read_until, until

CERTIFICATES = Path(__file__).parent / "certificates"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Patient enough for the slow ones to be there all the time."""
    with Site(tmp_path_factory.mktemp("site"), limits={"timeout": 300, "threads": 2, "connections": 300}) as server:
        yield server


def ask(site: Site) -> bytes:
    """A normal request, on a new connection that does not wait as long as the site does for the slow ones."""
    with site.connect() as sock:
        sock.sendall(b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        return read_until(sock, b"\r\n\r\nhi")


def many(site: Site, stack: ExitStack, number: int, request: bytes, receive_buffer: int = 0) -> list[socket.socket]:
    """So many connections, each with its request at once: one that has sent nothing may have to go for the next."""
    socks = []
    for _ in range(number):
        socks.append(stack.enter_context(site.connect(receive_buffer)))
        socks[-1].sendall(request)
    return socks


def test_unfinished_bodies_stop_nobody(site: Site) -> None:
    with ExitStack() as stack:
        many(site, stack, 40, b"PUT /never HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 500)
        for _ in range(5):
            assert ask(site)
    assert "PUT /never" not in site.counts()


def test_slow_readers_stop_nobody_and_are_not_computed_for(site: Site) -> None:
    before = site.counts()
    with ExitStack() as stack:
        socks = many(site, stack, 12, b"GET /stream?n=100000 HTTP/1.1\r\nHost: x\r\n\r\n", receive_buffer=4096)
        for sock in socks:
            assert read_until(sock, b"\r\n").startswith(b"HTTP/1.1 200")
        for _ in range(5):
            assert ask(site)
        made = site.counts()["chunks"] - before.get("chunks", 0)
        assert made < 12 * 400, "an answer of 3 GB must not be computed ahead of its reader"
        assert site.counts().get("closed", 0) == before.get("closed", 0)
    until(lambda: site.counts()["closed"] == before.get("closed", 0) + 12)


def test_idle_connections_stop_nobody(site: Site) -> None:
    with ExitStack() as stack:
        many(site, stack, 200, b"")
        for _ in range(5):
            assert ask(site)


def test_a_full_house_lets_go_who_waited_longest(site: Site) -> None:
    with ExitStack() as stack:
        first = many(site, stack, 10, b"")
        busy = many(site, stack, 10, b"GET /delay?s=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: site.counts().get("GET /delay") == 10)
        many(site, stack, 300, b"GET /half HTTP/1.1\r\n")
        assert ask(site)
        assert all(read_all(sock) == b"<reset>" for sock in first)
        for sock in busy:
            assert read_until(sock, b"ok\n").startswith(b"HTTP/1.1 200")


def test_a_reader_that_takes_nothing_is_dropped(tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = {"timeout": 1, "head_timeout": 60}
    with Site(tmp_path_factory.mktemp("site"), limits=limits) as site, site.connect(4096) as sock:
        sock.sendall(b"GET /stream?n=100000 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: site.counts().get("closed", 0) == 1)
        site.log_until("took nothing for 1 s")


def test_a_slow_reader_that_goes_on_reading_gets_everything(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All of it takes longer than a client may take nothing; and no pause is as long on a busy machine."""
    limits = {"timeout": HASTE}
    with Site(tmp_path_factory.mktemp("site"), limits=limits) as site, site.connect(65536) as sock:
        sock.sendall(b"GET /stream?n=60 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        taken, began = 0, time.monotonic()
        while part := sock.recv(65536):
            taken += part.count(b"x")
            time.sleep(0.2)
        assert taken == 60 * 32768
        assert time.monotonic() - began > HASTE, "no slow reader"


def test_all_bodies_together_have_a_bound(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Site(tmp_path_factory.mktemp("site"), limits={"spool_total": 100_000}) as site, ExitStack() as stack:
        half = b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + b"x" * 60000
        both = many(site, stack, 2, half)
        refused = select.select(both, [], [], 60)[0][0]  # whichever arrives last
        answer = read_until(refused, b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After" in answer
        (other,) = set(both) - {refused}
        other.sendall(b"x" * 30000)
        assert read_until(other, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def elsewhere() -> str:
    """An address of this machine that is not loopback: nobody's trusted proxy."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # nothing is sent
            address: str = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    return address


class Open(Site):
    """A site that is reached from an address that no one trusts."""

    def __init__(self, folder: Path, **options: object) -> None:
        super().__init__(folder, hosts="0.0.0.0:0", **options)

    @property
    def address(self) -> tuple[str, int]:
        return elsewhere(), super().address[1]

    @property
    def url(self) -> str:
        """Over loopback, from where there is no bound."""
        return self.urls[0].replace("0.0.0.0", "127.0.0.1")


def test_an_address_that_takes_too_much_gives_up_its_own(tmp_path: Path) -> None:
    """The address's oldest connection goes, and nobody else's."""
    elsewhere()
    with Open(tmp_path, limits={"timeout": 120, "connections_per_address": 5}) as site, ExitStack() as stack:
        local = stack.enter_context(socket.create_connection(("127.0.0.1", site.address[1]), timeout=60))
        first = many(site, stack, 5, b"")
        many(site, stack, 3, b"")
        assert {read_all(sock) for sock in first[:3]} <= {b"", b"<reset>"}
        assert ask(site)
        local.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_until(local, b"ok\n").startswith(b"HTTP/1.1 200")
        site.log_until("has 5 connections open")


def test_an_address_whose_requests_are_all_under_way_gets_no_more(tmp_path: Path) -> None:
    elsewhere()
    end = tmp_path / "end"
    with Open(tmp_path, limits={"timeout": 120, "connections_per_address": 3}) as site, ExitStack() as stack:
        busy = many(site, stack, 3, f"GET /hold?until={end} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: site.counts().get("GET /hold") == 3)
        try:
            with site.connect() as fourth:
                assert read_all(fourth) == b"<reset>"
        except ConnectionResetError:  # before it was known to be open
            pass
        end.touch()
        for sock in busy:
            assert read_until(sock, b"ok\n").startswith(b"HTTP/1.1 200")


def test_a_trusted_proxy_may_have_as_many_as_there_are(tmp_path: Path) -> None:
    with (
        Open(tmp_path, limits={"connections_per_address": 3}, proxies=elsewhere()) as site,
        ExitStack() as stack,
    ):
        for sock in many(site, stack, 20, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"):
            assert read_until(sock, b"ok\n").startswith(b"HTTP/1.1 200")


def test_handshakes_that_never_end_stop_nobody(tmp_path: Path) -> None:
    """They count as connections, and go first."""
    tls = [str(CERTIFICATES / "one.cert.pem"), str(CERTIFICATES / "one.key.pem")]
    with (
        Site(tmp_path, limits={"connections": 30, "timeout": 120, "handshake": 60}, tls=tls) as site,
        ExitStack() as stack,
    ):
        many(site, stack, 100, b"\x16\x03")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(site.connect()) as sock:
            sock.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_until(sock, b"ok\n").startswith(b"HTTP/1.1 200")


def test_a_head_and_a_body_have_times_of_their_own(tmp_path: Path) -> None:
    limits = {"timeout": 120, "head_timeout": HASTE, "body_timeout": 120}
    with Site(tmp_path, limits=limits) as site, site.connect() as head, site.connect() as body:
        head.sendall(b"GET / HTTP/1.1\r\n")
        body.sendall(b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nh")
        assert read_all(head).startswith(b"HTTP/1.1 408 ")
        body.sendall(b"i")
        assert read_until(body, b"\r\n\r\nhi").startswith(b"HTTP/1.1 200 ")
