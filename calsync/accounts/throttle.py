"""Failed logins slow down those that follow, in every process, and nobody else's.

Failures are counted for the pair of account and address, and for the address. Past a few free ones each doubles the
wait, and a check that must wait costs nothing: no argon2, no write. An address stands for whoever has it: one IPv4
address, and of IPv6 the /64, for that is what one subscriber gets and may choose from at will.

A stranger cannot lock out a user. Nothing is counted for the account alone, so failures elsewhere do not reach its own
addresses; where an account has come in lately, its address is not closed to it, and its own failures there wait for a
minute at most; and what needs no guessing (an app password, a credential that was verified before) never gets here.
A good login takes back the failures of its pair, and of its address those that were its own: with an account of one's
own nobody can wash the address clean. Addresses of this machine are counted in pairs only: a proxy that does not say
for whom it speaks has everybody's failures.

The same wrong password, sent again by the same device, counts once (`calsync.accounts.tried`): a phone that was not
told of a new password does not close the door to the one who types it.

Failures gather in memory and are written a second later, together; every check reads the store. A flood from many
addresses is bounded on both sides: `_PENDING` keys in memory, `_KEPT` rows in the store.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import threading
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import bindparam, delete, insert, select, update

from calsync.accounts import audit
from calsync.accounts.tried import Tried
from calsync.store import clock
from calsync.store.engine import Store
from calsync.store.errors import StoreError
from calsync.store.names import folded
from calsync.store.schema import throttle
from calsync.store.statement import Prepared
from calsync.store.transaction import Transaction

#: Failures that cost no wait: of a pair, of a pair that has come in lately, of an address.
FREE: Final = {"pair": 5, "known": 10, "address": 20}
#: Seconds that a wait lasts at most.
LONGEST: Final = {"pair": 900, "known": 60, "address": 900}
#: Failures are forgotten after so many quiet seconds.
QUIET: Final = 3600
#: Seconds for which an address where an account came in is known.
KNOWN: Final = 30 * 86400
#: Seconds between two entries of the audit trail about failures.
TOLD: Final = 300

_DELAY: Final = 1.0
_PENDING: Final = 10_000
_KEPT: Final = 100_000
_CHUNK: Final = 500
_TOLD_AT_ONCE: Final = 20
_CLEANED: Final = 600

_Key = TypeVar("_Key")

_log: Final = logging.getLogger("calsync.accounts")

_GET: Final = Prepared(
    select(throttle.c.failures, throttle.c.last, throttle.c.until).where(throttle.c.key == bindparam("of"))
)
_INSERT: Final = Prepared(insert(throttle))
_SET: Final = Prepared(
    update(throttle)
    .where(throttle.c.key == bindparam("of"))
    .values(failures=bindparam("count"), last=bindparam("at"), until=bindparam("wait"))
)
_DELETE: Final = Prepared(delete(throttle).where(throttle.c.key == bindparam("of")))
_DELETE_RANGE: Final = Prepared(
    delete(throttle).where(throttle.c.key >= bindparam("start"), throttle.c.key < bindparam("end"))
)
_RANGE: Final = Prepared(
    select(throttle.c.key, throttle.c.last).where(
        throttle.c.key >= bindparam("start"), throttle.c.key < bindparam("end")
    )
)
_FAILED_BEFORE: Final = Prepared(delete(throttle).where(throttle.c.last < bindparam("before"), throttle.c.failures > 0))
_SEEN_BEFORE: Final = Prepared(delete(throttle).where(throttle.c.last < bindparam("before")))
_BEYOND: Final = Prepared(select(throttle.c.last).order_by(throttle.c.last.desc()).limit(1).offset(_KEPT))


class Throttled(RuntimeError):
    """Too many failures: come back in `retry_after` seconds. Answer 429."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many failed logins")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Standing:
    """Who wants to log in: the keys that count it, the rule for the pair, and what the pair has to be forgiven."""

    pair: str
    address: str
    failures: int = 0
    rule: str = "pair"


@dataclass(slots=True)
class _Failures:
    count: int
    last: int


def network(address: str) -> str:
    """What counts as one address: IPv4 as it is, of IPv6 the /64; anything else as the text that it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)


def is_here(address: str) -> bool:
    """Whether the address says nothing of who it is: of this machine, or none (a unix socket)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return True
    # On a socket for both (systemd opens such), 127.0.0.1 is ::ffff:127.0.0.1.
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def mark(name: str) -> str:
    """An account in a key: of bounded length whatever was typed, and not for reading."""
    return hashlib.sha256(folded(name).encode("utf-8", "replace")).hexdigest()[:24]


