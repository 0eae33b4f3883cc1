"""Listening: names with two addresses, unix sockets, sockets of systemd, and what goes wrong."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from calsync.server import addresses
from tests.server.conftest import Site, read_all


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_localhost_is_both_addresses_on_one_port() -> None:
    sockets = addresses.listen([("localhost", 0)])
    try:
        names = [sock.getsockname() for sock in sockets]
        assert [name[0] for name in names] == (["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"])
        assert len({name[1] for name in names}) == 1
        assert addresses.url(sockets[0], False) == f"http://127.0.0.1:{names[0][1]}/"
    finally:
        addresses.close(sockets)


def test_several_hosts(tmp_path: Path) -> None:
    hosts = [("127.0.0.1", 0), ("127.0.0.2", 0), (f"unix:{tmp_path}/s", 0)]
    sockets = addresses.listen(hosts)
    assert [sock.family for sock in sockets] == [socket.AF_INET, socket.AF_INET, socket.AF_UNIX]
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660
    addresses.close(sockets)
    assert not (tmp_path / "s").exists()


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(addresses.AddressError, match=rf"127.0.0.1:{port} is in use: .*--hosts HOST:PORT"):
            addresses.listen([("127.0.0.1", port)])
        with pytest.raises(addresses.AddressError, match="is in use"):
            addresses.listen([("localhost", port)])


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(addresses.AddressError, match=r"192.0.2.1:5232: this machine has no such address"):
        addresses.listen([("192.0.2.1", 5232)])
    with pytest.raises(addresses.AddressError, match=r"no.such.host.invalid:5232: .*check \[server\] hosts"):
        addresses.listen([("no.such.host.invalid", 5232)])


def test_the_socket_of_a_dead_server_is_replaced_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    sockets = addresses.listen([(f"unix:{path}", 0)])
    with pytest.raises(addresses.AddressError, match="another server listens there"):
        addresses.listen([(f"unix:{path}", 0)])
    addresses.close(sockets)
    path.write_text("precious")
    with pytest.raises(addresses.AddressError, match="is no socket"):
        addresses.listen([(f"unix:{path}", 0)])
    assert path.read_text() == "precious"


def test_sockets_for_another_process_are_not_taken() -> None:
    assert addresses.inherited({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []
    assert addresses.inherited({}) == []


def test_sockets_of_systemd_are_served(tmp_path: Path) -> None:
    """What systemd does: descriptor 3 is open, and LISTEN_PID is the process that it starts."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        script = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True);"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
            "os.execv(sys.executable, [sys.executable, '-m', 'tests.server.small_site', '{}'])"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            env=Site(tmp_path).environment,
            stderr=subprocess.DEVNULL,
        )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=90) as sock:
            sock.sendall(b"GET /ok HTTP/1.0\r\n\r\n")
            assert read_all(sock).startswith(b"HTTP/1.1 200")
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert os.environ.get("LISTEN_FDS") is None
