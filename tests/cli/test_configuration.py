"""`calsync config show` and `calsync config check`."""

from __future__ import annotations

import configparser
import json
import os
import re
import socket
from pathlib import Path

import psycopg
import pytest

from calsync import config
from calsync.cli import configuration
from calsync.store.engine import Store
from tests.cli.run import run
from tests.postgresql import shared

ROOT = Path(__file__).parents[2]
CERTIFICATES = ROOT / "tests" / "server" / "certificates"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if re.match(r"CALSYNC_(?!TEST_)|RADICALE_|XDG_", one)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config"


def shown(capsys: pytest.CaptureFixture[str], file: Path, *words: str) -> str:
    assert run(configuration, "config", "show", "--config", str(file), *words) == 0
    return capsys.readouterr().out


def checked(capsys: pytest.CaptureFixture[str], file: Path | str, *words: str) -> tuple[int, list[str]]:
    """The exit status, and what was found: `error: …`."""
    status = run(configuration, "config", "check", "--config", str(file), *words)
    return status, capsys.readouterr().out.splitlines()


# --- show -------------------------------------------------------------------------------------------------------------


def test_each_value_has_its_source(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("# mine\n[server]\nTimeout : 31\nssl = False\n\n[headers]\nX-One = 1\n")
    monkeypatch.setenv("CALSYNC_LIMITS_WORKERS", "3")
    text = shown(capsys, file, "--", "--hosts", "localhost:1")
    assert f"[server]\n# command line\nhosts = localhost:1\n# {file}:3\ntimeout = 31\n\n[headers]" in text
    assert f"# {file}:7\nx-one = 1\n" in text
    assert "# CALSYNC_LIMITS_WORKERS\nworkers = 3\n" in text
    assert "ssl" not in text, "it is the default"
    (level,) = [one for one in json.loads(shown(capsys, file, "--json", "--all")) if one["option"] == "level"]
    assert (level["source"], level["value"], level["default"]) == ("default", "info", "info")


def test_what_is_shown_is_a_configuration(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(
        "[server]\nhosts = localhost:1, localhost:2\nssl = yes\n[hook]\nfrom_email = a@example.org\n"
        "updated_event_template = Hello,\n  this\n\n  is new.\n[storage]\nurl = sqlite:////srv/x.db\n"
    )
    again = tmp_path / "again"
    for words in ((), ("--all",)):
        again.write_text(shown(capsys, file, *words))
        one, two = config.load(str(file)), config.load(str(again))
        for section in one.sections():
            for option in one.options(section):
                assert one.get(section, option) == two.get(section, option), (section, option)
    assert configparser.RawConfigParser().read(again)


def test_secrets_are_not_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(
        "[auth]\ntype = somebody_elses\nldap_secret = geheim1\nmy_password = geheim2\n"
        "[storage]\nurl = postgresql://anna:geheim3@db/calsync?sslpassword=geheim4\n"
        "[calsync]\ndirectory = all\n"
    )
    for words in ((), ("--json",), ("--all",)):
        assert "geheim" not in shown(capsys, file, *words)
    assert "#url = postgresql://anna:…@db/calsync?sslpassword=…\n" in shown(capsys, file)
    text = shown(capsys, file, "--secrets")
    assert set(re.findall(r"geheim\d", text)) == {"geheim1", "geheim2", "geheim3", "geheim4"}


# --- check ------------------------------------------------------------------------------------------------------------


def test_a_good_one_has_nothing_and_makes_nothing(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("[server]\nhosts = localhost:0\n")
    assert checked(capsys, file, "--strict") == (0, [])
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("example", ["radicale-stock.conf", "calsync.conf"])
def test_the_examples_are_good(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(capsys, ROOT / "config" / example, "--", "--hosts", "localhost:0") == (0, [])


def test_everything_is_said_at_once(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(
        "[server]\ntimout = 3\nhosts = localhost:0\nssl = perhaps\n\n[sever]\na = 1\n"
        "[auth]\nhtpaswd_filename = /x\n[history]\nday = 1\n"
    )
    monkeypatch.setenv("CALSYNC_SERVER_HOST", "x")
    monkeypatch.setenv("CALSYNC_SERVR_HOSTS", "x")
    monkeypatch.setenv("CALSYNC_WORKER", "1")
    status, found = checked(capsys, f"{file}:{tmp_path}/none")
    assert status == 1
    assert [line.partition(" (")[0] for line in found] == [
        f"error: {tmp_path}/none: no such file or directory",
        f"error: {file}:2: [server] timout: no such option",
        f"error: {file}:4: [server] ssl: 'perhaps' cannot be used: neither True nor False",
        f"error: {file}:6: [sever]: no such section",
        f"error: {file}:11: [history] day: no such option",
        "error: CALSYNC_SERVER_HOST: [server] host: no such option",
        "warning: CALSYNC_SERVR_HOSTS: names no section, and is passed over",
        f"warning: {file}:9: [auth] htpaswd_filename: no such option",
    ]
    assert "(did you mean server?)" in found[6]
    assert "(did you mean htpasswd_filename?)" in found[7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nssl = True\ncertificate = /nowhere", r"error: .*:3: \[server\] certificate: /nowhere: No"),
        (f"[server]\nssl = True\ncertificate = {CERTIFICATES}/one.cert.pem\nkey = {CERTIFICATES}/two.key.pem",
         r"error: .*:3: \[server\] certificate: .* do not fit"),
        ("[server]\nssl = True\nprotocol = SSLv9", r"error: .*\[server\] protocol: 'SSLv9' is unknown"),
        ("[server]\nkey = /x", r"warning: .*:2: \[server\] key: has no effect without ssl = True"),
        ("[auth]\nbackend = htpasswd\nhtpasswd_filename = /nowhere", r"error: .*htpasswd_filename: /nowhere: no such"),
        ("[auth]\nhtpasswd_filename = /nowhere", r"warning: .*htpasswd_filename: has no effect without backend = htp"),
        ("[auth]\noidc_client_id = x", r"warning: .*oidc_client_id: has no effect without oidc_issuer"),
        ("[auth]\noidc_issuer = x", r"error: .*oidc_issuer: 'x' is no address"),
        ("[auth]\ntype = no_such_module", r"error: .*no_such_module"),
        ("[auth]\npassword_memory = 1", r"error: .*password_memory: 1 is less than 8"),
        ("[rights]\ntype = from_file\nfile = /nowhere", r"error: .*\[rights\] file: /nowhere: no such file"),
        ("[history]\njournal = /dev/null/x", r"error: .*\[history\] journal: /dev/null/x: /dev/null is no folder"),
        ("[history]\njournal_days = 1", r"warning: .*journal_days: has no effect without journal"),
        ("[storage]\nurl = mysql://x", r"error: .*\[storage\] url: mysql://…: not a store"),
        ("[storage]\nurl = sqlite:////dev/null/x.db", r"error: .*\[storage\] url: /dev/null: /dev/null is no folder"),
        ("[storage]\nurl = postgresql://x@127.0.0.1:1/x", r"error: .*\[storage\] url: .*127.0.0.1:1"),
        ("[storage]\nhook = true", r"warning: .*\[storage\] hook: has no effect without type = multifilesystem"),
        ("[storage]\npartitions = 4", r"warning: .*partitions: has no effect without a url of a PostgreSQL"),
        ("[storage]\ntype = multifilesystem\n[history]\ndays = 3", r"warning: .*\[history\] days: has no effect"),
        ("[server]\ntype = hypercorn", r"warning: .*\[server\] type: is not used"),
        ("[server]\nmax_resource_size = 999999999", r"warning: .*max_resource_size: 999999999 is more than"),
        ("[server]\nhosts = 0.0.0.0:0", r"warning: .*hosts: others reach it without TLS"),
        ("[server]\nhosts = 0.0.0.0:0\n[auth]\nbackend = http_x_remote_user", r"warning: .*backend: http_x_remote"),
        ("[server]\nhosts = 0.0.0.0:0\n[auth]\ntype = none", r"warning: .*\[auth\] type: none: whoever reaches"),
        ("[server]\nhosts = 192.0.2.1:0", r"error: .*hosts: .*this machine has no such address"),
        ("[server]\nhosts = unix:/nowhere/x", r"error: .*hosts: unix:/nowhere/x: /nowhere is no folder"),
        ("[sharing]\ntype = csv\n[limits]\nworkers = 2", r"warning: .*\[sharing\] type: csv: each worker"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(file: Path, text: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(text + "\n")
    more = () if "hosts" in text else ("--", "--hosts", "localhost:0")
    status, found = checked(capsys, file, "--strict", *more)
    assert any(re.match(expected, line) for line in found), found
    assert status == (1 if expected.startswith("error") or any(one.startswith("error") for one in found) else 2)


def test_an_address_in_use_may_be_used_by_calsync(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        file.write_text(f"[server]\nhosts = {host}\n")
        assert checked(capsys, file)[0] == 0
        status, (found,) = checked(capsys, file, "--strict")
    assert (status, f"{host} is in use" in found) == (2, True)


def test_a_store_is_looked_at_and_left_as_it_is(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "calsync.db"
    Store.open(f"sqlite:///{path}").close()
    before = path.read_bytes()
    file.write_text(f"[server]\nhosts = localhost:0\n[storage]\nurl = sqlite:///{path}\n")
    assert checked(capsys, file) == (0, [])
    assert path.read_bytes() == before
    path.write_bytes(b"something else" * 100)
    status, (found,) = checked(capsys, file)
    assert (status, "not an SQLite database" in found) == (1, True)


def test_a_database_is_looked_at_and_left_as_it_is(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = shared().database()
    try:
        file.write_text(f"[server]\nhosts = localhost:0\n[storage]\nurl = {url}\n")
        assert checked(capsys, file) == (0, [])
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert found == (0,)
        Store.open(url).close()
        assert checked(capsys, file) == (0, [])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'later'")
        status, (told,) = checked(capsys, file)
        assert (status, "written by a newer calsync" in told) == (1, True)
    finally:
        shared().drop(url)


def test_findings_for_programs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[server]\nhosts = localhost:0\ntimout = 3\n")
    assert run(configuration, "config", "check", "--json", "--config", str(file)) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["level"], found["where"], found["option"]) == ("error", f"{file}:3", "timout")
