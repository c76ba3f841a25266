"""The vision process over real sockets and a real ring, with a network whose answers are known."""

from __future__ import annotations

import itertools
import random
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.catalogue.judging import process
from engines.inference.detector import Detections, PersonDetector
from runtime import messages
from runtime.clock import HostClock
from runtime.frames.ring.buffer import FrameHeader, FrameRing
from runtime.frames.ring.lending import FrameLender
from runtime.messages import Attach, Detach, Health, Message, PersonsSeen, Stop
from runtime.processes.kinds import kind_of
from runtime.processes.record_sender import RecordSender
from runtime.processes.vision import VisionSpec, main
from runtime.supervisor.children.child import Child, Timeouts
from runtime.supervisor.children.restarts import RestartPolicy, Restarts
from runtime.supervisor.topology import ProcessPlan
from runtime.vision.camera_spec import TrackedCamera
from runtime.vision.track import TrackerSettings
from tests.engines.networks import bright_spot_detector, takes_minutes

WIDTH, HEIGHT = 416, 320
LIMIT_S = 20.0


class FakeShop:
    """The supervisor's, the store's and the cameras' ends of a running vision process."""

    def __init__(
        self,
        weights: Path,
        names: tuple[str, ...],
        analysis_fps: float = 1.0,
        backend: Literal["auto", "onnxruntime"] = "auto",
        **heads: str,
    ) -> None:
        clock = HostClock()
        self.now = clock.now
        self.control, theirs = messages.pair()
        spec = VisionSpec(
            [TrackedCamera(name, analysis_fps) for name in names],
            str(weights),
            backend=backend,
            threads=1,
            heads=heads,
            clock=clock.state,
        )
        self.ended: list[int | str | None] = []
        self.thread = threading.Thread(target=self._run, args=(theirs, spec), daemon=True)
        self.thread.start()
        self.cameras: dict[str, FrameLender] = {}
        self.sequence = 0
        self.store = self.attach_store()

    def _run(self, control: socket.socket, spec: VisionSpec) -> None:
        try:
            main(control, spec)
            self.ended.append(0)
        except SystemExit as end:
            self.ended.append(end.code)

    def attach_store(self) -> socket.socket:
        ours, theirs = messages.pair()
        messages.send(self.control, Attach("records", "store"), (theirs.fileno(),))
        theirs.close()
        self.store = ours
        return ours

    def attach_camera(self, name: str) -> FrameLender:
        ring = FrameRing.create(4, WIDTH, HEIGHT)
        lender = FrameLender(ring)
        ours, theirs = messages.pair()
        messages.send(self.control, Attach("camera", name), (ring.fd, theirs.fileno()))
        theirs.close()
        lender.add_reader("vision", ours)
        self.cameras[name] = lender
        return lender

    def show(self, name: str, left: int, time_s: float, loop: int = 0, lower: bool = False) -> None:
        """Lend one frame with a bright square at `left`, and one below it if wanted; wait for it."""
        lender = self.cameras[name]
        self.sequence += 1
        slot = lender.ledger.take()
        assert slot is not None
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        image[96:160, left : left + 64] = 255
        image[224:288, left : left + 64] = 255 * lower
        header = FrameHeader(self.sequence, time_s, self.now(), WIDTH, HEIGHT, loop=loop)
        lender.ring.write(slot, image, header)
        assert lender.lend(slot, header) == 1
        until(lambda: lender.take_back("vision") == 1)

    def film(self, lender: FrameLender, fps: float, enough: threading.Event) -> None:
        """Bring frames at a steady rate, whether or not they can be lent."""
        begun_s = time.monotonic()
        for sequence in itertools.takewhile(lambda _: not enough.is_set(), itertools.count(1)):
            lender.take_back("vision")
            slot = lender.ledger.take()
            assert slot is not None
            header = FrameHeader(sequence, self.now(), self.now(), WIDTH, HEIGHT)
            lender.ring.write(slot, np.zeros((HEIGHT, WIDTH, 3), np.uint8), header)
            lender.lend(slot, header)
            time.sleep(max(0.0, begun_s + sequence / fps - time.monotonic()))

    def walk(self, name: str, frames: int, start_s: float, loop: int = 0) -> None:
        for index in range(frames):
            self.show(name, 32 + 6 * index, start_s + index / 10, loop)

    def records(self) -> list[PersonsSeen]:
        return [message for message in waiting(self.store) if isinstance(message, PersonsSeen)]

    def health(self, wanted: Callable[[Health], bool]) -> Health:
        deadline_s = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline_s:
            if select.select([self.control], [], [], 0.1)[0]:
                message, _ = messages.receive(self.control)
                if isinstance(message, Health) and wanted(message):
                    return message
        raise AssertionError("no such health")

    def stop(self) -> None:
        if self.thread.is_alive():
            messages.send(self.control, Stop())
            self.thread.join(LIMIT_S)
        assert not self.thread.is_alive()


