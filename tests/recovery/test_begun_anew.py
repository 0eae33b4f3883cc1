"""A store is lost, and a new one was begun in its place before anybody restored the backup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recovery.phones import PASSWORD, event
from tests.recovery.test_restore import World
from tests.server_process import NotStarted


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, 1, journal=True)
    yield made
    made.close()


def test_what_the_new_store_lacks_was_not_deleted(world: World) -> None:
    world.writer.write(30)
    made = world.backup()
    world.writer.write(10)
    world.sync()
    world.server.kill()
    world.lose()
    # By hand, for a server begins none there (below).
    world.server.add_user("anna", PASSWORD)
    world.server.start()
    for calendar in sorted(world.writer.calendars):
        assert world.ask("MKCALENDAR", f"/anna/{calendar}/").status_code == 201
    anew = f"/anna/{min(world.writer.calendars)}/anew.ics"
    world.writer.held[anew] = event("anew", "typed into the new store")
    assert world.ask("PUT", anew, world.writer.held[anew]).status_code == 201
    world.server.stop()
    assert "nothing that was acknowledged is missing" in world.command("restore", str(made))
    world.server.start()
    world.check()
    # The same backup once more: the journal tells of both histories, and of the restore.
    world.server.stop()
    world.lose()
    world.command("restore", str(made))
    world.server.start()
    world.check()


def test_no_store_is_begun_beside_the_journal_of_another(world: World) -> None:
    made = world.backup()
    world.server.kill()
    world.lose()
    for _ in range(2):
        with pytest.raises(NotStarted, match="is that of another store, and this one is new"):
            world.server.start()
    world.command("restore", str(made))
    world.server.start()
    world.check()
