"""Events read as they are written."""

from __future__ import annotations

from pathlib import Path

from runtime.daybook.following import HEALTH_S, Following
from tests.neighbours.written import flip, footfall, health, write

NOW_S = 1_000_000.0


def test_each_event_is_read_once_and_none_from_before_the_begin(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    events = Following(outbox, lambda now_s: now_s - 600)
    write(outbox, [flip(NOW_S - 4_000)], NOW_S - 4_000)
    write(outbox, [flip(NOW_S - 9), footfall(NOW_S - 70, 1, 0)], NOW_S)
    assert [event.fact.kind for event in events.news(NOW_S)] == ["flip", "footfall"]
    assert list(events.news(NOW_S)) == []
    write(outbox, [flip(NOW_S + 5)], NOW_S + 5)
    assert [event.fact.time_s for event in events.news(NOW_S + 6)] == [NOW_S + 5]
    events.close()


def test_only_the_wanted_kinds_are_read_and_no_health_of_long_ago(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    old_and_new = [health("vision", NOW_S - HEALTH_S - 1), health("vision", NOW_S - 1)]
    write(outbox, [*old_and_new, flip(NOW_S - 9), footfall(NOW_S - 70, 1, 0)], NOW_S)
    events = Following(outbox, lambda now_s: now_s - 600, {"health", "flip"})
    assert [(event.fact.kind, event.fact.time_s) for event in events.news(NOW_S)] == [
        ("health", NOW_S - 1),
        ("flip", NOW_S - 9),
    ]
    events.close()


def test_a_file_that_is_no_outbox_is_said_and_read_once_it_is_one(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    outbox.write_bytes(b"no database" * 500)
    events = Following(outbox, lambda now_s: now_s - 600)
    assert list(events.news(NOW_S)) == []
    assert events.fault.startswith("the events cannot be read: ")
    outbox.unlink()
    write(outbox, [flip(NOW_S - 9)], NOW_S)
    assert [event.fact.kind for event in events.news(NOW_S)] == ["flip"]
    assert events.fault == ""
    events.close()
