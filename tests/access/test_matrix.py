"""The matrix: everything that can be asked, by everybody, of everything: what is forbidden looks like what is absent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from tests.access import matrix
from tests.access.asking import SECRET, everything, without_names
from tests.access.matrix import PLACES, Row
from tests.dav.conftest import PASSWORD, Answer, Client, card, event, make_application

LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'


@dataclass
class Stage:
    """A server with three homes: Anna's with a secret in it, those of her readers, and one that is public."""

    folder: Path
    application: Application
    etag: str = ""
    token: str = ""

    def client(self, who: str) -> Client:
        """`anna!` is somebody who guesses her password."""
        return Client(self.application, who.rstrip("!"), "wrong" if who.endswith("!") else PASSWORD)

    def ask(self, who: str, row: Row, home: str, place: str) -> Answer:
        def filled(text: str) -> str:
            found = text.replace("{etag}", self.etag).replace("{token}", self.token)
            return found.replace("{home}", home).replace("{user}", who.rstrip("!") or "bert")

        body = filled(row.body) if isinstance(row.body, str) else row.body
        headers = {name: filled(value) for name, value in row.headers}
        return self.client(who).request(row.method, f"/{home}/{place}", body, **headers)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    yield from _set(tmp_path_factory.mktemp("matrix"), "self")


