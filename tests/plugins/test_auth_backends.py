"""Radicale's back ends behind app passwords, against real services: right, wrong, and down are three answers."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from passlib.hash import apr_md5_crypt, sha256_crypt, sha512_crypt
from radicale.app import Application as Stock

from calsync.accounts.accounts import Accounts
from calsync.accounts.scopes import Scope
from calsync.app import Application
from tests.dav.conftest import Client, make_application
from tests.plugins.stock import Dav, configuration
from tests.ports import free_port
from tests.services.processes import (
    READER,
    OidcProvider,
    Service,
    dovecot,
    oidc_provider,
    slapd,
)
from tests.services.provider import CLIENT

RIGHT = "secret of anna"

Make = Callable[..., Application]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Applications of calsync with these options in `[auth]`."""
    made: list[Application] = []

    def application(**auth: object) -> Application:
        options = {"backend_timeout": "30", "throttle": "False", **{name: str(value) for name, value in auth.items()}}
        made.append(make_application(tmp_path / "data", auth=options))
        return made[-1]

    yield application
    for one in made:
        one.close()


def status(application: Application, password: str = RIGHT, user: str = "anna", path: str | None = None) -> int:
    return asked(application, password, user, path).status


def asked(application: Application, password: str = RIGHT, user: str = "anna", path: str | None = None):  # type: ignore[no-untyped-def]
    where = path or f"/{user}/"
    return Client(application, user=user, password=password).request("PROPFIND", where, Depth="0")


def accounts(application: Application) -> Accounts:
    return application._auth.accounts  # type: ignore[no-any-return]


def app_password(application: Application, user: str = "anna") -> str:
    return accounts(application).add_token(user, "phone")[0]


def knows(application: Application) -> None:
    """What every back end has to do."""
    assert status(application) == 207
    assert status(application, "wrong") == 401
    assert status(application, "") == 401
    assert status(application, RIGHT, "bert") == 401
    assert status(application, "secret of bert", "bert") == 207
    assert status(application, RIGHT, "nobody") == 401
    assert accounts(application).find("nobody") is None


def is_down(application: Application, phone: str) -> None:
    """App passwords work on; what nobody can tell is 503, and comes back."""
    assert status(application, phone) == 207
    for password in (f"not {RIGHT}", RIGHT):
        answer = asked(application, password, "bert")
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0


# --- LDAP -------------------------------------------------------------------------------------------------------------


def ldap(service: Service, **more: str) -> dict[str, str]:
    return {
        "backend": "ldap",
        "ldap_uri": f"ldap://127.0.0.1:{service.address[1]}",
        "ldap_base": "dc=example,dc=org",
        "ldap_reader_dn": "cn=admin,dc=example,dc=org",
        "ldap_secret": READER,
        "ldap_filter": "(&(objectClass=inetOrgPerson)(uid={0}))",
        "ldap_group_members_attribute": "member",
        "ldap_group_filter": "(objectClass=groupOfNames)",
        **more,
    }


def test_ldap(make: Make, directory: Service) -> None:
    application = make(**ldap(directory))
    knows(application)
    assert accounts(application).groups() == {"family": ["anna", "bert"], "staff": ["anna"]}


def test_ldap_groups_hold_for_app_passwords(make: Make, directory: Service) -> None:
    application = make(**ldap(directory))
    assert status(application) == 207
    identity = accounts(application).authenticate("anna", app_password(application))
    assert identity is not None and identity.groups == {"family", "staff"}


def test_ldap_may_name_the_account(make: Make, directory: Service) -> None:
    application = make(**ldap(directory, ldap_filter="(mail={0})", ldap_user_attribute="uid"))
    assert status(application, RIGHT, "anna@example.org", "/anna/") == 207
    assert [account.name for account in accounts(application).listing()] == ["anna"]


def test_a_name_in_another_case_is_the_same_account(make: Make, directory: Service) -> None:
    application = make(**ldap(directory))
    assert [status(application, RIGHT, name, "/anna/") for name in ("anna", "Anna", "ANNA")] == [207, 207, 207]
    assert [account.name for account in accounts(application).listing()] == ["anna"]


def test_ldap_is_not_fooled_by_an_empty_password_or_a_filter(make: Make, directory: Service) -> None:
    application = make(**ldap(directory))
    assert status(application, "") == 401
    assert status(application, RIGHT, "ann*", "/anna/") == 401
    assert status(application, RIGHT, "anna)(uid=*", "/anna/") == 401


def test_ldap_that_is_down(make: Make, tmp_path: Path) -> None:
    with slapd(tmp_path / "ldap") as service:
        application = make(**ldap(service))
        assert status(application) == 207
        phone = app_password(application)
        service.stop()
        is_down(application, phone)
        assert status(application) == 207  # verified just now


