"""HTTP/2 in the clear, with the h2 package on the other side."""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest

from tests.server.conftest import Site, read_all, until


class Client:
    """One connection; collects what comes by stream."""

    def __init__(self, sock: socket.socket, window: int = 65535) -> None:
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="ascii"))
        self.h2.local_settings = h2.settings.Settings(
            initial_values={
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window,
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
            }
        )
        self.h2.initiate_connection()
        self.headers: dict[int, dict[str, str]] = {}
        self.data: dict[int, bytes] = defaultdict(bytes)
        self.ended: set[int] = set()
        self.reset: dict[int, int] = {}
        self.closed = False
        self.acknowledge = True
        self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():  # not even nothing can be sent to who has gone
            self.sock.sendall(data)

    def request(self, method: str, path: str, *, body: bytes | None = None, end: bool = True, **headers: str) -> int:
        number = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "x"), *headers.items()]
        self.h2.send_headers(
            number, [(name.replace("_", "-"), value) for name, value in fields], end_stream=end and body is None
        )
        while body:
            size = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(body))
            if size <= 0:
                self.flush()
                self.read()
                continue
            self.h2.send_data(number, body[:size], end_stream=end and size == len(body))
            body = body[size:]
        self.flush()
        return number

    def read(self) -> None:
        data = self.sock.recv(65536)
        self.closed = not data
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.headers[event.stream_id] = {str(name): str(value) for name, value in event.headers}
            elif isinstance(event, h2.events.DataReceived):
                self.data[event.stream_id] += event.data
                if self.acknowledge:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.reset[event.stream_id] = int(event.error_code)
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.closed = True
        if not self.closed:
            self.flush()

    def finish(self, *numbers: int) -> None:
        while not all(number in self.ended or number in self.reset for number in numbers):
            assert not self.closed
            self.read()


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with site.connect() as sock:
        yield Client(sock)


def test_requests_share_a_connection(client: Client, tmp_path: Path) -> None:
    slow = client.request("GET", f"/hold?until={tmp_path}/end")
    quick = client.request("GET", "/ok")
    put = client.request("PUT", "/echo", body=b"abc", content_length="3")
    client.finish(quick, put)
    assert slow not in client.ended
    (tmp_path / "end").touch()
    client.finish(slow)
    assert {client.headers[number][":status"] for number in (slow, quick, put)} == {"200"}
    assert (client.data[quick], client.data[put]) == (b"ok\n", b"abc")
    assert client.headers[quick]["content-length"] == "3"


def test_the_application_sees_an_ordinary_request(client: Client) -> None:
    number = client.request("REPORT", "/environ?x=1", body=b"<a/>", depth="1")
    client.finish(number)
    facts = json.loads(client.data[number])
    assert facts["REQUEST_METHOD"] == "REPORT"
    assert facts["SERVER_PROTOCOL"] == "HTTP/2.0"
    assert (facts["HTTP_HOST"], facts["HTTP_DEPTH"], facts["CONTENT_LENGTH"]) == ("x", "1", "4")


def test_head(client: Client) -> None:
    number = client.request("HEAD", "/ok")
    client.finish(number)
    assert client.headers[number]["content-length"] == "3"
    assert client.data[number] == b""


def test_large_bodies_both_ways(client: Client) -> None:
    body = bytes(range(256)) * 3900
    number = client.request("PUT", "/echo", body=body)
    client.finish(number)
    assert client.data[number] == body


def test_a_long_answer_waits_for_the_clients_window(site: Site) -> None:
    with site.connect() as sock:
        client = Client(sock)
        client.acknowledge = False
        stalled = client.request("GET", "/stream?n=1000&whose=-window")
        while len(client.data[stalled]) < 65535:
            client.read()
        assert site.counts()["chunks-window"] < 20
        client.h2.reset_stream(stalled, h2.errors.ErrorCodes.CANCEL)
        client.h2.increment_flow_control_window(65535)
        client.flush()
        client.acknowledge = True
        number = client.request("GET", "/ok")
        client.finish(number)
        assert client.data[number] == b"ok\n"


