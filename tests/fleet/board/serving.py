"""A service of a warehouse as a process, for a browser to open."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

REPO = Path(__file__).parents[3]


@contextmanager
def serving(folder: Path, more: str = "") -> Iterator[str]:
    """The address where `folder`/w.db is answered for; `more` are lines of its fleet.yaml."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "fleet.yaml").write_text(f"warehouse: w.db\nport: {port}\n{more}")
    command = [sys.executable, "-m", "runtime", "fleet", "serve", "--config", str(folder / "fleet.yaml")]
    process = subprocess.Popen(command, cwd=REPO, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(120)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + 120
    while time.monotonic() < until_s and process.poll() is None:
        with (
            suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{address}/v1/health", timeout=5),
        ):
            return
        time.sleep(0.2)
    raise AssertionError("the service did not begin")