def until(done: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


def waiting(sock: socket.socket) -> list[Message]:
    found: list[Message] = []
    while select.select([sock], [], [], 0.05)[0]:
        try:
            found.append(messages.receive(sock)[0])
        except messages.PeerGone:
            break
    return found


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = bright_spot_detector(tmp_path_factory.mktemp("networks") / "spots.onnx")
    path.with_suffix(".yaml").write_text("decoder: ltrb\nscore: 0.8")
    return path


@pytest.fixture
def shop(weights: Path) -> Iterator[FakeShop]:
    made = FakeShop(weights, ("door", "till"))
    yield made
    made.stop()


def test_a_walker_becomes_one_person_with_one_id(shop: FakeShop) -> None:
    shop.attach_camera("door")
    shop.walk("door", 20, 100.0)
    records = shop.records()
    assert {record.camera for record in records} == {"door"}
    assert len({record.sequence for record in records}) == 20
    assert len({person.track for record in records for person in record.persons}) == 1
    last = records[-1].persons[0]
    assert last.box[0] + last.box[2] / 2 == pytest.approx(32 + 6 * 19 + 32, abs=40)
    assert last.floor_xy_m is None, "a camera without a floor places nobody"


def test_cameras_are_told_apart_and_health_counts_them(shop: FakeShop) -> None:
    shop.attach_camera("door")
    shop.attach_camera("till")
    for index in range(10):
        shop.show("door", 32 + 6 * index, 100 + index / 10)
        shop.show("till", 200 - 6 * index, 100 + index / 10)
    # On a busy machine the first second may end between the two cameras' frames.
    health = shop.health(
        lambda health: all(health.values.get(f"{name}_fps", 0) > 0 for name in ("door", "till"))
    )
    assert health.process == "vision"
    assert health.state == "live"
    assert {record.camera for record in shop.records()} == {"door", "till"}


def test_a_camera_that_dies_ends_its_people_and_may_come_back(shop: FakeShop) -> None:
    shop.attach_camera("door")
    shop.walk("door", 10, 100.0)
    (first,) = {person.track for record in shop.records() for person in record.persons}
    shop.cameras["door"].close()
    messages.send(shop.control, Detach("camera", "door"))
    until(lambda: any(first in record.ended for record in shop.records()))
    shop.attach_camera("door")
    shop.walk("door", 10, 110.0)
    (second,) = {person.track for record in shop.records() for person in record.persons}
    assert second != first


def test_a_box_that_cannot_keep_up_says_so_in_its_health_and_once_in_its_log(
    weights: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten frames a second come, one takes 0.35 s; the second camera, an entrance, brings none."""
    monkeypatch.setattr("runtime.vision.overload.WINDOW_S", 3.0)
    look = PersonDetector.detect_batch

    def slowly(detector: PersonDetector, pictures: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        time.sleep(0.35 * len(pictures))
        return look(detector, pictures)

    monkeypatch.setattr(PersonDetector, "detect_batch", slowly)
    shop = FakeShop(weights, ("hall", "door"), analysis_fps=10.0)
    shop.attach_camera("door")
    enough = threading.Event()
    feed = threading.Thread(target=shop.film, args=(shop.attach_camera("hall"), 10.0, enough))
    feed.start()
    try:
        health = shop.health(lambda health: "this box manages" in health.detail)
    finally:
        enough.set()
        feed.join()
    shop.stop()
    told = re.search(r"manages (\S+) of (\S+) frames a second at 'hall': lower analysis_fps", health.detail)
    assert told is not None and "door" not in health.detail
    managed, offered = float(told[1]), float(told[2])
    assert 0.2 <= managed <= 3 and managed + 1 <= offered <= 10, health.detail
    assert health.values["hall_allowed_fps"] > 0.0
    assert health.values["door_allowed_fps"] == 0.0, "a camera that brings nothing keeps no share"
    assert sum("this box manages" in record.message for record in caplog.records) == 1


def test_people_beyond_what_a_tracker_follows_are_counted_in_health(
    shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "runtime.vision.camera_tracker.TrackerSettings", lambda: TrackerSettings(max_tracks=1)
    )
    shop.attach_camera("door")
    for index in range(10):
        shop.show("door", 32 + 6 * index, 100.0 + index / 10, lower=True)
    health = shop.health(lambda health: any("people beyond" in reason for reason in health.drops))
    assert sum(count for reason, count in health.drops.items() if "people beyond" in reason) >= 1


def test_a_looped_file_starts_over_with_new_people(shop: FakeShop) -> None:
    shop.attach_camera("door")
    shop.walk("door", 10, 100.0)
    shop.walk("door", 10, 101.0, loop=1)
    records = shop.records()
    tracks = sorted({person.track for record in records for person in record.persons})
    assert len(tracks) == 2
    assert [each for record in records for each in record.ended] == tracks[:1]


def test_records_wait_for_a_store_that_is_being_restarted(shop: FakeShop) -> None:
    shop.attach_camera("door")
    shop.show("door", 32, 100.0)
    assert len(shop.records()) == 1
    shop.store.close()
    shop.walk("door", 5, 100.1)
    shop.attach_store()
    assert len({record.sequence for record in shop.records()}) == 5


def test_without_cameras_it_waits_and_says_so(shop: FakeShop) -> None:
    assert shop.health(lambda health: health.state == "waiting").detail == "no camera yet"


def test_stop_ends_it_with_success_and_eof_of_the_supervisor_ends_it_too(weights: Path) -> None:
    told = FakeShop(weights, ("door",))
    told.stop()
    assert told.ended == [0]
    orphan = FakeShop(weights, ("door",))
    orphan.control.close()
    orphan.thread.join(LIMIT_S)
    assert orphan.ended == [0]


def test_an_engine_that_cannot_be_opened_is_said_in_health_before_the_end(tmp_path: Path) -> None:
    shop = FakeShop(tmp_path / "none.onnx", ("door",))
    health = shop.health(lambda health: health.state == "no engine")
    assert health.detail == f"{tmp_path / 'none.onnx'}: no such file"
    shop.thread.join(LIMIT_S)
    assert shop.ended == [1]


def test_a_file_that_is_judged_at_the_start_is_told_of_and_the_process_is_not_thought_to_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_s, limit_s = process.TOLD_EVERY_S, process.LIMIT_S
    monkeypatch.setattr(process, "TOLD_EVERY_S", 0.1)
    monkeypatch.setattr(process, "LIMIT_S", 3.0)
    path = takes_minutes(tmp_path / "mine.onnx")
    shop = FakeShop(path, ("door",), backend="onnxruntime")
    said: list[Health] = []
    last = shop.health(lambda health: said.append(health) or health.state == "no engine")  # type: ignore[func-returns-value]
    assert last.detail == (f"{path}: was not judged within 3 s: too slow for this machine, or it never ends")
    words = [health for health in said if "judging" in health.detail]
    assert len(words) >= 3
    expected = rf"judging {path}: trying on a picture whether and how .*; \d+ s, of 300 s at most"
    assert all(re.fullmatch(expected, health.detail) for health in words)
    assert {health.state for health in words} == {"starting"}, "not there yet, and not absent"

    plan = ProcessPlan(kind_of("vision"), "vision", None)
    child = Child(plan, Restarts(RestartPolicy(), random.Random(1)), ticket=1)
    for word in range(int(limit_s / every_s)):
        child.last_message_s, child.health = word * every_s, words[-1]
        assert child.check((word + 1) * every_s, Timeouts()) == ""
    assert child.check(child.last_message_s + limit_s, Timeouts()) == "not a word for 90 s"


def test_a_peer_that_takes_nothing_costs_the_oldest_records_only() -> None:
    sender = RecordSender(max_waiting=3)
    for sequence in range(5):
        sender.put(PersonsSeen("door", sequence, 0.0, ()))
    ours, theirs = messages.pair()
    sender.attach(theirs)
    sender.flush()
    assert [message.sequence for message in waiting(ours) if isinstance(message, PersonsSeen)] == [2, 3, 4]
    assert sender.dropped == 2
