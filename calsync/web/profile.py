"""Apple's configuration profile: both accounts with their password, installed by one tap on the device.

It is not signed: iOS then shows it as “Not Verified”, for a server at home has no certificate that Apple would know.
The device fetches it over the connection that its owner is signed in on.
"""

from __future__ import annotations

import plistlib
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from calsync.accounts import tokens
from calsync.dav.request import Response
from calsync.web import homes, render
from calsync.webdav.errors import NotFound

if TYPE_CHECKING:
    from calsync.accounts.accounts import Token
    from calsync.web.visit import Visit

TYPE: Final = "application/x-apple-aspen-config"


def download(visit: Visit) -> Response:
    """The profile around an app password that was made a moment ago; the page that showed it sends it back."""
    typed = visit.form.get("secret")
    read = tokens.read(typed)
    token = None if read is None else _own(visit, read.prefix)
    # Checked as a device would: what is not good for this account goes into no profile.
    if read is None or token is None or not visit.site.proves(visit.me.name, read.text, visit.call):
        raise NotFound("no such app password")
    headers = {
        **render.HEADERS,
        "Content-Type": TYPE,
        "Content-Disposition": 'attachment; filename="calsync.mobileconfig"',
    }
    return Response(200, headers, profile(visit, token, read.text))


def profile(visit: Visit, token: Token, secret: str) -> bytes:
    """The profile as a property list."""
    server = urlsplit(visit.server)
    secure = server.scheme == "https"
    host, port = server.hostname or "", server.port or (443 if secure else 80)
    principal = homes.address(visit)
    # The same device gets the same identifiers: a second installation replaces the first.
    space = uuid.uuid5(uuid.NAMESPACE_URL, f"{principal}#{token.id}")
    reverse = (
        ".".join(reversed(host.split("."))) if not host.replace(".", "").isdigit() and ":" not in host else "calsync"
    )
    base = f"{reverse}.calsync.{token.id}"

    def payload(kind: str, dav: str, what: str) -> dict[str, Any]:
        return {
            "PayloadType": f"com.apple.{kind}.account",
            "PayloadVersion": 1,
            "PayloadIdentifier": f"{base}.{kind}",
            "PayloadUUID": str(uuid.uuid5(space, kind)).upper(),
            "PayloadDisplayName": f"{what} ({host})",
            f"{dav}AccountDescription": f"{what} ({host})",
            f"{dav}HostName": host,
            f"{dav}Port": port,
            f"{dav}UseSSL": secure,
            f"{dav}PrincipalURL": principal,
            f"{dav}Username": visit.me.name,
            f"{dav}Password": secret,
        }

    content = []
    if token.scope.kind != "contacts":
        content.append(payload("caldav", "CalDAV", "Calendars"))
    if token.scope.kind != "calendars":
        content.append(payload("carddav", "CardDAV", "Contacts"))
    whole = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": base,
        "PayloadUUID": str(space).upper(),
        "PayloadDisplayName": f"Calendars and contacts of {visit.me.name}",
        "PayloadDescription": f"Sets up the calendars and contacts of {visit.me.name} at {host}.",
        "PayloadOrganization": host,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": content,
    }
    return plistlib.dumps(whole)


def _own(visit: Visit, prefix: str) -> Token | None:
    return next(
        (one for one in visit.site.accounts.tokens(visit.me.name) if one.id == prefix and not one.revoked), None
    )
