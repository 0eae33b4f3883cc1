"""calsync on a unix socket behind each proxy: discovery, a whole sync, odd names, long bodies, long answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import ssl
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from calsync.webdav import reader
from tests import generator
from tests.proxies.proxy import CERTIFICATE, Proxy
from tests.proxies.test_wire import connected, head
from tests.server.conftest import read_until
from tests.server.test_http2 import Client
from tests.server_process import ServerProcess

pytestmark = pytest.mark.timeout(300)

PASSWORD = "correct horse"
MANY = 10_000

#: Names as they stand in a request line.
NAMES = ("a%20b", "100%25", "a+b", "it's%22so%22", "M%C3%BCller", "one;two", "what%3F%23", "a%2526b", "%C3%A4" * 120)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with tempfile.TemporaryDirectory(prefix="calsync-behind-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # proxies are other users
        server = ServerProcess(folder / "s", config_text=f"[server]\nhosts = unix:{folder}/socket\n")
        with server:
            (folder / "socket").chmod(0o666)
            for name in ("anna", "ben"):
                server.add_user(name, PASSWORD)
            yield server


@pytest.fixture(scope="module")
def upstream(server: ServerProcess) -> str:
    return server.url


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def hrefs(self) -> list[str]:
        assert self.status == 207, (self.status, self.body[:300])
        return [one.href for one in reader.read(self.body).responses]


@dataclass
class Device:
    """Requests as anna, over one address."""

    proxy: Proxy
    prefix: str
    trusting: ssl.SSLContext
    login: str = f"anna:{PASSWORD}"

    @property
    def base(self) -> str:
        return self.proxy.base(self.prefix)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """`path` is below the prefix, or beside it with two slashes."""
        port = self.proxy.site_port if self.prefix else self.proxy.root_port
        connection = http.client.HTTPSConnection("localhost", port, context=self.trusting, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.login:
            sent["Authorization"] = f"Basic {b64encode(self.login.encode()).decode()}"
        try:
            path = path[1:] if path.startswith("//") else self.prefix + path
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


@pytest.fixture
def device(proxy: Proxy, prefix: str, trusting: ssl.SSLContext) -> Device:
    return Device(proxy, prefix, trusting)


WHO = b'<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'
QUERY = (
    b'<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data/></prop>'
    b'<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)


def event(uid: str, text: str = "") -> bytes:
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART:20260105T100000Z\r\nSUMMARY:s{text}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def test_it_is_found(device: Device, kind: type[Proxy]) -> None:
    """The redirect stays with HTTPS, the name and the port; the wrong password and health are told apart."""
    for name, place in (("caldav", "/"), ("carddav", "/"), ("timezone", "/.calsync/timezones")):
        for slash in ("", "/"):
            found = device.ask("PROPFIND", f"//.well-known/{name}{slash}")
            assert (found.status, found.headers["Location"]) == (301, f"{device.prefix}{place}")
    answer = device.ask("PROPFIND", "/", WHO, Depth="0")
    assert answer.hrefs == [f"{device.prefix}/"]
    assert f"href>{device.prefix}/anna/</".encode() in answer.body
    assert device.ask("GET", "/").headers["Location"] == f"{device.prefix}/.calsync/"
    flow = json.loads(device.ask("POST", "/index.php/login/v2").body)
    assert flow["login"].startswith(f"{device.base}/.calsync/")
    device.login = "anna:wrong"
    refused = device.ask("PROPFIND", "/", Depth="0")
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
    for name in ("health", "ready"):
        assert device.ask("GET", f"/.calsync/{name}").status == 404


def test_odd_names_conditions_and_moves(device: Device) -> None:
    home = "/anna/calendar"
    for number, name in enumerate(NAMES):
        path = f"{home}/{name}.ics"
        made = device.ask("PUT", path, event(f"odd{number}"), If_None_Match="*")
        assert made.status == 201, (name, made.body)
        etag = made.headers["ETag"]
        assert etag.startswith('"')
        assert device.ask("GET", path, If_None_Match=etag).status == 304
        assert device.ask("PUT", path, event(f"odd{number}", "2"), If_None_Match="*").status == 412
        (href,) = device.ask("PROPFIND", path, Depth="0").hrefs
        listed = device.ask("GET", f"/{href}")
        assert listed.body == event(f"odd{number}"), name
        moved = device.ask(
            "MOVE", path, Destination=f"{device.base}{home}/moved{number}%20{name}.ics", If_Match=etag, Overwrite="F"
        )
        assert moved.status == 201, (name, moved.body)
        assert device.ask("DELETE", f"{home}/moved{number}%20{name}.ics", If_Match=etag).status in (200, 204)


def test_a_large_body_and_one_that_is_too_large(device: Device) -> None:
    text = "x" * 70 + "\r\n "
    large = event("large", "\r\nDESCRIPTION:" + text * (8_000_000 // len(text)))
    made = device.ask("PUT", "/anna/calendar/large.ics", large)
    assert made.status == 201, made.body
    assert len(device.ask("GET", "/anna/calendar/large.ics").body) > 7_900_000
    assert device.ask("DELETE", "/anna/calendar/large.ics").status in (200, 204)


def test_a_body_that_is_too_large_is_refused_before_it_is_there(device: Device) -> None:
    """A proxy may pass on some of it before it hears the answer."""
    line, sent = f"PUT {device.prefix}/anna/calendar/larger.ics", 0
    with connected(device.proxy, device.prefix, device.trusting) as sock:
        sock.sendall(head(device.proxy, device.prefix, line, Content_Length="200000000"))
        while sent < 200_000_000 and not select.select([sock], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                sock.sendall(b"x" * 65536)
            sent += 65536
        assert b" 413 " in read_until(sock, b"\r\n")
    assert sent < 100_000_000


@pytest.fixture(scope="module")
def many(server: ServerProcess, proxy: Proxy, trusting: ssl.SSLContext) -> str:
    """A calendar that is long to list."""
    device = Device(proxy, "", trusting)
    items = b"".join(event(f"m{number}").partition(b"VERSION:2.0\r\n")[2][17:-15] for number in range(MANY))
    whole = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n" + items + b"END:VCALENDAR\r\n"
    if device.ask("PROPFIND", "/anna/many/", Depth="0").status == 404:
        assert device.ask("PUT", "/anna/many/", whole, Content_Type="text/calendar").status == 201
    return "/anna/many/"


def test_a_long_listing_comes_in_pieces_and_whole(device: Device, many: str) -> None:
    answer = device.ask("PROPFIND", many, Depth="1", Accept_Encoding="identity")
    assert answer.headers["Content-Length"] is None
    assert len(answer.hrefs) == MANY + 1
    packed = device.ask("PROPFIND", many, Depth="1", Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.body[:2] == b"\x1f\x8b"


def test_http_2(device: Device) -> None:
    device.trusting.set_alpn_protocols(["h2"])
    port = device.proxy.site_port if device.prefix else device.proxy.root_port
    try:
        sock = device.trusting.wrap_socket(
            socket.create_connection(("127.0.0.1", port), 60), server_hostname="localhost"
        )
    finally:
        device.trusting.set_alpn_protocols(["http/1.1"])
    with sock:
        assert sock.selected_alpn_protocol() == "h2"
        client = Client(sock)
        number = client.h2.get_next_available_stream_id()
        client.h2.send_headers(
            number,
            [
                (":method", "PROPFIND"),
                (":path", f"{device.prefix}/anna/calendar/"),
                (":scheme", "https"),
                (":authority", f"localhost:{port}"),
                ("authorization", f"Basic {b64encode(device.login.encode()).decode()}"),
                ("depth", "0"),
            ],
            end_stream=True,
        )
        client.flush()
        client.finish(number)
        assert client.headers[number][":status"] == "207"
        assert f"href>{device.prefix}/anna/calendar/</".encode() in client.data[number]


def test_the_doctor_finds_nothing(device: Device, server: ServerProcess) -> None:
    """All five clients, writing too. The certificate of these tests is valid for longer than iPhones like."""
    url = f"{device.base}/"
    done = server.command(
        "doctor", url, "--user", "ben", "--password-file", "-", "--ca", str(CERTIFICATE), "--write", "--json",
        input=f"{PASSWORD}\n",
    )  # fmt: skip
    findings = json.loads(done.stdout)["findings"]
    assert [one["got"] for one in findings if one["level"] != "ok"] == ["it is valid for 36500 days"]
    assert len(findings) > 20


def test_vdirsyncer_syncs_both_ways(device: Device, tmp_path: Path) -> None:
    """As a person would set it up: with the address of the host, and no path."""
    url = device.base.removesuffix(device.prefix) + "/"
    lines = ['[general]\nstatus_path = "status"\n']
    for kind, collection, ending, folder in (
        ("caldav", "calendar", "ics", "events"),
        ("carddav", "contacts", "vcf", "cards"),
    ):
        lines.append(
            f'[pair {kind}]\na = "{kind}_here"\nb = "{kind}_there"\ncollections = ["{collection}"]\n'
            f'conflict_resolution = "b wins"\n'
            f'[storage {kind}_here]\ntype = "filesystem"\npath = "{folder}"\nfileext = ".{ending}"\n'
            f'[storage {kind}_there]\ntype = "{kind}"\nurl = "{url}"\nusername = "anna"\npassword = "{PASSWORD}"\n'
            f'verify = "{CERTIFICATE}"\n'
        )
    (tmp_path / "config").write_text("\n".join(lines))
    here = tmp_path / "events" / "calendar"
    here.mkdir(parents=True)
    own = event(f"{type(device.proxy).__name__}-{len(device.prefix)}")
    (here / "own.ics").write_bytes(own)
    assert device.ask("PUT", "/anna/calendar/theirs.ics", event("theirs")).status in (201, 204)
    card = next(iter(generator.contacts(1)))
    assert device.ask("PUT", f"/anna/contacts/{card.href}", card.octets).status in (201, 204)
    program = [str(Path(sys.executable).parent / "vdirsyncer"), "-c", "config"]
    for command in (["discover"], ["sync"]):
        done = subprocess.run(
            [*program, *command],
            input="y\n" * 9,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert {b"theirs" in path.read_bytes() for path in here.glob("*.ics")} == {True, False}
    assert [path.read_bytes() for path in (tmp_path / "cards" / "contacts").glob("*.vcf")] == [card.octets]
    listed = device.ask("REPORT", "/anna/calendar/", QUERY, Depth="1").body
    assert own.split(b"\r\n")[4] in listed
