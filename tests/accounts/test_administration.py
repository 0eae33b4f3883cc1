"""Roles, groups, the policy about main passwords, and what the audit trail tells of it all."""

from __future__ import annotations

import subprocess
import sys

import pyotp
import pytest

from calsync.accounts import audit, rows
from calsync.accounts.accounts import Accounts, BackendDown, BadLabel, BadRole, External
from calsync.accounts.factors import SecondFactors
from calsync.accounts.groups import BadGroup
from calsync.accounts.passwords import Parameters
from calsync.accounts.policy import BadPolicy, Policy
from calsync.accounts.scopes import Scope
from calsync.store.engine import Store

CHEAP = Parameters(memory=64, time=1)


@pytest.fixture
def accounts(store: Store) -> Accounts:
    made = Accounts(store)
    made.create("anna", "secret")
    return made


def told(store: Store, *without: str) -> list[tuple[str, str, str]]:
    """Action, whom it concerns, who did it; the oldest first."""
    with store.read() as tx:
        return [(one.action, one.account, one.actor) for one in reversed(audit.listing(tx))]


# --- groups and roles -------------------------------------------------------------------------------------------------


def test_groups_come_with_every_login_at_once(store: Store, accounts: Accounts) -> None:
    secret, _ = accounts.add_token("anna", "phone")
    elsewhere = Accounts(store)
    for password in ("secret", secret):
        assert elsewhere.authenticate("anna", password).groups == frozenset()  # type: ignore[union-attr]
    assert accounts.join("Anna", "club") and not accounts.join("anna", "club")
    for password in ("secret", secret):
        assert elsewhere.authenticate("anna", password).groups == {"club"}  # type: ignore[union-attr]
    assert accounts.groups() == {"club": ["anna"]}
    assert accounts.leave("anna", "club") and not accounts.leave("anna", "club")
    assert elsewhere.authenticate("anna", secret).groups == frozenset()  # type: ignore[union-attr]


@pytest.mark.parametrize("group", ["", " ", "a,b", "a/b", ":a", "a\nb", "x" * 129])
def test_what_radicale_writes_between_groups_is_in_none(accounts: Accounts, group: str) -> None:
    with pytest.raises(BadGroup):
        accounts.join("anna", group)


def test_a_role_is_one_of_three(store: Store, accounts: Accounts) -> None:
    elsewhere = Accounts(store)
    assert elsewhere.authenticate("anna", "secret").role == "user"  # type: ignore[union-attr]
    accounts.set_role("anna", "admin", actor="root")
    assert elsewhere.authenticate("anna", "secret").role == "admin"  # type: ignore[union-attr]
    with pytest.raises(BadRole, match="admin, user, guest"):
        accounts.set_role("anna", "king")


def test_what_a_back_end_says_of_groups_is_exchanged_and_an_administrators_word_stays(accounts: Accounts) -> None:
    accounts.join("anna", "board")
    accounts.ensure("anna", groups={"board", "staff", "a,b"}, source="ldap")
    assert accounts.groups_of("anna") == {"board", "staff"}
    accounts.ensure("anna", groups={"choir"}, source="ldap")
    accounts.ensure("anna", groups={"party"}, source="oidc")
    assert accounts.groups_of("anna") == {"board", "choir", "party"}
    accounts.ensure("anna", groups=set(), source="ldap")
    accounts.ensure("anna", groups=None, source="oidc")
    assert accounts.groups_of("anna") == {"board", "party"}


def test_nothing_is_written_where_nothing_changes(store: Store, accounts: Accounts) -> None:
    accounts.ensure("anna", groups={"staff"}, source="ldap")
    before, generation = told(store), accounts.generation_of(1)
    accounts.ensure("anna", groups={"staff"}, source="ldap")
    assert (told(store), accounts.generation_of(1)) == (before, generation)


# --- other back ends --------------------------------------------------------------------------------------------------


class _Directory:
    """Knows one password, counts what it is asked, and can be down."""

    def __init__(self) -> None:
        self.asked, self.down = 0, False

    def check(self, name: str, password: str, address: str) -> External | None:
        self.asked += 1
        if self.down:
            raise BackendDown("no answer")
        return External("Carla", frozenset({"staff"})) if password == "right" else None


def test_an_account_is_made_at_the_first_sign_in_and_app_passwords_outlive_the_back_end(store: Store) -> None:
    directory = _Directory()
    accounts = Accounts(store, directory)
    assert accounts.authenticate("carla", "wrong") is None and accounts.find("carla") is None
    identity = accounts.authenticate("carla", "right")
    assert identity is not None and (identity.name, identity.groups) == ("Carla", {"staff"})
    asked = directory.asked
    assert accounts.authenticate("carla", "right") and directory.asked == asked
    secret, _ = accounts.add_token("carla", "phone")
    directory.down = True
    known = Accounts(store, directory).authenticate("carla", secret)
    assert known is not None and known.groups == {"staff"}
    with pytest.raises(BackendDown):
        Accounts(store, directory).authenticate("carla", "right")
    accounts.set_disabled("carla", True)
    directory.down = False
    assert accounts.authenticate("carla", "right") is None


