"""The detector on the GPU: latency of each stage and of a batch, frames a second, memory, power.

Times on the GPU are CUDA events'; "answer" is the time on this side from the start of a batch to its persons.
Every setting runs in the same process: frames read where they lie in the ring against copies through pinned
memory, CUDA graphs against pieces queued one by one, two batches in flight against one. Pictures are noise of
the size asked for: a network's time does not depend on them.

Over the fake (`--stand-in`) the same code runs without a GPU; its times say nothing about one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.gpu import plot, stand_in
from bench.gpu.figures import GpuFigures, Percentiles, SettingFigures, not_run, percentiles
from bench.gpu.power import PowerMeter
from engines.cuda.driver import Gpu, SharedRing, open_gpu
from engines.cuda.errors import GpuError
from engines.cuda.execution import Batch, Execution
from engines.cuda.inference import TensorRtNetwork, read_network
from engines.cuda.kernels.compile import cubin_for
from engines.cuda.stream_slot import RingFrame, SlotPlan
from engines.inference.detector import PersonDetector
from runtime.frames.ring.buffer import FrameHeader, FrameRing, PixelFormat

WARM_UP = 10


@dataclass(frozen=True)
class Setting:
    """What is compared."""

    name: str
    staged: bool = False
    graphs: bool = True
    in_flight: int = 2


SETTINGS = (
    Setting("as shipped"),
    Setting("frames copied", staged=True),
    Setting("no graphs", graphs=False),
    Setting("one batch in flight", in_flight=1),
)


class RingCamera:
    """A ring of noise that is open to the GPU."""

    def __init__(self, gpu: Gpu, size_wh: tuple[int, int], pixel_format: PixelFormat, staged: bool) -> None:
        self._ring = FrameRing.create(2, *size_wh)
        rng = np.random.default_rng(0)
        for slot in range(2):
            view = self._ring.slot_view(slot, *size_wh, pixel_format)
            view[...] = rng.integers(0, 256, view.shape, np.uint8)
            self._ring.stamp(slot, FrameHeader(1, 0.0, 0.0, *size_wh, pixel_format))
        self.shared: SharedRing = gpu.share(
            *self._ring.extent, self._ring.frame_bytes, writable=True, staged=staged
        )

    def frame(self, slot: int) -> RingFrame:
        """The frame of a slot."""
        header, picture = self._ring.header(slot), self._ring.frame(slot)
        place, size = self._ring.offset_of(slot), picture.nbytes
        return RingFrame(self.shared, place, size, header.width, header.height, header.pixel_format)

    def close(self) -> None:
        """Close the ring."""
        self.shared.close()
        self._ring.close()


def measure(
    detector: PersonDetector, image_wh: tuple[int, int], batches: Sequence[int], rounds: int
) -> GpuFigures:
    """All settings on the GPU here. Raises EngineError, GpuError with the reason where there is none."""
    gpu = open_gpu()
    with closing(gpu):
        gpu.load(b"\x7fELF" if stand_in.is_here() else cubin_for(gpu.facts.target, gpu.facts.driver_version))
        network, precision = _network(detector, detector.input_size_for(*image_wh), max(batches))
        sizes = tuple(sorted(size for size in set(batches) if size <= network.largest_batch))
        plan = SlotPlan(network, detector.reading, sizes)
        before = gpu.library.free_memory_bytes()
        with closing(Execution(gpu, plan)) as execution:
            memory = before - gpu.library.free_memory_bytes()
            remarks, stages = list(execution.remarks), _stages(gpu, execution, image_wh, sizes, rounds)
            engine = execution.describe()
        figures, source = [], ""
        for setting in SETTINGS:
            with closing(
                Execution(gpu, replace(plan, graphs=setting.graphs), setting.in_flight)
            ) as execution:
                for size in sizes:
                    one, source = _measure_setting(gpu, execution, setting, image_wh, size, rounds)
                    figures.append(one)
        device = gpu.describe(writable=True)
    device += f" ({stand_in.LABEL})" if stand_in.is_here() else ""
    remarks += [f"the engine takes no batch of {size}" for size in batches if size not in sizes]
    width, height = image_wh
    return GpuFigures(
        device,
        engine,
        precision,
        f"{width} x {height} NV12",
        rounds,
        stages,
        figures,
        memory / 1e6,
        source,
        remarks,
    )


def _network(detector: PersonDetector, size: tuple[int, int], largest: int) -> tuple[TensorRtNetwork, str]:
    """The engine to run, and its precision: of the store, or the fake TensorRT's."""
    if stand_in.is_here():
        from engines.cuda.execution import batch_sizes_of
        from testing.gpu.tensorrt import FakeEngine

        engine = FakeEngine(detector.source.path, size, batch_sizes_of(largest))
        return read_network(engine, "fake TensorRT"), "fp32"
    from engines.cuda.stored import network_of

    network = network_of(detector, size)
    return network, str(network.owner.manifest.precision)