def test_ldap_that_hangs(make: Make, tmp_path: Path) -> None:
    with slapd(tmp_path / "ldap") as service:
        application = make(**ldap(service))
        assert status(application) == 207
        phone = app_password(application)
        service.pause()
        is_down(make(**ldap(service), backend_timeout="0.5"), phone)


@pytest.mark.parametrize(
    "mistake",
    [{"ldap_secret": "wrong"}, {"ldap_base": "dc=elsewhere"}, {"ldap_filter": "(uid={0}"}],
    ids=str,
)
def test_a_mistake_in_the_configuration_is_no_wrong_password(
    make: Make, directory: Service, mistake: dict[str, str]
) -> None:
    assert status(make(**ldap(directory, **mistake))) == 503


def test_tls_is_not_forgotten_quietly(make: Make, directory: Service) -> None:
    with pytest.raises(RuntimeError, match="ldaps://"):
        make(**ldap(directory, ldap_security="tls"))


# --- Dovecot ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Service]:
    with dovecot(tmp_path / "mail") as service:
        yield service


def imap(service: Service) -> dict[str, str]:
    return {"backend": "imap", "imap_host": f"127.0.0.1:{service.address[1]}", "imap_security": "none"}


def auth_socket(tmp_path: Path) -> dict[str, str]:
    return {"backend": "dovecot", "dovecot_socket": str((tmp_path / "mail" / "socket").readlink())}


def test_imap(make: Make, mail: Service) -> None:
    application = make(**imap(mail))
    knows(application)
    phone = app_password(application)
    mail.stop()
    is_down(application, phone)


def test_dovecot(make: Make, mail: Service, tmp_path: Path) -> None:
    application = make(**auth_socket(tmp_path))
    knows(application)
    phone = app_password(application)
    mail.stop()
    is_down(application, phone)


@pytest.mark.parametrize("kind", ["imap", "dovecot"])
def test_a_temporary_failure_is_no_wrong_password(make: Make, tmp_path: Path, kind: str) -> None:
    with dovecot(tmp_path / "mail", broken=True) as service:
        application = make(**(imap(service) if kind == "imap" else auth_socket(tmp_path)))
        assert status(application) == 207
        assert status(application, "wrong") == 503


# --- OAuth2 -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


def oauth2(provider: OidcProvider, client: str = CLIENT) -> dict[str, str]:
    endpoint = f"{provider.issuer}/password"
    return {"backend": "oauth2", "oauth2_token_endpoint": endpoint, "oauth2_client_id": client}


def test_oauth2(make: Make, provider: OidcProvider) -> None:
    application = make(**oauth2(provider))
    knows(application)
    phone = app_password(application)
    provider.stop()
    is_down(application, phone)


@pytest.mark.parametrize("fault", ["down", "html"])
def test_oauth2_that_answers_nonsense(make: Make, provider: OidcProvider, fault: str) -> None:
    application = make(**oauth2(provider))
    assert status(application) == 207
    phone = app_password(application)
    provider.control(fault=fault)
    is_down(application, phone)


def test_oauth2_that_does_not_know_this_server(make: Make, provider: OidcProvider) -> None:
    assert status(make(**oauth2(provider, "another"))) == 503


# --- PAM --------------------------------------------------------------------------------------------------------------


def test_pam_refuses_a_wrong_password(make: Make) -> None:
    pytest.importorskip("pam", reason="python-pam is not installed")
    application = make(backend="pam", backend_timeout="60")
    assert status(application, RIGHT, getpass.getuser()) == 401
    assert status(application, RIGHT, "nosuchuser") == 401


# --- htpasswd ---------------------------------------------------------------------------------------------------------


def _hashes() -> dict[str, str]:
    import argon2
    import bcrypt

    return {
        "bcrypt": bcrypt.hashpw(RIGHT.encode(), bcrypt.gensalt(4)).decode(),
        "argon2": argon2.PasswordHasher(1, 8, 1).hash(RIGHT),
        "sha512": sha512_crypt.using(rounds=1000).hash(RIGHT),
        "sha512short": sha512_crypt.using(rounds=1000, salt="short").hash(RIGHT),
        "sha256": sha256_crypt.using(rounds=1000).hash(RIGHT),
        "md5": apr_md5_crypt.hash(RIGHT),
    }


def htpasswd(file: Path, lines: dict[str, str], **more: str) -> dict[str, str]:
    file.write_text("".join(f"{name}:{digest}\n" for name, digest in lines.items()))
    return {"backend": "htpasswd", "htpasswd_filename": str(file), **more}


