"""What holds for every page: each is found in the table of routes."""

from __future__ import annotations

import re

import pytest

from calsync.app import Application
from calsync.web import render
from calsync.web.routes import ROUTES, Route, Who
from tests.dav.conftest import event
from tests.web.conftest import HOST, PASSWORD, Person, hidden

PAGES = [route for route in ROUTES if route.get is not None and route.who is not Who.FILE]
#: The form for the code is seen halfway only: `test_second_step` has it.
FORMS = [route for route in ROUTES if route.post is not None and route.who not in (Who.APP, Who.CODE)]


def path(route: Route) -> str:
    return re.sub(r"\{\w+\}", "k3m70w", route.path)


def name(route: Route) -> str:
    return route.path or "start"


@pytest.mark.parametrize("route", PAGES, ids=name)
@pytest.mark.parametrize("signed_in", [True, False])
def test_every_page_is_shut_in(application: Application, route: Route, signed_in: bool) -> None:
    person = Person(application)
    if signed_in:
        person.sign_in()
    answer = person.get(path(route))
    assert answer.status_code in (200, 303, 404)
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)


@pytest.mark.parametrize("route", PAGES, ids=name)
def test_only_who_signed_in_sees_anything(nobody: Person, route: Route) -> None:
    answer = nobody.get(path(route))
    if route.who is Who.ANYBODY:
        assert answer.status_code in (200, 404)
    else:
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/.calsync/sign-in")


@pytest.mark.parametrize("route", FORMS, ids=name)
def test_no_form_is_taken_that_is_not_ours(application: Application, anna: Person, route: Route) -> None:
    token = hidden(anna.get().text, "sign-out")["csrf"]
    other = Person(application)
    other.sign_in()
    strange = hidden(other.get().text, "sign-out")["csrf"]
    page = path(route)
    refusal = "did not come from here"

    def refused(fields: dict[str, str], **headers: str) -> bool:
        answer = anna.post(page, fields, headers=headers)
        return answer.status_code == 403 and refusal in answer.text

    assert refused({"csrf": ""})
    assert refused({"csrf": strange})
    for site in ("cross-site", "same-site"):
        assert refused({"csrf": token}, **{"Sec-Fetch-Site": site})
    for origin in ("https://evil.example", "null", "https://[", f"https://{HOST}.evil.example"):
        assert refused({"csrf": token}, Origin=origin)
    json = anna.post(page, {"csrf": token}, headers={"Content-Type": "application/json"})
    assert json.status_code == 400
    assert anna.is_in
    taken = anna.post(page, {"csrf": token}, headers={"Sec-Fetch-Site": "same-origin", "Origin": anna.root})
    assert refusal not in taken.text


def test_the_sign_in_form_has_a_token_too(nobody: Person) -> None:
    fields = {"login": "anna", "password": PASSWORD}
    assert nobody.post("sign-in", fields).status_code == 403
    nobody.get("sign-in")
    assert nobody.post("sign-in", fields).status_code == 403
    assert not nobody.is_in


@pytest.mark.parametrize(("scheme", "base"), [("https", ""), ("http", ""), ("https", "/dav/cal")])
def test_the_cookie_is_for_the_pages_alone(application: Application, scheme: str, base: str) -> None:
    person = Person(application, scheme=scheme, base=base)
    header = person.sign_in().headers["Set-Cookie"]
    assert f"Path={base}/.calsync/;" in header
    assert "HttpOnly" in header and "SameSite=Lax" in header and "Domain" not in header
    assert ("Secure" in header.split("; ")) is (scheme == "https")
    assert header.startswith("__Secure-" if scheme == "https" else "calsync=")
    assert person.is_in
    for method, place in (("PROPFIND", "/"), ("PROPFIND", "/anna/"), ("OPTIONS", "/"), ("GET", "/"), ("GET", "/.web/")):
        answer = person.dav(method, f"{place}", ("anna", PASSWORD), headers={"Depth": "0"})
        assert "Set-Cookie" not in answer.headers, place
        assert "Cookie" not in answer.request.headers, place
    assert person.dav("GET", "/.calsync/timezones/capabilities").headers.get("Set-Cookie") is None


def test_the_cookie_of_a_session_opens_nothing_but_pages(anna: Person) -> None:
    headers = {"Cookie": f"__Secure-calsync={anna.cookie}"}
    assert anna.dav("PROPFIND", "/anna/", headers=headers).status_code == 401
    assert anna.dav("PUT", "/anna/calendar/x.ics", data=event(), headers=headers).status_code == 401


def test_basic_credentials_open_no_page(nobody: Person) -> None:
    assert nobody.get("devices", auth=("anna", PASSWORD)).status_code == 303


@pytest.mark.parametrize("file", sorted(render.TYPES))
def test_files_are_kept_for_ever_under_the_name_of_their_content(nobody: Person, file: str) -> None:
    digest, octets = render.loaded(file)
    found = nobody.get(f"static/{digest}/{file}")
    assert (found.status_code, found.content) == (200, octets)
    assert "immutable" in found.headers["Cache-Control"]
    assert "Set-Cookie" not in found.headers
    assert nobody.get(f"static/0000/{file}").status_code == 404
    assert f"static/{digest}/{file}" in nobody.get("sign-in").text


def test_methods_and_sizes(nobody: Person) -> None:
    assert nobody.session.request("PUT", f"{nobody.root}/.calsync/sign-in").status_code == 405
    assert nobody.session.delete(f"{nobody.root}/.calsync/devices").headers["Allow"] == "GET, HEAD"
    head = nobody.session.head(f"{nobody.root}/.calsync/sign-in")
    assert (head.status_code, head.content) == (200, b"")
    assert nobody.post("sign-in", {"login": "x" * 100_000}).status_code == 413
    many = "&".join(f"a{number}=1" for number in range(2000))
    nobody.get("sign-in")
    assert (
        nobody.session.post(
            f"{nobody.root}/.calsync/sign-in", many, headers={"Content-Type": "application/x-www-form-urlencoded"}
        ).status_code
        == 400
    )
    bare = nobody.session.get(f"{nobody.root}/.calsync", allow_redirects=False)
    assert (bare.status_code, bare.headers["Location"]) == (301, "/.calsync/")


def test_a_page_in_a_home_is_none_of_ours(anna: Person) -> None:
    assert anna.dav("GET", "/anna/.calsync/sign-in", ("anna", PASSWORD)).status_code == 404
