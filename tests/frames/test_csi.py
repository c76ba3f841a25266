from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.frames.sources import SourceFault, SourceState, open_source

PROGRAM = """
from runtime.clock import HostClock
from runtime.frames.csi import CsiSource
from runtime.frames.sources import SourceFault, open_source, read
from runtime.frames.uri import parse_uri

red = "videotestsrc pattern=red num-buffers=5 ! video/x-raw,format=BGRx,width=320,height=240"
source = CsiSource(parse_uri("csi:0"), HostClock(), red + " ! identity name=sensor{sensor}")
frame = read(source)
print(source.size, frame.image.shape, frame.image[120, 160].tolist())
source.close()
try:
    open_source("csi:0")
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
    pictures, fault = ended.stdout.splitlines()
    assert pictures == "(320, 240) (240, 320, 3) [0, 0, 255]"
    assert fault.startswith("unusable csi:0: GStreamer has no such camera")


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
