"""App passwords that open less than their account: every method and report, in scope, out of it, and read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from calsync.accounts.accounts import Accounts
from calsync.accounts.scopes import ALL, Scope
from calsync.app import Application
from calsync.dav import registry
from calsync.store.schema import revision
from calsync.store.statement import Prepared
from calsync.webdav import parse
from calsync.webdav.names import CR, C, D
from calsync.webdav.requests import AclPrincipalPropSet, PrincipalPropertySearch, PrincipalSearchPropertySet
from tests.dav.conftest import PASSWORD, Client, card, event, make_application

SECRET = "Confidential meeting"
CALENDAR = {"content_type": "text/calendar"}
CARD = {"content_type": "text/vcard"}

BOOK = (
    '<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype><collection/>'
    "<CR:addressbook/></resourcetype></prop></set></mkcol>"
)
NAME = '<propertyupdate xmlns="DAV:"><set><prop><displayname>renamed</displayname></prop></set></propertyupdate>'
LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token/><sync-level>{}</sync-level><prop><getetag/><displayname/></prop>'
    "</sync-collection>"
)
CALENDAR_QUERY = (
    '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>'
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)
CARD_QUERY = (
    '<C:addressbook-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><prop><getetag/><C:address-data/>'
    "</prop></C:addressbook-query>"
)
BUSY = (
    '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
    '<C:time-range start="20260101T000000Z" end="20270101T000000Z"/></C:free-busy-query>'
)
EXPAND = (
    '<expand-property xmlns="DAV:"><property name="reference" namespace="urn:x"><property name="displayname"/>'
    '<property name="getetag"/></property><property name="displayname"/></expand-property>'
)
MATCH = (
    '<principal-match xmlns="DAV:"><principal-property><owner/></principal-property><prop><displayname/></prop>'
    "</principal-match>"
)
SEARCH = (
    '<principal-property-search xmlns="DAV:" test="anyof"><property-search><prop><displayname/></prop><match>b</match>'
    "</property-search><prop><displayname/></prop></principal-property-search>"
)


def multiget(kind: str, *hrefs: str) -> str:
    space, data = ("caldav", "calendar") if kind == "calendar" else ("carddav", "address")
    named = "".join(f"<href>{href}</href>" for href in hrefs)
    return (
        f'<C:{kind}-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:{space}"><prop><getetag/><C:{data}-data/>'
        f"</prop>{named}</C:{kind}-multiget>"
    )


def bulk(href: str) -> str:
    return (
        '<M:multiput xmlns="DAV:" xmlns:M="http://me.com/_namespace/">'
        f"<M:resource><href>{href}</href><M:delete/></M:resource></M:multiput>"
    )


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    """anna: two calendars, two address books; in each first one something that must not be seen from outside."""
    application = make_application(tmp_path / "data", calsync={"directory": "all"})
    assert application.store is not None
    accounts = Accounts(application.store)
    accounts.create("anna", PASSWORD)
    accounts.create("bert", PASSWORD)
    anna = Client(application)
    for name in ("work", "home"):
        assert anna.mkcalendar(f"/anna/{name}/").status == 201
        assert anna.put(f"/anna/{name}/e.ics", event(f"{name}-1", f"SUMMARY:{SECRET}"), **CALENDAR).status == 201
    for name in ("friends", "club"):
        assert anna.mkcol(f"/anna/{name}/", BOOK).status == 201
        assert anna.put(f"/anna/{name}/c.vcf", card(f"{name}-1", name=SECRET), **CARD).status == 201
    yield application
    application.close()


@dataclass(frozen=True)
class Case:
    """A scope, a collection that is in it, one of its members, and the same of one that is not."""

    scope: Scope
    inside: str
    member: str
    outside: str
    foreign: str

    @property
    def is_book(self) -> bool:
        return self.member.endswith(".vcf")


CASES = {
    "calendars": Case(Scope("calendars"), "/anna/work/", "e.ics", "/anna/friends/", "c.vcf"),
    "contacts": Case(Scope("contacts"), "/anna/friends/", "c.vcf", "/anna/work/", "e.ics"),
    "a calendar": Case(Scope.of_paths("/anna/work/"), "/anna/work/", "e.ics", "/anna/home/", "e.ics"),
    "an address book": Case(Scope.of_paths("/anna/club/"), "/anna/club/", "c.vcf", "/anna/friends/", "c.vcf"),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def device(application: Application) -> Callable[..., Client]:
    assert application.store is not None
    accounts = Accounts(application.store)

    def made(scope: Scope = ALL, *, read_only: bool = False, user: str = "anna") -> Client:
        secret, _ = accounts.add_token(user, "phone", scope=scope, read_only=read_only)
        return Client(application, user, secret)

    return made


def _object(path: str, uid: str) -> tuple[bytes, dict[str, str]]:
    return (card(uid), CARD) if path.endswith(".vcf") else (event(uid), CALENDAR)


def reading(case: Case) -> list[tuple[str, str, str, dict[str, str]]]:
    """Every way to see what is out of scope: method, path, body, headers."""
    out, foreign = case.outside, f"{case.outside}{case.foreign}"
    found = [
        ("GET", foreign, "", {}),
        ("HEAD", foreign, "", {}),
        ("GET", out, "", {}),
        ("COPY", foreign, "", {"destination": f"{case.inside}stolen.{foreign[-3:]}"}),
        ("COPY", out, "", {"destination": "/anna/stolen/"}),
        ("MOVE", foreign, "", {"destination": f"{case.inside}stolen.{foreign[-3:]}"}),
    ]
    found += [("PROPFIND", path, "", {"depth": depth}) for path in (out, foreign) for depth in ("0", "1", "infinity")]
    reports = [SYNC.format(1), CALENDAR_QUERY, CARD_QUERY, BUSY, EXPAND, MATCH]
    reports += [multiget(kind, foreign) for kind in ("calendar", "addressbook")]
    found += [("REPORT", path, body, {}) for path in (out, foreign) for body in reports]
    return found


def writing(collection: str, name: str) -> list[tuple[str, str, bytes | str, dict[str, str]]]:
    """Every way to change a collection or what is in it."""
    member = f"{collection}{name}"
    octets, kind = _object(name, "new")
    other = f"{collection}other.{name[-3:]}"
    return [
        ("PUT", other, octets, kind),
        ("PUT", member, octets, kind),
        ("PUT", collection, octets, kind),
        ("POST", f"{collection}?add-member", octets, kind),
        ("POST", collection, octets, kind),
        ("POST", collection, bulk(member), {"content_type": "application/xml"}),
        ("PROPPATCH", member, NAME, {}),
        ("PROPPATCH", collection, NAME, {}),
        ("LOCK", member, LOCK, {}),
        ("LOCK", other, LOCK, {}),
        ("LOCK", collection, LOCK, {}),
        ("COPY", member, "", {"destination": other}),
        ("MOVE", member, "", {"destination": other}),
        ("MOVE", collection, "", {"destination": "/anna/elsewhere/"}),
        ("DELETE", member, "", {}),
        ("DELETE", collection, "", {}),
    ]


def test_nothing_out_of_scope_is_seen(device: Callable[..., Client], case: Case) -> None:
    phone = device(case.scope)
    for method, path, body, headers in reading(case):
        answer = phone.request(method, path, body, **headers)
        assert answer.status == 403, (method, path, body, answer.status, answer.body)
        assert SECRET.encode() not in answer.body


def test_nothing_out_of_scope_is_changed(application: Application, device: Callable[..., Client], case: Case) -> None:
    phone, owner = device(case.scope), Client(application)
    everything = [owner.propfind(path, depth="1").body for path in ("/anna/", case.outside)]
    for method, path, body, headers in writing(case.outside, case.foreign):
        answer = phone.request(method, path, body, **headers)
        assert answer.status == 403, (method, path, answer.status, answer.body)
    target = f"{case.outside}new.{case.member[-3:]}"
    for method in ("COPY", "MOVE"):
        answer = phone.request(method, f"{case.inside}{case.member}", destination=target)
        assert answer.status == 403, (method, answer.status)
    assert [owner.propfind(path, depth="1").body for path in ("/anna/", case.outside)] == everything


def test_what_is_in_scope_works(device: Callable[..., Client], case: Case) -> None:
    phone = device(case.scope)
    octets, kind = _object(case.member, "new")
    inside, member = case.inside, f"{case.inside}{case.member}"
    fresh = f"{inside}new.{case.member[-3:]}"
    assert phone.put(fresh, octets, **kind).status == 201
    assert SECRET in phone.get(member).text
    report = multiget("addressbook" if case.is_book else "calendar", member, f"{case.outside}{case.foreign}")
    answer = phone.report(inside, report)
    assert SECRET in answer.text and answer.statuses[f"{case.outside}{case.foreign}"] == 404
    assert set(phone.report(inside, SYNC.format(1)).statuses) == {member, fresh}
    assert phone.proppatch(inside, NAME).status == 207
    assert phone.delete(fresh).status == 204


def test_a_phone_finds_its_way_and_only_what_is_in_scope(device: Callable[..., Client], case: Case) -> None:
    phone = device(case.scope)
    root = phone.props("/", D("current-user-principal"))
    assert root.prop("/", D("current-user-principal"))[1][0].text == "/anna/"
    home_set = CR("addressbook-home-set") if case.is_book else C("calendar-home-set")
    assert phone.props("/anna/", home_set).prop("/anna/", home_set)[1][0].text == "/anna/"
    for path, depth in (("/anna/", "1"), ("/anna/", "infinity"), ("/", "infinity")):
        listed = phone.propfind(path, depth=depth)
        assert case.inside in listed.statuses and case.outside not in listed.statuses, (path, depth)
    for level in ("1", "infinite"):
        synced = phone.report("/anna/", SYNC.format(level)).statuses
        assert case.inside in synced and not any(href.startswith(case.outside) for href in synced)
    assert case.outside not in phone.report("/anna/", MATCH).statuses


def test_a_query_of_the_home_and_its_busy_times_keep_to_the_scope(device: Callable[..., Client]) -> None:
    chosen, contacts = device(Scope.of_paths("/anna/work/")), device(Scope("contacts"))
    assert set(chosen.report("/anna/", CALENDAR_QUERY).statuses) == {"/anna/work/e.ics"}
    assert contacts.report("/anna/", CALENDAR_QUERY).statuses == {}
    assert "FREEBUSY:" not in contacts.report("/anna/", BUSY, depth="infinity").text.replace("BEGIN:VFREEBUSY", "")
    busy = "FREEBUSY" + chosen.report("/anna/", BUSY, depth="infinity").text.partition("\r\nFREEBUSY")[2]
    assert "20260301T100000Z" in busy


def test_hrefs_in_properties_do_not_lead_out(application: Application, device: Callable[..., Client]) -> None:
    reference = (
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><reference xmlns="urn:x"><D:href>/anna/friends/c.vcf</D:href>'
        "<D:href>/anna/work/e.ics</D:href></reference></D:prop></D:set></D:propertyupdate>"
    )
    assert Client(application).proppatch("/anna/work/", reference).status == 207
    answer = device(Scope("calendars")).report("/anna/work/", EXPAND)
    found = {one.findtext(D("href")): one for one in answer.multistatus.responses[0].props["{urn:x}reference"][1]}
    assert "404" in found["/anna/friends/c.vcf"].findtext(D("status"), "")
    assert found["/anna/work/e.ics"].find(f".//{D('getetag')}") is not None


def test_the_matrix_leaves_no_method_and_no_report_out() -> None:
    case = CASES["calendars"]
    tried = [*reading(case), *writing("/anna/work/", "e.ics")]
    elsewhere = {"OPTIONS", "UNLOCK", "MKCOL", "MKCALENDAR"}
    assert {method for method, *_ in tried} | elsewhere == set(registry.METHODS)
    reports = [(parse.report(body.encode(), "")) for method, _, body, _ in tried if method == "REPORT"]
    # The rest are about principals, and tell nothing of collections.
    people = {AclPrincipalPropSet, PrincipalPropertySearch, PrincipalSearchPropertySet}
    assert {type(one) for one in reports} | people == set(registry.REPORTS)


def test_conditions_do_not_tell(application: Application, device: Callable[..., Client]) -> None:
    etag = Client(application).get("/anna/friends/c.vcf").etag
    phone = device(Scope("calendars"))
    answer = phone.put("/anna/work/x.ics", event("x"), If=f"</anna/friends/c.vcf> ([{etag}])", **CALENDAR)
    assert answer.status == 412


def test_which_collections_may_be_made(device: Callable[..., Client]) -> None:
    calendars, contacts = device(Scope("calendars")), device(Scope("contacts"))
    chosen = device(Scope.of_paths("/anna/work/", "/anna/soon/"))
    assert calendars.mkcalendar("/anna/c1/").status == 201 and calendars.mkcol("/anna/b1/", BOOK).status == 403
    assert contacts.mkcol("/anna/b2/", BOOK).status == 201 and contacts.mkcalendar("/anna/c2/").status == 403
    assert [chosen.mkcalendar("/anna/soon/").status, chosen.mkcol("/anna/soon/", BOOK).status] == [403, 403]
    assert chosen.put("/anna/soon/", event(), **CALENDAR).status == 403
    assert calendars.put("/anna/c3/", event(), **CALENDAR).status == 201
    assert calendars.put("/anna/b3/", card(), **CARD).status == 403
    assert calendars.mkcol("/anna/plain/").status == 403
    assert calendars.copy("/anna/work/", destination="/anna/copied/").status == 201
    assert calendars.delete("/anna/c1/").status == 204
    # What was chosen is there as long as its owner wants it.
    assert chosen.delete("/anna/work/").status == 403
    assert chosen.move("/anna/work/", destination="/anna/gone/").status == 403


@pytest.mark.parametrize("scope", [ALL, Scope("calendars"), Scope.of_paths("/anna/work/")], ids=str)
def test_read_only_changes_nothing(application: Application, device: Callable[..., Client], scope: Scope) -> None:
    phone, owner = device(scope, read_only=True), Client(application)
    before = owner.propfind("/anna/", depth="infinity").body
    tries = writing("/anna/work/", "e.ics")
    tries += [
        ("MKCALENDAR", "/anna/new/", "", {}),
        ("MKCOL", "/anna/new/", BOOK, {}),
        ("PUT", "/anna/new/", event(), CALENDAR),
        ("COPY", "/anna/work/", "", {"destination": "/anna/new/"}),
        ("PROPPATCH", "/anna/", NAME, {}),
        ("POST", "/.sharing/v1/map/create", "{}", {}),
        ("GET", "/.web/", "", {}),
    ]
    for method, path, body, headers in tries:
        answer = phone.request(method, path, body, **headers)
        assert answer.status == 403, (method, path, answer.status, answer.body)
    assert owner.propfind("/anna/", depth="infinity").body == before
    assert SECRET in phone.get("/anna/work/e.ics").text


def test_a_lock_of_ones_own_stays_where_the_device_may_not_write(
    application: Application, device: Callable[..., Client]
) -> None:
    token = Client(application).lock("/anna/work/e.ics", LOCK).headers["Lock-Token"]
    for phone in (device(read_only=True), device(Scope("contacts"))):
        assert phone.unlock("/anna/work/e.ics", lock_token=token).status == 403
    assert device(Scope("calendars")).unlock("/anna/work/e.ics", lock_token=token).status == 204


def _held(client: Client, path: str) -> set[str]:
    _, element = client.props(path, D("current-user-privilege-set")).prop(path, D("current-user-privilege-set"))
    return {privilege[0].tag.partition("}")[2] for privilege in element}


def test_privileges_tell_it(device: Callable[..., Client]) -> None:
    assert {"read", "write", "bind"} <= _held(device(Scope("calendars")), "/anna/work/")
    assert "write" not in _held(device(read_only=True), "/anna/work/")
    assert _held(device(Scope("contacts"), read_only=True), "/anna/") == {"read", "read-current-user-privilege-set"}
    assert {"bind", "unbind"} == _held(device(Scope("calendars")), "/anna/") - {
        "read",
        "read-current-user-privilege-set",
        "read-free-busy",
    }
    assert "bind" not in _held(device(Scope.of_paths("/anna/work/")), "/anna/")


@pytest.mark.parametrize("path", ["/.web/", "/.web", "/.sharing/v1/all/list", "/.mobileconfig"])
def test_pages_are_not_for_limited_devices(device: Callable[..., Client], path: str) -> None:
    for phone in (device(Scope("calendars")), device(Scope.of_paths("/anna/work/")), device(read_only=True)):
        assert {phone.get(path).status, phone.post(path, "{}").status} == {403}


def test_chosen_collections_find_nobody(device: Callable[..., Client]) -> None:
    assert "/bert/" in device(Scope("calendars")).report("/", SEARCH).statuses
    assert "/bert/" not in device(Scope.of_paths("/anna/work/")).report("/", SEARCH).statuses


def test_a_gone_collection_is_told_to_those_who_saw_it(application: Application, device: Callable[..., Client]) -> None:
    phone = device(Scope.of_paths("/anna/work/"))
    token = phone.report("/anna/", SYNC.format(1)).multistatus.sync_token
    assert Client(application).delete("/anna/home/").status == 204
    assert Client(application).delete("/anna/work/").status == 204
    changed = phone.report("/anna/", SYNC.format(1).replace("<sync-token/>", f"<sync-token>{token}</sync-token>"))
    assert changed.statuses == {"/anna/work/": 404}


def test_a_chosen_calendar_does_not_open_one_of_a_longer_name(
    application: Application, device: Callable[..., Client]
) -> None:
    assert Client(application).mkcalendar("/anna/work2/").status == 201
    assert device(Scope.of_paths("/anna/work/")).propfind("/anna/work2/", depth="0").status == 403


def test_another_home_stays_closed(device: Callable[..., Client]) -> None:
    phone = device(Scope.of_paths("/bert/work/"))
    assert phone.propfind("/bert/", depth="1").status == 403
    assert phone.mkcalendar("/bert/work/").status == 403


def test_a_new_user_may_begin_with_a_limited_device(application: Application, device: Callable[..., Client]) -> None:
    phone = device(Scope("contacts"), read_only=True, user="bert")
    assert list(phone.propfind("/bert/", depth="1").statuses) == ["/bert/", "/bert/contacts/"]
    assert len(Client(application, "bert").propfind("/bert/", depth="1").statuses) == 4


def test_a_guest_has_no_home_of_its_own(application: Application) -> None:
    assert application.store is not None
    Accounts(application.store).create("gast", PASSWORD, role="guest")
    guest = Client(application, "gast")
    assert list(guest.propfind("/gast/", depth="1").statuses) == ["/gast/"]
    assert guest.props("/", D("current-user-principal")).status == 207
    tries = [guest.mkcalendar("/gast/cal/"), guest.mkcol("/gast/b/", BOOK), guest.put("/gast/c/", event(), **CALENDAR)]
    tries.append(guest.proppatch("/gast/", NAME))
    assert [answer.status for answer in tries] == [403] * 4
    assert guest.get("/anna/work/e.ics").status == 403
    assert "bind" not in _held(guest, "/gast/")


def test_the_role_is_felt_at_once(application: Application) -> None:
    assert application.store is not None
    bert = Client(application, "bert")
    assert bert.mkcalendar("/bert/one/").status == 201
    Accounts(application.store).set_role("bert", "guest")
    assert bert.mkcalendar("/bert/two/").status == 403
    assert bert.propfind("/bert/one/", depth="0").status == 403


def test_groups_reach_the_rights(tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text(
        "[own]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RWrw\n\n"
        "[club]\ngroups: club\ncollection: anna/work\npermissions: r\n"
    )
    application = make_application(tmp_path / "data", rights={"type": "from_file", "file": str(rights)})
    assert application.store is not None
    accounts = Accounts(application.store)
    for name in ("anna", "bert"):
        accounts.create(name, PASSWORD)
    anna, bert = Client(application), Client(application, "bert")
    assert anna.mkcalendar("/anna/work/").status == 201
    assert bert.propfind("/anna/work/", depth="0").status == 403
    accounts.join("bert", "club")
    assert bert.propfind("/anna/work/", depth="0").status == 207
    accounts.leave("bert", "club")
    assert bert.propfind("/anna/work/", depth="0").status == 403
    application.close()


def test_the_history_names_the_device(application: Application, device: Callable[..., Client]) -> None:
    assert device(Scope("calendars")).put("/anna/work/e.ics", event("work-1"), **CALENDAR).status == 204
    assert application.store is not None
    with application.store.read() as tx:
        actors = tx.all(Prepared(select(revision.c.actor)))
    assert ("anna by phone",) in actors
