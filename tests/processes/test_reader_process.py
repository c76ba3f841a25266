"""The reader process against the simulated reader, over real TCP, as a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from rfid_reader.flips import tag_rows, ticks
from rfid_reader.presence import FittingRooms
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.llrp import client
from rfid_reader.simulator.llrp.parameters import tlv, tv, u16
from rfid_reader.simulator.llrp.server import SimulatedReader
from runtime import messages
from runtime.clock import HostClock
from runtime.config import Antenna, Fixture, Floor, Reader, Site, Sku, StockEvents, StoreConfig, Zone
from runtime.messages import Attach, Detach, Health, Message, PeerGone, Stop, TagPresence, TagsRead
from runtime.processes import reader

SCENARIO = """
name: fitting room
seed: 3
reader: {antennas: 1, mode: 0}
antennas: [{port: 1, at: [1.0, 1.0]}]
racks: [{name: hook, at: [1.0, 1.0], tags: {count: 3, prefix: e2806894}}]
"""
PATIENCE_S = 40.0


def config_for(port: int) -> StoreConfig:
    room = Zone(name="cabin", polygon=[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0)], kind="fitting_room")
    antenna = Antenna(port=1, name="above", zone="cabin")
    one = Reader(name="r", host="127.0.0.1", port=port, antennas=[antenna], mode=0, detector="raw")
    return StoreConfig(site=Site(name="s", device="d"), floor=Floor(), zones=[room], readers=[one])


class Bench:
    """The reader process in a thread, and both its sockets' other ends."""

    def __init__(self, port: int, inventory: StockEvents | None = None) -> None:
        clock = HostClock().state
        self.control, theirs = messages.pair()
        self.control.setblocking(False)
        self.health: list[Health] = []
        config = msgspec.structs.replace(config_for(port), inventory=inventory or StockEvents())
        spec = reader.spec_of(config, "r", clock)
        self.rooms = spec.rooms
        self.thread = threading.Thread(target=reader.main, args=(theirs, spec), daemon=True)
        self.thread.start()

    def attach_store(self) -> socket.socket:
        ours, theirs = messages.pair()
        ours.setblocking(False)
        messages.send(self.control, Attach("records", "store"), (theirs.fileno(),))
        theirs.close()
        return ours

    def hear(self) -> None:
        for message in drain(self.control):
            if isinstance(message, Health):
                self.health.append(message)

    def wait_for(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not done():
            self.hear()
            assert time.monotonic() < deadline_s, self.health[-3:]
            time.sleep(0.05)


def drain(sock: socket.socket) -> list[Message]:
    found: list[Message] = []
    while True:
        try:
            found.append(messages.receive(sock)[0])
        except (BlockingIOError, PeerGone):
            return found


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedReader]:
    (tmp_path / "room.yaml").write_text(SCENARIO)
    with SimulatedReader(tmp_path / "room.yaml") as one:
        yield one


def test_presence_in_a_fitting_room_waits_for_a_store_that_is_away(
    simulated: SimulatedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "FittingRooms", partial(FittingRooms, least_s=2.0))
    bench = Bench(simulated.port)
    assert bench.rooms == (1,)
    first = bench.attach_store()
    messages.send(bench.control, Detach("records", "store"))
    first.close()
    bench.wait_for(lambda: any(health.values.get("reads_per_s", 0) > 0 for health in bench.health))
    time.sleep(3.0)
    store = bench.attach_store()
    received: list[Message] = []

    def all_three() -> bool:
        received.extend(drain(store))
        return {one.epc for one in received if isinstance(one, TagPresence)} == {
            f"e280689400000000000000{number:02x}" for number in (1, 2, 3)
        }

    bench.wait_for(all_three)
    messages.send(bench.control, Stop())
    bench.thread.join(5.0)
    assert not bench.thread.is_alive()
    left = [one for one in drain(store) if isinstance(one, TagPresence)]
    assert all(one.gone for one in left) and len(left) == 3, "an open stay is closed when the process stops"


def test_what_was_read_before_the_stop_is_judged_and_health_says_how_it_was_read(
    simulated: SimulatedReader,
) -> None:
    bench = Bench(simulated.port)
    bench.wait_for(lambda: any(health.values.get("reads_judged", 0) > 50 for health in bench.health))
    simulated.fault("antenna", -1.0, 1)
    simulated.fault("overflow")
    bench.wait_for(lambda: bench.health[-1].values["overflows"] == 1)
    messages.send(bench.control, Stop())
    bench.thread.join(5.0)
    bench.hear()
    last = bench.health[-1].values
    assert last["reads_judged"] == simulated.reports_sent > 50
    assert last["antenna_1_lost"] == 1
    assert last["antenna_1_reads_per_s"] == pytest.approx(last["reads_per_s"])
    assert 0 < last["tag_reads_per_s_p10"] <= last["tag_reads_per_s_p50"] <= last["tag_reads_per_s_p90"]
    assert abs(last["clock_offset_s"]) < 1.0


def test_a_reader_that_is_not_there_is_said_and_stop_still_works() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bench = Bench(port)
    bench.wait_for(lambda: any(health.state == "waiting" and health.detail for health in bench.health))
    assert str(port) in bench.health[-1].detail
    messages.send(bench.control, Stop())
    bench.thread.join(5.0)
    assert not bench.thread.is_alive()


