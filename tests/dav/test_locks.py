from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from calsync.accounts.accounts import Accounts
from calsync.app import Application
from calsync.store import locks, principals
from calsync.webdav import parse
from calsync.webdav.names import D
from tests.dav.conftest import PASSWORD, Answer, Client, card, event, make_application

RIGHTS = """
[home]
user: .+
collection: {user}(/.*)?
permissions: RrWw
[shared]
user: bert
collection: anna(/files(/.*)?)?
permissions: RrWw
"""

OWNER = '<D:owner><x:who xmlns:x="urn:x" xml:lang="de" at="1 &amp; 2">Anna <b xmlns="urn:b">Ä</b>!</x:who></D:owner>'


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    """Plain collections and files are granted in one's own home, and to bert in anna's collection `files`."""
    (tmp_path / "rights").write_text(RIGHTS)
    application = make_application(
        tmp_path / "data",
        rights={"type": "from_file", "file": str(tmp_path / "rights")},
        storage={"permit_files": "True"},
    )
    assert application.store is not None
    accounts = Accounts(application.store)
    accounts.create("anna", PASSWORD)
    accounts.create("bert", PASSWORD)
    anna = Client(application)
    assert anna.mkcol("/anna/files/").status == 201
    yield application
    application.close()


def lock(client: Client, path: str, *, scope: str = "exclusive", owner: str = "", **headers: str) -> Answer:
    body = (
        f'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{scope}/></D:lockscope>'
        f"<D:locktype><D:write/></D:locktype>{owner}</D:lockinfo>"
    )
    return client.request("LOCK", path, body, **headers)


def token(client: Client, path: str, *, scope: str = "exclusive", **headers: str) -> str:
    """Lock it; the token."""
    made = lock(client, path, scope=scope, **headers)
    assert made.status in (200, 201), made.body
    return made.headers["Lock-Token"].strip("<>")


def unlock(client: Client, path: str, token: str) -> int:
    return client.request("UNLOCK", path, Lock_Token=f"<{token}>").status


def submitted(answer: Answer) -> list[str]:
    """The hrefs in the `lock-token-submitted` of a 423."""
    assert answer.status == 423, (answer.status, answer.body)
    condition = parse.xml(answer.body).find(D("lock-token-submitted"))
    assert condition is not None, answer.body
    return [href.text or "" for href in condition]


PATCH = '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x">1</x></prop></set></propertyupdate>'


def test_class_2_is_advertised(anna: Client) -> None:
    answer = anna.options("/anna/files/")
    assert "2" in answer.headers["DAV"].split(", ")
    assert {"LOCK", "UNLOCK"} <= set(answer.headers["Allow"].split(", "))
    assert "LOCK" not in anna.options("/anna/").headers["Allow"].split(", ")


def test_a_lock_is_told_as_it_was_asked_for(anna: Client) -> None:
    anna.put("/anna/files/a", b"1")
    made = lock(anna, "/anna/files/a", owner=OWNER, Depth="0", Timeout="Second-600")
    assert made.status == 200
    name = made.headers["Lock-Token"]
    assert re.fullmatch(r"<urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}>", name)
    active = parse.xml(made.body).find(f"{D('lockdiscovery')}/{D('activelock')}")
    assert active is not None
    assert active.find(f"{D('lockscope')}/{D('exclusive')}") is not None
    assert active.find(f"{D('locktype')}/{D('write')}") is not None
    assert active.findtext(D("depth")) == "0"
    left = re.fullmatch(r"Second-(\d+)", active.findtext(D("timeout")) or "")
    assert left is not None and 500 < int(left[1]) <= 600
    assert active.findtext(f"{D('locktoken')}/{D('href')}") == name[1:-1]
    assert active.findtext(f"{D('lockroot')}/{D('href')}") == "/anna/files/a"
    assert OWNER.encode()[9:-10] in made.body
    assert D("lockdiscovery") in anna.props("/anna/files/a", D("lockdiscovery")).multistatus.responses[0].props


