from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime import messages
from runtime.clock import HostClock
from runtime.frames.capture.scaling import fitted
from runtime.frames.capture.thread import Capture
from runtime.frames.capture.watch import FrameWatch
from runtime.frames.opening import open_source
from runtime.frames.ring.buffer import FrameRing, Image, PixelFormat
from runtime.frames.ring.lending import FrameConsumer, FrameLender, LeasedRing
from runtime.frames.sources import Grab, Source, SourceState
from tagsight.backoff import Backoff
from tests.frames.clips import make_clip, still
from tests.frames.films import damaged, make_film


class Scripted:
    """A camera of 100 frames a second, of which each fifth or none is too old, with a remark of its own."""

    label, size, fps, pixel_format = "door", (160, 120), 100.0, PixelFormat.BGR
    scales = waits = truncated = False
    spoiled = 0

    def __init__(self, remark: str, *, late: bool) -> None:
        self.remark = remark
        self.stale = self._number = 0
        self._late = late

    def grab(self) -> Grab:
        time.sleep(0.01)
        self._number += 1
        self.stale += self._late and self._number % 5 == 0
        now_s = time.time()
        return Grab(now_s, now_s, self._number)

    def retrieve(self, into: Image | None = None) -> Image | None:
        assert into is not None
        into[:] = self._number % 200
        into[::2] = 90
        return into

    def close(self) -> None:
        """Nothing is held."""


@contextmanager
def capturing(
    uri: str | Source, watch: Callable[[], FrameWatch] = FrameWatch
) -> Iterator[tuple[Capture, FrameConsumer]]:
    ring = FrameRing.create(6, 160, 120)
    lent = LeasedRing(FrameLender(ring))
    camera_end, reader_end = messages.pair()
    lent.lender.add_reader("vision", camera_end)
    consumer = FrameConsumer(FrameRing.attach(os.dup(ring.fd)), reader_end)
    clock = HostClock()

    def open_it(sleep: Callable[[float], None]) -> Source:
        return open_source(uri, clock, sleep) if isinstance(uri, str) else uri

    capture = Capture(open_it, lent, clock, Backoff(random.Random(1), first_s=0.1), 50.0, (160, 120), watch)
    capture.start()
    try:
        yield capture, consumer
    finally:
        # On a busy machine its last read may take a while: left behind, it would fail in another test's time.
        capture.stop(30.0)
        assert not capture.is_alive()
        consumer.close()
        lent.lender.close()
        ring.close()


def wait(condition: Callable[[], bool], within_s: float = 8.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_picture_that_stands_still_is_frozen(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "still.avi", picture=still, fps=20, codec="MJPG")
    with capturing(f"file:{clip}?loop=1", lambda: FrameWatch(frozen_after_s=0.5)) as (capture, _):
        wait(lambda: capture.status.state is SourceState.FROZEN)


def test_a_moving_picture_is_live(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "moving.mp4", fps=20)
    with capturing(f"file:{clip}", lambda: FrameWatch(frozen_after_s=0.5)) as (capture, _):
        seen = set()
        wait(lambda: seen.add(capture.status.state) or capture.finished)  # type: ignore[func-returns-value]
        assert seen <= {SourceState.CONNECTING, SourceState.LIVE, SourceState.ENDED}
        assert capture.status.state is SourceState.ENDED


def test_a_truncated_file_is_read_once_and_says_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "cut.avi", codec="MJPG", fps=50)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with capturing(str(clip)) as (capture, _):
        wait(lambda: capture.finished)
        assert capture.status.state is SourceState.TRUNCATED
        assert "of its 30 frames" in capture.status.detail
        assert 5 < capture.frames < 25


def test_waiting_for_a_frame_that_is_due_later_is_no_standstill(tmp_path: Path) -> None:
    clip = make_film(tmp_path / "pause.mp4", times_s=[0.0, 0.1, 6.0])
    with capturing(str(clip)) as (capture, _):
        wait(lambda: capture.frames == 2)
        begun_s, longest_s, oldest_s = time.time(), 0.0, 0.0
        while time.time() - begun_s < 3.5 and capture.frames == 2:
            now_s, status = time.time(), capture.status
            longest_s = max(longest_s, 0.0 if status.busy_since_s is None else now_s - status.busy_since_s)
            oldest_s = max(oldest_s, now_s - status.progress_s)
            time.sleep(0.02)
        assert longest_s < 2.5
        assert oldest_s < 2.5


def test_a_remark_about_a_file_does_not_make_it_a_truncated_one(tmp_path: Path) -> None:
    clip = damaged(make_film(tmp_path / "a.ts", size=(160, 120)), tmp_path / "b.ts", length=500)
    with capturing(f"file:{clip}?loop=1") as (capture, _):
        wait(lambda: "damaged" in capture.status.detail or "decoded" in capture.status.detail)
        assert capture.status.state is SourceState.LIVE


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("remark", ["", "the camera's time stamps stand still"])
def test_health_hears_that_stamps_are_wrong_and_that_pictures_come_too_late(remark: str, late: bool) -> None:
    with capturing(Scripted(remark, late=late)) as (capture, _):
        wait(lambda: capture.frames > 40)
        wait(lambda: capture.status.state is SourceState.LIVE)
        assert (remark in capture.status.detail) and ("came too late" in capture.status.detail) == late
        assert bool(capture.status.detail) == (bool(remark) or late)
        assert (capture.drops["stale"] > 0) == late


def test_a_source_that_fails_is_tried_again_and_again(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    clip.write_bytes(b"")
    with capturing(f"file:{clip}?loop=1") as (capture, _):
        wait(lambda: capture.status.state is SourceState.TRUNCATED)
        assert not capture.finished
        assert capture.is_alive()


def test_stopping_does_not_wait_for_a_frame_that_is_due_much_later(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    with capturing(f"file:{clip}?epoch={time.time() + 100_000:.0f}") as (capture, _):
        time.sleep(0.2)
        started_s = time.monotonic()
        capture.stop(5.0)
        assert not capture.is_alive()
        assert time.monotonic() - started_s < 0.5


@pytest.mark.parametrize(
    ("size", "max_size", "result"),
    [
        ((640, 480), (1920, 1080), (640, 480)),
        ((3840, 2160), (1920, 1080), (1920, 1080)),
        ((1080, 1920), (1920, 1080), (608, 1080)),
        ((8000, 10), (100, 100), (100, 1)),
    ],
)
def test_a_picture_is_scaled_down_to_fit_and_keeps_its_aspect(
    size: tuple[int, int], max_size: tuple[int, int], result: tuple[int, int]
) -> None:
    assert fitted(size, max_size) == result
