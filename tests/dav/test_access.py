"""Who may do what: a refusal reads nothing, changes nothing, and does not tell what exists."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from tests.dav.conftest import PASSWORD, Answer, Client, card, event, make_application

DAV, CAL, CARD = 'xmlns="DAV:"', 'xmlns:C="urn:ietf:params:xml:ns:caldav"', 'xmlns:R="urn:ietf:params:xml:ns:carddav"'
SECRET = "Xyzzy"
DATA = "<prop><getetag/><C:calendar-data/></prop>"
MULTIGET = f"<C:calendar-multiget {DAV} {CAL}>{DATA}%s</C:calendar-multiget>"
QUERY = f'<C:calendar-query {DAV} {CAL}>{DATA}<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
EXPAND = '<expand-property xmlns="DAV:"><property name="%s">%s</property></expand-property>'
REPORTS = {
    "sync": f"<sync-collection {DAV}><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>",
    "query": QUERY,
    "multiget": MULTIGET % "<href>/anna/calendar/a.ics</href>",
    "cards": f"<R:addressbook-query {DAV} {CARD}><prop><getetag/></prop></R:addressbook-query>",
    "busy": f'<C:free-busy-query {CAL}><C:time-range start="20260101T000000Z" end="20270101T000000Z"/>'
    "</C:free-busy-query>",
    "expand": EXPAND % ("owner", '<property name="displayname"/>'),
    "match": f"<principal-match {DAV}><self/></principal-match>",
    "search": f"<principal-property-search {DAV}><property-search><prop><displayname/></prop><match>a</match>"
    "</property-search><prop><displayname/></prop></principal-property-search>",
    "acl": f"<acl-principal-prop-set {DAV}><prop><displayname/></prop></acl-principal-prop-set>",
}
MKCOL = f"<mkcol {DAV} {CAL}><set><prop><resourcetype><collection/><C:calendar/></resourcetype></prop></set></mkcol>"
PATCH = f"<propertyupdate {DAV}><set><prop><displayname>Mine</displayname></prop></set></propertyupdate>"
LOCK = f"<lockinfo {DAV}><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>"

#: Every way to ask for something at a path; OPTIONS tells methods to everybody.
ASKING: dict[str, tuple[str, str | bytes, dict[str, str]]] = {
    "GET": ("GET", b"", {}),
    "HEAD": ("HEAD", b"", {}),
    "PUT": ("PUT", event("a", "SUMMARY:changed"), {}),
    "DELETE": ("DELETE", b"", {}),
    "PROPFIND": ("PROPFIND", b"", {"Depth": "1"}),
    "PROPFIND infinity": ("PROPFIND", b"", {"Depth": "infinity"}),
    "PROPPATCH": ("PROPPATCH", PATCH, {}),
    "MKCOL": ("MKCOL", b"", {}),
    "MKCOL extended": ("MKCOL", MKCOL, {}),
    "MKCALENDAR": ("MKCALENDAR", b"", {}),
    "COPY": ("COPY", b"", {"Destination": "/bert/calendar/copied.ics"}),
    "MOVE": ("MOVE", b"", {"Destination": "/bert/calendar/moved.ics"}),
    **{f"REPORT {name}": ("REPORT", body, {"Depth": "1"}) for name, body in REPORTS.items()},
    "LOCK": ("LOCK", LOCK, {"Timeout": "Second-60"}),
    "UNLOCK": ("UNLOCK", b"", {"Lock-Token": "<urn:uuid:6b9a2a2e-0000-4000-8000-000000000000>"}),
}
PLACES = ("", "calendar/", "calendar", "calendar/a.ics", "calendar/none.ics", "none/", "none/a.ics", "contacts/c.vcf")

#: The tables that a refused request leaves alone.
TABLES = ("principal", "collection", "mount", "item", "body", "dead_property", "tombstone", "lock", "share")


def everything(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that is stored."""
    [path] = folder.rglob("*.db")
    with sqlite3.connect(path) as connection:
        found = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    connection.close()
    return found


