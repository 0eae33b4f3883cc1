"""Who may do what: a refusal reads nothing, changes nothing, and does not tell what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from tests.access.asking import (
    ASKING,
    DAV,
    MULTIGET,
    PLACES,
    SECRET,
    everything,
    without_names,
)
from tests.dav.conftest import PASSWORD, Client, event


@pytest.mark.parametrize("how", ASKING)
def test_what_is_foreign_is_refused_alike_whether_it_is_there_or_not(filled: Path, bert: Client, how: str) -> None:
    method, body, headers = ASKING[how]
    before = everything(filled)
    for place in PLACES:
        theirs, nobodys = (bert.request(method, f"/{name}/{place}", body, **headers) for name in ("anna", "nemo"))
        assert theirs.status in (403, 405), (place, theirs.status, theirs.body)
        assert without_names(theirs, "anna") == without_names(nobodys, "nemo"), place
        assert SECRET.encode() not in theirs.body
    assert everything(filled) == before


@pytest.mark.parametrize("how", ASKING)
def test_who_is_not_known_is_asked_to_log_in(filled: Path, application: Application, how: str) -> None:
    method, body, headers = ASKING[how]
    before = everything(filled)
    for client in (Client(application, ""), Client(application, "anna", "wrong"), Client(application, "nemo")):
        for place in PLACES if not client.user else PLACES[3:4]:
            theirs, nobodys = (client.request(method, f"/{name}/{place}", body, **headers) for name in ("anna", "nemo"))
            assert theirs.status in (401, 405), (place, theirs.status, theirs.body)
            assert without_names(theirs, "anna") == without_names(nobodys, "nemo"), place
    assert everything(filled) == before


def test_options_tell_of_a_foreign_resource_what_they_tell_of_a_missing_one(filled: Path, bert: Client) -> None:
    for place in PLACES:
        assert without_names(bert.options(f"/anna/{place}"), "anna") == without_names(
            bert.options(f"/nemo/{place}"), "nemo"
        )


def test_hrefs_inside_a_multiget_stay_inside_its_collection(filled: Path, bert: Client) -> None:
    hrefs = (
        "/anna/calendar/a.ics",
        "/bert/calendar/../../anna/calendar/a.ics",
        "/bert/calendar/%2e%2e/%2e%2e/anna/calendar/a.ics",
        "/bert/calendar/..%2f..%2fanna%2fcalendar%2fa.ics",
        "http://localhost:5232/anna/calendar/a.ics",
        "//localhost:5232/anna/calendar/a.ics",
        "http://elsewhere/bert/calendar/b.ics",
        "/nemo/calendar/a.ics",
    )
    for href in hrefs:
        answer = bert.report("/bert/calendar/", MULTIGET % f"<href>{href}</href>")
        assert answer.statuses == {href: 404}
        assert SECRET not in answer.text


@pytest.mark.parametrize("client", ["bert", "nobody"])
def test_expanding_an_href_shows_no_more_than_asking_for_it(
    request: pytest.FixtureRequest, filled: Path, bert: Client, client: str
) -> None:
    value = "".join(f"<href>/{name}/{place}</href>" for name in ("anna", "nemo") for place in PLACES)
    sent = f'<propertyupdate {DAV}><set><prop><x:links xmlns:x="urn:x">{value}</x:links></prop></set></propertyupdate>'
    assert bert.proppatch("/bert/", sent).status == 207
    inner = '<property name="getetag"/><property name="displayname"/>'
    body = '<expand-property xmlns="DAV:"><property name="links" namespace="urn:x">%s</property></expand-property>'
    answer = request.getfixturevalue(client).report("/bert/", body % inner)
    if client == "nobody":
        assert answer.status == 401
        return
    assert answer.text.count("404 Not Found") == 2 * len(PLACES)
    assert "200 OK" in answer.text
    assert "getetag" not in answer.text


DESTINATIONS = (
    "/anna/calendar/x.ics",
    "/anna/calendar/a.ics",
    "//anna/calendar/x.ics",
    "http://localhost:5232/anna/calendar/x.ics",
    "http://localhost:5232//anna/calendar/x.ics",
    "/ANNA/calendar/x.ics",
    "/bert/../anna/calendar/x.ics",
    "/bert/%2e%2e/anna/calendar/x.ics",
    "/bert/calendar/..%2f..%2fanna/calendar/x.ics",
    "/bert%2fcalendar/x.ics",
    "/anna%00/calendar/x.ics",
    "http://localhost:5233/bert/calendar/x.ics",
    "http://elsewhere:5232/bert/calendar/x.ics",
    "http://localhost:5232@elsewhere/bert/calendar/x.ics",
    "https://localhost/bert/calendar/x.ics",
    "bert/calendar/x.ics",
    "",
    "*",
)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("destination", DESTINATIONS)
def test_a_destination_leads_nowhere_else(filled: Path, bert: Client, method: str, destination: str) -> None:
    before = everything(filled)
    for source in ("/bert/calendar/b.ics", "/bert/calendar/"):
        answer = bert.request(method, source, Destination=destination)
        assert answer.status in (400, 403, 502), (source, answer.status, answer.body)  # 502: RFC 4918 §9.9.4
    assert everything(filled) == before


def test_a_foreign_destination_does_not_tell_what_is_there(filled: Path, bert: Client) -> None:
    for overwrite in "TF":
        for place in ("calendar/a.ics", "calendar/none.ics", "none/a.ics", "none/"):
            theirs, nobodys = (
                bert.copy("/bert/calendar/b.ics", Destination=f"/{name}/{place}", Overwrite=overwrite)
                for name in ("anna", "nemo")
            )
            assert theirs.status == 403
            assert without_names(theirs, "anna") == without_names(nobodys, "nemo")


def test_a_token_of_another_owner_is_none(filled: Path, anna: Client, bert: Client) -> None:
    token = anna.sync("/anna/calendar/").multistatus.sync_token
    assert token
    for path in ("/bert/calendar/", "/bert/"):
        answer = bert.sync(path, token)
        assert (answer.status, b"valid-sync-token" in answer.body) == (403, True)


def test_a_home_of_the_same_letters_in_another_form_is_foreign(filled: Path, application: Application) -> None:
    Accounts(application.store).create("zoë", PASSWORD)  # type: ignore[arg-type]
    zoe = Client(application, "zoë")
    zoe.put("/zo%C3%AB/calendar/z.ics", event("z", f"SUMMARY:{SECRET}"))
    bert = Client(application, "bert")
    for name in ("zo%C3%AB", "zoe%CC%88", "ZO%C3%8B"):
        for method in ("GET", "PROPFIND", "DELETE"):
            assert bert.request(method, f"/{name}/calendar/z.ics", Depth="0").status == 403


def test_conditions_about_a_foreign_resource_tell_nothing(filled: Path, anna: Client, bert: Client) -> None:
    etag = anna.get("/anna/calendar/a.ics").etag
    for condition in (f"([{etag}])", f"(Not [{etag}])", "(Not <urn:x>)", "(<urn:x>)"):
        found = [
            bert.put("/bert/calendar/b.ics", event("b"), If=f"</{name}/calendar/a.ics> {condition}")
            for name in ("anna", "nemo")
        ]
        assert without_names(found[0], "anna") == without_names(found[1], "nemo"), condition
