"""Where the store is, and what else a configuration of Radicale says."""

import logging
from pathlib import Path

import pytest
from radicale.app import Application

from calsync.accounts.accounts import Accounts
from calsync.store.errors import StoreError
from calsync_auth import Auth
from calsync_storage import Storage
from calsync_storage.location import auth_url, default_url, storage_url
from calsync_storage.predefined import predefined
from tests.plugins.stock import Dav, configuration
from tests.postgresql import everywhere

pytestmark = pytest.mark.skipif(everywhere(), reason="about the files of the default store")

PREDEFINED = '{"book": {"tag": "VADDRESSBOOK", "D:displayname": "People"}, "cal": {"tag": "VCALENDAR"}}'


def test_both_plugins_meet_without_being_told(folder: Path, tmp_path: Path) -> None:
    made = configuration(folder)
    assert storage_url(made) == auth_url(made) == f"sqlite:///{tmp_path}/collections/calsync.db"


def test_the_store_may_be_named(folder: Path, tmp_path: Path) -> None:
    url, other = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    made = configuration(folder, storage={"url": url})
    assert storage_url(made) == auth_url(made) == url
    made = configuration(folder, storage={"url": url}, auth={"calsync_url": other})
    assert (storage_url(made), auth_url(made)) == (url, other)


def test_accounts_go_with_radicales_own_storage(folder: Path, accounts: Accounts) -> None:
    dav = Dav(Application(configuration(folder, storage={"type": "multifilesystem"})))
    assert dav("MKCALENDAR", "/anna/cal/").status == 201
    assert (folder / "collection-root/anna/cal").is_dir()
    assert Dav(dav.application, "anna", "wrong")("PROPFIND", "/anna/").status == 401


def test_the_storage_goes_with_radicales_own_logins_and_first_collections(folder: Path, tmp_path: Path) -> None:
    htpasswd = tmp_path / "users"
    htpasswd.write_text("anna:secret\nAnna:other\n")
    made = configuration(
        folder,
        auth={"type": "htpasswd", "htpasswd_filename": str(htpasswd), "htpasswd_encryption": "plain"},
        storage={"predefined_collections": PREDEFINED},
    )
    dav = Dav(Application(made))
    assert list(dav("PROPFIND", "/anna/", depth="1").hrefs) == ["/anna/", "/anna/book/", "/anna/cal/"]
    # htpasswd says that these are two people: the second must not come to the first one's home.
    capital = Dav(dav.application, "Anna", "other")
    assert capital("PROPFIND", "/Anna/", depth="1").status >= 400
    assert capital("PROPFIND", "/anna/", depth="1").status >= 400


def test_predefined_collections_as_the_store_has_them(folder: Path) -> None:
    assert predefined(configuration(folder)) is None
    first = predefined(configuration(folder, storage={"predefined_collections": PREDEFINED}))
    assert first is not None
    assert [(one.name, one.kind) for one in first] == [("book", "addressbook"), ("cal", "calendar")]
    assert first[0].properties == {"{DAV:}displayname": '<D:displayname xmlns:D="DAV:">People</D:displayname>'}


def test_a_hook_that_will_not_run_is_told_at_the_start(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "radicale"):
        Storage(configuration(folder, storage={"hook": "git commit"})).session.close()
    assert "multifilesystem" in caplog.text


def test_a_store_that_cannot_be_is_told_to_people(folder: Path) -> None:
    with pytest.raises(StoreError, match="mysql"):
        Storage(configuration(folder, storage={"url": "mysql://host/x"}))


def test_the_name_is_treated_as_radicale_does_and_nobody_sleeps(folder: Path, accounts: Accounts) -> None:
    auth = Auth(configuration(folder, auth={"strip_domain": "True", "urldecode_username": "True"}))
    for login in ("anna", "anna@example.org", "%61nna", "ANNA"):
        identity = auth.authenticate(login, "secret", "192.0.2.1")
        assert identity is not None and identity.name == "anna"
    assert auth.authenticate("anna", "wrong") is None


def test_default_url_of_a_relative_folder_is_absolute() -> None:
    assert default_url("x") == f"sqlite:///{Path.cwd()}/x/calsync.db"
