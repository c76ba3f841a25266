"""From a box's outbox over a real broker and the consumer's store to an answer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from broker.errors import BrokerError
from broker.mosquitto import LocalBroker, find_mosquitto
from fleet.embedded.feeding import feed_store
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import EventStore
from fleet.serve.asking import Asked, ask
from tests.uplink.ends import cloud_of, device_of

from .lines import NOON_S, footfall, setup, tryon


def test_a_count_and_its_correction_reach_the_answer_within_seconds(tmp_path: Path) -> None:
    try:
        find_mosquitto()
    except BrokerError as error:
        pytest.skip(str(error))
    with (
        LocalBroker() as broker,
        cloud_of(tmp_path / "events.db", broker.port),
        device_of(tmp_path, broker.port) as device,
    ):
        store, warehouse = EventStore(tmp_path / "events.db"), Warehouse(tmp_path / "w.db")
        device.outbox.append([setup("Asia/Kolkata"), footfall(3), tryon(open=True)])
        assert _until(store, warehouse, [("2026-10-25", 17, 3)])
        (room,) = ask(warehouse.db, "rooms", Asked(minutes=1, now_s=NOON_S))
        assert room["room"] == "room 1"
        device.outbox.append([replace(footfall(5), rev=1), replace(tryon(), rev=1)])
        assert _until(store, warehouse, [("2026-10-25", 17, 5)])
        assert ask(warehouse.db, "rooms", Asked(minutes=1, now_s=NOON_S)) == []
        (quality,) = ask(warehouse.db, "quality", Asked())
        assert (quality["facts"], quality["missing_events"]) == (2, 0)
        store.close()
        warehouse.close()


def _until(store: EventStore, warehouse: Warehouse, wanted: list[tuple[str, int, int]]) -> bool:
    """Fed again and again, as the service does, until the answer is that."""
    deadline_s = time.monotonic() + 30.0
    while time.monotonic() < deadline_s:
        feed_store(warehouse, store)
        rows = ask(warehouse.db, "footfall", Asked())
        if [(row["local_day"], row["local_hour"], row["entered"]) for row in rows] == wanted:
            return True
        time.sleep(0.05)
    return False
