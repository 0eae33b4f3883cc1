"""The connection to the database breaks in COMMIT: nobody knows whether it was done, and nobody is told that it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calsync.app import Application
from tests.dav.conftest import Client, event, make_application
from tests.postgresql import shared
from tests.relay import Moment, Relay

PATH = "/anna/calendar/a.ics"


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay(shared().port) as made:
        yield made


@pytest.fixture
def application(tmp_path: Path, relay: Relay) -> Iterator[Application]:
    direct = shared().store()
    through = direct.replace(f":{shared().port}/", f":{relay.port}/")
    made = make_application(tmp_path, storage={"url": through}, auth={"type": "none"})
    yield made
    made.close()
    shared().drop(direct)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_unknown_outcome_is_told_as_one_and_nothing_is_done_twice(
    application: Application, relay: Relay, moment: Moment
) -> None:
    anna = Client(application)
    etag = anna.put(PATH, event("a", "SUMMARY:first")).etag
    token = anna.sync("/anna/calendar/").multistatus.sync_token or ""
    relay.cut(moment)
    lost = anna.put(PATH, event("a", "SUMMARY:second"), If_Match=etag)
    assert (lost.status, relay.cuts) == (503, 1)
    assert int(lost.headers["Retry-After"]) > 0
    done = moment == "after"
    # What the client sees next is so, and its next condition meets it.
    assert (b"SUMMARY:second" in anna.get(PATH).body) == done
    assert len(anna.sync("/anna/calendar/", token).multistatus.responses) == done
    assert anna.put(PATH, event("a", "SUMMARY:second"), If_Match=etag).status == (412 if done else 204)
    assert b"SUMMARY:second" in anna.get(PATH).body
