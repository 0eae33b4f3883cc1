"""Replicas are read where they have all that the answer says, and nobody notices where they have not, or are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from calsync.store import postgresql, replicas
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from tests.dav.conftest import Answer, Client, make_application
from tests.postgresql import Cluster, running
from tests.server.conftest import until

DATA = '<getetag/><C:calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav"/>'


def event(uid: str, summary: str = "x") -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T100000Z\r\nSUMMARY:{summary}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


@pytest.fixture(scope="module")
def primary() -> Iterator[Cluster]:
    with running() as made:
        yield made


@pytest.fixture
def served(
    primary: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Application, Cluster, str]]:
    """The application on a database that has a replica, the replica, and the URL of the database there."""
    # One that is only slow, on a busy machine, is not to be taken for one that fails.
    monkeypatch.setattr(postgresql, "_QUICK", 60)
    url = primary.database()
    copy = primary.replica()
    there = copy.url(url.rpartition("/")[2])
    storage = {"url": url, "filesystem_folder": str(tmp_path), "replica_urls": f"{there}, {there}"}
    application = make_application(tmp_path, storage=storage)
    assert application.store is not None
    Accounts(application.store).create("anna", "correct horse")
    yield application, copy, there
    application.store.close()
    copy.remove()


@pytest.fixture
def client(served: tuple[Application, Cluster, str]) -> Client:
    made = Client(served[0])
    assert made.request("MKCALENDAR", "/anna/work/").status == 201
    for number in range(3):
        assert made.put(f"/anna/work/{number}.ics", event(f"u{number}")).status == 201
    # One that does not know the tables yet would be left alone for longer than a test waits.
    caught_up(served[1], served[2])
    return made


def ask(url: str, sql: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    return row[0]


def caught_up(cluster: Cluster, there: str) -> None:
    """Wait until the replica has all that the database has, also what is not written there yet."""
    assert cluster.follows is not None
    wanted = ask(cluster.follows.url("postgres"), "SELECT pg_current_wal_insert_lsn()::text")
    until(lambda: bool(ask(there, f"SELECT pg_last_wal_replay_lsn() >= '{wanted}'::pg_lsn")))


class Reads:
    """Of each page that a replica might give, whether one gave it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answered: list[bool] = []
        real = replicas.Replicas.read

        def read(*arguments: Any) -> Any:
            found = real(*arguments)
            self.answered.append(found is not None)
            return found

        monkeypatch.setattr(replicas.Replicas, "read", read)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def token(answer: Answer) -> str:
    found = answer.multistatus.sync_token
    assert found
    return found


def test_a_delta_comes_from_the_replica(client: Client, served: tuple[Application, Cluster, str], reads: Reads) -> None:
    _, copy, there = served
    first = client.sync("/anna/work/", props=DATA)
    client.put("/anna/work/1.ics", event("u1", "changed"))
    client.delete("/anna/work/2.ics")
    caught_up(copy, there)
    time.sleep(replicas._BEHIND)
    reads.answered.clear()
    # What only the replica can have said: nothing of the delta is read in the database.
    delta = client.sync("/anna/work/", token(first), props=DATA)
    assert reads.answered == [True]
    assert delta.statuses == {"/anna/work/1.ics": None, "/anna/work/2.ics": 404}
    assert "SUMMARY:changed" in delta.text
    for answer in (client.get("/anna/work/1.ics"), client.props("/anna/work/", "{DAV:}sync-token")):
        assert answer.status in (200, 207)
    assert reads.answered == [True]


def test_one_that_is_behind_is_not_asked(
    client: Client, served: tuple[Application, Cluster, str], reads: Reads
) -> None:
    _, copy, there = served
    caught_up(copy, there)
    time.sleep(replicas._BEHIND)
    before = token(client.sync("/anna/work/"))
    assert reads.answered == [True]
    ask(there, "SELECT pg_wal_replay_pause()::text")
    until(lambda: ask(there, "SELECT pg_get_wal_replay_pause_state()") == "paused")
    # The client has seen its own PUT: its old token alone would let the replica answer without it.
    etag = client.put("/anna/work/new.ics", event("new")).etag
    delta = client.sync("/anna/work/", before)
    assert delta.value("/anna/work/new.ics", "{DAV:}getetag") == etag
    assert client.sync("/anna/work/", token(delta)).statuses == {}
    assert reads.answered == [True, False, False]
    ask(there, "SELECT pg_wal_replay_resume()::text")
    caught_up(copy, there)
    time.sleep(replicas._BEHIND)
    assert client.sync("/anna/work/", before).statuses == delta.statuses
    assert reads.answered[-1]


def test_locks_are_not_read_there(client: Client, served: tuple[Application, Cluster, str], reads: Reads) -> None:
    _, copy, there = served
    caught_up(copy, there)
    assert client.sync("/anna/work/", props="<lockdiscovery/>").status == 207
    assert client.sync("/anna/").status == 207
    assert reads.answered == []


def test_one_that_is_killed_is_passed_over(
    client: Client, served: tuple[Application, Cluster, str], reads: Reads
) -> None:
    _, copy, there = served
    caught_up(copy, there)
    time.sleep(replicas._BEHIND)
    first = client.sync("/anna/work/")
    assert reads.answered == [True]
    copy.stop("immediate")
    again = client.sync("/anna/work/")
    assert again.statuses == first.statuses and token(again) == token(first)
    assert reads.answered == [True, False]
    copy.start()
    caught_up(copy, there)
    until(lambda: client.sync("/anna/work/").status == 207 and reads.answered[-1])


def test_one_that_became_a_database_of_its_own_is_left(
    client: Client, served: tuple[Application, Cluster, str], reads: Reads
) -> None:
    _, copy, there = served
    caught_up(copy, there)
    ask(there, "SELECT pg_promote()")
    assert client.sync("/anna/work/").status == 207
    assert reads.answered == [False]


def test_what_is_damaged_there_is_read_in_the_database(
    client: Client,
    served: tuple[Application, Cluster, str],
    reads: Reads,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A replica that says other octets than were put; here one that only says it follows."""
    _, copy, there = served
    caught_up(copy, there)
    ask(there, "SELECT pg_promote()")
    with psycopg.connect(there, autocommit=True) as connection:
        connection.execute("UPDATE body SET octets = 'x'")
        connection.execute("CREATE SCHEMA lying")
        connection.execute("CREATE FUNCTION lying.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS 'SELECT true'")
        name = there.rpartition("/")[2]
        connection.execute(f"ALTER DATABASE {name} SET search_path = lying, pg_catalog, public".encode())
        # Connections from before it do not lie yet.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s",
            (name,),
        )

    def is_told() -> bool:
        # One whose connection has just gone is left alone for some seconds.
        assert client.sync("/anna/work/", props=DATA).text.count("BEGIN:VEVENT") == 3
        return "not those that were put" in caplog.text

    until(is_told)
    assert not any(reads.answered)


@pytest.mark.parametrize("wrong", ["sqlite:////tmp/x.db", "nonsense"])
def test_what_is_no_replica_is_refused(primary: Cluster, wrong: str) -> None:
    store = Store.open(primary.database())
    with pytest.raises(StoreError, match="only a PostgreSQL database has replicas"):
        store.use_replicas([wrong])
    store.close()
