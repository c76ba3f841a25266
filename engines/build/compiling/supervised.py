"""Runs the compiler's process: bounded in time, its progress passed on, its log kept, its death explained."""

from __future__ import annotations

import contextlib
import io
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from engines.build.compiling.job import Built, CompileFailure, CompileJob, CompileProgress, Message
from engines.errors import BuildError
from tagsight.worker import Worker

LOOK_S = 1.0
END_S = 5.0
READ_BYTES = 1 << 16
MAX_LINE_BYTES = 1 << 20
WORKER = "engines.build.compiling.worker"

OnProgress = Callable[[float, float | None, str], None]
"""Seconds since the start, share done (None where TensorRT does not tell), what it is at."""


def run(job: CompileJob, log: Path, limit_s: float, on_progress: OnProgress) -> Built:
    """Have the plan made. Raises BuildError with the reason: the network's, the limit's, or the crash's."""
    began_s = time.monotonic()
    request, status = msgspec.json.encode(job), None
    with log.open("wb") as said, Worker(WORKER, request, said) as worker:
        last = _listen(worker.answers, began_s, limit_s, on_progress)
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = worker.process.wait(END_S)
    if isinstance(last, Built):
        return last
    if isinstance(last, CompileFailure):
        raise BuildError(last.sentence)
    raise BuildError(_death(status, log))


def _listen(
    answers: io.FileIO, began_s: float, limit_s: float, on_progress: OnProgress
) -> Built | CompileFailure | None:
    """The worker's last word; None where it ended without one. Raises BuildError at the time limit."""
    os.set_blocking(answers.fileno(), False)
    waiting = b""
    done, phase = None, "starting"
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        while True:
            ready = selector.select(LOOK_S)
            took_s = time.monotonic() - began_s
            if took_s > limit_s:
                raise BuildError(f"not done after {limit_s / 60:g} minutes, while {phase}: given up")
            content = (answers.read(READ_BYTES) or b"") if ready else None
            if content == b"":
                return None
            *lines, waiting = (waiting + (content or b"")).split(b"\n")
            if len(waiting) > MAX_LINE_BYTES:
                raise BuildError("the compiler's process does not speak the builder's language")
            for line in lines:
                message: Message = msgspec.json.decode(line, type=Message)
                if not isinstance(message, CompileProgress):
                    return message
                done, phase = message.done, message.phase
            on_progress(took_s, done, phase)


def _death(status: int | None, log: Path) -> str:
    """Why a worker that gave no answer is gone."""
    if status == -signal.SIGKILL:
        return f"the compiler was killed, most often for want of memory; its log is {log}"
    if status is not None and status < 0:
        return f"the compiler crashed ({signal.Signals(-status).name}); its log is {log}"
    lines = log.read_text(errors="replace").strip().splitlines()
    return f"the compiler ended without an answer: {lines[-1][:200] if lines else 'it said nothing'}"
