"""Crops of drawn people, by the real renderer; left out where there is no OpenGL without a screen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError
from engines.training.synthetic import identities
from engines.training.synthetic.drawing.faults import CameraFaults
from engines.training.synthetic.drawing.textures import Textures
from engines.training.synthetic.identities import (
    CROP_WH,
    HELD_OUT_OUTFITS,
    crops_of,
    draw_identities,
    drawn_people,
)
from engines.training.synthetic.people.dressing import dress
from engines.training.synthetic.people.parts import parts

pytest.importorskip("moderngl")


def drawn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[identities.DrawnPerson]:
    """One part of two people in one shop."""
    for name, value in (("PART", 2), ("SHOPS", 1), ("MOMENTS_S", (5.0,)), ("LEAST_CROPS", 1)):
        monkeypatch.setattr(identities, name, value)
    try:
        return draw_identities(folder, 1, 7, lambda _: None)
    except EngineError as error:
        pytest.skip(str(error))


def test_crops_say_who_and_which_camera_and_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = drawn(tmp_path, monkeypatch)
    assert drawn_people(tmp_path) == people
    for person in people:
        crops = crops_of(tmp_path, person)
        assert crops.shape == (len(person.crops), CROP_WH[1], CROP_WH[0], 3)
        assert len({crop.camera for crop in person.crops}) == len(person.crops), "one moment: a camera each"
        assert all(crop.height_px >= identities.LEAST_PX and crop.shown >= 0.5 for crop in person.crops)
        assert min(float(crop.std()) for crop in crops) > 5, "a person, not plain colour"
    (tmp_path / "part-0000.json").unlink()
    assert drawn(tmp_path, monkeypatch) == people, "drawn again: the same people, crops and sums"


def test_a_picture_that_was_changed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = drawn(tmp_path, monkeypatch)[0]
    path = tmp_path / person.file
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(EngineError, match=rf"{person.file}: not as it was drawn"):
        crops_of(tmp_path, person)
    (tmp_path / "part-0000.json").write_text(json.dumps({"part": "first"}))
    with pytest.raises(EngineError, match=r"part-0000.json: not a list of drawn people"):
        drawn_people(tmp_path)
    with pytest.raises(EngineError, match="no drawn people"):
        drawn_people(tmp_path / "none")


def test_who_is_held_out_looks_and_dresses_otherwise() -> None:
    trained = list(identities._looks(0, 1, held_out=False))
    kept = [look for part in (8, 17) for look in identities._looks(part, 1, held_out=True)]
    assert (len(trained), len(kept)) == (identities.PART, 2 * identities.PART)
    assert not {look.seed for look in trained} & {look.seed for look in kept}
    of_one_part = {look.seed for look in identities._looks(8, 1, held_out=False)}
    assert not of_one_part & {look.seed for look in kept}, "nobody is held out by number alone"
    outfits = [{dress(look, parts(), Textures()).outfit for look in looks} for looks in (trained, kept)]
    assert not outfits[0] & HELD_OUT_OUTFITS
    assert outfits[1] - {""} <= HELD_OUT_OUTFITS
    assert outfits[1] - {""}, "some wear a whole outfit"


def test_a_camera_has_the_same_faults_each_time_and_others_have_others() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)
    seen = [CameraFaults(3, camera).see(picture) for camera in (0, 0, 1, 2)]
    assert all(one.shape == picture.shape for one in seen)
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[2], seen[3])
