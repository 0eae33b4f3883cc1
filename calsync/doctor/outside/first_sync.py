"""The discovery and the first sync of a client, step by step; it ends at the first step that the client cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urljoin, urlsplit

from calsync.doctor.finding import Finding, note, ok, problem
from calsync.doctor.outside.clients import Client
from calsync.doctor.outside.probe import Probe, read
from calsync.doctor.outside.remedy import remedy, what_came
from calsync.doctor.outside.reply import Reply, Unreachable
from calsync.webdav.names import CR, CS_, C, D
from calsync.webdav.reader import Multistatus, Response

#: Collections that are synced, each with so many objects fetched.
_COLLECTIONS: Final = 2
_OBJECTS: Final = 10
#: DAVx5 asks for events from so many days ago on.
_PAST: Final = timedelta(days=90)

_WORDS: Final = {
    "caldav": ("calendar", C("calendar-home-set"), C("calendar"), "calendar-access"),
    "carddav": ("address book", CR("addressbook-home-set"), CR("addressbook"), "addressbook"),
}


class Stopped(Exception):
    """The client cannot go on; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.got)
        self.finding = finding


@dataclass(slots=True)
class FirstSync:
    """A client on its way. `steps`: what it did; `notes`: what does not stop it."""

    client: Client
    probe: Probe
    steps: int = 0
    notes: list[Finding] = field(default_factory=list)

    def findings(self) -> Iterator[Finding]:
        """What it meets, and in the end what it has."""
        try:
            done = self._done()
        except Stopped as stopped:
            yield from self.notes
            yield stopped.finding
        except Unreachable as error:
            yield from self.notes
            yield problem(
                f"step {self.steps}: {error}",
                "an answer",
                "raise the time-outs of the proxy, and see its log",
                f"client-{error.kind}",
            )
        except ValueError as error:
            yield from self.notes
            yield problem(f"step {self.steps}: {error}", "hrefs and figures that are some", "see what answers there")
        else:
            yield ok(done)
            yield from self.notes

    def _done(self) -> str:
        word, home_set, kind, token = _WORDS[self.client.kind]
        principal, home = self._account(home_set, word)
        if self.client.options:
            self._capable(principal, token)
        home = home or self._home(principal, home_set, word)
        collections = self._collections(home, kind, word)
        fetched = sum(self._synced(urljoin(home, one.href), one) for one in collections[:_COLLECTIONS])
        count = len(collections)
        plural = "s" if count != 1 else ""
        return f"{self.steps} steps: {count} {word}{plural}, {fetched} object{'s' if fetched != 1 else ''} fetched"

    # --- the steps ----------------------------------------------------------------------------------------------------

    def _account(self, home_set: str, word: str) -> tuple[str, str]:
        """The URL of the principal and, where a client gets it at once, of the home."""
        tried: list[str] = []
        for start in self.client.starts:
            url = self._start(start)
            if not url:
                continue
            replies = self._ask("PROPFIND", url, self.client.style.propfind(self.client.start), depth="0")
            reply, found = replies[-1], read(replies[-1])
            for one in found.responses if found else ():
                for principal in one.hrefs(D("current-user-principal")):
                    home = next(iter(one.hrefs(home_set)), "")
                    return urljoin(reply.url, principal), urljoin(reply.url, home) if home else ""
            tried.append(f"{urlsplit(url).path or '/'}: {what_came(reply)}")
        raise Stopped(
            problem(
                f"step {self.steps}, who am I: {'; '.join(tried)}",
                "207 with current-user-principal at one of these",
                remedy(reply, "the principal"),
                "client-principal",
            )
        )

    def _start(self, start: str) -> str:
        probe = self.probe
        if start == "given":
            return probe.url
        if start == "root":
            return probe.at("/")
        service = next(iter(probe.services.get(self.client.kind, ())), None)
        return service.url if service is not None else probe.at(f"/.well-known/{self.client.kind}")

    def _capable(self, principal: str, token: str) -> None:
        """Apple's and DAVx5 read from OPTIONS whether there are calendars at all (clients.md 4)."""
        reply = self._ask("OPTIONS", principal)[-1]
        tokens = {part.strip() for part in reply.header("dav").lower().split(",")}
        if token not in tokens:
            text = f"DAV: {reply.header('dav')}" if reply.header("dav") else f"{reply}, without a header DAV"
            raise Stopped(
                problem(
                    f"step {self.steps}, what can it do: {text}",
                    f"a header DAV with {token} in it, in the answer to OPTIONS",
                    "the proxy answers OPTIONS itself (CORS?): let it pass OPTIONS on, and keep the header DAV",
                    "client-options",
                )
            )

    def _home(self, principal: str, home_set: str, word: str) -> str:
        reply = self._ask("PROPFIND", principal, self.client.style.propfind(self.client.principal), depth="0")[-1]
        for one in self._read(reply, f"where are my {word}s", "client-home").responses:
            for home in one.hrefs(home_set):
                return urljoin(reply.url, home)
        raise Stopped(
            note(f"{urlsplit(principal).path} has no {word}s: the server does not offer them", code="client-none")
            if self.client.kind == "carddav"
            else problem(
                f"step {self.steps}, where are my {word}s: {urlsplit(principal).path} does not say",
                f"{home_set.rpartition('}')[2]} with an href",
                "is it a CalDAV server, and this the account's address?",
                "client-home",
            )
        )

    def _collections(self, home: str, kind: str, word: str) -> list[Response]:
        reply = self._ask("PROPFIND", home, self.client.style.propfind(self.client.home), depth="1")[-1]
        listed = self._read(reply, f"which {word}s are there", "client-list").responses
        found = [one for one in listed if kind in one.types]
        if not found:
            raise Stopped(note(f"no {word} yet: the account is set up and stays empty", code="client-empty"))
        for one in found:
            if urlsplit(one.href).path[-1:] != "/" and self.client.name == "DAVx5":
                self.notes.append(
                    note(f"{one.href} has no slash at its end; DAVx5 adds it", code="client-slash")
                )  # clients.md 27
        # Those with something in them say more; which have it is not known before.
        return found

    def _synced(self, url: str, one: Response) -> int:
        """How many objects came."""
        client, style = self.client, self.client.style
        reply = self._ask("PROPFIND", url, style.propfind(client.collection), depth="0")[-1]
        state = self._read(reply, f"what is new in {urlsplit(url).path}", "client-collection").responses
        if (
            not any(found.text(CS_("getctag")) or found.text(D("sync-token")) for found in state)
            and CS_("getctag") in client.collection
        ):
            self._once(
                note(
                    f"{urlsplit(url).path} has neither a getctag nor a sync-token",
                    "one of them: without it each look lists everything",
                    "a server that has them",
                    "client-state",
                )
            )
        hrefs = self._listed(url)
        if not hrefs:
            return 0
        wanted = hrefs[: min(client.batch, _OBJECTS)]
        body = style.multiget(client.kind, client.data, wanted)
        reply = self._ask("REPORT", url, body, depth="1" if client.depth == "1" else client.depth or "")[-1]
        got = self._read(reply, "the objects themselves", "client-multiget").responses
        data = CR("address-data") if client.kind == "carddav" else C("calendar-data")
        whole = [found for found in got if found.text(data)]
        if len(whole) < len(wanted):
            raise Stopped(
                problem(
                    f"step {self.steps}, the objects themselves: {len(whole)} of {len(wanted)} came",
                    "each that was listed",
                    "hrefs in the answer must be those that were asked; see the server's log",
                    "client-objects",
                )
            )
        without = [found for found in whole if not found.text(D("getetag"))]
        if without:
            raise Stopped(
                problem(
                    f"step {self.steps}: {without[0].href} came without getetag",
                    "an ETag with each: DAVx5 gives up without it",
                    "a server that tells ETags",
                    "client-etag",
                )
            )
        return len(whole)

    def _listed(self, url: str) -> list[str]:
        """The hrefs of the objects, by the first way that the server knows."""
        last: Reply | None = None
        for listing in self.client.listing:
            reply = self._list(listing, url)
            last = reply
            found = read(reply)
            if found is None:
                if reply.status == 207 and reply.whole is False and len(reply.body) > 1 << 20:
                    self._once(
                        note(f"{urlsplit(url).path} is large: {len(reply.body) >> 20} MiB were read of its list")
                    )
                    return []
                continue
            self._buffered(reply)
            return [
                one.href
                for one in found.responses
                if one.status is None and urlsplit(one.href).path.rstrip("/") != urlsplit(url).path.rstrip("/")
                and not one.href.endswith("/")
            ]  # fmt: skip
        assert last is not None
        raise Stopped(
            problem(
                f"step {self.steps}, the first sync of {urlsplit(url).path}: {what_came(last)}",
                "207 with what is in it",
                remedy(last, "the list"),
                "client-report" if last.method == "REPORT" else "client-sync",
            )
        )

    def _list(self, listing: str, url: str) -> Reply:
        client, style = self.client, self.client.style
        if listing == "sync":
            return self._ask("REPORT", url, style.sync(client.item), depth=client.depth)[-1]
        if listing == "query":
            start = ""
            if client.kind == "caldav" and client.name == "DAVx5":
                start = f"{datetime.now(UTC) - _PAST:%Y%m%dT%H%M%SZ}"
            body = style.query(client.kind, client.item, start)
            return self._ask("REPORT", url, body, depth="1")[-1]
        return self._ask("PROPFIND", url, style.propfind((D("resourcetype"), *client.item)), depth="1")[-1]

    def _buffered(self, reply: Reply) -> None:
        """A large answer should begin to arrive long before it ends."""
        if len(reply.body) > 1 << 20 and reply.seconds > 2 and reply.first > 0.9 * reply.seconds:
            self._once(
                note(
                    f"{len(reply.body) >> 10} KiB came all at once after {reply.first:.1f} s",
                    "passed on as it is written: phones give up on a connection that is silent",
                    "nginx: proxy_buffering off;",
                    "buffered",
                )
            )

    # --- asking -------------------------------------------------------------------------------------------------------

    def _ask(self, method: str, url: str, body: bytes = b"", *, depth: str = "") -> list[Reply]:
        self.steps += 1
        headers = {"User-Agent": self.client.agent, **self.client.headers}
        if body:
            headers["Content-Type"] = self.client.content_type
        if depth:
            headers["Depth"] = depth
        return self.probe.http.follow(method, url, body, headers)

    def _read(self, reply: Reply, question: str, code: str) -> Multistatus:
        found = read(reply)
        if found is None:
            raise Stopped(
                problem(
                    f"step {self.steps}, {question}: {reply.method} {urlsplit(reply.url).path} gave {what_came(reply)}",
                    "a 207 that is whole",
                    remedy(reply, "it"),
                    code,
                )
            )
        return found

    def _once(self, finding: Finding) -> None:
        if all(one.code != finding.code for one in self.notes):
            self.notes.append(finding)