#: What a request to the tree below changes: (method, path, destination) → the resources, and the parents of those that
#: come or go. The tree: `c/a`, `c/d/b`.
OPERATIONS: dict[tuple[str, str, str], tuple[set[str], set[str]]] = {
    ("PUT", "c/a", ""): ({"c/a"}, set()),
    ("PUT", "c/new", ""): ({"c/new"}, {"c"}),
    ("PUT", "c/d/new", ""): ({"c/d/new"}, {"c/d"}),
    ("PROPPATCH", "c", ""): ({"c"}, set()),
    ("PROPPATCH", "c/d/b", ""): ({"c/d/b"}, set()),
    ("MKCOL", "c/d/e", ""): ({"c/d/e"}, {"c/d"}),
    ("DELETE", "c/a", ""): ({"c/a"}, {"c"}),
    ("DELETE", "c/d", ""): ({"c/d", "c/d/b"}, {"c", "c/d"}),
    ("MOVE", "c/a", "c/d/a"): ({"c/a", "c/d/a"}, {"c", "c/d"}),
    ("MOVE", "c/d", "x"): ({"c/d", "c/d/b", "x"}, {"c", "c/d"}),
    ("COPY", "c/a", "c/d/b"): ({"c/d/b"}, {"c/d"}),
    ("COPY", "c/a", "x"): ({"x"}, set()),
    ("COPY", "c/d", "x"): ({"x"}, set()),
}


@pytest.mark.parametrize(("root", "depth"), list(product(["c", "c/a", "c/d", "c/d/b"], ["0", "infinity"])))
def test_locks_guard_what_the_rfc_says(anna: Client, root: str, depth: str) -> None:
    """RFC 4918 §7.4, §7.5: the resource, with Depth infinity all below, and in any case the membership."""
    for number, ((method, path, destination), (changed, parents)) in enumerate(OPERATIONS.items()):
        base = f"/anna/files/{number}/"
        for made in ("", "c", "c/d"):
            assert anna.mkcol(f"{base}{made}").status == 201
        for made in ("c/a", "c/d/b"):
            assert anna.put(f"{base}{made}", b"1").status == 201
        name = token(anna, f"{base}{root}", Depth=depth)
        headers = {"Destination": f"{base}{destination}"} if destination else {}
        body: bytes | str = {"PROPPATCH": PATCH, "PUT": b"2"}.get(method, b"")

        reached = {
            one for one in changed | parents if one == root or (depth == "infinity" and one.startswith(f"{root}/"))
        }
        refused = anna.request(method, f"{base}{path}", body, **headers)
        if not reached:
            assert refused.status in ((207,) if method == "PROPPATCH" else (201, 204)), (method, path, refused.body)
            continue
        # What is locked inside the collection that goes is named in a 207, all else in a 423.
        if root.startswith((f"{path}/", f"{destination or path}/")):
            assert refused.statuses == {f"{base}{root}": 423}
        else:
            assert submitted(refused) == [f"{base}{root}" + ("/" if root in ("c", "c/d") else "")]
        done = anna.request(method, f"{base}{path}", body, If=f"<{base}{root}> (<{name}>)", **headers)
        assert done.status in ((207,) if method == "PROPPATCH" else (201, 204)), (method, path, done.body)


def test_a_lock_that_makes_a_file_needs_the_token_of_its_parent(anna: Client) -> None:
    name = token(anna, "/anna/files/", Depth="0")
    assert submitted(lock(anna, "/anna/files/new")) == ["/anna/files/"]
    assert lock(anna, "/anna/files/new", If=f"</anna/files/> (<{name}>)").status == 201


def test_a_token_serves_its_holder_only(anna: Client, bert: Client) -> None:
    anna.put("/anna/files/a", b"1")
    name = token(anna, "/anna/files/a")
    assert bert.put("/anna/files/a", b"2", If=f"(<{name}>)").status == 423
    assert anna.get("/anna/files/a").body == b"1"
    assert anna.put("/anna/files/a", b"2", If=f"(<{name}>)").status == 204


def test_one_who_shares_a_lock_writes_with_the_own_token(anna: Client, bert: Client) -> None:
    anna.put("/anna/files/a", b"1")
    hers, his = (token(one, "/anna/files/a", scope="shared") for one in (anna, bert))
    assert lock(bert, "/anna/files/a").status == 423
    assert bert.put("/anna/files/a", b"2").status == 423
    assert bert.put("/anna/files/a", b"2", If=f"(<{hers}>)").status == 423
    assert bert.put("/anna/files/a", b"2", If=f"(<{his}>)").status == 204
    assert unlock(bert, "/anna/files/a", his) == 204
    assert bert.put("/anna/files/a", b"3").status == 423


def test_an_exclusive_lock_bears_no_other(anna: Client) -> None:
    anna.put("/anna/files/a", b"1")
    token(anna, "/anna/files/a")
    for scope in ("exclusive", "shared"):
        refused = lock(anna, "/anna/files/a", scope=scope)
        assert refused.status == 423
        assert b"no-conflicting-lock" in refused.body and b"/anna/files/a<" in refused.body


