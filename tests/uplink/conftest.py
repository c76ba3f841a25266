"""Real parts for the uplink's tests: Mosquitto on a loopback port."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.uplink.broker.mosquitto import LocalBroker, find_mosquitto
from runtime.uplink.errors import UplinkError


@pytest.fixture(scope="session")
def mosquitto() -> None:
    """Skips where there is no Mosquitto."""
    try:
        find_mosquitto()
    except UplinkError as error:
        pytest.skip(str(error))


@pytest.fixture
def broker(mosquitto: None) -> Iterator[LocalBroker]:
    """A broker of our own that anybody may use."""
    with LocalBroker() as local:
        yield local


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object], float], None]:
    """Waits for a condition, and fails where it does not come true in time."""

    def wait(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, "waited in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture
def tmpfs() -> Iterator[Callable[[Path, str], None]]:
    """Mounts a small file system of its own over a folder; skips where that is not allowed."""
    mounted: list[Path] = []

    def mount(folder: Path, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=False)
