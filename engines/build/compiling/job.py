"""What the builder asks of the compiler's process, and what that answers, a line of JSON each."""

from __future__ import annotations

import msgspec

from engines.build.key import Options
from engines.build.manifest import TensorSpec


class CompileJob(msgspec.Struct, frozen=True, kw_only=True):
    """One plan to make. Files are given by their paths, in folders of this user only."""

    library: str
    onnx: str
    plan: str
    options: Options
    typed: bool
    """The network's own types count; else TensorRT may choose among those that `flags` allow."""
    flags: tuple[str, ...]
    """Names of builder flags to set; all of them exist in this release."""
    input_name: str
    batch: int | None
    """The batch the network is made for, or None where it takes any."""
    nodes: tuple[tuple[str, str], ...]
    """Name and operation of every node, for faults that come with a number only."""
    timing_cache: str = ""
    """File to read and write; empty for none."""
    target_sm: int = 0
    """Compute capability to build for; 0 for the device that is here."""


class CompileProgress(msgspec.Struct, frozen=True, tag="progress"):
    """How far the compiler is."""

    done: float
    """0 to 1, as TensorRT counts its own steps."""
    phase: str


class CompileFailure(msgspec.Struct, frozen=True, tag="fault"):
    """The end of it: one sentence."""

    sentence: str


class Built(msgspec.Struct, frozen=True, kw_only=True, tag="built"):
    """The plan is written."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: int
    on_gpu: tuple[str, ...] = ()
    """Layers that the DLA does not take and the GPU runs."""


Message = CompileProgress | CompileFailure | Built
