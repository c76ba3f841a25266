"""Kernels that make network inputs of images: letterbox, its rounding to halves, crops of persons."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.gpu.kernels import oracle
from bench.gpu.kernels.cases import (
    Runner,
    expect,
    placed_at_random,
    random_image,
    random_rule,
    rubbish,
    triple,
)
from bench.gpu.kernels.oracle import Lies, OracleImage
from engines.cuda.frames import Placed, descriptors
from engines.cuda.kernels import launches
from engines.cuda.kernels.launches import MAX_KEPT

PAD = 114.0


def check_letterbox(runner: Runner, rng: np.random.Generator) -> dict[str, float]:
    """Images of several rings into one batch, some places empty, one descriptor a byte short."""
    batch, (width, height) = int(rng.integers(1, 5)), rng.integers(1, 70, 2).tolist()
    count = int(rng.integers(0, batch + 1))
    pictures = [random_image(rng) if rng.random() < 0.85 else None for _ in range(count)]
    places = [placed_at_random(runner, rng, picture, width, height) for picture in pictures]
    table = descriptors(places)
    for number in range(count):
        if rng.random() < 0.15 and table["bytes"][number]:
            table["bytes"][number] -= 1
            pictures[number] = None
    mean, std, rgb = random_rule(rng)
    rule = launches.pixel_rule(triple(mean), triple(std), rgb=rgb)
    whole = rubbish((batch, 3, height, width), np.float32)
    halves = rubbish((batch, 3, height, width), np.float16)
    for out, half in ((whole, False), (halves, True)):
        shape = (batch, height, width)
        runner.run(
            launches.letterbox(runner.address(table), count, runner.address(out), shape, rule, half=half)
        )
    expected = np.stack(
        [
            oracle.as_input(_letterboxed(pictures, places, image, (height, width)), mean, std, rgb=rgb)
            for image in range(batch)
        ]
    )
    return _compared("letterbox", whole, halves, expected, 1e-5)


def _letterboxed(
    pictures: list[OracleImage | None], places: list[Placed], image: int, shape: tuple[int, int]
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


def check_half(runner: Runner, rng: np.random.Generator) -> dict[str, float]:
    """All 256 levels at scales from subnormal halves to their overflow, ties included."""
    levels = np.arange(256, dtype=np.uint8).repeat(3)
    scale = float(2.0 ** rng.integers(-10, 27)) * (1.0 if rng.random() < 0.5 else rng.uniform(1.0, 2.0))
    mean = float(rng.choice([0.0, -2048.0, -4096.0, 128.0, 127.3]))
    table = descriptors([Placed(runner.address(levels), 768, 256, 1, (0, 0), (256, 1))])
    rule = launches.pixel_rule((mean,) * 3, (scale,) * 3, rgb=False)
    halves = rubbish((1, 3, 1, 256), np.float16)
    runner.run(
        launches.letterbox(runner.address(table), 1, runner.address(halves), (1, 1, 256), rule, half=True)
    )
    values = (np.arange(256, dtype=np.float32) - np.float32(mean)) / np.float32(scale)
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16).view(np.uint16)
    wrong = np.flatnonzero((halves[0].view(np.uint16) != expected).any((0, 1)))
    expect(not len(wrong), f"half: {values[wrong[:1]]} is rounded wrongly")
    return {}


def check_crops(runner: Runner, rng: np.random.Generator) -> dict[str, float]:
    """Boxes inside, across and outside the image, larger than the crop, empty, upside down, not finite,
    grown or not; odd counts."""
    images, (width, height) = int(rng.integers(1, 4)), rng.integers(1, 40, 2).tolist()
    pictures = [random_image(rng) if rng.random() < 0.9 else None for _ in range(images)]
    places = [placed_at_random(runner, rng, picture, 64, 48) for picture in pictures]
    table = descriptors(places)
    boxes = rng.uniform(-30, 90, (images, MAX_KEPT, 4)).astype(np.float32)
    boxes[..., 2:] = boxes[..., :2] + rng.uniform(-4, 60, (images, MAX_KEPT, 2)).astype(np.float32)
    boxes[rng.random(boxes.shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    counts = rng.choice([-1, 0, 1, 2, 3], images).astype(np.int32)
    crops = int(rng.integers(1, 9))
    if rng.random() < 0.2:
        counts[-1], width, height = 1000, 1, 2
        crops = MAX_KEPT + int(np.maximum(counts[:-1], 0).sum()) + 2
    mean, std, rgb = random_rule(rng)
    rule = launches.pixel_rule(triple(mean), triple(std), rgb=rgb)
    grown_x, grown_y = (float(share) for share in rng.choice([0.0, 0.12, 0.3, 2.0], 2))
    whole = rubbish((crops, 3, height, width), np.float32)
    halves = rubbish((crops, 3, height, width), np.float16)
    owners = rubbish((crops,), np.int32)
    for out, half in ((whole, False), (halves, True)):
        given = (
            runner.address(table),
            runner.address(boxes),
            runner.address(counts),
            images,
            runner.address(out),
            runner.address(owners),
        )
        shape = (crops, height, width)
        runner.run(launches.crop_boxes(*given, shape, rule, half=half, grown=(grown_x, grown_y)))
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