def test_a_name_of_somebody_elses_is_not_given_away(accounts: Accounts) -> None:
    """Whoever may choose a name at a provider must not get the account that has it."""
    assert accounts.ensure("anna", issuer="https://id.example", subject="s1") is None
    accounts.tie("anna", "https://id.example", "s1")
    found = accounts.ensure("renamed", issuer="https://id.example", subject="s1")
    assert found is not None and found.name == "anna"
    assert accounts.ensure("bert", issuer="https://id.example", subject="s2", create=False) is None
    made = accounts.ensure("bert", issuer="https://id.example", subject="s2", email="b@example.org")
    assert made is not None and (made.name, made.email) == ("bert", "b@example.org")


# --- main passwords ---------------------------------------------------------------------------------------------------


def test_whether_devices_may_use_the_main_password(store: Store, accounts: Accounts) -> None:
    never = Accounts(store, policy=Policy(dav_main_password="no"))
    until = Accounts(store, policy=Policy(dav_main_password="until_app_password"))
    assert never.authenticate("anna", "secret") is None and never.sign_in("anna", "secret")
    assert until.authenticate("anna", "secret")
    secret, token = until.add_token("anna", "phone")
    assert until.authenticate("anna", "secret") is None and until.sign_in("anna", "secret")
    for each in (never, until):
        assert each.authenticate("anna", secret) and each.sign_in("anna", secret) is None
    until.revoke("anna", token.id)
    assert until.authenticate("anna", "secret")
    for each in (never, until):
        each.flush()


def test_other_parameters_come_with_the_next_login(store: Store) -> None:
    accounts = Accounts(store, policy=Policy(argon2=CHEAP))
    accounts.create("anna", "secret")
    assert _hash(store).startswith("$argon2id$v=19$m=64,t=1,p=1$")
    dearer = Accounts(store, policy=Policy(argon2=Parameters(memory=128, time=1)))
    assert dearer.authenticate("anna", "wrong") is None and "m=64," in _hash(store)
    assert dearer.sign_in("anna", "secret") and "m=128," in _hash(store)
    dearer.flush()


def _hash(store: Store) -> str:
    with store.read() as tx:
        row = tx.first(rows.PASSWORD, account_id=1)
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"dav_main_password": "maybe"}, "dav_main_password: 'maybe' is none of yes"),
        ({"password_memory": "4"}, "password_memory: 4"),
        ({"password_memory": "16", "password_lanes": "4"}, "less than 8"),
        ({"audit_days": "x"}, "audit_days: 'x' is not a whole number"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, str], part: str) -> None:
    with pytest.raises(BadPolicy, match=part):
        Policy.read(options.get)


def test_options_are_the_same_as_text_and_as_values() -> None:
    texts = {
        "throttle": "no",
        "password_memory": "1024",
        "password_passes": "3",
        "audit_days": "0",
        "dav_main_password": "no",
    }
    values = {
        "throttle": False,
        "password_memory": 1024,
        "password_passes": 3,
        "audit_days": 0,
        "dav_main_password": "no",
    }
    assert Policy.read(texts.get) == Policy.read(values.get) == Policy("no", Parameters(1024, 3), 300, 0, False)
    assert Policy.read(lambda name: None) == Policy()


# --- app passwords ----------------------------------------------------------------------------------------------------


def test_all_can_be_revoked_at_once(accounts: Accounts) -> None:
    secrets = [accounts.add_token("anna", name)[0] for name in ("phone", "laptop")]
    assert all(accounts.authenticate("anna", secret) for secret in secrets)
    assert (accounts.revoke_all("anna"), accounts.revoke_all("anna")) == (2, 0)
    assert not any(accounts.authenticate("anna", secret) for secret in secrets)
    assert accounts.authenticate("anna", "secret")


@pytest.mark.parametrize("label", ["", " ", "a\nb", "x" * 101])
def test_a_device_has_a_name_for_people(accounts: Accounts, label: str) -> None:
    with pytest.raises(BadLabel):
        accounts.add_token("anna", label)


def test_one_comes_without_a_name_as_a_bearer_token(accounts: Accounts) -> None:
    secret, token = accounts.add_token("anna", "script", scope=Scope("contacts"))
    for _ in range(2):
        identity = accounts.identity_of_token(secret)
        assert identity is not None and (identity.name, identity.scope) == ("anna", Scope("contacts"))
    accounts.revoke("anna", token.id)
    assert accounts.identity_of_token(secret) is None
    assert accounts.identity_of_token("secret") is None


_OTHER = """
import sys
from calsync.accounts.accounts import Accounts
from calsync.store.engine import Store
accounts = Accounts(Store.open(sys.argv[1]))
for line in sys.stdin:
    found = accounts.authenticate("anna", line.rstrip("\\n"))
    print(found and f"{found.role} {sorted(found.groups)}", flush=True)
"""


