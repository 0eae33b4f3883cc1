"""`calsync init`, as a person and a script would run it: as a process, on a terminal, in a home of its own."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from calsync.cli.setup.files import Owner, Planned, Writing
from tests.postgresql import shared
from tests.server_process import FOREIGN, ROOT, ServerProcess

pytestmark = pytest.mark.timeout(300)

CERTIFICATES = ROOT / "tests" / "server" / "certificates"


def surroundings(home: Path, **more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith((*FOREIGN, "SUDO_"))}
    paths = os.pathsep.join((str(ROOT), str(ROOT / "plugins")))
    return {**own, "HOME": str(home), "PYTHONPATH": paths, **more}


def calsync(home: Path, *words: str, input: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "calsync", *words],
        env=surroundings(home, **more),
        input=input,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def init(home: Path, *words: str, input: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return calsync(home, "init", "--for", "me", "--yes", *words, input=input, **more)


def there(home: Path) -> dict[str, bytes]:
    """All files below, but for the locks of the store."""
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.endswith(("-lock", "-serving"))
    }


CONFIG = ".config/calsync/config"
UNIT = ".config/systemd/user/calsync.service"
STORE = ".local/share/calsync/calsync.db"


@pytest.mark.parametrize("tls", ["proxy", "later", "own"])
def test_what_it_writes_starts_and_lets_its_user_in(tmp_path: Path, tls: str) -> None:
    pair = ("--certificate", str(CERTIFICATES / "one.cert.pem"), "--key", str(CERTIFICATES / "one.key.pem"))
    done = init(
        tmp_path, "--address", "localhost:5299", "--tls", tls, "--user", "Anna", *(pair if tls == "own" else ())
    )
    assert done.returncode == 0, done.stderr
    assert set(there(tmp_path)) == {CONFIG, UNIT, STORE}
    assert (tmp_path / CONFIG).stat().st_mode & 0o777 == 0o600
    checked = calsync(tmp_path, "config", "check", CALSYNC_SERVER_HOSTS="127.0.0.1:0")
    assert checked.returncode == 0, checked.stdout

    scheme = "http" if tls == "later" else "https"
    assert f"calsync doctor {scheme}://localhost:5299/\n" in done.stdout
    password = re.search(r"password  (\S+)", done.stdout)
    assert password is not None
    text = (tmp_path / CONFIG).read_text()
    with ServerProcess(tmp_path, config_text=text, env={"CALSYNC_SERVER_HOSTS": "127.0.0.1:0"}) as server:
        assert server.url.startswith("https:" if tls == "own" else "http:")
        found = requests.request(
            "PROPFIND",
            f"{server.url.replace('127.0.0.1', 'localhost')}Anna/",
            headers={"Depth": "1"},
            auth=("anna", password[1]),
            verify=str(CERTIFICATES / "one.cert.pem"),
            timeout=60,
        )
        assert found.status_code == 207
        assert "/Anna/calendar/" in found.text
        assert "first user" not in server.log()


def test_the_unit_is_right_for_systemd(tmp_path: Path) -> None:
    init(tmp_path, "--tls", "proxy")
    text = (tmp_path / UNIT).read_text()
    assert f"ExecStart={sys.executable} -m calsync serve\n" in text
    assert not re.search(r"(?m)^(User|StateDirectory|ProtectSystem|CapabilityBoundingSet)=", text)
    assert "WantedBy=default.target" in text


def test_a_second_run_says_what_is_there(tmp_path: Path) -> None:
    same = ("--address", "cal.example.org", "--tls", "proxy", "--user", "anna")
    init(tmp_path, *same)
    before = there(tmp_path)
    told = calsync(tmp_path, "init", "--for", "me")
    assert told.returncode == 0, told.stderr
    assert "users: anna" in told.stdout
    assert "calsync doctor https://cal.example.org/" in told.stdout
    again = init(tmp_path, *same)
    assert (again.returncode, "nothing was written" in again.stdout) == (0, True)
    assert there(tmp_path) == before


def test_what_is_there_is_shown_and_kept(tmp_path: Path) -> None:
    config = tmp_path / CONFIG
    config.parent.mkdir(parents=True)
    config.write_text("[server]\ntimeout = 31\n")
    refused = init(tmp_path, "--tls", "proxy", "--user", "anna")
    assert refused.returncode == 1
    assert "-timeout = 31" in refused.stdout
    assert "--force" in refused.stderr
    assert there(tmp_path) == {CONFIG: b"[server]\ntimeout = 31\n"}

    assert init(tmp_path, "--tls", "proxy", "--user", "anna", "--force").returncode == 0
    (copy,) = config.parent.glob("config.before-*")
    assert copy.read_text() == "[server]\ntimeout = 31\n"
    assert "hosts = localhost:5232" in config.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tls", "own"), "certificate"),
        (("--tls", "own", "--certificate", str(CERTIFICATES / "one.cert.pem"),
          "--key", str(CERTIFICATES / "two.key.pem")), "do not fit"),
        (("--tls", "proxy", "--user", "a/b"), "contains '/'"),
        (("--tls", "proxy", "--address", "a b"), "'a b' is none"),
        (("--tls", "proxy", "--store", "mysql://x"), "not a store that calsync knows"),
        (("--tls", "proxy", "--password-file", "/nowhere"), "/nowhere"),
        (("--tls", "own", "--address", "x:443", "--certificate", str(CERTIFICATES / "one.cert.pem"),
          "--key", str(CERTIFICATES / "one.key.pem")), "needs root|takes root"),
    ],
)  # fmt: skip
def test_what_cannot_be_leaves_nothing(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = init(tmp_path, *words)
    assert done.returncode == 1
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.rglob("*")) == []


def test_a_configuration_that_would_not_start_is_taken_back(tmp_path: Path) -> None:
    done = init(tmp_path, "--tls", "proxy", "--user", "anna", CALSYNC_HISTORY_JOURNAL="/dev/null/x")
    assert (done.returncode, "[history] journal" in done.stderr) == (1, True)
    assert list(tmp_path.rglob("*")) == []


def test_copies_of_ones_own_beside_the_store_stay_where_it_is_taken_back(tmp_path: Path) -> None:
    mine = tmp_path / f"{STORE}.of-last-year"
    mine.parent.mkdir(parents=True)
    mine.write_text("dear")
    assert init(tmp_path, "--tls", "proxy", "--user", "anna", CALSYNC_HISTORY_JOURNAL="/dev/null/x").returncode == 1
    assert there(tmp_path) == {mine.relative_to(tmp_path).as_posix(): b"dear"}


def test_secrets_of_a_configuration_that_is_there_are_neither_shown_nor_for_others(tmp_path: Path) -> None:
    config = tmp_path / CONFIG
    config.parent.mkdir(parents=True)
    text = "[auth]\nldap_secret = tell nobody\n[storage]\nurl = postgresql://me:tell-nobody@db/calsync\n"
    config.write_text(text)
    config.chmod(0o640)
    refused = init(tmp_path, "--tls", "proxy", "--user", "anna")
    assert (refused.returncode, "-ldap_secret" in refused.stdout) == (1, True)
    assert not re.search("tell.nobody", refused.stdout + refused.stderr)
    with Writing() as writing:
        copies = [writing.file(Planned(config, one, ""), Owner()) for one in ("second", "third")]
    assert [one.read_text() for one in copies if one is not None] == [text, "second"]
    assert copies[0] is not None and copies[0].stat().st_mode & 0o777 == 0o640


def test_a_radicale_that_is_taken_over_for_oneself_is_not_for_the_group(tmp_path: Path) -> None:
    users, stock = tmp_path / "users", tmp_path / "radicale.conf"
    users.write_text("anna:tell-nobody\n")
    stock.write_text(f"[auth]\ntype = htpasswd\nhtpasswd_filename = {users}\nhtpasswd_encryption = plain\n")
    words = ("--tls", "proxy", "--radicale", str(stock), "--folder", str(tmp_path / "data"), "--no-unit")
    assert init(tmp_path, *words).returncode == 0
    made = (tmp_path / CONFIG).parent
    assert {one.name: one.stat().st_mode & 0o777 for one in made.iterdir()} == dict.fromkeys(
        ("config", "radicale", "users"), 0o600
    )
    users.write_text("anna:tell-others\n")
    refused = init(tmp_path, *words)
    assert (refused.returncode, "tell" in refused.stdout) == (1, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_a_link_leads_to_is_not_given_away(tmp_path: Path) -> None:
    """The folder is the service's, which could have laid it."""
    link, file = tmp_path / "calsync.db-wal", tmp_path / "shadow"
    file.touch()
    link.symlink_to(file)
    Owner(12345, 12345).take(link)
    assert (link.lstat().st_uid, file.stat().st_uid) == (12345, 0)


