"""POST of a new member (RFC 5995), and what a collection says of its POSTs."""

from __future__ import annotations

from tests.dav.conftest import Client, card, event

HOME = "/anna/calendar/"
ADD = "{DAV:}add-member"


def add_url(client: Client) -> str:
    return client.props(HOME, ADD).value(HOME, ADD)


def test_the_server_names_the_new_member(anna: Client) -> None:
    answer = anna.post(add_url(anna), event(), Content_Type="text/calendar")
    where = answer.headers["Location"]
    assert (answer.status, where.startswith(HOME), where.endswith(".ics")) == (201, True, True)
    got = anna.get(where)
    assert (got.body, got.etag) == (event(), answer.etag)
    assert where in anna.sync(HOME).statuses


def test_each_post_makes_another_member(anna: Client) -> None:
    first, second = (anna.post(add_url(anna), event(uid)).headers["Location"] for uid in ("one", "two"))
    assert first != second
    # A name that is taken is not taken again.
    assert anna.delete(first).status == 204
    assert anna.put(first, event("three")).status == 201
    third = anna.post(add_url(anna), event("one"))
    assert third.status == 201
    assert third.headers["Location"] != first


def test_what_put_refuses_is_refused(anna: Client) -> None:
    held = anna.post(add_url(anna), event()).headers["Location"]
    again = anna.post(add_url(anna), event())
    assert again.status == 409
    assert f"<C:no-uid-conflict><D:href>{held}</D:href></C:no-uid-conflict>" in again.text
    assert b"valid-calendar-data" in anna.post(add_url(anna), b"hello").body
    assert anna.post(add_url(anna), event("b"), If_Match='"x"').status == 412


def test_return_representation(anna: Client) -> None:
    answer = anna.post(add_url(anna), event(), Prefer="return=representation")
    assert (answer.status, answer.body) == (201, event())
    assert answer.headers["Content-Location"] == answer.headers["Location"]
    assert answer.headers["Preference-Applied"] == "return=representation"


def test_a_transcoded_object_has_no_etag(anna: Client) -> None:
    octets = event("one", "SUMMARY:Käse")
    sent = octets.decode().encode("latin-1")
    answer = anna.post(add_url(anna), sent, Content_Type="text/calendar; charset=iso-8859-1")
    assert (answer.status, "ETag" in answer.headers) == (201, False)
    assert anna.get(answer.headers["Location"]).body == octets


def test_address_books_do_not_tell_of_it(anna: Client) -> None:
    """clients.md 9."""
    assert anna.props("/anna/contacts/", ADD).prop("/anna/contacts/", ADD)[0] == 404
    assert anna.post("/anna/contacts/?add-member", card()).status == 201


def test_post_is_allowed_where_it_works(anna: Client, bert: Client) -> None:
    for path, works in ((HOME, True), ("/anna/contacts/", True), ("/anna/", False), (HOME + "a.ics", False)):
        anna.put(HOME + "a.ics", event())
        assert ("POST" in anna.options(path).headers["Allow"]) is works, path
        if not works:
            answer = anna.post(path, event())
            assert (answer.status, "POST" in answer.headers["Allow"]) == (405, False)
    assert bert.post(HOME + "?add-member", event("x")).status == 403
    assert anna.post("/anna/nowhere/", event()).status == 404
    assert anna.post(HOME + "?something", event()).status == 404
    wrong = anna.post(HOME, b"{}", Content_Type="application/json")
    assert (wrong.status, wrong.headers["Accept-Post"]) == (415, "text/calendar, application/xml")


def test_a_locked_collection_takes_no_member(anna: Client) -> None:
    """RFC 4918 §7.4."""
    body = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    token = anna.lock(HOME, body, Depth="0").headers["Lock-Token"]
    assert anna.post(HOME + "?add-member", event()).status == 423
    assert anna.post(HOME + "?add-member", event(), If=f"({token})").status == 201