def test_htpasswd_in_every_form(make: Make, tmp_path: Path) -> None:
    application = make(**htpasswd(tmp_path / "users", _hashes()))
    for name in _hashes():
        assert status(application, RIGHT, name) == 207, name
        assert status(application, "wrong", name) == 401, name


@pytest.mark.parametrize(
    "line",
    [
        RIGHT,
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "$2b$04$tooshort",
        "$6$rounds=1000$salt$cut",
        "$7$unknown$form",
        "rqXexS6ZhobKA",
    ],
)
def test_a_line_in_an_unknown_form_is_refused_at_load(make: Make, tmp_path: Path, line: str) -> None:
    with pytest.raises(RuntimeError, match="'anna' is no hash that is known"):
        make(**htpasswd(tmp_path / "users", {"anna": line}))


def test_a_line_in_an_unknown_form_that_comes_later_is_no_password(make: Make, tmp_path: Path) -> None:
    hashes = _hashes()
    options = htpasswd(tmp_path / "users", {"bert": hashes["sha256"]})
    application = make(**options)
    htpasswd(tmp_path / "users", {"bert": hashes["sha256"], "anna": RIGHT, "carl": hashes["bcrypt"]})
    assert status(application) == 401
    assert status(application, RIGHT, "bert") == 207
    assert status(application, RIGHT, "carl") == 207


def test_plain_has_to_be_asked_for(make: Make, tmp_path: Path) -> None:
    knows(make(**htpasswd(tmp_path / "users", {"anna": RIGHT, "bert": "secret of bert"}, htpasswd_encryption="plain")))


def test_two_names_that_differ_in_case_are_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="differ only in case"):
        make(**htpasswd(tmp_path / "users", {"anna": _hashes()["sha256"], "Anna": _hashes()["md5"]}))


def test_htpasswd_that_is_gone(make: Make, tmp_path: Path) -> None:
    application = make(**htpasswd(tmp_path / "users", {"anna": _hashes()["sha256"]}))
    assert status(application) == 207
    phone = app_password(application)
    (tmp_path / "users").unlink()
    is_down(application, phone)


# --- a name from the server in front ----------------------------------------------------------------------------------


def test_a_name_from_the_server_in_front(make: Make) -> None:
    application = make(backend="http_x_remote_user")
    client = Client(application, user="", headers={"X-Remote-User": "anna"})
    assert client.request("PROPFIND", "/anna/", Depth="0").status == 207
    # Where it names nobody, an app password does, and nothing else.
    assert status(application, app_password(application)) == 207
    assert status(application, "anything") == 401
    assert status(application, "", "bert") == 401


def test_denyall(make: Make) -> None:
    application = make(backend="denyall")
    accounts(application).create("anna", RIGHT)
    assert status(application) == 401
    assert status(application, app_password(application)) == 207


# --- stock Radicale ---------------------------------------------------------------------------------------------------


def test_under_stock_radicale(folder: Path, accounts: Accounts, directory: Service, tmp_path: Path) -> None:
    auth = {"type": "calsync_auth", "delay": "0", "backend_timeout": "30", **ldap(directory)}
    application = Stock(configuration(folder, auth=auth))
    phone = accounts.add_token("anna", "phone")[0]

    def found(password: str) -> int:
        return Dav(application, password=password)("PROPFIND", "/anna/", HTTP_DEPTH="0").status

    assert (found(RIGHT), found(phone), found("secret")) == (207, 207, 401)


def test_stock_radicale_refuses_what_it_cannot_limit(folder: Path, accounts: Accounts) -> None:
    limited = accounts.add_token("anna", "phone", scope=Scope("calendars"))[0]
    whole = accounts.add_token("anna", "laptop")[0]

    def found(password: str, rights: str) -> int:
        application = Stock(configuration(folder, rights={"type": rights}))
        return Dav(application, password=password)("PROPFIND", "/anna/", HTTP_DEPTH="0").status

    assert found(limited, "owner_only") == 401
    assert found(whole, "owner_only") == 207
    assert found(limited, "calsync_rights") == 207


def test_stock_radicale_never_says_401_for_a_back_end_that_is_down(folder: Path, accounts: Accounts) -> None:
    auth = {"type": "calsync_auth", "delay": "0", "backend": "imap", "imap_host": f"127.0.0.1:{free_port()}"}
    application = Stock(configuration(folder, auth=auth))
    phone = accounts.add_token("anna", "phone")[0]
    assert Dav(application, password=phone)("PROPFIND", "/anna/", HTTP_DEPTH="0").status == 207
    assert Dav(application, password=RIGHT)("PROPFIND", "/anna/", HTTP_DEPTH="0").status == 500