def test_a_conflict_below_is_a_207(anna: Client) -> None:
    """RFC 4918 §9.10.9: 423 for the member, 424 for the collection."""
    anna.mkcol("/anna/files/c/")
    anna.put("/anna/files/c/a", b"1")
    name = token(anna, "/anna/files/c/a")
    refused = lock(anna, "/anna/files/c/")
    assert refused.statuses == {"/anna/files/c/a": 423, "/anna/files/c/": 424}
    assert "Lock-Token" not in refused.headers
    assert lock(anna, "/anna/files/c/", Depth="0").status == 200
    assert unlock(anna, "/anna/files/c/a", name) == 204


def test_refresh(anna: Client, bert: Client) -> None:
    anna.mkcol("/anna/files/c/")
    anna.put("/anna/files/c/a", b"1")
    name = token(anna, "/anna/files/c/", Timeout="Second-60")
    done = anna.lock("/anna/files/c/a", If=f"(<{name}>)", Timeout="Second-900")
    assert done.status == 200 and "Lock-Token" not in done.headers
    left = re.search(rb"Second-(\d+)<", done.body)
    assert left is not None and 800 < int(left[1]) <= 900
    assert anna.lock("/anna/files/c/a").status == 400
    stranger = anna.lock("/anna/files/", If=f"(Not <{name}>)")
    assert stranger.status == 412 and b"lock-token-matches-request-uri" in stranger.body
    assert bert.lock("/anna/files/c/a", If=f"(<{name}>)").status == 403


@pytest.mark.parametrize(
    ("wish", "seconds"), [("Infinite", 86400), ("Second-4100000000", 86400), ("", 3600), ("Extended, Second-200", 200)]
)
def test_a_lock_has_an_end(anna: Client, wish: str, seconds: int) -> None:
    anna.put("/anna/files/a", b"1")
    told = re.search(rb"Second-(\d+)<", lock(anna, "/anna/files/a", Timeout=wish).body)
    assert told is not None and seconds - 100 <= int(told[1]) <= seconds


def test_an_expired_lock_is_gone(application: Application, anna: Client) -> None:
    anna.put("/anna/files/a", b"1")
    name = token(anna, "/anna/files/a")
    assert application.store is not None
    with application.store.write() as tx:
        owner = principals.find(tx, "anna")
        assert owner is not None
        (found,) = locks.around(tx, owner.id, "files/a", 0)
        locks.extend(tx, found, 1)
    assert anna.put("/anna/files/a", b"2").status == 204
    assert anna.props("/anna/files/a", D("lockdiscovery")).value("/anna/files/a", D("lockdiscovery")) == ""
    assert anna.put("/anna/files/a", b"2", If=f"(<{name}>)").status == 412
    assert unlock(anna, "/anna/files/a", name) == 409
    assert lock(anna, "/anna/files/a").status == 200


def test_a_lock_where_nothing_is_makes_an_empty_file(anna: Client) -> None:
    made = lock(anna, "/anna/files/new")
    assert made.status == 201
    assert anna.get("/anna/files/new").body == b""
    assert anna.put("/anna/files/new", b"1", If=f"({made.headers['Lock-Token']})").status == 204
    assert lock(anna, "/anna/files/none/new").status == 409


@pytest.mark.parametrize("path", ["/anna/calendar/new.ics", "/anna/contacts/new.vcf", "/anna/new"])
def test_nothing_empty_is_made_in_calendars_and_address_books(anna: Client, path: str) -> None:
    anna.propfind("/anna/", Depth="0")
    assert lock(anna, path).status == 403
    assert anna.propfind(path, Depth="0").status == 404


def test_without_files_nothing_is_made(anna: Client, tmp_path: Path) -> None:
    options = {"type": "from_file", "file": str(tmp_path / "rights")}
    strict = Client(make_application(tmp_path / "data", rights=options))
    assert lock(strict, "/anna/files/new").status == 403
    strict.application.close()


def test_unlock(anna: Client, bert: Client) -> None:
    anna.put("/anna/files/a", b"1")
    name = token(anna, "/anna/files/a")
    assert anna.unlock("/anna/files/a").status == 400
    wrong = anna.unlock("/anna/files/a", Lock_Token="<urn:uuid:0>")
    assert wrong.status == 409 and b"lock-token-matches-request-uri" in wrong.body
    assert unlock(anna, "/anna/files/", name) == 409
    refused = bert.unlock("/anna/files/a", Lock_Token=f"<{name}>")
    assert refused.status == 403 and b"unlock" in refused.body
    assert unlock(anna, "/anna/files/a", name) == 204
    assert anna.put("/anna/files/a", b"2").status == 204


