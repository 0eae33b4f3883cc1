"""Thunderbird itself: it finds what an account has, and what is done on either side is seen on the other."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients.conftest import PASSWORD
from tests.clients.thunderbird import Thunderbird
from tests.dav.conftest import card, event
from tests.ports import free_port
from tests.recovery.phones import Session
from tests.server_process import ServerProcess

SIZE = 200
CALENDAR = "/anna/calendar/"
BOOK = "/anna/contacts/"

#: What each script has before it: the names of Thunderbird's own modules, its calendar and its address book.
COMMON = """
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const { CardDAVUtils } = ChromeUtils.importESModule("resource:///modules/CardDAVUtils.sys.mjs");
const { CardDAVDirectory } = ChromeUtils.importESModule("resource:///modules/CardDAVDirectory.sys.mjs");
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { VCardUtils } = ChromeUtils.importESModule("resource:///modules/VCardUtils.sys.mjs");
const calendar = cal.manager.getCalendars().find((one) => one.type == "caldav" && one.name == "Calendar");
const book = MailServices.ab.directories.find((one) => one.dirType == 102);
const events = () => calendar.getItemsAsArray(Ci.calICalendar.ITEM_FILTER_ALL_ITEMS, 0, null, null);
const named = async (title) => (await events()).find((one) => one.title == title);
const cards = () => book.childCards;
"""

LOGIN = """
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
const [url, realm, name, password] = args;
login.init(new URL(url).origin, null, realm, name, password, "", "");
await Services.logins.addLoginAsync(login);
"""

#: What the dialogs of the calendar and of the address book do with a name, a password and the server's address.
DISCOVER = """
const [url, name, password] = args;
const made = [];
for (const [provider, found] of await cal.provider.detection.detect(name, password, url, true, [], {})) {
  for (const one of found) {
    cal.manager.registerCalendar(one);
    made.push([provider.type, one.name, new URL(one.uri.spec).pathname, one.readOnly]);
  }
}
for (const one of await CardDAVUtils.detectAddressBooks(name, password, url, false, false)) {
  await one.create();
  made.push(["carddav", one.name, one.url.pathname, false]);
}
return made;
"""

REFRESH = """
calendar.refresh();
await CardDAVDirectory.forFile(book.fileName).syncWithServer();
"""

if shutil.which("thunderbird") is None and "CALSYNC_TEST_ALL" not in os.environ:
    pytest.skip("no thunderbird here (apt install thunderbird)", allow_module_level=True)

pytestmark = [pytest.mark.clients, pytest.mark.timeout(400)]


class Desk:
    """A server, Thunderbird with anna's account in it, and `ask`: another client of hers."""

    def __init__(self, server: ServerProcess, program: Thunderbird) -> None:
        self.server = server
        self.program = program
        self.ask = Session(server)
        self.ask._http.auth = ("anna", PASSWORD)

    def run(self, script: str, *args: Any) -> Any:
        return self.program.run(f"{COMMON}\n{script}", *args)

    def until(self, script: str, wanted: object, timeout: float = 150) -> None:
        """Let it look at the server until an expression is what it should be."""
        end = time.monotonic() + timeout
        while (found := self.run(f"{REFRESH} return {script};")) != wanted:
            assert time.monotonic() < end, (script, found, self.server.log()[-3000:], self.program.log()[-2000:])
            time.sleep(0.3)

    def requests(self) -> list[tuple[str, str, int]]:
        """Method (or report), path and status of all that Thunderbird has asked so far."""
        found = re.findall(r" ([A-Z]+|[a-z-]+) '(\S+)' (\d{3}) .*Thunderbird/", self.server.log())
        return [(method, path, int(status)) for method, path, status in found]

    def still(self) -> int:
        """How many requests there were, once no more come: what was begun goes on by itself."""
        found, since = len(self.requests()), time.monotonic()
        while time.monotonic() - since < 2:
            time.sleep(0.2)
            if (now := len(self.requests())) != found:
                found, since = now, time.monotonic()
        return found


def realm_of(server: ServerProcess) -> str:
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    connection.request("PROPFIND", "/", headers={"Depth": "0"})
    found = re.search('realm="([^"]+)"', connection.getresponse().headers["WWW-Authenticate"])
    connection.close()
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("thunderbird")
    server = ServerProcess(folder / "server", args=["--hosts", f"127.0.0.1:{free_port()}"])
    with server:
        server.add_user("anna", PASSWORD)
        ask = Session(server)
        ask._http.auth = ("anna", PASSWORD)
        assert ask("PROPFIND", "/anna/", Depth="1").status_code == 207
        for number in range(SIZE):
            made = event(f"e{number}", f"SUMMARY:Event {number}"), card(f"c{number}", name=f"Card {number}")
            assert ask("PUT", f"{CALENDAR}e{number}.ics", made[0]).status_code == 201
            assert ask("PUT", f"{BOOK}c{number}.vcf", made[1]).status_code == 201
        ask.close()
        with Thunderbird(folder / "client") as program:
            desk = Desk(server, program)
            desk.run(LOGIN, server.url, realm_of(server), "anna", PASSWORD)
            assert sorted(desk.run(DISCOVER, server.url, "anna", PASSWORD)) == [
                ["caldav", "Calendar", CALENDAR, False],
                ["caldav", "Tasks", "/anna/tasks/", False],
                ["carddav", "Contacts", BOOK, False],
            ]
            desk.until("[(await events()).length, cards().length]", [SIZE, SIZE])
            yield desk
            desk.ask.close()


