"""Several processes answer on the same sockets; one that dies is replaced, and nothing acknowledged goes with it."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from calsync.server.workers import PLACE, Place
from tests.dav.conftest import PASSWORD, event
from tests.server.conftest import until
from tests.server_process import NotStarted, ServerProcess
from tests.soak.wire import CUT, Wire

HOME = "/anna/calendar/"

#: Where servers are started again and again, which takes its time on a busy machine.
SLOW = pytest.mark.timeout(400)


def workers(server: ServerProcess) -> list[int]:
    """The processes that answer."""
    text = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [int(number) for number in text.split()]


def made(folder: Path, *args: str, config: str = "") -> ServerProcess:
    server = ServerProcess(folder, args=args, config_text="[auth]\ndelay = 0\n" + config)
    server.start()
    server.add_user("anna", PASSWORD)
    return server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with made(tmp_path, "--workers", "2") as server:
        yield server


class Writer(threading.Thread):
    """Puts again and again; after a cut it connects anew, as any client does."""

    def __init__(self, server: ServerProcess, number: int) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.path = f"{HOME}{number}.ics"
        self.number = number
        self.last = 0
        """The last version that was acknowledged."""
        self.cuts = 0
        self.ended = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        wire, version = Wire(self.server.address, "anna"), 0
        try:
            while not self.ended.is_set():
                version += 1
                try:
                    answer = wire.ask("PUT", self.path, event(f"uid{self.number}", f"SUMMARY:{version}"))
                except CUT:
                    self.cuts += 1
                    wire.close()
                    continue
                assert answer.status in (201, 204), answer
                self.last = version
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        finally:
            wire.close()


@contextmanager
def writing(server: ServerProcess, number: int) -> Iterator[list[Writer]]:
    """So many writers, until the end of the block."""
    writers = [Writer(server, each) for each in range(number)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.ended.set()
            writer.join()
    assert [writer.error for writer in writers] == [None] * number


def kill_one(server: ServerProcess, writers: list[Writer]) -> None:
    """While all of them get on; then wait for another in its place."""
    marks = [writer.last for writer in writers]
    until(lambda: all(writer.last > mark + 3 or writer.error for writer, mark in zip(writers, marks, strict=True)))
    victim = workers(server)[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(workers(server)) == 2 and victim not in workers(server))


@SLOW
def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(server: ServerProcess) -> None:
    assert len(workers(server)) == 2
    with writing(server, 4) as writers:
        for _ in range(3):
            kill_one(server, writers)
    wire = Wire(server.address, "anna")
    for writer in writers:
        kept = wire.ask("GET", writer.path).body.decode()
        found = int(kept.partition("SUMMARY:")[2].split()[0])
        assert found >= writer.last > 0, "what was acknowledged is there, or what was cut after it"
    wire.close()
    assert "ended by signal 9" in server.log()


def test_each_worker_reads_its_log_level_anew(server: ServerProcess) -> None:
    server.config.write_text("[logging]\nlevel = critical\n")
    server.reload()
    until(lambda: server.log().count("INFO    reloading") == 3)  # the parent's, too
    assert server.stop() == 0
    assert server.log().count("INFO    stopped") == 1, "of the parent alone"


def test_the_end_of_the_parent_is_that_of_its_workers(server: ServerProcess) -> None:
    children = workers(server)
    server.kill()
    until(lambda: not any(Path(f"/proc/{number}/exe").exists() for number in children))
    assert "the parent process is gone" in server.log()


def test_what_one_cannot_start_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    config = f"[storage]\nfilesystem_folder = {tmp_path / 'file'}\n"
    with pytest.raises(NotStarted, match="the server cannot start"):
        ServerProcess(tmp_path / "server", args=("--workers", "2"), config_text=config).start()


def test_a_parent_from_before_an_upgrade_starts_newer_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGUSR2 starts what is installed by then; whoever is to mind it may know less than it does."""
    ours, theirs = socket.socketpair()
    facts = {"sockets": [], "control": theirs.detach(), "beside": [], "number": 7, "first": False}
    monkeypatch.setenv(PLACE, json.dumps(facts))
    place = Place.found()
    assert place is not None and (place.number, place.memory) == (7, -1)
    for sock in (ours, place.control):
        sock.close()


def test_the_ends_of_both_processes_are_in_good_order(server: ServerProcess) -> None:
    children = workers(server)
    assert server.stop() == 0
    assert not any(Path(f"/proc/{number}/exe").exists() for number in children)


# --- what one does is felt in the other: two servers on one store -----------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    folder = tmp_path_factory.mktemp("two")
    one = made(folder / "one")
    other = ServerProcess(folder / "other", env={"XDG_DATA_HOME": str(one.data)}, config_text="[auth]\ndelay = 0\n")
    with one, other:
        yield one, other


def ask(server: ServerProcess, method: str, path: str, body: bytes | str = b"", **headers: str) -> int:
    wire = Wire(server.address, "anna")
    try:
        return wire.ask(method, path, body, **headers).status
    finally:
        wire.close()


def soon(true: Callable[[], object]) -> None:
    """Within the second that is promised; a busy machine may take longer for all of it."""
    until(true, 30)


def everywhere(two: tuple[ServerProcess, ServerProcess], status: int) -> None:
    """Soon, each answers a look at the home so."""
    for server in two:
        soon(lambda server=server: ask(server, "PROPFIND", HOME, Depth="0") == status)  # type: ignore[misc]


def test_a_lock_holds_everywhere(two: tuple[ServerProcess, ServerProcess]) -> None:
    one, other = two
    path = f"{HOME}locked.ics"
    assert ask(one, "PUT", path, event("locked")) == 201
    body = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    assert ask(one, "LOCK", path, body) == 200
    assert ask(other, "PUT", path, event("locked", "SUMMARY:2")) == 423


