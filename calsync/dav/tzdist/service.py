"""The time zone data distribution service (RFC 7808): capabilities, list, find, get and expand, at one place."""

from __future__ import annotations

import hashlib
import json
import re
from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.resources import as_file, files
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from calsync.dav.registry import Call, service
from calsync.dav.request import Response
from calsync.dav.tzdist import names
from calsync.ical.tzif import zone
from calsync.ical.vtimezone import vtimezone
from calsync.webdav.errors import MethodNotAllowed
from calsync.webdav.etags import etag_list

#: Below `/.calsync/`; `/.well-known/timezone` leads to it (RFC 7808 §4.2.1.3).
NAME: Final = "timezones"

_ERROR: Final = "urn:ietf:params:tzdist:error:"
_FORMATS: Final = ("text/calendar", "text/*", "*/*")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


class _Refused(Exception):
    """RFC 7808 §5: an error has a type of its own and a title."""

    def __init__(self, status: int, kind: str, title: str) -> None:
        super().__init__(title)
        self.status, self.kind, self.title = status, kind, title


@service(NAME, "RFC 7808 §4.1")
def timezones(call: Call) -> Response:
    """Answer to anybody: it is public data, kept in memory once it was made."""
    if call.method not in ("GET", "HEAD"):
        raise MethodNotAllowed(call.method, headers={"Allow": "GET, HEAD"})
    try:
        response = _action(call)
    except _Refused as error:
        problem = {"type": _ERROR + error.kind, "title": error.title, "status": error.status}
        return Response(error.status, {"Content-Type": "application/problem+json"}, json.dumps(problem).encode())
    etag = response.headers.get("ETag")
    known = call.headers.get("if-none-match", "")
    if etag and known and etag_list(known).weak_match(etag):
        return Response(304, {"ETag": etag})
    return response


def _action(call: Call) -> Response:
    # A name has slashes, which clients may send as they are.
    parts = [unquote(part) for part in call.rest.split("/") if part]
    query = {name: values[-1] for name, values in parse_qs(call.query, keep_blank_values=True).items()}
    if parts == ["capabilities"]:
        return _json(_capabilities(call.place))
    if parts == ["zones"]:
        return _find(query["pattern"]) if "pattern" in query else _list(query)
    if len(parts) > 2 and parts[0] == "zones" and parts[-1] == "observances":
        return _expand(_known("/".join(parts[1:-1])), query)
    if len(parts) > 1 and parts[0] == "zones":
        return _get(_known("/".join(parts[1:])), call.headers.get("accept", ""))
    raise _Refused(400, "invalid-action", "no such action")


def _capabilities(place: str) -> dict[str, Any]:
    """RFC 7808 §5.1."""
    span = [{"name": name, "required": True, "multi": False} for name in ("start", "end")]
    actions: list[tuple[str, str, list[dict[str, Any]]]] = [
        ("capabilities", "/capabilities", []),
        ("list", "/zones{?changedsince}", [{"name": "changedsince", "required": False, "multi": False}]),
        ("find", "/zones{?pattern}", [{"name": "pattern", "required": True, "multi": False}]),
        ("get", "/zones{/tzid}", []),
        ("expand", "/zones{/tzid}/observances{?start,end}", span),
    ]
    return {
        "version": 1,
        "info": {
            "primary-source": f"IANA:{names.VERSION}",
            "formats": ["text/calendar"],
        },
        "actions": [
            {"name": name, "uri-template": place + template, "parameters": parameters}
            for name, template, parameters in actions
        ],
    }


def _list(query: dict[str, str]) -> Response:
    """RFC 7808 §5.2: all of them, or none since the token of this very data."""
    since = query.get("changedsince")
    if since is not None and not re.fullmatch(r"[0-9]{4}[a-z]+", since, re.ASCII):
        raise _Refused(400, "invalid-changedsince", "not a synctoken of this service")
    return _json(_listing("" if since != names.VERSION else None))