def test_one_can_take_off_others_locks_in_the_own_home(anna: Client, bert: Client) -> None:
    anna.put("/anna/files/a", b"1")
    name = token(bert, "/anna/files/a")
    assert anna.delete("/anna/files/a").status == 423
    assert unlock(anna, "/anna/files/a", name) == 204
    for client, held in ((anna, True), (bert, False)):
        privileges = client.props("/anna/files/a", D("current-user-privilege-set")).body
        assert (b"<D:unlock/>" in privileges) is held


def test_the_members_that_are_locked_are_named(anna: Client) -> None:
    """RFC 4918 §9.6.1, §9.9.4: a 207 with the members that forbid it, and nothing is done."""
    anna.mkcol("/anna/files/c/")
    anna.put("/anna/files/c/a", b"1")
    anna.put("/anna/files/c/b", b"1")
    anna.mkcol("/anna/files/other/")
    name = token(anna, "/anna/files/c/a")
    for refused in (
        anna.delete("/anna/files/c/"),
        anna.move("/anna/files/c/", Destination="/anna/files/x/"),
        anna.copy("/anna/files/other/", Destination="/anna/files/c/"),
    ):
        assert refused.statuses == {"/anna/files/c/a": 423}
        assert refused.multistatus.responses[0].error == [D("lock-token-submitted")]
    assert anna.get("/anna/files/c/b").status == 200
    assert anna.delete("/anna/files/c/", If=f"</anna/files/c/a> (<{name}>)").status == 204
    assert anna.mkcol("/anna/files/c/").status == 201
    assert anna.put("/anna/files/c/a", b"1").status == 201


def test_locks_stay_where_they_are(anna: Client) -> None:
    """RFC 4918 §7.6: they neither follow MOVE nor are doubled by COPY; the destination's own one stays."""
    anna.put("/anna/files/a", b"1")
    name = token(anna, "/anna/files/a")
    assert anna.copy("/anna/files/a", Destination="/anna/files/copy").status == 201
    assert anna.put("/anna/files/copy", b"2").status == 204
    assert anna.move("/anna/files/a", Destination="/anna/files/moved", If=f"(<{name}>)").status == 201
    assert anna.put("/anna/files/moved", b"2").status == 204
    assert anna.put("/anna/files/a", b"2").status == 201
    target = token(anna, "/anna/files/a")
    assert anna.move("/anna/files/moved", Destination="/anna/files/a").status == 423
    assert anna.move("/anna/files/moved", Destination="/anna/files/a", If=f"</anna/files/a> (<{target}>)").status == 204
    assert anna.put("/anna/files/a", b"3").status == 423


def test_lockdiscovery_in_listings(anna: Client) -> None:
    for name in ("a%20b", "c"):
        anna.put(f"/anna/files/{name}", b"1")
    of_file = token(anna, "/anna/files/a%20b", scope="shared")
    of_all = token(anna, "/anna/files/", scope="shared", Depth="infinity")
    listed = anna.props("/anna/files/", D("lockdiscovery"), D("supportedlock"), depth="1")
    for href, names in {
        "/anna/files/": {of_all},
        "/anna/files/a%20b": {of_all, of_file},
        "/anna/files/c": {of_all},
    }.items():
        assert set(re.findall("urn:uuid:[0-9a-f-]+", listed.value(href, D("lockdiscovery")))) == names
        single = anna.props(href, D("lockdiscovery"))
        assert set(re.findall("urn:uuid:[0-9a-f-]+", single.value(href, D("lockdiscovery")))) == names
        assert len(listed.prop(href, D("supportedlock"))[1]) == 2


def test_if_speaks_of_etags_and_tokens_here_and_elsewhere(anna: Client) -> None:
    """RFC 4918 §10.4."""
    first = anna.put("/anna/files/a", b"1").etag
    other = anna.put("/anna/files/b", b"1").etag
    name = token(anna, "/anna/files/b")
    here = "http://localhost:5232/anna/files/b"
    for header, holds in {
        f"([{first}])": True,
        f"(Not [{first}])": False,
        '(["other"])': False,
        f'(["other"]) ([{first}])': True,
        f'([{first}] ["other"])': False,
        "(<DAV:no-lock>)": False,
        "(Not <DAV:no-lock>)": True,
        f"(<{name}>)": False,
        f"(Not <{name}>)": True,
        f"</anna/files/b> (<{name}> [{other}])": True,
        f"<{here}> (<{name}>)": True,
        f"<{here}> (Not <{name}>)": False,
        f"<http://elsewhere.example/b> (<{name}>)": False,
        "</anna/files/none> (Not <urn:x>)": True,
        f"</anna/files/none> ([{first}])": False,
        f"</bert/calendar/> (<{name}>)": False,
    }.items():
        for method, done in (("PROPPATCH", 207), ("GET", 200)):
            status = anna.request(method, "/anna/files/a", PATCH if method == "PROPPATCH" else b"", If=header).status
            assert status == (done if holds else 412), (header, method)
    assert anna.put("/anna/files/a", b"2", If="(<").status == 400


