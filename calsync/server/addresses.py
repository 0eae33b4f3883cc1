"""Where the server listens: host names, addresses, unix sockets, and sockets handed over by systemd."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable, MutableMapping, Sequence
from itertools import zip_longest
from pathlib import Path

BACKLOG = 1024

#: The host name of a unix socket in `[server] hosts`, before its path.
UNIX = "unix:"

_Address = tuple[socket.AddressFamily, str]
_LOOPBACK: tuple[_Address, ...] = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

#: The first file descriptor that systemd hands over (sd_listen_fds(3)).
FIRST_FD = 3

Host = tuple[str, int]


class AddressError(OSError):
    """An address cannot be listened on; the message is for people."""


def listen(hosts: Sequence[Host]) -> list[socket.socket]:
    """Open every address of every host.

    A name with several addresses (`localhost` is 127.0.0.1 and ::1) is open on each that the machine has. Port 0 takes
    a free port, the same for all addresses of its name. Raises `AddressError`.
    """
    sockets: list[socket.socket] = []
    try:
        for host, port in hosts:
            sockets += [_unix(Path(host.removeprefix(UNIX)))] if host.startswith(UNIX) else _tcp(host, port)
    except BaseException:
        close(sockets)
        raise
    return sockets


def inherited(environment: MutableMapping[str, str] | None = None) -> list[socket.socket]:
    """The sockets that systemd opened for this process (`LISTEN_FDS`), none without socket activation.

    What tells of them is taken out of the environment: it is not meant for further processes. Raises `AddressError`.
    """
    variables = os.environ if environment is None else environment
    told = {name: variables.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if told["LISTEN_PID"] != str(os.getpid()):
        return []
    sockets = handed_over(range(FIRST_FD, FIRST_FD + int(told["LISTEN_FDS"] or "0")))
    for sock, name in zip_longest(sockets, filter(None, told["LISTEN_FDNAMES"].split(":"))):
        if sock is not None and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise AddressError(
                errno.EINVAL,
                f"{name or 'a socket'} of systemd does not listen (Accept=no and ListenStream= are wanted)",
            )
    return sockets


def handed_over(descriptors: Iterable[int]) -> list[socket.socket]:
    """Sockets that another process opened; this one gives them to no third."""
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for sock in sockets:
        sock.set_inheritable(False)
    return sockets


def files(sockets: Sequence[socket.socket]) -> list[Path]:
    """The files of unix sockets that `listen` made; to be removed at the end."""
    return [Path(sock.getsockname()) for sock in sockets if sock.family == socket.AF_UNIX]


def close(sockets: Sequence[socket.socket]) -> None:
    """Close what `listen` opened."""
    made = files(sockets)
    for sock in sockets:
        sock.close()
    for path in made:
        path.unlink(missing_ok=True)


def url(sock: socket.socket, tls: bool) -> str:
    """The address of a listening socket as a person types it."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"{UNIX}{name}"
    host = f"[{name[0]}]" if sock.family == socket.AF_INET6 else name[0]
    return f"{'https' if tls else 'http'}://{host}:{name[1]}/"


def _tcp(host: str, port: int) -> list[socket.socket]:
    for _attempt in range(5):
        sockets: list[socket.socket] = []
        taken = port
        try:
            for family, address in _resolve(host, port):
                sock = _bind(family, (address, taken), optional=bool(sockets) or host == "localhost")
                if sock is not None:
                    sockets.append(sock)
                    taken = int(sock.getsockname()[1])
        except AddressError as error:
            close(sockets)
            if port == 0 and error.errno == errno.EADDRINUSE:
                continue  # the other address has somebody on this free port
            raise
        if sockets:
            return sockets
        break
    raise AddressError(errno.EADDRNOTAVAIL, f"{host}:{port}: this machine has no such address")


def _resolve(host: str, port: int) -> list[_Address]:
    name = None if host in ("", "*") else host
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        if host == "localhost":  # RFC 6761 §6.3: it is this machine, though no /etc/hosts says so
            return list(_LOOPBACK)
        raise AddressError(errno.EADDRNOTAVAIL, f"{host}:{port}: {error.strerror} (check [server] hosts)") from error
    addresses: list[_Address] = [(family, str(address[0])) for family, _, _, _, address in found]
    if host == "localhost":  # where the resolver knows one of both only
        addresses += _LOOPBACK
    return sorted(dict.fromkeys(addresses), key=lambda entry: entry[0] != socket.AF_INET)


def _bind(family: socket.AddressFamily, address: Host, optional: bool) -> socket.socket | None:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None  # no IPv6 in this kernel
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if optional and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        raise AddressError(error.errno, _why(address, error)) from error
    return sock


def _why(address: Host, error: OSError) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    where = f"{host}:{address[1]}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use: another server runs there (stop it, or set another port with --hosts HOST:PORT)"
    if error.errno == errno.EACCES:
        return f"{where}: not allowed (ports below 1024 need root or CAP_NET_BIND_SERVICE; take a higher one)"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no such address (check [server] hosts)"
    return f"{where}: {error.strerror}"


def _unix(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        sock.bind(str(path))
        path.chmod(0o660)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise AddressError(error.errno, f"{UNIX}{path}: {error.strerror or error}") from error
    return sock


def _remove_stale(path: Path) -> None:
    """Remove a socket that a dead server left; one that answers is somebody's."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(errno.EEXIST, "exists and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, "another server listens there")
