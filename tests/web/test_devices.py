from __future__ import annotations

import plistlib
import time

import pytest

from calsync.app import Application
from tests.dav.conftest import event
from tests.web.conftest import HOST, PASSWORD, Person, accounts_of, hidden, secret


def test_a_device_comes_in_with_its_app_password_until_it_is_locked_out(anna: Person) -> None:
    assert "No device has" in anna.get("devices").text
    password = anna.add_device("Anna's <phone>")
    assert anna.dav("PUT", "/anna/calendar/one.ics", ("anna", password), data=event()).status_code == 201
    shown = anna.get("devices").text
    assert "Anna&#39;s &lt;phone&gt;" in shown
    assert password not in shown
    page = f"devices/{password[:5]}{password[6]}/revoke"
    assert "Lock out" in anna.get(page).text
    assert anna.fill(page).headers["Location"] == "/.calsync/devices?done=revoked"
    assert anna.dav("PROPFIND", "/anna/", ("anna", password)).status_code == 401
    # Who locks a device out stays signed in, here and in other browsers.
    assert "locked out" in anna.get("devices?done=revoked").text
    assert anna.get(page).status_code == 404


def test_locking_out_signs_out_no_browser(application: Application, anna: Person) -> None:
    other = Person(application)
    other.sign_in()
    password = anna.add_device()
    anna.fill(f"devices/{password[:5]}{password[6]}/revoke")
    assert anna.is_in and other.is_in


def test_what_a_device_may(anna: Person) -> None:
    contacts = anna.add_device(scope="contacts")
    assert anna.dav("PUT", "/anna/calendar/a.ics", ("anna", contacts), data=event("a")).status_code == 403
    reader = anna.add_device(read_only="1")
    assert anna.dav("PROPFIND", "/anna/calendar/", ("anna", reader)).status_code == 207
    assert anna.dav("PUT", "/anna/calendar/b.ics", ("anna", reader), data=event("b")).status_code == 403
    anna.dav("PROPFIND", "/anna/", ("anna", PASSWORD))
    chosen = anna.add_device(scope="chosen", collection=["/anna/tasks/", "/bert/calendar/"])
    tokens = accounts_of(anna.application).tokens("anna")
    token = next(one for one in tokens if one.id == chosen.replace("-", "")[:6])
    assert token.scope.texts == ["/anna/tasks/"], "of one's own only"
    assert anna.fill("devices/add", label="x", scope="chosen").status_code == 422
    assert anna.fill("devices/add", label="x", scope="everything").status_code == 422
    assert anna.fill("devices/add", label=" \u200b ").status_code == 422


def test_a_device_may_end(anna: Person) -> None:
    anna.add_device("Week", lasts="7")
    (token,) = accounts_of(anna.application).tokens("anna")
    assert token.expires is not None
    assert abs(token.expires - time.time() - 7 * 86400) < 60


def test_a_form_sent_twice_makes_one_device(anna: Person) -> None:
    fields = {**hidden(anna.get("devices/add").text, "devices/add"), "label": "Phone"}
    first = anna.post("devices/add", fields)
    assert secret(first.text)
    again = anna.post("devices/add", fields)
    assert again.headers["Location"] == "/.calsync/devices?done=shown"
    assert len(accounts_of(anna.application).tokens("anna")) == 1


def test_devices_of_others_are_nobodys_business(application: Application, anna: Person) -> None:
    password = anna.add_device()
    bert = Person(application)
    bert.sign_in("bert")
    page = f"devices/{password[:5]}{password[6]}/revoke"
    assert bert.get(page).status_code == 404
    token = hidden(bert.get().text, "sign-out")["csrf"]
    assert bert.post(page, {"csrf": token}).status_code == 404
    assert bert.post("devices/profile", {"csrf": token, "secret": password}).status_code == 404
    assert anna.dav("PROPFIND", "/anna/", ("anna", password)).status_code == 207


@pytest.mark.parametrize(
    ("scheme", "base", "port", "scope"),
    [("https", "", 443, "all"), ("http", "", 80, "calendars"), ("https", "/dav", 443, "contacts")],
)
def test_the_profile_for_apples_devices(
    application: Application, scheme: str, base: str, port: int, scope: str
) -> None:
    person = Person(application, scheme=scheme, base=base)
    person.sign_in()
    page = person.fill("devices/add", label="iPad", scope=scope).text
    fields = hidden(page, "devices/profile")
    answer = person.post("devices/profile", fields)
    assert answer.headers["Content-Type"] == "application/x-apple-aspen-config"
    assert answer.headers["Cache-Control"] == "no-store"
    whole = plistlib.loads(answer.content)
    kinds = {one["PayloadType"]: one for one in whole["PayloadContent"]}
    expected = {"all": {"caldav", "carddav"}, "calendars": {"caldav"}, "contacts": {"carddav"}}[scope]
    assert set(kinds) == {f"com.apple.{kind}.account" for kind in expected}
    ids = [whole["PayloadUUID"], *(one["PayloadUUID"] for one in kinds.values())]
    assert len(set(ids)) == len(ids)
    for one in kinds.values():
        prefix = "CalDAV" if "caldav" in one["PayloadType"] else "CardDAV"
        assert one[f"{prefix}HostName"] == HOST
        assert one[f"{prefix}Port"] == port
        assert one[f"{prefix}UseSSL"] is (scheme == "https")
        assert one[f"{prefix}PrincipalURL"] == f"{scheme}://{HOST}{base}/anna/"
        login = (one[f"{prefix}Username"], one[f"{prefix}Password"])
        assert person.dav("PROPFIND", "/anna/", login, headers={"Depth": "0"}).status_code == 207
    assert plistlib.loads(person.post("devices/profile", fields).content) == whole


def test_no_profile_around_what_does_not_hold(anna: Person) -> None:
    password = anna.add_device()
    token = hidden(anna.get().text, "sign-out")["csrf"]
    for wrong in ("", "x", PASSWORD, password[:-1] + ("0" if password[-1] != "0" else "1")):
        assert anna.post("devices/profile", {"csrf": token, "secret": wrong}).status_code == 404
