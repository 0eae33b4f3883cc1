"""`calsync` and `calsync serve` as processes."""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests

from tests.server_process import NotStarted, ServerProcess


def calsync(server: ServerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "calsync", *arguments],
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def first_login(server: ServerProcess) -> tuple[str, str]:
    text = (server.data / "calsync" / "first-login.txt").read_text()
    match = re.search(r"user +(\S+)\n +password +(\S+)", text)
    assert match is not None, text
    return match[1], match[2]


def test_the_first_start_makes_a_store_and_a_user(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        name, password = first_login(server)
        assert password not in server.log()
        assert "first-login.txt" in server.log()
        letter = server.data / "calsync" / "first-login.txt"
        assert stat.S_IMODE(letter.stat().st_mode) == 0o600
        assert stat.S_IMODE((server.data / "calsync").stat().st_mode) == 0o700
        assert requests.request("PROPFIND", f"{server.url}{name}/", auth=(name, "wrong"), timeout=60).status_code == 401
        answer = requests.request(
            "PROPFIND", f"{server.url}{name}/", auth=(name, password), headers={"Depth": "1"}, timeout=60
        )
        assert answer.status_code == 207
        for collection in ("contacts", "calendar", "tasks"):
            assert f"/{name}/{collection}/" in answer.text
        letter.unlink()
    with server:
        assert not letter.exists(), "a second start has nothing to tell"
        assert requests.request("PROPFIND", server.url, auth=(name, password), timeout=60).status_code == 207


def test_a_person_at_a_terminal_is_shown_the_password(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "calsync", "--config", "", "--hosts", "localhost:0"],
        env=server.environment,
        stdin=subprocess.DEVNULL,
        stdout=side,
        stderr=subprocess.PIPE,
    )
    os.close(side)
    seen = b""  # a piece may end within a letter
    until = time.monotonic() + 60
    while b"--ssl" not in seen and process.poll() is None and time.monotonic() < until:
        if select.select([main], [], [], 0.1)[0]:
            seen += os.read(main, 4096)
    process.terminate()
    _, log = process.communicate(timeout=60)
    os.close(main)
    shown = seen.decode(errors="replace")
    match = re.search(r"password +(\S{5}-\S{5}-\S{5}-\S{5})", shown)
    assert match is not None, shown
    assert match[1] not in log.decode()
    assert re.search(r"address +http://127\.0\.0\.1:\d+/", shown)
    assert "0.0.0.0" in shown
    assert not (server.data / "calsync" / "first-login.txt").exists()


