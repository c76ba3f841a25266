"""A module of ours run in a process of its own: asked over its standard input, answering over a pipe.

What goes wrong in it stays there. It leads a process group of its own, which is ended as a whole.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import IO


class Worker:
    """Runs `python -m module FD` until the block it stands in ends, with all that it started.

    Args:
        module: dotted name; FD, its only argument, is where it writes its answers.
        request: its standard input.
        said: takes what it prints.
        environment: added to this process's own.

    It sees the modules that this process sees, and none from the folder it is started in.
    """

    def __init__(
        self, module: str, request: bytes, said: IO[bytes], environment: Mapping[str, str] | None = None
    ) -> None:
        reading, writing = os.pipe()
        self.answers: io.FileIO = os.fdopen(reading, "rb", buffering=0)
        modules = os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))
        try:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-u", "-m", module, str(writing)],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                pass_fds=(writing,),
                cwd="/",
                env={**os.environ, "PYTHONPATH": modules, **(environment or {})},
                start_new_session=True,
            )
        except BaseException:
            self.answers.close()
            raise
        finally:
            os.close(writing)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self.process.stdin:
            self.process.stdin.write(request)

    def end(self) -> None:
        """Nothing runs on; what was answered can still be read."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self.answers.close()
