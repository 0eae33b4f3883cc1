"""The same requests, in any order, to the store and to stock's folders: the same answers."""

import random
from pathlib import Path

import pytest
from radicale.app import Application

from tests.plugins.stock import BOOK, Dav, card, configuration, event

CALENDARS = ("/anna/one/", "/anna/two/")
BOOKS = ("/anna/people/",)
NAMES = ("a.ics", "b.ics", "c d.ics")
UIDS = ("u1", "u2", "u3")
PROPERTIES = ("displayname", "x", "calendar-description")


class Both:
    """Sends each request to both, and wants one answer."""

    def __init__(self, ours: Dav, theirs: Dav) -> None:
        self.ours, self.theirs = ours, theirs
        self.mirror: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}

    def __call__(self, method: str, path: str, body: str = "", **headers: str) -> int:
        answers = [dav(method, path, body, **headers) for dav in (self.ours, self.theirs)]
        assert answers[0].status == answers[1].status, (method, path, headers, answers)
        if method == "GET" and not path.endswith("/"):
            assert answers[0].text == answers[1].text
            assert answers[0].headers.get("ETag") == answers[1].headers.get("ETag")
        return answers[0].status

    def listed(self, path: str) -> dict[str, str]:
        """Href → ETag of the items, the same in both."""
        asked = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
        found = []
        for dav in (self.ours, self.theirs):
            answer = dav("PROPFIND", path, asked, depth="1")
            pairs = {}
            if answer.status == 207:
                for response in answer.xml.iterfind("{DAV:}response"):
                    pairs[response.findtext("{DAV:}href") or ""] = response.findtext(".//{DAV:}getetag") or ""
                pairs = {href: etag for href, etag in pairs.items() if not href.endswith("/")}
            found.append(pairs)
        assert found[0] == found[1]
        return found[0]

    def sync(self, path: str) -> None:
        """A device that syncs with the store has what is listed."""
        if self.ours("PROPFIND", path, depth="0").status != 207:
            self.mirror.pop(path, None)
            self.tokens.pop(path, None)
            return
        sent = '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><prop><getetag/></prop></sync-collection>'
        answer = self.ours("REPORT", path, sent.format(self.tokens.get(path, "")))
        if answer.status == 403:
            self.mirror.pop(path, None)
            answer = self.ours("REPORT", path, sent.format(""))
        mirror = self.mirror.setdefault(path, {})
        for response in answer.xml.iterfind("{DAV:}response"):
            href, etag = response.findtext("{DAV:}href") or "", response.findtext(".//{DAV:}getetag")
            if etag is None:
                mirror.pop(href, None)
            else:
                mirror[href] = etag
        self.tokens[path] = answer.text_of("{DAV:}sync-token")
        assert mirror == self.listed(path)


def step(both: Both, chance: random.Random) -> None:
    """One request, any."""
    path = chance.choice(CALENDARS)
    name, uid = chance.choice(NAMES), chance.choice(UIDS)
    hour = chance.randrange(10, 20)
    text = event(uid, f"20260301T{hour}0000Z", f"20260301T{hour + 1}0000Z")
    match chance.choice(
        ("put", "put", "put", "delete", "get", "move", "make", "drop", "patch", "whole", "card", "sync")
    ):
        case "put":
            condition = chance.choice(({}, {}, {"if_none_match": "*"}, {"if_match": '"none"'}, {"if_match": "*"}))
            both("PUT", path + name, text, content_type="text/calendar", **condition)
        case "delete":
            both("DELETE", path + name)
        case "get":
            both("GET", path + name)
        case "move":
            to = "http://127.0.0.1:5232" + chance.choice(CALENDARS) + chance.choice(NAMES).replace(" ", "%20")
            if to != "http://127.0.0.1:5232" + path + name.replace(" ", "%20"):
                both("MOVE", path + name, destination=to, overwrite=chance.choice("TF"))
        case "make":
            both("MKCALENDAR", path)
        case "drop":
            if chance.random() < 0.3:
                both("DELETE", path)
        case "patch":
            which, value = chance.choice(PROPERTIES), chance.choice(("", "a & b", "<x>"))
            value = value.replace("&", "&amp;").replace("<", "&lt;")
            verb = chance.choice(("set", "remove"))
            change = f"<{verb}><prop><{which}>{value}</{which}></prop></{verb}>"
            both("PROPPATCH", path, f'<propertyupdate xmlns="DAV:">{change}</propertyupdate>')
        case "whole":
            inner = [
                event(one)[event(one).index("BEGIN:VEVENT") : -len("END:VCALENDAR\r\n")]
                for one in UIDS[: chance.randrange(1, 4)]
            ]
            if both.ours("PROPFIND", path, depth="0").status == 404:
                both(
                    "PUT",
                    path,
                    f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{''.join(inner)}END:VCALENDAR\r\n",
                    content_type="text/calendar",
                )
        case "card":
            both("MKCOL", BOOKS[0], BOOK)
            both("PUT", BOOKS[0] + name.replace("ics", "vcf"), card(uid, name), content_type="text/vcard")
        case "sync":
            both.sync(path)


@pytest.mark.parametrize("seed", range(4))
def test_any_order(tmp_path: Path, seed: int) -> None:
    davs = []
    for kind in ("calsync_storage", "multifilesystem"):
        made = configuration(tmp_path / kind, storage={"type": kind}, auth={"type": "none"})
        davs.append(Dav(Application(made)))
    both, chance = Both(*davs), random.Random(seed)
    for path in CALENDARS:
        both("MKCALENDAR", path)
    for _ in range(80):
        step(both, chance)
    for path in (*CALENDARS, *BOOKS):
        both.sync(path)
        answers = [dav("PROPFIND", path, depth="0") for dav in davs]
        assert answers[0].status == answers[1].status
        if answers[0].status == 207:
            assert answers[0].texts("{DAV:}displayname") == answers[1].texts("{DAV:}displayname")
            assert answers[0].texts("{DAV:}x") == answers[1].texts("{DAV:}x")
