"""What the doctor says of healthy servers, and of those that something stands before."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace
from urllib.request import parse_http_list, parse_keqv_list

import pytest

from calsync.doctor.outside import exchange
from tests.doctor.conftest import EVENT, PASSWORD, doctor
from tests.doctor.proxy import Fault, Passed, Proxy, certificate, compress, context
from tests.remote.nameserver import NameServer
from tests.remote.servers import radicale, xandikos
from tests.server_process import ServerProcess

pytestmark = pytest.mark.timeout(300)

CLIENTS = ("iOS", "macOS", "DAVx5", "Thunderbird", "Evolution")


# --- all is well ------------------------------------------------------------------------------------------------------


def test_a_healthy_calsync_has_no_warning_and_every_client_syncs(calsync: ServerProcess) -> None:
    told = doctor(calsync.url, "--write")
    assert told.codes == set(), told.levels("problem") + told.levels("warning")
    assert told.status == 0
    for client in CLIENTS:
        for kind in ("calendars", "contacts"):
            (one,) = [found for found in told.findings if found["check"] == f"{client}, {kind}"]
            assert "1 object fetched" in one["got"], one


def test_stock_radicale_has_no_warning(tmp_path: Path) -> None:
    with radicale(tmp_path) as source:
        source.put(f"{source.calendars}/one.ics", EVENT.encode())
        told = doctor(source.url, "--write")
    assert told.codes == set(), told.levels("problem") + told.levels("warning")


def test_xandikos_lets_every_client_in(tmp_path: Path) -> None:
    with xandikos(tmp_path) as source:
        told = doctor(source.url)
    assert not [one for one in told.levels("problem") if one["topic"] == "Clients"]


def test_a_proxy_with_tls_that_is_believed_is_well(calsync: ServerProcess, tmp_path: Path) -> None:
    file = certificate(tmp_path)

    def told_of_tls(passed: Passed) -> None:
        passed.headers += [("X-Forwarded-Proto", "https")]

    with Proxy(calsync.url, before=told_of_tls, tls=context(file)) as proxy:
        told = doctor(proxy.address, "--ca", str(file))
    assert told.codes == set(), told.levels("problem") + told.levels("warning")
    assert told.status == 0


# --- what stands before it --------------------------------------------------------------------------------------------


def strips_authorization(passed: Passed) -> None:
    passed.drop("authorization")


def hides_the_challenge(passed: Passed) -> None:
    passed.drop("www-authenticate")


def drops_well_known(passed: Passed) -> None:
    if passed.path.startswith("/.well-known"):
        passed.page(404)


def drops_the_root_too(passed: Passed) -> None:
    drops_well_known(passed)
    if passed.path == "/":
        passed.page(404)


def redirects_round(passed: Passed) -> None:
    if passed.path.startswith("/.well-known/caldav"):
        passed.answer(301, [("Location", passed.path.rstrip("/") + ("" if passed.path.endswith("/") else "/"))])


def turns_into_get(passed: Passed) -> None:
    if passed.path.startswith("/.well-known/caldav"):
        passed.answer(303, [("Location", "/")])


def leads_elsewhere(passed: Passed) -> None:
    if passed.path.startswith("/.well-known/caldav"):
        passed.answer(301, [("Location", "http://127.0.0.1:9/")])


def refuses(*methods: str) -> Fault:
    def fault(passed: Passed) -> None:
        if passed.method in methods:
            passed.page(405)

    return fault


def answers_options(passed: Passed) -> None:
    if passed.method == "OPTIONS":
        passed.answer(204, [("Access-Control-Allow-Origin", "*")])


def takes_little(passed: Passed) -> None:
    if len(passed.body) > 10_000:
        passed.page(413)


def takes_a_megabyte(passed: Passed) -> None:
    if len(passed.body) > 1 << 20:
        passed.page(413)


def cuts(passed: Passed) -> None:
    passed.cut = passed.method == "REPORT"


def sets_cookies(passed: Passed) -> None:
    passed.headers.append(("Set-Cookie", "SERVERID=a; path=/"))


def drops_etags(passed: Passed) -> None:
    passed.drop("etag")


def marks_etags(passed: Passed) -> None:
    passed.replace("etag", lambda etag: f'{etag[:-1]}-gzip"')


def forgets_conditions(passed: Passed) -> None:
    passed.drop("if-match")


def is_in_the_past(passed: Passed) -> None:
    passed.replace("date", lambda _: "Wed, 01 Jan 2020 00:00:00 GMT")


def is_gone(passed: Passed) -> None:
    passed.page(502)


def loses_the_prefix(passed: Passed) -> None:
    passed.path = passed.path.removeprefix("/dav") or "/"


BEFORE: dict[str, tuple[Fault, set[str]]] = {
    "authorization stripped": (strips_authorization, {"authorization-lost"}),
    "no well-known": (drops_well_known, {"well-known-caldav", "well-known-carddav"}),
    "a loop": (redirects_round, {"redirect-loop-caldav"}),
    "303": (turns_into_get, {"redirect-method-caldav"}),
    "no PROPFIND": (refuses("PROPFIND"), {"propfind", "well-known-caldav", "well-known-carddav"}),
    "no REPORT": (refuses("REPORT"), {"method", "client-multiget", "client-report"}),
    "no MKCALENDAR": (refuses("MKCALENDAR"), {"method"}),
    "OPTIONS answered": (answers_options, {"options", "client-options"}),
    "bodies of 10 kB": (takes_little, {"size"}),
    "server away": (is_gone, {"server-error"}),
}
AFTER: dict[str, tuple[Fault, set[str]]] = {
    "no challenge": (hides_the_challenge, {"no-challenge"}),
    "weak ETags": (compress, {"etag"}),
    "ETags marked": (marks_etags, {"etag"}),
    "no ETags": (drops_etags, {"etag"}),
    "cut answers": (cuts, {"client-report", "client-multiget"}),
    "another time": (is_in_the_past, {"clock"}),
}


@pytest.mark.parametrize("name", BEFORE)
def test_what_a_proxy_does_to_requests_is_named(name: str, calsync: ServerProcess) -> None:
    fault, wanted = BEFORE[name]
    with Proxy(calsync.url, before=fault) as proxy:
        told = doctor(proxy.address)
    assert told.codes == wanted, told.findings
    assert told.status in (1, 3)


@pytest.mark.parametrize("name", AFTER)
def test_what_a_proxy_does_to_answers_is_named(name: str, calsync: ServerProcess) -> None:
    fault, wanted = AFTER[name]
    with Proxy(calsync.url, after=fault) as proxy:
        told = doctor(proxy.address)
    assert told.codes == wanted, told.findings


def test_cookies_are_worth_a_note(calsync: ServerProcess) -> None:
    with Proxy(calsync.url, after=sets_cookies) as proxy:
        told = doctor(proxy.address)
    assert "cookie" in {one["code"] for one in told.levels("note")}


def test_a_large_answer_that_is_held_back_is_worth_a_note(
    calsync: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    large: list[str] = []
    passed_by = [0.0]  # on the doctor's clock, which goes on where the answer is held back alone
    monkeypatch.setattr(exchange, "time", SimpleNamespace(monotonic=lambda: passed_by[0]))

    def asked(passed: Passed) -> None:
        if not large and b"calendar-query" in passed.body and "DAVx5" in str(passed.headers):
            large.append(passed.path)

    def holds_back(passed: Passed) -> None:
        if large and passed.status == 207:
            passed.body += b"\n" * (1 << 20)
            passed_by[0] += 2.1
            proxy.after = lambda _passed: None
            proxy.before = lambda _passed: None

    with Proxy(calsync.url, before=asked, after=holds_back) as proxy:
        told = doctor(proxy.address, "--client", "davx5")
    assert [one["check"] for one in told.levels("note") if one["code"] == "buffered"] == ["DAVx5, calendars"]


def test_a_prefix_that_gets_lost_is_named(calsync: ServerProcess) -> None:
    with Proxy(calsync.url, before=loses_the_prefix, prefix="/dav") as proxy:
        assert "prefix" in doctor(proxy.address).codes


def test_a_prefix_that_is_told_is_well(calsync: ServerProcess) -> None:
    def with_prefix(passed: Passed) -> None:
        if passed.path.startswith("/dav"):
            loses_the_prefix(passed)
            passed.headers.append(("X-Script-Name", "/dav"))
        elif passed.path.startswith("/.well-known"):
            passed.answer(301, [("Location", "/dav/")])
        else:
            passed.page(404)

    with Proxy(calsync.url, before=with_prefix, prefix="/dav") as proxy:
        told = doctor(proxy.address)
    assert told.codes == set(), told.levels("problem") + told.levels("warning")


def test_what_hurts_only_writers_is_found_by_write(calsync: ServerProcess) -> None:
    for fault, wanted in ((takes_a_megabyte, "put-large"), (forgets_conditions, "if-match")):
        with Proxy(calsync.url, before=fault) as proxy:
            told = doctor(proxy.address, "--write", "--client", "ios")
            assert wanted in told.codes, told.findings
            assert told.codes <= {wanted, "change"}
            assert any(one.startswith("DELETE") for one in proxy.requests)


def test_nothing_is_written_unasked(calsync: ServerProcess) -> None:
    with Proxy(calsync.url) as proxy:
        doctor(proxy.address)
        assert {one.partition(" ")[0] for one in proxy.requests} <= {
            *("GET", "OPTIONS", "PROPFIND", "REPORT"),
            *("PROPPATCH", "MKCALENDAR"),  # of the root, which no server makes or changes
        }


def test_a_wrong_password_is_called_that(calsync: ServerProcess) -> None:
    told = doctor(calsync.url, password="wrong")
    assert told.codes == {"401"}


def test_digest_is_spoken_where_the_server_wants_it(calsync: ServerProcess) -> None:
    def wants_digest(passed: Passed) -> None:
        if passed.path.startswith("/.calsync"):
            passed.page(404)  # another server than ours
        given = dict(passed.headers).get("Authorization", "")
        if not passed.status and not _is_digest(given, passed.method):
            passed.answer(401, [("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5')])
        passed.replace("authorization", lambda _: "Basic " + b64encode(f"anna:{PASSWORD}".encode()).decode())

    with Proxy(calsync.url, before=wants_digest) as proxy:
        told = doctor(proxy.address, "--client", "ios")
        assert told.codes == set(), told.levels("problem") + told.levels("warning")
        assert doctor(proxy.address, "--client", "ios", password="wrong").codes == {"401"}


def _is_digest(given: str, method: str) -> bool:
    """Whether the response is right (RFC 7616 §3.4.1)."""
    said = parse_keqv_list(parse_http_list(given.partition(" ")[2])) if given.startswith("Digest ") else {}

    def md5(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    if not said:
        return False
    secret, asked = md5("anna", "r", PASSWORD), md5(method, said["uri"])
    return said["response"] == md5(secret, "n", said["nc"], said["cnonce"], "auth", asked)


# --- nobody there -----------------------------------------------------------------------------------------------------


def test_a_port_with_nobody_behind_it_is_named() -> None:
    told = doctor("http://127.0.0.1:9/")
    assert told.codes == {"unreachable"} and told.status == 1


def test_a_password_in_the_address_is_refused() -> None:
    told = doctor("https://anna:secret@dav.example.org/")
    assert told.status == 2 and "secret" not in told.error


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "calsync", "doctor", *words]
    return subprocess.run(command, input=PASSWORD + "\n", capture_output=True, text=True, timeout=100, check=False)


def test_the_requests_are_shown_without_the_password(calsync: ServerProcess) -> None:
    done = run(calsync.url, "--user", "anna", "--password-file", "-", "--verbose", "--client", "davx5")
    assert "> PROPFIND" in done.stderr and "< 207 Multi-Status" in done.stderr
    assert "Authorization: Basic …" in done.stderr
    assert PASSWORD not in done.stderr and "YW5uYTpjb3JyZWN0" not in done.stderr
    assert "\x1b" not in done.stdout and "All is well" in done.stdout


# --- DNS --------------------------------------------------------------------------------------------------------------


def test_an_address_leads_to_its_server_by_srv_and_txt(calsync: ServerProcess, tmp_path: Path) -> None:
    file = certificate(tmp_path, name="dav.example.org")
    with Proxy(calsync.url, tls=context(file)) as proxy:
        records = {
            "_caldavs._tcp.example.org. SRV": [f"0 1 {proxy.port} dav.example.org."],
            "_carddavs._tcp.example.org. SRV": [f"0 1 {proxy.port} dav.example.org."],
            "dav.example.org. A": ["127.0.0.1"],
        }  # fmt: skip
        with NameServer(records) as server:
            told = doctor("anna@example.org", "--nameserver", f"127.0.0.1:{server.port}", "--ca", str(file))
    assert told.codes == set(), told.levels("problem") + told.levels("warning")
    assert any(f"dav.example.org:{proxy.port}" in one["got"] for one in told.findings)


def test_dead_addresses_and_targets_are_named(calsync: ServerProcess) -> None:
    records = {
        "_caldavs._tcp.example.org. SRV": ["0 1 443 gone.example.org."],
        "two.example.org. A": ["127.0.0.1", "127.0.0.99"],
    }
    port = calsync.address[1]
    with NameServer(records) as server:
        asked = ("--nameserver", f"127.0.0.1:{server.port}")
        assert {"srv-target-caldav", "no-address"} <= doctor("example.org", *asked).codes
        told = doctor(f"http://two.example.org:{port}/", *asked)
    assert "dead-address" in told.codes