def test_the_log_says_when_it_reads_and_when_it_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "runtime.processes.reader")

    def logged() -> list[str]:
        return [record.getMessage() for record in caplog.records]

    (tmp_path / "room.yaml").write_text(SCENARIO)
    with SimulatedReader(tmp_path / "room.yaml") as simulated:
        bench = Bench(simulated.port)
        bench.wait_for(lambda: "r: reading" in logged())
        bench.wait_for(lambda: len(bench.health) > 5)
    bench.wait_for(lambda: any(line.startswith("r: waiting reader r: ") for line in logged()))
    bench.wait_for(lambda: bench.health[-1].values["connects"] >= 3)
    messages.send(bench.control, Stop())
    bench.thread.join(5.0)
    assert logged().count("r: reading") == 1
    assert len(set(logged())) == len(logged()) <= 4, "each reason once, not each attempt"


def test_levels_of_tags_are_told_where_stock_events_are_wanted_and_while_the_reader_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "PERIOD_S", 0.5)
    (tmp_path / "room.yaml").write_text(SCENARIO)
    with SimulatedReader(tmp_path / "room.yaml") as simulated:
        bench = Bench(simulated.port, StockEvents(events=True))
        store = bench.attach_store()
        told: list[TagsRead] = []

        def read(wanted: int) -> bool:
            told.extend(one for one in drain(store) if isinstance(one, TagsRead))
            return len([one for one in told if len(one.tags) == 3]) >= wanted

        bench.wait_for(lambda: read(3))
    epc, levels = told[-1].tags[0]
    assert (told[-1].reader, epc[:8], levels[0][0]) == ("r", "e2806894", 1) and levels[0][2] < -20
    bench.wait_for(lambda: bench.health[-1].state != "reading")
    time.sleep(1.0)
    drain(store)
    time.sleep(1.5)
    assert not [one for one in drain(store) if isinstance(one, TagsRead)], "it is away, not empty"
    messages.send(bench.control, Stop())
    bench.thread.join(5.0)


def test_the_process_ends_with_its_supervisor(simulated: SimulatedReader) -> None:
    bench = Bench(simulated.port)
    bench.wait_for(lambda: bool(bench.health))
    bench.control.close()
    bench.thread.join(5.0)
    assert not bench.thread.is_alive()


def test_invented_epcs_take_no_places_and_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_rows, "FREE_ROWS", 2)
    ours, theirs = messages.pair()
    config = config_for(5084)
    rack = Fixture(name="rack", at=(1.0, 1.0), skus=[Sku(sku="coat", epcs=["E2-80-AA00", "e280bb*"])])
    process = reader.ReaderProcess(
        theirs, reader.spec_of(msgspec.structs.replace(config, fixtures=[rack]), "r", HostClock().state)
    )
    first, now_s = process._detector, time.time() - 20.0
    invented = [f"ffff{number:04x}" for number in range(40)]
    for step, epcs in enumerate([["aa11", "aa22"] * 3, invented, ["e280aa00", "e280bb77", "aa11"]]):
        times = np.linspace(now_s + step, now_s + step + 0.9, len(epcs))
        columns = [np.full(len(epcs), value) for value in (1, 1, -60.0, 1.0)]
        process._take(ReadTable.from_columns(times, epcs, *columns))
        process.turn()
    process._advance()
    assert process._detector is first and isinstance(first, ticks.TickingDetector)
    assert {"e280aa00", "e280bb77", "aa11", "aa22"} <= set(first.tag_rows.epcs)
    assert not set(invented) & set(first.tag_rows.epcs)
    process.report()
    health, _ = messages.receive(ours)
    assert isinstance(health, Health)
    assert health.drops["reads of tags read only once, of too many"] == 40
    assert health.drops["reads of more tags than can be kept"] == 0
    assert "invented EPCs" in health.detail
    ours.close()


def test_what_reports_lack_is_told_in_health_and_logged_once(
    simulated: SimulatedReader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usual = client.tag_reports

    def without_epc(*arguments: Any) -> Iterator[bytes]:
        for _ in usual(*arguments):
            yield tlv(240, tlv(241, u16(0)), tv(1, u16(1)))

    monkeypatch.setattr(client, "tag_reports", without_epc)
    bench, reason = Bench(simulated.port), "reports without an EPC"
    bench.wait_for(lambda: len([one for one in bench.health if one.drops.get(reason, 0) > 10]) > 2)
    messages.send(bench.control, Stop())
    bench.thread.join(5.0)
    told = bench.health[-1]
    assert told.values["reports_ignored"] == told.drops[reason]
    assert "carry no EPC and are not counted" in told.detail
    assert len([record for record in caplog.records if "carry no EPC" in record.getMessage()]) == 1


def test_a_box_too_slow_for_its_reader_still_says_how_it_is(
    simulated: SimulatedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = FittingRooms.feed

    def slow(rooms: FittingRooms, reads: ReadTable) -> list[Any]:
        time.sleep(1.0)
        return usual(rooms, reads)

    monkeypatch.setattr(FittingRooms, "feed", slow)
    bench = Bench(simulated.port)
    bench.wait_for(lambda: any(health.values.get("reads_judged", 0) > 0 for health in bench.health))
    judged, received = bench.health[-1].values["reads_judged"], len(bench.health)
    began_s = time.monotonic()
    bench.wait_for(lambda: len(bench.health) >= received + 3)
    assert time.monotonic() - began_s < 10.0, "more is read than can be judged, and it speaks all the same"
    bench.wait_for(lambda: bench.health[-1].values["reads_judged"] > judged)
    monkeypatch.setattr(FittingRooms, "feed", usual)
    messages.send(bench.control, Stop())
    bench.thread.join(30.0)
    assert not bench.thread.is_alive()
