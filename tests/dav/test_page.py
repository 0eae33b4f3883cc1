"""Radicale's page (`[web] type = internal`): what it loads and the requests that it makes."""

from __future__ import annotations

import re

from tests.dav.conftest import Client, card, event

R = "{http://radicale.org/ns/}"

NAMESPACES = (
    'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" '
    'xmlns:CS="http://calendarserver.org/ns/" xmlns:I="http://apple.com/ns/ical/" xmlns:INF="http://inf-it.com/ns/ab/"'
)
FIND_PRINCIPAL = (
    '<?xml version="1.0" encoding="utf-8" ?><propfind xmlns="DAV:" xmlns:RADICALE="http://radicale.org/ns/"><prop>'
    "<current-user-principal /><displayname /><RADICALE:version /></prop></propfind>"
)
FIND_COLLECTIONS = (
    f'<propfind {NAMESPACES} xmlns:RADICALE="http://radicale.org/ns/"><prop><resourcetype /><RADICALE:displayname />'
    "<I:calendar-color /><INF:addressbook-color /><C:calendar-description /><C:supported-calendar-component-set />"
    "<CR:addressbook-description /><CS:source /><RADICALE:getcontentcount /><getcontentlength />"
    "<current-user-privilege-set /></prop></propfind>"
)


def made(kind: str, inside: str) -> str:
    return (
        f"<mkcol {NAMESPACES}><set><prop><resourcetype><collection />{kind}</resourcetype>{inside}</prop></set></mkcol>"
    )


def test_the_page_and_all_it_loads(nobody: Client) -> None:
    # The root leads to calsync's own pages; this one stays where it is.
    to_pages = nobody.get("/")
    assert (to_pages.status, to_pages.headers["Location"]) == (302, "/.calsync/")
    assert nobody.get("/.web").headers["Location"] == "/.web/"
    page = nobody.get("/.web/")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assets = set(re.findall(r'(?:src|href)="((?:js|css)/[^"]+)"', page.text))
    assert assets
    scripts = ["js/main.js"]
    while scripts:  # and what the scripts import, each from the other
        name = scripts.pop()
        text = nobody.get(f"/.web/{name}").text
        for other in re.findall(r'from "(\.[^"]+)"', text):
            path = re.sub(r"[^/]+/\.\./", "", f"{name.rpartition('/')[0]}/{other}".replace("/./", "/"))
            if path not in assets:
                assets.add(path)
                scripts.append(path)
    assert "js/config.js" in assets
    for name in assets:
        assert nobody.get(f"/.web/{name}").status == 200, name
    assert nobody.get("/.web/js/../../config").status == 400
    assert nobody.request("PUT", "/.web/x", b"x").status in (401, 405)


def test_logging_in(anna: Client, nobody: Client) -> None:
    answer = anna.propfind("/", FIND_PRINCIPAL)  # no Depth
    assert list(answer.statuses) == ["/"], "as stock does, and not everything below"
    first = answer.multistatus.responses[0]
    assert "".join(first.props["{DAV:}current-user-principal"][1].itertext()) == "/anna/"
    assert first.props[f"{R}version"][0] == 200
    assert nobody.propfind("/", FIND_PRINCIPAL).status in (207, 401)
    assert Client(anna.application, "anna", "wrong").propfind("/", FIND_PRINCIPAL).status == 401
    # Where sharing is off, the page wants to hear 404.
    assert anna.post("/.sharing/v1/all/info", b"{}", **{"Content-Type": "application/json"}).status == 404


