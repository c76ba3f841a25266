from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from runtime import messages
from runtime.config import Camera
from runtime.messages import Attach, Detach
from tests.frames.cameras import CameraUnderTest, collect
from tests.frames.clips import make_clip, number_in


def door(uri: object, **settings: object) -> Camera:
    return Camera(name="door", uri=str(uri), **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=100, fps=20)


def test_frames_reach_a_reader_with_their_pixels_and_times(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1", analysis_fps=20)) as camera:
        reader = camera.reader()
        seen = []
        deadline_s = time.monotonic() + 10
        while len(seen) < 30 and time.monotonic() < deadline_s:
            for ready in reader.waiting():
                header = reader.header(ready)
                assert (header.sequence, header.time_s) == (ready.sequence, ready.time_s)
                assert reader.frame(ready).shape == (120, 160, 3)
                seen.append((header, number_in(reader.frame(ready))))
                reader.give_back(ready)
            time.sleep(0.005)
        (first, first_number), *rest = seen
        for header, number in rest:
            turned = 100 * (header.loop - first.loop)
            assert header.time_s - first.time_s == pytest.approx(
                (number + turned - first_number) / 20, abs=1e-3
            )
            assert 0 <= header.arrived_s - header.time_s < 0.3


def test_only_the_analysis_rate_is_sent_and_the_rest_is_counted(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1", analysis_fps=5)) as camera:
        times = [ready.time_s for ready in collect(camera.reader(), 8)]
        assert np.diff(times) == pytest.approx(0.2, abs=0.051)
        health = camera.wait_for(lambda health: health.drops.get("analysis rate", 0) > 20)
        assert health.state == "live"
        assert health.values["source_fps"] == 20
        assert 3 < health.values["fps"] < 7


def test_a_reader_that_does_not_answer_costs_frames_that_are_counted_and_gets_new_ones_when_it_does(
    clip: Path,
) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1", analysis_fps=20), slots=4) as camera:
        reader = camera.reader()
        camera.wait_for(lambda health: health.drops.get("reader busy", 0) > 10)
        waiting = list(reader.waiting())
        assert len(waiting) == 2
        for ready in waiting:
            reader.give_back(ready)
        assert collect(reader, 1)[0].sequence > waiting[-1].sequence + 10


def test_a_killed_reader_gives_its_slots_back_and_its_successor_goes_on(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1", analysis_fps=20)) as camera:
        first = camera.reader()
        time.sleep(0.5)
        first.close()
        health = camera.wait_for(lambda health: health.values.get("readers") == 0)
        assert health.values["slots_free"] >= 5
        assert len(collect(camera.reader(), 5)) == 5


def test_a_file_read_fast_waits_for_its_reader_and_loses_nothing(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?pace=fast", analysis_fps=20)) as camera:
        reader = camera.reader()
        time.sleep(0.3)
        started_s = time.monotonic()
        found = collect(reader, 100)
        assert time.monotonic() - started_s < 4.0
        assert [ready.sequence for ready in found] == list(range(1, 101))
        assert camera.wait_for_state("ended").drops.get("reader busy", 0) == 0


def test_two_readers_see_the_same_frames(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1", analysis_fps=20)) as camera:
        one, other = camera.reader("vision"), camera.reader("recorder")
        collect(one, 1)
        collect(other, 1)
        first, second = collect(one, 10), collect(other, 10)
        assert {ready.sequence for ready in first} & {ready.sequence for ready in second}


def test_a_picture_larger_than_the_ring_is_scaled_and_health_says_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "large.mp4", size=(640, 480), frames=60)
    with CameraUnderTest(door(f"file:{clip}?loop=1", max_size=(320, 180))) as camera:
        reader = camera.reader()
        while (ready := reader.receive()) is None:
            time.sleep(0.01)
        assert reader.frame(ready).shape == (180, 240, 3)
        assert number_in(reader.frame(ready)) < 60
        health = camera.wait_for(lambda health: "scaled" in health.detail)
        assert health.detail == "scaled from 640 x 480 to 240 x 180"


def test_pictures_of_an_8k_camera_are_lent_at_their_own_size_or_scaled(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "8k.avi", size=(7680, 4320), frames=3, codec="MJPG")
    for max_size, shape in (((7680, 4320), (4320, 7680, 3)), ((1920, 1080), (1080, 1920, 3))):
        with CameraUnderTest(door(f"file:{clip}?loop=1", max_size=max_size), slots=3) as camera:
            reader = camera.reader()
            camera.wait_for(lambda health: health.values.get("frames", 0) >= 1, within_s=30)
            while (ready := reader.receive()) is None:
                time.sleep(0.01)
            assert reader.frame(ready).shape == shape
            assert number_in(reader.frame(ready)) < 3


def test_a_file_that_is_not_there_is_said_and_taken_up_once_it_is(tmp_path: Path, clip: Path) -> None:
    later = tmp_path / "later.mp4"
    with CameraUnderTest(door(f"file:{later}?loop=1")) as camera:
        health = camera.wait_for_state("no such file")
        assert "there is no such file; next try in" in health.detail
        os.link(clip, later)
        assert camera.wait_for_state("live", within_s=15).values["frames"] > 0


def test_black_is_a_state(tmp_path: Path) -> None:
    from tests.frames.clips import black

    clip = make_clip(tmp_path / "black.mp4", picture=black)
    with CameraUnderTest(door(f"file:{clip}?loop=1")) as camera:
        camera.wait_for_state("black")


def test_the_process_ends_at_once_when_told_to(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1")) as camera:
        reader = camera.reader()
        collect(reader, 3)
        assert camera.stop() < 1.0
        assert camera.process.exitcode == 0
        with pytest.raises(messages.PeerGone):
            list(reader.waiting())


def test_the_process_ends_when_its_supervisor_is_gone(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1")) as camera:
        camera.wait_for_state("live")
        camera.control.close()
        camera.process.join(2)
        assert camera.process.exitcode == 0


def test_a_read_that_never_comes_back_does_not_block_the_process() -> None:
    """A server that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with CameraUnderTest(door(f"rtsp://127.0.0.1:{port}/shop")) as camera:
            camera.wait_for(lambda _: len(camera.healths) >= 3)
            gaps = np.diff([health.time_s for health in camera.healths])
            assert (gaps < 1.3).all()
            assert camera.stop() < 1.0


def test_a_killed_camera_is_an_end_of_file_for_its_reader(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1")) as camera:
        reader = camera.reader()
        collect(reader, 2)
        assert camera.process.pid is not None
        os.kill(camera.process.pid, signal.SIGKILL)
        camera.process.join(5)
        with pytest.raises(messages.PeerGone):
            while True:
                for ready in reader.waiting():
                    assert reader.frame(ready).any()


def test_what_was_not_expected_is_closed_and_does_no_harm(clip: Path) -> None:
    with CameraUnderTest(door(f"file:{clip}?loop=1")) as camera:
        reader = camera.reader()
        collect(reader, 1)
        assert camera.process.pid is not None
        descriptors = Path(f"/proc/{camera.process.pid}/fd")
        before = len(list(descriptors.iterdir()))
        for _ in range(5):
            messages.send(camera.control, Attach("records", "store"), (camera.ring_fd,))
            messages.send(camera.control, Attach("ring", "door"), (camera.ring_fd,))
            messages.send(camera.control, Detach("frames", "nobody"))
        collect(reader, 5)
        assert abs(len(list(descriptors.iterdir())) - before) <= 1


def unique_mb(pid: int) -> float:
    """Memory that only this process has, its frame ring and what is read from files aside."""
    total_kb, in_ring, of_file = 0, False, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = line.split(maxsplit=1)[0]
        if not head.endswith(":"):
            in_ring, of_file = "tagsight-frames" in line, " /" in line
        elif not in_ring and (head == "Private_Dirty:" or (head == "Private_Clean:" and not of_file)):
            total_kb += int(line.split()[1])
    return total_kb / 1024


def held_mb(pid: int) -> float:
    """The same a moment later: a decoder that waits for a CPU has frames on their way, 6 MB each."""
    time.sleep(0.1)
    return unique_mb(pid)


def test_a_further_camera_costs_at_most_forty_megabytes_of_its_own(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "hd.mp4", frames=20, size=(1920, 1080))
    with (
        CameraUnderTest(door(f"file:{clip}?loop=1")) as one,
        CameraUnderTest(door(f"file:{clip}?loop=1")) as other,
    ):
        for camera in (one, other):
            collect(camera.reader(), 10, within_s=20)
        assert other.process.pid is not None
        pid = other.process.pid
        assert min(held_mb(pid) for _ in range(20)) <= 40, "frames on their way aside"
