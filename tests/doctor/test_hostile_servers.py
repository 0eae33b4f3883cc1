"""Servers that mean harm to who looks at them: nothing hangs, nothing fills the memory, the terminal is left alone."""

from __future__ import annotations

import gzip
import io
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from calsync.cli.main import main
from calsync.doctor.outside.exchange import LARGEST
from calsync.doctor.outside.http_client import HttpClient
from calsync.doctor.outside.reply import Unreachable
from tests.doctor.conftest import PASSWORD, doctor
from tests.doctor.proxy import Passed, Proxy, certificate, context
from tests.dripping import DRIPPED, dripping
from tests.remote.nameserver import NameServer
from tests.server_process import ServerProcess


@pytest.mark.parametrize("what", DRIPPED)
def test_who_sends_a_little_all_the_time_is_given_up(what: str) -> None:
    with dripping(what, 0.01) as url, closing(HttpClient(seconds=0.05)) as client:
        try:
            reply = client.ask("GET", url)
        except Unreachable:
            pass
        else:
            assert not reply.whole or not reply.body


def test_a_little_that_unpacks_into_very_much_is_not_unpacked(calsync: ServerProcess) -> None:
    packed = gzip.compress(bytes(4 * LARGEST))

    def bomb(passed: Passed) -> None:
        passed.answer(207, [("Content-Encoding", "gzip")], packed)

    with Proxy(calsync.url, after=bomb) as proxy:
        client = HttpClient()
        reply = client.ask("GET", proxy.address)
        client.close()
    assert (len(reply.body), reply.whole) == (LARGEST, False)


def test_answers_do_not_control_the_terminal(calsync: ServerProcess, tmp_path: Path) -> None:
    def paint(passed: Passed) -> None:
        if passed.status == 401:
            passed.drop("www-authenticate")
            passed.headers.append(("WWW-Authenticate", 'Basic realm="\x1b]0;evil\x07\x9b2J"'))
        passed.headers.append(("X-Evil", "\x1b[2J"))

    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    words = ["doctor", "--user", "anna", "--password-file", str(secret), "--client", "ios"]
    with Proxy(calsync.url, after=paint) as proxy:
        for more in ([], ["--verbose"], ["--json"]):
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                main([*words, *more, proxy.address])
            assert "evil" in out.getvalue()
            assert not set("\x1b\x07\x9b") & set(out.getvalue() + err.getvalue())
            assert PASSWORD not in out.getvalue() + err.getvalue()


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/", "http://[", "http://127.0.0.1:99999/", "http:///", "\xff"])
def test_a_redirect_to_nowhere_is_a_finding(target: str, calsync: ServerProcess) -> None:
    def lead(passed: Passed) -> None:
        passed.answer(301, [("Location", target)])

    with Proxy(calsync.url, before=lead) as proxy:
        assert doctor(proxy.address).status == 1


def test_dns_alone_does_not_lead_the_password_to_another_domain(calsync: ServerProcess, tmp_path: Path) -> None:
    file = certificate(tmp_path, name="dav.example.net")
    logins: list[str] = []

    def listen(passed: Passed) -> None:
        logins.extend(value for name, value in passed.headers if name.lower() == "authorization")

    with Proxy(calsync.url, before=listen, tls=context(file)) as proxy:
        records = {
            "_caldavs._tcp.example.org. SRV": [f"0 1 {proxy.port} dav.example.net."],
            "dav.example.net. A": ["127.0.0.1"],
        }
        with NameServer(records) as server:
            told = doctor("anna@example.org", "--nameserver", f"127.0.0.1:{server.port}", "--ca", str(file))
    assert "other-domain" in {one["code"] for one in told.findings}
    assert proxy.requests
    assert logins == []
