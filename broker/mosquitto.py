"""A private Mosquitto on a loopback port, for the demo and the tests: nothing of the system's is touched."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from broker.errors import BrokerError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
DIE_WITH_PARENT = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
except (OSError, AttributeError):
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Asks Linux (prctl(2), PR_SET_PDEATHSIG) to kill this process with its parent, then becomes the broker."""
USUAL_PLACES = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto")


def find_mosquitto() -> Path:
    """The broker's program: $TAGSIGHT_MOSQUITTO, the system's, or what scripts/fetch-mosquitto left in the
    cache.

    Raises BrokerError where there is none.
    """
    given = os.environ.get("TAGSIGHT_MOSQUITTO")
    cache_home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(os.environ.get("TAGSIGHT_CACHE") or Path(cache_home, "tagsight"))
    candidates = (
        [given] if given else [shutil.which("mosquitto"), *USUAL_PLACES, cache / "mosquitto/bin/mosquitto"]
    )
    for candidate in candidates:
        if candidate is not None and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise BrokerError(
        "no Mosquitto broker found; run scripts/fetch-mosquitto (no root needed), install the package "
        "'mosquitto', or set TAGSIGHT_MOSQUITTO to its path"
    )


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalBroker:
    """One Mosquitto process; `settings` are further lines of its configuration file.

    Anybody on this machine may connect unless `settings` say otherwise. Usable as a context manager. It is
    killed with the thread that started it, however that ends; what it keeps on disk goes with this object.
    """

    host = "127.0.0.1"

    def __init__(self, settings: Sequence[str] = ("allow_anonymous true",), port: int | None = None) -> None:
        self._program = find_mosquitto()
        self._settings = tuple(settings)
        self.port = port or free_port()
        self._kept = tempfile.TemporaryDirectory(prefix="tagsight-broker-", ignore_cleanup_errors=True)
        self.folder = Path(self._kept.name)
        self.log_path = self.folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it accepts connections.

        Raises BrokerError with its own words otherwise, and nothing of it is left then.
        """
        config = self.folder / "mosquitto.conf"
        config.write_text(self._config())
        with self.log_path.open("ab") as log_file:
            self._process = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-I", "-S", "-c", DIE_WITH_PARENT, str(os.getpid())),
                    *(str(self._program), "-c", str(config)),
                ],
                stdout=log_file,
                stderr=log_file,
                stdin=subprocess.DEVNULL,
                # Ctrl-C is for us: whoever still has something to send needs the broker until we stop it.
                start_new_session=True,
            )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                said = self.log_path.read_text(errors="replace").strip().splitlines()
                self.kill()
                self._kept.cleanup()
                raise BrokerError(f"Mosquitto does not start: {said[-1] if said else 'it says nothing'}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it as an operator would; what it keeps on disk stays for the next `start`."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """End it and remove its folder."""
        self.stop()
        self._kept.cleanup()

    @property
    def pid(self) -> int:
        """Its process id. Raises BrokerError while it does not run."""
        if self._process is None:
            raise BrokerError("the local broker is not running")
        return self._process.pid

    def __enter__(self) -> LocalBroker:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=0.5).close()
        except OSError:
            return False
        return True

    def _config(self) -> str:
        """Global settings of ours, then one listener on loopback, to which `settings` belong."""
        lines = [
            "log_dest stderr",
            "persistence true",
            f"persistence_location {self.folder}/",
            f"listener {self.port} {self.host}",
            *self._settings,
        ]
        if os.geteuid() == 0:
            lines.insert(0, "user root")
        return "\n".join(lines) + "\n"