def test_the_letter_names_a_command_that_finds_the_store(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        text = (server.data / "calsync" / "first-login.txt").read_text()
        words = re.search(r"-m (calsync user) passwd (\S+) (--store \S+)", text)
        assert words is not None, text
        done = calsync(server, *words[1].split()[1:], "list", *words[3].split())
        assert done.stdout.startswith(f"{words[2]} ")
        assert "hosts = 0.0.0.0:" in text


def test_a_letter_is_not_written_over(tmp_path: Path) -> None:
    """Two servers with stores of their own may have one folder in common."""
    letters = [tmp_path / "data" / "calsync" / name for name in ("first-login.txt", "first-login-2.txt")]
    for letter in letters:
        with ServerProcess(tmp_path, store=f"sqlite:///{tmp_path}/{letter.stem}.db") as server:
            assert str(letter) in server.log()
            match = re.search(r"user +(\S+)\n +password +(\S+)", letter.read_text())
            assert match is not None
            assert requests.request("PROPFIND", server.url, auth=(match[1], match[2]), timeout=60).status_code == 207
    assert letters[0].read_text() != letters[1].read_text()


def test_a_storage_hook_is_spoken_of_once(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, config_text="[storage]\nhook = git add -A\n") as server:
        spoken = [line for line in server.log().splitlines() if "] hook" in line]
        assert len(spoken) == 1, spoken
        assert "calsync export FOLDER" in spoken[0]


def test_a_certificate_that_is_not_used_is_spoken_of(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, config_text="[server]\ncertificate = /etc/ssl/some.pem\n") as server:
        assert "certificate has no effect without ssl = True" in server.log()


def test_the_letter_has_a_place_where_the_store_is_elsewhere(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, args=("--storage-url", f"sqlite:///{tmp_path}/elsewhere/calsync.db")) as server:
        name, password = first_login(server)
        assert requests.request("PROPFIND", server.url, auth=(name, password), timeout=60).status_code == 207


def test_no_first_user_with_radicales_authentication(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("anna:secret\n")
    config = f"[auth]\ntype = htpasswd\nhtpasswd_filename = {users}\nhtpasswd_encryption = plain\n"
    with ServerProcess(tmp_path / "server", config_text=config) as server:
        assert "first user" not in server.log()
        answer = requests.request("PROPFIND", f"{server.url}anna/", auth=("anna", "secret"), timeout=60)
        assert answer.status_code == 207


def test_options_as_radicale_takes_them(tmp_path: Path) -> None:
    arguments = (
        "--server-timeout=5", "-D", "--no-ssl", "--auth-type", "none", "--rights-type", "authenticated",
        "--headers-X-Test=yes", "--storage-url", f"sqlite:///{tmp_path}/other/calsync.db",
    )  # fmt: skip
    with ServerProcess(tmp_path / "server", args=arguments) as server:
        assert requests.get(f"{server.url}.web/", timeout=60).headers["X-Test"] == "yes"
        assert " DEBUG " in server.log()
    assert (tmp_path / "other" / "calsync.db").exists()


def test_ipv4_and_ipv6_and_unix(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with ServerProcess(tmp_path / "server", args=("--hosts", f"localhost:0, unix:{path}")) as server:
        for url in server.urls[:-1]:
            assert requests.get(f"{url}.web/", timeout=60).status_code == 200
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"OPTIONS / HTTP/1.0\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 ")


def test_stock_storage_is_served_by_stock_behaviour(tmp_path: Path) -> None:
    config = f"[storage]\ntype = multifilesystem\nfilesystem_folder = {tmp_path}/radicale\n[auth]\ntype = none\n"
    with ServerProcess(tmp_path / "server", config_text=config) as server:
        made = requests.request("MKCALENDAR", f"{server.url}anna/work/", auth=("anna", ""), timeout=60)
        assert made.status_code == 201
    assert (tmp_path / "radicale" / "collection-root" / "anna" / "work").is_dir()
    assert not (server.data / "calsync").exists()


def test_sighup_sets_the_log_level(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, config_text="[logging]\nlevel = info\n") as server:
        requests.get(f"{server.url}.web/one", timeout=60)
        server.log_until("/.web/one")
        server.config.write_text("[logging]\nlevel = warning\n")
        server.reload()
        server.log_until("reloading")  # whoever comes from now on is let in after it
        requests.get(f"{server.url}.web/two", timeout=60)
        server.config.write_text("[logging]\nlevel = nonsense\n")
        server.reload()
        server.log_until("not reloaded")
        assert requests.get(f"{server.url}.web/", timeout=60).status_code == 200
    assert "/.web/two" not in server.log()


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = ServerProcess(tmp_path, args=("--hosts", f"127.0.0.1:{port}"))
        with pytest.raises(NotStarted):
            server.start()
    lines = [line for line in server.log().splitlines() if "INFO" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("calsync: ")
    assert f"127.0.0.1:{port} is in use" in lines[0]
    assert not (server.data / "calsync").exists(), "nothing is made before it can be served"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "/no/such/file"], "calsync: config: /no/such/file: no such file or directory (check --config)"),
        (["--no-such-option"], "calsync: unknown argument '--no-such-option' (calsync serve --help)"),
        (["serve", "surplus"], "calsync: unknown argument 'surplus' (calsync serve --help)"),
        (["--server-timeout", "soon"], "calsync: config: command line: [server] timeout: 'soon' cannot be used"),
        (["--ssl", "--certificate", "/no/cert", "--hosts", "127.0.0.1:0"], "calsync: [server] certificate: /no/cert"),
        (["--rights-type", "from_file", "--rights-file", "/no/rights", "--hosts", "127.0.0.1:0"], "/no/rights"),
        (["--config", "/no/such/file", "user", "list"], "calsync: config: /no/such/file: no such file"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: Sequence[str], message: str) -> None:
    done = calsync(ServerProcess(tmp_path), *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_help(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    assert re.match(
        r"calsync \S+ \(Radicale 3\.9\.\d+, Python 3\.\d+\.\d+, SQLite 3\.[\d.]+\)\n",
        calsync(server, "--version").stdout,
    )
    overview = calsync(server, "--help").stdout
    assert all(f"\n    {command} " in overview for command in ("serve", "user", "token", "import", "export"))
    short, long = calsync(server, "serve", "--help").stdout, calsync(server, "serve", "--help-all").stdout
    assert "--hosts" in short
    assert "--auth-ldap-uri" not in short
    assert "--auth-ldap-uri" in long
    assert not (server.data / "calsync").exists()


def test_the_storage_is_verified(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    done = calsync(server, "--config", "", "--verify-storage")
    assert done.returncode == 0, done.stderr
    assert "calsync: sound" in done.stderr
