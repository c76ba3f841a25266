"""8 bits only with a stored verdict: what is judged, what is refused, what is found out."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from engines import catalogue
from engines.build.precision import eightbit, parity, samples
from engines.build.precision.conversion import plain, serialised
from engines.build.precision.parity import KeptAccuracy, Reference
from engines.build.precision.samples import Feeding
from engines.build.store import PlanStore
from engines.catalogue import trust
from engines.errors import BuildError, StoreError

SIZE = (128, 96)
NAME = "person-detector"
ENGINE = catalogue.find(NAME)
SOURCE = ENGINE.folder / "person-detector.onnx"


@pytest.fixture
def plans(tmp_path: Path) -> PlanStore:
    return PlanStore.open(tmp_path / "plans")


@pytest.fixture(scope="module")
def empty_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures without anybody."""
    folder = tmp_path_factory.mktemp("scenes")
    random = np.random.default_rng(2)
    for number in range(samples.MIN_FRAMES):
        flat = np.full((96, 128, 3), random.integers(0, 256, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:02d}.png"), flat)
    return folder


def verdict(plans: PlanStore, value: float, **changes: object) -> KeptAccuracy:
    """Stored beside an 8-bit network of two bytes."""
    told = KeptAccuracy(
        onnx_sha256=catalogue.sha256_of(SOURCE),
        quantised_sha256=eightbit.digest(b"q8"),
        measure="box F1",
        value=value,
        least=parity.MIN_F1,
        calibrated_with=40,
        judged_on=20,
        boxes=100,
    )
    told = msgspec.structs.replace(told, **changes)
    place = plans.quantised(NAME, SIZE)
    for folder in (place.parent, place):
        trust.make_private_folder(folder)
    trust.write_private(place / eightbit.NETWORK, b"q8")
    trust.write_private(place / eightbit.VERDICT, msgspec.json.encode(told))
    return told


def test_a_good_verdict_hands_the_network_out(plans: PlanStore) -> None:
    told = verdict(plans, 0.97)
    found = eightbit.accepted(plans, ENGINE, SOURCE, SIZE)
    assert (found.onnx, found.accuracy, found.digest) == (b"q8", told, told.quantised_sha256)


def test_without_a_verdict_frames_are_asked_for(plans: PlanStore) -> None:
    with pytest.raises(BuildError, match=r"128x96: int8 needs frames of your cameras.*--frames DIR"):
        eightbit.accepted(plans, ENGINE, SOURCE, SIZE)


def test_a_bad_verdict_refuses_with_its_figures(plans: PlanStore) -> None:
    verdict(plans, 0.91)
    with pytest.raises(
        BuildError, match=r"int8 is refused: box F1 0\.910 against fp32 on 20 inputs, 100 boxes"
    ):
        eightbit.accepted(plans, ENGINE, SOURCE, SIZE)


def test_new_weights_are_to_be_calibrated_again(plans: PlanStore) -> None:
    verdict(plans, 0.99, onnx_sha256="0" * 64)
    with pytest.raises(BuildError, match="has changed since it was calibrated"):
        eightbit.accepted(plans, ENGINE, SOURCE, SIZE)


def test_a_changed_8_bit_network_is_found_out(plans: PlanStore) -> None:
    verdict(plans, 0.99)
    trust.write_private(plans.quantised(NAME, SIZE) / eightbit.NETWORK, b"!!")
    with pytest.raises(StoreError, match="the 8-bit network has changed"):
        eightbit.accepted(plans, ENGINE, SOURCE, SIZE)


def test_frames_without_people_judge_nothing(plans: PlanStore, empty_scenes: Path) -> None:
    with pytest.raises(BuildError, match="give frames with people in them"):
        eightbit.calibrate(plans, ENGINE, SOURCE, SIZE, empty_scenes)
    assert eightbit.verdict_on(plans, ENGINE, SIZE) is None


def detector_feeding() -> Feeding:
    return samples.feeding_of(ENGINE, [(1, 252, 5)], SIZE)


class Fixed:
    """Answers in turn."""

    def __init__(self, *answers: np.ndarray) -> None:
        self._left = list(answers)

    def run(self, feed: object) -> tuple[np.ndarray, ...]:
        return (self._left.pop(0),)


FEED = np.zeros((1, 3, 96, 128), np.float32)


def persons(*cells: int) -> np.ndarray:
    """Our decoder's table with a sure person in those of the 12 x 16 cells of stride 8."""
    table = np.zeros((1, 252, 5), np.float32)
    table[..., :4] = 12.0
    table[0, list(cells), 4] = 0.9
    return table


def judged(full: Fixed, coarse: Fixed, feeding: Feeding, count: int) -> tuple[str, float, float, int]:
    return parity.accuracy(full, coarse, feeding, [FEED] * count)  # type: ignore[arg-type]


def test_a_lost_and_an_invented_person_cost_accuracy() -> None:
    measure, value, _, boxes = judged(
        Fixed(persons(33, 150), persons(40)), Fixed(persons(33), persons(40, 120, 180)), detector_feeding(), 2
    )
    assert (measure, boxes) == ("box F1", 3)
    assert value == pytest.approx(2 * 2 / (3 + 4))


def test_vectors_are_judged_by_their_angle_and_single_numbers_by_their_course() -> None:
    crops = Feeding(detector_feeding().pixels, "stretch", None)
    vector = np.ones((1, 16), np.float32)
    measure, value, *_ = judged(Fixed(vector, vector), Fixed(2 * vector, -vector), crops, 2)
    assert (measure, value) == ("cosine", 0.0)
    logits = [np.full((1, 1), value, np.float32) for value in (-2.0, 0.5, 3.0)]
    measure, value, *_ = judged(Fixed(*logits), Fixed(*[one + 0.01 for one in logits]), crops, 3)
    assert measure == "correlation"
    assert value > 0.999
    _, value, *_ = judged(Fixed(*logits), Fixed(*reversed(logits)), crops, 3)
    assert value < 0


def test_numbers_that_are_not_finite_fail_parity() -> None:
    good = np.ones((1, 4, 5), np.float32)
    bad = np.where(np.arange(5) == 2, np.nan, good).astype(np.float32)
    assert "not finite" in parity.difference([(good,)], [(bad,)]).fault("int8")
    assert parity.difference([(good,)], [(good,)]).fault("fp32") == ""
    assert "differ from the network's" in parity.difference([(good,)], [(1.2 * good,)]).fault("fp32")
    with pytest.raises(BuildError, match=r"gives \[1, 5, 4\] where the network gives \[1, 4, 5\]"):
        parity.difference([(good,)], [(good.transpose(0, 2, 1),)])


def test_a_small_channel_beside_a_large_one_is_not_overlooked() -> None:
    full = Reference(serialised(plain(SOURCE, SIZE)))
    (feed, *_) = samples.drawn(detector_feeding(), SIZE)
    (answer,) = full.run(feed)
    wrong = answer.copy()
    wrong[..., 4] = np.roll(wrong[..., 4], 7, axis=1)
    assert parity.difference([(answer,)], [(wrong,)]).fault("fp16")
