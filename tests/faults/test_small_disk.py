"""Real file systems that are full, out of inodes or read-only, mounted for the server process alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dav.conftest import PASSWORD, event
from tests.faults.site import Site
from tests.server.conftest import until

HOME = "/anna/calendar/"
ITEM = HOME + "a.ics"

#: More than a body may take in memory.
LARGE = event("large", *["DESCRIPTION:" + "x" * 1000] * 3000)


def may_mount() -> bool:
    unshare = shutil.which("unshare")
    done = unshare and subprocess.run(
        [unshare, "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False
    )
    return bool(done) and done.returncode == 0  # type: ignore[union-attr]


@pytest.fixture(scope="module", autouse=True)
def mounts() -> None:
    if not may_mount():
        reason = "this system lets nobody mount in a namespace of their own (unshare -rm)"
        if os.environ.get("CALSYNC_TEST_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


class Mounted(Site):
    """`prepare` are shell commands that run before the server, in its own view of the file systems. `$1` is its data
    folder, `$2` a folder with what was in it."""

    prepare = ""

    def _command(self) -> list[str]:
        script = f'{self.prepare}\nshift 2\nexec "$@"'
        kept = self.folder / "kept"
        return ["unshare", "-rm", "sh", "-ec", script, "sh", str(self.data), str(kept), *super()._command()]

    def inside(self, path: str) -> Path:
        """A file in the data folder as the server sees it."""
        return Path(f"/proc/{self.pid}/root{self.data / path}")


def spooled(site: Mounted) -> list[str]:
    """Files of bodies that the server has open."""
    found = []
    for file in Path(f"/proc/{site.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(file.readlink()))
    return [name for name in found if "/spool/" in name]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Mounted]:
    """Stopped, with a calendar and an item."""
    site = Mounted(tmp_path / "site", env={"TMPDIR": str(tmp_path / "site" / "data" / "spool")})
    (site.data / "spool").mkdir(parents=True)
    site.config.touch()
    site.add_user("anna", PASSWORD)
    with site.start():
        assert site.ask("PUT", ITEM, event("a")).status == 201
    shutil.copytree(site.data, site.folder / "kept")
    yield site
    site.kill()


def test_a_full_disk_says_so_and_is_well_when_there_is_room(site: Mounted) -> None:
    """What was acknowledged is there afterwards, and nothing of what was not."""
    site.prepare = 'mount -t tmpfs -o size=4m none "$1"\ncp -a "$2/." "$1"\nhead -c 2m /dev/zero > "$1/filler"'
    done = {}
    with site.start():
        for number in range(60):
            octets = event(f"u{number}", "DESCRIPTION:" + "x" * 70_000)
            answer = site.ask("PUT", f"{HOME}{number}.ics", octets)
            assert answer.status in (201, 507), answer
            if answer.status == 201:
                done[f"{HOME}{number}.ics"] = octets
        assert 0 < len(done) < 60
        assert site.ask("PUT", f"{HOME}large.ics", LARGE).status == 507, "not even its body could be kept"
        assert site.ask("GET", ITEM).status == 200
        assert site.listing(HOME).keys() == {ITEM, *done}
        site.inside("filler").unlink()
        assert site.ask("PUT", f"{HOME}after.ics", event("after")).status == 201
        for path, octets in done.items():
            assert site.ask("GET", path).body == octets


def test_without_inodes_what_needs_no_file_goes_on(site: Mounted) -> None:
    site.prepare = 'mount -t tmpfs -o size=100m,nr_inodes=40 none "$1"\ncp -a "$2/." "$1"'
    with site.start():
        assert site.ask("PUT", f"{HOME}large.ics", LARGE).status == 201
        made: list[Path] = []
        until(lambda: not spooled(site))  # the last upload's own file may be given back late
        for number in range(2):
            with contextlib.suppress(OSError):
                while True:
                    made.append(site.inside(f"filler{len(made)}"))
                    made[-1].touch()
            assert site.ask("PUT", ITEM, event("a", f"SUMMARY:small {number}")).status == 204
        assert site.ask("PUT", f"{HOME}large2.ics", LARGE.replace(b"UID:large", b"UID:large2")).status == 507
        until(lambda: not spooled(site))
        for path in made:
            path.unlink(missing_ok=True)
        assert site.ask("PUT", f"{HOME}large2.ics", LARGE.replace(b"UID:large", b"UID:large2")).status == 201


@pytest.mark.parametrize("ended", ["in order", "killed"])
def test_it_starts_on_a_read_only_disk_and_says_so(site: Mounted, ended: str) -> None:
    with site.start():
        assert site.ask("PUT", ITEM, event("a", "SUMMARY:last")).status == 204
        if ended == "killed":
            site.kill()
    site.prepare = 'mount --bind "$1" "$1"\nmount -o remount,ro,bind "$1"'
    with site.start():
        assert "Read-only file system" in site.log()
        assert b"SUMMARY:last" in site.ask("GET", ITEM).body
        assert site.sync(HOME).status == 207
        refused = site.ask("PUT", ITEM, event("a", "SUMMARY:more"))
        assert (refused.status, refused.headers.get("Retry-After")) == (503, "30")
    site.prepare = ""
    with site.start():
        assert site.ask("PUT", ITEM, event("a", "SUMMARY:more")).status == 204
