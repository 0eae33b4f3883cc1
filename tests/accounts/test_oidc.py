"""Signing in at a provider, against a provider process that lies where it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from calsync.accounts.oidc import CONCURRENT, BadToken, Claims, Fetched, Provider, ProviderDown, Settings, SignInFailed
from calsync.outbound import guard_for
from tests.services.processes import OidcProvider
from tests.services.provider import CLIENT, SECRET, unsigned

BACK = "http://localhost:5232/.calsync/oidc"

LIES = (
    "wrong nonce",
    "no nonce",
    "wrong audience",
    "no audience",
    "two audiences",
    "wrong issuer",
    "expired",
    "not yet",
    "from the future",
    "never expires",
    "wrong at_hash",
    "no subject",
    "none",
    "public key as secret",
    "unlisted",
    "foreign key",
    "mixed up",
)


def party(openid: OidcProvider, now: Callable[[], float] = time.time, **settings: str) -> Provider:
    return Provider(
        Settings(openid.issuer, CLIENT, **{"client_secret": SECRET, **settings}),
        guard_for([openid.issuer]).fetch,
        now,
    )


def come_back(url: str, login: str = "anna") -> dict[str, str]:
    """What the browser brings back from the provider's page."""
    answer = requests.get(url, params={"login": login}, allow_redirects=False, timeout=60)
    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def sign_in(provider: Provider, login: str = "anna") -> Claims:
    url, kept = provider.begin(BACK)
    return provider.finish(kept, come_back(url, login))


def test_who_signs_in_is_told(openid: OidcProvider) -> None:
    claims = sign_in(party(openid))
    assert (claims.issuer, claims.name, claims.email) == (openid.issuer, "anna", "anna@example.org")
    assert claims.groups == {"family", "staff"}
    assert claims.subject and claims.displayname == "Anna"


def test_what_the_token_lacks_is_asked_of_userinfo(openid: OidcProvider) -> None:
    openid.control(fault="thin")
    assert sign_in(party(openid)).groups == {"family", "staff"}


def test_userinfo_of_somebody_else_is_not_believed(openid: OidcProvider) -> None:
    provider = party(openid, groups_claim="roles")
    openid.control(fault="wrong userinfo")
    with pytest.raises(SignInFailed, match="another user"):
        sign_in(provider)


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(openid: OidcProvider, lie: str) -> None:
    openid.control(fault=lie)
    with pytest.raises(SignInFailed):
        sign_in(party(openid))


def test_the_state_belongs_to_one_sign_in(openid: OidcProvider) -> None:
    provider = party(openid)
    url, _ = provider.begin(BACK)
    _, kept = provider.begin(BACK)
    with pytest.raises(SignInFailed, match="another sign-in"):
        provider.finish(kept, come_back(url))


def test_a_stolen_code_lacks_the_verifier(openid: OidcProvider) -> None:
    provider = party(openid)
    url, kept = provider.begin(BACK)
    query = come_back(url)
    with pytest.raises(SignInFailed, match="no token"):
        provider.finish({**kept, "verifier": "x" * 64}, query)


def test_a_code_counts_once(openid: OidcProvider) -> None:
    provider = party(openid)
    url, kept = provider.begin(BACK)
    query = come_back(url)
    assert provider.finish(kept, query)
    with pytest.raises(SignInFailed, match="no token"):
        provider.finish(kept, query)


def test_a_sign_in_has_its_time(openid: OidcProvider) -> None:
    url, kept = party(openid).begin(BACK)
    query = come_back(url)
    with pytest.raises(SignInFailed, match="too long"):
        party(openid, now=lambda: time.time() + 601).finish(kept, query)


def test_a_refusal_is_told_in_its_words(openid: OidcProvider) -> None:
    with pytest.raises(SignInFailed, match="you may not"):
        sign_in(party(openid), "nobody")


def test_an_address_must_be_verified_to_name_somebody(openid: OidcProvider) -> None:
    assert sign_in(party(openid, user_claim="email")).name == "anna@example.org"
    assert sign_in(party(openid, user_claim="email"), "mallory").name == ""