def soon(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_it_makes_changes_and_deletes_is_done_on_the_server(desk: Desk) -> None:
    made = event("tb", "SUMMARY:from Thunderbird").decode()
    desk.run("await calendar.addItem(new CalEvent(args[0]));", made)
    soon(lambda: b"SUMMARY:from Thunderbird" in desk.ask("GET", f"{CALENDAR}tb.ics").content)
    desk.run(
        """
        const old = await named("from Thunderbird");
        const changed = old.clone();
        changed.title = "changed there";
        await calendar.modifyItem(changed, old);
        """
    )
    soon(lambda: b"SUMMARY:changed there" in desk.ask("GET", f"{CALENDAR}tb.ics").content)
    desk.run('await calendar.deleteItem(await named("changed there"));')
    soon(lambda: desk.ask("GET", f"{CALENDAR}tb.ics").status_code == 404)


def test_so_with_a_card(desk: Desk) -> None:
    def there() -> str:
        return "".join(re.findall(r"FN:([^&\r\n]+)", desk.ask("REPORT", BOOK, FIND, Depth="1").text))

    made = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:From Thunderbird\r\nEMAIL:tb@example.com\r\nEND:VCARD\r\n"
    desk.run("book.addCard(VCardUtils.vCardToAbCard(args[0]));", made)
    soon(lambda: there() == "From Thunderbird")
    desk.run(
        """
        const one = cards().find((card) => card.primaryEmail == "tb@example.com");
        one.vCardProperties.getFirstEntry("fn").value = "Changed There";
        book.modifyCard(one);
        """
    )
    soon(lambda: there() == "Changed There")
    desk.run('book.deleteCards([cards().find((card) => card.primaryEmail == "tb@example.com")]);')
    soon(lambda: there() == "")


FIND = (
    '<C:addressbook-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><prop><C:address-data/></prop>'
    '<C:filter><C:prop-filter name="EMAIL"><C:text-match>tb@example.com</C:text-match></C:prop-filter></C:filter>'
    "</C:addressbook-query>"
)


def test_what_another_client_does_is_seen_also_after_a_restart(desk: Desk) -> None:
    for number, name in enumerate(("one", "two")):
        if number:
            assert desk.server.stop() == 0
            desk.server.start()
        assert desk.ask("PUT", f"{CALENDAR}{name}.ics", event(name, f"SUMMARY:{name}")).status_code == 201
        assert desk.ask("PUT", f"{CALENDAR}e0.ics", event("e0", f"SUMMARY:now {name}")).status_code == 204
        assert desk.ask("PUT", f"{BOOK}c0.vcf", card("c0", name=f"Now {name}")).status_code == 204
        desk.until(f'[!!await named("{name}"), !!await named("now {name}")]', [True, True])
        desk.until(f'cards().some((card) => card.displayName == "Now {name}")', True)
        assert desk.ask("DELETE", f"{CALENDAR}{name}.ics").status_code == 204
        desk.until(f'[!!await named("{name}"), (await events()).length]', [False, SIZE])


def test_it_asks_as_the_rules_say_and_nothing_is_refused(desk: Desk) -> None:
    asked = desk.requests()
    # A login is asked for; the iCalendar provider tries to write a file where the home is.
    refused = {(method, path, status) for method, path, status in asked if status >= 400}
    assert {one for one in refused if one[2] != 401} <= {("PUT", "/", 403)}
    methods = {(method, path) for method, path, _ in asked}
    assert {("PROPFIND", "/.well-known/caldav"), ("PROPFIND", "/.well-known/carddav")} <= methods
    assert {("sync-collection", CALENDAR), ("calendar-multiget", CALENDAR)} <= methods
    assert {("sync-collection", BOOK), ("addressbook-multiget", BOOK)} <= methods
    # What did not change is not fetched again: a sync is a few requests, however much there is.
    desk.until("(await events()).length", SIZE)
    before = desk.still()
    desk.run(REFRESH)
    soon(lambda: len(desk.requests()) > before)
    assert desk.still() - before < 12
