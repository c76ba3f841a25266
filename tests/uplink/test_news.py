"""Watching a device: what repeats itself is shown once."""

from __future__ import annotations

import msgspec

from contract.envelope import Event, Origin, encode_event, open_event
from contract.facts import Fact
from contract.wire import Status
from runtime.uplink.news import News
from tests.uplink.facts import health, visit


def event(fact: Fact, device: str = "box-1") -> Event:
    return open_event(encode_event(fact, Origin("plaza", device), 1, fact.time_s))


def test_health_is_told_when_its_state_or_words_change_and_other_events_always() -> None:
    news, live = News(), health(1)
    waits = msgspec.structs.replace(live, state="waiting", detail="next try in 2.5 s")
    later = msgspec.structs.replace(waits, detail="next try in 31 s", values={"fps": 3.0})
    other = msgspec.structs.replace(later, detail="no such host")
    told = [news.tells(event(fact)) for fact in (live, live, waits, later, other, live, visit(1), visit(1))]
    assert told == [True, False, True, False, True, True, True, True]


def test_processes_and_devices_are_told_apart() -> None:
    news, vision = News(), health(1)
    door = msgspec.structs.replace(vision, process="camera:door")
    assert [news.tells(event(vision)), news.tells(event(door))] == [True, True]
    assert news.tells(event(vision, "box-2"))
    assert not news.tells(event(door))


def test_a_device_is_online_once_for_each_connect() -> None:
    news = News()

    def status(state: str, since: str, time: str, reason: str = "") -> bool:
        return news.is_new_status(
            msgspec.convert(
                {
                    "state": state,
                    "site": "plaza",
                    "device": "b",
                    "time": time,
                    "since": since,
                    "reason": reason,
                },
                Status,
            )
        )

    assert status("online", "10:00", "10:00")
    assert not status("online", "10:00", "10:05"), "only refreshed"
    assert status("offline", "", "10:00", "connection lost")
    assert status("online", "10:07", "10:07")
    assert status("online", "10:09", "10:09"), "a connect that no goodbye came before"
