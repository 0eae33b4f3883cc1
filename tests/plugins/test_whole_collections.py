"""A whole calendar or address book, sent and fetched at once."""

from tests.plugins.stock import Dav, card, event


def calendar(*events: str, more: str = "") -> str:
    inner = "".join(one[one.index("BEGIN:VEVENT") : one.index("END:VCALENDAR")] for one in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{more}{inner}END:VCALENDAR\r\n"


def names(dav: Dav, path: str) -> list[str]:
    return [href.removeprefix(path) for href in dav("PROPFIND", path, depth="1").hrefs if href != path]


def test_a_calendar_is_made_of_one_file(dav: Dav) -> None:
    sent = calendar(event("a"), event("b"), more="X-WR-CALNAME:Work\r\n")
    assert dav.put("/anna/work/", sent).status == 201
    assert names(dav, "/anna/work/") == ["a.ics", "b.ics"]
    answer = dav("PROPFIND", "/anna/work/", '<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>', depth="0")
    assert answer.text_of("{DAV:}displayname") == "Work"


def test_a_calendar_is_fetched_as_one_file(dav: Dav) -> None:
    dav.put("/anna/cal/x.ics", event("a"))
    dav.put("/anna/cal/y.ics", event("b"))
    got = dav("GET", "/anna/cal/")
    assert got.headers["Content-Type"].startswith("text/calendar")
    assert got.text.count("BEGIN:VCALENDAR") == 1 and got.text.count("BEGIN:VEVENT") == 2
    assert dav.put("/anna/copy/", got.text).status == 201
    assert dav("GET", "/anna/copy/").text.count("BEGIN:VEVENT") == 2


def test_replacing_is_a_diff_and_tokens_hold_on(dav: Dav) -> None:
    dav.put("/anna/cal/kept.ics", event("a"))
    dav.put("/anna/cal/gone.ics", event("b"))
    token, _ = dav.sync("/anna/cal/")
    moved = event("a", "20270101T100000Z", "20270101T110000Z")
    assert dav.put("/anna/cal/", calendar(moved, event("c"))).status == 201
    assert dav.sync("/anna/cal/", token)[1] == {
        "/anna/cal/kept.ics": 200,
        "/anna/cal/gone.ics": 404,
        "/anna/cal/c.ics": 200,
    }
    token, _ = dav.sync("/anna/cal/")
    dav.put("/anna/cal/", dav("GET", "/anna/cal/").text)
    assert dav.sync("/anna/cal/", token)[0] == token


def test_replacing_keeps_the_colour(dav: Dav) -> None:
    colour = '<calendar-color xmlns="http://apple.com/ns/ical/">#ff0000</calendar-color>'
    dav("PROPPATCH", "/anna/cal/", f'<propertyupdate xmlns="DAV:"><set><prop>{colour}</prop></set></propertyupdate>')
    dav.put("/anna/cal/", calendar(event("a")))
    asked = '<propfind xmlns="DAV:"><prop><calendar-color xmlns="http://apple.com/ns/ical/"/></prop></propfind>'
    answer = dav("PROPFIND", "/anna/cal/", asked, depth="0")
    assert answer.text_of("{http://apple.com/ns/ical/}calendar-color") == "#ff0000"


def test_a_refused_calendar_leaves_the_old_one(dav: Dav) -> None:
    dav.put("/anna/cal/a.ics", event("a"))
    token, _ = dav.sync("/anna/cal/")
    for bad in (calendar(event("b"), event("c", "nonsense")), "hello"):
        assert dav.put("/anna/cal/", bad).status == 400
    assert dav.sync("/anna/cal/", token) == (token, {})


def test_an_address_book_is_made_of_one_file(dav: Dav) -> None:
    assert dav.put("/anna/people/", card("ada") + card("bob/1", "Bob")).status == 201
    listed = names(dav, "/anna/people/")
    assert listed[0] == "ada.vcf" and len(listed) == 2
    # What no path can carry is named by a hash.
    assert listed[1].endswith(".vcf") and "/" not in listed[1]
    assert dav("GET", "/anna/people/" + listed[1]).status == 200


def test_the_same_card_twice_is_one_and_two_with_one_uid_are_refused(dav: Dav) -> None:
    assert dav.put("/anna/people/", card("ada") + card("ada")).status == 201
    assert names(dav, "/anna/people/") == ["ada.vcf"]
    assert dav.put("/anna/people/", card("ada") + card("ada", "Other")).status == 400
    assert "FN:Ada" in dav("GET", "/anna/people/").text


def test_a_calendar_does_not_stand_at_the_top(dav: Dav) -> None:
    assert dav.put("/calendar.ics", calendar(event("a"))).status == 403