def test_a_database_gets_the_first_user(tmp_path: Path) -> None:
    url = shared().database()
    try:
        words = ("--tls", "later", "--user", "anna", "--password-file", "-", "--store", url, "--no-unit")
        done = init(tmp_path, *words, input="corn horse\n")
        assert done.returncode == 0, done.stderr
        assert set(there(tmp_path)) == {CONFIG}
        assert calsync(tmp_path, "user", "list").stdout.startswith("anna ")
        assert f"{url}  store; users: anna\n" in calsync(tmp_path, "init", "--for", "me").stdout
    finally:
        shared().drop(url)


def test_without_a_terminal_it_does_not_wait(tmp_path: Path) -> None:
    done = calsync(tmp_path, "init", "--for", "me")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)


class Terminal:
    """A person at a terminal."""

    def __init__(self, home: Path, *words: str) -> None:
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs in the background ignores it
            os.execve(sys.executable, [sys.executable, "-m", "calsync", *words], surroundings(home, TERM="xterm"))
        self.screen = ""

    def until(self, text: str) -> str:
        """What was shown since the last time, once `text` is there."""
        limit = time.monotonic() + 60
        while text not in self.screen:
            ready, _, _ = select.select([self._end], [], [], max(0, limit - time.monotonic()))
            assert ready, f"no {text!r} in:\n{self.screen}"
            try:
                self.screen += os.read(self._end, 4096).decode(errors="replace")
            except OSError:  # the other end is closed
                assert text in self.screen, f"ended without {text!r}:\n{self.screen}"
        shown, found, self.screen = self.screen.partition(text)
        return shown + found

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def status(self, again: str = "") -> int:
        """The exit status, with all that was shown left in `screen`. `again`: what is typed where it still waits."""
        while True:
            while again and not select.select([self._end], [], [], 1)[0]:
                if self._waits():
                    self.type(again)
            try:
                octets = os.read(self._end, 4096)
            except OSError:
                break
            if not octets:
                break
            self.screen += octets.decode(errors="replace")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _waits(self) -> bool:
        """Whether it is asleep and stays so: not on its way out, and not one that gets no processor (proc(5))."""
        seen = set()
        for _ in range(10):
            state, *figures = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
            seen.add((state, *figures[10:12]))  # the time that it has computed
            time.sleep(0.1)
        return len(seen) == 1 and seen.pop()[0] == "S"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path, "init", "--for", "me")
    yield one
    os.close(one._end)