def _find(pattern: str) -> Response:
    """RFC 7808 §5.5: `*` at an end stands for anything; `_` and a blank are the same, and so are the cases."""
    text = pattern.strip("*")
    if not text or "*" in text:
        raise _Refused(400, "invalid-pattern", "a text, with * at its ends if at all")
    return _json(_listing(pattern))


@lru_cache(maxsize=64)
def _listing(pattern: str | None) -> dict[str, Any]:
    """The zones of which a name fits; all for an empty pattern, none for None."""
    fits = _fitting(pattern) if pattern is not None else lambda name: False
    zones = [_entry(name, aliases) for name, aliases in names.aliases().items() if any(map(fits, (name, *aliases)))]
    return {"synctoken": names.VERSION, "timezones": zones}


def _fitting(pattern: str) -> Callable[[str], bool]:
    def folded(text: str) -> str:
        return text.casefold().replace(" ", "_")

    text = folded(pattern.strip("*"))
    if not text:
        return lambda name: True
    if pattern.startswith("*"):
        return (
            (lambda name: text in folded(name)) if pattern.endswith("*") else lambda name: folded(name).endswith(text)
        )
    return (lambda name: folded(name).startswith(text)) if pattern.endswith("*") else lambda name: folded(name) == text


def _entry(name: str, aliases: tuple[str, ...]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "tzid": name,
        "etag": _etag(name),
        "last-modified": _modified(),
        "publisher": "IANA",
        "version": names.VERSION,
    }
    return {**entry, "aliases": list(aliases)} if aliases else entry


def _get(tzid: str, accept: str) -> Response:
    """RFC 7808 §5.3. An alias is given under its own name."""
    kinds = [one.partition(";")[0].strip().lower() for one in accept.split(",") if one.strip()]
    if kinds and not set(kinds) & set(_FORMATS):
        raise _Refused(406, "invalid-format", "text/calendar is what there is")
    headers = {"Content-Type": "text/calendar; charset=utf-8", "ETag": f'"{_etag(tzid)}"'}
    return Response(200, headers, calendar_of(tzid))


def calendar_of(tzid: str) -> bytes:
    """A VCALENDAR with the VTIMEZONE of this name alone."""
    head = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//calsync//calsync//EN\r\n"
    return head + vtimezone(tzid) + b"END:VCALENDAR\r\n"


def _expand(tzid: str, query: dict[str, str]) -> Response:
    """RFC 7808 §5.4: what begins in [start, end), and what holds at the start."""
    start, end = _instant(query, "start"), _instant(query, "end")
    if end <= start:
        raise _Refused(400, "invalid-end", "the end is not after the start")
    observances = [
        {
            "name": change.after.name,
            "onset": datetime.fromtimestamp(change.instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "utc-offset-from": change.before.offset,
            "utc-offset-to": change.after.offset,
        }
        for change in zone(tzid).between(start, end)
    ]
    return _json({"tzid": tzid, "observances": observances}, _etag(tzid))


def _instant(query: dict[str, str], name: str) -> int:
    text = query.get(name, "")
    try:
        if _DATE.fullmatch(text):
            return timegm(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").timetuple())
    except ValueError:
        pass
    raise _Refused(400, f"invalid-{name}", f"{name} is a time in UTC, as in 2026-01-01T00:00:00Z")


def _known(tzid: str) -> str:
    if tzid not in names.known():
        raise _Refused(404, "tzid-not-found", "no such time zone")
    return tzid


@cache
def _modified() -> str:
    """When the data came to this machine."""
    with as_file(files("tzdata").joinpath("zones")) as path:
        return datetime.fromtimestamp(int(path.stat().st_mtime), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=1024)
def _etag(tzid: str) -> str:
    """Of the zone's data."""
    octets = files("tzdata").joinpath("zoneinfo", *tzid.split("/")).read_bytes()
    return hashlib.sha256(tzid.encode() + b"\0" + octets).hexdigest()[:32]


def _json(value: dict[str, Any], etag: str = "") -> Response:
    octets = json.dumps(value, separators=(",", ":")).encode()
    tag = etag or hashlib.sha256(octets).hexdigest()[:32]
    return Response(200, {"Content-Type": "application/json", "ETag": f'"{tag}"'}, octets)
