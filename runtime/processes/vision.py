"""The vision process: frames of all cameras in, persons on the floor out.

A camera's ring and socket come with `Attach("camera", NAME)`, the store's socket with
`Attach("records", "store")`. What is done with a frame is `runtime.vision.analysis`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable
from typing import NoReturn

import cv2

from engines.backends.cpu import available_threads
from engines.catalogue.judging import LIMIT_S
from engines.errors import EngineError
from engines.inference.detector import PersonDetector
from runtime.messages import Health, HealthState
from runtime.processes.service import HEALTH_EVERY_S, Input, Service
from runtime.processes.vision_spec import VisionSpec, spec_of
from runtime.vision.analysis import Analysis, Size, refused_reason
from runtime.vision.crop_inference import Heads
from runtime.vision.executors.choice import choose_executor
from runtime.vision.executors.executor import Executor
from runtime.vision.heads import open_heads

SILENT_S = 2.0
"""Without a frame for this long the process says that it waits."""
MAX_STREAMS = 4

ChooseExecutor = Callable[[str, PersonDetector, Heads], Executor]

log = logging.getLogger(__name__)

__all__ = ["VisionProcess", "VisionSpec", "main", "spec_of"]


class VisionProcess(Service):
    """Serves the cameras that are attached, until told to stop."""

    def __init__(
        self, control: socket.socket, spec: VisionSpec, choose: ChooseExecutor = choose_executor
    ) -> None:
        super().__init__(control, "vision", spec)
        self._spec = spec
        self._choose = choose
        self._analysis: Analysis | None = None
        self._store = self.send_records()
        self.accept("camera", 2, self._attach_camera, self._detach_camera)
        self.configured_by(VisionSpec, self._apply_config)

    def run(self) -> None:
        """Compile the networks, then serve. Raises SystemExit where an engine is missing or fails."""
        self._report_starting(f"compiling {self._spec.detector}")
        try:
            self._analysis = self._open()
        except EngineError as error:
            self._fail(HealthState.NO_ENGINE, error)
        try:
            super().run()
        except EngineError as error:
            self._fail(HealthState.ENGINE_FAILED, error)
        finally:
            with contextlib.suppress(EngineError):
                self._analysis.close()

    def inputs(self) -> list[Input]:
        """The cameras, which announce frames."""
        return [] if self._analysis is None else self._analysis.inputs()

    def max_wait_s(self) -> float:
        """Until a batch is due."""
        wait_s = None if self._analysis is None else self._analysis.max_wait_s()
        return HEALTH_EVERY_S if wait_s is None else wait_s

    def turn(self) -> None:
        """Look at what is due."""
        if self._analysis is not None:
            self._analysis.work()

    def finish(self) -> None:
        """End all tracks, and send what waits."""
        if self._analysis is not None:
            for name in self._analysis.cameras:
                self._analysis.remove_camera(name)
        super().finish()

    def health(self) -> Health:
        """How many frames a second are looked at, and whether this machine keeps up."""
        if self._analysis is None:
            return self._health(HealthState.STARTING, "")
        overload, values = self._analysis.report()
        is_there = bool(self._analysis.cameras)
        silent = self.clock.now() - self._analysis.progress_s > SILENT_S
        state = HealthState.LIVE if is_there and not silent else HealthState.WAITING
        return self._health(state, overload if is_there else "no camera yet", values)

    def _open(self) -> Analysis:
        """Raises EngineError."""
        spec = self._spec
        threads = spec.threads or available_threads()
        cv2.setNumThreads(1)
        heads = Heads(open_heads(spec.heads, backend=spec.backend, threads=threads))
        detector = PersonDetector.open(
            spec.detector,
            input_size=spec.input_size,
            backend=spec.backend,
            threads=threads,
            streams=max(1, min(len(spec.cameras), threads, MAX_STREAMS)),
            score=spec.score,
            on_judging=self._report_trial,
        )
        executor = self._choose(spec.backend, detector, heads)
        log.info("persons are detected by %s", executor.description)
        return Analysis(
            executor, heads, spec.cameras, self.clock.now, self._store.put, self._report_new_sizes
        )

    def _fail(self, state: HealthState, error: EngineError) -> NoReturn:
        log.error("%s", error)
        self.control.report(self._health(state, str(error)))
        raise SystemExit(1) from error

    def _attach_camera(self, name: str, ring_fd: int, socket_fd: int) -> None:
        if self._analysis is not None and self._analysis.knows(name):
            self._analysis.add_camera(name, ring_fd, socket_fd)
            return
        log.warning("camera %s is not among those to be looked at", name)
        os.close(ring_fd)
        os.close(socket_fd)

    def _detach_camera(self, name: str) -> None:
        if self._analysis is not None:
            self._analysis.remove_camera(name)

    def _apply_config(self, spec: VisionSpec) -> None:
        self._spec = spec
        if self._analysis is not None:
            self._analysis.apply_config(spec.cameras, spec.score)

    def _report_starting(self, detail: str) -> None:
        self.control.report(self._health(HealthState.STARTING, detail))

    def _report_trial(self, took_s: float) -> None:
        """Trying a file that nobody has judged yet may take longer than a process may be silent."""
        what = f"judging {self._spec.detector}: trying on a picture whether and how it finds persons"
        if took_s < 1.0:
            log.info("%s", what)
        self._report_starting(f"{what}; {took_s:.0f} s, of {LIMIT_S:.0f} s at most")

    def _report_new_sizes(self, sizes: list[Size]) -> None:
        """A network may be compiled for them: that takes longer than a process may be silent."""
        shown = ", ".join(f"{width} x {height}" for width, height in sizes)
        self._report_starting(f"getting ready for pictures of {shown}")

    def _health(self, state: HealthState, detail: str, values: dict[str, float] | None = None) -> Health:
        analysis, now_s = self._analysis, self.clock.now()
        drops: Counter[str] = Counter() if analysis is None else Counter(analysis.drops)
        if self.control.lost_reports:
            drops["health the supervisor did not take"] = self.control.lost_reports
        if analysis is not None and analysis.refused:
            drops[refused_reason()] = analysis.refused
        if self._store.dropped:
            drops["records the store did not take"] = self._store.dropped
        live = analysis is not None and state is HealthState.LIVE
        progress_s = analysis.progress_s if live and analysis is not None else now_s
        return Health(self.name, state, now_s, progress_s, detail, values or {}, dict(drops))


def main(control: socket.socket, spec: VisionSpec) -> None:
    """Watch the cameras of `spec` until told to stop."""
    VisionProcess(control, spec).run()
