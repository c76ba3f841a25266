"""A floor map that would mislead is refused or remarked on; a careful one is taken."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.errors import CalibrationError
from runtime.config import Zone, image_to_floor, load
from runtime.console.measuring.judging import POOR_LEFT_OUT_M, ShopFloor, judge
from runtime.geometry import Homography
from tests.console.conftest import Shop as OpenShop

SIZE = (1280, 720)
EXTENT_M = (0.0, 0.0, 10.0, 8.0)
ZONES = [Zone(name="hall", polygon=[(2.0, 2.0), (8.0, 2.0), (8.0, 7.0), (2.0, 7.0)])]
SHOP = ShopFloor(EXTENT_M, ZONES)
Floats = NDArray[np.float64]


def camera(seed: int) -> Homography:
    """The map of a camera 3 m up before the floor's lower edge, tilted down by 35 to 50 degrees."""
    random = np.random.default_rng(seed)
    tilt, focal = np.radians(random.uniform(35, 50)), random.uniform(700, 900)
    at = np.array([random.uniform(4, 6), 8.5, random.uniform(2.8, 3.4)])
    # Camera axes in floor coordinates (x right, y down the plan, z up): it looks towards smaller y.
    right, ahead = np.array([1.0, 0, 0]), np.array([0, -np.cos(tilt), -np.sin(tilt)])
    down = np.array([0, np.sin(tilt), -np.cos(tilt)])
    rotation = np.stack([right, down, ahead])
    inner = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
    projection = inner @ np.column_stack([rotation[:, 0], rotation[:, 1], -rotation @ at])
    return Homography(np.linalg.inv(projection), (SIZE[0] / 2, SIZE[1] - 1.0))


def measured(seed: int, count: int = 10) -> Floats:
    """Pairs (u, v, x, y) as a careful technician clicks them: 2 px and 2 cm, spread over the picture."""
    random = np.random.default_rng(seed)
    columns = np.linspace(0.08, 0.92, 4)
    spots = [(u * SIZE[0], v * SIZE[1]) for v in (0.94, 0.55, 0.25) for u in columns]
    floor = camera(seed)
    pixels = np.array(spots)
    places = floor.to_floor(pixels)
    keep = np.isfinite(places[:, 0]) & (np.abs(places - np.array([5.0, 8.5])) < 8.0).all(axis=1)
    pairs = np.column_stack([pixels[keep], places[keep]])[:count]
    pairs[:, :2] += random.normal(0, 2.0, (len(pairs), 2))
    pairs[:, 2:] += random.normal(0, 0.02, (len(pairs), 2))
    return pairs


def said(pairs: Floats) -> tuple[list[str], list[str]]:
    judged = judge(pairs.tolist(), SIZE, SHOP)
    return judged.refused, judged.remarks


@pytest.mark.parametrize("seed", range(10))
def test_a_careful_measurement_is_taken_and_predicts_its_points(seed: int) -> None:
    judged = judge(measured(seed).tolist(), SIZE, SHOP)
    assert judged.refused == []
    assert judged.left_out_p95_cm is not None and judged.left_out_p95_cm <= 100 * POOR_LEFT_OUT_M
    assert "homography:" in judged.lines and judged.grid
    assert all(error is not None for error in (*judged.errors_cm, *judged.left_out_cm))


def collinear(pairs: Floats, floor: Homography) -> Floats:
    pixels = np.column_stack([np.linspace(100, 1180, 8), np.linspace(650, 640, 8)])
    return np.column_stack([pixels, floor.to_floor(pixels)])


