from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.frames.opening import open_source
from runtime.frames.sources import SourceFault, SourceState

PROGRAM = """
import numpy as np
from runtime.clock import HostClock
from runtime.frames.hardware.csi import CsiSource
from runtime.frames.ring.buffer import FrameRing
from runtime.frames.opening import open_source
from runtime.frames.sources import SourceFault, read
from runtime.frames.uri import parse_uri

def source(pattern, width, height, form="NV12"):
    caps = f"video/x-raw,format={form},width={width},height={height}"
    pictures = f"videotestsrc pattern={pattern} num-buffers=5 ! {caps}"
    return CsiSource(parse_uri("csi:0"), HostClock(), pictures + " ! identity name=sensor{sensor}")

red = source("red", 320, 240)
frame = read(red)
print(red.size, red.pixel_format.name, frame.image.shape, frame.image[120, 160].tolist())
red.close()

odd_rows = source("snow", 322, 242)   # GStreamer pads these rows to 324 bytes
ring = FrameRing.create(2, 322, 242)
into = ring.slot_view(1, 322, 242, odd_rows.pixel_format)
odd_rows.grab()
picture = odd_rows.retrieve(into)
buffer = odd_rows._pipeline._sample.get_buffer()
whole = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8)
luma, chroma = whole[:324 * 242].reshape(242, 324), whole[324 * 242:].reshape(121, 324)
same = bool((np.concatenate((luma, chroma))[:, :322] == picture).all())
print(picture is into, buffer.get_size(), same, bool((ring.slot_view(1, 322, 242, 1) == picture).all()))
odd_rows.close()

for make in (lambda: source("red", 320, 240, "I420"), lambda: open_source("csi:0")):
    try:
        make()
    except SourceFault as fault:
        print(fault.state.value, fault)
"""


def test_without_gstreamer_the_source_says_what_is_missing() -> None:
    if _has_gi(sys.executable, {}):
        pytest.skip("this Python has GStreamer")
    with pytest.raises(SourceFault, match="install python3-gi") as fault:
        open_source("csi:0")
    assert fault.value.state is SourceState.UNUSABLE


def test_pictures_come_from_a_gstreamer_pipeline(rtsp_python: str, repo: Path, tmp_path: Path) -> None:
    """The Jetson's camera element is exchanged for a test picture; the rest is what runs there."""
    environment = _environment_with_gi(rtsp_python, tmp_path)
    if not _has_gi(sys.executable, environment):
        pytest.skip("PyGObject of the system is made for another Python")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**environment, "PYTHONPATH": f"{repo}:{environment['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    pictures, in_place, other_format, no_jetson = ended.stdout.splitlines()
    assert pictures == "(320, 240) NV12 (240, 320, 3) [0, 0, 254]"
    assert in_place == f"True {324 * 363} True True", "written into the slot, row by row, padding left out"
    assert other_format.startswith(
        "unusable csi:0: pictures are 320 x 240 I420; NV12 of even sides is wanted"
    )
    assert no_jetson.startswith("unusable csi:0: GStreamer refuses")


def _environment_with_gi(rtsp_python: str, folder: Path) -> dict[str, str]:
    """The environment in which that Python finds GStreamer, and a folder that holds gi and nothing else."""
    program = "import gi, json, os; print(json.dumps([dict(os.environ), gi.__path__[0]]))"
    told = subprocess.run([rtsp_python, "-c", program], capture_output=True, text=True, check=True).stdout
    environment, package = json.loads(told)
    (folder / "gi").symlink_to(package)
    return {**os.environ, **environment, "PYTHONPATH": str(folder)}


def _has_gi(python: str, environment: dict[str, str]) -> bool:
    program = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst"
    return (
        subprocess.run(
            [python, "-c", program], env={**os.environ, **environment}, capture_output=True, check=False
        ).returncode
        == 0
    )