def known_key(name: str, net: str) -> str:
    """The row that says when an account last came in from an address."""
    return f"known {mark(name)} {net}"


class Throttle:
    """The failures of a store's accounts. One object a process, for what is not yet written."""

    def __init__(self, store: Store, *, active: bool = True) -> None:
        self._store = store
        self._active = active
        self._tried = Tried(QUIET)
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._pending: dict[str, _Failures] = {}
        self._forgiven: dict[str, Standing] = {}
        self._untold: dict[tuple[str, str], _Failures] = {}
        self._told = 0
        self._cleaned = 0
        self._timer: threading.Timer | None = None

    def check(self, login: str, address: str) -> Standing:
        """Who this is, where it need not wait. Raises `Throttled`."""
        now, net = clock.now(), network(address)
        standing = self.standing(login, address)
        if not self._active:
            return standing
        with self._store.read() as tx:
            known = tx.first(_GET, of=known_key(login, net))
            is_known = known is not None and now - int(known[1]) < KNOWN
            rule = "known" if is_known else "pair"
            pair = self._state(tx, standing.pair, rule, now)
            whole = (0, 0)
            if standing.address and not is_known:
                whole = self._state(tx, standing.address, "address", now)
        until = max(pair[1], whole[1])
        if until > now:
            raise Throttled(until - now)
        return Standing(standing.pair, standing.address, pair[0], rule)

    def standing(self, login: str, address: str) -> Standing:
        """Who this is, who need not wait."""
        net = network(address)
        return Standing(f"pair {mark(login)} {net}", "" if is_here(address) else f"address {net}")

    def _state(self, tx: Transaction, key: str, rule: str, now: int) -> tuple[int, int]:
        """Failures that count now, written or not, and until when to wait."""
        row = tx.first(_GET, of=key)
        failures, last = (0, 0) if row is None else (int(row[0]), int(row[1]))
        pending = self._pending.get(key)
        if now - last > QUIET or key in self._forgiven:
            failures = 0
        if pending is not None:
            failures, last = failures + pending.count, max(last, pending.last)
        return failures, last + wait(failures, rule)

    def is_wrong(self, standing: Standing, password: str, stored: str) -> bool:
        """Whether this password did not hold lately, compared with the very same hash."""
        if not self._active:
            return False
        mark, now = self._tried.digest(standing.pair, password), clock.now()
        found = self._tried.find(mark, now)
        if found is None or found.against != self._tried.digest(stored):
            return False
        self._tried.note(mark, found.against, now)
        return True

    def check_again(self, standing: Standing, password: str) -> None:
        """Where another back end compares: a password that did not hold waits by itself. Raises `Throttled`."""
        if not self._active:
            return
        now = clock.now()
        found = self._tried.find(self._tried.digest(standing.pair, password), now)
        until = 0 if found is None else found.last + wait(found.count, standing.rule)
        if until > now:
            raise Throttled(until - now)

    def failed(
        self, standing: Standing, account: str, address: str, password: str | None = None, stored: str | None = None
    ) -> None:
        """A login failed. `account` is the name of the one that there is, else empty: typed names are not kept.

        `stored` is the hash that `password` was compared with, None where another back end compared.
        """
        now = clock.now()
        if self._active and password is not None:
            against = bytes(8) if stored is None else self._tried.digest(stored)
            if self._tried.note(self._tried.digest(standing.pair, password), against, now):
                return
        with self._guard:
            for key in filter(None, (standing.pair, standing.address)):
                _count(self._pending, key, now, _PENDING)
            _count(self._untold, (account, address), now, _PENDING)
            self._wake()

    def succeeded(self, standing: Standing) -> None:
        """A login held: its failures are forgiven."""
        if not standing.failures:
            return
        with self._guard:
            self._pending.pop(standing.pair, None)
            self._forgiven[standing.pair] = standing
            self._wake()

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(_DELAY, self._run)
            self._timer.daemon = True
            self._timer.start()

    def _run(self) -> None:
        with self._guard:
            self._timer = None
        self.flush(tell=False)

    def flush(self, *, tell: bool = True) -> None:
        """Write what has gathered; `tell`: into the audit trail, too, though that was told lately."""
        with self._writing:
            self._flush(tell)

    def _flush(self, tell: bool) -> None:
        now = clock.now()
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            pending, self._pending = self._pending, {}
            forgiven, self._forgiven = self._forgiven, {}
            untold: dict[tuple[str, str], _Failures] = {}
            if tell or now - self._told >= TOLD:
                untold, self._untold = self._untold, {}
                self._told = now if untold else self._told
        try:
            # An address loses the failures of a pair that is forgiven, so it must have them first.
            keys = sorted(pending) if self._active else []
            split = bisect_left(keys, "pair ")
            self._write(pending, keys[:split])
            if forgiven or untold:
                with self._store.write() as tx:
                    for standing in forgiven.values():
                        _forgive(tx, standing)
                    _tell(tx, untold)
            self._write(pending, keys[split:])
            if keys and now - self._cleaned > _CLEANED:
                self._cleaned = now
                with self._store.write() as tx:
                    clean(tx, now)
        except StoreError as error:
            _log.warning("accounts: %d failed logins were not written: %s", len(pending), error)

    def _write(self, pending: dict[str, _Failures], keys: list[str]) -> None:
        for start in range(0, len(keys), _CHUNK):
            with self._store.write() as tx:
                for key in keys[start : start + _CHUNK]:
                    _add(tx, key, pending[key])


