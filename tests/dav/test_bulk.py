"""Bulk changes by one POST (CalendarServer's "Bulk Change Requests"), answered one by one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calsync.accounts.accounts import Accounts
from calsync.webdav.reader import Response
from tests.dav.conftest import PASSWORD, Answer, Client, card, event, make_application

HOME = "/anna/calendar/"
BOOK = "/anna/contacts/"
CTAG = "{http://calendarserver.org/ns/}getctag"
UID = "{http://calendarserver.org/ns/}uid"
ETAG = "{DAV:}getetag"
LIMITS = "{http://me.com/_namespace/}bulk-requests"
NAMES = (
    'xmlns="DAV:" xmlns:M="http://me.com/_namespace/" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    ' xmlns:CR="urn:ietf:params:xml:ns:carddav"'
)


def resource(href: str = "", data: bytes | None = None, *, match: str = "", more: str = "", name: str = "C:calendar-data", tail: str = "") -> str:  # fmt: skip
    inside = f"<href>{escape(href)}</href>" if href else ""
    inside += f"<M:if-match><getetag>{match}</getetag></M:if-match>" if match else ""
    value = f"<{name}>{escape(data.decode())}</{name}>" if data is not None else ""
    inside += f"<set><prop>{value}{more}</prop></set>" if value or more else ""
    return f"<M:resource>{inside}{tail}</M:resource>"


def deletion(href: str, match: str = "") -> str:
    return resource(href, match=match, tail="<M:delete/>")


def multiput(client: Client, *resources: str, path: str = HOME, **headers: str) -> Answer:
    body = f"<M:multiput {NAMES}>{''.join(resources)}</M:multiput>"
    return client.post(path, body, Content_Type="application/xml; charset=utf-8", **headers)


def told(answer: Answer) -> list[Response]:
    return answer.multistatus.responses


def ctag(client: Client, path: str = HOME) -> str:
    return client.props(path, CTAG).value(path, CTAG)


def calendar(*events: bytes) -> bytes:
    inner = b"".join(one[one.index(b"BEGIN:VEVENT") : one.index(b"END:VCALENDAR")] for one in events)
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n" + inner + b"END:VCALENDAR\r\n"


def test_many_are_made_changed_and_deleted_at_once(anna: Client) -> None:
    etags = {name: anna.put(HOME + name, event(name)).etag for name in ("b.ics", "c.ics", "d.ics", "e.ics")}
    answer = multiput(
        anna,
        resource(data=event("new")),
        resource(HOME + "b.ics", event("b.ics", "SUMMARY:changed"), match=etags["b.ics"]),
        deletion(HOME + "c.ics", etags["c.ics"]),
        resource(HOME + "d.ics", b"nonsense"),
        deletion(HOME + "e.ics", '"stale"'),
    )
    made, changed, deleted, refused, stale = told(answer)
    assert made.text(UID) == "new"
    assert anna.get(made.href).body == event("new")
    assert anna.get(made.href).etag == made.text(ETAG)
    assert (changed.href, changed.text(ETAG)) == (HOME + "b.ics", anna.get(HOME + "b.ics").etag)
    assert (deleted.href, deleted.status, anna.get(HOME + "c.ics").status) == (HOME + "c.ics", 200, 404)
    assert (refused.href, refused.status) == (HOME + "d.ics", 403)
    assert refused.error == ["{urn:ietf:params:xml:ns:caldav}valid-calendar-data"]
    assert (stale.href, stale.status, anna.get(HOME + "e.ics").status) == (HOME + "e.ics", 412, 200)
    assert answer.headers["CTag"] == ctag(anna)


def test_an_update_whose_condition_fails_changes_nothing(anna: Client) -> None:
    etag = anna.put(HOME + "a.ics", event()).etag
    (one,) = told(multiput(anna, resource(HOME + "a.ics", event("one", "SUMMARY:2"), match='"old"')))
    assert (one.status, anna.get(HOME + "a.ics").etag) == (412, etag)
    (gone,) = told(multiput(anna, resource(HOME + "no.ics", event("no"), match='"old"')))
    assert (gone.status, anna.get(HOME + "no.ics").status) == (412, 404)


def test_an_href_that_names_nothing_is_made_there(anna: Client) -> None:
    (one,) = told(multiput(anna, resource(HOME + "a%20b.ics", event("ä&<b>"))))
    assert (one.href, one.text(UID)) == (HOME + "a%20b.ics", "ä&<b>")
    assert anna.get(HOME + "a%20b.ics").body == event("ä&<b>")


def test_a_uid_in_use_is_named_with_its_holder(anna: Client) -> None:
    anna.put(HOME + "a.ics", event("same"))
    answer = multiput(anna, resource(data=event("same")), resource(data=event("twice")), resource(data=event("twice")))
    held, made, twice = told(answer)
    assert (held.href, held.status, twice.status) == ("", 409, 409)
    assert held.error == ["{urn:ietf:params:xml:ns:caldav}no-uid-conflict", UID]
    assert f"<C:no-uid-conflict><D:href>{HOME}a.ics</D:href></C:no-uid-conflict><CS:uid>same</CS:uid>" in answer.text
    assert f"<D:href>{made.href}</D:href></C:no-uid-conflict><CS:uid>twice</CS:uid>" in answer.text
    (other,) = told(multiput(anna, resource(HOME + "a.ics", event("other"))))
    assert (other.status, other.error[0]) == (409, "{urn:ietf:params:xml:ns:caldav}no-uid-conflict")


def test_properties_are_set_with_the_data_or_neither(anna: Client) -> None:
    note = '<x:note xmlns:x="urn:x">hello</x:note>'
    (made,) = told(multiput(anna, resource(data=event(), more=note)))
    assert anna.props(made.href, "{urn:x}note").value(made.href, "{urn:x}note") == "hello"
    (changed,) = told(multiput(anna, resource(made.href, more=note.replace("hello", "bye"))))
    assert changed.text(ETAG) == made.text(ETAG)
    assert anna.props(made.href, "{urn:x}note").value(made.href, "{urn:x}note") == "bye"
    removed = (
        f"<M:resource><href>{made.href}</href><remove><prop><x:note xmlns:x='urn:x'/></prop></remove></M:resource>"
    )
    assert told(multiput(anna, removed))[0].status is None
    assert anna.props(made.href, "{urn:x}note").prop(made.href, "{urn:x}note")[0] == 404
    (refused,) = told(multiput(anna, resource(made.href, event("one", "SUMMARY:2"), more=f"<getetag/>{note}")))
    assert {name: status for name, (status, _) in refused.props.items()} == {
        ETAG: 403,
        "{urn:x}note": 424,
        "{urn:ietf:params:xml:ns:caldav}calendar-data": 424,
    }
    assert anna.get(made.href).body == event()


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (resource("/bert/calendar/a.ics", event("x")), 403),
        (resource("/anna/contacts/a.ics", event("x")), 403),
        (resource(HOME, event("x")), 403),
        (resource(HOME + "sub/a.ics", event("x")), 403),
        (resource("https://elsewhere.example/a.ics", event("x")), 502),
        (resource(HOME + "<&.ics", match='"x"'), 400),
        (resource(), 400),
        (resource(HOME + "x.ics"), 400),
        (resource(data=event("x"), match='"x"'), 400),
        (resource(HOME + "x.ics", event("x"), tail="<M:delete/>"), 400),
        (resource(HOME + "x.ics", more='<x:note xmlns:x="urn:x"/>'), 404),
        (deletion(HOME + "x.ics"), 404),
        (resource(data=card(), name="CR:address-data"), 403),
    ],
)  # fmt: skip
def test_one_bad_change_costs_only_itself(anna: Client, bad: str, status: int) -> None:
    first, one, last = told(multiput(anna, resource(data=event("a")), bad, resource(data=event("b"))))
    assert one.status == status, one
    assert (first.text(UID), last.text(UID)) == ("a", "b")
    assert len(anna.sync(HOME).statuses) == 2


def test_cards(anna: Client) -> None:
    made, text = told(
        multiput(
            anna,
            resource(data=card("c1"), name="CR:address-data"),
            resource(data=b"BEGIN:VCARD\r\nVERSION:2.1\r\nEND:VCARD\r\n", name="CR:address-data"),
            path=BOOK,
        )
    )
    assert (made.href.endswith(".vcf"), anna.get(made.href).body) == (True, card("c1"))
    assert text.error == ["{urn:ietf:params:xml:ns:carddav}valid-address-data"]


def test_a_text_is_cut_into_its_members(anna: Client) -> None:
    anna.put(HOME + "held.ics", event("held"))
    damaged = event("bad", start="never")
    answer = anna.post(HOME, calendar(event("a"), event("held"), damaged, event("b")), Content_Type="text/calendar")
    a, held, bad, b = told(answer)
    assert [one.text(UID) for one in (a, b)] == ["a", "b"]
    assert [anna.get(one.href).etag for one in (a, b)] == [one.text(ETAG) for one in (a, b)]
    assert (held.href, held.status, bad.href, bad.status) == ("", 409, "", 403)
    assert f"<D:href>{HOME}held.ics</D:href></C:no-uid-conflict><CS:uid>held</CS:uid>" in answer.text
    assert bad.error == ["{urn:ietf:params:xml:ns:caldav}valid-calendar-data", UID]
    assert anna.get(HOME + "held.ics").body == event("held")


def test_a_file_of_cards_is_cut_too(anna: Client) -> None:
    answer = anna.post(BOOK, card("a") + card("b", name="Bob"), Content_Type="text/vcard; charset=utf-8")
    assert [one.text(UID) for one in told(answer)] == ["a", "b"]
    assert anna.post(BOOK, event(), Content_Type="text/calendar").status == 415
    assert anna.post(BOOK, b"", Content_Type="text/vcard").status == 400


def test_changed_data_has_no_etag_unless_it_comes_along(anna: Client) -> None:
    text = card("a", name="Käthe")
    content_type = "text/vcard; charset=iso-8859-1"
    (one,) = told(anna.post(BOOK, text.decode().encode("latin-1"), Content_Type=content_type))
    assert (one.text(ETAG), anna.get(one.href).body) == (None, text)
    anna.delete(one.href)
    options = {"Content_Type": content_type, "X_MobileMe_DAV_Options": "return-changed-data, Test=True"}
    (one,) = told(anna.post(BOOK, text.decode().encode("latin-1"), **options))
    assert one.text(ETAG) == anna.get(one.href).etag
    assert one.text("{urn:ietf:params:xml:ns:carddav}address-data") == text.decode()


def test_the_component_set_is_kept(anna: Client) -> None:
    task = event("t").replace(b"VEVENT", b"VTODO").replace(b"DTEND", b"DUE")
    (one,) = told(multiput(anna, resource(data=task)))
    assert one.error[0] == "{urn:ietf:params:xml:ns:caldav}supported-calendar-component"


def test_on_the_state_that_the_client_knows(anna: Client) -> None:
    known = f"http://me.com/_namespace/ctag/{ctag(anna)}"
    answer = multiput(anna, resource(data=event("a")), If=f"(<{known}>)")
    assert (told(answer)[0].text(UID), answer.headers["CTag"]) == ("a", ctag(anna))
    late = multiput(anna, resource(data=event("b")), If=f"(<{known}>)")
    assert (late.status, "<ME:ctag-ok/>" in late.text) == (412, True)
    escaped = f"http://me.com/_namespace/ctag/{ctag(anna).replace(':', '%3A')}"
    assert multiput(anna, resource(data=event("b")), If=f"(<{escaped}>)").status == 207


def test_the_limits_are_told_and_kept(anna: Client) -> None:
    for path in (HOME, BOOK):
        _, element = anna.props(path, LIMITS).prop(path, LIMITS)
        simple, crud = element
        assert [child.text for child in simple] == [None, "100000000"]
        assert [child.text for child in crud] == ["1000", str(16 * 1024 * 1024)]
    many = multiput(anna, *[deletion(f"{HOME}{number}.ics") for number in range(1001)])
    assert (many.status, "<ME:max-resources/>" in many.text) == (403, True)
    assert LIMITS not in anna.request("PROPFIND", HOME, Depth="0").text


def test_chunks_are_one_answer(anna: Client) -> None:
    answer = multiput(anna, *[resource(f"{HOME}{number}.ics", event(str(number))) for number in range(450)])
    assert [one.href for one in told(answer)] == [f"{HOME}{number}.ics" for number in range(450)]
    assert all(one.text(ETAG) for one in told(answer))
    token = anna.sync(HOME).multistatus.sync_token
    assert token == answer.headers["CTag"]
    gone = multiput(anna, *[deletion(f"{HOME}{number}.ics") for number in range(450)], If=f"(<http://me.com/_namespace/ctag/{token}>)")  # fmt: skip
    assert {one.status for one in told(gone)} == {200}
    assert anna.sync(HOME, token or "").statuses == {f"{HOME}{number}.ics": 404 for number in range(450)}


def test_who_may_not_write_changes_nothing(anna: Client, bert: Client, nobody: Client) -> None:
    assert multiput(bert, resource(data=event())).status == 403
    assert multiput(nobody, resource(data=event())).status == 401
    assert anna.sync(HOME).statuses == {}


def test_what_is_locked_stays(anna: Client) -> None:
    anna.put(HOME + "a.ics", event("a"))
    body = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    token = anna.lock(HOME + "a.ics", body).headers["Lock-Token"]
    changed = resource(HOME + "a.ics", event("a", "SUMMARY:2"))
    locked, kept, free = told(multiput(anna, changed, deletion(HOME + "a.ics"), resource(data=event("b"))))
    assert (locked.status, kept.status, free.text(UID)) == (423, 423, "b")
    assert locked.error == ["{DAV:}lock-token-submitted"]
    assert told(multiput(anna, changed, If=f"<{HOME}a.ics> ({token})"))[0].status is None


HOOK = """
from radicale import hook

