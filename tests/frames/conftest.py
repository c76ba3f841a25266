"""A real RTSP server for the tests that need one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from broker.mosquitto import free_port
from testing.cameras.rtsp_camera import RtspServer, find_rtsp_python

__all__ = ["RtspServer", "free_port"]


@pytest.fixture(scope="session")
def rtsp_python() -> str:
    """A Python that can run GStreamer's RTSP server; skips where there is none."""
    python = find_rtsp_python()
    if python is None:
        pytest.skip("no RTSP server here: scripts/fetch-rtsp-server gets GStreamer's")
    return python


@pytest.fixture
def serve(rtsp_python: str) -> Iterator[Callable[..., RtspServer]]:
    """Starts a server: `serve()`, or `serve("digest", user, password)`."""
    started: list[RtspServer] = []

    def start(*login: str) -> RtspServer:
        started.append(RtspServer(rtsp_python, login))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.kill()
