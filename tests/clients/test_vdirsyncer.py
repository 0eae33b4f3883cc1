"""vdirsyncer: two devices, calendar and contacts, both ways, with khal and todoman on top of one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests import generator
from tests.clients.conftest import PASSWORD, Programs, write_items
from tests.server_process import ServerProcess

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

EVENTS, CARDS = 500, 100


def configure(programs: Programs, url: str, device: str) -> None:
    """One device: its folders, and the discovery from the server's root as a person would type it."""
    home = programs.home
    (home / f"{device}.conf").write_text(
        f"""
[general]
status_path = "{home}/{device}/status"

[pair calendars]
a = "local_calendars"
b = "remote_calendars"
collections = ["calendar", "tasks"]
metadata = ["displayname", "color"]
conflict_resolution = "b wins"

[storage local_calendars]
type = "filesystem"
path = "{home}/{device}/calendars"
fileext = ".ics"

[storage remote_calendars]
type = "caldav"
url = "{url}"
username = "anna"
password = "{PASSWORD}"

[pair contacts]
a = "local_contacts"
b = "remote_contacts"
collections = ["contacts"]
metadata = ["displayname"]
conflict_resolution = "b wins"

[storage local_contacts]
type = "filesystem"
path = "{home}/{device}/books"
fileext = ".vcf"

[storage remote_contacts]
type = "carddav"
url = "{url}"
username = "anna"
password = "{PASSWORD}"
"""
    )


def sync(programs: Programs, device: str, *, first: bool = False) -> str:
    if first:
        programs.run("vdirsyncer", "-c", f"{device}.conf", "discover", input="y\n" * 20)
    done = programs.run("vdirsyncer", "-c", f"{device}.conf", "sync", timeout=250)
    return done.stdout + done.stderr


def named(resources: Iterable[generator.Resource]) -> list[tuple[str, bytes]]:
    return [(one.href, one.octets) for one in resources]


def contents(folder: Path) -> set[bytes]:
    return {
        path.read_bytes()
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.suffix in (".ics", ".vcf")
    }


def test_two_devices_stay_the_same(server: ServerProcess, programs: Programs) -> None:
    for device in ("phone", "laptop"):
        configure(programs, server.url, device)
    phone, laptop = programs.home / "phone", programs.home / "laptop"
    write_items(phone / "calendars" / "calendar", named(generator.events(EVENTS)))
    write_items(phone / "books" / "contacts", named(generator.contacts(CARDS)))
    sync(programs, "phone", first=True)
    sync(programs, "laptop", first=True)
    assert len(contents(laptop / "calendars" / "calendar")) == EVENTS
    assert len(contents(laptop / "books" / "contacts")) == CARDS
    assert contents(phone / "calendars" / "calendar") == contents(laptop / "calendars" / "calendar")
    assert contents(phone / "books" / "contacts") == contents(laptop / "books" / "contacts")

    # An edit here, a deletion and a new event there.
    files = sorted((laptop / "calendars" / "calendar").glob("*.ics"))
    edited = re.sub(rb"SUMMARY[^\r\n]*", b"SUMMARY:edited on the laptop", files[0].read_bytes(), count=1)
    files[0].write_bytes(edited)
    files[1].unlink()
    write_items(phone / "calendars" / "calendar", named([generator.event(9999)]))
    sync(programs, "phone")
    sync(programs, "laptop")
    sync(programs, "phone")
    assert edited in contents(phone / "calendars" / "calendar")
    assert generator.event(9999).octets in contents(laptop / "calendars" / "calendar")
    assert contents(phone / "calendars" / "calendar") == contents(laptop / "calendars" / "calendar")
    assert len(contents(phone / "calendars" / "calendar")) == EVENTS

    # A conflict: both changed the same event, the server's copy wins on the second device.
    name = files[2].name
    uid = re.search(rb"UID:([^\r\n]*)", files[2].read_bytes())
    assert uid is not None
    twin = next(path for path in (phone / "calendars" / "calendar").glob("*.ics") if uid.group(0) in path.read_bytes())
    twin.write_bytes(re.sub(rb"SUMMARY[^\r\n]*", b"SUMMARY:phone", twin.read_bytes(), count=1))
    (laptop / "calendars" / "calendar" / name).write_bytes(
        re.sub(rb"SUMMARY[^\r\n]*", b"SUMMARY:laptop", files[2].read_bytes(), count=1)
    )
    sync(programs, "phone")
    sync(programs, "laptop")
    assert b"SUMMARY:phone" in (laptop / "calendars" / "calendar" / name).read_bytes()

    # Names and colours travel too.
    for device in ("phone", "laptop"):
        programs.run("vdirsyncer", "-c", f"{device}.conf", "metasync")
    assert (laptop / "calendars" / "calendar" / "displayname").read_text() == "Calendar"
    (phone / "calendars" / "calendar" / "displayname").write_text("Family")
    (phone / "calendars" / "calendar" / "color").write_text("#00AAFF")
    for device in ("phone", "laptop"):
        programs.run("vdirsyncer", "-c", f"{device}.conf", "metasync")
    assert (laptop / "calendars" / "calendar" / "displayname").read_text() == "Family"
    assert (laptop / "calendars" / "calendar" / "color").read_text().upper().startswith("#00AAFF")


def test_khal_and_todoman_on_top(server: ServerProcess, programs: Programs) -> None:
    configure(programs, server.url, "phone")
    configure(programs, server.url, "laptop")
    sync(programs, "phone", first=True)
    folder = programs.home / "phone" / "calendars"
    (programs.home / "config" / "khal").mkdir(parents=True)
    (programs.home / "config" / "khal" / "config").write_text(
        f"[calendars]\n[[mine]]\npath = {folder}/calendar\n[locale]\ntimeformat = %H:%M\ndateformat = %Y-%m-%d\n"
        "longdateformat = %Y-%m-%d\ndatetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n"
    )
    (programs.home / "config" / "todoman").mkdir(parents=True)
    (programs.home / "config" / "todoman" / "config.py").write_text(
        f'path = "{folder}/tasks"\ndefault_list = "tasks"\n'
    )
    programs.run("khal", "new", "-a", "mine", "2026-06-01", "10:00", "11:00", "Dentist, at last")
    programs.run("khal", "new", "-a", "mine", "2026-06-02", "09:00", "09:30", "-r", "weekly", "Standup")
    programs.run("todo", "new", "-l", "tasks", "Buy milk")
    sync(programs, "phone")
    sync(programs, "laptop", first=True)
    seen = b"".join(contents(programs.home / "laptop" / "calendars" / "calendar"))
    assert b"Dentist\\, at last" in seen
    assert b"RRULE:FREQ=WEEKLY" in seen
    assert b"Buy milk" in b"".join(contents(programs.home / "laptop" / "calendars" / "tasks"))
    assert "Standup" in programs.run("khal", "list", "2026-06-09", "1d").stdout
    assert "Buy milk" in programs.run("todo", "list").stdout
