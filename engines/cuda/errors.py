"""Faults of the GPU path."""

from __future__ import annotations

from engines.errors import EngineError


class GpuError(EngineError):
    """The GPU, its driver or its compiler cannot do what is asked."""


class CompileError(GpuError):
    """The kernels cannot be compiled here."""


class LaunchError(GpuError):
    """A kernel is called with arguments that do not fit it."""
