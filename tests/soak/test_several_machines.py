"""Two servers on one PostgreSQL database behind HAProxy: any of the three may die, and nobody needs the same one twice.

The clock of the second server is five minutes ahead throughout.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import re
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from calsync.store import verify
from calsync.store.engine import Store
from tests import haproxy
from tests.dav.conftest import PASSWORD, event
from tests.haproxy import HAProxy
from tests.postgresql import Cluster, required
from tests.server.conftest import until
from tests.server_process import ROOT, ServerProcess
from tests.soak import figures
from tests.soak.crash import Crew, patiently
from tests.soak.wire import Later, Mirror, Patient, Wire

AHEAD = 300
HOME = "/anna/calendar/"
NO_DELAY = "[auth]\ndelay = 0\n"
FAST_CLOCK = f"import time\nreal = time.time\ntime.time = lambda: real() + {AHEAD}\n"
LOCK = (
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>a</owner></lockinfo>'
)


@dataclass
class Machines:
    """All of them, and the URL of their store."""

    servers: list[ServerProcess]
    cluster: Cluster
    store: str
    proxy: HAProxy

    @contextmanager
    def wires(self, kind: type[Wire] = Wire) -> Iterator[tuple[Wire, Wire]]:
        """One to each server, past the proxy."""
        one, two = (kind(server.address, "anna") for server in self.servers)
        with closing(one), closing(two):
            yield one, two


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    required()
    haproxy.program()
    cluster = Cluster(fast=False)
    cluster.start()
    servers: list[ServerProcess] = []
    try:
        store = cluster.store()
        ports = [haproxy.free_port() for _ in range(2)]
        (tmp_path / "fast").mkdir()
        (tmp_path / "fast" / "sitecustomize.py").write_text(FAST_CLOCK)
        paths = os.pathsep.join((str(tmp_path / "fast"), str(ROOT), str(ROOT / "plugins")))
        for name, port, env in (("one", ports[0], {}), ("two", ports[1], {"PYTHONPATH": paths})):
            args = ["--hosts", f"127.0.0.1:{port}"]
            servers.append(ServerProcess(tmp_path / name, store=store, args=args, env=env, config_text=NO_DELAY))
        servers[0].start()
        for user in ("anna", "bert"):
            servers[0].add_user(user, PASSWORD)
        servers[1].start()
        with HAProxy(tmp_path, ports) as proxy:
            yield Machines(servers, cluster, store, proxy)
    finally:
        for one in servers:
            one.stop()
        cluster.remove()


def ask(address: tuple[str, int], path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """Without a login."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# --- crashes ----------------------------------------------------------------------------------------------------------


def run(machines: Machines, *, writers: int, kills: int, seconds: float = 3600) -> Crew:
    """Kill so many times, within about so many seconds."""
    seed = int(os.environ.get("CALSYNC_SOAK_SEED", random.randrange(10_000)))
    print(f"seed {seed} (CALSYNC_SOAK_SEED)")
    chance = random.Random(seed)
    crew = Crew.of(writers, seed, persistent=True, landed=lambda: landed(machines.cluster))
    address = machines.proxy.address
    patiently(lambda: crew.settle_in(address))
    began = time.monotonic()
    done = 0
    for victim in itertools.cycle((machines.servers[0], machines.cluster, machines.servers[1])):
        if done == kills or time.monotonic() - began > seconds:
            break

        def end(victim: ServerProcess | Cluster = victim) -> None:
            crew.get_on(chance.uniform(0.3, 1.5))
            if isinstance(victim, Cluster):
                victim.stop("immediate")
            else:
                victim.kill()
            time.sleep(chance.uniform(0, 1.5))
            victim.start()
            crew.get_on(chance.uniform(1, 2))

        crew.work([address], end)
        done += 1
        patiently(lambda: crew.settle(address), lambda: landed(machines.cluster))
    sound(machines.store)
    latencies = [seconds for writer in crew.writers for seconds in writer.latencies]
    figures.note("several machines: kills of either server or of PostgreSQL", done)
    figures.note("several machines: writes answered as they must be", dict(crew.acknowledged))
    figures.note("several machines: of these lost, half done or told wrongly", 0)
    figures.note("several machines: cut off, or told to come back later", sum(one.cuts for one in crew.writers))
    figures.note("several machines: syncs by mirrors", sum(one.rounds for one in crew.followers))
    figures.note(f"several machines: a write of {writers} at once", figures.spread(latencies))
    return crew


def landed(cluster: Cluster) -> None:
    """Wait until PostgreSQL has noticed of each client that is gone: what that had sent is done by then, or never."""
    port, closing = f":{cluster.port:04X}", "08"  # CLOSE_WAIT: the client's end is closed and this one is not

    def is_left() -> bool:
        found = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        return any(fields[1].endswith(port) and fields[3] == closing for fields in found)

    until(lambda: not is_left())


