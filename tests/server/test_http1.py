"""HTTP/1.1 on the wire: raw sockets on loopback."""

from __future__ import annotations

import itertools
import json
import re
import select
import socket
import time
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.conftest import Site, read_all, read_until, until

HOST = b"Host: x\r\n"
CLOSE = b"Host: x\r\nConnection: close\r\n\r\n"


def status(answer: bytes) -> int:
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    assert match is not None, answer[:200]
    return int(match[1])


def head_and_body(answer: bytes) -> tuple[bytes, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def test_a_connection_serves_one_request_after_the_other(site: Site) -> None:
    with site.connect() as sock:
        for _ in range(3):
            sock.sendall(b"GET /ok HTTP/1.1\r\n" + HOST + b"\r\n")
            assert read_until(sock, b"ok\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_sent_ahead_are_answered_in_order(site: Site) -> None:
    one = b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%s"
    answer = site.talk(one % b"one" + one % b"two" + b"GET /ok HTTP/1.1\r\n" + CLOSE)
    assert re.findall(rb"\r\n\r\n(one|two|ok)", answer) == [b"one", b"two", b"ok"]


def test_requests_sent_ahead_in_several_pieces(site: Site) -> None:
    one = b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%s"
    with site.connect() as sock:
        sock.sendall(b"GET /sleep?s=0.3 HTTP/1.1\r\n" + HOST + b"\r\n" + (one % b"two")[:30])
        time.sleep(0.1)
        sock.sendall((one % b"two")[30:] + b"GET /ok HTTP/1.1\r\n" + CLOSE)
        assert re.findall(rb"\r\n\r\n(ok|two)", read_all(sock)) == [b"ok", b"two", b"ok"]


def test_head_has_the_length_and_no_body(site: Site) -> None:
    head, body = head_and_body(site.talk(b"HEAD /ok HTTP/1.1\r\n" + CLOSE))
    assert b"Content-Length: 3" in head
    assert body == b""


@pytest.mark.parametrize("code", [b"204 No Content", b"304 Not Modified"])
def test_statuses_without_a_body(site: Site, code: bytes) -> None:
    head, body = head_and_body(site.talk(b"GET /ok?status=" + code.replace(b" ", b"+") + b" HTTP/1.1\r\n" + CLOSE))
    assert code in head
    assert b"Content-Length" not in head
    assert b"Transfer-Encoding" not in head
    assert body == b""


def test_a_short_answer_has_a_length_and_a_date(site: Site) -> None:
    head, body = head_and_body(site.talk(b"GET /stream?n=1 HTTP/1.1\r\n" + CLOSE))
    assert b"Content-Length: 32768" in head
    assert re.search(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", head)
    assert len(body) == 32768


def test_a_long_answer_is_chunked_and_ends_with_the_last_chunk(site: Site) -> None:
    head, body = head_and_body(site.talk(b"GET /stream?n=40 HTTP/1.1\r\n" + CLOSE))
    assert b"Transfer-Encoding: chunked" in head
    assert body.endswith(b"\r\n0\r\n\r\n")
    assert body.count(b"x") == 40 * 32768


def test_a_chunked_body_arrives_whole(site: Site) -> None:
    answer = site.talk(
        b"PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n",
        b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n",
    )
    assert head_and_body(answer)[1] == b"abcdefg"


def test_a_large_body_goes_through_a_file(site: Site) -> None:
    body = bytes(range(256)) * 3900
    answer = site.talk(b"PUT /echo HTTP/1.1\r\nContent-Length: %d\r\n" % len(body) + CLOSE + body)
    assert head_and_body(answer)[1] == body


@pytest.mark.parametrize(
    "request_",
    [
        b"PUT /broken-off HTTP/1.1\r\nContent-Length: 10\r\n" + HOST + b"\r\nabc",
        b"PUT /broken-off HTTP/1.1\r\nContent-Length: 10\r\n" + HOST + b"\r\n",
        b"PUT /broken-off HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n3\r\nabc\r\n",
        b"PUT /broken-off HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n3\r\nabc\r\nzz\r\n",
        b"PUT /broken-off HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n3\r\nabc\r\n0\r\n",
    ],
)
def test_a_body_that_breaks_off_is_400_and_nothing_is_done(site: Site, request_: bytes) -> None:
    assert status(site.talk(request_)) == 400
    with site.connect() as sock:  # and the same when the client just goes
        sock.sendall(request_)
    time.sleep(0.05)
    assert "PUT /broken-off" not in site.counts()


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"PUT /bad HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n0\r\n\r\n", 400),
        (b"PUT /bad HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n" + HOST + b"\r\nabcd", 400),
        (b"PUT /bad HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" + HOST + b"\r\n", 400),
        (b"GET /bad HTTP/1.1\r\n\r\n", 400),
        (b"GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /bad HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /b ad HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET bad HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"CONNECT bad:1 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /bad HTTP/1.1\r\nX: a\x00b\r\n" + HOST + b"\r\n", 400),
        (b"GET /bad HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"BREW /bad HTTP/1.1\r\n" + HOST + b"\r\n", 501),
        (b"GET /bad HTTP/1.1\r\nExpect: miracles\r\n" + HOST + b"\r\n", 417),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /bad HTTP/1.1\r\nX: " + b"a" * 20000, 431),
        (b"GET /bad HTTP/1.1\r\n" + b"X: y\r\n" * 300 + HOST + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 501),
    ],
)
def test_what_is_no_request_is_refused_before_the_application(site: Site, request_: bytes, expected: int) -> None:
    assert status(site.talk(request_, end=False)) == expected
    assert not [name for name in site.counts() if name.endswith("/bad")]


def test_a_body_over_the_limit_is_refused_before_it_is_sent(site: Site) -> None:
    request = b"PUT /large HTTP/1.1\r\nContent-Length: 1000001\r\nExpect: 100-continue\r\n" + HOST + b"\r\n"
    assert status(site.talk(request, end=False)) == 413


def test_a_chunked_body_over_the_limit_is_refused_on_its_way(site: Site) -> None:
    head = b"PUT /large HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n"
    assert (
        status(site.talk(head, b"186a0\r\n" + b"x" * 100000 + b"\r\n", *[b"186a0\r\n" + b"x" * 100000 + b"\r\n"] * 10))
        == 413
    )
    assert "PUT /large" not in site.counts()


def test_continue_is_said_to_who_waits_for_it(site: Site) -> None:
    with site.connect() as sock:
        sock.sendall(b"PUT /echo HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n" + CLOSE)
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert read_all(sock).endswith(b"\r\n\r\nabc")


def test_who_is_too_slow_is_let_go(hasty: Site) -> None:
    with ExitStack() as stack:

        def begin(octets: bytes) -> socket.socket:
            sock = stack.enter_context(hasty.connect())
            sock.sendall(octets)
            return sock

        slow = [
            begin(b"PUT /slow HTTP/1.1\r\nContent-Length: 10\r\n" + HOST + b"\r\nabc"),
            begin(b"PUT /slow HTTP/1.1\r\nContent-Length: 10\r\n" + HOST + b"\r\n"),
            begin(b"PUT /slow HTTP/1.1\r\nHost: x\r\n"),
        ]
        silent = [begin(b""), begin(b"P")]
        idle = begin(b"GET /ok HTTP/1.1\r\n" + HOST + b"\r\n")
        assert [status(read_all(sock)) for sock in slow] == [408] * 3
        assert [read_all(sock) for sock in silent] == [b""] * 2
        answer = read_all(idle)
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\nok\n")
    assert "PUT /slow" not in hasty.counts()


def test_who_half_closes_gets_the_answer(site: Site) -> None:
    assert site.talk(b"GET /sleep?s=0.2 HTTP/1.1\r\n" + HOST + b"\r\n").endswith(b"ok\n")


def test_http_1_0(site: Site) -> None:
    head, body = head_and_body(site.talk(b"GET /ok HTTP/1.0\r\n\r\n", end=False))
    assert b"Connection: close" in head
    assert body == b"ok\n"
    head, body = head_and_body(site.talk(b"GET /stream?n=40 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", end=False))
    assert b"chunked" not in head
    assert len(body) == 40 * 32768


def test_http_1_0_keeps_alive_where_the_length_is_known(site: Site) -> None:
    with site.connect() as sock:
        for _ in range(2):
            sock.sendall(b"GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert b"Connection: keep-alive" in read_until(sock, b"ok\n")


@pytest.mark.parametrize("query", [b"n=40&broken=1", b"n=40&length=5000000", b"n=40&length=5000"])
def test_an_answer_that_fails_midway_does_not_look_whole(site: Site, query: bytes) -> None:
    with site.connect() as sock:
        sock.sendall(b"GET /stream?" + query + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = read_all(sock)
    head, body = head_and_body(answer)
    assert not body.endswith(b"0\r\n\r\n")
    announced = re.search(rb"Content-Length: (\d+)", head)
    if announced:
        assert body.count(b"x") < int(announced[1])
    assert answer.endswith(b"<reset>")


def test_to_an_old_client_a_broken_answer_ends_in_a_reset(site: Site) -> None:
    assert site.talk(b"GET /stream?n=40&broken=1 HTTP/1.0\r\n\r\n").endswith(b"<reset>")


def test_a_failure_before_the_first_octet_is_a_500(site: Site) -> None:
    with site.connect() as sock:
        for path in (b"/raise", b"/split", b"/stream?n=1&broken=1"):
            sock.sendall(b"GET %s HTTP/1.1\r\n%s\r\n" % (path, HOST))
            answer = read_until(sock, b"Error\n")
            assert status(answer) == 500
            assert b"Injected" not in answer
            assert b"purpose" not in answer


def test_the_iterator_is_always_closed(site: Site) -> None:
    site.talk(b"GET /stream?n=2&whose=-three HTTP/1.1\r\n" + CLOSE)
    site.talk(b"GET /stream?n=20&broken=1&whose=-three HTTP/1.1\r\n" + CLOSE)
    with site.connect(4096) as sock:
        sock.sendall(b"GET /stream?n=1000000&whose=-three HTTP/1.1\r\n" + HOST + b"\r\n")
        read_until(sock, b"xxx")
    until(lambda: site.counts().get("closed-three") == 3)


def test_a_held_back_answer_holds_no_thread(site: Site) -> None:
    with ExitStack() as stack:
        waiting = [stack.enter_context(site.connect()) for _ in range(10)]
        for sock in waiting:
            sock.sendall(b"GET /delay?s=30&status=401+Unauthorized HTTP/1.1\r\n" + HOST + b"\r\n")
        until(lambda: site.counts().get("GET /delay") == 10)
        first, second = (stack.enter_context(site.connect()) for _ in range(2))
        first.sendall(b"GET /delay?s=0.1&status=401+Unauthorized HTTP/1.1\r\n" + HOST + b"\r\n")
        assert status(read_until(first, b"ok\n")) == 401
        second.sendall(b"GET /ok HTTP/1.1\r\n" + HOST + b"\r\n")
        assert status(read_until(second, b"ok\n")) == 200
        assert not select.select(waiting, [], [], 0)[0]  # none of the others has left yet


def test_the_wish_to_upgrade_costs_no_body(site: Site) -> None:
    """Java's HttpClient sends it with every request in the clear."""
    answer = site.talk(
        b"PUT /echo HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        b"Content-Length: 3\r\n" + HOST + b"\r\nabc" + b"GET /ok HTTP/1.1\r\n" + CLOSE
    )
    assert re.findall(rb"\r\n\r\n(abc|ok)", answer) == [b"abc", b"ok"]


@pytest.mark.parametrize(
    ("target", "raw", "path"),
    [
        (b"/environ?a=/b", "/environ", "/environ"),
        (b"http://other/environ", "/environ", "/environ"),
        (b"/env%69ron", "/env%69ron", "/environ"),
    ],
)
def test_paths(site: Site, target: bytes, raw: str, path: str) -> None:
    answer = site.talk(b"GET " + target + b" HTTP/1.1\r\n" + CLOSE)
    facts = json.loads(head_and_body(answer)[1])
    assert (facts["calsync.raw_path"], facts["PATH_INFO"]) == (raw, path)


def test_raw_utf_8_in_a_target_is_understood(site: Site) -> None:
    """Old macOS does not encode it."""
    assert status(site.talk("PROPFIND /käse/{a} HTTP/1.1\r\n".encode() + CLOSE)) == 200
    assert "PROPFIND /k\xc3\xa4se/{a}" in site.counts()


MESSAGES = (
    b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst",
    b"PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n",
    b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n",
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, sum(map(len, MESSAGES)) - 1), max_size=6))
def test_where_the_packets_end_does_not_matter(site: Site, cuts: list[int]) -> None:
    stream = b"".join(MESSAGES)
    edges = [0, *sorted(set(cuts)), len(stream)]
    with site.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, end in itertools.pairwise(edges):
            sock.sendall(stream[start:end])
            time.sleep(0.001)
        sock.sendall(b"GET /ok HTTP/1.1\r\n" + CLOSE)
        answers = re.findall(rb"\r\n\r\n(first|second|ok)", read_all(sock))
    assert answers == [b"first", b"second", b"ok", b"ok"]
