import time
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from calsync.accounts import passwords, rows
from calsync.accounts.accounts import AccountExists, Accounts, NoSuchAccount, NoSuchToken
from calsync.accounts.names import BadName
from calsync.accounts.passwords import DEFAULT
from calsync.accounts.scopes import ALL, Scope
from calsync.store import principals
from calsync.store.engine import Store


@pytest.fixture
def accounts(store: Store) -> Accounts:
    made = Accounts(store)
    made.create("anna", "secret", email="anna@example.org")
    return made


def test_an_account_has_a_principal(store: Store, accounts: Accounts) -> None:
    account = accounts.find("anna")
    assert account is not None
    with store.read() as tx:
        principal = principals.find(tx, "anna")
    assert principal is not None and principal.id == account.principal
    assert account.email == "anna@example.org" and account.has_password and not account.disabled


def test_the_right_password_logs_in_and_others_do_not(accounts: Accounts) -> None:
    identity = accounts.authenticate("anna", "secret")
    assert identity is not None and (identity.name, identity.token) == ("anna", None)
    assert accounts.authenticate("anna", "Secret") is None
    assert accounts.authenticate("bob", "secret") is None
    assert accounts.authenticate("", "") is None
    assert accounts.authenticate("anna", "\udcff") is None
    assert accounts.authenticate("\udcff", "secret") is None


def test_ios_capitalises_and_the_name_stays_as_it_was_given(accounts: Accounts) -> None:
    identity = accounts.authenticate("Anna", "secret")
    assert identity is not None and identity.name == "anna"


def test_names_that_differ_in_case_are_one_account(accounts: Accounts) -> None:
    with pytest.raises(AccountExists, match="'anna'"):
        accounts.create("ANNA", "other")


def test_a_name_that_is_no_path_segment_makes_nothing(store: Store, accounts: Accounts) -> None:
    with pytest.raises(BadName):
        accounts.create("a/b", "secret")
    assert [account.name for account in accounts.listing()] == ["anna"]


def test_an_account_takes_the_principal_that_an_import_made(store: Store, accounts: Accounts) -> None:
    with store.write() as tx:
        principal = principals.create(tx, "Carla")
    account = accounts.create("carla", "secret")
    assert (account.principal, account.name) == (principal.id, "Carla")


