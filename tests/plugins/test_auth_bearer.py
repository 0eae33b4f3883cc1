"""`Authorization: Bearer` on DAV, and who the OpenID provider lets in, against a provider process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.accounts.oidc import Claims
from calsync.accounts.scopes import Scope
from calsync.app import Application
from calsync_auth import Auth
from tests.dav.conftest import Answer, Client, make_application
from tests.services.processes import OidcProvider
from tests.services.provider import CLIENT, SECRET

Make = Callable[..., Application]


@pytest.fixture
def make(tmp_path: Path, openid: OidcProvider) -> Iterator[Make]:
    """Applications with the provider and these options in `[auth]`."""
    made: list[Application] = []

    def application(**auth: str) -> Application:
        provider = {"oidc_issuer": openid.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        made.append(make_application(tmp_path / "data", auth={**provider, "throttle": "False", **auth}))
        return made[-1]

    yield application
    for one in made:
        one.close()


def asked(application: Application, token: str, path: str = "/anna/", method: str = "PROPFIND") -> Answer:
    return Client(application, user="").request(method, path, Authorization=f"Bearer {token}", Depth="0")


def auth(application: Application) -> Auth:
    assert isinstance(application._auth, Auth)
    return application._auth


def accounts(application: Application) -> Accounts:
    return auth(application).accounts


def test_the_providers_token_opens_the_account(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True", oidc_create="True")
    token = openid.token("anna")
    assert asked(application, token).status == 207
    assert asked(application, token, "/bert/").status == 403
    assert asked(application, openid.token("anna", aud="another")).status == 401
    assert accounts(application).groups() == {"family": ["anna"], "staff": ["anna"]}


def test_it_is_offered_after_basic_and_only_where_it_is_taken(make: Make, openid: OidcProvider) -> None:
    def offered(application: Application) -> str:
        return Client(application, user="").request("PROPFIND", "/anna/").headers["WWW-Authenticate"]

    offers = offered(make(oidc_bearer="True"))
    assert offers.index("Basic") < offers.index("Bearer")
    application = make(oidc_create="True")
    assert "Bearer" not in offered(application)
    assert asked(application, openid.token("anna")).status == 401


def test_nobody_gets_an_account_unless_that_is_wanted(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True")
    assert asked(application, openid.token("anna")).status == 401
    assert accounts(application).listing() == []


def test_a_name_alone_does_not_open_an_account_that_there_is(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True", oidc_create="True")
    accounts(application).create("anna", "her password")
    assert asked(application, openid.token("anna")).status == 401
    assert asked(make(oidc_bearer="True", oidc_link="True"), openid.token("Anna")).status == 207


def test_a_name_that_is_given_anew_opens_nothing_of_its_former_owner(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True", oidc_link="True")
    accounts(application).create("anna", "her password")
    assert asked(application, openid.token("anna", sub="1")).status == 207
    assert asked(application, openid.token("anna", sub="2")).status == 401
    assert asked(application, openid.token("anna", sub="1")).status == 207


def test_a_home_without_an_account_is_not_given_away(make: Make, openid: OidcProvider) -> None:
    """Its owner was removed, or has always come in another way; whoever is called so at the provider is a stranger."""
    application = make(oidc_bearer="True", oidc_create="True")
    accounts(application).create("anna", "her password")
    old = Client(application, password="her password")
    assert old.request("MKCALENDAR", "/anna/diary/").status == 201
    accounts(application).remove("anna")
    assert asked(application, openid.token("anna", sub="2")).status == 401
    assert asked(make(oidc_bearer="True", oidc_create="True", oidc_link="True"), openid.token("anna")).status == 207


def test_what_the_provider_says_of_somebody_is_clean_text(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True", oidc_create="True")
    bad = {"email": "a\n\x00b@example.org", "name": "Anna\x1b[2J" + "a" * 5000}
    assert asked(application, openid.token("anna", **bad)).status == 207
    (account,) = accounts(application).listing()
    assert account.email == "" and account.displayname.startswith("Anna[2J") and len(account.displayname) <= 100


def test_a_bearer_token_that_does_not_hold_is_told_so(make: Make, openid: OidcProvider) -> None:
    """RFC 6750 §3.1: a client then gets itself another one."""
    application = make(oidc_bearer="True")
    told = asked(application, openid.token("anna", exp=1)).headers["WWW-Authenticate"]
    assert told.startswith("Basic ") and told.endswith('error="invalid_token"')
    assert "error=" not in Client(application, user="").request("PROPFIND", "/anna/").headers["WWW-Authenticate"]


def test_a_token_that_has_expired_is_told_so_as_often_as_it_comes(make: Make, openid: OidcProvider) -> None:
    """A client gets itself another one after a 401, and none after a 429; nor does its neighbour have to wait."""
    application = make(oidc_bearer="True", oidc_create="True", throttle="True")
    accounts(application).create("bert", "his password")
    home = {"X-Forwarded-For": "203.0.113.9"}
    client = Client(application, user="", headers=home)
    old = f"Bearer {openid.token('anna', exp=1)}"
    assert {client.request("PROPFIND", "/", Authorization=old).status for _ in range(30)} == {401}
    assert Client(application, "bert", "his password", home).request("PROPFIND", "/").status == 207


def test_whoever_is_renamed_there_keeps_the_account(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True", oidc_create="True")
    assert asked(application, openid.token("anna", sub="1")).status == 207
    assert asked(application, openid.token("anne", sub="1")).status == 207
    assert [account.name for account in accounts(application).listing()] == ["anna"]


def test_a_disabled_account_and_an_expired_token_are_refused_at_once(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True", oidc_create="True")
    token = openid.token("anna")
    assert asked(application, token).status == 207
    accounts(application).set_disabled("anna", True)
    assert asked(application, token).status == 401


def test_tokens_that_only_the_provider_understands(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True", oidc_create="True", oidc_introspect="True")
    assert asked(application, openid.control(opaque="anna")["token"]).status == 207
    assert asked(application, "nonsense").status == 401


def test_a_provider_that_is_down_is_503_and_app_passwords_work_on(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_bearer="True", oidc_create="True")
    accounts(application).create("bert", None)
    phone = accounts(application).add_token("bert", "phone")[0]
    openid.control(fault="down")
    answer = asked(application, openid.token("anna"))
    assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert Client(application, user="bert", password=phone).request("PROPFIND", "/bert/", Depth="0").status == 207
    assert asked(application, phone, "/bert/").status == 207


def test_an_app_password_is_a_bearer_token_with_its_scope(tmp_path: Path) -> None:
    application = make_application(tmp_path / "data", auth={"throttle": "False"})
    own = accounts(application)
    own.create("anna", "her password")
    whole, limited = (own.add_token("anna", "phone", scope=Scope(kind))[0] for kind in ("all", "contacts"))
    assert asked(application, whole, "/anna/work/", "MKCALENDAR").status == 201
    assert asked(application, limited, "/anna/work/", "PROPFIND").status in (403, 404)
    assert asked(application, whole.upper().replace("-", "")).status == 207
    assert asked(application, whole[:-1] + ("0" if whole[-1] != "0" else "1")).status == 401
    assert asked(application, "her password").status == 401
    application.close()


def test_the_secret_may_stand_in_a_file(make: Make, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    provider = auth(make(oidc_client_secret="", oidc_client_secret_file=str(tmp_path / "secret"))).provider
    assert provider is not None and provider.settings.client_secret == SECRET


def test_the_sign_in_page_gets_an_account(make: Make, openid: OidcProvider) -> None:
    application = make(oidc_create="True")
    claims = Claims(openid.issuer, "1", "Anna", frozenset({"family"}), "anna@example.org", "Anna A.")
    account = auth(application).admit(claims)
    assert account is not None and (account.name, account.email) == ("Anna", "anna@example.org")
    assert auth(application).admit(Claims(openid.issuer, "2", "no/name")) is None
    assert auth(application).admit(Claims(openid.issuer, "3", "")) is None


@pytest.mark.parametrize(
    "mistake", [{"oidc_client_id": ""}, {"oidc_issuer": "login.example"}, {"oidc_client_secret_file": "/nowhere"}]
)
def test_a_mistake_in_the_configuration_is_told(make: Make, mistake: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(mistake))):
        make(**mistake)
