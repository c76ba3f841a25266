"""What is built on this machine, in words: for `tagsight engines list` and `verify`, and for the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engines import catalogue
from engines.backends import tensorrt
from engines.build.key import KeyParts
from engines.build.manifest import Published, Verification
from engines.build.store import PlanStore, weights_of
from engines.cuda.errors import GpuError
from engines.errors import BackendError, EngineError

if TYPE_CHECKING:
    from engines.build.site import BuildSite


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """A built engine, and what is wrong with it, if anything."""

    title: str
    key: str
    in_use: bool
    parts: KeyParts
    built_at: str
    plan_bytes: int
    verified: Verification | None
    """When it was put into use; of this moment where `run_now`."""
    run_now: bool = False
    stale: tuple[str, ...] = ()
    """What is not as it was when it was built."""
    fault: str = ""

    def line(self) -> str:
        """For people."""
        machine = self.parts.machine
        where = machine.device or f"sm_{machine.sm}"
        words = [
            "in use" if self.in_use else "not in use",
            f"built {self.built_at} by {machine.flavour} {machine.tensorrt} for {where}",
            f"{self.plan_bytes / 1e6:.1f} MB, key {self.key[:12]}",
            self._verdict(),
        ]
        words += [f"to be built again: {', '.join(self.stale)}"] if self.stale else []
        words += [self.fault] if self.fault else []
        return f"{self.title}: {'; '.join(words)}"

    def _verdict(self) -> str:
        if self.verified is None:
            return "never run"
        figures = self.verified
        when = "now" if self.run_now else f"on {figures.at}"
        return (
            f"{when}: differs from the network by at most {figures.worst:.2g} of its range "
            f"({figures.mean:.2g} on average), {figures.latency_ms:g} ms a frame"
        )


def states(names: tuple[str, ...] = (), *, run: bool = False) -> tuple[list[EngineState], str]:
    """All built engines of these names, and why they were not run (empty if they were, or were not to be).

    Raises StoreError for a store that is not safe.
    """
    plans = PlanStore.open()
    built = [one for one in plans.everything() if not names or one.manifest.name in names]
    if not run or not built:
        return [_state(plans, one) for one in built], ""
    try:
        tensorrt.check_builder()
        from engines.build.site import open_site

        with open_site() as site:
            return [_run(site, one) for one in built], ""
    except GpuError as error:
        reason = f"not run: no GPU ({error})"
    except BackendError as error:
        reason = f"not run: {error}"
    return [_state(plans, one) for one in built], reason


def _state(plans: PlanStore, one: Published) -> EngineState:
    manifest = one.manifest
    width, height = manifest.size_wh
    fault = ""
    try:
        plans.read_plan(one)
    except EngineError as error:
        fault = str(error)
    return EngineState(
        title=f"{manifest.name} {width}x{height} {manifest.precision}",
        key=manifest.key,
        in_use=plans.in_use(one),
        parts=manifest.parts,
        built_at=manifest.built_at,
        plan_bytes=manifest.plan_bytes,
        verified=manifest.verified,
        stale=tuple(_stale(one)),
        fault=fault,
    )


def _stale(one: Published, site: BuildSite | None = None) -> list[str]:
    """In what the engine is not for this machine and today's weights."""
    then = one.manifest.parts
    try:
        plain = weights_of(one.manifest.name)
    except EngineError:
        return ["the network is no longer known here"]
    now = msgspec.structs.replace(
        then, onnx_sha256=plain, machine=site.machine if site is not None else then.machine
    )
    return then.differences(now)


def _run(site: BuildSite, one: Published) -> EngineState:
    """Run an engine now; one that fails goes into quarantine."""
    known = _state(site.plans, one)
    stale = tuple(_stale(one, site))
    if known.fault or stale:
        return msgspec.structs.replace(known, stale=stale)
    from engines.build.site import source_of
    from engines.build.verification import verified

    try:
        figures = verified(site, one, source_of(catalogue.find(one.manifest.name)))
    except EngineError as error:
        return msgspec.structs.replace(known, fault=str(error), in_use=False)
    return msgspec.structs.replace(known, verified=figures, run_now=True)


def library_line() -> str:
    """Which TensorRT is here, or why there is none that serves."""
    try:
        library = tensorrt.find()
    except BackendError as error:
        return str(error)
    typed = "precision is in the network" if library.typed else "precision by builder flags"
    return f"{library.name} {library.version}, {typed}"
