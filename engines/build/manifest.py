"""What is known of a built engine, as it is written beside its plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from engines.build.key import KeyParts, Precision


class TensorSpec(msgspec.Struct, frozen=True):
    """An input or output of an engine; -1 stands for the batch."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine's answers on this device compare with onnxruntime's on the same inputs."""

    at: str
    """UTC, RFC 3339."""
    device: str
    samples: int
    worst: float
    """Largest difference, as a share of the output's range."""
    mean: float
    latency_ms: float
    """Median of one image, copies left out."""


class PlanManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a built engine."""

    name: str
    key: str
    parts: KeyParts
    plan_sha256: str
    plan_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    built_at: str
    built_s: float
    verified: Verification | None = None

    @property
    def precision(self) -> Precision:
        """fp32, fp16 or int8."""
        return self.parts.options.precision

    @property
    def size_wh(self) -> tuple[int, int]:
        """(width, height) of the input in pixels."""
        return self.parts.options.size_wh

    @property
    def buckets(self) -> tuple[int, ...]:
        """The n-th profile takes batches of buckets[n-1] + 1 to buckets[n]."""
        return self.parts.options.buckets


@dataclass(frozen=True)
class Published:
    """An engine in the store."""

    folder: Path
    manifest: PlanManifest
