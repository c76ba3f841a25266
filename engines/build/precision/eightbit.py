"""The 8-bit network of an engine: made from frames, judged against fp32, kept with the verdict.

Nothing is built in 8 bits without a stored verdict that it does what the fp32 network does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from engines.backends.protocol import as_shape
from engines.build.precision import conversion, graphs, parity, samples
from engines.build.precision.parity import KeptAccuracy, Reference
from engines.build.store import MAX_PLAN_BYTES, MAX_TEXT_BYTES, PlanStore, digest
from engines.catalogue import KnownEngine, trust
from engines.errors import BuildError, StoreError

NETWORK, VERDICT = "network.onnx", "accuracy.json"
JUDGED_EVERY = 3
"""Every third frame judges; the others calibrate."""


@dataclass(frozen=True)
class EightBit:
    """An accepted 8-bit network."""

    onnx: bytes
    accuracy: KeptAccuracy

    @property
    def digest(self) -> str:
        """SHA-256."""
        return self.accuracy.quantised_sha256


def calibrate(
    plans: PlanStore, engine: KnownEngine, source: Path, size_wh: tuple[int, int], folder: Path
) -> KeptAccuracy:
    """Make the 8-bit network from a folder of frames, judge it on those kept apart, and store both.

    What is judged is what TensorRT is given where precision is in the network: 8 bits, and fp16 between.
    Raises BuildError for too few frames; a bad verdict is stored and returned.
    """
    full = conversion.plain(source, size_wh)
    shapes = [as_shape(_sides(output)) for output in full.graph.output]
    feeding = samples.feeding_of(engine, shapes, size_wh)
    inputs = samples.feeds(feeding, size_wh, samples.frames(folder))
    judging = inputs[::JUDGED_EVERY]
    calibrating = [feed for place, feed in enumerate(inputs) if place % JUDGED_EVERY]
    quantised = conversion.quantise(source, size_wh, calibrating)
    given = conversion.prepared(source, size_wh, "int8", typed=True, quantised=quantised)
    measure, value, least, boxes = parity.accuracy(
        Reference(conversion.serialised(full)), Reference(given), feeding, judging
    )
    verdict = KeptAccuracy(
        onnx_sha256=graphs.content_digest(source),
        quantised_sha256=digest(quantised),
        measure=measure,
        value=round(value, 4),
        least=least,
        calibrated_with=len(calibrating),
        judged_on=len(judging),
        boxes=boxes,
    )
    place = plans.quantised(engine.entry.name, size_wh)
    for private in (place.parent, place):
        trust.make_private_folder(private)
    (place / VERDICT).unlink(missing_ok=True)
    trust.write_private(place / NETWORK, quantised)
    trust.write_private(place / VERDICT, msgspec.json.encode(verdict))
    return verdict


def _sides(output: object) -> list[int]:
    return [side.dim_value for side in output.type.tensor_type.shape.dim]  # type: ignore[attr-defined]


def verdict_on(plans: PlanStore, engine: KnownEngine, size_wh: tuple[int, int]) -> KeptAccuracy | None:
    """The stored verdict, or None where the network was never brought to 8 bits. Raises StoreError."""
    path = plans.quantised(engine.entry.name, size_wh) / VERDICT
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(trust.read_private(path, MAX_TEXT_BYTES), type=KeptAccuracy)
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: is no verdict ({error}); calibrate again with --frames") from error


def accepted(plans: PlanStore, engine: KnownEngine, source: Path, size_wh: tuple[int, int]) -> EightBit:
    """The 8-bit network with a good verdict. Raises BuildError where there is none for this network."""
    name = engine.entry.name
    verdict = verdict_on(plans, engine, size_wh)
    width, height = size_wh
    if verdict is None:
        raise BuildError(
            f"{name} {width}x{height}: int8 needs frames of your cameras to calibrate with: --frames DIR"
        )
    if verdict.onnx_sha256 != graphs.content_digest(source):
        raise BuildError(
            f"{name} {width}x{height}: the network has changed since it was calibrated: --frames DIR"
        )
    if not verdict.passes:
        raise BuildError(f"{name} {width}x{height}: int8 is refused: {verdict.sentence()}; use fp16")
    content = trust.read_private(plans.quantised(name, size_wh) / NETWORK, MAX_PLAN_BYTES)
    if digest(content) != verdict.quantised_sha256:
        raise StoreError(
            f"{name} {width}x{height}: the 8-bit network has changed; calibrate again: --frames DIR"
        )
    return EightBit(content, verdict)