def test_calendars_and_their_members_are_locked_too(anna: Client) -> None:
    anna.put("/anna/calendar/a.ics", event("a"))
    name = token(anna, "/anna/calendar/a.ics")
    locked = ["/anna/calendar/a.ics"]
    assert submitted(anna.put("/anna/calendar/a.ics", event("a", "SUMMARY:x"))) == locked
    assert submitted(anna.proppatch("/anna/calendar/a.ics", PATCH)) == locked
    assert submitted(anna.put("/anna/calendar/", event("b"))) == locked
    assert anna.put("/anna/calendar/b.ics", event("b")).status == 201
    assert unlock(anna, "/anna/calendar/a.ics", name) == 204
    name = token(anna, "/anna/contacts/")
    assert submitted(anna.put("/anna/contacts/c.vcf", card())) == ["/anna/contacts/"]
    assert anna.put("/anna/contacts/c.vcf", card(), If=f"</anna/contacts/> (<{name}>)").status == 201
    assert submitted(anna.proppatch("/anna/contacts/", PATCH)) == ["/anna/contacts/"]


def test_post_heeds_locks(anna: Client) -> None:
    name = token(anna, "/anna/calendar/", Depth="0")
    anna.headers["Content-Type"] = "text/calendar"
    assert submitted(anna.post("/anna/calendar/?add-member", event("a"))) == ["/anna/calendar/"]
    assert anna.post("/anna/calendar/?add-member", event("a"), If=f"(<{name}>)").status == 201


@pytest.mark.parametrize(
    "body",
    [
        '<lockinfo xmlns="DAV:"><locktype><write/></locktype></lockinfo>',
        '<lockinfo xmlns="DAV:"><lockscope><exclusive/><shared/></lockscope><locktype><write/></locktype></lockinfo>',
        '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><read/></locktype></lockinfo>',
        '<propfind xmlns="DAV:"><allprop/></propfind>',
        "<lockinfo",
    ],
)
def test_bad_bodies(anna: Client, body: str) -> None:
    anna.put("/anna/files/a", b"1")
    assert anna.lock("/anna/files/a", body).status == 400
    assert lock(anna, "/anna/files/", Depth="1").status == 400
    assert lock(anna, "/anna/").status == 405


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "image/png", 'text/x; note="<&>"', ""])
def test_files_keep_their_type_and_octets(anna: Client, kind: str) -> None:
    octets = bytes(range(256))
    assert anna.put("/anna/files/f", octets, Content_Type=kind).status == 201
    got = anna.get("/anna/files/f")
    assert got.body == octets
    assert got.headers["Content-Type"] == (kind or "application/octet-stream")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Disposition"] == "attachment"
    listed = anna.props("/anna/files/", D("getcontenttype"), depth="1")
    assert listed.value("/anna/files/f", D("getcontenttype")) == (kind or "application/octet-stream")


def test_a_file_takes_the_place_of_a_collection(anna: Client) -> None:
    """RFC 4918 §9.8.4, §9.9.3: with Overwrite, what stands at the destination goes with all that is in it."""
    anna.put("/anna/files/f", b"1")
    for method, status in (("COPY", 204), ("MOVE", 204)):
        anna.delete("/anna/files/c")
        anna.mkcol("/anna/files/c/")
        anna.put("/anna/files/c/inner", b"2")
        assert anna.request(method, "/anna/files/f", Destination="/anna/files/c", Overwrite="F").status == 412
        assert anna.request(method, "/anna/files/f", Destination="/anna/files/c").status == status
        assert anna.get("/anna/files/c").body == b"1"
    anna.mkcol("/anna/files/d/")
    anna.put("/anna/files/d/inner", b"2")
    assert anna.move("/anna/files/d/inner", Destination="/anna/files/d").status == 403
    assert anna.get("/anna/files/d/inner").body == b"2"


def test_locks_are_not_a_place_to_store_things(anna: Client) -> None:
    anna.put("/anna/files/a", b"1")
    assert lock(anna, "/anna/files/a", owner=f"<D:owner>{'x' * 3000}</D:owner>").status == 413
    statuses = [lock(anna, "/anna/files/a", scope="shared").status for _ in range(51)]
    assert statuses == [200] * 50 + [507]
