"""What servers do that the RFCs do not, or do not ask for: the account comes all the same, or it is said what not."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calsync.transfer.taking import CHUNK
from calsync.webdav.multistatus import element
from calsync.webdav.names import CS_, D
from tests.remote.moving import Here, card, event
from tests.remote.odd import ADDRESSBOOK, CALENDAR, SUBSCRIBED, TRASH, Held, Odd, serving
from tests.remote.servers import PASSWORD
from tests.server_process import ROOT

NAMES = ("a.ics", "b c.ics", "ü.ics", "d%41.ics", "e@example.org")


@pytest.fixture
def odd() -> Iterator[Odd]:
    held = Held(CALENDAR, {name: event(f"uid-{name}") for name in NAMES})
    with serving(Odd({"work": held})) as found:
        yield found


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"multiget": False},  # Google-like: each object by a GET
        {"moved": "/dav/", "multiget": False},
        {"sync": True, "page": 2},  # RFC 6578 §3.6
        {"etags": 'W/"%s"'},
        {"etags": ""},
        {"etags_in_multiget": False},
        {"absolute": True},
        {"encoded": False},
        {"throttle": 3},
        {"cut": 2},
        {"spoilt": "uid-ü.ics"},  # a multiget that is no XML because of one object
    ],
    ids=str,
)
def test_all_of_it_comes_and_comes_once(odd: Odd, here: Here, switches: dict[str, Any]) -> None:
    for name, value in switches.items():
        setattr(odd, name, value)
    if not odd.encoded:
        del odd.collections["work"].items["d%41.ics"]  # such a server's clients cannot ask for it either
    status, told = here.migrate(odd.url)
    assert status == 0, told
    assert here.items("work") == odd.collections["work"].items
    before = odd.fetched
    assert here.migrate(odd.url)[0] == 0
    assert odd.fetched == before or not odd.etags


def test_a_truncated_listing_is_continued_and_its_token_kept(odd: Odd, here: Here) -> None:
    odd.sync, odd.page = True, 2
    assert here.migrate(odd.url, "--dry-run")[1]["items"][0]["there"] == len(NAMES)
    assert odd.tokens == ["0", "http://odd/2", "http://odd/4"]
    here.migrate(odd.url)
    odd.tokens.clear()
    here.migrate(odd.url)
    assert odd.tokens == ["http://odd/5"]


def test_a_changed_item_is_fetched_and_no_other(odd: Odd, here: Here) -> None:
    here.migrate(odd.url)
    odd.fetched = 0
    odd.put("work", "a.ics", event("uid-a.ics", "Coffee"))
    status, told = here.migrate(odd.url)
    assert (status, odd.fetched, told["counts"]) == (0, 1, {"replaced": 1})
    assert b"Coffee" in here.items("work")["a.ics"]


def test_an_item_under_another_name_there_keeps_its_name_here(odd: Odd, here: Here) -> None:
    here.migrate(odd.url)
    odd.put("work", "z.ics", odd.collections["work"].items.pop("a.ics"))
    status, told = here.migrate(odd.url, "--delete")
    assert status == 0, told
    assert set(here.items("work")) == set(NAMES)


def test_what_was_changed_or_removed_here_stays_until_theirs_is_asked_for(odd: Odd, here: Here) -> None:
    here.migrate(odd.url)
    mine = event("uid-a.ics", "Mine")
    here.put("work", "a.ics", mine)
    here.remove("work", "b c.ics")
    for name in ("a.ics", "b c.ics"):
        odd.put("work", name, event(f"uid-{name}", "Theirs"))
    for _ in range(2):
        status, told = here.migrate(odd.url)
        assert (status, told["counts"]) == (0, {"kept as stored": 2})
        assert here.items("work")["a.ics"] == mine
        assert "b c.ics" not in here.items("work")
    assert here.migrate(odd.url, "--theirs")[0] == 0
    assert here.items("work") == odd.collections["work"].items


def test_only_what_the_source_says_is_gone_is_removed_and_only_where_it_was_not_changed(odd: Odd, here: Here) -> None:
    here.migrate(odd.url)
    here.put("work", "a.ics", event("uid-a.ics", "Mine"))
    for name in ("a.ics", "b c.ics"):
        del odd.collections["work"].items[name]
    status, told = here.migrate(odd.url)
    assert (status, told["collections"][0]["left"]) == (0, 2)
    assert set(here.items("work")) == set(NAMES)
    told = here.migrate(odd.url, "--delete")[1]
    assert (told["collections"][0]["left"], told["collections"][0]["deleted"]) == (1, 1)
    assert set(here.items("work")) == set(NAMES) - {"b c.ics"}


def test_a_refused_object_stops_no_other_and_is_named_until_it_is_dealt_with(odd: Odd, here: Here) -> None:
    odd.put("work", "bad.ics", b"BEGIN:VCALENDAR\r\nthis is none\r\n")
    for _ in range(2):
        status, told = here.migrate(odd.url)
        assert (status, told["complete"], told["collections"][0]["refused"]) == (1, False, 1)
    assert len(here.items("work")) == len(NAMES)
    odd.put("work", "bad.ics", event("bad"))
    assert here.migrate(odd.url)[0] == 0


def test_a_listing_that_is_broken_is_the_only_one_missing(odd: Odd, here: Here) -> None:
    odd.collections["other"] = Held(CALENDAR, {"o.ics": event("o")})
    odd.broken = "work"
    status, told = here.migrate(odd.url)
    assert status == 1
    failures = {one["path"].rpartition("/")[2]: one["failure"] for one in told["collections"]}
    assert failures["other"] == "" and "cannot be listed" in failures["work"]
    assert here.items("other")


def test_as_nextcloud_has_it(odd: Odd, here: Here) -> None:
    source = element(CS_("source"), element(D("href"), "webcal://example.org/holidays.ics"))
    theirs = element(D("owner"), element(D("href"), "/dav/principals/bert"))
    odd.collections |= {
        "trashbin": Held(TRASH, {"x.ics": event("x")}),
        "holidays": Held(SUBSCRIBED, props=source),
        "team": Held(CALENDAR, {"t.ics": event("t")}, theirs),
        "people": Held(ADDRESSBOOK, {"c.vcf": card("c")}, b'<a:x xmlns:a="http://nextcloud.com/ns">1</a:x>'),
    }
    status, told = here.migrate(odd.url)
    assert status == 0, told
    assert {one["path"].rpartition("/")[2] for one in told["collections"]} == {"work", "people"}
    said = "\n".join(told["notices"])
    assert "webcal://example.org/holidays.ics" in said and "the trash" in said and "somebody else's" in said
    assert not here.collection("people").properties
    assert here.migrate(odd.url, "--only", "team")[0] == 0
    assert here.items("team")


def test_names_that_meet_are_told_apart_and_stay(odd: Odd, here: Here) -> None:
    odd.collections["inbox"] = Held(ADDRESSBOOK, {"c.vcf": card("c")})
    status, told = here.migrate(odd.url)
    targets = {one["path"].rpartition("/")[2]: one["target"] for one in told["collections"]}
    assert (status, targets["inbox"]) == (0, "/anna/inbox-imported/")
    again = here.migrate(odd.url)[1]
    assert {one["path"].rpartition("/")[2]: one["target"] for one in again["collections"]} == targets


def test_a_login_goes_to_no_other_host(odd: Odd, here: Here) -> None:
    odd.login = "Basic " + base64.b64encode(f"anna:{PASSWORD}".encode()).decode()
    assert here.migrate(odd.url, login="anna")[0] == 0
    with serving(Odd({"work": Held(CALENDAR, {"o.ics": event("o")})}, login=odd.login)) as other:
        odd.home_host = f"http://localhost:{other.port}"
        status, told = here.migrate(odd.url, login="anna")
        assert status == 2
        assert "localhost" in told["error"] and "--trust-host" in told["error"]
        assert not other.asked
        assert here.migrate(odd.url, "--trust-host", "localhost", login="anna")[0] == 0


def test_digest_where_it_is_asked_for_and_bearer_where_there_is_a_token(odd: Odd, here: Here, tmp_path: Path) -> None:
    odd.digest = ("anna", PASSWORD)
    assert here.migrate(odd.url, login="anna")[0] == 0
    odd.digest, odd.login = None, "Bearer abc.def"
    token = tmp_path / "token"
    token.write_text("abc.def\n")
    assert here.migrate(odd.url, "--token-file", str(token))[0] == 0


def test_a_dry_run_writes_nothing(odd: Odd, here: Here) -> None:
    assert here.migrate(odd.url, "--dry-run")[0] == 0
    with pytest.raises(AssertionError):
        here.items("work")


def test_a_run_that_was_killed_is_continued(here: Here) -> None:
    items = {f"{number}.ics": event(f"uid-{number}") for number in range(2000)}
    with serving(Odd({"work": Held(CALENDAR, items)}, most=1500)) as odd:
        process = subprocess.Popen(
            [sys.executable, "-m", "calsync", *here.words(odd.url), "--parallel", "1"],
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT}/plugins"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 90
        while here.count("work") <= CHUNK and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert CHUNK < here.count("work") < 2000
        odd.fetched, odd.most = 0, len(items)
        status, told = here.migrate(odd.url)
        assert status == 0, told
        assert here.items("work") == items
        assert odd.fetched <= 2000 - CHUNK  # what had been written was not fetched again
