"""The store process on real sockets with a real outbox."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from contract.envelope import open_event
from contract.facts import Dwell, Fact, Flip, Footfall, Interaction, ProcessHealth, Visit
from contract.facts import Inventory as StockFact
from rfid_reader.inventory.state import STOCK_STATE, load_stock
from runtime import messages
from runtime.clock import HostClock
from runtime.config import (
    Antenna,
    Camera,
    Entrance,
    Fixture,
    Floor,
    Reader,
    Site,
    Sku,
    StockEvents,
    StoreConfig,
    Zone,
)
from runtime.flip_days_file import FLIP_DAYS
from runtime.messages import (
    Attach,
    Committed,
    Detach,
    FrameDone,
    Health,
    Message,
    Person,
    PersonsSeen,
    Stop,
    TagFlip,
    TagsRead,
)
from runtime.processes import store
from runtime.processes.stock_keeper import StockKeeper
from runtime.store.garments.flip_days import FlipDay
from runtime.uplink.outbox.reader import OutboxReader

EPC = "E28011600000000000000001"


def config_of(folder: Path) -> StoreConfig:
    return StoreConfig(
        site=Site(name="shop", device="box"),
        floor=Floor(extent_m=(-5.0, -5.0, 10.0, 10.0)),
        cameras=[Camera(name="cam", uri="clip.mp4", homography=((1, 0, 0), (0, 1, 0), (0, 0, 1)))],
        entrances=[Entrance(name="door", line=((-1.5, 0.0), (1.5, 0.0)), inside=(0.0, 3.0))],
        zones=[Zone(name="front", polygon=[(-3.0, 0.5), (3.0, 0.5), (3.0, 8.0), (-3.0, 8.0)])],
        fixtures=[Fixture(name="rack", at=(0.5, 4.0), skus=[Sku(sku="shirt", epcs=["E2801160*"])])],
        readers=[Reader(name="r", host="h", antennas=[Antenna(port=1, name="a", fixture="rack")])],
        state_dir=folder,
    )


class Shop:
    """A running store process, seen from the supervisor and its peers."""

    def __init__(self, folder: Path, config: StoreConfig | None = None) -> None:
        self.config = config or config_of(folder)
        self.clock = HostClock()
        self.control, theirs = messages.pair()
        spec = store.spec_of(self.config, "store", self.clock.state)
        self.thread = threading.Thread(target=store.main, args=(theirs, spec))
        self.thread.start()
        self.uplink = self.attach("uplink")
        self.uplink.settimeout(5.0)

    def attach(self, name: str) -> socket.socket:
        ours, theirs = messages.pair()
        messages.send(self.control, Attach("records", name), (theirs.fileno(),))
        theirs.close()
        return ours

    def stop(self) -> float:
        """Ask it to stop; how long that took."""
        began_s = time.monotonic()
        messages.send(self.control, Stop())
        self.thread.join(10.0)
        assert not self.thread.is_alive()
        return time.monotonic() - began_s

    def facts(self) -> list[Fact]:
        reader = OutboxReader(self.config.outbox_path())
        rows = reader.rows(1, limit=10_000)
        reader.close()
        return [open_event(row.body).fact for row in rows]

    def health(self) -> Health:
        """The next word of health."""
        self.control.settimeout(5.0)
        while True:
            message, _ = messages.receive(self.control)
            if isinstance(message, Health):
                return message


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    running = Shop(tmp_path)
    yield running
    running.control.close()
    running.uplink.close()
    running.thread.join(10.0)
    assert not running.thread.is_alive()


def walk_in(begin_s: float) -> list[Message]:
    """Through the door and to the rack, 10 frames a second, all of it in the past."""
    records: list[Message] = []
    for number in range(80):
        y_m = min(-3.0 + 0.14 * number, 4.3)
        person = Person(1, (0.0, 0.0, 1.0, 2.0), 0.9, (0.0, y_m))
        records.append(PersonsSeen("cam", number, begin_s + number / 10, (person,)))
    return records


def send_all(sock: socket.socket, records: list[Message]) -> None:
    for record in records:
        messages.send(sock, record)


def test_what_is_seen_is_on_disk_before_the_uplink_hears_of_it(shop: Shop) -> None:
    vision = shop.attach("vision")
    send_all(vision, walk_in(shop.clock.now() - 8.5))
    told, _ = messages.receive(shop.uplink)
    assert isinstance(told, Committed)
    assert OutboxReader(shop.config.outbox_path()).last_seq() >= told.seq > 0


def test_stop_takes_in_what_the_sockets_still_hold_and_tells_what_is_open(shop: Shop) -> None:
    begin_s = shop.clock.now() - 8.5
    vision, reader = shop.attach("vision"), shop.attach("reader:r")
    send_all(vision, walk_in(begin_s))
    messages.send(reader, TagFlip("r", 1, EPC, begin_s + 6.5, begin_s + 7.5, 0.9))
    assert shop.stop() < 2.0
    facts = shop.facts()
    (visit,) = [fact for fact in facts if isinstance(fact, Visit)]
    (dwell,) = [fact for fact in facts if isinstance(fact, Dwell)]
    (flip,) = [fact for fact in facts if isinstance(fact, Flip)]
    (found,) = [fact for fact in facts if isinstance(fact, Interaction)]
    assert (visit.direction, visit.entrance) == ("in", "door")
    assert (dwell.zone, dwell.partial, dwell.visitor) == ("front", True, visit.visitor)
    assert (flip.sku, found.visitor) == ("shirt", visit.visitor)
    assert all(fact.partial for fact in facts if isinstance(fact, Footfall))


def test_a_crossing_before_the_start_is_not_counted_into_the_first_interval(shop: Shop) -> None:
    vision = shop.attach("vision")
    send_all(vision, walk_in(shop.clock.now() - 60.0))
    shop.stop()
    assert sum(fact.entered for fact in shop.facts() if isinstance(fact, Footfall)) == 0


def test_a_peer_that_restarts_is_heard_again_and_its_last_words_count(shop: Shop) -> None:
    reader = shop.attach("reader:r")
    now_s = shop.clock.now()
    messages.send(reader, TagFlip("r", 1, EPC, now_s - 2.0, now_s - 1.0, 0.9))
    reader.close()
    messages.send(shop.control, Detach("records", "reader:r"))
    again = shop.attach("reader:r")
    messages.send(again, TagFlip("r", 1, EPC, now_s - 0.5, now_s, 0.9))
    shop.stop()
    assert len([fact for fact in shop.facts() if isinstance(fact, Flip)]) == 2


def test_health_of_the_processes_becomes_events(shop: Shop) -> None:
    now_s = shop.clock.now()
    health = Health("camera:cam", "live", now_s, now_s, "", {"fps": 9.9}, {"reader busy": 2})
    messages.send(shop.control, health)
    shop.health()
    shop.stop()
    told = [fact for fact in shop.facts() if isinstance(fact, ProcessHealth)]
    assert [(fact.process, fact.values["fps"], fact.drops["reader busy"]) for fact in told] == [
        ("camera:cam", 9.9, 2)
    ]


def test_a_day_unlike_the_one_before_is_said_in_health_also_after_a_restart(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    days = [
        FlipDay((today - timedelta(days=ago)).isoformat(), 100, flips) for ago, flips in ((2, 90), (1, 12))
    ]
    (tmp_path / FLIP_DAYS).write_bytes(msgspec.json.encode(days))
    shop = Shop(tmp_path)
    assert shop.health().detail.startswith("fewer flips: 0.12 a visitor")
    send_all(shop.attach("vision"), walk_in(shop.clock.now() - 8.5))
    messages.send(shop.attach("reader:r"), TagFlip("r", 1, EPC, shop.clock.now() - 2, shop.clock.now(), 0.9))
    shop.stop()
    found = msgspec.json.decode((tmp_path / FLIP_DAYS).read_bytes(), type=list[FlipDay])
    assert found[:2] == days
    assert sum(one.flips for one in found[2:]) == sum(one.visitors for one in found[2:]) == 1
    shop.control.close()
    shop.uplink.close()


def hung(epc: str, begin_s: float, slots: int, level_dbm: float = -50.0) -> list[Message]:
    return [TagsRead("r", begin_s + 5.0 * slot, ((epc, ((1, 9, level_dbm),)),)) for slot in range(slots)]


def test_stock_events_are_told_where_wanted_and_not_again_after_a_restart(tmp_path: Path) -> None:
    config = replace(config_of(tmp_path), inventory=StockEvents(events=True))
    facts: list[StockFact] = []
    for _ in range(2):
        shop = Shop(tmp_path, config)
        send_all(shop.attach("reader:r"), hung(EPC.lower(), shop.clock.now() - 200.0, 40))
        shop.stop()
        facts = [fact for fact in shop.facts() if isinstance(fact, StockFact)]
        shop.control.close()
        shop.uplink.close()
    assert [(fact.change, fact.epc, fact.sku, fact.fixture) for fact in facts] == [
        ("arrived", EPC.lower(), "shirt", "rack")
    ]
    assert [tag.place for tag in load_stock(tmp_path / STOCK_STATE).tags] == ["rack"]


def test_where_tags_are_is_on_disk_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "STOCK_EVERY_S", 0.1)
    shop = Shop(tmp_path, replace(config_of(tmp_path), inventory=StockEvents(events=True)))
    blocked = (tmp_path / STOCK_STATE).with_suffix(".new")
    blocked.mkdir()
    send_all(shop.attach("reader:r"), hung(EPC.lower(), shop.clock.now() - 200.0, 40))
    assert any("where garments are is not remembered" in shop.health().detail for _ in range(10))
    blocked.rmdir()
    end_s = time.monotonic() + 10.0
    while not (tmp_path / STOCK_STATE).exists() or not load_stock(tmp_path / STOCK_STATE).tags:
        assert time.monotonic() < end_s, "nothing is written before it stops"
        time.sleep(0.02)
    shop.stop()
    shop.control.close()
    shop.uplink.close()


def test_stock_events_are_off_by_default(shop: Shop, tmp_path: Path) -> None:
    send_all(shop.attach("reader:r"), hung(EPC, shop.clock.now() - 200.0, 40))
    shop.stop()
    assert not [fact for fact in shop.facts() if isinstance(fact, StockFact)]
    assert not (tmp_path / STOCK_STATE).exists()


TOO_DEEP = '{"x":' + "[" * 100_000


@pytest.mark.parametrize("content", ["{", TOO_DEEP], ids=["torn", "too deep"])
def test_a_stock_file_that_cannot_be_read_is_said_and_the_shop_goes_on(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / STOCK_STATE).write_text(content)
    shop = Shop(tmp_path, replace(config_of(tmp_path), inventory=StockEvents(events=True)))
    assert "tags_in_stock" in shop.health().values
    shop.stop()
    assert "not a box's stock.json" in caplog.text and "every tag that is read arrives anew" in caplog.text
    shop.control.close()
    shop.uplink.close()


def test_a_stock_file_that_cannot_be_written_is_said_once_and_nothing_is_told_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(config_of(tmp_path), inventory=StockEvents(events=True))
    blocked = (tmp_path / STOCK_STATE).with_suffix(".new")
    blocked.mkdir()
    clock = HostClock()
    spec = store.spec_of(config, "store", clock.state)
    plan = spec.floor_plan()
    keeper = StockKeeper(spec, plan, clock.now)

    def hang() -> list[StockFact]:
        told = hung(EPC.lower(), clock.now(), 40)
        return [fact for record in told if isinstance(record, TagsRead) for fact in keeper.take(record)]

    assert len(hang()) == 1
    for _ in range(3):
        keeper.remember()
    assert "where garments are is not remembered" in keeper.remark()
    assert len(caplog.records) == 1
    keeper.apply(replace(spec, inventory=StockEvents(events=True, margin_db=4.0)), plan)
    assert hang() == [] and keeper.values() == {"tags_in_stock": 1.0}
    blocked.rmdir()
    keeper.remember()
    assert keeper.remark() == "" and len(load_stock(tmp_path / STOCK_STATE).tags) == 1


def test_days_that_cannot_be_read_are_said_and_the_shop_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FLIP_DAYS).write_text('[{"day": 3}]')
    shop = Shop(tmp_path)
    assert shop.health().detail == ""
    shop.stop()
    assert "not read, flips per visitor are compared from today on" in caplog.text
    shop.control.close()
    shop.uplink.close()


def test_records_that_cannot_be_are_dropped_and_counted(shop: Shop) -> None:
    vision = shop.attach("vision")
    messages.send(vision, PersonsSeen("cam", 1, shop.clock.now() + 3600.0, ()))
    messages.send(vision, FrameDone(0, 0))
    vision.send(b"\xc1 rubbish")
    shop.health()
    drops = shop.health().drops
    assert (drops["from the future"], drops["not understood"]) == (1, 2)
    assert shop.thread.is_alive()


def test_when_the_supervisor_is_gone_it_tells_what_is_open_and_ends(shop: Shop) -> None:
    vision = shop.attach("vision")
    send_all(vision, walk_in(shop.clock.now() - 8.5))
    while shop.health().values["peers"] == 0:
        continue
    shop.control.close()
    shop.thread.join(10.0)
    assert not shop.thread.is_alive()
    assert any(isinstance(fact, Dwell) for fact in shop.facts())


def test_a_change_of_a_cameras_address_leaves_the_store_as_it_is(tmp_path: Path) -> None:
    one, other = config_of(tmp_path), config_of(tmp_path)
    other.cameras[0] = Camera(name="cam", uri="other.mp4", homography=one.cameras[0].homography)
    assert store.spec_of(one, "store", (0.0, 0.0)) == store.spec_of(other, "store", (0.0, 0.0))


def test_what_a_power_cut_may_cost_is_configured_down_to_one_event(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert (config.uplink.group_events, config.uplink.group_ms) == (256, 20.0)
    uplink = msgspec.structs.replace(config.uplink, group_events=1, group_ms=0.0, max_mb=3)
    spec = store.spec_of(msgspec.structs.replace(config, uplink=uplink), "store", HostClock().state)
    ours, theirs = messages.pair()
    process = store.StoreProcess(theirs, spec)
    assert process._outbox._outbox is not None
    limits = process._outbox._outbox._limits
    assert (limits.group_events, limits.group_delay_s, limits.max_bytes) == (1, 0.0, 3 * 1024 * 1024)
    process._outbox.close()
    ours.close()


def test_counts_say_in_their_events_whether_they_can_be_relied_on(tmp_path: Path) -> None:
    """Three doors, each with its own camera: one sees, one is looked at too seldom, one is black."""
    flat = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    names = ("sees", "starved", "black")
    config = replace(
        config_of(tmp_path),
        cameras=[Camera(name=name, uri="clip.mp4", homography=flat) for name in names],
        entrances=[
            Entrance(name=f"by {name}", line=((-1.5, 0.0), (1.5, 0.0)), inside=(0.0, 3.0), cameras=[name])
            for name in names
        ],
    )
    shop = Shop(tmp_path, config)
    vision = shop.attach("vision")
    for tick in range(25):
        now_s = shop.clock.now()
        messages.send(vision, PersonsSeen("sees", tick, now_s, ()))
        messages.send(vision, PersonsSeen("black", tick, now_s, ()))
        if tick % 5 == 0:
            messages.send(vision, PersonsSeen("starved", tick, now_s, ()))
            messages.send(shop.control, Health("camera:black", "black", now_s, now_s))
        time.sleep(0.1)
    shop.stop()
    told = {fact.entrance: fact for fact in shop.facts() if isinstance(fact, Footfall)}
    assert {name: fact.quality for name, fact in told.items()} == {
        "by sees": "good",
        "by starved": "degraded",
        "by black": "blind",
    }
    assert [each.wanted_fps for each in told["by starved"].coverage] == [10.0]
    shop.control.close()
    shop.uplink.close()
