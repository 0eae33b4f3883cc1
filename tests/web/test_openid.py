"""Signing in at an OpenID provider, which is a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from calsync.app import Application
from tests.services.processes import OidcProvider
from tests.services.provider import CLIENT, SECRET
from tests.web.conftest import Person, application_with, hidden

Make = Callable[..., Application]


@pytest.fixture
def make(tmp_path: Path, openid: OidcProvider) -> Iterator[Make]:
    made: list[Application] = []

    def application(**auth: str) -> Application:
        provider = {"oidc_issuer": openid.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        made.append(application_with(tmp_path / "data", auth={**provider, **auth}))
        return made[-1]

    yield application
    for one in made:
        one.close()


def back(begun: requests.Response, login: str) -> str:
    """What the provider's page answers when somebody signs in there: the page of ours, with its query."""
    assert begun.status_code == 303
    there = requests.get(f"{begun.headers['Location']}&login={login}", allow_redirects=False, timeout=60)
    url = urlsplit(there.headers["Location"])
    return f"{url.path.partition('/.calsync/')[2]}?{url.query}"


def test_somebody_from_the_provider_comes_in(make: Make) -> None:
    person = Person(make(oidc_create="True", totp="required"))
    assert "Continue with OpenID Connect" in person.get("sign-in").text
    planted = person.cookie
    begun = person.get("sign-in/openid?next=devices")
    assert "; Path=/.calsync/sign-in/openid/back;" in begun.headers["Set-Cookie"]
    page = back(begun, "carla")
    answer = person.get(page)
    assert answer.headers["Location"] == "/.calsync/devices", "a second step is the provider's to ask for"
    assert person.cookie != planted
    assert "Hello, " in person.get().text
    assert "looked after elsewhere" in person.get("account").text
    assert person.get("account/password").status_code == 404
    token = hidden(person.get().text, "sign-out")["csrf"]
    fields = {"csrf": token, "old": "", "new": "a long new one", "again": "a long new one"}
    assert person.post("account/password", fields).status_code == 404
    assert person.dav("PROPFIND", "/carla/", ("carla", person.add_device())).status_code == 207


def test_what_was_not_begun_here_does_not_end_here(make: Make) -> None:
    application = make(oidc_create="True")
    victim, attacker = Person(application), Person(application)
    page = back(attacker.get("sign-in/openid"), "mallory")
    assert victim.get(page).status_code == 403
    victim.get("sign-in/openid")
    assert victim.get(page).status_code == 403
    assert not victim.is_in
    forged = {"Cookie": "__Secure-calsync-openid=e30=.0000000000000000000000"}
    assert Person(application).get(page, headers=forged).status_code == 403


def test_who_has_no_account_stays_outside(make: Make) -> None:
    person = Person(make())
    answer = person.get(back(person.get("sign-in/openid"), "carla"))
    assert (answer.status_code, "There is no account here for you" in answer.text) == (403, True)
    refused = person.get(back(person.get("sign-in/openid"), "nobody"))
    assert (refused.status_code, "you may not" in refused.text) == (403, True)
    # Somebody called like one of ours there is not that one.
    assert person.get(back(person.get("sign-in/openid"), "anna")).status_code == 403
    assert not person.is_in


def test_the_provider_is_down(make: Make) -> None:
    person = Person(make(oidc_issuer="http://127.0.0.1:9"))
    answer = person.get("sign-in/openid")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_no_provider_no_page(nobody: Person) -> None:
    assert nobody.get("sign-in/openid").status_code == 404
    assert nobody.get("sign-in/openid/back?code=x").status_code == 404
    assert "Continue with" not in nobody.get("sign-in").text