def test_a_hold_holds_everywhere(two: tuple[ServerProcess, ServerProcess]) -> None:
    from calsync.recovery import hold
    from calsync.store.engine import Store

    store = Store.open(f"sqlite:///{two[0].data}/calsync/calsync.db")
    with store.write() as tx:
        hold.hold(tx, "somebody looks")
    everywhere(two, 503)
    with store.write() as tx:
        hold.release(tx)
    everywhere(two, 207)
    store.close()


def test_a_quota_holds_everywhere(two: tuple[ServerProcess, ServerProcess]) -> None:
    one, other = two
    numbers = itertools.count()

    def another(server: ServerProcess) -> int:
        """One that is not there yet: what is, may be put again."""
        uid = f"many-{next(numbers)}"
        return ask(server, "PUT", f"{HOME}{uid}.ics", event(uid))

    assert another(one) == 201
    assert one.command("quota", "set", "anna", "--items", "1").returncode == 0
    for server in two:
        soon(lambda server=server: another(server) == 507)  # type: ignore[misc]
    assert one.command("quota", "unset", "anna").returncode == 0
    soon(lambda: another(other) == 201)


def test_what_one_worker_was_sent_the_other_knows(server: ServerProcess) -> None:
    """A phone with an old password, on whichever of them, is one guess."""
    pages = [Path(f"/proc/{number}/maps").read_text() for number in workers(server)]
    assert len(pages) == 2 and all("/memfd:calsync-workers" in one for one in pages)
    old = "Basic " + base64.b64encode(b"anna:the old one").decode()
    with ExitStack() as stack:
        # A connection each, so that both of them are asked.
        *phone, anna = (stack.enter_context(closing(Wire(server.address, "anna"))) for _ in range(13))
        assert [one.ask("PROPFIND", HOME, Authorization=old).status for one in phone] == [401] * 12
        assert anna.ask("PROPFIND", HOME).status == 207


def test_failures_to_log_in_are_counted_together(two: tuple[ServerProcess, ServerProcess]) -> None:
    def tried(server: ServerProcess) -> int:
        connection = http.client.HTTPConnection(*server.address, timeout=60)
        credentials = base64.b64encode(b"nobody:wrong %d" % next(guesses)).decode()
        connection.request("PROPFIND", "/nobody/", headers={"Authorization": f"Basic {credentials}"})
        status = connection.getresponse().status
        connection.close()
        return status

    guesses = itertools.count()
    one, other = two
    until(lambda: tried(one) == 429)
    soon(lambda: tried(other) == 429)


def test_a_changed_password_is_felt_everywhere(two: tuple[ServerProcess, ServerProcess]) -> None:
    one, _ = two
    assert {ask(server, "PROPFIND", HOME, Depth="0") for server in two} == {207}
    done = one.command("user", "passwd", "anna", "--password-file", "-", input="another one\n")
    assert done.returncode == 0, done.stderr
    everywhere(two, 401)
    done = one.command("user", "passwd", "anna", "--password-file", "-", input=PASSWORD + "\n")
    soon(lambda: {ask(server, "PROPFIND", HOME, Depth="0") for server in two} == {207})


# --- hooks ------------------------------------------------------------------------------------------------------------

HOOK = """
import os, time
from radicale import hook

class Hook(hook.BaseHook):
    enabled = True

    def notify(self, item):
        with open(os.environ["TOLD"], "a") as file:
            version = (item.new_content or "").partition("SUMMARY:")[2].split()[0]
            uid = (item.new_content or "").partition("UID:")[2].split()[0]
            before = (item.old_content or "SUMMARY:0 ").partition("SUMMARY:")[2].split()[0]
            file.write(f"{os.getpid()} {uid} {before} {version}\\n")
        time.sleep(0.01)
"""


@SLOW
def test_hooks_are_told_of_each_change_whoever_dies(tmp_path: Path) -> None:
    """Once; what was cut right while it was told, again."""
    (tmp_path / "slow_hook.py").write_text(HOOK)
    told = tmp_path / "told"
    server = ServerProcess(
        tmp_path / "server",
        args=("--workers", "2"),
        config_text="[auth]\ndelay = 0\n[hook]\ntype = slow_hook\n",
        env={"TOLD": str(told), "PYTHONPATH": f"{Path.cwd()}:{Path.cwd() / 'plugins'}:{tmp_path}"},
    )
    server.start()
    with server:
        server.add_user("anna", PASSWORD)
        kills = 2
        with writing(server, 3) as writers:
            for _ in range(kills):
                before = told.stat().st_size if told.exists() else 0
                until(lambda before=before: told.exists() and told.stat().st_size > before + 100)  # type: ignore[misc]
                kill_one(server, writers)

        def queued() -> list[dict[str, object]]:
            return [job for job in json.loads(server.command("jobs", "--json").stdout) if "id" in job]

        until(lambda: not queued(), 90)
        lines = [line.split() for line in told.read_text().splitlines()]
        for writer in writers:
            mine = [(int(before), int(now)) for _, uid, before, now in lines if uid == f"uid{writer.number}"]
            versions = [now for _, now in mine]
            assert versions == sorted(versions), "in order"
            assert versions[-1] >= writer.last
            chain = sorted(set(mine))
            assert [now for _, now in chain][:-1] == [before for before, _ in chain][1:], "each change, none left out"
        again = len(lines) - len({(uid, now) for _, uid, _, now in lines})
        assert again <= kills, "only what a kill cut off is told twice"
