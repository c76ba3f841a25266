"""`tagsight bench`: every figure is a ratio against a baseline measured in the same run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from runtime.cli import LazyGroup
from runtime.errors import TagsightError

CHECKOUT = Path(__file__).resolve().parent.parent
BENCHMARKS = {
    "ring": ("bench.ring", "Frame ring against pipe, queue and named shared memory."),
    "kernels": ("bench.kernels", "The CUDA kernels against an oracle, without a GPU."),
    "parity": ("bench.parity", "Persons and tracks by the GPU path against the CPU path."),
    "density": ("bench.density", "Cameras one box carries: frames a second by number of cameras."),
    "decoding": ("bench.decoding", "Decoding a file: ours against OpenCV, costs and right pictures."),
    "camera": ("bench.camera", "A network camera: ours against OpenCV, processor time of a picture."),
    "throughput": ("bench.throughput", "The whole camera path against the usual loop."),
    "tracking": ("bench.tracking", "MOT figures and floor error on a labelled clip."),
    "engines": ("bench.engines", "Our networks against the ones they replace: speed and accuracy."),
    "crowd": ("bench.crowd", "Many people in one frame: tracker and store, time and memory."),
    "matching": ("bench.matching", "Tag x person matching on synthetic crowds."),
    "flips": ("bench.flips", "Flip detectors on unseen simulated stores and real reads."),
    "soak": ("bench.soak", "Memory, descriptors and threads of the daemon over a long run."),
    "uplink": ("bench.uplink", "Outbox and broker against paho alone and the disk's fsync."),
    "llrp": ("bench.llrp.command", "The reader session against faults, hostile bytes and time."),
    "interop": ("bench.llrp.interop", "Other LLRP clients, an emulator and tshark against ours."),
    "faults": ("bench.faults", "Break everything we know how to break; account for every event."),
    "fuzz": ("bench.fuzz", "Mutated input for the parsers of config, payloads and outbox files."),
}


class Benchmarks(LazyGroup):
    """The rigs that some of them need are not installed with the product."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """As usual; in a checkout the rigs beside this folder are found, however the product is installed."""
        if (CHECKOUT / "testing" / "rig.py").exists() and str(CHECKOUT) not in sys.path:
            sys.path.append(str(CHECKOUT))
        try:
            return super().get_command(ctx, cmd_name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "testing":
                raise
            raise TagsightError(
                f"tagsight bench {cmd_name} needs the folder testing/ of the source tree, which is not "
                "installed; run it in a checkout"
            ) from error


@click.group(cls=Benchmarks, table=BENCHMARKS)
def bench() -> None:
    """Measure this machine.

    \b
    Example:
      tagsight bench ring --json
    """