def wait(failures: int, rule: str) -> int:
    """Seconds to wait after so many failures."""
    over = failures - FREE[rule]
    return 0 if over <= 0 else min(LONGEST[rule], 2 ** min(over, 20))


def _count(counts: dict[_Key, _Failures], key: _Key, now: int, most: int) -> None:
    found = counts.get(key)
    if found is not None:
        found.count, found.last = found.count + 1, now
    elif len(counts) < most:
        counts[key] = _Failures(1, now)


def _add(tx: Transaction, key: str, more: _Failures) -> None:
    row = tx.first(_GET, of=key)
    before = int(row[0]) if row is not None and more.last - int(row[1]) <= QUIET else 0
    failures = before + more.count
    until = more.last + wait(failures, key.partition(" ")[0])
    if row is None:
        tx.run(_INSERT, key=key, failures=failures, last=more.last, until=until)
    else:
        tx.run(_SET, of=key, count=failures, at=more.last, wait=until)


def _forgive(tx: Transaction, standing: Standing) -> None:
    tx.run(_DELETE, of=standing.pair)
    row = tx.first(_GET, of=standing.address) if standing.address else None
    if row is not None:
        left = max(0, int(row[0]) - standing.failures)
        tx.run(_SET, of=standing.address, count=left, at=row[1], wait=int(row[1]) + wait(left, "address"))


def _tell(tx: Transaction, untold: dict[tuple[str, str], _Failures]) -> None:
    """The audit trail hears of the most frequent; the rest is one entry."""
    ranked = sorted(untold.items(), key=lambda entry: -entry[1].count)
    for (account, address), failures in ranked[:_TOLD_AT_ONCE]:
        audit.note(tx, "sign-in-failed", account=account, actor="", address=address, count=failures.count)
    if rest := ranked[_TOLD_AT_ONCE:]:
        audit.note(tx, "sign-in-failed", addresses=len(rest), count=sum(one.count for _, one in rest))


def came_in(tx: Transaction, key: str, now: int) -> bool:
    """Note in `key` that somebody came in; whether it is the first time in a day."""
    row = tx.first(_GET, of=key)
    if row is None:
        tx.run(_INSERT, key=key, failures=0, last=now, until=0)
    elif now - int(row[1]) >= 86400:
        tx.run(_SET, of=key, count=0, at=now, wait=0)
    else:
        return False
    return True


def forget(tx: Transaction, name: str) -> None:
    """Remove all rows about an account."""
    for kind in ("pair", "known", "used"):
        tx.run(_DELETE_RANGE, start=f"{kind} {mark(name)} ", end=f"{kind} {mark(name)}!")


def rename(tx: Transaction, old: str, new: str) -> None:
    """The addresses that an account came in from stay known, under its new name; its failures are forgotten."""
    known = f"known {mark(old)} "
    found = tx.all(_RANGE, start=known, end=f"{known[:-1]}!")
    forget(tx, old)
    forget(tx, new)
    for key, last in found:
        tx.run(_INSERT, key=f"known {mark(new)} {key.removeprefix(known)}", failures=0, last=last, until=0)


def clean(tx: Transaction, now: int) -> None:
    """Remove what no longer counts, and the oldest where a flood has left too much."""
    tx.run(_FAILED_BEFORE, before=now - QUIET)
    tx.run(_SEEN_BEFORE, before=now - KNOWN)
    beyond = tx.first(_BEYOND)
    if beyond is not None:
        tx.run(_FAILED_BEFORE, before=int(beyond[0]) + 1)
