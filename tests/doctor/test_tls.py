"""What the doctor says of certificates, of versions of TLS, and of HTTP beside it."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.doctor.conftest import doctor
from tests.doctor.proxy import Fault, Passed, Proxy, certificate, context
from tests.remote.nameserver import NameServer
from tests.server_process import ServerProcess


def tls(folder: Path, calsync: ServerProcess, file: Path, *words: str) -> set[str]:
    with Proxy(calsync.url, tls=context(file)) as proxy:
        return doctor(proxy.address, *words).codes


def test_a_certificate_signed_by_itself_is_named(calsync: ServerProcess, tmp_path: Path) -> None:
    assert tls(tmp_path, calsync, certificate(tmp_path)) == {"self-signed"}


def test_an_expired_certificate_is_named(calsync: ServerProcess, tmp_path: Path) -> None:
    file, old = certificate(tmp_path), tmp_path / "old"
    anew = ["openssl", "x509", "-in", str(file), "-signkey", str(file), "-days", "-1", "-out", str(old)]
    subprocess.run(anew, check=True, capture_output=True)
    expired = tmp_path / "old.pem"
    expired.write_text(old.read_text() + file.with_suffix(".key").read_text())
    assert tls(tmp_path, calsync, expired, "--ca", str(expired)) == {"certificate-expired"}


def test_a_certificate_that_ends_soon_is_named(calsync: ServerProcess, tmp_path: Path) -> None:
    soon = certificate(tmp_path, "-days", "3")
    # of a lifetime of three days a quarter is left until the last hours, so a longer one is needed
    assert tls(tmp_path, calsync, soon, "--ca", str(soon)) == set()


def test_a_certificate_for_another_name_is_named(calsync: ServerProcess, tmp_path: Path) -> None:
    other = certificate(tmp_path, name="dav.example.org")
    assert tls(tmp_path, calsync, other, "--ca", str(other)) == {"certificate-name"}


def test_a_certificate_that_apple_refuses_is_named(calsync: ServerProcess, tmp_path: Path) -> None:
    long = certificate(tmp_path, "-days", "3650")
    assert tls(tmp_path, calsync, long, "--ca", str(long)) >= {"certificate-long"}


def test_an_authority_of_ones_own_is_named(calsync: ServerProcess, tmp_path: Path) -> None:
    authority = certificate(tmp_path, name="Home CA")
    file = certificate(tmp_path, issuer=authority)
    assert tls(tmp_path, calsync, file) <= {"chain", "own-authority"}


def test_https_behind_a_proxy_that_does_not_say_so_is_named(calsync: ServerProcess, tmp_path: Path) -> None:
    file = certificate(tmp_path)

    def downgrades(passed: Passed) -> None:
        if passed.path.startswith("/.well-known/caldav"):
            passed.answer(301, [("Location", "http://localhost:9/")])

    with Proxy(calsync.url, before=downgrades, tls=context(file)) as proxy:
        assert "redirect-downgrade-caldav" in doctor(proxy.address, "--ca", str(file)).codes


def test_the_password_stays_here_where_tls_is_not_believed(calsync: ServerProcess, tmp_path: Path) -> None:
    file = certificate(tmp_path)
    with Proxy(calsync.url, tls=context(file)) as proxy:
        doctor(proxy.address)
        assert proxy.requests == []
        told = doctor(proxy.address, "--insecure", "--client", "ios")
        assert {"check": "iOS, calendars", "level": "ok"}.items() <= told.findings[-2].items()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1])
def test_old_tls_alone_is_named(version: ssl.TLSVersion, calsync: ServerProcess, tmp_path: Path) -> None:
    made = context(certificate(tmp_path))
    made.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        made.minimum_version = version
        made.maximum_version = version
    with Proxy(calsync.url, tls=made) as proxy:
        assert doctor(proxy.address).codes == {"tls-old"}


# --- HTTP beside it ---------------------------------------------------------------------------------------------------


def leads(host: str) -> Fault:
    return lambda passed: passed.answer(301, [("Location", f"https://{host}{passed.path}")])


#: What answers at port 80, the finding's name, and a part of what it says.
PLAIN: tuple[tuple[Fault, str, str], ...] = (
    (lambda _passed: None, "http-open", "in the clear"),
    (leads("dav.example.org"), "", "http leads to https"),
    (leads("www.example.org"), "http-elsewhere", "leads to https://www.example.org/"),
    (lambda passed: passed.page(404), "", "http answers 404"),
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root listens at the ports 80 and 443")
def test_what_port_80_does_is_named(calsync: ServerProcess, tmp_path: Path) -> None:
    file = certificate(tmp_path, name="dav.example.org")
    address = f"127.80.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # where nobody else listens
    with (
        NameServer({"dav.example.org. A": [address]}) as server,
        Proxy(calsync.url, tls=context(file), listen=(address, 443)),
    ):
        words = ("https://dav.example.org/", "--ca", str(file), "--nameserver", f"127.0.0.1:{server.port}")

        def said() -> tuple[str, str]:
            (one,) = [found for found in doctor(*words, user="").findings if found["check"] == "HTTP to HTTPS"]
            return one["code"], one["got"]

        assert said() == ("", "port 80 is closed")
        with Proxy(calsync.url, listen=(address, 80)) as plain:
            for plain.before, wanted, text in PLAIN:
                code, got = said()
                assert code == wanted and text in got, got
        assert plain.requests == ["GET /"] * len(PLAIN)