def sound(url: str) -> None:
    """The store holds together."""
    store = Store.open(url)
    try:
        assert list(verify.verify(store)) == []
        assert store.problems() == []
    finally:
        store.close()


def test_killed_a_few_times(machines: Machines) -> None:
    crew = run(machines, writers=4, kills=3)
    assert crew.acknowledged.total() > 20


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_many_times(machines: Machines) -> None:
    crew = run(machines, writers=8, kills=60, seconds=figures.minutes(0.2))
    assert crew.acknowledged.total() > 100


# --- what they share --------------------------------------------------------------------------------------------------


def test_what_one_does_the_other_knows(machines: Machines) -> None:
    with machines.wires() as (one, two):
        mirror = Mirror(HOME)
        for number, (writer, reader) in enumerate(((one, two), (two, one)) * 10):
            path = f"{HOME}{number}.ics"
            etag = writer.ask("PUT", path, event(f"u{number}")).etag
            assert reader.ask("GET", path).etag == etag
            # The token that the one gave is taken by the other.
            assert mirror.step(reader)
            assert mirror.members == writer.listing(HOME) == reader.listing(HOME)
        locks_hold(one, two)
        locks_hold(two, one)
        quotas_hold(machines.servers[0], two)
        revocation_holds(machines.servers)
        failures_are_counted(one, two)


def locks_hold(one: Wire, two: Wire) -> None:
    """A lock that the one gave for minutes holds at the other, whose clock says that it has ended."""
    path = f"{HOME}0.ics"
    answer = one.ask("LOCK", path, LOCK, Timeout=f"Second-{AHEAD - 60}")
    assert answer.status == 200
    token = re.findall(rb"(?:opaquelocktoken|urn:uuid):[^<]+", answer.body)[0].decode()
    assert two.ask("PUT", path, event("u0", "SUMMARY:no")).status == 423
    assert two.ask("UNLOCK", path, Lock_Token=f"<{token}>").status == 204
    assert one.ask("PUT", path, event("u0", "SUMMARY:yes")).status == 204


def quotas_hold(server: ServerProcess, two: Wire) -> None:
    """One that was just set, at the server that has no idea of it."""
    assert server.command("quota", "set", "anna", "--items", "20").returncode == 0
    assert two.ask("PUT", f"{HOME}more.ics", event("more")).status == 507


def revocation_holds(servers: list[ServerProcess]) -> None:
    done = servers[0].command("token", "add", "anna", "--label", "phone")
    assert done.returncode == 0, done.stderr
    password = done.stdout.split()[-1]
    basic = "Basic " + b64encode(f"anna:{password}".encode()).decode()
    for one in servers:
        assert ask(one.address, HOME, "PROPFIND", Authorization=basic, Depth="0")[0] == 207
    assert servers[0].command("token", "revoke", "anna", "--all").returncode == 0
    for one in servers:
        assert ask(one.address, HOME, "PROPFIND", Authorization=basic, Depth="0")[0] == 401


def failures_are_counted(one: Wire, two: Wire) -> None:
    """Those at the one, by the other; its clock would put them five minutes back."""
    numbers = itertools.count()

    def guessed(wire: Wire) -> int:
        wrong = "Basic " + b64encode(b"anna:wrong %d" % next(numbers)).decode()
        return wire.ask("GET", HOME, Authorization=wrong).status

    statuses = [guessed(one) for _ in range(9)]
    assert statuses[0] == 401
    until(lambda: guessed(two) == 429)


# --- health -----------------------------------------------------------------------------------------------------------


def test_without_the_database_they_say_so_at_once_and_recover(machines: Machines) -> None:
    address = machines.servers[0].address
    with machines.wires(Patient) as (one, _):
        assert one.ask("PUT", f"{HOME}a.ics", event("a")).status == 201
        assert [ask(address, f"/.calsync/{name}") for name in ("ready", "health")] == [
            (200, b"ready\n"),
            (200, b"alive\n"),
        ]
        machines.cluster.stop("immediate")
        for method in ("GET", "PUT", "GET"):
            began = time.monotonic()
            with pytest.raises(Later):
                one.ask(method, f"{HOME}a.ics", event("a"))
            assert time.monotonic() - began < 40  # not as long as a connection is waited for, for each statement
        until(lambda: ask(address, "/.calsync/ready") == (503, b"unavailable\n"))
        assert ask(address, "/.calsync/health") == (200, b"alive\n")
        assert ask(machines.proxy.address, "/.calsync/ready")[0] == 404
        machines.cluster.start()
        until(lambda: ask(address, "/.calsync/ready") == (200, b"ready\n"))
        assert one.ask("GET", f"{HOME}a.ics").status == 200
    machines.cluster.stop("immediate")
    for server in machines.servers:
        assert server.stop() == 0
        assert "Traceback" not in server.log()
    machines.cluster.start()
