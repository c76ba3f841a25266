"""A network camera on loopback: GStreamer's RTSP server, steered by lines, killed and started again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from broker.mosquitto import free_port

PROGRAM = Path(__file__).with_name("rtsp_server.py")
TRIAL = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


class RtspServer:
    """Start it, steer its picture, kill it, start it again; `login`: (scheme, user, password) or nothing."""

    def __init__(self, python: str, login: tuple[str, ...] = ()) -> None:
        self._python = python
        self._login = login
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None

    def uri(self, login: str = "", path: str = "/shop") -> str:
        """Its address; `login` is "user:password@" or nothing."""
        return f"rtsp://{login}127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(
            [self._python, str(PROGRAM), str(self.port), *self._login],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, line: str) -> None:
        """A line for `rtsp_server.py`."""
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """Pull its plug."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    stream.close()
            self.process = None


def find_rtsp_python() -> str | None:
    """A Python that can run the server: $TAGSIGHT_RTSP_SERVER, what scripts/fetch-rtsp-server left, or the
    system's; None where there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tagsight"
    fetched = Path(os.environ.get("TAGSIGHT_CACHE", cache)) / "rtsp-server" / "bin" / "gst-python"
    candidates = (os.environ.get("TAGSIGHT_RTSP_SERVER"), str(fetched), "/usr/bin/python3")
    return next((python for python in candidates if python and _can_serve(python)), None)


def _can_serve(python: str) -> bool:
    try:
        return (
            subprocess.run([python, "-c", TRIAL], capture_output=True, timeout=60, check=False).returncode
            == 0
        )
    except OSError:
        return False
