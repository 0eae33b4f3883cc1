"""How an app password gets into the apps that people use: what to type where, in the words of each app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from calsync.web import homes
from calsync.web.texts import _

if TYPE_CHECKING:
    from calsync.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Client:
    """An app, and the steps with `{server}`, `{user}` and `{password}` standing for what is typed."""

    name: str
    devices: str
    steps: tuple[str, ...]


CLIENTS: Final = (
    Client(
        "DAVx⁵",
        _("Android"),
        (
            _("Open DAVx⁵ and press the plus sign."),
            _("Choose “Login with URL and user name”."),
            _("Base URL: the server address. Then the user name and the app password."),
            _("Press “Login”, choose how contacts are grouped (“per-contact categories”) and create the account."),
            _("Tick the calendars and address books that this phone is to have."),
        ),
    ),
    Client(
        _("Calendar and Contacts"),
        _("iPhone, iPad, Mac"),
        (
            _("Easiest: download the profile below on the device itself, then open Settings → Profile Downloaded."),
            _("By hand: Settings → Apps → Calendar → Calendar Accounts → Add Account → Other → Add CalDAV Account."),
            _("Server, user name and password as here. Then once more for Contacts, with Add CardDAV Account."),
        ),
    ),
    Client(
        "Thunderbird",
        _("Windows, macOS, Linux"),
        (
            _("Calendar: New Calendar → On the Network. User name and the server address, then Find Calendars."),
            _("Contacts: Address Book → New Address Book → Add CardDAV Address Book, with the same two."),
            _("Thunderbird asks for the password: it is the app password."),
        ),
    ),
    Client(
        _("GNOME Calendar, Evolution"),
        _("Linux"),
        (
            _("Settings → Online Accounts → Calendar, Contacts and Files."),
            _("Server address, user name and app password as here."),
        ),
    ),
)


def facts(visit: Visit, secret: str) -> dict[str, Any]:
    """What the page of a new device shows beside the app password."""
    return {
        "server": visit.server,
        "principal": homes.address(visit),
        "clients": CLIENTS,
        "qr": qr(secret),
        "secure": visit.call.scheme == "https",
    }


def qr(text: str) -> Markup:
    """A QR code as SVG without any style of its own; the stylesheet gives it dark modules on a light ground."""
    import segno

    made = segno.make(text, error="m", micro=False)
    svg = made.svg_inline(border=4, dark="#000", svgclass="qr", lineclass=None, omitsize=True)
    return Markup(svg.replace("<svg ", '<svg role="img" aria-label="QR code" ', 1))
