"""What was measured on a GPU, as it is written to JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

PERCENTILES = (50, 95, 99)


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds."""

    p50: float
    p95: float
    p99: float


class SettingFigures(msgspec.Struct, frozen=True):
    """One setting at one batch size."""

    setting: str
    frames: str
    """How they reached the kernels."""
    graphs: bool
    in_flight: int
    batch: int
    gpu_ms: Percentiles
    answer_ms: Percentiles
    fps: float
    power_w: float | None


class GpuFigures(msgspec.Struct, frozen=True):
    """What was measured on one device."""

    device: str
    engine: str
    precision: str
    picture: str
    rounds: int
    stages_ms: dict[str, dict[str, Percentiles]]
    """Batch size -> stage -> milliseconds, queued piece by piece."""
    settings: list[SettingFigures]
    memory_mb: float
    """Of the GPU, taken by contexts, buffers and graphs of one execution."""
    power_source: str
    remarks: list[str]
    """What could not be had as asked for."""


class Density(msgspec.Struct, frozen=True):
    """What one number of cameras reached."""

    cameras: int
    fps: float
    """All cameras together."""
    fps_a_camera: float
    answer_ms: Percentiles
    """From the start of a batch to its last camera's tracks."""
    processor_ms: float
    """Of all threads of this process, a frame."""
    power_w: float | None


def percentiles(values: Sequence[float]) -> Percentiles:
    """Of at least one value."""
    return Percentiles(*(float(value) for value in np.percentile(values, PERCENTILES)))


def not_run(reason: str) -> str:
    """What is said instead of figures."""
    return f"not run: no GPU ({reason})"
