"""`tagsight run` on a store without cameras, as systemd starts it."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PATH = os.pathsep.join(filter(None, sys.path))
"""Where another Python of the same version finds what this one does."""
STORE = """
site: {name: s, device: d}
floor: {extent_m: [0, 0, 1, 1]}
uplink: {host: 127.0.0.1, port: 9}
intervals: {health_s: 1}
"""


class BareDaemon:
    """The daemon in `folder`; what it says goes to `log` there, what it tells systemd to `told`."""

    def __init__(self, folder: Path, start: bool = True) -> None:
        self.folder = folder
        self.state = folder / "state"
        (folder / "store.yaml").write_text(STORE)
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(folder / "notify"))
        self._systemd.setblocking(False)
        self._told = ""
        if start:
            self.start()

    def start(self) -> None:
        self.process = self.launch()

    def launch(
        self, limit_files: int | None = None, command: Sequence[str] = (sys.executable,)
    ) -> subprocess.Popen[bytes]:
        """One more daemon on the same configuration; `command` is what runs Python."""

        def limit() -> None:
            if limit_files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit_files, limit_files))

        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [
                    *command,
                    "-m",
                    "runtime",
                    "run",
                    "--config",
                    str(self.folder / "store.yaml"),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify"), "PYTHONPATH": PATH},
                preexec_fn=limit,  # noqa: PLW1509 - one thread only
                umask=0o000,
            )

    def says(self) -> str:
        return (self.folder / "log").read_text()

    def told(self) -> str:
        """What systemd was told."""
        while True:
            try:
                self._told += self._systemd.recv(4096).decode() + "\n"
            except BlockingIOError:
                return self._told

    def wait_for(self, done: Callable[[], object], limit_s: float = 60.0) -> None:
        deadline_s = time.monotonic() + limit_s
        while not done():
            assert self.process.poll() is None, self.says()
            assert time.monotonic() < deadline_s, self.says()
            self.told()
            time.sleep(0.1)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20.0)

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
