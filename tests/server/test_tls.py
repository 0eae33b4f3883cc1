"""TLS: versions, ALPN, what the application is told, and new certificates without a restart."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.server.tls import Tls, TlsError
from tests.server.conftest import Site, read_all, until
from tests.server.test_http2 import Client

#: Self-signed, for nothing but these tests; valid until 2126.
CERTIFICATES = Path(__file__).parent / "certificates"


class TlsSite(Site):
    def trusting(self, name: str = "one", alpn: str = "http/1.1") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(CERTIFICATES / f"{name}.cert.pem"))
        context.set_alpn_protocols([alpn])
        return context

    def tls(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        return context.wrap_socket(self.connect(), server_hostname="localhost")


def put_in(folder: Path, name: str) -> tuple[str, str]:
    for kind in ("cert", "key"):
        shutil.copy(CERTIFICATES / f"{name}.{kind}.pem", folder / f"{kind}.pem")
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[TlsSite]:
    with TlsSite(
        tmp_path, tls=put_in(tmp_path, "one"), limits={"timeout": 120, "handshake": 60, "stop": 1.0}
    ) as server:
        yield server


def ask(sock: ssl.SSLSocket, path: str) -> bytes:
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return read_all(sock)


def test_the_application_is_told(site: TlsSite) -> None:
    assert site.url.startswith("https://")
    with site.tls(site.trusting()) as sock:
        facts = json.loads(ask(sock, "/environ").partition(b"\r\n\r\n")[2])
    assert (facts["wsgi.url_scheme"], facts["HTTPS"], facts["SSL_PROTOCOL"]) == ("https", "on", "TLSv1.3")


def test_http_2_is_negotiated(site: TlsSite) -> None:
    with site.tls(site.trusting(alpn="h2")) as sock:
        assert sock.selected_alpn_protocol() == "h2"
        client = Client(sock)
        number = client.request("GET", "/environ")
        client.finish(number)
        assert json.loads(client.data[number])["SSL_PROTOCOL"] == "TLSv1.3"


def test_tls_1_2_is_spoken_and_nothing_older(site: TlsSite) -> None:
    context = site.trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with site.tls(context) as sock:
        assert b'"SSL_PROTOCOL": "TLSv1.2"' in ask(sock, "/environ")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        site.tls(context).close()


def test_a_long_answer_comes_whole_and_a_broken_one_does_not(site: TlsSite) -> None:
    with site.tls(site.trusting()) as sock:
        answer = ask(sock, "/stream?n=100")
    assert answer.count(b"x") == 100 * 32768
    assert answer.endswith(b"0\r\n\r\n")
    with site.tls(site.trusting()) as sock:
        try:
            answer = ask(sock, "/stream?n=100&broken=1")
        except ssl.SSLEOFError:
            answer = b""
    assert not answer.endswith(b"0\r\n\r\n")


def test_silent_and_plain_connections_stop_nobody(site: TlsSite) -> None:
    silent = [site.connect() for _ in range(100)]
    plain = site.connect()
    plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    with site.tls(site.trusting()) as sock:
        assert ask(sock, "/ok").endswith(b"ok\n")
    for sock in (plain, *silent):
        sock.close()


def test_sighup_takes_the_new_certificate(site: TlsSite, tmp_path: Path) -> None:
    site.tls(site.trusting("one")).close()
    put_in(tmp_path, "two")
    site.reload()

    def renewed() -> bool:
        try:
            site.tls(site.trusting("two")).close()
        except ssl.SSLCertVerificationError:
            return False
        return True

    until(renewed)


def test_a_certificate_that_does_not_fit_leaves_the_old_one(site: TlsSite, tmp_path: Path) -> None:
    shutil.copy(CERTIFICATES / "two.cert.pem", tmp_path / "cert.pem")
    site.reload()
    site.log_until("the old certificate stays")
    site.tls(site.trusting("one")).close()


def test_clients_must_show_a_certificate_where_an_authority_is_set(tmp_path: Path) -> None:
    authority = str(CERTIFICATES / "two.cert.pem")
    with TlsSite(tmp_path, tls=(*put_in(tmp_path, "one"), authority)) as site:
        context = site.trusting()
        with contextlib.suppress(ssl.SSLError, ConnectionError), site.tls(context) as sock:
            assert b"ok" not in ask(sock, "/ok")
        context.load_cert_chain(CERTIFICATES / "two.cert.pem", CERTIFICATES / "two.key.pem")
        with site.tls(context) as sock:
            assert ask(sock, "/ok").endswith(b"ok\n")


def test_what_cannot_be_a_server_is_told_at_start(tmp_path: Path) -> None:
    certificate, key = put_in(tmp_path, "one")
    for tls, message in (
        (Tls("/no/such.pem", key), r"\[server\] certificate: /no/such.pem: No such file"),
        (Tls(certificate, str(CERTIFICATES / "two.key.pem")), "do not fit"),
        (Tls(certificate, key, protocol="TLSv1 TLSv1.1"), "neither TLSv1.2 nor TLSv1.3"),
        (Tls(certificate, key, protocol="TLSv9"), "'TLSv9' is unknown"),
        (Tls(certificate, key, ciphers="NONSENSE"), "names no cipher"),
        (Tls(certificate, key, authority="/no/ca.pem"), "certificate_authority: /no/ca.pem"),
    ):
        with pytest.raises(TlsError, match=message):
            tls.context()


@pytest.mark.parametrize(
    ("protocol", "lowest", "highest"),
    [
        ("", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
        ("ALL -SSLv3 -TLSv1 -TLSv1.1", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
        ("TLSv1.2", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2),
        ("ALL -TLSv1.2", ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3),
    ],
)
def test_protocol_as_radicale_writes_it(
    tmp_path: Path, protocol: str, lowest: ssl.TLSVersion, highest: ssl.TLSVersion
) -> None:
    context = Tls(*put_in(tmp_path, "one"), protocol=protocol).context()
    assert (context.minimum_version, context.maximum_version) == (lowest, highest)


def test_a_unix_socket_speaks_plain_http(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Site(tmp_path, tls=put_in(tmp_path, "one"), hosts=f"unix:{path}") as site:
        assert site.urls == [f"unix:{path}"]
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_all(sock).endswith(b"ok\n")
    assert not path.exists()
