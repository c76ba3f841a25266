"""Kernels on what a network said: decoders, suppression, embeddings brought to length 1."""

from __future__ import annotations

import numpy as np

from bench.gpu.kernels import oracle
from bench.gpu.kernels.cases import Runner, expect, rubbish
from engines.cuda.kernels import launches
from engines.cuda.kernels.launches import MAX_KEPT, Decoded, Kept


def check_decoders(runner: Runner, rng: np.random.Generator) -> dict[str, float]:
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
            runner.address(table),
            images,
            cells,
            Decoded(runner.address(boxes), runner.address(scores), runner.address(kinds)),
            input_wh=(width, height),
            levels=levels,
            classes=classes,
            only=only,
            least_score=least_score,
        )
        runner.run(launch)
        for image in range(images):
            wanted = oracle.decoded(decoder, table[image], only, (width, height), levels, least_score)
            expect(np.array_equal(scores[image], wanted.scores), f"{decoder}: scores differ")
            expect(np.array_equal(kinds[image], wanted.kinds), f"{decoder}: classes differ")
            off = np.abs(boxes[image] - wanted.boxes) / np.maximum(np.abs(wanted.boxes), 100.0)
            errors[f"decode {decoder}, relative"] = error = float(off.max(initial=0.0))
            expect(error <= 1e-6, f"{decoder}: boxes are {error:.3g} off")
    return errors


def check_suppress(runner: Runner, rng: np.random.Generator) -> dict[str, float]:
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
    decoded = Decoded(runner.address(boxes), runner.address(scores), runner.address(kinds))
    out = Kept(*(runner.address(array) for array in kept))
    runner.run(launches.suppress(decoded, images, cells, iou_limit, out), int(rng.integers(0, 2)))
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


def check_normalise(runner: Runner, rng: np.random.Generator) -> dict[str, float]:
    """Rows from one value to hundreds, of any size from 1e-30 to 1e30, zeros and not finite among them."""
    rows, columns = int(rng.integers(1, 6)), int(rng.choice([1, 2, 127, 128, 129, 256, 512]))
    values = rng.normal(0, 1, (rows, columns)) * 10.0 ** rng.uniform(-30, 30, (rows, 1))
    given = values.astype(np.float32)
    given[rng.random(rows) < 0.2] = 0
    if rng.random() < 0.3:
        given[0, -1] = rng.choice([np.nan, np.inf])
    out = rubbish((rows, columns), np.float32)
    launch = launches.l2_normalise(runner.address(given), runner.address(out), rows, columns)
    runner.run(launch, int(rng.integers(0, 2)))
    error = float(np.abs(out - oracle.unit_rows(given)).max())
    expect(error <= 1e-6, f"l2: {error:.3g} off")
    return {"l2 normalise": error}