TOLD = []

class Hook(hook.BaseHook):
    enabled = True

    def notify(self, notice):
        TOLD.append((str(notice.type), "old" if notice.old_content else "", (notice.new_content or "").count("BEGIN:VEVENT")))
"""


def test_hooks_are_told_of_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hook_of_bulk.py").write_text(HOOK)
    monkeypatch.syspath_prepend(tmp_path)
    application = make_application(tmp_path / "data", hook={"type": "hook_of_bulk"})
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    anna.put(HOME + "a.ics", event("a"))
    assert application.hands is not None
    application.hands.settle(60)
    told_of = sys.modules["hook_of_bulk"].TOLD
    told_of.clear()
    multiput(
        anna,
        resource(HOME + "a.ics", event("a", "SUMMARY:2")),
        resource(HOME + "b.ics", event("a")),
        resource(HOME + "c.ics", event("c"), more="<getetag/>"),
        deletion(HOME + "a.ics"),
    )
    application.hands.settle(60)
    assert told_of == [("upsert", "old", 1), ("delete", "old", 0)]
    told_of.clear()
    anna.put(HOME, calendar(event("x"), event("y")))
    anna.put(HOME, calendar(event("x"), event("y", "SUMMARY:2")))
    application.hands.settle(60)
    assert sorted(told_of) == [("upsert", "", 1), ("upsert", "", 1), ("upsert", "old", 1)]
    application.close()


def test_other_xml_and_no_xml_are_refused(anna: Client) -> None:
    xml = {"Content_Type": "application/xml"}
    assert anna.post(HOME, '<propfind xmlns="DAV:"/>', **xml).status == 422
    assert anna.post(HOME, f"<M:multiput {NAMES}/>", **xml).status == 400
    assert anna.post(HOME, "<M:multiput", **xml).status == 400
    assert anna.post(HOME, "<!DOCTYPE x><x/>", **xml).status == 400


def test_the_size_of_each_is_looked_at(tmp_path: Path) -> None:
    application = make_application(tmp_path / "data", server={"max_resource_size": "1000"})
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    large = resource(data=event("a", "SUMMARY:" + "x" * 1000))
    one, two = told(multiput(Client(application), large, resource(data=event("b"))))
    assert (one.error, two.text(UID)) == (["{urn:ietf:params:xml:ns:caldav}max-resource-size", UID], "b")
    application.store.close()


def test_strict_preconditions_hold_for_each(tmp_path: Path) -> None:
    application = make_application(tmp_path / "data", storage={"strict_preconditions": "True"})
    assert application.store is not None
    Accounts(application.store).create("anna", PASSWORD)
    anna = Client(application)
    etag = anna.put(HOME + "a.ics", event()).etag
    changed = event("one", "SUMMARY:2")
    (one,) = told(multiput(anna, resource(HOME + "a.ics", changed)))
    (two,) = told(multiput(anna, resource(HOME + "a.ics", changed, match=etag)))
    assert (one.status, two.status) == (412, None)
    application.store.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", None]), st.integers(0, 1)), max_size=8, min_size=1))  # fmt: skip
def test_a_bulk_change_is_what_the_single_requests_are(
    anna: Client, changes: list[tuple[str, str | None, int]]
) -> None:
    for path in ("/anna/one/", "/anna/two/"):
        anna.delete(path)
        assert anna.mkcalendar(path).status == 201
    alone: list[int] = []
    wanted: list[str] = []
    for name, uid, version in changes:
        where = f"{name}.ics"
        if uid is None:
            alone.append(anna.delete("/anna/one/" + where).status)
            wanted.append(deletion("/anna/two/" + where))
        else:
            octets = event(uid, f"SUMMARY:{version}")
            alone.append(anna.put("/anna/one/" + where, octets).status)
            wanted.append(resource("/anna/two/" + where, octets))
    together = [one.status or 200 for one in told(multiput(anna, *wanted, path="/anna/two/"))]
    assert together == [200 if status < 300 else status for status in alone]
    one, two = (
        re.sub(r"/anna/(one|two)/", "", anna.request("GET", path).text) for path in ("/anna/one/", "/anna/two/")
    )
    assert sorted(one.split("BEGIN:VEVENT")) == sorted(two.split("BEGIN:VEVENT"))