def huddled(pairs: Floats, floor: Homography) -> Floats:
    pixels = np.array([(600 + 120 * (n % 3), 420 + 90 * (n // 3)) for n in range(9)], dtype=float)
    return np.column_stack([pixels, floor.to_floor(pixels)])


def swapped_axes(pairs: Floats, floor: Homography) -> Floats:
    return pairs[:, [0, 1, 3, 2]]


def counted_upwards(pairs: Floats, floor: Homography) -> Floats:
    return pairs * [1, 1, 1, -1]


def one_wrong(pairs: Floats, floor: Homography) -> Floats:
    wrong = pairs.copy()
    wrong[3, 2:] += (1.5, -1.0)
    return wrong


def two_exchanged(pairs: Floats, floor: Homography) -> Floats:
    wrong = pairs.copy()
    wrong[[1, 5], 2:] = wrong[[5, 1], 2:]
    return wrong


def careless(pairs: Floats, floor: Homography) -> Floats:
    return pairs + np.random.default_rng(1).normal(0, 1, pairs.shape) * [40, 40, 0.5, 0.5]


def other_size(pairs: Floats, floor: Homography) -> Floats:
    return pairs * [2.0, 2.0, 1, 1]


def too_few(pairs: Floats, floor: Homography) -> Floats:
    return pairs[:4]


def in_feet(pairs: Floats, floor: Homography) -> Floats:
    wrong = pairs.copy()
    wrong[::2, 2:] *= 3.28
    return wrong


BAD = (
    collinear,
    huddled,
    swapped_axes,
    counted_upwards,
    one_wrong,
    two_exchanged,
    careless,
    other_size,
    too_few,
    in_feet,
)


@pytest.mark.parametrize("seed", [21, 22])
@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_twenty_bad_measurements_are_refused_or_remarked_on(spoil, seed: int) -> None:  # type: ignore[no-untyped-def]
    refused, remarks = said(spoil(measured(seed), camera(seed)))
    assert refused or remarks
    if spoil in (collinear, huddled, swapped_axes, counted_upwards, one_wrong, too_few):
        assert refused, f"only remarked on: {remarks}"


def test_a_horizon_through_a_zone_is_refused() -> None:
    """A zone whose near half the camera sees, and whose far half no picture of it can show."""
    behind = [(1.0, 4.0), (9.0, 4.0), (9.0, 12.0), (1.0, 12.0)]
    shop = ShopFloor((0.0, 0.0, 10.0, 14.0), [Zone(name="by the door", polygon=behind)])
    judged = judge(measured(3).tolist(), SIZE, shop)
    assert any("horizon runs through by the door" in words for words in judged.refused)
    assert judged.lines == ""


def test_fewer_than_four_pairs_and_nonsense_are_no_fault() -> None:
    assert judge([], SIZE, SHOP).refused
    assert judge([(1.0, 1.0, 1.0, 1.0)] * 8, SIZE, SHOP).refused
    with pytest.raises(CalibrationError):
        judge([(float("nan"), 1.0, 1.0, 1.0)], SIZE, SHOP)


def test_the_page_judges_pairs_and_refuses_what_is_none(shop: OpenShop) -> None:
    browser = shop.technician()

    def ask(pairs: object, **fields: str):  # type: ignore[no-untyped-def]
        given = {"pairs": json.dumps(pairs), "width": "1280", "height": "720", **fields}
        return browser.post("/calibrate/square/judge", **given)

    answer = ask(measured(4).tolist())
    assert answer.status_code == 200
    told = answer.json()
    assert told["refused"] == [] and len(told["errors_cm"]) == len(measured(4))
    for wrong in ("x", [[1, 2, 3]], [["a", 1, 2, 3]], {"a": 1}, [[1, 2, 3, 4]] * 100):
        assert ask(wrong).status_code == 400
    assert ask([], width="0").status_code == 400
    assert browser.post("/calibrate/nowhere/judge", pairs="[]").status_code == 404


def test_a_tape_on_the_floor_is_held_against_the_map() -> None:
    pairs, floor = measured(5), camera(5)
    ends = floor.to_image([(4.0, 4.0), (6.0, 4.0)]).ravel().tolist()
    good = judge(pairs.tolist(), SIZE, SHOP, [[*ends, 2.0]])
    assert good.refused == [] and good.tapes_m[0] == pytest.approx(2.0, abs=0.05)
    near = judge(pairs.tolist(), SIZE, SHOP, [[*ends, 2.15]])
    assert near.refused == [] and any("a tape of 2.15 m is" in words for words in near.remarks)
    far = judge(pairs.tolist(), SIZE, SHOP, [[*ends, 2.6]])
    assert any("a tape of 2.6 m is" in words for words in far.refused) and far.lines == ""
    beyond = judge(pairs.tolist(), SIZE, SHOP, [[640.0, -4_000.0, 600.0, 600.0, 2.0]])
    assert any("beyond the horizon" in words for words in beyond.refused)


def test_feet_for_metres_are_found_by_the_tape() -> None:
    """The map fits all the same; only something of known length tells."""
    pairs, floor = in_feet(measured(6), camera(6)), camera(6)
    ends = floor.to_image([(4.0, 4.0), (6.0, 4.0)]).ravel().tolist()
    judged = judge(pairs.tolist(), SIZE, SHOP, [[*ends, 2.0]])
    assert any("a tape of 2 m" in words for words in judged.refused)


def test_a_map_is_put_into_store_yaml_once_it_is_sound(shop: OpenShop) -> None:
    browser = shop.technician()
    version = re.search(r'data-version="(\w+)"', browser.get("/calibrate").text)
    assert version is not None and shop.config.file is not None
    size = {"width": "768", "height": "576"}
    plaza = Homography(np.array(shop.config.cameras[0].homography), (384.0, 575.0))
    pixels = np.array([(u, v) for v in (200.0, 330.0, 560.0) for u in (60.0, 384.0, 700.0)])
    rows = np.column_stack([pixels, plaza.to_floor(pixels)]).round(3).tolist()
    bad = browser.post("/calibrate/square/save", pairs=json.dumps(rows[:4]), version=version[1], **size)
    assert bad.status_code == 400 and "Nothing was saved" in bad.text
    late = browser.post("/calibrate/square/save", pairs=json.dumps(rows), version="0" * 24, **size)
    assert late.status_code == 409 and shop.reloads == []
    good = browser.post("/calibrate/square/save", pairs=json.dumps(rows), version=version[1], **size)
    assert good.status_code == 200, good.text
    found = image_to_floor(load(shop.config.file).cameras[0])
    assert found is not None and len(shop.reloads) == 1
    assert np.abs(found.to_floor(pixels) - plaza.to_floor(pixels)).max() < 0.01
    assert "# The plaza" in shop.config.file.read_text()
