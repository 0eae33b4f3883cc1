"""What Radicale's shares open, and what they do not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from tests.access.asking import (
    ASKING,
    CARD,
    DAV,
    PATCH,
    QUERY,
    SECRET,
)
from tests.dav.conftest import PASSWORD, Answer, Client, card, event, make_application


@pytest.fixture
def sharing(tmp_path: Path) -> Iterator[Application]:
    options = {"type": "csv", "collection_by_map": "True", "collection_by_token": "True", "permit_create_map": "True"}
    options |= {"permit_create_token": "True"}
    application = make_application(tmp_path / "data", sharing=options)
    assert application.store is not None
    for name in ("anna", "bert", "carl"):
        Accounts(application.store).create(name, PASSWORD)
    yield application
    application.close()


def asks(client: Client, action: str, **options: object) -> Answer:
    return client.post(f"/.sharing/v1/{action}", json.dumps(options), Content_Type="application/json")


def shares(owner: Client, guest: Client, mapped: str, shown: str, permissions: str, **more: object) -> None:
    made = asks(
        owner,
        "map/create",
        PathMapped=mapped,
        User=guest.user,
        PathOrToken=shown,
        Permissions=permissions,
        Enabled=True,
        Hidden=False,
        **more,
    )
    assert made.status == 200, made.body
    for action in ("enable", "unhide"):
        assert asks(guest, f"map/{action}", PathOrToken=shown).status == 200


@pytest.fixture
def shared(sharing: Application) -> tuple[Client, Client]:
    """Anna lets Bert read one of two calendars."""
    anna, bert = Client(sharing), Client(sharing, "bert")
    anna.put("/anna/calendar/a.ics", event("a"))
    anna.mkcalendar("/anna/secret/")
    anna.put("/anna/secret/s.ics", event("s", f"SUMMARY:{SECRET}"))
    anna.proppatch("/anna/secret/", PATCH.replace("Mine", SECRET))
    anna.proppatch("/anna/", PATCH.replace("Mine", SECRET))
    shares(anna, bert, "/anna/calendar/", "/bert/team/", "rw")
    return anna, bert


def test_a_share_shows_its_collection_and_nothing_beside_it(shared: tuple[Client, Client]) -> None:
    anna, bert = shared
    assert bert.get("/bert/team/a.ics").status == 200
    assert bert.request("REPORT", "/bert/", QUERY, Depth="1").text.count("SUMMARY") == 1
    listed = bert.propfind("/bert/", Depth="infinity")
    assert "/bert/team/a.ics" in listed.statuses
    assert SECRET not in listed.text
    assert "/anna/secret" not in listed.text
    for path in ("/bert/team/../secret/s.ics", "/bert/secret/s.ics", "/anna/secret/s.ics", "/anna/calendar/a.ics"):
        assert bert.get(path).status in (400, 403, 404), path
    assert bert.copy("/bert/team/a.ics", Destination="/anna/secret/x.ics").status == 403
    assert bert.move("/bert/team/a.ics", Destination="/anna/calendar/x.ics").status == 403
    assert anna.get("/anna/calendar/a.ics").status == 200


def test_what_a_guest_writes_into_a_share_does_not_open_the_home_of_its_owner(shared: tuple[Client, Client]) -> None:
    """The rights of the owner hold inside the share, those of the asker everywhere else."""
    _, bert = shared
    links = "<href>/anna/</href><href>/anna/secret/</href><href>/anna/secret/s.ics</href>"
    sent = f'<propertyupdate {DAV}><set><prop><x:links xmlns:x="urn:x">{links}</x:links></prop></set></propertyupdate>'
    for path in ("/bert/team/", "/bert/team/a.ics"):
        assert bert.proppatch(path, sent).status == 207
        body = (
            '<expand-property xmlns="DAV:"><property name="links" namespace="urn:x"><property name="displayname"/>'
            '<property name="getetag"/></property><property name="owner"><property name="displayname"/></property>'
            "</expand-property>"
        )
        answer = bert.report(path, body)
        assert answer.status == 207
        assert SECRET not in answer.text
        assert "getetag" not in answer.text


def test_a_share_of_birthdays_does_not_open_the_address_book(sharing: Application) -> None:
    anna, bert = Client(sharing), Client(sharing, "bert")
    anna.put("/anna/contacts/c.vcf", card("c", "BDAY:19700101", f"NOTE:{SECRET}"))
    shares(anna, bert, "/anna/contacts/", "/bert/days/", "r", Conversion="bday")
    for path in ("/bert/days/", "/bert/days/c.vcf", "/bert/days/c.ics"):
        assert SECRET not in bert.get(path).text
    query = f"<R:addressbook-query {DAV} {CARD}><prop><R:address-data/></prop></R:addressbook-query>"
    assert SECRET not in bert.request("REPORT", "/bert/days/", query, Depth="1").text
    assert SECRET not in bert.propfind("/bert/", Depth="infinity").text


def test_a_token_opens_what_it_was_made_for(sharing: Application) -> None:
    anna, nobody = Client(sharing), Client(sharing, "")
    anna.put("/anna/calendar/a.ics", event("a"))
    anna.mkcalendar("/anna/secret/")
    anna.put("/anna/secret/s.ics", event("s", f"SUMMARY:{SECRET}"))
    made = asks(anna, "token/create", PathMapped="/anna/calendar/", Permissions="r", Enabled=True)
    assert made.status == 200, made.body
    found = re.search(r"/\.token/v1/[\w-]+/", made.text)
    assert found is not None, made.text
    token = found[0]
    assert nobody.get(token).status == 200
    assert nobody.get(f"{token}a.ics").status == 200
    assert nobody.props(f"{token}a.ics", "{DAV:}getetag").statuses == {f"{token}a.ics": None}
    for path in (f"{token}../secret/s.ics", f"{token}secret/s.ics", f"{token[:-3]}xx/a.ics"):
        assert nobody.get(path).status in (400, 401, 403, 404), path
    for method, body, headers in ASKING.values():
        if method in ("PUT", "DELETE", "PROPPATCH", "MKCOL", "MKCALENDAR", "MOVE"):
            assert nobody.request(method, f"{token}a.ics", body, **headers).status in (401, 403, 405)
    assert anna.get("/anna/calendar/a.ics").status == 200
