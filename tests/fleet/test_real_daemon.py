"""What a running box tells on its own, through a real broker and the consumer, to the warehouse."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from broker.mosquitto import LocalBroker
from fleet.embedded.feeding import feed_store
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import EventStore
from fleet.serve.asking import Asked, ask
from tagsight.errors import TagsightError
from testing.rig import Cloud, Plaza, until

pytestmark = pytest.mark.slow
WITHIN_S = 120.0


def with_a_fitting_room(store: dict[str, Any]) -> None:
    """The rail of jackets stands in one: its tags are tried on."""
    (jackets,) = (one for one in store["fixtures"] if one["name"] == "jackets")
    jackets["kind"] = "fitting_room"


def test_setup_open_try_ons_and_occupancy_come_from_a_running_box(tmp_path: Path) -> None:
    try:
        broker = LocalBroker()
        plaza = Plaza(tmp_path / "box", broker.port, cameras=1, change=with_a_fitting_room)
    except TagsightError as error:
        pytest.skip(str(error))
    with broker, plaza, Cloud(tmp_path / "events.db", broker.port) as cloud:
        assert plaza.start(), plaza.said()
        store, warehouse = EventStore(tmp_path / "events.db"), Warehouse(tmp_path / "w.db")

        def answered(question: str) -> list[dict[str, Any]]:
            feed_store(warehouse, store)
            return ask(warehouse.db, question, Asked(minutes=0.01, now_s=time.time()))

        assert until(lambda: answered("rooms"), WITHIN_S), plaza.said()
        rooms = answered("rooms")
        assert {row["room"] for row in rooms} == {"jackets"}
        # An open rail is no cabin: its antenna may be the loudest for a neighbour's tag for a while.
        assert "jacket-denim" in {row["sku"] for row in rooms}
        (site,) = answered("sites")
        assert (site["site"], site["timezone"]) == ("plaza", "Europe/London")
        (told,) = answered("layout")
        layout = json.loads(told["layout"])
        assert [one["name"] for one in layout["entrances"]] == ["road gate", "east gate", "north gate"]
        assert plaza.stop() == 0
        assert until(lambda: cloud.has(plaza.seq()), 30.0)
        assert answered("rooms") == [], "the box closed them when it stopped"
        assert len(answered("ads_tryon_end")) >= len(rooms)
        assert {row["zone_name"] for row in answered("occupancy")} >= {"", "crossing", "promenade"}
        store.close()
        warehouse.close()
