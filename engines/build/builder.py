"""Engines for this machine's GPU: built once, verified, and used only then.

    with open_site() as site, site.plans.builder():
        outcome = build(site, Request(engine, options), print, on_progress)

A build never touches what is in use: see `engines.build.store` for how one becomes the other.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import onnx

from engines.backends.tensorrt import TensorRt
from engines.build.compiling import supervised
from engines.build.compiling.job import Built, CompileJob
from engines.build.compiling.supervised import OnProgress
from engines.build.key import KeyParts, Options
from engines.build.manifest import PlanManifest, Published, Verification
from engines.build.precision import eightbit, graphs
from engines.build.site import BuildSite, is_typed, prepared, source_of
from engines.build.store import LOG, PLAN, digest
from engines.build.verification import now, verified
from engines.catalogue import KnownEngine, trust
from engines.errors import BuildError, EngineError

MIB = 1 << 20
MIN_DISK_MIB = 300
DISK_PER_NETWORK = 24
"""A plan holds kernels for each batch size: up to sixteen times the network was seen."""
MIN_MEMORY_MIB = 900
DEFAULT_LIMIT_S = 3600.0

Ending = Literal["up to date", "built", "built, not run", "skipped", "failed"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """One engine that is wanted."""

    engine: KnownEngine
    options: Options
    frames: Path | None = None
    """Folder of images to calibrate 8 bits with; None: what was calibrated before."""
    force: bool = False
    limit_s: float = DEFAULT_LIMIT_S

    @property
    def title(self) -> str:
        """For people."""
        width, height = self.options.size_wh
        return f"{self.engine.entry.name} {width}x{height} {self.options.precision}"


class BuildOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request."""

    title: str
    ending: Ending
    why: str = ""
    folder: str = ""
    built_s: float | None = None
    verified: Verification | None = None


def key_parts(site: BuildSite, request: Request, source: Path) -> KeyParts:
    """What the engine would be built from and for. Raises BuildError where 8 bits were not accepted."""
    quantised = ""
    if request.options.precision == "int8":
        quantised = eightbit.accepted(site.plans, request.engine, source, request.options.size_wh).digest
    return KeyParts(
        onnx_sha256=graphs.content_digest(source),
        quantised_sha256=quantised,
        machine=site.machine,
        options=request.options,
        flags=builder_flags(site.library, request.options),
    )


def builder_flags(library: TensorRt, options: Options) -> tuple[str, ...]:
    """Names of the builder flags to set. Raises BuildError where the release lacks one."""
    if is_typed(library, options):
        return ()
    wanted = {"fp32": (), "fp16": ("FP16",), "int8": ("FP16", "INT8")}[options.precision]
    missing = [name for name in wanted if not hasattr(library.module.BuilderFlag, name)]
    if options.dla_core is not None and (missing or not wanted):
        why = (
            "a DLA runs fp16 and int8 only" if not wanted else f"{library.name} {library.version} cannot mix"
        )
        raise BuildError(f"DLA core {options.dla_core} was asked for, but {why}; leave --dla out")
    if missing:
        raise BuildError(f"{library.name} {library.version} has no {' and '.join(missing)}")
    return tuple(wanted)


def build(site: BuildSite, request: Request, say: Say, on_progress: OnProgress) -> BuildOutcome:
    """Have the engine in use, built only where it must be. The caller is the store's one builder.

    Never raises EngineError: a failure is an outcome, and what was in use stays in use.
    """
    try:
        return _build(site, request, say, on_progress)
    except EngineError as error:
        return BuildOutcome(title=request.title, ending="failed", why=str(error))


def _build(site: BuildSite, request: Request, say: Say, on_progress: OnProgress) -> BuildOutcome:
    source = source_of(request.engine)
    request = _settled(request, source)
    if request.options.precision == "int8" and request.frames is not None:
        judged = eightbit.calibrate(
            site.plans, request.engine, source, request.options.size_wh, request.frames
        )
        say(f"8 bits: {judged.sentence()}")
    parts = key_parts(site, request, source)
    name, options = request.engine.entry.name, request.options
    there = site.plans.published(name, options.size_wh, options.precision, parts.key())
    if there is not None and not request.force:
        if there.manifest.verified is not None and site.plans.in_use(there):
            return _outcome(request, "up to date", there)
        if site.cuda is not None:
            say("built before, not yet verified")
        fresh = False
    else:
        fresh = True
        there = _compile(site, request, source, parts, say, on_progress)
    if site.cuda is None:
        why = "no GPU here to verify it; it is not in use"
        return _outcome(request, "built, not run", there, why, fresh=fresh)
    verification = verified(site, there, source)
    return _outcome(request, "built", site.plans.promote(there, verification), fresh=fresh)