def test_a_provider_that_is_down_is_told_apart(openid: OidcProvider) -> None:
    provider = party(openid)
    url, kept = provider.begin(BACK)
    query = come_back(url)
    openid.control(fault="down")
    with pytest.raises(ProviderDown):
        provider.finish(kept, query)
    with pytest.raises(ProviderDown):
        party(openid).begin(BACK)


def test_a_configuration_must_be_the_issuers_own(openid: OidcProvider) -> None:
    openid.control(fault="another's configuration")
    with pytest.raises(ProviderDown, match="oidc_issuer"):
        party(openid).begin(BACK)


# --- access tokens ----------------------------------------------------------------------------------------------------


def test_an_access_token_stands_for_its_subject(openid: OidcProvider) -> None:
    claims = party(openid).access(openid.token("anna"))
    assert (claims.name, claims.groups) == ("anna", {"family", "staff"})
    assert claims.expires is not None and claims.expires > time.time()


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"exp": None},
        {"exp": "never"},
        {"nbf": 2**40},
        {"sub": None},
        {"typ": "ID"},
        {"at_hash": "x"},
    ],
    ids=str,
)
def test_an_access_token_that_does_not_hold(openid: OidcProvider, claims: dict[str, object]) -> None:
    with pytest.raises(BadToken):
        party(openid).access(openid.token("anna", **claims))


def test_an_audience_of_its_own(openid: OidcProvider) -> None:
    token = openid.token("anna", aud=["dav", "other"])
    assert party(openid, audience="dav").access(token).name == "anna"
    with pytest.raises(BadToken):
        party(openid).access(token)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_an_algorithm_that_needs_no_private_key(openid: OidcProvider, algorithm: str) -> None:
    token = openid.control(login="anna", sign={}, header={"alg": algorithm})["token"]
    with pytest.raises(BadToken, match="algorithm"):
        party(openid).access(token)


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "..", unsigned({}), "é.é.é", "x" * 20_000 + ".."])
def test_what_is_no_token_is_refused_without_asking(openid: OidcProvider, token: str) -> None:
    openid.control()
    with pytest.raises(BadToken):
        party(openid).access(token)
    assert openid.control()["requests"] == ["/control"]


def test_keys_are_fetched_again_when_they_are_rotated_and_not_without_end(openid: OidcProvider) -> None:
    provider = party(openid)
    before = openid.token("anna")
    assert provider.access(before)
    openid.control(rotate=True)
    after = openid.token("anna")
    # Just fetched: an unknown key is not asked for at once, whoever sends it.
    for _ in range(3):
        with pytest.raises(BadToken):
            provider.access(after)
    assert "/keys" not in openid.control()["requests"]
    assert party(openid).access(after)


def test_a_token_that_was_taken_back_is_inactive(openid: OidcProvider) -> None:
    provider = party(openid)
    token = openid.control(opaque="anna")["token"]
    assert provider.access(token, introspect=True).name == "anna"
    openid.control(revoke=token)
    with pytest.raises(BadToken, match="not active"):
        provider.access(token, introspect=True)


def test_the_provider_is_not_asked_by_everybody_at_once(openid: OidcProvider) -> None:
    """Whoever makes tokens up must not have every worker wait for it."""
    guard = guard_for([openid.issuer])
    asked, go_on = threading.Semaphore(0), threading.Event()

    def slow(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Fetched:
        if method == "POST":
            asked.release()
            assert go_on.wait(60)
        return guard.fetch(method, url, headers, body)

    provider = Provider(Settings(openid.issuer, CLIENT, SECRET), slow)
    with ThreadPoolExecutor(CONCURRENT) as pool:
        running = [pool.submit(provider.access, f"made up {number}", introspect=True) for number in range(CONCURRENT)]
        assert all(asked.acquire(timeout=60) for _ in running)
        with pytest.raises(ProviderDown, match="too many"):
            provider.access("one more", introspect=True)
        go_on.set()
        assert [type(one.exception()) for one in running] == [BadToken] * CONCURRENT
    with pytest.raises(BadToken):
        provider.access("another", introspect=True)


def test_keys_at_hand_hold_while_the_provider_is_down(openid: OidcProvider) -> None:
    provider = party(openid)
    token = openid.token("anna")
    assert provider.access(token)
    openid.control(fault="down")
    assert provider.access(token).name == "anna"
    with pytest.raises(ProviderDown):
        party(openid).access(token)
