"""Whether a built engine does on the device what its network does, and how fast."""

from __future__ import annotations

import datetime
from pathlib import Path

from engines import catalogue
from engines.backends import tensorrt
from engines.build import trial
from engines.build.manifest import Published, Verification
from engines.build.precision import parity, samples
from engines.build.site import BuildSite, prepared
from engines.cuda.errors import GpuError
from engines.cuda.libraries import Library
from engines.errors import BackendError, BuildError


def verified(site: BuildSite, published: Published, source: Path) -> Verification:
    """Run an engine against its network. Raises BuildError, the engine being in quarantine then."""
    assert site.cuda is not None
    manifest = published.manifest
    try:
        verification, fault = _compared(site, site.cuda, published, source)
    except (BackendError, GpuError) as error:
        fault, verification = str(error), None
    if fault or verification is None:
        aside = site.plans.quarantine(published.folder, fault)
        raise BuildError(f"{manifest.name}: the new engine is not used: {fault} (kept in {aside})")
    return verification


def _compared(site: BuildSite, cuda: Library, published: Published, source: Path) -> tuple[Verification, str]:
    manifest = published.manifest
    engine = catalogue.find(manifest.name)
    reference = parity.Reference(prepared(site, engine, source, manifest.parts.options))
    shapes = [spec.shape for spec in manifest.outputs]
    feeding = samples.feeding_of(
        engine, [tuple(s if s > 0 else None for s in shape) for shape in shapes], manifest.size_wh
    )
    inputs = samples.drawn(feeding, manifest.size_wh)
    loaded = tensorrt.load(site.library, site.plans, published)
    got, latency_ms = trial.answers(cuda, loaded, inputs)
    away = parity.difference([reference.run(feed) for feed in inputs], got)
    found = Verification(
        at=now(),
        device=site.machine.device,
        samples=len(inputs),
        worst=away.worst,
        mean=away.mean,
        latency_ms=round(latency_ms, 3),
    )
    return found, away.fault(manifest.precision)


def now() -> str:
    """UTC, RFC 3339."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
