"""Radicale's own sharing, whose storage is a second one beside that of the application."""

import json
from pathlib import Path

from radicale.app import Application

from calsync.accounts.accounts import Accounts
from tests.plugins.stock import Dav, configuration, event


def test_a_mapped_calendar_is_synced_by_the_other(folder: Path, accounts: Accounts) -> None:
    sharing = {"type": "csv", "collection_by_map": "True", "permit_create_map": "True"}
    application = Application(configuration(folder, sharing=sharing))
    anna, bob = Dav(application), Dav(application, "bob")
    anna("MKCALENDAR", "/anna/cal/")
    anna.put("/anna/cal/a.ics", event("a"))
    share = {"PathMapped": "/anna/cal/", "User": "bob", "PathOrToken": "/bob/shared/", "Permissions": "rw"}
    share = {**share, "Enabled": True, "Hidden": False}
    assert anna("POST", "/.sharing/v1/map/create", json.dumps(share), content_type="application/json").status == 200
    for action in ("enable", "unhide"):
        asked = json.dumps({"PathOrToken": "/bob/shared/"})
        assert bob("POST", f"/.sharing/v1/map/{action}", asked, content_type="application/json").status == 200
    assert set(bob("PROPFIND", "/bob/", depth="1").hrefs) == {"/bob/", "/bob/shared/"}
    token, first = bob.sync("/bob/shared/")
    assert first == {"/bob/shared/a.ics": 200}
    assert bob.put("/bob/shared/b.ics", event("b")).status == 201
    assert bob.sync("/bob/shared/", token)[1] == {"/bob/shared/b.ics": 200}
    assert anna("GET", "/anna/cal/b.ics").status == 200