def test_who_takes_an_answer_back_frees_it(site: Site, client: Client) -> None:
    number = client.request("GET", "/stream?n=100000&whose=-taken-back")
    while not client.data[number]:
        client.read()
    client.h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
    client.flush()
    until(lambda: site.counts().get("closed-taken-back") == 1)


@pytest.mark.parametrize("query", ["n=40&broken=1", "n=40&length=5000000"])
def test_an_answer_that_fails_midway_is_reset(client: Client, query: str) -> None:
    number = client.request("GET", f"/stream?{query}")
    client.finish(number)
    assert number in client.reset
    assert number not in client.ended


def test_a_body_that_breaks_off_is_none(site: Site) -> None:
    with site.connect() as sock:
        client = Client(sock)
        client.request("PUT", "/h2-broken", body=b"abc", end=False, content_length="10")
    with site.connect() as sock:
        client = Client(sock)
        client.request("PUT", "/h2-broken", body=b"abc", content_length="10")
        while not client.closed and not client.reset:
            client.read()
    with site.connect() as sock:
        client = Client(sock)
        number = client.request("PUT", "/h2-broken", body=b"abc", end=False)
        client.h2.reset_stream(number)
        client.flush()
        client.finish(client.request("GET", "/ok"))
    assert "PUT /h2-broken" not in site.counts()


def test_limits(client: Client) -> None:
    announced = client.request("PUT", "/echo", body=b"a", end=False, content_length="1000001")
    client.finish(announced)
    assert client.headers[announced][":status"] == "413"
    long = client.request("GET", "/" + "a" * 5000)
    client.finish(long)
    assert client.headers[long][":status"] == "414"


def test_a_body_that_comes_too_slowly_is_408(hasty: Site) -> None:
    with hasty.connect() as sock:
        client = Client(sock)
        slow = client.request("PUT", "/echo", body=b"a", end=False)
        client.finish(slow)
        assert client.headers[slow][":status"] == "408"


def test_who_only_takes_back_is_sent_away(site: Site) -> None:
    """The "rapid reset" of 2023."""
    with site.connect() as sock:
        client = Client(sock)
        try:
            for _ in range(200):
                number = client.request("GET", "/stream?n=100")
                client.h2.reset_stream(number)
                client.flush()
            while not client.closed:
                client.read()
        except OSError:
            pass
    site.log_until("connection dropped")


@pytest.mark.parametrize(
    "octets",
    [b"\x00\x00\x08\x06\x00\x00\x00\x00\x01" + bytes(8), b"\xff" * 100],
    ids=["a ping of a stream", "a frame that never ends"],
)
def test_what_is_no_http_2_is_sent_away(hasty: Site, octets: bytes) -> None:
    with hasty.connect() as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + octets)
        assert read_all(sock).removesuffix(b"<reset>")  # settings and GOAWAY


def test_a_frame_that_is_too_long_is_refused_by_its_head(site: Site) -> None:
    """While a request is open its connection may be silent for long; what it has sent of such a frame is not kept."""
    with site.connect() as sock:
        client = Client(sock)
        number = client.request("PUT", "/echo", end=False)
        last = client.request("GET", "/ok")
        client.finish(last)
        head = b"\xff\xff\xff" + b"\x00\x00" + number.to_bytes(4, "big")  # RFC 9113 §4.1: DATA of 16 MiB
        for octet in head:
            sock.sendall(bytes([octet]))
        goaway = b"\x00\x00\x08\x07\x00" + bytes(4) + last.to_bytes(4, "big")
        code = int(h2.errors.ErrorCodes.FRAME_SIZE_ERROR).to_bytes(4, "big")
        assert goaway + code in read_all(sock)
