"""python-caldav: calendars, events with recurrences, tasks, search, sync tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.clients.conftest import PASSWORD
from tests.server_process import ServerProcess

caldav = pytest.importorskip("caldav")

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def principal(server: ServerProcess) -> Iterator[object]:
    with caldav.DAVClient(url=server.url, username="anna", password=PASSWORD) as client:
        yield client.principal()


def test_calendars_are_found_made_and_removed(principal) -> None:  # type: ignore[no-untyped-def]
    assert {calendar.name for calendar in principal.calendars()} == {"Calendar", "Tasks"}
    made = principal.make_calendar(name="Räder", cal_id="bikes")
    assert made.get_display_name() == "Räder"
    made.delete()
    assert {calendar.name for calendar in principal.calendars()} == {"Calendar", "Tasks"}


def test_events_recurrences_and_search(principal) -> None:  # type: ignore[no-untyped-def]
    calendar = principal.calendar(cal_id="calendar")
    start = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
    calendar.save_event(dtstart=start, dtend=start + timedelta(hours=1), summary="Once, only")
    calendar.save_event(dtstart=start, dtend=start + timedelta(hours=1), summary="Weekly", rrule={"FREQ": "WEEKLY"})
    calendar.save_event(dtstart=date(2026, 6, 10), summary="All day")
    assert len(calendar.events()) == 3
    later = calendar.search(
        start=datetime(2026, 7, 1, tzinfo=UTC), end=datetime(2026, 7, 31, tzinfo=UTC), event=True, expand=False
    )
    assert [event.icalendar_component["summary"] for event in later] == ["Weekly"]
    expanded = calendar.search(
        start=datetime(2026, 7, 1, tzinfo=UTC), end=datetime(2026, 7, 31, tzinfo=UTC), event=True, expand=True
    )
    assert len(expanded) == 4
    found = calendar.search(event=True, summary="Once")
    assert len(found) == 1
    event = found[0]
    event.icalendar_component["summary"] = "Changed"
    event.save()
    assert calendar.event_by_uid(event.icalendar_component["uid"]).icalendar_component["summary"] == "Changed"
    event.delete()
    assert len(calendar.events()) == 2


def test_tasks(principal) -> None:  # type: ignore[no-untyped-def]
    tasks = principal.calendar(cal_id="tasks")
    task = tasks.save_todo(summary="Buy milk", due=date(2026, 6, 1))
    tasks.save_todo(summary="Done", status="COMPLETED")
    assert len(tasks.todos()) == 1
    task.complete()
    assert len(tasks.todos()) == 0
    assert len(tasks.todos(include_completed=True)) == 2


def test_sync_tokens(principal) -> None:  # type: ignore[no-untyped-def]
    calendar = principal.calendar(cal_id="calendar")
    calendar.save_event(dtstart=datetime(2026, 6, 1, tzinfo=UTC), dtend=datetime(2026, 6, 2, tzinfo=UTC), summary="a")
    objects = calendar.objects_by_sync_token(load_objects=True)
    assert len(list(objects)) == 1
    calendar.save_event(dtstart=datetime(2026, 6, 3, tzinfo=UTC), dtend=datetime(2026, 6, 4, tzinfo=UTC), summary="b")
    changed = calendar.objects_by_sync_token(sync_token=objects.sync_token)
    assert len(list(changed)) == 1


def test_free_busy(principal) -> None:  # type: ignore[no-untyped-def]
    calendar = principal.calendar(cal_id="calendar")
    start = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
    calendar.save_event(dtstart=start, dtend=start + timedelta(hours=1), summary="busy")
    answer = calendar.freebusy_request(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC))
    assert "20260601T080000Z" in answer.data
