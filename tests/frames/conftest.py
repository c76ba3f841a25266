"""A real RTSP server for the tests that need one."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class RtspServer:
    """GStreamer's RTSP server on loopback: start it, steer its picture, kill it, start it again."""

    def __init__(self, python: str, login: tuple[str, ...]) -> None:
        self._python = python
        self._login = login
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None

    def uri(self, login: str = "", path: str = "/shop") -> str:
        return f"rtsp://{login}127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        program = Path(__file__).with_name("rtsp_server.py")
        self.process = subprocess.Popen(
            [self._python, str(program), str(self.port), *self._login],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, line: str) -> None:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    stream.close()
            self.process = None


def _can_serve(python: str) -> bool:
    program = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        return (
            subprocess.run([python, "-c", program], capture_output=True, timeout=60, check=False).returncode
            == 0
        )
    except OSError:
        return False


@pytest.fixture(scope="session")
def rtsp_python() -> str:
    """A Python that can run GStreamer's RTSP server; skips where there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tagsight"
    fetched = Path(os.environ.get("TAGSIGHT_CACHE", cache)) / "rtsp-server" / "bin" / "gst-python"
    for python in (os.environ.get("TAGSIGHT_RTSP_SERVER"), str(fetched), "/usr/bin/python3"):
        if python and _can_serve(python):
            return python
    pytest.skip("no RTSP server here: scripts/fetch-rtsp-server gets GStreamer's")


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
