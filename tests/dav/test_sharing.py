"""Radicale's sharing (`[sharing]`): collections of others, mapped into a home or behind a token."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from calsync.app import Application
from tests.dav.conftest import Answer, Client, card, event, make_application

C = "{urn:ietf:params:xml:ns:caldav}"
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
SHARING = {
    "type": "csv",
    "collection_by_map": "True",
    "collection_by_token": "True",
    "permit_create_map": "True",
    "permit_create_token": "True",
}


@pytest.fixture(params=["csv", "files"])
def application(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Application]:
    users = tmp_path / "users"
    users.write_text("anna:correct horse\nbert:correct horse\ncleo:correct horse\n")
    application = make_application(
        tmp_path / "data",
        auth={"type": "htpasswd", "htpasswd_filename": str(users), "htpasswd_encryption": "plain"},
        sharing={**SHARING, "type": request.param},
    )
    for name in ("anna", "bert", "cleo"):
        assert Client(application, name).propfind(f"/{name}/", Depth="0").status == 207
    yield application
    application.close()


def call(client: Client, action: str, **values: Any) -> Answer:
    return client.request("POST", f"/.sharing/v1/{action}", json.dumps(values), **JSON)


def share(owner: Client, user: Client, real: str, shown: str, permissions: str = "rw", **more: Any) -> None:
    made = call(
        owner, "map/create", PathMapped=real, PathOrToken=shown, User=user.user, Permissions=permissions,
        Enabled=True, Hidden=False, **more,
    )  # fmt: skip
    assert made.status == 200, made.body
    for action in ("enable", "unhide"):
        assert call(user, f"map/{action}", PathOrToken=shown).status == 200


def token(owner: Client, real: str, permissions: str = "r", **more: Any) -> str:
    made = call(owner, "token/create", PathMapped=real, Permissions=permissions, Enabled=True, Hidden=False, **more)
    assert made.status == 200, made.body
    return str(json.loads(made.body)["PathOrToken"])


def test_a_mapped_calendar_is_like_ones_own(anna: Client, bert: Client) -> None:
    assert anna.put("/anna/calendar/a.ics", event("a")).status == 201
    share(anna, bert, "/anna/calendar/", "/bert/team/")
    listing = bert.props("/bert/", "{DAV:}resourcetype", "{DAV:}owner", depth="1")
    assert "/bert/team/" in listing.statuses
    assert not any(href.startswith("/anna/") for href in listing.statuses)
    assert listing.prop("/bert/team/", "{DAV:}resourcetype")[1].find(f"{C}calendar") is not None

    assert set(bert.props("/bert/team/", "{DAV:}getetag", depth="1").statuses) == {"/bert/team/", "/bert/team/a.ics"}
    assert bert.get("/bert/team/a.ics").body == event("a")
    assert b"UID:a" in bert.get("/bert/team/").body
    first = bert.sync("/bert/team/")
    assert set(first.statuses) == {"/bert/team/a.ics"}
    made = bert.put("/bert/team/b.ics", event("b"), **{"If-None-Match": "*"})
    assert made.status == 201
    assert anna.get("/anna/calendar/b.ics").etag == made.etag
    after = bert.sync("/bert/team/", first.multistatus.sync_token or "")
    assert set(after.statuses) == {"/bert/team/b.ics"}
    query = (
        '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop>'
        '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
    )
    assert set(bert.report("/bert/team/", query, Depth="1").statuses) == {"/bert/team/a.ics", "/bert/team/b.ics"}
    multiget = (
        '<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/></prop>'
        "<href>/bert/team/a.ics</href><href>/bert/team/none.ics</href></C:calendar-multiget>"
    )
    found = bert.report("/bert/team/", multiget).statuses
    assert (found["/bert/team/a.ics"], found["/bert/team/none.ics"]) == (None, 404)
    assert bert.delete("/bert/team/b.ics").status == 204
    assert anna.get("/anna/calendar/b.ics").status == 404

    assert bert.delete("/bert/team/").status == 403
    assert anna.delete("/anna/calendar/").status == 409, "it is shared"
    assert bert.propfind("/anna/calendar/", Depth="0").status == 403
    assert Client(anna.application, "cleo").propfind("/bert/team/", Depth="0").status == 403


@pytest.mark.parametrize(("permissions", "get", "put"), [("r", 200, 403), ("rw", 200, 204), ("w", 403, 204)])
def test_the_permissions_of_a_share(anna: Client, bert: Client, permissions: str, get: int, put: int) -> None:
    anna.put("/anna/calendar/a.ics", event("a"))
    share(anna, bert, "/anna/calendar/", "/bert/team/", permissions)
    assert bert.get("/bert/team/a.ics").status == get
    assert bert.put("/bert/team/a.ics", event("a", "SUMMARY:x")).status == put
    assert ("/bert/team/" in bert.props("/bert/", "{DAV:}getetag", depth="1").statuses) == ("r" in permissions)
    if permissions == "r":
        held = bert.props("/bert/team/", "{DAV:}current-user-privilege-set").prop(
            "/bert/team/", "{DAV:}current-user-privilege-set"
        )[1]
        names = {one[0].tag for one in held}
        assert "{DAV:}read" in names
        assert "{DAV:}write-content" not in names
        assert "{DAV:}write-properties" not in names


def test_a_share_for_busy_times_only(anna: Client, bert: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("a", "SUMMARY:Secret"))
    share(anna, bert, "/anna/calendar/", "/bert/busy/", "f")
    busy = (
        '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
        '<C:time-range start="20260301T000000Z" end="20260302T000000Z"/></C:free-busy-query>'
    )
    answer = bert.report("/bert/busy/", busy, Depth="1")
    assert answer.status == 200
    assert "FREEBUSY" in answer.text
    assert "Secret" not in answer.text
    assert bert.get("/bert/busy/a.ics").status == 403
    assert bert.get("/bert/busy/").status == 403
    assert bert.sync("/bert/busy/").status == 403
    assert bert.props("/bert/busy/", "{DAV:}getetag", depth="1").status == 403


def test_a_share_has_a_name_and_colour_of_its_own(anna: Client, bert: Client) -> None:
    share(anna, bert, "/anna/calendar/", "/bert/team/", Properties={"D:displayname": "Anna's"})
    name, color = "{DAV:}displayname", "{http://apple.com/ns/ical/}calendar-color"
    assert bert.props("/bert/team/", name).value("/bert/team/", name) == "Anna's"
    body = (
        '<propertyupdate xmlns="DAV:" xmlns:I="http://apple.com/ns/ical/"><set><prop><displayname>A</displayname>'
        "<I:calendar-color>#ff0000ff</I:calendar-color></prop></set></propertyupdate>"
    )
    answer = bert.proppatch("/bert/team/", body)
    assert {status for status, _ in answer.multistatus.responses[0].props.values()} == {200}
    seen = bert.props("/bert/", name, color, depth="1")
    assert (seen.value("/bert/team/", name), seen.value("/bert/team/", color)) == ("A", "#ff0000ff")
    timezone = '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x">1</x></prop></set></propertyupdate>'
    refused = bert.proppatch("/bert/team/", timezone)
    assert refused.prop("/bert/team/", "{urn:x}x")[0] == 403
    own = anna.props("/anna/calendar/", name, color)
    assert own.value("/anna/calendar/", name) == "Calendar"
    assert own.prop("/anna/calendar/", color)[0] == 404


@pytest.mark.parametrize(
    ("letters", "own", "others"),
    [
        ("rwe", "A", "A"),
        ("r", None, "Calendar"),
        ("rp", None, "Calendar"),
        ("rP", "A", "Calendar"),
        ("rwp", None, "Calendar"),
    ],
)
def test_where_the_properties_of_a_share_go(
    anna: Client, bert: Client, letters: str, own: str | None, others: str
) -> None:
    """`P`/`p` let properties be set or not, `e` puts them into the collection itself."""
    share(anna, bert, "/anna/calendar/", "/bert/team/", letters)
    name, held = "{DAV:}displayname", "{DAV:}current-user-privilege-set"
    body = '<propertyupdate xmlns="DAV:"><set><prop><displayname>A</displayname></prop></set></propertyupdate>'
    tags = {one[0].tag for one in bert.props("/bert/team/", held).prop("/bert/team/", held)[1]}
    assert ("{DAV:}write-properties" in tags) == (own is not None)
    assert bert.proppatch("/bert/team/", body).status == (403 if own is None else 207)
    assert bert.props("/bert/team/", name).value("/bert/team/", name) == (own or "Calendar")
    assert anna.props("/anna/calendar/", name).value("/anna/calendar/", name) == others


def test_a_colour_of_an_address_book_in_a_share(anna: Client, bert: Client) -> None:
    share(anna, bert, "/anna/contacts/", "/bert/people/", Properties={"INF:addressbook-color": "#00ff00ff"})
    color = "{http://inf-it.com/ns/ab/}addressbook-color"
    assert bert.props("/bert/", color, depth="1").value("/bert/people/", color) == "#00ff00ff"


def test_an_ended_share_is_gone(anna: Client, bert: Client) -> None:
    share(anna, bert, "/anna/calendar/", "/bert/team/")
    assert bert.propfind("/bert/team/", Depth="0").status == 207
    assert call(anna, "map/disable", PathOrToken="/bert/team/").status == 200
    assert bert.propfind("/bert/team/", Depth="0").status == 404
    assert "/bert/team/" not in bert.props("/bert/", "{DAV:}getetag", depth="1").statuses
    assert call(anna, "map/delete", PathOrToken="/bert/team/").status == 200
    assert anna.delete("/anna/calendar/").status == 204


def test_a_token_opens_one_calendar(anna: Client, nobody: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("a"))
    path = token(anna, "/anna/calendar/")
    assert path.startswith("/.token/v1/")
    assert b"UID:a" in nobody.get(path).body
    assert nobody.get(f"{path}a.ics").body == event("a")
    assert set(nobody.props(path, "{DAV:}getetag", depth="1").statuses) == {path, f"{path}a.ics"}
    assert set(nobody.sync(path).statuses) == {f"{path}a.ics"}
    assert nobody.put(f"{path}b.ics", event("b")).status in (401, 403)
    assert nobody.delete(path).status in (401, 403)
    assert nobody.get("/.token/v1/" + "x" * 44 + "/").status in (401, 403, 404)
    assert nobody.get("/anna/calendar/a.ics").status == 401
    assert call(anna, "token/delete", PathOrToken=path).status == 200
    assert nobody.get(path).status in (401, 403, 404)


def test_a_token_for_the_view_of_busy_times_shows_nothing_else(anna: Client, nobody: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("a", "SUMMARY:Secret"))
    path = token(anna, "/anna/calendar/", "r", Actions={"config": {"view": "freebusy"}})
    for answer in (nobody.get(path), nobody.get(f"{path}a.ics"), nobody.sync(path), nobody.propfind(path, Depth="1")):
        assert answer.status in (401, 403, 404)
        assert "Secret" not in answer.text


def test_birthdays_of_a_shared_address_book_are_not_the_address_book(anna: Client, bert: Client) -> None:
    anna.put("/anna/contacts/a.vcf", card("a", "BDAY:19800101", "NOTE:Secret"))
    share(anna, bert, "/anna/contacts/", "/bert/birthdays/", "r", Conversion="bday")
    assert "/bert/birthdays/" not in bert.props("/bert/", "{DAV:}getetag", depth="1").statuses
    for answer in (
        bert.get("/bert/birthdays/"),
        bert.get("/bert/birthdays/a.ics"),
        bert.get("/bert/birthdays/a.vcf"),
        bert.propfind("/bert/birthdays/", Depth="1"),
        bert.sync("/bert/birthdays/"),
    ):
        assert answer.status in (403, 404)
        assert "Secret" not in answer.text


def test_the_page_sees_that_it_may_share(anna: Client) -> None:
    info = call(anna, "all/info")
    assert info.status == 200
    found: Mapping[str, object] = json.loads(info.body)
    assert found["FeatureEnabledCollectionByMap"] is True
    held = anna.props("/anna/calendar/", "{DAV:}current-user-privilege-set").prop(
        "/anna/calendar/", "{DAV:}current-user-privilege-set"
    )[1]
    names = {one[0].tag for one in held}
    assert {"{http://radicale.org/ns/}share-map", "{http://radicale.org/ns/}share-token"} <= names