@pytest.fixture
def filled(tmp_path: Path, anna: Client, bert: Client) -> Path:
    """The folder of the store, with something in both homes."""
    assert anna.put("/anna/calendar/a.ics", event("a", f"SUMMARY:{SECRET}")).status == 201
    assert anna.put("/anna/contacts/c.vcf", card("c", f"NOTE:{SECRET}")).status == 201
    assert bert.put("/bert/calendar/b.ics", event("b")).status == 201
    return tmp_path / "data"


def without_names(answer: Answer, name: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    headers = sorted((key, value) for key, value in answer.headers.items() if key != "Date")
    return answer.status, answer.body.replace(name.encode(), b"NAME"), headers


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


# --- names with other back ends ---------------------------------------------------------------------------------------


@pytest.fixture
def passwords(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Clients of an application whose accounts stand in an htpasswd file."""
    names = ("anna", "Anna", "ANNA", "bert", "ann\u00e9", "anne\u0301", ".web", "..", "a/b", "x\u2028y")
    file = tmp_path / "users"
    file.write_text("".join(f"{name}:{PASSWORD}\n" for name in names), encoding="utf-8", newline="")
    auth = {"type": "htpasswd", "htpasswd_filename": str(file), "htpasswd_encryption": "plain"}
    application = make_application(tmp_path / "data", auth=auth)
    yield lambda name: Client(application, name)
    application.close()


def test_names_that_differ_in_case_only_are_two_people(passwords: Callable[..., Client]) -> None:
    anna = passwords("anna")
    assert anna.put("/anna/calendar/a.ics", event("a", f"SUMMARY:{SECRET}")).status == 201
    sent = f"<propertyupdate {DAV}><set><prop><displayname>{SECRET}</displayname></prop></set></propertyupdate>"
    assert anna.proppatch("/anna/", sent).status == 207
    for name in ("Anna", "ANNA"):
        other = passwords(name)
        for home in ("anna", name):
            for place in ("", "calendar/", "calendar/a.ics"):
                for how, (method, body, headers) in ASKING.items():
                    answer = other.request(method, f"/{home}/{place}", body, **headers)
                    assert SECRET.encode() not in answer.body, (name, home, place, how)
                    assert answer.status < 500, (name, home, place, how, answer.body)
        for report in ("match", "search", "acl", "expand"):
            answer = other.report("/", REPORTS[report], Depth="0")
            assert SECRET not in answer.text, (name, report)
    assert anna.get("/anna/calendar/a.ics").status == 200


def test_a_name_is_not_given_a_part_in_the_home_of_its_twin(passwords: Callable[..., Client]) -> None:
    """The first collections are made for him who logs in, nobody else."""
    passwords("Anna").propfind("/Anna/", Depth="0")
    answer = passwords("anna").propfind("/anna/", Depth="1")
    assert answer.status in (207, 404)
    assert passwords("anne\u0301").propfind("/anne%CC%81/", Depth="0").status < 500


def test_names_that_are_no_segment_of_a_path_do_not_log_in(passwords: Callable[..., Client]) -> None:
    for name in (".web", "..", "a/b"):
        assert passwords(name).propfind("/", Depth="0").status == 401


# --- shares -----------------------------------------------------------------------------------------------------------


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


# --- redirects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefix", ["//evil", "/\\evil", "///evil/x", "/ /evil", "http://evil", "\\\\evil", "/..//evil"]
)
def test_a_redirect_stays_here(anna: Client, prefix: str) -> None:
    for path in ("/", "/.well-known/caldav", "/.web"):
        answer = anna.request("GET", path, X_Script_Name=prefix)
        location = answer.headers.get("Location", "/")
        assert answer.status in (200, 301, 302, 400), (path, answer.status)
        assert re.match(r"/(?![/\\])", location) or location.startswith(".web"), (path, location)


def test_a_redirect_stays_here_whatever_the_path(nobody: Client) -> None:
    for path in ("//evil/.well-known/caldav", "/%5Cevil/.well-known/caldav", "//evil/%2e%2e", "//evil"):
        answer = nobody.get(path)
        assert answer.headers.get("Location", "/") in ("/", "/.web"), path
