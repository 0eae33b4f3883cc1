"""An address of its own for figures, `[metrics] listen`: so a proxy can leave it out, and a firewall close it.

One thread, one request at a time, five seconds for each: who asks is a Prometheus or two. With several workers all
listen on the same socket, and whoever is asked answers for all.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from typing import Final

from calsync.metrics.exposition import TYPE, Figures

logger = logging.getLogger("calsync.metrics")

#: Seconds that a client may take in all to ask, and again to take its answer.
_PATIENCE: Final = 5.0


class Listener:
    """Answers on sockets that already listen, until `stop`."""

    def __init__(self, sockets: Sequence[socket.socket], figures: Figures) -> None:
        self._sockets = sockets
        self._figures = figures
        self._stopped = False

    def start(self) -> None:
        """From now on, one thread for each address."""
        for one in self._sockets:
            threading.Thread(target=self._serve, args=(one,), name="calsync-metrics", daemon=True).start()

    def stop(self) -> None:
        """Answer nobody more."""
        self._stopped = True

    def _serve(self, listening: socket.socket) -> None:
        listening.settimeout(0.5)  # others may have taken who came
        while not self._stopped:
            try:
                taken, _ = listening.accept()
            except (TimeoutError, BlockingIOError):
                continue
            except OSError as error:
                if self._stopped or listening.fileno() < 0:
                    return
                logger.warning("[metrics] listen: %s", error)
                time.sleep(1.0)
                continue
            with taken:
                self._answer(taken)

    def _answer(self, taken: socket.socket) -> None:
        figures, cut = self._figures, _Cut(taken)

        class Handler(BaseHTTPRequestHandler):
            server_version, sys_version = "calsync", ""
            timeout = _PATIENCE

            def do_GET(self) -> None:
                if self.path.partition("?")[0] not in ("/metrics", "/"):
                    self.send_error(404)
                    return
                cut.cancel()  # what we take ourselves is not the client's fault
                text = figures.text()
                cut.start()
                self.send_response(200)
                self.send_header("Content-Type", TYPE)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        taken.settimeout(_PATIENCE)
        cut.start()
        try:
            Handler(taken, taken.getpeername(), None)  # type: ignore[arg-type]
        except (OSError, ValueError) as error:
            logger.debug("[metrics] listen: %s", error)
        except Exception:  # figures must not end the thread that tells them
            logger.exception("the figures cannot be told")
        finally:
            cut.cancel()


class _Cut:
    """Ends a connection that takes too long in all: a time-out counts from the last octet."""

    def __init__(self, taken: socket.socket) -> None:
        self._taken = taken
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        self._timer = threading.Timer(_PATIENCE, _shut, (self._taken,))
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _shut(taken: socket.socket) -> None:
    try:
        taken.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
