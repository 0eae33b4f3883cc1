"""From an address to a server (RFC 6764), and who may be given the login."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from calsync.remote.client import Client, Login, RemoteError
from calsync.remote.discovery import explore, host_of
from calsync.remote.dns import Resolver
from calsync.webdav.hosts import same_family
from tests.remote.moving import Here, event
from tests.remote.odd import CALENDAR, Held, Odd, serving


@contextmanager
def name_server(**records: str) -> Iterator[Resolver]:
    """Answers with these records (`_caldavs._tcp.example.org` → `SRV …`), and knows nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                try:
                    query, peer = asked.recvfrom(4096)
                except OSError:
                    return
                if not query:
                    return
                message = dns.message.from_wire(query)
                reply = dns.message.make_response(message)
                one = message.question[0]
                kind, _, value = records.get(one.name.to_text(omit_final_dot=True), "").partition(" ")
                if kind and dns.rdatatype.to_text(one.rdtype) == kind:
                    reply.answer.append(dns.rrset.from_text(one.name, 60, "IN", kind, value))
                asked.sendto(reply.to_wire(), peer)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield Resolver("127.0.0.1", asked.getsockname()[1], 60)
        asked.sendto(b"", asked.getsockname())
        thread.join()


@pytest.mark.parametrize(
    ("home", "host", "belongs"),
    [
        ("caldav.icloud.com", "p34-caldav.icloud.com", True),
        ("example.org", "dav.example.org", True),
        ("dav.example.org", "DAV.example.org.", True),
        ("dav.example.org", "example.com", False),
        ("dav.example.org", "dav.example.org.evil.net", False),
        ("example.org", "example.net", False),
        ("shop.co.uk", "evil.co.uk", False),
        ("shop.asso.fr", "evil.asso.fr", False),
        ("anna.duckdns.org", "evil.duckdns.org", False),
        ("anna.duckdns.org", "dav.anna.duckdns.org", True),
        ("cal.anna.duckdns.org", "dav.anna.duckdns.org", True),
        ("cal.example.co.uk", "dav.example.co.uk", True),
        ("192.0.2.7", "10.0.2.7", False),
        ("localhost", "evil.localhost", False),
    ],
)
def test_who_belongs_together(home: str, host: str, belongs: bool) -> None:
    assert same_family(home, host) is belongs


def test_where_dns_leads_is_not_given_the_login_unless_it_belongs_there() -> None:
    records = {"_caldavs._tcp.home.invalid": "SRV 0 1 443 dav.elsewhere.invalid."}
    with (
        name_server(**records) as resolver,
        closing(Client("home.invalid", Login("anna", "x"), pause=0.01)) as client,
        pytest.raises(RemoteError, match=r"leads to dav.elsewhere.invalid.*--trust-host dav.elsewhere.invalid"),
    ):
        explore(client, "anna@home.invalid", resolver)


@pytest.mark.parametrize("source", ["https://anna:secret@example.org/", "ftp://example.org/", "a/b", ""])
def test_what_is_no_source_is_said(source: str) -> None:
    with pytest.raises(RemoteError) as error:
        host_of(source)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("path", ["", "dav/", "dav/anna/", "dav/anna/work/", "dav/anna/work"])
def test_a_url_may_name_any_step_of_the_way(here: Here, path: str) -> None:
    with serving(Odd({"work": Held(CALENDAR, {"a.ics": event("a")})})) as odd:
        status, told = here.migrate(f"{odd.url}{path}")
        assert status == 0, told
        assert len(here.items("work")) == 1