@pytest.fixture(scope="module")
def open_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The same where everybody may be searched for."""
    yield from _set(tmp_path_factory.mktemp("open"), "all")


def _set(folder: Path, directory: str) -> Iterator[Stage]:
    (folder / "rights").write_text(matrix.RIGHTS)
    application = make_application(
        folder / "data",
        rights={"type": "from_file", "file": str(folder / "rights")},
        calsync={"directory": directory},
        auth={"throttle": "False"},
    )
    assert application.store is not None
    for name in ("anna", "bert", "rita", "carl", "public"):
        Accounts(application.store).create(name, PASSWORD)
    stage = Stage(folder / "data", application)
    for name in ("bert", "rita", "carl"):
        stage.client(name).propfind(f"/{name}/", Depth="0")
    anna = stage.client("anna")
    stage.etag = anna.put("/anna/calendar/a.ics", event("a", f"SUMMARY:{SECRET}")).etag
    assert anna.put("/anna/contacts/c.vcf", card("c", f"NOTE:{SECRET}")).status == 201
    assert anna.mkcalendar("/anna/secret/").status == 201
    assert anna.put("/anna/secret/s.ics", event("s", f"SUMMARY:{SECRET}")).status == 201
    stage.token = anna.lock("/anna/calendar/a.ics", LOCK).headers["Lock-Token"].strip("<>")
    yield stage
    application.close()


def test_whatever_is_registered_has_a_row() -> None:
    assert matrix.unlisted() == set()


@pytest.mark.parametrize("who", matrix.READERS)
@pytest.mark.parametrize("method", matrix.METHODS)
def test_what_is_not_granted_is_as_if_it_were_not_there(stage: Stage, method: str, who: str) -> None:
    before = everything(stage.folder)
    granted = matrix.READERS[who]
    for row in (one for one in matrix.rows() if one.method == method):
        for place in _places(who, row):
            if granted and place.startswith("calendar"):
                continue
            theirs, nobodys = (stage.ask(who, row, home, place) for home in ("anna", "nemo"))
            at = (who, place, row)
            assert without_names(theirs, "anna") == without_names(nobodys, "nemo"), at
            if method != "OPTIONS":
                assert theirs.status in ((403, 405) if who in ("bert", "rita", "carl") else (401, 405)), (at, theirs)
            _assert_tells_nothing(stage, theirs, at)
    assert everything(stage.folder) == before


def _places(who: str, row: Row) -> tuple[str, ...]:
    """A condition is about an object, and a wrong password is dear to check and the same everywhere."""
    if who == "anna!":
        return () if row.conditional or ("Depth", "infinity") in row.headers else ("calendar/a.ics",)
    if row.conditional:
        return ("calendar/a.ics", "secret/s.ics") if who else ()
    return PLACES


def _assert_tells_nothing(stage: Stage, answer: Answer, at: object) -> None:
    told = answer.body + repr(sorted(answer.headers.items())).encode()
    for secret in (SECRET, stage.etag.strip('"'), stage.token):
        assert secret.encode() not in told, at
    assert "ETag" not in answer.headers, at
    assert "Lock-Token" not in answer.headers, at


@pytest.mark.parametrize("method", matrix.METHODS)
def test_a_reader_reads_and_changes_nothing(stage: Stage, method: str) -> None:
    before = everything(stage.folder)
    for row in (one for one in matrix.rows() if one.method == method and (one.writes or one.method != "COPY")):
        for place in ("calendar/", "calendar/a.ics", "calendar/none.ics"):
            answer = stage.ask("rita", row, "anna", place)
            if row.writes:
                # 409: a token that does not fit; who may read may see it in lockdiscovery as well.
                assert answer.status in (403, 405) or (answer.status, row.method) == (409, "UNLOCK"), (
                    place,
                    row,
                    answer,
                )
            else:
                assert answer.status not in (401,), (place, row, answer)
                assert answer.status < 500, (place, row, answer)
            assert stage.token.encode() not in answer.body or method in ("PROPFIND",), (place, row)
    assert everything(stage.folder) == before
    assert stage.client("rita").get("/anna/calendar/a.ics").status == 200
    assert stage.client("rita").get("/anna/calendar/none.ics").status == 404


@pytest.mark.parametrize("method", matrix.METHODS)
def test_who_may_know_busy_times_learns_nothing_else(stage: Stage, method: str) -> None:
    before = everything(stage.folder)
    for row in (one for one in matrix.rows() if one.method == method):
        for place in ("calendar/", "calendar/a.ics", "calendar/none.ics"):
            theirs, nobodys = (stage.ask("carl", row, home, place) for home in ("anna", "nemo"))
            if b"free-busy-query" in (row.body if isinstance(row.body, bytes) else row.body.encode()):
                assert theirs.status in (200, 403, 404), (place, row, theirs)
                assert SECRET not in theirs.text
                continue
            assert without_names(theirs, "anna") == without_names(nobodys, "nemo"), (place, row)
            _assert_tells_nothing(stage, theirs, (place, row))
    assert everything(stage.folder) == before


@pytest.mark.parametrize("who", ["", "bert", "anna!"])
def test_what_is_public_is_read_by_anybody_and_written_by_nobody(stage: Stage, who: str) -> None:
    """But for who names a password: it has to be the right one."""
    before = everything(stage.folder)
    for row in matrix.rows():
        for place in ("", "calendar/", "calendar/a.ics") if who != "anna!" else _places(who, row):
            answer = stage.ask(who, row, "public", place)
            assert answer.status < 500, (place, row, answer)
            if who == "anna!" and row.method != "OPTIONS":
                assert answer.status in (401, 405), (place, row, answer)
            elif row.writes:
                # 409: a token that fits nothing, where anybody may look at the locks
                refused = {401 if who == "" else 403, 405, *([409] if row.method == "UNLOCK" else [])}
                assert answer.status in refused, (place, row, answer)
    assert everything(stage.folder) == before


@pytest.mark.parametrize("who", ["bert", "rita"])
def test_headers_about_foreign_things_tell_and_change_nothing(stage: Stage, who: str) -> None:
    """An If header about another's resource, from one's own: the same whether it holds there or not."""
    client = stage.client(who)
    assert client.put(f"/{who}/calendar/own.ics", event("own")).status in (201, 204)
    for place in ("secret/s.ics", "secret/", "none/"):
        for condition in (f"(<{stage.token}>)", f"([{stage.etag}])", "(Not <urn:x:y>)", "(<DAV:no-lock>)"):
            found = [
                client.put(f"/{who}/calendar/own.ics", event("own"), If=f"</{home}/{place}> {condition}")
                for home in ("anna", "nemo")
            ]
            assert without_names(found[0], "anna") == without_names(found[1], "nemo"), (place, condition)
    # Another's token opens no lock, and is not told to be one.
    answers = [
        client.put("/anna/calendar/a.ics", event("a"), If=f"(<{token}>)")
        for token in (stage.token, "urn:uuid:6b9a2a2e-0000-4000-8000-000000000000")
    ]
    assert {answer.status for answer in answers} == {403}
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize("who", ["bert", "rita"])
def test_members_of_a_bulk_change_stay_in_their_collection(stage: Stage, who: str) -> None:
    before = {name: rows for name, rows in everything(stage.folder).items() if name in ("item", "body")}
    anna = [row for row in before["item"] if row[0] == before["item"][0][0]]
    text = event("evil").decode().replace("\r\n", "&#13;\n")
    for home in ("anna", "nemo"):
        for place in ("calendar/a.ics", "calendar/none.ics", "../anna/calendar/a.ics", "secret/s.ics"):
            data = f"<set><prop><C:calendar-data>{text}</C:calendar-data></prop></set>"
            for inside in (data, "<M:delete/>"):
                body = (
                    '<M:multiput xmlns:M="http://me.com/_namespace/" xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
                    f"<M:resource><href>/{home}/{place}</href>{inside}</M:resource></M:multiput>"
                )
                answer = stage.client(who).post(f"/{who}/calendar/", body, Content_Type="application/xml")
                assert set(answer.statuses.values()) <= {400, 403}, (home, place, answer.text)
                assert SECRET not in answer.text
    after = everything(stage.folder)
    assert [row for row in after["item"] if row[0] == anna[0][0]] == anna


@pytest.mark.parametrize("directory", ["self", "all"])
def test_searches_keep_to_the_directory(request: pytest.FixtureRequest, directory: str) -> None:
    stage = request.getfixturevalue("stage" if directory == "self" else "open_stage")
    for name in ("{DAV:}principal-property-search", "{DAV:}acl-principal-prop-set", "{DAV:}principal-match"):
        answer = stage.client("bert").report("/", matrix.REPORTS[name])
        told = {one.href for one in answer.multistatus.responses}
        if name.endswith("search") and directory == "all":
            assert {"/anna/", "/bert/"} <= told
        else:
            assert all(href.startswith("/bert/") for href in told), name
        assert SECRET not in answer.text
    listed = stage.client("bert").propfind("/", Depth="1")
    assert not any(href.startswith(("/anna", "/rita", "/carl")) for href in listed.statuses)


def test_a_home_syncs_what_its_asker_may_read(stage: Stage) -> None:
    """Rita may read one calendar in a home that she may not list."""
    sync = matrix.REPORTS["{DAV:}sync-collection"]
    assert stage.client("rita").report("/anna/", sync).status == 403
    assert "secret" not in stage.client("rita").report("/anna/calendar/", sync).text
    assert stage.client("rita").report("/nemo/", sync).status == 403


def test_time_zones_are_told_to_anybody_and_are_no_way_in(stage: Stage) -> None:
    for path in ("", "/", "/zones", "/../../anna/calendar/", "/zones/..%2F..%2Fanna", "/zones/Europe%2FBerlin"):
        for method in ("GET", "PROPFIND", "PUT", "DELETE"):
            asked = [stage.client(who).request(method, f"/.calsync/timezones{path}") for who in ("", "anna!", "anna")]
            assert len({answer.status for answer in asked}) == 1, (method, path, asked)
            assert all(SECRET.encode() not in answer.body for answer in asked)


def test_the_owner_may_do_what_the_others_may_not(stage: Stage) -> None:
    """The last of all, for it changes things: a matrix in which everything were refused would prove nothing."""
    done, anna = set(), stage.client("anna")
    for row in matrix.rows():
        if row.conditional:
            continue
        for place in ("calendar/", "calendar/a.ics"):
            if row.method not in ("DELETE", "MOVE") or place.endswith("ics"):
                answer = stage.ask("anna", row, "anna", place)
                done |= {row.method} if answer.status < 300 else set()
                locks = anna.props(f"/anna/{place}", "{DAV:}lockdiscovery").text
                for token in re.findall("urn:uuid:[0-9a-f-]{36}", locks):
                    anna.unlock(f"/anna/{place}", **{"Lock-Token": f"<{token}>"})
        anna.delete("/anna/calendar/into.ics")
        anna.put("/anna/calendar/a.ics", event("a"))
    assert done >= {"GET", "HEAD", "OPTIONS", "PUT", "PROPFIND", "PROPPATCH", "REPORT", "LOCK", "DELETE", "MOVE"}
