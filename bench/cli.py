"""`tagsight bench`: every figure is a ratio against a baseline measured in the same run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from runtime.lazy_group import LazyGroup
from tagsight.errors import TagsightError

CHECKOUT = Path(__file__).resolve().parent.parent
BENCHMARKS = {
    "ring": ("bench.runtime.ring", "Frame ring against pipe, queue and named shared memory."),
    "kernels": ("bench.gpu.kernels.command", "The CUDA kernels against an oracle, without a GPU."),
    "parity": ("bench.gpu.parity", "Persons and tracks by the GPU path against the CPU path."),
    "density": ("bench.gpu.density", "Cameras one box carries: frames a second by number of cameras."),
    "decoding": ("bench.runtime.decoding", "Decoding a file: ours against OpenCV, costs and right pictures."),
    "camera": ("bench.runtime.camera", "A network camera: ours against OpenCV, CPU time of a frame."),
    "console": ("bench.runtime.console", "The shop in a browser: what it costs, looked at or not."),
    "floor": ("bench.vision.floor_map", "A measured floor map: what it predicts, within 8 m."),
    "throughput": ("bench.runtime.throughput", "The whole camera path against the usual loop."),
    "tracking": ("bench.vision.tracking", "MOT figures and floor error on a labelled clip."),
    "engines": ("bench.vision.engines", "Our networks against the ones they replace: speed and accuracy."),
    "crowd": ("bench.vision.crowd", "Many people in one frame: tracker and store, time and memory."),
    "matching": ("bench.vision.matching", "Tag x person matching on synthetic crowds."),
    "identity": (
        "bench.vision.identity.command",
        "One visitor across cameras, on simulated shops, against looks alone.",
    ),
    "staged": (
        "bench.vision.staged.command",
        "Counts, identities and hands on films of staged scenes, without processes.",
    ),
    "flips": ("bench.flips.command", "Flip detectors on unseen simulated stores and real reads."),
    "stock": ("bench.stock.command", "Garments that arrive, move and depart, on simulated stores."),
    "soak": (
        "bench.reliability.soak.command",
        "Memory, descriptors and threads of the daemon over a long run.",
    ),
    "uplink": ("bench.runtime.uplink", "Outbox and broker against paho alone and the disk's fsync."),
    "llrp": ("bench.llrp.command", "The reader session against faults, hostile bytes and time."),
    "interop": ("bench.llrp.interop", "Other LLRP clients, an emulator and tshark against ours."),
    "faults": (
        "bench.reliability.faults.command",
        "Break everything we know how to break; account for every event.",
    ),
    "fleet": ("bench.fleet.command", "The warehouse: every row on many seeds, cost, kills, slow queries."),
    "forecast": ("bench.fleet.forecast", "Footfall 90 days ahead on real counts against medians."),
    "search": (
        "bench.fleet.search.command",
        "Words to garment pictures: trained towers against BM25 and the kind.",
    ),
    "mirror": (
        "bench.fleet.mirror",
        "What goes with what on real baskets against popularity; event to screen.",
    ),
    "filling": (
        "bench.fleet.filling.command",
        "Missing hours filled by a join in Spark: shuffled, broadcast.",
    ),
    "guide": ("bench.fleet.guide", "Which coupon is redeemed: by others' redemptions, with and without age."),
    "fuzz": ("bench.reliability.fuzz.command", "Mutated input for parsers of config, payloads, outbox."),
}


NOT_INSTALLED = ("testing", "engines/training", "rfid_reader/training")


class Benchmarks(LazyGroup):
    """The rigs that some of them need are not installed with the product."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """As usual; in a checkout the rigs beside this folder are found, however the product is installed."""
        if (CHECKOUT / "testing" / "rig.py").exists() and str(CHECKOUT) not in sys.path:
            sys.path.append(str(CHECKOUT))
        with _rigs_needed(lambda: cmd_name):
            return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        """As usual; rigs that are missing are said."""
        with _rigs_needed(lambda: ctx.invoked_subcommand or ""):
            return super().invoke(ctx)


@contextmanager
def _rigs_needed(name: Callable[[], str]) -> Iterator[None]:
    """Says where a benchmark runs whose rigs are not installed. Raises TagsightError."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = next((folder for folder in NOT_INSTALLED if _within(error.name or "", folder)), None)
        if missing is None:
            raise
        raise TagsightError(
            f"tagsight bench {name()} needs the folder {missing}/ of the source tree, which is not "
            "installed; run it in a checkout"
        ) from error


def _within(module: str, folder: str) -> bool:
    package = folder.replace("/", ".")
    return module == package or module.startswith(package + ".")


@click.group(cls=Benchmarks, table=BENCHMARKS)
def bench() -> None:
    """Measure this machine.

    \b
    Example:
      tagsight bench ring --json
    """
