"""Random cases of every kernel on the host double against the oracle.

A check raises Mismatch, or gives the largest error it saw. Every output begins as rubbish, so an element that
is not written shows; every buffer has exactly the size it needs, so the sanitizers see one step beyond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.kernel_double import oracle
from bench.kernel_double.oracle import Lies, Picture
from engines.cuda import launches
from engines.cuda.launches import BGR, MAX_KEPT, NV12, Decoded, Kept, Launch, Placed

RUBBISH = 0xA7
PAD = 114.0


class Runner(Protocol):
    """What runs the kernels: the host double, or a GPU."""

    def address(self, array: NDArray[Any]) -> int:
        """Where kernels find the array; it keeps its place until `forget`."""

    def run(self, launch: Launch, order: int = 0) -> None:
        """Run to the end; arrays that kernels write hold the result."""

    def forget(self) -> None:
        """No array is used any more."""


class Mismatch(AssertionError):
    """A kernel's result is not the oracle's."""


def expect(holds: bool, what: str) -> None:
    """Raises Mismatch."""
    if not holds:
        raise Mismatch(what)


def rubbish(shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """An array of exactly that size, full of what no kernel writes."""
    array = np.empty(shape, kind)
    array.view(np.uint8)[...] = RUBBISH
    return array


def address(array: NDArray[Any]) -> int:
    """Where it lies."""
    return int(array.ctypes.data)


def random_picture(rng: np.random.Generator, most: int = 60) -> Picture:
    """BGR or NV12, odd sizes too, with or without a gap after each row and before the chroma."""
    width, height, gap = (
        int(rng.integers(1, most)),
        int(rng.integers(1, most)),
        int(rng.integers(0, 2) * rng.integers(0, 9)),
    )
    if rng.random() < 0.5:
        row_bytes = 3 * width + gap
        return Picture(_noise(rng, (height - 1) * row_bytes + 3 * width), width, height, BGR, row_bytes)
    used = width + width % 2
    row_bytes = used + gap
    chroma_offset = height * row_bytes + int(rng.integers(0, 2) * rng.integers(0, 40))
    size = chroma_offset + ((height + 1) // 2 - 1) * row_bytes + used
    return Picture(_noise(rng, size), width, height, NV12, row_bytes, chroma_offset)


def _noise(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    return rng.integers(0, 256, size, np.uint8)


def _placed(
    double: Runner, rng: np.random.Generator, picture: Picture | None, width: int, height: int
) -> Placed:
    size = (int(rng.integers(1, width + 3)), int(rng.integers(1, height + 3)))
    offset = (int(rng.integers(-2, width - size[0] + 3)), int(rng.integers(-2, height - size[1] + 3)))
    if picture is None:
        return Placed(0, 0, 0, 0, offset, size)
    lies = (double.address(picture.memory), len(picture.memory), picture.width, picture.height)
    return Placed(*lies, offset, size, picture.format, picture.row_bytes, picture.chroma_offset)


def _random_rule(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    if rng.random() < 0.4:
        return np.zeros(3), np.full(3, 255.0), bool(rng.random() < 0.5)
    mean = rng.uniform(0, 130, 3).astype(np.float32).astype(np.float64)
    std = rng.uniform(50, 255, 3).astype(np.float32).astype(np.float64)
    return mean, std, bool(rng.random() < 0.5)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def check_letterbox(double: Runner, rng: np.random.Generator) -> dict[str, float]:
    """Pictures of several rings into one batch, some places empty, one descriptor a byte short."""
    batch, (width, height) = int(rng.integers(1, 5)), rng.integers(1, 70, 2).tolist()
    count = int(rng.integers(0, batch + 1))
    pictures = [random_picture(rng) if rng.random() < 0.85 else None for _ in range(count)]
    places = [_placed(double, rng, picture, width, height) for picture in pictures]
    table = launches.descriptors(places)
    for number in range(count):
        if rng.random() < 0.15 and table["bytes"][number]:
            table["bytes"][number] -= 1
            pictures[number] = None
    mean, std, rgb = _random_rule(rng)
    rule = launches.pixel_rule(_triple(mean), _triple(std), rgb=rgb)
    whole = rubbish((batch, 3, height, width), np.float32)
    halves = rubbish((batch, 3, height, width), np.float16)
    for out, half in ((whole, False), (halves, True)):
        shape = (batch, height, width)
        double.run(
            launches.letterbox(double.address(table), count, double.address(out), shape, rule, half=half)
        )
    expected = np.stack(
        [
            oracle.as_input(_letterboxed(pictures, places, image, (height, width)), mean, std, rgb=rgb)
            for image in range(batch)
        ]
    )
    return _compared("letterbox", whole, halves, expected, 1e-5)


def _letterboxed(
    pictures: list[Picture | None], places: list[Placed], image: int, shape: tuple[int, int]
) -> NDArray[np.float64]:
    if image >= len(pictures):
        return np.full((*shape, 3), PAD)
    return oracle.letterboxed(pictures[image], places[image].offset_xy, places[image].size_wh, shape, PAD)


def _compared(
    name: str, whole: NDArray[Any], halves: NDArray[Any], expected: NDArray[np.float64], limit: float
) -> dict[str, float]:
    error = float(np.abs(whole - expected).max(initial=0.0))
    expect(error <= limit, f"{name}: float32 is {error:.3g} off, {limit:.3g} is allowed")
    same = np.array_equal(halves.view(np.uint16), whole.astype(np.float16).view(np.uint16))
    expect(same, f"{name}: float16 is not the float32 result rounded to nearest even")
    if expected.min(initial=0.0) < 0 or expected.max(initial=0.0) > 1:
        return {f"{name} fp32, other means and scales": error}
    half_error = float(np.abs(halves - expected).max(initial=0.0))
    return {f"{name} fp32, values 0 to 1": error, f"{name} fp16, values 0 to 1": half_error}


def check_half(double: Runner, rng: np.random.Generator) -> dict[str, float]:
    """All 256 levels at scales from subnormal halves to their overflow, ties included."""
    levels = np.arange(256, dtype=np.uint8).repeat(3)
    scale = float(2.0 ** rng.integers(-10, 27)) * (1.0 if rng.random() < 0.5 else rng.uniform(1.0, 2.0))
    mean = float(rng.choice([0.0, -2048.0, -4096.0, 128.0, 127.3]))
    table = launches.descriptors([Placed(double.address(levels), 768, 256, 1, (0, 0), (256, 1))])
    rule = launches.pixel_rule((mean,) * 3, (scale,) * 3, rgb=False)
    halves = rubbish((1, 3, 1, 256), np.float16)
    double.run(
        launches.letterbox(double.address(table), 1, double.address(halves), (1, 1, 256), rule, half=True)
    )
    values = (np.arange(256, dtype=np.float32) - np.float32(mean)) / np.float32(scale)
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16).view(np.uint16)
    wrong = np.flatnonzero((halves[0].view(np.uint16) != expected).any((0, 1)))
    expect(not len(wrong), f"half: {values[wrong[:1]]} is rounded wrongly")
    return {}


def check_crops(double: Runner, rng: np.random.Generator) -> dict[str, float]:
    """Boxes inside, across and outside the picture, larger than the crop, empty, upside down, not finite,
    grown or not; odd counts."""
    images, (width, height) = int(rng.integers(1, 4)), rng.integers(1, 40, 2).tolist()
    pictures = [random_picture(rng) if rng.random() < 0.9 else None for _ in range(images)]
    places = [_placed(double, rng, picture, 64, 48) for picture in pictures]
    table = launches.descriptors(places)
    boxes = rng.uniform(-30, 90, (images, MAX_KEPT, 4)).astype(np.float32)
    boxes[..., 2:] = boxes[..., :2] + rng.uniform(-4, 60, (images, MAX_KEPT, 2)).astype(np.float32)
    boxes[rng.random(boxes.shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    counts = rng.choice([-1, 0, 1, 2, 3], images).astype(np.int32)
    crops = int(rng.integers(1, 9))
    if rng.random() < 0.2:
        counts[-1], width, height = 1000, 1, 2
        crops = MAX_KEPT + int(np.maximum(counts[:-1], 0).sum()) + 2
    mean, std, rgb = _random_rule(rng)
    rule = launches.pixel_rule(_triple(mean), _triple(std), rgb=rgb)
    grown_x, grown_y = (float(share) for share in rng.choice([0.0, 0.12, 0.3, 2.0], 2))
    whole = rubbish((crops, 3, height, width), np.float32)
    halves = rubbish((crops, 3, height, width), np.float16)
    owners = rubbish((crops,), np.int32)
    for out, half in ((whole, False), (halves, True)):
        given = (
            double.address(table),
            double.address(boxes),
            double.address(counts),
            images,
            double.address(out),
            double.address(owners),
        )
        shape = (crops, height, width)
        double.run(launches.crop_boxes(*given, shape, rule, half=half, grown=(grown_x, grown_y)))
    bounded = np.clip(counts, 0, MAX_KEPT)
    everyone = [image * MAX_KEPT + rank for image in range(images) for rank in range(bounded[image])]
    expected_owners = (everyone + [-1] * crops)[:crops]
    expect(owners.tolist() == expected_owners, f"crops belong to {owners.tolist()}, not {expected_owners}")
    expected = np.full((crops, height, width, 3), PAD)
    for crop, owner in enumerate(expected_owners):
        image, picture = owner // MAX_KEPT, pictures[owner // MAX_KEPT] if owner >= 0 else None
        if picture is not None:
            lies = Lies(places[image].offset_xy, (table["step_x"][image], table["step_y"][image]))
            box = boxes[image, owner % MAX_KEPT]
            expected[crop] = oracle.cropped(picture, box, lies, (height, width), (grown_x, grown_y), PAD)
    wanted = np.stack([oracle.as_input(crop, mean, std, rgb=rgb) for crop in expected])
    return _compared("crop", whole, halves, wanted, 2e-4)


def check_decoders(double: Runner, rng: np.random.Generator) -> dict[str, float]:
    """Every decoder, sizes that are no multiple of the strides, too many or too few cells, NaN, infinity."""
    errors = {}
    for decoder in ("ltrb", "yolox", "yolov8"):
        images, levels = int(rng.integers(1, 4)), int(rng.integers(1, 5))
        width, height = rng.integers(1, 140, 2).tolist()
        cells = max(1, len(oracle.cells_of(width, height, levels)) + int(rng.integers(-2, 3)))
        classes = 1 if decoder == "ltrb" else int(rng.integers(1, 7))
        only = int(rng.integers(-1, classes + 1)) if decoder != "ltrb" else -1
        columns = {"ltrb": 5, "yolox": 5 + classes, "yolov8": 4 + classes}[decoder]
        table = rng.uniform(0, 1, (images, cells, columns)).astype(np.float32)
        table[..., :4] = rng.uniform(-3, 12, (images, cells, 4))
        table[rng.random(table.shape) < 0.01] = rng.choice([np.nan, np.inf, -np.inf])
        if decoder == "yolov8":
            table = np.ascontiguousarray(table.transpose(0, 2, 1))
        least_score = float(
            np.float32(rng.choice([0.0, 0.3, table.flat[-1] if np.isfinite(table.flat[-1]) else 0.5]))
        )
        boxes, scores = rubbish((images, cells, 4), np.float32), rubbish((images, cells), np.float32)
        kinds = rubbish((images, cells), np.int32)
        launch = launches.decode(
            decoder,
            double.address(table),
            images,
            cells,
            Decoded(double.address(boxes), double.address(scores), double.address(kinds)),
            input_wh=(width, height),
            levels=levels,
            classes=classes,
            only=only,
            least_score=least_score,
        )
        double.run(launch)
        for image in range(images):
            wanted = oracle.decoded(decoder, table[image], only, (width, height), levels, least_score)
            expect(np.array_equal(scores[image], wanted.scores), f"{decoder}: scores differ")
            expect(np.array_equal(kinds[image], wanted.kinds), f"{decoder}: classes differ")
            off = np.abs(boxes[image] - wanted.boxes) / np.maximum(np.abs(wanted.boxes), 100.0)
            errors[f"decode {decoder}, relative"] = error = float(off.max(initial=0.0))
            expect(error <= 1e-6, f"{decoder}: boxes are {error:.3g} off")
    return errors


def check_suppress(double: Runner, rng: np.random.Generator) -> dict[str, float]:
    """None, few, exactly 300 and thousands of candidates; equal scores; more than 200 to keep; classes."""
    images, cells = int(rng.integers(1, 3)), int(rng.choice([1, 7, 255, 300, 301, 700, 2000]))
    spread = float(rng.choice([20.0, 300.0, 4000.0]))
    boxes = rng.uniform(0, spread, (images, cells, 4)).astype(np.float32)
    boxes[..., 2:] = boxes[..., :2] + rng.uniform(-1, 40, (images, cells, 2)).astype(np.float32)
    scores = rng.uniform(0, 1, (images, cells)).astype(np.float32)
    if rng.random() < 0.5:
        scores = (np.round(scores * rng.choice([0, 1, 3, 50])) / np.float32(50)).astype(np.float32)
    scores[rng.random(scores.shape) < rng.choice([0.0, 0.5, 0.9, 1.0])] = -1
    kinds = rng.integers(0, rng.choice([1, 4]), (images, cells)).astype(np.int32)
    iou_limit = float(np.float32(rng.choice([0.0, 0.45, 0.65])))
    kept = (
        rubbish((images, MAX_KEPT, 4), np.float32),
        rubbish((images, MAX_KEPT), np.float32),
        rubbish((images, MAX_KEPT), np.int32),
        rubbish((images,), np.int32),
    )
    decoded = Decoded(double.address(boxes), double.address(scores), double.address(kinds))
    out = Kept(*(double.address(array) for array in kept))
    double.run(launches.suppress(decoded, images, cells, iou_limit, out), int(rng.integers(0, 2)))
    for image in range(images):
        wanted = oracle.kept_of(boxes[image], scores[image], kinds[image], iou_limit)
        expect(int(kept[3][image]) == len(wanted), f"suppress keeps {kept[3][image]}, not {len(wanted)}")
        rest = MAX_KEPT - len(wanted)
        for array, values, empty in zip(kept, (boxes, scores, kinds), (0, -1, -1), strict=False):
            whole = np.concatenate(
                (values[image][wanted], np.full((rest, *values.shape[2:]), empty, values.dtype))
            )
            expect(np.array_equal(array[image], whole), "suppress keeps other boxes")
    return {}


def check_normalise(double: Runner, rng: np.random.Generator) -> dict[str, float]:
    """Rows from one value to hundreds, of any size from 1e-30 to 1e30, zeros and not finite among them."""
    rows, columns = int(rng.integers(1, 6)), int(rng.choice([1, 2, 127, 128, 129, 256, 512]))
    values = rng.normal(0, 1, (rows, columns)) * 10.0 ** rng.uniform(-30, 30, (rows, 1))
    given = values.astype(np.float32)
    given[rng.random(rows) < 0.2] = 0
    if rng.random() < 0.3:
        given[0, -1] = rng.choice([np.nan, np.inf])
    out = rubbish((rows, columns), np.float32)
    launch = launches.l2_normalise(double.address(given), double.address(out), rows, columns)
    double.run(launch, int(rng.integers(0, 2)))
    error = float(np.abs(out - oracle.unit_rows(given)).max())
    expect(error <= 1e-6, f"l2: {error:.3g} off")
    return {"l2 normalise": error}


Check = Callable[[Runner, np.random.Generator], dict[str, float]]

CHECKS: dict[str, tuple[Check, int]] = {
    "letterbox": (check_letterbox, 40),
    "half": (check_half, 60),
    "crops": (check_crops, 40),
    "decoders": (check_decoders, 40),
    "suppress": (check_suppress, 24),
    "normalise": (check_normalise, 30),
}
"""Name -> check and how many cases make one round."""


def run_checks(
    double: Runner, rounds: float = 1.0, names: tuple[str, ...] = tuple(CHECKS)
) -> dict[str, float]:
    """The largest error of each kind over `rounds` rounds. Raises Mismatch."""
    largest: dict[str, float] = {}
    for name in names:
        check, cases = CHECKS[name]
        for seed in range(max(1, round(cases * rounds))):
            for what, error in check(double, np.random.default_rng((seed, len(name)))).items():
                largest[what] = max(error, largest.get(what, 0.0))
            double.forget()
    return largest
