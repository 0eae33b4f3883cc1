"""Whatever a client overwrites or deletes can be brought back, and that looks like any change to the others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from calsync.cli import history as commands
from calsync.store import history, items, principals, trash, undo
from calsync.store.collections import Collection
from calsync.store.engine import Store
from calsync.store.history import Revision
from calsync.store.principals import Principal
from tests.cli.run import run
from tests.dav.conftest import PASSWORD, Client, event, make_application
from tests.dav.test_bulk import deletion, multiput, resource
from tests.raw import Raw

HOME = "/anna/calendar/"
OTHER = "/anna/other/"


@pytest.fixture
def store(application: Application) -> Store:
    assert application.store is not None
    return application.store


def owner(store: Store, name: str = "anna") -> Principal:
    with store.read() as tx:
        found = principals.find(tx, name)
    assert found is not None
    return found


def kept(store: Store, name: str = "anna") -> list[Revision]:
    """The oldest first."""
    with store.read() as tx:
        return history.revisions(tx, owner(store, name).id)[::-1]


def told(store: Store) -> list[tuple[str, str, str]]:
    return [(one.reason, one.href, one.uid) for one in kept(store)]


def summary(text: str) -> bytes:
    return event("one", f"SUMMARY:{text}")


def calendar(*uids: str) -> bytes:
    inner = b"".join(event(uid).split(b"EN\r\n")[1].removesuffix(b"END:VCALENDAR\r\n") for uid in uids)
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n" + inner + b"END:VCALENDAR\r\n"


def test_put_and_delete(anna: Client, store: Store) -> None:
    anna.put(HOME + "a.ics", summary("first"))
    anna.put(HOME + "a.ics", summary("second"))
    anna.put(HOME + "a.ics", summary("second"))
    anna.delete(HOME + "a.ics")
    changed, deleted = kept(store)
    assert told(store) == [("changed", "a.ics", "one"), ("deleted", "a.ics", "one")]
    assert {one.actor for one in (changed, deleted)} == {"anna"}
    with store.read() as tx:
        assert history.octets(tx, changed) == summary("first")
        assert history.octets(tx, deleted) == summary("second")


def test_a_device_is_named(anna: Client, store: Store) -> None:
    secret, _ = Accounts(store).add_token("anna", "Phone")
    phone = Client(anna.application, password=secret)
    phone.put(HOME + "a.ics", summary("first"))
    phone.put(HOME + "a.ics", summary("second"))
    assert [one.actor for one in kept(store)] == ["anna by Phone"]


def test_a_refused_put_leaves_nothing(anna: Client, store: Store) -> None:
    etag = anna.put(HOME + "a.ics", summary("first")).etag
    assert anna.put(HOME + "a.ics", summary("second"), If_None_Match="*").status == 412
    assert anna.put(HOME + "a.ics", summary("second"), If_Match='"x"').status == 412
    assert anna.delete(HOME + "a.ics", If_Match='"x"').status == 412
    assert kept(store) == []
    assert anna.put(HOME + "a.ics", summary("second"), If_Match=etag).status == 204
    assert len(kept(store)) == 1


def test_a_whole_calendar_is_put(anna: Client, store: Store) -> None:
    for uid in ("one", "two", "three"):
        anna.put(f"{HOME}{uid}.ics", event(uid, "SUMMARY:old" if uid == "two" else f"SUMMARY:Event {uid}"))
    assert anna.put(HOME, calendar("one", "two")).status == 204
    with store.read() as tx:
        gone = [one for one in history.revisions(tx, owner(store).id) if one.reason == "deleted"]
    assert [one.uid for one in gone] == ["three"]
    assert ("changed", "two.ics", "two") in told(store)


def test_many_at_once(anna: Client, store: Store) -> None:
    anna.put(HOME + "a.ics", summary("old"))
    anna.put(HOME + "b.ics", event("two"))
    assert multiput(anna, resource(HOME + "a.ics", summary("new")), deletion(HOME + "b.ics")).status == 207
    assert told(store) == [("changed", "a.ics", "one"), ("deleted", "b.ics", "two")]


def test_copy_and_move(anna: Client, store: Store) -> None:
    assert anna.mkcalendar(OTHER).status == 201
    for path, uid in ((HOME + "a.ics", "one"), (HOME + "b.ics", "two"), (OTHER + "c.ics", "one")):
        anna.put(path, event(uid))
    anna.put(OTHER + "c.ics", summary("other"))
    assert anna.copy(HOME + "a.ics", Destination=OTHER + "c.ics").status == 204
    assert anna.move(HOME + "a.ics", Destination=OTHER + "c.ics").status == 204
    assert anna.move(HOME + "b.ics", Destination=HOME + "renamed.ics").status == 201
    assert told(store) == [
        ("changed", "c.ics", "one"),
        ("deleted", "c.ics", "one"),
        ("deleted", "c.ics", "one"),
        ("moved", "a.ics", "one"),
        ("moved", "b.ics", "two"),
    ]


def deleted(store: Store) -> list[tuple[str, int]]:
    with store.read() as tx:
        return [(one.path, one.items) for one in trash.listing(tx, owner(store).id)]


def test_a_deleted_calendar_is_gone_for_everybody(anna: Client, store: Store) -> None:
    anna.put(HOME + "a.ics", event())
    before = anna.sync("/anna/").multistatus.sync_token or ""
    used = "{DAV:}quota-used-bytes"
    assert anna.props("/anna/", used).value("/anna/", used) != "0"
    assert anna.delete(HOME).status == 204
    assert (anna.get(HOME + "a.ics").status, anna.propfind(HOME, Depth="0").status) == (404, 404)
    assert anna.sync("/anna/", before).statuses[HOME] == 404
    assert anna.props("/anna/", used).value("/anna/", used) == "0"
    assert deleted(store) == [("calendar", 1)]


def test_what_is_made_in_its_place_is_another(anna: Client, store: Store) -> None:
    anna.put(HOME + "a.ics", event())
    token = anna.sync(HOME).multistatus.sync_token or ""
    anna.delete(HOME)
    assert anna.mkcalendar(HOME).status == 201
    assert anna.propfind(HOME, Depth="1").multistatus.responses[0].href == HOME
    assert anna.sync(HOME, token).status == 403
    assert anna.put(HOME + "b.ics", event()).status == 201
    assert deleted(store) == [("calendar", 1)]


def test_a_collection_that_is_replaced_goes_to_the_trash(anna: Client, store: Store) -> None:
    for path in (OTHER, "/anna/third/"):
        anna.mkcalendar(path)
        anna.put(path + "a.ics", event())
    assert anna.copy(OTHER, Destination=HOME).status == 204
    assert anna.move("/anna/third/", Destination=OTHER).status == 204
    assert deleted(store) == [("other", 1), ("calendar", 0)]
    assert anna.get(HOME + "a.ics").status == anna.get(OTHER + "a.ics").status == 200


def test_a_home_is_not_deleted(anna: Client) -> None:
    anna.put(HOME + "a.ics", event())
    assert anna.delete("/anna/").status in (403, 405)
    assert anna.delete("/").status in (403, 405)
    assert anna.get(HOME + "a.ics").status == 200


def one_calendar(store: Store) -> Collection:
    from calsync.store import collections

    with store.read() as tx:
        found = collections.find(tx, owner(store), ["calendar"])
    assert found is not None
    return found


def test_what_comes_back_is_an_ordinary_change(anna: Client, store: Store) -> None:
    etag = anna.put(HOME + "a.ics", event()).etag
    anna.delete(HOME + "a.ics")
    token = anna.sync(HOME).multistatus.sync_token or ""
    undo.bring_back(store, kept(store)[0], one_calendar(store), one_calendar(store), "calsync restore")
    answer = anna.sync(HOME, token).multistatus
    assert [(one.href, one.text("{DAV:}getetag")) for one in answer.responses] == [(HOME + "a.ics", etag)]
    assert anna.get(HOME + "a.ics").body == event()
    # It can be overwritten and deleted again.
    assert anna.put(HOME + "a.ics", event("one", "SUMMARY:new"), If_Match=etag).status == 204


def test_a_calendar_from_the_trash_is_new_to_phones(anna: Client, store: Store) -> None:
    anna.put(HOME + "a.ics", event())
    old = anna.sync(HOME).multistatus.sync_token or ""
    anna.delete(HOME)
    home = anna.sync("/anna/").multistatus.sync_token or ""
    with store.write() as tx:
        (one,) = trash.listing(tx, owner(store).id)
        trash.bring_back(tx, owner(store), one)
    assert HOME in anna.sync("/anna/", home).statuses
    assert anna.sync(HOME, old).status == 403
    assert HOME + "a.ics" in anna.sync(HOME).statuses
    assert anna.get(HOME + "a.ics").body == event()


def test_from_the_phone_to_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    application = make_application(tmp_path / "data")
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    anna.put(HOME + "a.ics", summary("Dentist"))
    anna.put(HOME + "a.ics", summary("Oops"))
    url = Raw.of(application.store).url
    assert run(commands, "history", "anna/calendar/a.ics", "--json", "--store", url) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["title"], one["actor"], one["reason"]) == ("Dentist", "anna", "changed")
    assert re.fullmatch(r"[0-9a-f]{64}", one["etag"])
    application.store.close()


def test_two_with_one_uid_in_trash_and_calendar_do_not_meet(anna: Client, store: Store) -> None:
    anna.put(HOME + "a.ics", event())
    anna.delete(HOME)
    anna.mkcalendar(HOME)
    assert anna.put(HOME + "b.ics", event()).status == 201
    with store.read() as tx:
        assert [one.href for one in items.with_uid(tx, owner(store).id, "one")] == ["b.ics"]
