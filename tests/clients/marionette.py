"""Mozilla's remote control, as much of it as a test needs: scripts that run in the program, and pictures of it.

Each message is its length, a colon and a JSON array: `[0, id, command, parameters]` there, and `[1, id, error, result]`
back.
"""

from __future__ import annotations

import base64
import json
import socket
from typing import Any, Final

#: A script is the body of an asynchronous function; `args` are its arguments.
_WRAPPED: Final = """
const args = [...arguments];
const done = args.pop();
(async () => { %s })().then(
  (value) => done(JSON.stringify([null, value ?? null])),
  (error) => done(JSON.stringify([`${error} ${error?.stack ?? ""}`, null]))
);
"""


class MarionetteError(AssertionError):
    """What the program says of a command that failed."""


class Marionette:
    """A session with a program that listens on `port`."""

    def __init__(self, port: int, timeout: float = 150) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._rest = b""
        self._last = 0
        self._message()
        self.ask("WebDriver:NewSession", {})
        self.ask("WebDriver:SetTimeouts", {"script": int(timeout * 1000)})
        self.ask("Marionette:SetContext", {"value": "chrome"})

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        """The result of a command; raises `MarionetteError`."""
        self._last += 1
        text = json.dumps([0, self._last, command, parameters])
        self._socket.sendall(f"{len(text.encode())}:{text}".encode())
        _, number, error, result = self._message()
        assert number == self._last
        if error:
            raise MarionetteError(f"{command}: {error['error']}: {error['message']}")
        return result

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of an asynchronous function returns; it runs where the program's own code does."""
        body = {"script": _WRAPPED % script, "args": list(arguments), "newSandbox": False}
        said = self.ask("WebDriver:ExecuteAsyncScript", body)["value"]
        if said is None:
            raise MarionetteError("a question came up meanwhile")
        error, value = json.loads(said)
        if error is not None:
            raise MarionetteError(error)
        return value

    def picture(self) -> bytes:
        """The window, as a PNG."""
        shown = self.ask("WebDriver:TakeScreenshot", {"full": False, "hash": False})
        return base64.b64decode(shown["value"])

    def close(self) -> None:
        self._socket.close()

    def _message(self) -> Any:
        while b":" not in self._rest:
            self._receive()
        length, _, self._rest = self._rest.partition(b":")
        while len(self._rest) < int(length):
            self._receive()
        message, self._rest = self._rest[: int(length)], self._rest[int(length) :]
        return json.loads(message)

    def _receive(self) -> None:
        octets = self._socket.recv(1 << 16)
        if not octets:
            raise MarionetteError("the program closed the connection")
        self._rest += octets