def _settled(request: Request, source: Path) -> Request:
    """With the one batch that the network takes, where it does not leave that free."""
    batch = graphs.fixed_batch(graphs.read(source), source)
    if batch is None:
        return request
    return dataclasses.replace(request, options=msgspec.structs.replace(request.options, buckets=(batch,)))


def _outcome(
    request: Request, ending: Ending, published: Published, why: str = "", *, fresh: bool = False
) -> BuildOutcome:
    manifest = published.manifest
    return BuildOutcome(
        title=request.title,
        ending=ending,
        why=why,
        folder=str(published.folder),
        built_s=manifest.built_s if fresh else None,
        verified=manifest.verified,
    )


def _compile(
    site: BuildSite, request: Request, source: Path, parts: KeyParts, say: Say, on_progress: OnProgress
) -> Published:
    options = request.options
    content = prepared(site, request.engine, source, options)
    preflight(site, len(content), options)
    device = "-".join(
        map(str, (site.machine.flavour, site.machine.tensorrt, site.machine.device, site.machine.sm))
    )
    cache = site.plans.timing_cache(f"{device}-{site.machine.multiprocessors}")
    with site.plans.workshop() as shop:
        draft = shop / "engine"
        trust.make_private_folder(draft)
        onnx_path = shop / "network.onnx"
        trust.write_private(onnx_path, content)
        job = _job(site, options, content, onnx_path, draft / PLAN, cache)
        began_s = time.monotonic()
        built = _run(job, draft / LOG, request, site, on_progress)
        took_s = time.monotonic() - began_s
        plan = trust.read_private(draft / PLAN, 1 << 30)
        if built.on_gpu:
            say(
                f"{len(built.on_gpu)} of {built.layers} layers stay on the GPU: {', '.join(built.on_gpu[:5])}"
            )
        new = Path(f"{cache}.new")
        if new.is_file():
            new.replace(cache)
        manifest = PlanManifest(
            name=request.engine.entry.name,
            key=parts.key(),
            parts=parts,
            plan_sha256=digest(plan),
            plan_bytes=len(plan),
            inputs=built.inputs,
            outputs=built.outputs,
            built_at=now(),
            built_s=round(took_s, 1),
        )
        return site.plans.publish(draft, manifest)


def _job(
    site: BuildSite, options: Options, content: bytes, path: Path, plan: Path, cache: Path
) -> CompileJob:
    model = onnx.load_from_string(content)
    return CompileJob(
        library=site.library.name,
        onnx=str(path),
        plan=str(plan),
        options=options,
        typed=is_typed(site.library, options),
        flags=builder_flags(site.library, options),
        input_name=graphs.image_input(model, path).name,
        batch=graphs.fixed_batch(model, path),
        nodes=tuple((node.name, node.op_type) for node in model.graph.node),
        timing_cache=str(cache) if site.cuda is not None else "",
        target_sm=site.machine.sm if site.cuda is None or site.library.name == "tensorrt_rtx" else 0,
    )


def _run(job: CompileJob, log: Path, request: Request, site: BuildSite, on_progress: OnProgress) -> Built:
    """Compile; on a failure the log is kept in quarantine, and the sentence says where."""
    try:
        return supervised.run(job, log, request.limit_s, on_progress)
    except BuildError as error:
        kept = site.plans.keep_log(log, request.title, str(error))
        raise BuildError(f"{request.title}: {error} (log: {kept})") from error


def preflight(site: BuildSite, network_bytes: int, options: Options) -> None:
    """Raises BuildError where disk or memory would run out half way."""
    need_mib = MIN_DISK_MIB + DISK_PER_NETWORK * network_bytes // MIB
    free_mib = shutil.disk_usage(site.plans.root).free // MIB
    if free_mib < need_mib:
        raise BuildError(
            f"{site.plans.root}: {free_mib} MiB are free, and {need_mib} are needed to build safely"
        )
    wanted_mib = MIN_MEMORY_MIB + (options.workspace_mib if site.integrated else 0)
    free_mib = free_memory_mib()
    if free_mib < wanted_mib:
        raise BuildError(
            f"{free_mib} MiB of memory are free, and {wanted_mib} are needed to build; stop other programs "
            "(systemctl stop tagsight), or lower --workspace-mib"
        )


def free_memory_mib(path: Path = Path("/proc/meminfo")) -> int:
    """What programs can still have, as the kernel sees it."""
    for line in path.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    raise BuildError(f"{path}: does not say how much memory is available")
