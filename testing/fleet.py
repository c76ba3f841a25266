"""The warehouse's service as a process, for tests and benchmarks."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
START_S = 90.0


def free_address() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class FleetProcess:
    """`tagsight fleet serve` with the file `config`; `said` is its log. Usable as a context manager."""

    def __init__(self, config: Path, port: int, *options: str) -> None:
        self.port = port
        self.said = config.with_name(f"serve-{time.monotonic_ns()}.log")
        command = [sys.executable, "-m", "runtime", "fleet", "serve", "--config", str(config), *options]
        with self.said.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=REPO, stdout=log, stderr=log)

    def get(self, path: str) -> Any:
        """The JSON at a path; None while nobody answers."""
        return ask(self.port, path)

    def wait_for(self, words: str) -> None:
        """Until its log has them."""
        until_s = time.monotonic() + START_S
        while words not in self.said.read_text():
            if time.monotonic() > until_s or self._process.poll() is not None:
                raise AssertionError(f"it never said {words!r}: {self.said.read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait()

    def close(self) -> int:
        """As an operator would; its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def __enter__(self) -> FleetProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def ask(port: int, path: str) -> Any:
    """The JSON at a path of this machine's port; None while nobody answers."""
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as opened:
        return json.load(opened)
    return None


def wait_for_rows(port: int, question: str, wanted: Any, limit_s: float = START_S) -> float:
    """Until the answer's rows are so; returns how many seconds that took. Raises AssertionError."""
    began_s = time.monotonic()
    told = None
    while time.monotonic() - began_s < limit_s:
        told = ask(port, f"/v1/answers/{question}")
        if told is not None and wanted(told["rows"]):
            return time.monotonic() - began_s
        time.sleep(0.02)
    raise AssertionError(f"{question}: {told}")