def test_a_changed_password_is_felt_by_other_processes_at_once(store: Store, accounts: Accounts) -> None:
    elsewhere = Accounts(store)
    assert elsewhere.authenticate("anna", "secret")
    accounts.set_password("anna", "better")
    assert elsewhere.authenticate("anna", "secret") is None
    assert elsewhere.authenticate("anna", "better")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that argon2 was asked to verify."""
    asked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, stored: str, password: str) -> bool:
        asked.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    return asked


def test_a_known_login_costs_no_argon2(accounts: Accounts, runs: list[str]) -> None:
    assert accounts.authenticate("anna", "secret")
    assert len(runs) == 1
    assert accounts.authenticate("anna", "secret")
    assert len(runs) == 1


@pytest.mark.parametrize("login", ["anna", "nobody", "a/b", ""])
def test_an_unknown_name_costs_argon2_once_as_a_wrong_password_does(
    accounts: Accounts, runs: list[str], login: str
) -> None:
    assert accounts.authenticate(login, "wrong") is None
    assert len(runs) == 1
    assert runs[0].startswith(f"$argon2id$v=19$m={DEFAULT.memory},t={DEFAULT.time},p=1$")


def test_an_app_password_costs_no_argon2(accounts: Accounts, runs: list[str]) -> None:
    secret, token = accounts.add_token("anna", "phone")
    assert accounts.authenticate("anna", secret)
    accounts.revoke("anna", token.id)
    assert accounts.authenticate("anna", secret) is None
    assert runs == []


def test_a_hash_with_old_parameters_is_renewed_at_login(store: Store, accounts: Accounts) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("secret")
    account = accounts.find("anna")
    assert account is not None
    with store.write() as tx:
        tx.run(rows.SET_PASSWORD, account_id=account.id, new=weak)
    assert accounts.authenticate("anna", "secret")
    with store.read() as tx:
        row = tx.first(rows.PASSWORD, account_id=account.id)
    assert row is not None and not passwords.needs_rehash(row[0])
    assert Accounts(store).authenticate("anna", "secret")


def test_a_disabled_account_is_refused_until_it_is_not(accounts: Accounts) -> None:
    secret, _ = accounts.add_token("anna", "phone")
    assert accounts.authenticate("anna", "secret")
    accounts.set_disabled("anna", True)
    assert accounts.authenticate("anna", "secret") is None
    assert accounts.authenticate("anna", secret) is None
    accounts.set_disabled("anna", False)
    assert accounts.authenticate("anna", "secret")


def test_a_removed_account_is_gone_but_not_its_data(store: Store, accounts: Accounts) -> None:
    secret, _ = accounts.add_token("anna", "phone")
    assert accounts.authenticate("anna", secret)
    removed = accounts.remove("anna")
    assert accounts.authenticate("anna", secret) is None
    assert accounts.authenticate("anna", "secret") is None
    assert accounts.find("anna") is None
    assert accounts.create("anna", None).principal == removed.principal
    assert accounts.tokens("anna") == []


def test_an_account_without_a_password_takes_app_passwords_only(accounts: Accounts) -> None:
    accounts.create("bob", None)
    secret, _ = accounts.add_token("bob", "phone")
    assert accounts.authenticate("bob", "") is None
    assert accounts.authenticate("bob", secret)


def test_an_app_password_logs_in_however_it_is_typed(accounts: Accounts) -> None:
    secret, token = accounts.add_token("anna", "Anna's phone")
    for typed in (secret, secret.upper(), secret.replace("-", "")):
        identity = accounts.authenticate("Anna", typed)
        assert identity is not None and (identity.name, identity.token, identity.scope) == ("anna", token.id, ALL)
    assert accounts.authenticate("anna", "secret")


def test_an_app_password_is_not_kept_in_the_store(tmp_path: Path, store: Store, accounts: Accounts) -> None:
    secret, _ = accounts.add_token("anna", "phone")
    plain = secret.replace("-", "").encode()
    for file in (tmp_path / "store").iterdir():
        octets = file.read_bytes()
        assert plain[6:] not in octets and secret.encode() not in octets


def test_an_app_password_opens_its_own_account_only(accounts: Accounts) -> None:
    accounts.create("bob", "secret")
    secret, _ = accounts.add_token("anna", "phone")
    assert accounts.authenticate("bob", secret) is None
    assert accounts.authenticate("nobody", secret) is None


def test_a_revoked_app_password_is_refused_everywhere_at_once(store: Store, accounts: Accounts) -> None:
    elsewhere = Accounts(store)
    secret, token = accounts.add_token("anna", "phone")
    other, _ = accounts.add_token("anna", "laptop")
    assert elsewhere.authenticate("anna", secret)
    accounts.revoke("anna", token.id)
    assert elsewhere.authenticate("anna", secret) is None
    assert elsewhere.authenticate("anna", other)
    assert {kept.label: kept.revoked for kept in accounts.tokens("anna")} == {"phone": True, "laptop": False}


def test_only_a_token_of_the_account_can_be_revoked(accounts: Accounts) -> None:
    accounts.create("bob", "secret")
    _, token = accounts.add_token("anna", "phone")
    with pytest.raises(NoSuchToken):
        accounts.revoke("bob", token.id)
    with pytest.raises(NoSuchAccount):
        accounts.revoke("nobody", token.id)


def test_an_app_password_ends_also_where_it_was_verified_before(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    secret, _ = accounts.add_token("anna", "phone", expires=int(start) + 60)
    assert accounts.authenticate("anna", secret)
    monkeypatch.setattr(time, "time", lambda: start + 61)
    assert accounts.authenticate("anna", secret) is None


def test_the_limits_of_an_app_password_come_with_the_login(accounts: Accounts) -> None:
    secret, token = accounts.add_token("anna", "phone", scope=Scope.of_paths("/anna/work/"), read_only=True)
    identity = accounts.authenticate("anna", secret)
    assert identity is not None and identity.is_limited
    assert (identity.scope, identity.read_only, identity.label) == (token.scope, True, "phone")


def test_the_last_use_is_written_once_an_interval(accounts: Accounts) -> None:
    secret, token = accounts.add_token("anna", "phone")
    assert token.last_used is None
    before = int(time.time())
    for _ in range(3):
        assert accounts.authenticate("anna", secret, address="192.0.2.1")
    accounts.flush()
    (kept,) = accounts.tokens("anna")
    assert kept.last_used is not None and kept.last_used >= before
    assert kept.last_address == "192.0.2.1"
