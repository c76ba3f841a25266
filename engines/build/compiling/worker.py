"""The process that calls TensorRT: `python -m engines.build.compiling.worker FD < job.json`.

Answers go to file descriptor FD; what TensorRT says goes to stderr, which the builder keeps as the log.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from engines.build.compiling.job import Built, CompileFailure, CompileJob, CompileProgress, Message
from engines.build.compiling.progress import BuildProgress
from engines.build.manifest import TensorSpec
from engines.errors import BuildError

PR_SET_PDEATHSIG = 1
SEVERITIES = ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")
LOGGED = SEVERITIES[:4]


class CompileFault(BuildError):
    """One sentence about the network or what was asked."""


def main() -> None:
    """Read a job, make its plan, answer."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    answers = os.fdopen(int(sys.argv[1]), "wb", buffering=0)

    def say(message: Message) -> None:
        answers.write(msgspec.json.encode(message) + b"\n")

    job = msgspec.json.decode(sys.stdin.buffer.read(), type=CompileJob)
    try:
        say(compile_plan(job, importlib.import_module(job.library), say))
    except CompileFault as fault:
        say(CompileFailure(str(fault)))


def compile_plan(job: CompileJob, trt: Any, say: Callable[[Message], None]) -> Built:
    """Make the plan and write it. Raises CompileFault."""
    logger = _logger(trt)
    builder = trt.Builder(logger)
    if builder is None:
        raise CompileFault(f"TensorRT cannot build here: {logger.last_error or 'no reason given'}")
    network = builder.create_network(_creation_flags(trt, job))
    parser = trt.OnnxParser(network, logger)
    _parse(parser, network, job, logger)
    config = builder.create_builder_config()
    if hasattr(config, "progress_monitor"):
        config.progress_monitor = _monitor(trt, say)
    _set_up(trt, builder, config, job)
    on_gpu = _use_dla(trt, builder, config, network, job)
    inputs = tuple(_described(network.get_input(place), job) for place in range(network.num_inputs))
    _add_profiles(builder, config, network.get_input(0), job)
    cache = _open_timing_cache(config, job)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise CompileFault(f"TensorRT cannot build it: {logger.last_error or 'it gave no reason'}")
    Path(job.plan).write_bytes(memoryview(plan))
    _keep_timing_cache(config, cache, job)
    outputs = tuple(_described(network.get_output(place), job) for place in range(network.num_outputs))
    return Built(inputs=inputs, outputs=outputs, layers=network.num_layers, on_gpu=on_gpu)


def _creation_flags(trt: Any, job: CompileJob) -> int:
    """Strongly typed where asked; an explicit batch where the release still has the other kind."""
    kinds = trt.NetworkDefinitionCreationFlag
    wanted = ["STRONGLY_TYPED"] if job.typed else []
    release = int(trt.__version__.split(".")[0])
    if job.library == "tensorrt" and release < 10:
        wanted.append("EXPLICIT_BATCH")
    return sum(1 << int(getattr(kinds, name)) for name in wanted)


def _parse(parser: Any, network: Any, job: CompileJob, logger: Any) -> None:
    content = Path(job.onnx).read_bytes()
    if not parser.parse(content):
        raise CompileFault(_parser_sentence(parser, job) if parser.num_errors else logger.last_error)
    if network.num_outputs == 0 or network.num_inputs == 0:
        raise CompileFault("the file holds no network: damaged, cut short or not ONNX")


def _parser_sentence(parser: Any, job: CompileJob) -> str:
    """What the parser holds against the network, with the node's name."""
    error = parser.get_error(0)
    place = error.node()
    name, operation = job.nodes[place] if 0 <= place < len(job.nodes) else ("", "")
    if not name and hasattr(error, "node_name"):
        name, operation = error.node_name(), error.node_operator()
    said = " ".join(error.desc().split()).removeprefix("Assertion failed: ")
    where = f"node {name!r} ({operation}): " if name else ""
    if "Plugin not found" in said or "creator &&" in said:
        said = "TensorRT has no such operation"
    return f"{where}{said}"


def _set_up(trt: Any, builder: Any, config: Any, job: CompileJob) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, job.options.workspace_mib << 20)
    if hasattr(config, "builder_optimization_level"):
        config.builder_optimization_level = job.options.level
    for name in job.flags:
        config.set_flag(getattr(trt.BuilderFlag, name))
    if "TF32" not in job.flags and hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)
    if hasattr(builder, "max_threads"):
        builder.max_threads = max(1, len(os.sched_getaffinity(0)))
    if job.target_sm:
        _aim(trt, config, job.target_sm)