def test_a_person_is_asked(tmp_path: Path, terminal: Terminal) -> None:
    terminal.until("into their devices")
    terminal.type("what is this\n")
    terminal.until("is none (calendar.example.org")
    terminal.type("cal.example.org\n")
    terminal.until("TLS:")
    terminal.type("proxy\n")
    terminal.until("First user [")
    terminal.type("berta\n")
    terminal.until("Password")
    terminal.type("corn horse\n")
    terminal.until("again")
    terminal.type("corn hoarse\n")
    terminal.until("differ")
    for question in ("Password", "again"):
        terminal.until(question)
        terminal.type("corn horse\n")
    shown = terminal.until("Write this? [yes]")
    assert UNIT in shown
    assert there(tmp_path) == {}
    terminal.type("\n")
    assert terminal.status() == 0
    assert "corn horse" not in terminal.screen
    assert "https://cal.example.org/.calsync/" in terminal.screen
    assert "\u2588" in terminal.screen, "a QR code"
    assert set(there(tmp_path)) == {CONFIG, UNIT, STORE}


@pytest.mark.parametrize("at", ["TLS:", "Password", "Write this?"])
def test_whoever_breaks_off_has_nothing(tmp_path: Path, terminal: Terminal, at: str) -> None:
    for question, answer in (("devices", "cal.example.org"), ("TLS:", "proxy"), ("First", "anna"), ("Password", "")):
        terminal.until(question)
        if question == at:
            break
        terminal.type(f"{answer}\n")
    else:
        terminal.until(at)
    terminal.type("\x03")
    # Between the question and the wait for its answer Python notes the signal, and heeds it with the next.
    assert terminal.status(again="\x03") == 130
    assert "Traceback" not in terminal.screen
    assert list(tmp_path.rglob("*")) == []