def test_another_process_feels_every_change_with_its_next_request(url: str, store: Store, accounts: Accounts) -> None:
    secret, token = accounts.add_token("anna", "phone")
    other = subprocess.Popen(
        [sys.executable, "-c", _OTHER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None and other.stdout is not None

    def asked(password: str) -> str:
        assert other.stdin is not None and other.stdout is not None
        other.stdin.write(password + "\n")
        other.stdin.flush()
        return other.stdout.readline().strip()

    try:
        assert (asked("secret"), asked(secret)) == ("user []", "user []")
        accounts.set_role("anna", "guest")
        assert (asked("secret"), asked(secret)) == ("guest []", "guest []")
        accounts.join("anna", "club")
        assert (asked("secret"), asked(secret)) == ("guest ['club']", "guest ['club']")
        accounts.set_password("anna", "better")
        assert (asked("secret"), asked("better"), asked(secret)) == ("None", "guest ['club']", "guest ['club']")
        accounts.revoke("anna", token.id)
        assert (asked(secret), asked("better")) == ("None", "guest ['club']")
        accounts.set_disabled("anna", True)
        assert asked("better") == "None"
    finally:
        other.stdin.close()
        other.stdout.close()
        other.wait(60)


# --- the audit trail --------------------------------------------------------------------------------------------------


def test_the_trail_tells_who_did_what(store: Store, accounts: Accounts) -> None:
    _, token = accounts.add_token("anna", "phone", scope=Scope("contacts"), actor="anna")
    accounts.set_password("anna", "better", actor="root")
    accounts.join("anna", "club", actor="root")
    accounts.set_role("anna", "guest", actor="root")
    accounts.revoke("anna", token.id, actor="anna")
    accounts.set_disabled("anna", True, actor="root")
    accounts.remove("anna", actor="root")
    assert told(store) == [
        ("user-added", "anna", ""),
        ("token-added", "anna", "anna"),
        ("password-changed", "anna", "root"),
        ("group-joined", "anna", "root"),
        ("role-changed", "anna", "root"),
        ("token-revoked", "anna", "anna"),
        ("user-disabled", "anna", "root"),
        ("user-removed", "anna", "root"),
    ]
    with store.read() as tx:
        added = next(one for one in audit.listing(tx) if one.action == "token-added")
    assert added.detail["scope"] == "contacts" and added.detail["label"] == "phone"


def test_a_device_signs_in_once_a_day_and_address(store: Store, accounts: Accounts) -> None:
    secret, _ = accounts.add_token("anna", "phone")
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        for each in (accounts, Accounts(store)):
            assert each.authenticate("anna", secret, address=address, client="DAVx5/4.4")
            each.flush()
    with store.read() as tx:
        found = [one for one in audit.listing(tx) if one.action == "signed-in"]
    assert sorted(one.address for one in found) == ["192.0.2.1", "192.0.2.2"]
    assert {(one.client, one.detail["label"]) for one in found} == {("DAVx5/4.4", "phone")}
    (kept,) = accounts.tokens("anna")
    assert (kept.last_address, kept.last_client) == ("192.0.2.2", "DAVx5/4.4")


def test_entries_are_chosen_by_user_time_and_action(store: Store, accounts: Accounts) -> None:
    accounts.create("bert", None)
    with store.write() as tx:
        for number in range(450):
            audit.note(tx, "odd" if number % 2 else "even", account="anna", number=number)
    with store.read() as tx:
        odd = audit.chosen(tx, account="ANNA", actions=["odd"], limit=210)
        assert [one.detail["number"] for one in odd] == list(range(449, 29, -2))
        assert [one.action for one in audit.chosen(tx, account="bert", limit=5)] == ["user-added"]
        assert audit.chosen(tx, since=2**40, limit=5) == []


def test_nobody_who_is_gone_with_all_data_is_named(store: Store, accounts: Accounts) -> None:
    accounts.create("bert", None, actor="anna")
    accounts.add_token("anna", "Anna's phone")
    accounts.remove("anna", forget=True, actor="calsync user")
    with store.read() as tx:
        entries = audit.listing(tx)
    assert {name for one in entries for name in (one.account, one.actor)} == {"bert", audit.GONE, "calsync user", ""}
    assert "Anna" not in repr(entries)


def test_who_has_a_second_step_opens_devices_with_app_passwords_only(store: Store, accounts: Accounts) -> None:
    factors = SecondFactors(store)
    identity = accounts.authenticate("anna", "secret")
    assert identity is not None
    pending = factors.enrol(identity.account)
    assert accounts.authenticate("anna", "secret")
    factors.confirm(identity.account, pyotp.TOTP(pending).now())
    assert accounts.authenticate("anna", "secret") is None
    assert accounts.sign_in("anna", "secret")
    secret, _ = accounts.add_token("anna", "phone")
    assert accounts.authenticate("anna", secret)
    assert Accounts(store, policy=Policy(second_step=False)).authenticate("anna", "secret")
