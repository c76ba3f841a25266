"""Networks as other exporters write them are taken in and read right; their wrong twins are refused.

The persons are real: our own small detector finds them, and only its form is another exporter's (`exports`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engines import backends
from engines.backends.protocol import InputFormat
from engines.catalogue import Recipe, judging
from engines.catalogue.judging.image import load
from engines.catalogue.judging.task import NetworkVerdict, Task
from engines.catalogue.judging.verdict import pass_verdict
from engines.errors import EngineError
from engines.inference.decoders import UNIT_RGB, by_name
from engines.inference.nms import iou_matrix
from engines.inference.reading import reading_of
from tests.engines import exports
from tests.engines.networks import constant_network

Make = Callable[[Path], Path]
THERE = 7
CERTAIN = 0.4
"""Objectness of 1 from there on finds the persons better than the product does, were it taken for a class."""
BAG_FIRST = "{0: 'bag', 1: 'cart', 2: 'person'}"


@dataclass(frozen=True)
class Healthy:
    """A network that finds the persons, and what has to be found out about it."""

    make: Make
    decoder: str
    pixels: InputFormat = UNIT_RGB
    units: str = "pixels"
    form: str = "centre"
    scale: str = "shares"
    person: int = 0


plain = partial(exports.yolov8)
unit_rgb = partial(exports.yolov8, scale=255.0, rgb=True)

HEALTHY = {
    "YOLOv8": Healthy(unit_rgb, "yolov8"),
    "0..255, BGR": Healthy(plain, "yolov8", InputFormat()),
    "0..255, RGB": Healthy(partial(plain, rgb=True), "yolov8", InputFormat("rgb")),
    "-1..1": Healthy(
        partial(plain, scale=127.5, mean=(127.5,) * 3, rgb=True),
        "yolov8",
        InputFormat("rgb", (127.5,) * 3, (127.5,) * 3),
    ),
    "colours last": Healthy(partial(plain, layout="nhwc"), "yolov8", InputFormat()),
    "8-bit input": Healthy(partial(plain, kind="u8"), "yolov8", InputFormat()),
    "8-bit input, colours last, RGB": Healthy(
        partial(plain, kind="u8", layout="nhwc", rgb=True), "yolov8", InputFormat("rgb")
    ),
    "half precision": Healthy(partial(unit_rgb, kind="f16"), "yolov8"),
    "free batch": Healthy(partial(unit_rgb, batch="n"), "yolov8"),
    "person is class 2 of 3": Healthy(
        partial(unit_rgb, count=3, person=2, names=BAG_FIRST), "yolov8", person=2
    ),
    "transposed": Healthy(exports.yolov8_rows, "yolov8-rows"),
    "boxes in 0..1": Healthy(exports.yolov8_shares, "yolov8", units="shares"),
    "boxes by corners": Healthy(exports.yolov8_corners, "yolov8", form="corners"),
    "logits": Healthy(exports.yolov8_logits, "yolov8", scale="logits"),
    "with masks": Healthy(exports.segmentation_of_instances, "yolov8"),
    "YOLOX": Healthy(exports.yolox_raw, "yolox", InputFormat()),
    "YOLOX, decoded": Healthy(exports.yolox_decoded, "yolox-decoded", InputFormat()),
    "YOLOX, decoded, certain that there is something": Healthy(
        partial(exports.yolox_decoded, certain_from=CERTAIN), "yolox-decoded", InputFormat()
    ),
    "YOLOX, decoded and transposed": Healthy(
        partial(exports.yolox_decoded, columns=True), "yolov5-columns", InputFormat()
    ),
    "YOLOv5": Healthy(exports.yolov5, "yolov5"),
    "YOLO26": Healthy(exports.end2end, "end2end", form="corners"),
    "YOLO26, person is class 2": Healthy(
        partial(exports.end2end, person=2, names='["bag", "cart", "person"]'),
        "end2end",
        form="corners",
        person=2,
    ),
    "class before score": Healthy(partial(exports.end2end, label_first=True), "end2end", form="corners"),
    "YOLOv7 with suppression": Healthy(exports.batched, "batched", form="corners"),
    "D-FINE, two inputs": Healthy(exports.detections, "detections", form="corners"),
    "scores, boxes, labels": Healthy(
        partial(exports.detections, order=("scores", "boxes", "labels"), sized=False),
        "detections",
        form="corners",
    ),
    "RT-DETR of transformers": Healthy(exports.detr, "detr", units="shares", scale="logits"),
    "DETR, 91 classes": Healthy(
        partial(exports.detr, softmax=True), "detr", units="shares", scale="softmax", person=1
    ),
    "RT-DETR of Ultralytics": Healthy(exports.rtdetr, "rtdetr", units="shares"),
    "YOLO-NAS": Healthy(exports.yolo_nas, "yolo-nas", form="corners"),
    "ours with logits": Healthy(exports.ltrb_logits, "ltrb", InputFormat(), scale="logits"),
}

WRONG: dict[str, tuple[Make, str]] = {
    "classifier": (
        lambda path: constant_network(path, [np.zeros((1, 1000))]),
        r"outputs \[1, 1000\] are not those of a detector.*a classifier's; export a detector",
    ),
    "segmentation": (
        lambda path: constant_network(path, [np.zeros((1, 21, 128, 128))]),
        "a map of the picture is a segmentation's",
    ),
    "raw maps of a head": (
        lambda path: constant_network(path, [np.zeros((1, 255, n, n)) for n in (80, 40, 20)]),
        "a head's raw maps; export with the boxes worked out in the network",
    ),
    "weights never trained": (partial(exports.yolov8, broken=exports.garbage), "found [0-2] of 7 persons"),
    "channels shuffled": (partial(exports.yolov8, broken=exports.shuffled), "found [0-2] of 7 persons"),
    "same answer to any picture": (
        lambda path: constant_network(path, [np.full((1, 84, 6), 0.5)]),
        "found 0 of 7 persons",
    ),
    "boxes outside": (
        partial(exports.with_outputs, change=exports.outside),
        "found 0 of 7 persons, read as yolov8: boxes lie outside the picture",
    ),
    "scores over 1": (
        partial(exports.with_outputs, change=exports.scores_over_one),
        r"read as yolov8: scores reach [\d.]+, and a score is 0 to 1",
    ),
    "not a number": (
        partial(exports.with_outputs, change=exports.not_a_number),
        r"values that are no numbers \(NaN or infinite\)",
    ),
    "no person among its classes": (
        partial(exports.yolov8, count=2, names="{0: 'helmet', 1: 'vest'}"),
        "its classes are helmet, vest, and none is called person.*--classes",
    ),
    "person is class 2 and nobody says so": (
        partial(exports.yolov8, count=3, person=2),
        "found 0 of 7 persons as class 0, but 7 as class 2; give the names .* with --classes",
    ),
    "names in the wrong order": (
        partial(exports.yolov8, count=3, person=2, names="['person', 'cart', 'bag']"),
        r"found 0 of 7 persons as class 0, but 7 as class 2 \(bag\)",
    ),
    "four pictures at once": (partial(exports.yolov8, batch=4), "takes 4 pictures at once; export it with"),
    "rotated boxes": (
        lambda path: exports.Ours().save(path, {"output0": ("k1", 3)}, {"task": "obb"}),
        r"is for rotated boxes \(task obb\); export a network of task detect",
    ),
}


def verdict_on(path: Path, backend: str = "onnxruntime", **said: object) -> NetworkVerdict:
    """Judged in this process, by the library that starts sooner; the process of its own has its own tests."""
    return pass_verdict(Task(file=str(path), backend=backend, recipe=Recipe(**said)))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", HEALTHY.values(), ids=HEALTHY)
def test_a_healthy_network_is_read_as_it_was_exported(tmp_path: Path, case: Healthy) -> None:
    verdict = verdict_on(case.make(tmp_path / "mine.onnx"))
    assert verdict.accepted, verdict.reason
    assert (verdict.persons_found, verdict.persons_there) == (THERE, THERE)
    reading = reading_of(verdict.recipe, by_name(case.decoder))
    assert verdict.decoder == verdict.recipe.decoder == case.decoder
    assert (reading.pixels, reading.person_class) == (case.pixels, case.person)
    meaning = reading.meaning
    assert (meaning.units, meaning.form, meaning.scale) == (case.units, case.form, case.scale)


@pytest.mark.parametrize(("make", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_network_is_refused_with_a_sentence_of_its_own(tmp_path: Path, make: Make, said: str) -> None:
    path = make(tmp_path / "mine.onnx")
    verdict = verdict_on(path)
    assert not verdict.accepted
    assert re.search(said, verdict.reason), verdict.reason
    assert verdict.reason.startswith(f"{path}: ")
    assert "\n" not in verdict.reason
    assert verdict.persons_there == THERE


@pytest.mark.parametrize("name", ["YOLOv8", "D-FINE, two inputs", "8-bit input, colours last, RGB", "YOLO26"])
def test_both_libraries_judge_alike(tmp_path: Path, backend: str, name: str) -> None:
    case = HEALTHY[name]
    verdict = verdict_on(case.make(tmp_path / "mine.onnx"), backend)
    assert (verdict.accepted, verdict.decoder, verdict.persons_found) == (True, case.decoder, THERE)


def test_the_user_may_say_the_classes(tmp_path: Path) -> None:
    path = exports.yolov8(tmp_path / "mine.onnx", count=3, person=2)
    verdict = verdict_on(path, classes=["bag", "cart", "person"])
    assert (verdict.accepted, verdict.persons_found) == (True, THERE)
    assert "tells 3 classes apart, and 4 names are given" in verdict_on(path, classes=list("abcd")).reason


def test_what_is_found_out_holds_when_the_network_is_used(tmp_path: Path) -> None:
    """By its path, as `tagsight video --detector` opens it, and under a name."""
    from engines.catalogue import adding
    from engines.inference.detector import PersonDetector

    path, picture = exports.detections(tmp_path / "mine.onnx"), load(None, None)
    by_name_ = adding.add(path, "mine", Recipe(), store=tmp_path / "store")
    assert by_name_.verdict.accepted
    for detector in (PersonDetector.open(path), PersonDetector.open("mine", store=tmp_path / "store")):
        detector.require(0.25)
        found = detector.detect(picture.image)
        overlap = iou_matrix(found.boxes, picture.boxes)
        assert (overlap.max(0) > 0.5).all()


def test_a_file_is_judged_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engines.catalogue.judging import process
    from engines.catalogue.source import NetworkSource

    monkeypatch.setenv("TAGSIGHT_ENGINES", str(tmp_path / "store"))
    path = exports.yolov8(tmp_path / "mine.onnx")
    backend = backends.choose("auto").name
    first = judging.judged(NetworkSource(path, Recipe()), backend, None)
    monkeypatch.setattr(process, "judge", lambda *_, **__: pytest.fail("judged again"))
    assert judging.judged(NetworkSource(path, Recipe()), backend, None) == first
    exports.yolox_raw(path)
    with pytest.raises(pytest.fail.Exception, match="judged again"):
        judging.judged(NetworkSource(path, Recipe()), backend, None)


def test_a_refusal_stands_under_any_name_unless_it_was_for_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engines.catalogue.judging import process
    from engines.catalogue.source import NetworkSource

    monkeypatch.setenv("TAGSIGHT_ENGINES", str(tmp_path / "store"))
    bad, large = exports.with_outputs(tmp_path / "bad.onnx", exports.outside), tmp_path / "large.onnx"
    exports.yolov8(large)
    sentence = "found 0 of 7 persons, read as yolov8: boxes lie outside the picture"
    with pytest.raises(judging.NetworkRefused, match=f"{bad}: {sentence}"):
        judging.judged(NetworkSource(bad, Recipe()), "onnxruntime", None)
    with monkeypatch.context() as short:
        short.setattr(process, "MEMORY_BYTES", 1)
        short.setattr(process, "MIN_MEMORY_BYTES", 1)
        short.setattr(process, "_free_bytes", lambda: 1)
        with pytest.raises(EngineError, match=r"large\.onnx: .*memory"):
            judging.judged(NetworkSource(large, Recipe()), "onnxruntime", None)
    assert judging.judged(NetworkSource(large, Recipe()), "onnxruntime", None).recipe.decoder == "yolov8"
    monkeypatch.setattr(process, "judge", lambda *_, **__: pytest.fail("judged again"))
    other = bad.rename(tmp_path / "other.onnx")
    with pytest.raises(judging.NetworkRefused, match=f"^{other}: {sentence}") as refused:
        judging.judged(NetworkSource(other, Recipe()), "onnxruntime", None)
    assert "<file>" not in str(refused.value)