def test_creating_editing_and_deleting(anna: Client) -> None:
    inside = (
        '<C:supported-calendar-component-set><C:comp name="VEVENT" /><C:comp name="VTODO" />'
        "</C:supported-calendar-component-set><displayname>Work &amp; more</displayname>"
        "<I:calendar-color>#00ff00ff</I:calendar-color><C:calendar-description>what I do</C:calendar-description>"
    )
    assert anna.mkcol("/anna/8a1f/", made("<C:calendar />", inside)).status == 201
    assert anna.put("/anna/8a1f/one.ics", event()).status == 201
    listing = anna.propfind("/anna/", FIND_COLLECTIONS, Depth="1")
    assert listing.value("/anna/8a1f/", f"{R}displayname") == "Work & more"
    assert listing.value("/anna/8a1f/", f"{R}getcontentcount") == "1"
    assert listing.value("/anna/8a1f/", "{http://apple.com/ns/ical/}calendar-color") == "#00ff00ff"

    edited = (
        f"<propertyupdate {NAMESPACES}><set><prop>"
        '<C:supported-calendar-component-set><C:comp name="VEVENT" /><C:comp name="VTODO" />'
        "</C:supported-calendar-component-set><displayname>Play</displayname></prop></set><remove><prop>"
        "<I:calendar-color /><INF:addressbook-color /><CR:addressbook-description /><C:calendar-description />"
        "</prop></remove></propertyupdate>"
    )
    answer = anna.proppatch("/anna/8a1f/", edited)
    assert {status for status, _ in answer.multistatus.responses[0].props.values()} == {200}
    listing = anna.propfind("/anna/", FIND_COLLECTIONS, Depth="1")
    assert listing.value("/anna/8a1f/", f"{R}displayname") == "Play"
    assert listing.prop("/anna/8a1f/", "{http://apple.com/ns/ical/}calendar-color")[0] == 404

    components = "{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set"
    assert anna.proppatch("/anna/8a1f/", edited.replace('<C:comp name="VTODO" />', "")).status == 207
    assert [one.get("name") for one in anna.props("/anna/8a1f/", components).prop("/anna/8a1f/", components)[1]] == [
        "VEVENT"
    ]
    wrong = anna.proppatch("/anna/8a1f/", edited.replace("VTODO", "VNOTHING").replace("Play", "Stay"))
    statuses = {name: status for name, (status, _) in wrong.multistatus.responses[0].props.items()}
    assert (statuses[components], statuses["{DAV:}displayname"]) == (409, 424)

    assert anna.delete("/anna/8a1f/").status in (200, 204)
    assert anna.propfind("/anna/8a1f/", FIND_COLLECTIONS, Depth="0").status == 404


def test_an_address_book_and_a_subscription(anna: Client) -> None:
    book = "<displayname>Team</displayname><INF:addressbook-color>#112233ff</INF:addressbook-color>"
    assert anna.mkcol("/anna/team/", made("<CR:addressbook />", book)).status == 201
    feed = "<displayname>Moon</displayname><CS:source>https://example.com/moon.ics</CS:source>"
    assert anna.mkcol("/anna/moon/", made("<CS:subscribed />", feed)).status == 201
    listing = anna.propfind("/anna/", FIND_COLLECTIONS, Depth="1")
    assert listing.value("/anna/team/", "{http://inf-it.com/ns/ab/}addressbook-color") == "#112233ff"
    source = listing.prop("/anna/moon/", "{http://calendarserver.org/ns/}source")[1]
    assert source.findtext("{DAV:}href") == "https://example.com/moon.ics"
    edited = (
        f"<propertyupdate {NAMESPACES}><set><prop><displayname>Crew</displayname></prop></set><remove><prop>"
        "<C:supported-calendar-component-set /><I:calendar-color /><INF:addressbook-color />"
        "<CR:addressbook-description /><C:calendar-description /></prop></remove></propertyupdate>"
    )
    for path in ("/anna/team/", "/anna/moon/"):
        answer = anna.proppatch(path, edited)
        assert {status for status, _ in answer.multistatus.responses[0].props.values()} == {200}, path
        assert anna.propfind("/anna/", FIND_COLLECTIONS, Depth="1").value(path, f"{R}displayname") == "Crew"


def test_uploading_and_downloading_a_file(anna: Client) -> None:
    two = event("two").replace(b"BEGIN:VCALENDAR\r\n", b"").split(b"BEGIN:VEVENT")[1]
    whole = event("one").replace(
        b"END:VCALENDAR", b"BEGIN:VEVENT" + two.rpartition(b"END:VCALENDAR")[0] + b"END:VCALENDAR"
    )
    uploads = {"/anna/new/": (whole, 2, "UID:two"), "/anna/people/": (card("a") + card("b"), 2, "UID:b")}
    for path, (octets, count, sign) in uploads.items():
        assert anna.put(path, octets, **{"If-None-Match": "*"}).status == 201, path
        listing = anna.propfind("/anna/", FIND_COLLECTIONS, Depth="1")
        assert listing.value(path, f"{R}getcontentcount") == str(count)
        assert sign in anna.get(path).text
        assert anna.put(path, octets, **{"If-None-Match": "*"}).status == 412, path
