"""Whether an engine says what its network says, and whether a coarser network still does its work.

Parity: an engine's numbers on the device against onnxruntime's of the very network it was built from.
Accuracy: the 8-bit network's boxes, or vectors, against the fp32 network's, on frames that were kept apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from engines.build.key import Precision
from engines.build.precision.samples import Feed, Feeding
from engines.errors import BuildError
from engines.inference.decoders import CandidateBoxes, DecoderInput, by_name
from engines.inference.nms import iou_matrix, suppress
from engines.inference.reading import NetworkIO

Answers = tuple[NDArray[np.float32], ...]

WORST: dict[Precision, float] = {"fp32": 0.01, "fp16": 0.1, "int8": 0.5}
MEAN: dict[Precision, float] = {"fp32": 0.001, "fp16": 0.01, "int8": 0.05}
"""Limits of the largest and the mean difference, as shares of a channel's range. Kernels sum in another
order, and fp16 has 11 bits; a wrong layout, a lost layer or a wrong input gives a mean near 1."""

MIN_F1 = 0.95
MIN_COSINE = 0.97
MIN_CORRELATION = 0.97
"""Accuracy an 8-bit network must keep, with fp32 as the truth: agreement of boxes (F1 at IoU 0.5), of
vectors, or, for a network that answers with a few numbers, of each number over all inputs."""
FEW_NUMBERS = 8

JUDGED_SCORE = 0.4
JUDGED_OVERLAP = 0.6
SAME_IOU = 0.5


class KeptAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """How an 8-bit network compares with fp32 on held-out frames; stored beside it."""

    onnx_sha256: str
    """Of the network it was made of."""
    quantised_sha256: str
    measure: str
    """`box F1`, `cosine` or `correlation`."""
    value: float
    least: float
    calibrated_with: int
    judged_on: int
    boxes: int = 0
    """fp32 boxes among the judged frames."""

    @property
    def passes(self) -> bool:
        """Good enough to be built."""
        return self.value >= self.least

    def sentence(self) -> str:
        """For people."""
        boxes = f", {self.boxes} boxes" if self.measure == "box F1" else ""
        return (
            f"{self.measure} {self.value:.3f} against fp32 on {self.judged_on} inputs{boxes} "
            f"(at least {self.least:g} is needed; calibrated with {self.calibrated_with})"
        )


@dataclass(frozen=True)
class Difference:
    """As shares of each output channel's range."""

    worst: float
    mean: float

    def fault(self, precision: Precision) -> str:
        """Why the engine is not to be used; empty if it is."""
        if not np.isfinite(self.worst):
            return "it gives numbers that are not finite"
        if self.worst > WORST[precision] or self.mean > MEAN[precision]:
            return (
                f"its answers differ from the network's by up to {self.worst:.2g} of their range, "
                f"{self.mean:.2g} on average (at most {WORST[precision]:g} and {MEAN[precision]:g} are usual)"
            )
        return ""


class Reference:
    """A network on the CPU, by onnxruntime, node by node as it is written.

    Nothing is optimised: fusing fp16 with 8 bits cost onnxruntime 1.31 six times the error of the scales.
    """

    def __init__(self, onnx: bytes) -> None:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        self._session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self.outputs = tuple(entry.name for entry in self._session.get_outputs())

    def run(self, feed: Feed) -> Answers:
        """All outputs, in the network's order."""
        return tuple(self._session.run(None, {self._input: feed}))


def difference(expected: Sequence[Answers], got: Sequence[Answers]) -> Difference:
    """Over all samples and outputs. The channel is the last dimension. Raises BuildError for other shapes."""
    worst, means = 0.0, []
    for wanted, found in zip(expected, got, strict=True):
        for a, b in zip(wanted, found, strict=True):
            if a.shape != b.shape:
                raise BuildError(f"the engine gives {list(b.shape)} where the network gives {list(a.shape)}")
            away = _shares(a, b)
            worst = max(worst, float(away.max(initial=0.0)))
            means.append(float(away.mean()) if away.size else 0.0)
    return Difference(worst, float(np.mean(means)) if means else 0.0)


def _shares(expected: NDArray[np.float32], got: NDArray[np.float32]) -> NDArray[np.float64]:
    wanted = expected.astype(np.float64).reshape(-1, expected.shape[-1] if expected.ndim > 1 else 1)
    found = got.astype(np.float64).reshape(wanted.shape)
    if not np.isfinite(found).all():
        return np.full(wanted.shape, np.inf)
    spread = np.abs(wanted).max(axis=0, initial=0.0)
    floor = 1e-3 * max(1e-9, float(spread.max(initial=0.0)))
    shares: NDArray[np.float64] = np.abs(found - wanted) / np.maximum(spread, floor)
    return shares


def accuracy(
    full: Reference, coarse: Reference, feeding: Feeding, inputs: Sequence[Feed]
) -> tuple[str, float, float, int]:
    """(measure, value, least, boxes) of a coarser network with the fp32 network as the truth."""
    pairs = [(full.run(feed), coarse.run(feed)) for feed in inputs]
    if feeding.reading is None:
        return _likeness([(_flat(a), _flat(b)) for a, b in pairs])
    matched = truths = found = 0
    height, width = inputs[0].shape[2:]
    for a, b in pairs:
        true, seen = (_boxes(feeding.reading, answers, width, height) for answers in (a, b))
        matched += _matched(true, seen)
        truths, found = truths + len(true), found + len(seen)
    if truths == 0:
        raise BuildError(
            "no person was found in the frames that judge the 8-bit network; give frames with people in them"
        )
    return "box F1", 2 * matched / (truths + found), MIN_F1, truths


def _flat(answers: Answers) -> NDArray[np.float64]:
    return np.concatenate([part.ravel() for part in answers]).astype(np.float64)


def _likeness(pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> tuple[str, float, float, int]:
    true, seen = (np.stack(rows) for rows in zip(*pairs, strict=True))
    if true.shape[1] >= FEW_NUMBERS:
        lengths = np.linalg.norm(true, axis=1) * np.linalg.norm(seen, axis=1)
        cosines = np.sum(true * seen, axis=1) / np.maximum(1e-12, lengths)
        return "cosine", float(cosines.mean()), MIN_COSINE, 0
    true, seen = true - true.mean(axis=0), seen - seen.mean(axis=0)
    lengths = np.linalg.norm(true, axis=0) * np.linalg.norm(seen, axis=0)
    correlations = np.sum(true * seen, axis=0) / np.maximum(1e-12, lengths)
    return "correlation", float(correlations.min()), MIN_CORRELATION, 0


def _boxes(reading: NetworkIO, answers: Answers, width: int, height: int) -> NDArray[np.float32]:
    decoder = by_name(reading.decoder)
    scene = DecoderInput(width, height, reading.person_class, JUDGED_SCORE, reading.meaning)
    candidates: CandidateBoxes = decoder.decode(answers, scene)
    if decoder.suppressed:
        return candidates.boxes
    return candidates.boxes[suppress(candidates.boxes, candidates.scores, JUDGED_OVERLAP)]


def _matched(true: NDArray[np.float32], seen: NDArray[np.float32]) -> int:
    """Pairs of boxes, each used once, that overlap by SAME_IOU; best first."""
    if not len(true) or not len(seen):
        return 0
    overlap = iou_matrix(true, seen)
    count = 0
    while overlap.max() >= SAME_IOU:
        row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
        overlap[row], overlap[:, column] = -1.0, -1.0
        count += 1
    return count
