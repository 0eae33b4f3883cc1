"""A server that sends a little all the time, and never comes to an end: a time-out counts from the last octet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

#: What is sent at once, and what is sent again and again.
DRIPPED: Final = {
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a head": (b"HTTP/1.1 200 OK\r\n", b"A"),
    "a body without an end": (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@contextmanager
def dripping(what: str, pause: float) -> Iterator[str]:
    """The URL of one that answers a single connection so, with `pause` seconds between."""
    begin, again = DRIPPED[what]
    over = threading.Event()

    def drip() -> None:
        taken, _ = listening.accept()
        with taken, suppress(OSError):
            taken.recv(65536)
            taken.sendall(begin)
            while not over.wait(pause):
                taken.sendall(again)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            over.set()
            socket.create_connection(listening.getsockname()).close()  # it may not have come to a connection
            thread.join()
