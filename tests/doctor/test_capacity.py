"""How many cameras a machine carries: what is measured, what follows from it, and how it is said."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import av
import pytest

from runtime.cli import main
from runtime.config import Camera, Engines
from runtime.doctor import capacity
from runtime.doctor.capacity import NotMeasured, capacity_of, finding_of, measure_capacity, measured_speed
from runtime.doctor.speed import Speed, clip_of

QUICK = Speed("openvino on the CPU", (416, 256), 2, 100.0, 250.0, "libx264")
"""Looking takes 10 ms of the machine, decoding 2 ms: a twentieth of the time for a camera at 25 a second."""


def cameras(count: int, fps: float = 10.0, entrances: int = 0) -> list[Camera]:
    return [
        Camera(name=f"c{number}", uri="clip.mp4", analysis_fps=fps, entrance=number < entrances)
        for number in range(count)
    ]


def test_cameras_carried_follow_from_looking_and_decoding() -> None:
    assert capacity_of(QUICK, Engines()).cameras == {"5": 9, "10": 6, "15": 4}


def test_without_a_figure_for_decoding_the_network_alone_decides() -> None:
    speed = Speed("", (416, 256), 2, 100.0, None, None)
    assert capacity_of(speed, Engines()).cameras == {"5": 18, "10": 9, "15": 6}


def test_a_store_that_fits_is_said_to_fit() -> None:
    found, carried = measure_capacity(Engines(), cameras(6), 1.0, lambda engines, limit_s: QUICK)
    assert found.verdict == "ok" and "the store's 6 want 60 in all, which fits" in found.found
    assert carried is not None and carried.store is not None and carried.store.fits
    assert carried.store.managed_per_s == {f"c{number}": 10.0 for number in range(6)}


def test_a_store_that_is_too_much_is_told_what_each_camera_gets_and_what_would_help() -> None:
    """Ten cameras leave 0.9 - 10 / 20 of the time: 40 frames a second, of which two entrances want 20."""
    ten = cameras(10, entrances=2)
    carried = capacity_of(QUICK, Engines(), ten)
    found = finding_of(carried, ten)
    assert carried.store is not None and not carried.store.fits
    managed = carried.store.managed_per_s
    assert [managed["c0"], managed["c1"], managed["c9"]] == pytest.approx([10.0, 10.0, 2.5])
    assert found.verdict == "weak", "it runs, and counts less well"
    assert found.found.startswith("this box manages 2.5 of 10 frames a second at 'c2', 2.5 of 10 at 'c3'")
    assert "analysis_fps" in found.remedy and "input_size" in found.remedy


def test_a_machine_that_cannot_do_the_floors_either_shares_what_there_is() -> None:
    slow = Speed("", (416, 256), 1, 2.0, None, None)
    carried = capacity_of(slow, Engines(), cameras(4))
    assert carried.store is not None
    assert sum(carried.store.managed_per_s.values()) == pytest.approx(0.9 * 2.0, abs=0.05)


def test_a_machine_that_cannot_even_decode_manages_nothing() -> None:
    slow = Speed("", (416, 256), 1, 50.0, 20.0, "libx264")
    carried = capacity_of(slow, Engines(), cameras(2))
    assert carried.cameras == {"5": 0, "10": 0, "15": 0}
    assert carried.store is not None and not carried.store.fits
    assert finding_of(carried, cameras(2)).found.startswith("this box manages 0 of 10")


def test_what_takes_too_long_or_breaks_is_not_measured_and_no_fault_of_the_machine() -> None:
    began_s = time.monotonic()
    found, carried = measure_capacity(Engines(), None, 0.2)
    assert time.monotonic() - began_s < 5.0
    assert carried is None and found.verdict == "absent"
    assert found.found == "not measured: no figure within 0.2 s"
    with pytest.raises(NotMeasured, match=r"none\.onnx: no such file"):
        measured_speed(Engines(detector="/none.onnx"), 30.0)


def test_the_clip_is_what_a_camera_sends() -> None:
    coding, clip = clip_of((640, 360))
    if clip is None:
        pytest.skip("this FFmpeg writes neither H.264 nor MPEG-4")
    with av.open(io.BytesIO(clip)) as container:
        frames = list(container.decode(video=0))
    assert coding is not None and len(frames) == 25
    assert (frames[0].width, frames[0].height) == (640, 360)
    assert 40_000 < len(clip) < 4_000_000


def test_doctor_measures_this_machine_and_tells_its_capacity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--json", "--seconds", "60"])
    told = json.loads(capsys.readouterr().out)
    carried = told["capacity"]
    assert set(carried) == {
        "detector", "way", "input", "cores", "picture", "stream_fps", "looked_at_per_s", "decoded_per_s",
        "cameras", "store",
    }  # fmt: skip
    assert carried["detector"] == "person-detector-lite" and carried["picture"] == [1920, 1080]
    assert carried["looked_at_per_s"] > 0.2
    assert carried["cameras"]["5"] >= carried["cameras"]["10"] >= carried["cameras"]["15"] >= 0
    (finding,) = [finding for finding in told["findings"] if finding["subject"] == capacity.SUBJECT]
    assert finding["verdict"] == "ok" and "frames a second" in finding["found"]


def test_without_measuring_there_is_no_figure(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--json", "--no-measure"])
    assert json.loads(capsys.readouterr().out)["capacity"] is None
