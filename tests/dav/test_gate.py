"""The gate: logins, paths, redirects, refusals."""

from __future__ import annotations

from tests.dav.conftest import Client, card, event


def test_options_is_200_with_what_is_registered(anna: Client) -> None:
    answer = anna.options("/anna/")
    assert answer.status == 200  # clients.md 23
    tokens = answer.headers["DAV"].split(", ")
    assert {"1", "3", "access-control", "calendar-access", "addressbook", "extended-mkcol"} <= set(tokens)
    assert "PROPFIND" in answer.headers["Allow"]
    assert "MKCALENDAR" not in answer.headers["Allow"].split(", ")


def test_well_known_is_a_permanent_redirect_for_any_method(nobody: Client) -> None:
    for path in ("/.well-known/caldav", "/.well-known/carddav/", "/.well-known/caldav"):
        for method in ("GET", "PROPFIND"):
            answer = nobody.request(method, path)
            assert (answer.status, answer.headers["Location"]) == (301, "/")
    assert nobody.get("/.well-known/other").status == 404


def test_anonymous_is_asked_to_log_in(nobody: Client) -> None:
    answer = nobody.propfind("/anna/", Depth="0")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')


def test_wrong_password_is_401_and_broken_credentials_too(application, nobody: Client) -> None:  # type: ignore[no-untyped-def]
    assert Client(application, password="wrong").propfind("/anna/").status == 401
    assert Client(application, "unknown").propfind("/anna/").status == 401
    for header in ("Basic !!!", "Basic YW5uYQ==", "Bearer x", "Basic"):
        assert nobody.request("PROPFIND", "/anna/", Authorization=header).status == 401


def test_names_are_compared_without_case(application) -> None:  # type: ignore[no-untyped-def]
    """clients.md 41: iOS capitalises what is typed."""
    capital = Client(application, "Anna")
    answer = capital.props("/", "{DAV:}current-user-principal")
    assert answer.value("/", "{DAV:}current-user-principal") == "/anna/"
    assert capital.props("/Anna/", "{DAV:}resourcetype").status == 207


def test_the_home_of_a_new_user_has_a_book_a_calendar_and_a_task_list(anna: Client) -> None:
    answer = anna.props(
        "/anna/", "{DAV:}resourcetype", "{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set", depth="1"
    )
    hrefs = [one.href for one in answer.multistatus.responses]
    assert hrefs == ["/anna/", "/anna/contacts/", "/anna/calendar/", "/anna/tasks/"]  # clients.md 6, 7
    name = "{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set"
    assert [comp.get("name") for comp in answer.prop("/anna/calendar/", name)[1]] == ["VEVENT"]
    assert [comp.get("name") for comp in answer.prop("/anna/tasks/", name)[1]] == ["VTODO"]


def test_a_foreign_home_is_forbidden_whether_it_exists_or_not(anna: Client) -> None:
    existing, absent = anna.propfind("/bert/x", Depth="0"), anna.propfind("/nemo/x", Depth="0")
    assert existing.status == absent.status == 403
    assert existing.body.replace(b"bert", b"nemo") == absent.body
    assert b"need-privileges" in existing.body


def test_paths_that_cannot_be_are_refused(anna: Client) -> None:
    for path in ("/anna/%00", "/anna/%2Fetc", "/anna/%ff", "/anna/a%0db"):
        assert anna.get(path).status == 400, path
    for path in ("/../etc/passwd", "/anna/../bert/x.ics", "/anna/%2e%2e/bert/x.ics"):
        assert anna.get(path).status in (400, 403, 404), path


def test_unknown_methods_and_methods_that_a_resource_does_not_have(anna: Client) -> None:
    assert anna.request("BREW", "/anna/").status == 501
    answer = anna.request("MKCALENDAR", "/anna/calendar/")
    assert answer.status == 405
    assert "PROPFIND" in answer.headers["Allow"]


def test_a_body_that_breaks_off_is_400_and_nothing_is_done(anna: Client) -> None:
    whole = event()
    answer = anna.request("PUT", "/anna/calendar/a.ics", whole[:-40], CONTENT_LENGTH=str(len(whole)))
    assert answer.status == 400
    assert anna.get("/anna/calendar/a.ics").status == 404


def test_coded_bodies_are_415(anna: Client) -> None:
    assert anna.put("/anna/calendar/a.ics", event(), Content_Encoding="gzip").status == 415


def test_dav_answers_set_no_cookie_and_forbid_sniffing(anna: Client) -> None:
    """clients.md 17."""
    answer = anna.props("/anna/", "{DAV:}displayname")
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_streamed_answers_are_gzipped_where_asked_and_items_never(anna: Client) -> None:
    import gzip

    anna.put("/anna/calendar/a.ics", event())
    answer = anna.request("PROPFIND", "/anna/calendar/", Depth="1", Accept_Encoding="br;q=0.5, gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"multistatus" in gzip.decompress(answer.body)
    assert "Content-Encoding" not in anna.get("/anna/calendar/a.ics", Accept_Encoding="gzip").headers
    assert "Content-Encoding" not in anna.request("PROPFIND", "/anna/", Depth="0", Accept_Encoding="gzip;q=0").headers


def test_the_root_leads_to_our_pages_and_radicales_stays(anna: Client) -> None:
    assert anna.get("/").headers["Location"] == "/.calsync/"
    page = anna.get("/.web/")
    assert (page.status, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")


def test_a_prefix_goes_into_every_href(anna: Client) -> None:
    anna.put("/anna/contacts/a.vcf", card())
    answer = anna.request("PROPFIND", "/anna/contacts/", Depth="1", X_Script_Name="/dav")
    assert [one.href for one in answer.multistatus.responses] == ["/dav/anna/contacts/", "/dav/anna/contacts/a.vcf"]
    assert anna.request("GET", "/.well-known/carddav", X_Script_Name="/dav").headers["Location"] == "/dav/"
