"""`python -m tests.clients.pictures`: the pictures of docs/clients, of the programs themselves.

Thunderbird and Chromium run without a screen against a server of their own. Made by hand when a dialog has changed, and
kept small by ImageMagick.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.clients.test_thunderbird import LOGIN, Desk, realm_of
from tests.clients.thunderbird import Thunderbird
from tests.dav.conftest import card, event
from tests.recovery.phones import Session
from tests.server_process import ROOT, ServerProcess
from tests.web.test_browser import Browser

FOLDER: Final = ROOT / "docs" / "clients"
PASSWORD: Final = "correct horse battery"

#: The address that readers see.
SHOWN: Final = "https://calendar.example.org"

#: The dialogs of these pictures ask for the password in a window of their own, which holds up the remote control.
KNOWN: Final = """
const { detect } = cal.provider.detection;
cal.provider.detection.detect = (name, _, ...rest) => detect.call(cal.provider.detection, name, args[0], ...rest);
const { detectAddressBooks } = CardDAVUtils;
CardDAVUtils.detectAddressBooks = (name, _, url) =>
  detectAddressBooks.call(CardDAVUtils, name, args[0], url, false, false);
"""

OPEN: Final = """
const [url, width, height] = args;
const opened = window.openDialog(url, "_blank", `chrome,resizable,width=${width},height=${height}`);
await new Promise((done) => opened.addEventListener("load", done, { once: true }));
await new Promise((done) => setTimeout(done, 800));
"""


def save(name: str, picture: bytes, width: int = 760) -> None:
    """As a PNG of few colours."""
    target = FOLDER / f"{name}.png"
    command = ["convert", "-", "-resize", f"{width}>", "+dither", "-colors", "48", "-strip", f"PNG8:{target}"]
    subprocess.run(command, input=picture, check=True)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size} octets")


# --- Thunderbird ------------------------------------------------------------------------------------------------------


def dialog(desk: Desk, url: str, size: tuple[int, int], *steps: tuple[str, str]) -> None:
    """Open a window of Thunderbird's, run the steps in it, and take a picture after each that has a name."""
    remote = desk.program.remote
    before = remote.ask("WebDriver:GetWindowHandles", {})
    remote.run(OPEN, url, *size)
    (handle,) = set(remote.ask("WebDriver:GetWindowHandles", {})) - set(before)
    remote.ask("WebDriver:SwitchToWindow", {"handle": handle})
    for name, script in steps:
        remote.run(f"{script}\nawait new Promise((done) => setTimeout(done, 700));")
        if name:
            save(name, remote.picture(), size[0])
    remote.ask("WebDriver:CloseChromeWindow", {})
    remote.ask("WebDriver:SwitchToWindow", {"handle": before[0]})


def until(seen: str) -> str:
    """Wait until an expression is true."""
    return f"for (let n = 0; n < 100 && !({seen}); n++) await new Promise((done) => setTimeout(done, 100));"


def shown(field: str) -> str:
    """What stands in a field, as readers would type it: the picture is of their server."""
    return f'document.getElementById("{field}").value = "{SHOWN}";'


def typed(field: str, value: str) -> str:
    return (
        f'{{ const field = document.getElementById("{field}"); field.value = "{value}";'
        ' field.dispatchEvent(new Event("input", { bubbles: true })); }'
    )


def thunderbird(server: ServerProcess, folder: Path) -> None:
    with Thunderbird(folder) as program:
        desk = Desk(server, program)
        desk.run(LOGIN, server.url, realm_of(server), "anna", PASSWORD)
        desk.run(KNOWN, PASSWORD)
        press = 'document.querySelector("dialog").getButton("accept").click();'
        dialog(
            desk,
            "chrome://calendar/content/calendar-creation.xhtml",
            (560, 400),
            ("", "document.getElementById('calendar-type').value = 'network'; " + press),
            ("", typed("network-username-input", "anna") + typed("network-location-input", SHOWN)),
            ("thunderbird-calendar", "document.activeElement?.blur();"),
            ("", typed("network-location-input", server.url) + press),
            (
                "thunderbird-calendars",
                until("document.querySelectorAll('#network-calendar-list richlistitem').length > 1"),
            ),
        )
        dialog(
            desk,
            "chrome://messenger/content/addressbook/abCardDAVDialog.xhtml",
            (560, 330),
            ("", typed("carddav-username", "anna") + typed("carddav-location", SHOWN)),
            ("thunderbird-contacts", "document.activeElement?.blur();"),
            ("", typed("carddav-location", server.url) + press),
            (
                "thunderbird-address-books",
                until("document.querySelector('#carddav-availableBooks checkbox')") + shown("carddav-location"),
            ),
        )


# --- calsync's own pages ----------------------------------------------------------------------------------------------


def pages(server: ServerProcess, folder: Path) -> None:
    browser = Browser(folder, server)
    driver = browser.driver

    def show(name: str) -> None:
        driver.execute_script(
            "const here = location.origin, there = arguments[0];"
            "const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);"
            "for (const one of document.querySelectorAll('main p'))"
            "  if (one.textContent.includes('without HTTPS')) one.remove();"
            "while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replaceAll(here, there)",
            SHOWN,
        )
        driver.set_window_size(820, 400)
        height = driver.execute_script("return document.documentElement.scrollHeight")
        driver.set_window_size(820, int(height) + 160)
        save(name, driver.get_screenshot_as_png())

    try:
        browser.go("sign-in")
        show("page-sign-in")
        browser.sign_in(PASSWORD)
        browser.go("devices/add")
        show("page-add-a-device")
        browser.fill("Make the app password", label="Phone")
        show("page-app-password")
    finally:
        driver.quit()


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ServerProcess(folder / "server") as server:
            server.add_user("anna", PASSWORD)
            ask = Session(server)
            ask._http.auth = ("anna", PASSWORD)
            ask("PROPFIND", "/anna/", Depth="1")
            today = time.strftime("%Y%m%d")
            ask(
                "PUT",
                "/anna/calendar/a.ics",
                event("a", "SUMMARY:Dentist", start=f"{today}T080000Z", end=f"{today}T090000Z"),
            )
            ask("PUT", "/anna/contacts/a.vcf", card("a"))
            ask.close()
            wanted: dict[str, Callable[[ServerProcess, Path], None]] = {"thunderbird": thunderbird, "pages": pages}
            for one in sys.argv[1:] or wanted:
                wanted[one](server, folder / one)
    return 0


if __name__ == "__main__":
    sys.exit(main())
