"""Network cameras through GStreamer. The video engine is a Jetson's; here the CPU decodes instead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtime.frames.capture.scaling import scale_nv12
from runtime.frames.hardware import video_engine
from runtime.frames.sources import SourceFault
from testing.cameras.rtsp_camera import find_rtsp_python

PROGRAM = """
import json, random, sys, time
from runtime.clock import HostClock
from tagsight.backoff import Backoff
from runtime.frames.capture.thread import Capture
from runtime.frames.ring.lending import FrameLender, LeasedRing
from runtime.frames.ring.buffer import FrameRing
from runtime.frames.opening import open_source
from runtime.frames.sources import SourceFault, read

WARM_UP, LONGEST = 12, 150  # the first pictures come all at once: the stream is settling against our clock
def steps(frames):
    return [b.grab.time_s - a.grab.time_s for a, b in zip(frames, frames[1:])]
good, wrong = sys.argv[1:]
source = open_source(good)
frames = [read(source) for _ in range(WARM_UP + 3)]
while min(steps(frames[-3:])) < 0.02 and len(frames) < LONGEST:  # a busy machine gets them in bursts
    frames.append(read(source))
read_before, frames = len(frames) - 3, frames[-3:]
told = {
    "source": type(source).__name__, "decoder": source.decoder, "size": source.size,
    "shape": frames[-1].image.shape, "numbers": [frame.grab.number - read_before for frame in frames],
    "steps": steps(frames),
    "blackest": int(frames[-1].image.min()), "brightest": int(frames[-1].image.max()),
}
source.close()
try:
    open_source(wrong)
except SourceFault as fault:
    told["wrong"] = fault.state.value
ring = FrameRing.create(4, 160, 120)
lent, backoff = LeasedRing(FrameLender(ring)), Backoff(random.Random(1))
capture = Capture(lambda pause: open_source(good), lent, HostClock(), backoff, 15.0, (160, 120))
capture.start()
end_s = time.monotonic() + 20
while capture.frames < 3 and time.monotonic() < end_s:
    time.sleep(0.05)
capture.stop(5.0)
header = ring.header(0)
told["ring"] = [header.width, header.height, header.pixel_format, int(ring.frame(0).max())]
print(json.dumps(told))
"""


def test_a_network_camera_comes_as_nv12_through_gstreamer(
    serve: Callable[..., object], repo: Path, tmp_path: Path
) -> None:
    environment = _environment(tmp_path, repo)
    server = serve("digest", "door", "secret")
    good, wrong = server.uri("door:secret@"), server.uri("door:wrong@")  # type: ignore[attr-defined]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, good, wrong],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["source"], told["decoder"]) == ("HardwareSource", "processor")
    assert told["size"] == [320, 240] and told["shape"] == [240, 320, 3]
    assert told["numbers"] == [0, 1, 2]
    assert all(0.02 < step < 2.0 for step in told["steps"]), told["steps"]
    assert told["blackest"] < 40 and told["brightest"] > 200, "a white ball on black"
    assert told["wrong"] == "wrong password"
    assert told["ring"][:3] == [160, 120, 1], "scaled into the ring, and still NV12"
    assert told["ring"][3] > 200


def _environment(folder: Path, repo: Path) -> dict[str, str]:
    """The system's or a fetched GStreamer and PyGObject; skips where they lack what is needed."""
    program = "import gi, json, os; print(json.dumps([gi.__path__[0], dict(os.environ)]))"
    python = find_rtsp_python() or "/usr/bin/python3"
    found = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("there is no PyGObject: scripts/fetch-rtsp-server fetches it")
    path, environment = json.loads(found.stdout)
    (folder / "gi").symlink_to(path)
    environment |= {
        "PYTHONPATH": os.pathsep.join((str(repo), str(folder))),
        video_engine.CAPTURE: "gstreamer",
    }
    program = (
        "from runtime.frames.hardware.gstreamer import has_element; "
        "decoders, others = ('avdec_h264', 'openh264dec'), ('videoconvert', 'rtspsrc', 'h264parse'); "
        "print(any(map(has_element, decoders)) and all(map(has_element, others)))"
    )
    able = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    if able.stdout.strip() != "True":
        pytest.skip("needs GStreamer with a decoder of H.264, for this version of Python")
    return environment


@pytest.mark.parametrize(
    ("coding", "expected"),
    [
        ("H264/90000", "rtph264depay ! h264parse ! nvv4l2decoder ! nvvidconv ! video/x-raw,format=NV12"),
        ("h265/90000", "rtph265depay ! h265parse ! nvv4l2decoder ! nvvidconv ! video/x-raw,format=NV12"),
    ],
)
def test_the_video_engine_decodes_what_the_camera_sends(coding: str, expected: str) -> None:
    description = f"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {coding}\r\n"
    pipeline = video_engine.pipeline_for(description, "video engine", "door")
    assert pipeline == f"rtspsrc name=stream protocols=tcp ! {expected}"


def test_a_coding_that_no_video_engine_knows_is_one_sentence() -> None:
    with pytest.raises(SourceFault, match=r"door: the stream is neither H\.264 nor H\.265"):
        video_engine.pipeline_for("a=rtpmap:26 JPEG/90000\r\n", "video engine", "door")


def test_ffmpeg_decodes_unless_told_or_on_a_jetson(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(video_engine, "has_element", lambda name: True)
    monkeypatch.setattr(video_engine, "JETSON", tmp_path / "nv_tegra_release")
    assert not video_engine.is_wanted({})
    assert video_engine.is_wanted({"TAGSIGHT_CAPTURE": "gstreamer"})
    video_engine.JETSON.write_text("# R36")
    assert video_engine.is_wanted({})
    assert not video_engine.is_wanted({"TAGSIGHT_CAPTURE": "ffmpeg"})


def test_a_scaled_nv12_picture_keeps_its_planes() -> None:
    picture = np.zeros((36, 32), np.uint8)
    picture[:24, 16:] = 200
    picture[24:, 0::2], picture[24:, 1::2] = 90, 170
    small = np.zeros((18, 16), np.uint8)
    scale_nv12(picture, small)
    assert (small[:12, :8] == 0).all() and (small[:12, 8:] == 200).all()
    assert (small[12:, 0::2] == 90).all() and (small[12:, 1::2] == 170).all()
