"""What the application is told of a request and its sender."""

from __future__ import annotations

import io
import ipaddress
from typing import Any

import pytest

from calsync.server.environ import PROXY_HEADERS, Head, environ_of, is_trusted, peer_of

PROXIES = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))


def environ(
    *headers: tuple[bytes, bytes], remote: object = ("198.51.100.7", 5000), target: bytes = b"/a"
) -> dict[str, Any]:
    peer = peer_of(remote, ("192.0.2.1", 5232), PROXIES, None)
    return environ_of(Head("GET", target, "HTTP/1.1", headers), peer, io.BytesIO(), 0)


def test_what_pep_3333_asks_for() -> None:
    found = environ((b"content-type", b"text/xml"), (b"depth", b"0"), target=b"/a%2Fb/k%C3%A4se?x=%20")
    assert found["PATH_INFO"] == "/a/b/k\xc3\xa4se"
    assert found["calsync.raw_path"] == "/a%2Fb/k%C3%A4se"
    assert found["QUERY_STRING"] == "x=%20"
    assert (found["CONTENT_TYPE"], found["HTTP_DEPTH"], found["SCRIPT_NAME"]) == ("text/xml", "0", "")
    assert (found["REMOTE_ADDR"], found["SERVER_PORT"], found["wsgi.url_scheme"]) == ("198.51.100.7", "5232", "http")
    assert "CONTENT_LENGTH" not in found


def test_tls_is_told() -> None:
    peer = peer_of(("198.51.100.7", 1), ("192.0.2.1", 2), (), {"HTTPS": "on", "SSL_PROTOCOL": "TLSv1.3"})
    found = environ_of(Head("GET", b"/", "HTTP/1.1", ()), peer, io.BytesIO(), 0)
    assert (found["wsgi.url_scheme"], found["HTTPS"], found["SSL_PROTOCOL"]) == ("https", "on", "TLSv1.3")


def test_options_star_asks_about_the_root() -> None:
    assert environ(target=b"*")["PATH_INFO"] == "/"


def test_a_header_with_an_underscore_is_none() -> None:
    assert "HTTP_X_REMOTE_USER" not in environ((b"x_remote_user", b"anna"), remote=("127.0.0.1", 1))


@pytest.mark.parametrize(
    "name", [b"x-remote-user", b"x-script-name", b"x-forwarded-for", b"x-forwarded-host", b"remote-user", b"forwarded"]
)
def test_only_proxies_speak_for_others(name: bytes) -> None:
    key = "HTTP_" + name.decode().upper().replace("-", "_")
    assert key not in environ((name, b"anna"))
    for known in (("127.0.0.1", 1), ("192.0.2.9", 1), ("2001:db8::5", 1, 0, 0), ""):
        assert environ((name, b"anna"), remote=known)[key] == "anna"


#: Whatever a proxy might say of a client, as it stands in a request.
SPOKEN = (
    *sorted(PROXY_HEADERS),
    *(
        b"x-forwarded-" + word
        for word in (b"for", b"host", b"proto", b"port", b"prefix", b"server", b"user", b"anything")
    ),
)
STRANGERS = (
    ("198.51.100.7", 1),
    ("192.0.3.1", 1),
    ("10.0.0.1", 1),
    ("169.254.169.254", 1),
    ("0.0.0.0", 1),
    ("128.0.0.1", 1),
    ("2001:db9::1", 1, 0, 0),
    ("fe80::1%eth0", 1, 0, 2),
    ("::ffff:198.51.100.7", 1, 0, 0),
    ("::ffff:10.0.0.1", 1, 0, 0),
    ("64:ff9b::7f00:1", 1, 0, 0),
    ("::127.0.0.1", 1, 0, 0),
)
KNOWN = (("127.0.0.1", 1), ("127.8.9.10", 1), ("::1", 1, 0, 0), ("::ffff:127.0.0.1", 1, 0, 0), ("192.0.2.9", 1))
UNIX = ("", b"", "/run/calsync.sock", "\0abstract")


@pytest.mark.parametrize("name", SPOKEN)
def test_the_whole_matrix_of_who_may_say_what(name: bytes) -> None:
    key = "HTTP_" + name.decode().upper().replace("-", "_")
    for remote in STRANGERS:
        found = environ((name, b"anna"), (b"x-other", b"anna"), remote=remote)
        assert [one for one in found if found[one] == "anna"] == ["HTTP_X_OTHER"], (remote, name)
        assert found["REMOTE_ADDR"] == remote[0]
        assert key not in environ((name.replace(b"-", b"_"), b"anna"), remote=remote)
    for remote in (*KNOWN, *UNIX):
        assert environ((name, b"anna"), remote=remote)[key] == "anna", (remote, name)
        # An underscore is never a dash, whoever writes it.
        assert key not in environ((name.replace(b"-", b"_"), b"anna"), remote=remote) or b"-" not in name


def test_who_is_trusted() -> None:
    assert all(
        is_trusted(address, PROXIES) for address in ("", "127.0.0.2", "::1", "::ffff:127.0.0.1", "::ffff:192.0.2.3")
    )
    assert not any(is_trusted(address, PROXIES) for address in ("198.51.100.1", "::ffff:198.51.100.1", "fe80::1%eth0"))


def test_repeated_headers_are_joined() -> None:
    found = environ((b"if", b"a"), (b"if", b"b"), (b"cookie", b"a=1"), (b"cookie", b"b=2"))
    assert (found["HTTP_IF"], found["HTTP_COOKIE"]) == ("a,b", "a=1; b=2")


def test_the_length_is_that_of_what_arrived() -> None:
    peer = peer_of("", "", (), None)
    head = Head("PUT", b"/", "HTTP/1.1", ((b"transfer-encoding", b"chunked"), (b"content-length", b"99")))
    found = environ_of(head, peer, io.BytesIO(b"abc"), 3)
    assert found["CONTENT_LENGTH"] == "3"
    assert "HTTP_TRANSFER_ENCODING" not in found
    assert found["REMOTE_ADDR"] == ""
