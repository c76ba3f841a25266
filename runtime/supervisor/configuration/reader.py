"""The configuration file being read in a process of its own, while the supervisor keeps beating."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from runtime.config.reading import ReadingAnswer
from runtime.packing import unpack

MAX_READ_S = 120.0
MAX_BYTES = 512 * 1024 * 1024


class ConfigReader:
    """One reading of one file. Raises OSError where no process can be started."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began_s = time.monotonic()
        self._answer = os.memfd_create("tagsight-config", os.MFD_CLOEXEC)
        command = [sys.executable, "-m", "runtime.config.reading", str(path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._answer,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError:
            os.close(self._answer)
            raise

    def poll(self) -> ReadingAnswer | None:
        """The answer, or None while it is being worked on."""
        code = self._process.poll()
        if code is None:
            if time.monotonic() - self._began_s <= MAX_READ_S:
                return None
            self.close()
            return self._failed(f"reading it took longer than {MAX_READ_S:.0f} s")
        with os.fdopen(self._answer, "rb") as stream:
            stream.seek(0)
            data = stream.read(MAX_BYTES)
        if code != 0:
            return self._failed(f"reading it ended with {'signal' if code < 0 else 'exit code'} {abs(code)}")
        try:
            return unpack(data, ReadingAnswer)
        except msgspec.DecodeError as error:
            return self._failed(f"what was read of it is spoiled ({error})")

    def close(self) -> None:
        """Give up."""
        self._process.kill()
        self._process.wait()
        os.close(self._answer)

    def _failed(self, why: str) -> ReadingAnswer:
        return ReadingAnswer(None, [], f"{self._path}: {why}; send SIGHUP again")