def _aim(trt: Any, config: Any, target_sm: int) -> None:
    """Build for a device that is not here, where the release can."""
    kinds = getattr(trt, "ComputeCapability", None)
    if kinds is None or not hasattr(kinds, f"SM{target_sm}"):
        known = sorted(int(name[2:]) for name in dir(kinds) if name[:2] == "SM" and name[2:].isdecimal())
        able = ", ".join(f"sm_{number}" for number in known) or "only the device it runs on"
        raise CompileFault(f"this TensorRT cannot build for sm_{target_sm}; it can for {able}")
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(kinds, f"SM{target_sm}"), 0)


def _use_dla(trt: Any, builder: Any, config: Any, network: Any, job: CompileJob) -> tuple[str, ...]:
    """Put the network on a DLA core; the names of the layers that stay on the GPU."""
    core = job.options.dla_core
    if core is None:
        return ()
    cores = int(getattr(builder, "num_DLA_cores", 0))
    if not 0 <= core < cores:
        have = f"cores 0 to {cores - 1}" if cores else "no DLA"
        raise CompileFault(f"DLA core {core} was asked for, but this device has {have}; leave --dla out")
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    layers = [network.get_layer(place) for place in range(network.num_layers)]
    left = tuple(layer.name for layer in layers if not config.can_run_on_DLA(layer))
    if len(left) == len(layers):
        raise CompileFault("no layer of the network runs on the DLA; leave --dla out")
    return left


def _add_profiles(builder: Any, config: Any, entry: Any, job: CompileJob) -> None:
    width, height = job.options.size_wh
    least = 1
    for most in job.options.buckets:
        if job.options.dla_core is not None or job.batch is not None:
            least = most
        profile = builder.create_optimization_profile()
        shapes = [(batch, 3, height, width) for batch in (least, most, most)]
        try:
            profile.set_shape(entry.name, *shapes)
            accepted = config.add_optimization_profile(profile) >= 0
        except (RuntimeError, ValueError, TypeError):
            accepted = False
        if not accepted:
            raise CompileFault(
                f"input {entry.name!r} {list(entry.shape)} does not take batches of {least} to {most} "
                f"pictures of {width} x {height}"
            )
        least = most + 1


def _described(tensor: Any, job: CompileJob) -> TensorSpec:
    shape = tuple(int(side) for side in tensor.shape)
    kind = {"FLOAT": "float32", "HALF": "float16"}.get(tensor.dtype.name, tensor.dtype.name.lower())
    return TensorSpec(tensor.name, kind, shape)


def _open_timing_cache(config: Any, job: CompileJob) -> Any:
    if not job.timing_cache or not hasattr(config, "create_timing_cache"):
        return None
    path = Path(job.timing_cache)
    known = path.read_bytes() if path.is_file() else b""
    cache = config.create_timing_cache(known)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        cache = config.create_timing_cache(b"")
        if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
            return None
    return cache


def _keep_timing_cache(config: Any, cache: Any, job: CompileJob) -> None:
    if cache is None:
        return
    content = config.get_timing_cache().serialize()
    if content is not None:
        Path(f"{job.timing_cache}.new").write_bytes(memoryview(content))


def _logger(trt: Any) -> Any:
    """TensorRT's logger: everything but chatter to stderr, the last error kept."""

    class TensorRtLog(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last_error = ""

        def log(self, severity: Any, message: str) -> None:
            if severity.name in SEVERITIES[:2]:
                self.last_error = " ".join(message.split())[:300]
            if severity.name in LOGGED:
                sys.stderr.write(f"{severity.name}: {message}\n")

    return TensorRtLog()


def _monitor(trt: Any, say: Callable[[Message], None]) -> Any:
    """TensorRT's progress monitor, where the release has one."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps = BuildProgress()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.steps.begin(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            moved = self.steps.complete(phase_name, step)
            if moved is not None:
                say(CompileProgress(moved, phase_name))
            return True

        def phase_finish(self, phase_name: str) -> None:
            self.steps.finish(phase_name)

    return Monitor()


if __name__ == "__main__":
    main()
