"""What an engine was built from and for, and the key that says so.

Two builds of the same network differ byte for byte, so an engine is fresh by its key, never by its hash: the
key covers everything that goes into a build, and everything the plan is tied to at run time.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

BUILDER_SCHEMA = 1
"""Raised when this program builds otherwise than before from the same parts."""

Precision = Literal["fp32", "fp16", "int8"]
Asked = Literal["auto", "fp32", "fp16", "int8"]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The libraries and the device. `device` empty: built for a compute capability, with no GPU at hand."""

    flavour: str
    """`tensorrt` or `tensorrt_rtx`."""
    tensorrt: str
    """Its full version."""
    cuda: str = ""
    """The newest CUDA release that the driver runs."""
    driver: str = ""
    """The kernel driver's version."""
    l4t: str = ""
    """Jetson Linux release, as in /etc/nv_tegra_release."""
    device: str = ""
    sm: int = 0
    """Compute capability: 87 for 8.7."""
    multiprocessors: int = 0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of the builder."""

    precision: Precision = "fp16"
    size_wh: tuple[int, int]
    buckets: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Optimisation profiles: the n-th takes batches of buckets[n-1] + 1 to buckets[n]."""
    workspace_mib: int = 1024
    level: int = 3
    """TensorRT's optimisation level, 0 to 5."""
    dla_core: int | None = None


class KeyParts(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    onnx_sha256: str
    """Of the network as it came, its external data included."""
    quantised_sha256: str = ""
    """Of the 8-bit network made of it."""
    machine: Machine
    options: Options
    flags: tuple[str, ...] = ()
    """Builder flags, sorted."""
    schema: int = BUILDER_SCHEMA

    def key(self) -> str:
        """32 hex digits."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:32]

    def differences(self, now: KeyParts) -> list[str]:
        """In words, what is not as it was when the engine was built; empty if the engine is fresh."""
        pairs = [
            ("the network", self.onnx_sha256[:12], now.onnx_sha256[:12]),
            ("the 8-bit network", self.quantised_sha256[:12], now.quantised_sha256[:12]),
            ("the builder", self.schema, now.schema),
            ("flags", ", ".join(self.flags), ", ".join(now.flags)),
        ]
        pairs += _pairs(self.machine, now.machine, MACHINE_WORDS)
        pairs += _pairs(self.options, now.options, OPTION_WORDS)
        return [f"{what}: {_word(old)} then, {_word(new)} now" for what, old, new in pairs if old != new]


def _word(value: object) -> object:
    return "none" if value in (None, "") else value


MACHINE_WORDS = {
    "flavour": "the library",
    "tensorrt": "its version",
    "cuda": "CUDA",
    "driver": "the driver",
    "l4t": "Jetson Linux",
    "device": "the device",
    "sm": "its compute capability",
    "multiprocessors": "its number of multiprocessors",
}
OPTION_WORDS = {
    "precision": "precision",
    "size_wh": "the input",
    "buckets": "the batch sizes",
    "workspace_mib": "the workspace in MiB",
    "level": "the optimisation level",
    "dla_core": "the DLA core",
}


def _pairs(
    old: msgspec.Struct, new: msgspec.Struct, words: dict[str, str]
) -> list[tuple[str, object, object]]:
    return [(word, getattr(old, name), getattr(new, name)) for name, word in words.items()]
