"""The guard of requests that go out, against real sockets on loopback."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calsync.outbound import Broken, Guard, OutboundError, Refused, guard_for, is_public
from tests.dripping import DRIPPED, dripping
from tests.http_servers import Handler, Server

CERTIFICATES = Path(__file__).parent / "server" / "certificates"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
OPEN = Guard(LOOPBACK, seconds=60)
HASTY = Guard(LOOPBACK, seconds=0.3)

#: What is said of a server that is too slow: its connection is ended, or nothing at all has come from it meanwhile.
GIVEN_UP = "no whole answer within 0.3 s|no answer in time"


class Site(Handler):
    """`/to/URL` redirects, `/large` does not end soon, `/slow` neither, anything else tells what was asked."""

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.answer(302, b"", {"Location": self.path[4:]})
        elif self.path == "/large":
            self.answer(200, b"x" * 3_000_000)
        elif self.path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(b"x")
                self.wfile.flush()
                if self.server.over.wait(0.05):  # type: ignore[attr-defined]
                    return
        elif self.path == "/bomb":
            self.answer(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
        else:
            told = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
            self.answer(200, f"{self.path}\n{told}".encode())

    do_POST = do_GET


class SlowServer(Server):
    over: threading.Event


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a site on 127.0.0.1."""
    with SlowServer(("127.0.0.1", 0), Site) as server:
        server.over = threading.Event()
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as found:
        yield found


def test_what_is_not_public_is_refused_unless_it_is_named(port: int) -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0177.0.0.1", "0.0.0.0"):
        with pytest.raises(Refused):
            Guard().fetch("GET", f"http://{host}:{port}/")
    assert OPEN.fetch("GET", f"http://127.0.0.1:{port}/").status == 200
    assert guard_for([f"http://localhost:{port}/issuer"]).fetch("GET", f"http://LOCALHOST:{port}/").status == 200


def test_a_redirect_into_the_own_network_is_refused(port: int) -> None:
    guard = guard_for([f"http://localhost:{port}/"])
    assert guard.fetch("GET", f"http://localhost:{port}/to/http://localhost:{port}/there").body.startswith(b"/there")
    with pytest.raises(Refused):
        guard.fetch("GET", f"http://localhost:{port}/to/http://127.0.0.1:{port}/")
    with pytest.raises(Refused):
        guard.fetch("GET", f"http://localhost:{port}/to/file:///etc/passwd")


def test_credentials_do_not_follow_to_another_server(port: int) -> None:
    with serving() as other:
        url = f"http://127.0.0.1:{port}/to/http://127.0.0.1:{other}/"
        assert b"secret" not in OPEN.fetch("GET", url, {"Authorization": "Bearer secret"}).body
    url = f"http://127.0.0.1:{port}/to/http://127.0.0.1:{port}/"
    assert b"secret" in OPEN.fetch("GET", url, {"Authorization": "Bearer secret"}).body


def test_redirects_end(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    for _ in range(7):
        url = f"http://127.0.0.1:{port}/to/{url}"
    with pytest.raises(OutboundError, match="redirects"):
        OPEN.fetch("GET", url)


def test_a_post_is_not_sent_on(port: int) -> None:
    assert OPEN.fetch("POST", f"http://127.0.0.1:{port}/to/http://127.0.0.1:{port}/", None, b"").status == 302


def test_size_and_time_are_bounded(port: int) -> None:
    with pytest.raises(OutboundError, match="larger"):
        OPEN.fetch("GET", f"http://127.0.0.1:{port}/large")
    with pytest.raises(OutboundError, match=GIVEN_UP):
        HASTY.fetch("GET", f"http://127.0.0.1:{port}/slow")
    with pytest.raises(OutboundError, match="compressed"):
        OPEN.fetch("GET", f"http://127.0.0.1:{port}/bomb")


@pytest.mark.parametrize("what", DRIPPED)
def test_a_server_that_sends_a_little_all_the_time_is_given_up(what: str) -> None:
    with dripping(what, 0.05) as url, pytest.raises(Broken, match=GIVEN_UP):
        HASTY.fetch("GET", url)


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OutboundError, match=GIVEN_UP):
        HASTY.fetch("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_a_server_that_is_not_there_and_a_name_that_is_none(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        free = gone.getsockname()[1]
    with pytest.raises(OutboundError, match="refused"):
        OPEN.fetch("GET", f"http://127.0.0.1:{free}/")
    with pytest.raises(OutboundError, match="resolved"):
        OPEN.fetch("GET", "http://nowhere.invalid/")


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "//example.org/", "http://", "http://[::1/", "http://a:b@example.org/"]
)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        OPEN.fetch("GET", url)


def test_the_environment_names_no_proxy(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert OPEN.fetch("GET", f"http://127.0.0.1:{port}/").status == 200


def test_the_connection_goes_to_the_address_that_was_checked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the name is asked for once, and means something else ever after."""
    resolve, asked = socket.getaddrinfo, []

    def rebound(host: str, *arguments: object, **options: object) -> object:
        if host == "rebinding.example":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "192.0.2.1"
        return resolve(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    answer = OPEN.fetch("GET", f"http://rebinding.example:{port}/")
    assert f"Host: rebinding.example:{port}".encode() in answer.body
    assert len(asked) == 1


def test_tls_speaks_to_the_name_though_the_address_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = CERTIFICATES / "one.cert.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, CERTIFICATES / "one.key.pem")
    with serving(context) as tls:
        with pytest.raises(OutboundError, match="TLS"):
            OPEN.fetch("GET", f"https://localhost:{tls}/")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(chain))
        assert OPEN.fetch("GET", f"https://localhost:{tls}/").status == 200
        resolve = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **more: resolve("127.0.0.1", *a, **more))
        with pytest.raises(OutboundError, match="TLS"):
            OPEN.fetch("GET", f"https://elsewhere.example:{tls}/")


@given(st.ip_addresses(v=4))
def test_an_address_in_another_guise_is_the_same_address(address: ipaddress.IPv4Address) -> None:
    guises = (
        ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed),
        ipaddress.IPv6Address(b"\x20\x02" + address.packed + b"\0" * 10),
        ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address)),
    )
    for guise in guises:
        assert Guard()._may_reach("host", guise) == is_public(address)


_NOT_PUBLIC = (
    "10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255"
    " :: ::1 fe80::1 fd00::1 fec0::1 ff02::1 2001:db8::1"
)


@pytest.mark.parametrize("text", _NOT_PUBLIC.split())
def test_addresses_of_no_host_in_the_internet(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["1.1.1.1", "9.9.9.9", "2606:4700:4700::1111"])
def test_addresses_of_the_internet(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))
