"""Thunderbird, started without a screen and with a profile of its own, and told what to do by its remote control."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final, Self

from tests.clients.marionette import Marionette

#: No account wizard, nothing fetched from anywhere, and passwords kept without asking.
PREFERENCES: Final[dict[str, bool | int | str]] = {
    "marionette.port": 0,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "app.donation.eoy.version.viewed": 999,
    "browser.region.network.url": "",
    "calendar.timezone.local": "Europe/Berlin",
    "calendar.timezone.useSystemTimezone": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "mail.provider.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
}

FLAGS: Final = ("--headless", "--no-remote", "--marionette", "--remote-allow-system-access")


class Thunderbird:
    """What is to be done in it goes to `run` (or `remote`)."""

    def __init__(self, folder: Path, **preferences: bool | int | str) -> None:
        self.folder = folder
        self.profile = folder / "profile"
        self.profile.mkdir(parents=True)
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        lines += [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
        (self.profile / "user.js").write_text("\n".join(lines))
        self._process: subprocess.Popen[bytes] | None = None
        self._remote: Marionette | None = None

    def start(self, timeout: float = 150) -> Self:
        program = shutil.which("thunderbird")
        assert program is not None
        own = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MOZ_"))}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *FLAGS, "--profile", str(self.profile)],
                env={**own, "HOME": str(self.folder), "LANG": "C.UTF-8", "TZ": "Europe/Berlin"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        port = self.profile / "MarionetteActivePort"
        until = time.monotonic() + timeout
        while not (port.exists() and port.read_text().strip()):
            assert self._process.poll() is None and time.monotonic() < until, self.log()
            time.sleep(0.1)
        self._remote = Marionette(int(port.read_text()))
        return self

    @property
    def remote(self) -> Marionette:
        assert self._remote is not None
        return self._remote

    def run(self, script: str, *arguments: Any) -> Any:
        return self.remote.run(script, *arguments)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        if self._remote is not None:
            self._remote.close()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
