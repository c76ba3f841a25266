from __future__ import annotations

import pytest

from contract.facts import Coverage
from runtime.store.counts.coverage import CoverageMeter


def meter() -> CoverageMeter:
    return CoverageMeter(("cam",), 100.0, 600.0)


def feed(meter: CoverageMeter, start_s: float, end_s: float, fps: float = 10.0) -> None:
    for number in range(int((end_s - start_s) * fps)):
        meter.frame("cam", start_s + number / fps)


def test_a_steady_camera_covers_its_interval() -> None:
    cover = meter()
    feed(cover, 100.0, 161.0)
    (seen,) = cover.of(100.0, 160.0)
    assert seen.effective_fps == pytest.approx(10.0, abs=0.1)
    assert seen.blind_s == 0.0


def test_a_camera_that_never_spoke_is_blind_and_not_empty() -> None:
    assert meter().of(100.0, 160.0) == (Coverage("cam", 0.0, 60.0),)


def test_a_pause_without_frames_is_blind_time() -> None:
    cover = meter()
    feed(cover, 100.0, 110.0)
    feed(cover, 120.0, 160.0)
    assert cover.of(100.0, 160.0)[0].blind_s == pytest.approx(10.1, abs=0.01)


def test_overlapping_reports_of_blindness_count_once() -> None:
    cover = meter()
    feed(cover, 100.0, 160.0)
    cover.missed("cam", 110.0, 130.0)
    cover.missed("cam", 120.0, 125.0)
    cover.missed("cam", 150.0, 170.0)
    assert cover.of(100.0, 160.0)[0].blind_s == pytest.approx(30.0)


def test_only_the_cameras_asked_for_are_told() -> None:
    cover = CoverageMeter(("cam", "side"), 0.0, 600.0)
    assert [each.camera for each in cover.of(0.0, 10.0, ("side",))] == ["side"]


def test_a_frame_told_twice_counts_once() -> None:
    cover = meter()
    for _ in range(2):
        feed(cover, 100.0, 110.0)
    assert cover.of(100.0, 110.0)[0].effective_fps == pytest.approx(10.0)


def test_blindness_told_second_by_second_is_one_span() -> None:
    cover = meter()
    feed(cover, 100.0, 160.0)
    for second in range(110, 130):
        cover.missed("cam", second, second + 1.0)
    assert cover.of(100.0, 160.0)[0].blind_s == pytest.approx(20.0)
    assert cover.seen_since("cam") == 130.0
    assert len(cover._cameras["cam"].blind) == 1


@pytest.mark.parametrize("fps", [0.2, 0.5, 1.0, 2.0, 15.0])
def test_a_camera_that_is_looked_at_as_seldom_as_it_should_be_is_not_blind(fps: float) -> None:
    cover = CoverageMeter(("cam",), 100.0, 600.0, {"cam": fps})
    for number in range(1, int(60 * fps) + 2):
        cover.frame("cam", 100.0 + (number + 0.1 * (number % 2)) / fps)
    (seen,) = cover.of(100.0, 160.0)
    assert seen.blind_s == 0.0
    assert seen.effective_fps == pytest.approx(fps, rel=0.02, abs=0.03)
