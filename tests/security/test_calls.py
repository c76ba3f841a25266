"""Nothing calls home: neither we nor a library we use speaks to anybody who is not in store.yaml."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines import backends

PROGRAM = """
import sys
CALLS = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request", "os.fork", "os.exec"}
def told(event, given):
    if event in CALLS:
        print(event, given, file=sys.stderr, flush=True)
sys.addaudithook(told)
import numpy as np
from engines.inference.detector import PersonDetector
detector = PersonDetector.open("person-detector-lite", backend=sys.argv[1], threads=1)
print(len(detector.detect(np.zeros((320, 416, 3), np.uint8)).scores))
"""


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_the_library_that_runs_the_networks_calls_nobody_and_leaves_nothing_in_the_home(
    tmp_path: Path, repo: Path, name: str
) -> None:
    if name not in backends.installed():
        pytest.skip(f"no {name} on this machine")
    home = tmp_path / "home"
    home.mkdir()
    # A user's own environment, not that of a build server, where such libraries keep still by themselves.
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(repo),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0"
    assert done.stderr == ""
    assert list(home.iterdir()) == []