def _stages(
    gpu: Gpu, execution: Execution, image_wh: tuple[int, int], sizes: Sequence[int], rounds: int
) -> dict[str, dict[str, Percentiles]]:
    stages: dict[str, dict[str, Percentiles]] = {}
    cameras = [RingCamera(gpu, image_wh, PixelFormat.NV12, staged=False) for _ in range(max(sizes))]
    for size in sizes:
        frames = [camera.frame(0) for camera in cameras[:size]]
        for _ in range(min(WARM_UP, rounds)):
            execution.measure(frames)
        taken = [execution.measure(frames) for _ in range(rounds)]
        stages[str(size)] = {name: percentiles([one[name] for one in taken]) for name in taken[0]}
    for camera in cameras:
        camera.close()
    return stages


def _measure_setting(
    gpu: Gpu, execution: Execution, setting: Setting, image_wh: tuple[int, int], size: int, rounds: int
) -> tuple[SettingFigures, str]:
    cameras = [RingCamera(gpu, image_wh, PixelFormat.NV12, setting.staged) for _ in range(size)]
    way = cameras[0].shared.way.value
    _run(execution, cameras, min(WARM_UP, rounds))
    with PowerMeter() as power:
        start_s = time.perf_counter()
        gpu_ms, answer_ms = _run(execution, cameras, rounds)
        fps = rounds * size / (time.perf_counter() - start_s)
    for camera in cameras:
        camera.close()
    on_gpu, answer = percentiles(gpu_ms), percentiles(answer_ms)
    uses_graphs = setting.graphs and not execution.remarks
    figures = SettingFigures(
        setting.name, way, uses_graphs, setting.in_flight, size, on_gpu, answer, fps, power.mean_w
    )
    return figures, power.source


def _run(execution: Execution, cameras: Sequence[RingCamera], rounds: int) -> tuple[list[float], list[float]]:
    """So many batches, as many in flight as go: milliseconds of each on the GPU and to the answer."""
    gpu_ms: list[float] = []
    answer_ms: list[float] = []
    under_way: deque[tuple[Batch, float]] = deque()

    def finish() -> None:
        batch, start_s = under_way.popleft()
        execution.persons(batch)
        answer_ms.append((time.perf_counter() - start_s) * 1e3)
        execution.finish(batch)
        gpu_ms.append(batch.slot.latency_ms()[0])

    for number in range(rounds):
        if not execution.has_room:
            finish()
        frames = [camera.frame(number % 2) for camera in cameras]
        under_way.append((execution.start(frames), time.perf_counter()))
    while under_way:
        finish()
    return gpu_ms, answer_ms


def report(
    name: str,
    image_wh: tuple[int, int],
    batches: Sequence[int],
    rounds: int,
    out: Path | None,
) -> GpuFigures | str:
    """Measure, and leave gpu.json and gpu.png in `out`; or the sentence that says why nothing was measured.

    Raises TagsightError and EngineError for anything but a missing GPU.
    """
    try:
        open_gpu().close()
    except GpuError as error:
        return not_run(str(error))
    backend = "onnxruntime" if stand_in.is_here() else "auto"
    figures = measure(PersonDetector.open(name, backend=backend), image_wh, batches, rounds)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "gpu.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
        plot.draw_settings(figures, out / "gpu.png")
    return figures


def show(
    name: str,
    image_wh: tuple[int, int],
    batches: Sequence[int],
    rounds: int,
    out: Path | None,
    *,
    over: bool,
    as_json: bool,
) -> None:
    """Print the figures, or why there are none. `over`: over the fake, in a process of its own."""
    if over and not stand_in.is_here():
        size, sizes = "{}x{}".format(*image_wh), ",".join(map(str, batches))
        again = ["bench", "engines", "--gpu", "--detector", name, "--picture", size, "--batches", sizes]
        again += ["--rounds", str(rounds), *(["--out", str(out)] if out else []), *["--json"] * as_json]
        click.echo(stand_in.run(again), nl=False)
        return
    figures = report(name, image_wh, batches, rounds, out)
    if isinstance(figures, str):
        click.echo(msgspec.json.encode({"not_run": figures}) if as_json else figures)
    elif as_json:
        click.echo(msgspec.json.encode(figures))
    else:
        print_figures(figures)


def print_figures(figures: GpuFigures) -> None:
    """Tables for people."""
    console = Console(width=max(120, Console().width))
    console.print(f"{figures.device}\n{figures.engine}, {figures.precision}, {figures.picture}", markup=False)
    stages = Table("batch", "stage", "p50 ms", "p95", "p99", title="stages, queued piece by piece")
    for size, rows in figures.stages_ms.items():
        for stage, one in rows.items():
            stages.add_row(size, stage, f"{one.p50:.3f}", f"{one.p95:.3f}", f"{one.p99:.3f}")
    console.print(stages)
    table = Table("setting", "batch", "graphs", "in flight", "GPU ms p50/p95/p99", "answer ms", "fps", "W")
    for row in figures.settings:
        spans = [f"{one.p50:.2f}/{one.p95:.2f}/{one.p99:.2f}" for one in (row.gpu_ms, row.answer_ms)]
        power = "unknown" if row.power_w is None else f"{row.power_w:.1f}"
        how = (str(row.batch), "yes" if row.graphs else "no", str(row.in_flight))
        table.add_row(row.setting, *how, *spans, f"{row.fps:.0f}", power)
    console.print(table)
    remarks = [f"{figures.memory_mb:.0f} MB of the GPU's memory for one execution", *figures.remarks]
    remarks.append(f"power by {figures.power_source}" if figures.power_source else "power: not readable here")
    for remark in remarks:
        console.print(remark, markup=False)
