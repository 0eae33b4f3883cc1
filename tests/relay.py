"""Between a server and its PostgreSQL: a wire that breaks at the worst moment."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal, Self

#: `Q`, a length, the statement, as a simple query goes over the wire.
_COMMIT = b"COMMIT\0"
_WRITES = b"BEGIN ISOLATION LEVEL READ COMMITTED"

Moment = Literal["before", "after"]


class Relay:
    """Passes on what comes on a port of loopback. `cut`: the next COMMIT of a writer breaks its connection, before it
    gets there or after it was carried out."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cut: Moment | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._sockets: list[socket.socket] = []

    def cut(self, moment: Moment) -> None:
        self._cut = moment

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._listener)
        for one in self._sockets:
            _end(one)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)  # it has to be closed also where nobody listens there
                far = socket.create_connection(("127.0.0.1", self._port))
                self._sockets.append(far)
                lost = threading.Event()
                for target, arguments in ((self._ask, (near, far, lost)), (self._answer, (far, near, lost))):
                    thread = threading.Thread(target=target, args=arguments, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _ask(self, near: socket.socket, far: socket.socket, lost: threading.Event) -> None:
        writes = False
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                writes = writes or _WRITES in data
                if _COMMIT in data:
                    if writes and self._cut is not None:
                        moment, self._cut = self._cut, None
                        self.cuts += 1
                        if moment == "before":
                            break
                        lost.set()
                    writes = False
                far.sendall(data)
        if not lost.is_set():
            _end(near)
            _end(far)

    def _answer(self, far: socket.socket, near: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                if lost.is_set():
                    break
                near.sendall(data)
        _end(near)
        _end(far)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
