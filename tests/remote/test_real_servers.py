"""Accounts on servers of other people's, in use while they move: stock Radicale, Xandikos, DAViCal, and calsync."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calsync.webdav.names import ICAL, C, D
from tests import generator
from tests.remote import servers
from tests.remote.moving import Here, event
from tests.remote.servers import PASSWORD, Source
from tests.server_process import ServerProcess

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@contextmanager
def calsync(folder: Path) -> Iterator[Source]:
    with ServerProcess(folder) as server:
        server.add_user("anna", PASSWORD)
        source = Source(server.url, f"{server.url}anna/work", f"{server.url}anna/people", "anna")
        servers.make(source)
        yield source


SERVERS = {"radicale": servers.radicale, "xandikos": servers.xandikos, "davical": servers.davical, "calsync": calsync}


@pytest.fixture(params=SERVERS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    with SERVERS[request.param](tmp_path / "there") as found:
        for one in generator.events(12):
            found.put(f"{found.calendars}/{one.href}", one.octets)
        for one in generator.contacts(6):
            found.put(f"{found.contacts}/{one.href}", one.octets)
        yield found


def test_an_account_in_use_moves_whole_and_again_until_the_switch(source: Source, here: Here) -> None:
    work = source.calendars.rpartition("/")[2]
    people = source.contacts.rpartition("/")[2]
    status, told = here.migrate(source)
    assert (status, told["complete"]) == (0, True), told
    for url, name in ((source.calendars, work), (source.contacts, people)):
        there = {href: source.ask("GET", f"{url}/{href}").content for href in here.items(name)}
        assert len(there) >= 6
        assert here.items(name) == there  # octet for octet, also where it came in XML

    # Both sides change: here one item and one collection's name, there others.
    first, second, third = sorted(here.items(work))[:3]
    here.put(work, first, here.items(work)[first].replace(b"SUMMARY:", b"SUMMARY:Mine "))
    source.put(
        f"{source.calendars}/{first}",
        source.ask("GET", f"{source.calendars}/{first}").content.replace(b"SUMMARY:", b"SUMMARY:Theirs "),
    )
    source.put(
        f"{source.calendars}/{second}",
        source.ask("GET", f"{source.calendars}/{second}").content.replace(b"SUMMARY:", b"SUMMARY:New "),
    )
    source.put(f"{source.calendars}/added.ics", event("added@example.org"))
    assert source.ask("DELETE", f"{source.calendars}/{third}").status_code in (200, 204)

    status, told = here.migrate(source)
    assert status == 0, told
    outcomes = {one["target"].rpartition("/")[2]: one["outcome"] for one in told["items"]}
    assert outcomes == {first: "kept as stored", second: "replaced", "added.ics": "taken"}
    assert b"SUMMARY:Mine" in here.items(work)[first]
    assert b"SUMMARY:New" in here.items(work)[second]
    assert third in here.items(work)
    compared = next(one for one in told["collections"] if one["target"] == f"/anna/{work}/")
    assert (compared["changed"], compared["left"], compared["missing"]) == (1, 1, 0)

    status, told = here.migrate(source, "--delete", "--theirs")
    assert status == 0, told
    assert third not in here.items(work)
    assert here.items(work) == {
        href: source.ask("GET", f"{source.calendars}/{href}").content for href in here.items(work)
    }
    assert here.migrate(source)[1]["items"] == []


def test_what_people_set_comes_along(tmp_path: Path, here: Here) -> None:
    with servers.radicale(tmp_path / "there") as source:
        assert here.migrate(source)[0] == 0
    found = here.collection("work")
    assert (found.kind, found.components) == ("calendar", ("VEVENT",))
    assert "Work &amp; more" in found.properties[D("displayname")]
    assert "#ff8800ff" in found.properties[f"{{{ICAL}}}calendar-color"]
    assert "All of it" in found.properties[C("calendar-description")]
    assert set(found.properties) == {D("displayname"), f"{{{ICAL}}}calendar-color", C("calendar-description")}


def test_a_wrong_password_is_said_in_one_line(tmp_path: Path, here: Here) -> None:
    with servers.radicale(tmp_path / "there") as source:
        status, told = here.migrate(source.url, login="bert")
    assert status == 2
    assert "401 (a login is needed, or this one is wrong)" in told["error"]
    assert PASSWORD not in told["error"]
