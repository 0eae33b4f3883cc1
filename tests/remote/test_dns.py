"""SRV and TXT records, asked of a name server on loopback."""

from __future__ import annotations

import pytest

from calsync.remote.dns import DnsError, Resolver
from tests.remote.nameserver import NameServer

RECORDS = {
    "_caldavs._tcp.example.org. SRV": [
        "10 1 443 spare.example.org.",
        "0 1 8443 dav.example.org.",
        "0 9 443 big.example.org.",
    ],
    "_caldavs._tcp.example.org. TXT": ['"path=/dav/"'],
    "_carddavs._tcp.example.org. SRV": ["0 0 0 ."],
    "_carddav._tcp.example.net. SRV": ["0 1 80 old.example.net."],
    "dav.example.org. A": ["127.0.0.1"],
    "dav.example.org. AAAA": ["::1"],
}  # fmt: skip


def test_servers_come_in_their_order_with_the_path_of_txt() -> None:
    with NameServer(RECORDS) as server:
        found = server.resolver.services("example.org", "caldav")
    assert [one.url for one in found] == [
        "https://big.example.org/dav/",
        "https://dav.example.org:8443/dav/",
        "https://spare.example.org/dav/",
    ]


def test_a_domain_may_say_that_it_has_none() -> None:
    with NameServer(RECORDS) as server:
        assert server.resolver.services("example.org", "carddav") == []
        assert server.resolver.refused("example.org", "carddav")
        assert not server.resolver.refused("example.net", "carddav")


def test_without_txt_the_well_known_path_is_where_to_begin() -> None:
    with NameServer(RECORDS) as server:
        (one,) = server.resolver.services("example.net", "carddav")
    assert one.url == "http://old.example.net/.well-known/carddav"


def test_addresses_are_those_of_both_kinds() -> None:
    with NameServer(RECORDS) as server:
        assert server.resolver.addresses("dav.example.org") == ["127.0.0.1", "::1"]
        assert server.resolver.addresses("nobody.example.org") == []
    assert Resolver().addresses("[::1]") == ["::1"]
    assert Resolver().addresses("localhost")


def test_a_name_server_that_is_silent_is_an_error() -> None:
    with pytest.raises(DnsError, match="_caldavs"):
        Resolver("127.0.0.1", 9, 0.2).services("example.org", "caldav")
