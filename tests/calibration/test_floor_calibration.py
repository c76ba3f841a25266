"""From measured places to a camera's floor map: how good, what is wrong, and how it looks."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration.cli import calibrate
from calibration.errors import CalibrationError
from calibration.floor.drawing import ROUGH, draw_floor
from calibration.floor.fit import fit_floor
from calibration.floor.point_pairs import PointPairs, pairs_of, parse_typed, read_pairs
from calibration.floor.report import errors_in_words, lines, points_text, yaml_block
from calibration.floor.warnings import warnings_for
from runtime.config import image_to_floor, parse
from runtime.geometry import Homography

SIZE = (1280, 720)
TRUE = Homography.from_points(
    [[200, 690], [1100, 690], [880, 250], [420, 250]], [[0, 8], [6, 8], [6, 0], [0, 0]]
)
SPREAD = [[150, 650], [640, 700], [1150, 660], [480, 260], [860, 270], [640, 420], [300, 480], [980, 470]]


def seen_from(pixels: list[list[float]], noise_px: float = 0.0, seed: int = 1) -> PointPairs:
    image = np.array(pixels, dtype=np.float64)
    clicked = image + np.random.default_rng(seed).normal(0, noise_px, image.shape)
    return PointPairs(clicked, TRUE.to_floor(image))


def test_exact_points_give_the_exact_map() -> None:
    fit = fit_floor(seen_from(SPREAD))
    np.testing.assert_allclose(fit.homography.to_floor(SPREAD), TRUE.to_floor(SPREAD), atol=1e-6)
    assert fit.errors_m.max() < 1e-6
    assert warnings_for(fit, SIZE) == []


def test_one_wild_pair_is_named_and_hardly_moves_the_map() -> None:
    pairs = seen_from(SPREAD, noise_px=1.0)
    pairs.floor_m[2] += [2.0, 0.0]
    fit = fit_floor(pairs)
    others = np.delete(np.array(SPREAD), 2, axis=0)
    misses = np.linalg.norm(fit.homography.to_floor(others) - TRUE.to_floor(others), axis=1)
    assert fit.wild.tolist() == [index == 2 for index in range(8)]
    assert misses.max() < 0.10
    plain = Homography.from_points(pairs.image_px, pairs.floor_m)
    assert np.linalg.norm(plain.to_floor(others) - TRUE.to_floor(others), axis=1).max() > 0.3
    assert any(warning.startswith("point 3 misses by 1.") or warning.startswith("point 3 misses by 2.")
               for warning in warnings_for(fit, SIZE))  # fmt: skip


def test_the_error_of_a_left_out_point_is_not_flattered_by_the_point() -> None:
    fit = fit_floor(seen_from(SPREAD, noise_px=2.0))
    assert np.nanmedian(fit.left_out_errors_m) > np.median(fit.errors_m)


def test_the_stated_uncertainty_matches_the_errors_made() -> None:
    ratios = []
    for seed in range(20):
        fit = fit_floor(seen_from(SPREAD, noise_px=2.0, seed=seed))
        check = np.array([[640.0, 560.0], [400.0, 400.0], [900.0, 350.0]])
        misses = np.linalg.norm(fit.homography.to_floor(check) - TRUE.to_floor(check), axis=1)
        ratios.extend(misses / fit.position_sigma_m(check))
    assert 0.5 < np.sqrt(np.mean(np.square(ratios))) < 1.5


def test_the_map_of_a_public_surveillance_clip_is_good_to_centimetres(shared_data: Path) -> None:
    rows = np.loadtxt(shared_data / "video-mot15-pets09-s2l1" / "gt.txt", delimiter=",")
    feet = np.column_stack([rows[:, 2] + rows[:, 4] / 2, rows[:, 3] + rows[:, 5]])
    floor_m = rows[:, 7:9]
    chosen = np.random.default_rng(3).choice(len(rows), 16, replace=False)
    fit = fit_floor(PointPairs(feet[chosen], floor_m[chosen]))
    misses = np.linalg.norm(fit.homography.to_floor(feet) - floor_m, axis=1)
    assert np.median(misses) < 0.08


@pytest.mark.parametrize(
    ("pixels", "warning"),
    [
        (SPREAD[:4], "4 pairs always fit exactly"),
        (SPREAD[:5], "only 5 pairs"),
        ([[600 + 8 * k, 500 + 9 * (k % 3)] for k in range(8)], "span only"),
        ([[100 + 150 * k, 500 + 4 * (k % 3)] for k in range(8)], "almost on one line"),
        ([*SPREAD, [640, 900]], "point 9 lies outside the picture"),
        ([[600 + 12 * k, 500 + 20 * (k % 3)] for k in range(8)], "may be off by more than 0.5 m"),
    ],
)
def test_bad_geometry_is_said(pixels: list[list[float]], warning: str) -> None:
    fit = fit_floor(seen_from(pixels, noise_px=0.5))
    assert any(warning in said for said in warnings_for(fit, SIZE))


def test_a_horizon_in_the_picture_is_said() -> None:
    tall = (1280, 3000)
    assert not any("horizon" in said for said in warnings_for(fit_floor(seen_from(SPREAD)), SIZE))
    low = PointPairs(seen_from(SPREAD).image_px + np.array([0, 2000]), seen_from(SPREAD).floor_m)
    assert any("horizon" in said for said in warnings_for(fit_floor(low), tall))


@pytest.mark.parametrize(
    "pixels", [[[100, 100]] * 6, [[100 * k, 100 * k] for k in range(6)], [[0, 0], [9, 9], [5, 1]]]
)
def test_points_that_fix_nothing_are_refused(pixels: list[list[float]]) -> None:
    image = np.array(pixels, dtype=np.float64)
    with pytest.raises(CalibrationError):
        fit_floor(PointPairs(image, image / 100))


def test_the_grid_is_drawn_where_the_map_says() -> None:
    picture = np.full((720, 1280, 3), 128, np.uint8)
    fit = fit_floor(seen_from(SPREAD))
    drawn = draw_floor(picture, fit)
    assert drawn.shape[0] > 720 and drawn.shape[1] == 1280
    u, v = np.rint(fit.homography.to_image([[3.0, 5.0]])[0]).astype(int)
    near = drawn[v - 2 : v + 3, u - 2 : u + 3].reshape(-1, 3).astype(int)
    assert (near[:, 1] - near[:, 2] > 40).any(), "green lines cross at x 3, y 5"
    assert (np.abs(drawn[:720].astype(int) - 128).max(axis=2) < 12).mean() > 0.5


def test_floor_far_from_the_points_is_drawn_red() -> None:
    picture = np.full((720, 1280, 3), 128, np.uint8)
    cluster = [[600 + 12 * k, 500 + 20 * (k % 3)] for k in range(8)]
    drawn = draw_floor(picture, fit_floor(seen_from(cluster, noise_px=0.5)))[:720]
    red = np.abs(drawn.astype(int) - np.array(ROUGH)).max(axis=2) < 60
    assert red[650:, :300].any() and not red[480:540, 620:660].any()


def test_pairs_are_read_from_yaml_csv_and_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("points:\n  - {image: [412, 380.5], floor: [2.5, -6]}\n")
    (tmp_path / "p.csv").write_text("u,v,x,y\n412, 380.5, 2.5, -6\n")
    for pairs in (
        read_pairs(tmp_path / "p.yaml"),
        read_pairs(tmp_path / "p.csv"),
        parse_typed(["412,380.5=2.5,-6"]),
    ):
        assert pairs.image_px.tolist() == [[412, 380.5]]
        assert pairs.floor_m.tolist() == [[2.5, -6]]


def test_the_yaml_block_is_a_sound_part_of_a_config() -> None:
    fit = fit_floor(seen_from(SPREAD))
    text = (
        "site: {name: s, device: d}\nfloor: {extent_m: [-5, -5, 12, 12]}\ncameras:\n"
        f"  - name: door\n    uri: rtsp://cam/1\n{yaml_block(fit, SIZE)}"
    )
    found = image_to_floor(parse(text, Path("store.yaml")).cameras[0])
    assert found is not None
    np.testing.assert_allclose(found.to_floor(SPREAD), TRUE.to_floor(SPREAD), atol=1e-4)


def test_the_command_writes_the_block_the_drawing_and_the_points(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "door.png"), np.full((720, 1280, 3), 90, np.uint8))
    pairs = seen_from(SPREAD)
    typed = [
        f"--point={u:g},{v:g}={x:.4f},{y:.4f}"
        for (u, v), (x, y) in zip(pairs.image_px, pairs.floor_m, strict=True)
    ]
    names = {key: str(tmp_path / key) for key in ("grid.png", "block.yaml", "points.yaml")}
    result = CliRunner().invoke(
        calibrate,
        [
            *("floor", str(tmp_path / "door.png"), *typed, "--json", "--drawing", names["grid.png"]),
            *("--out", names["block.yaml"], "--save-points", names["points.yaml"]),
        ],
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert answer["median_error_cm"] < 0.1 and answer["warnings"] == []
    assert "homography:" in Path(names["block.yaml"]).read_text()
    assert len(read_pairs(Path(names["points.yaml"]))) == len(SPREAD)
    assert errors_in_words(fit_floor(read_pairs(Path(names["points.yaml"])))).startswith(
        "median error 0.0 cm"
    )
    assert cv2.imread(names["grid.png"]).shape[1] == 1280


@pytest.mark.parametrize("name", ["points.csv", "points.yaml", "POINTS.CSV", "points"])
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 4), min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
def test_saved_points_are_the_very_same_when_they_are_read(
    tmp_path: Path, name: str, rows: list[tuple[float, float, float, float]]
) -> None:
    pairs = pairs_of(rows)
    (tmp_path / name).write_text(points_text(pairs, name.lower().endswith(".csv")))
    found = read_pairs(tmp_path / name)
    assert (found.image_px == pairs.image_px).all() and (found.floor_m == pairs.floor_m).all()


@pytest.mark.parametrize("name", ["again.csv", "again.yaml"])
def test_the_command_reads_the_points_that_it_saved(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / "door.png"), np.full((720, 1280, 3), 90, np.uint8))
    (tmp_path / "first.csv").write_text(points_text(seen_from(SPREAD), as_csv=True))
    answers = []
    for points, saved in (("first.csv", name), (name, "last.yaml")):
        told = [str(tmp_path / "door.png"), "--points", str(tmp_path / points), "--save-points"]
        result = CliRunner().invoke(calibrate, ["floor", *told, str(tmp_path / saved), "--json"])
        assert result.exit_code == 0, result.output
        answers.append(json.loads(result.output))
    assert answers[0] == answers[1]


def test_the_drawing_states_the_figures_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = seen_from(SPREAD)
    pairs.floor_m[0] += 0.034
    fit = fit_floor(pairs)
    written: list[str] = []
    put_text = cv2.putText

    def noted(image: object, text: str, *rest: object) -> object:
        written.append(text)
        return put_text(image, text, *rest)

    monkeypatch.setattr(cv2, "putText", noted)
    draw_floor(np.full((720, 1280, 3), 90, np.uint8), fit)
    (told,) = [line for line in lines(fit, []) if line.startswith("median error")]
    assert any(told in text for text in written), (told, written)


def test_every_text_of_the_drawing_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters over bolder letters are ghosts beside each other where weights differ in width."""
    places: list[tuple[int, int]] = []
    put_text = cv2.putText

    def noted(image: np.ndarray, text: str, at: tuple[int, int], *rest: object) -> object:
        if image.shape[0] == 720:
            places.append(at)
        return put_text(image, text, at, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(cv2, "putText", noted)
    draw_floor(np.full((720, 1280, 3), 90, np.uint8), fit_floor(seen_from(SPREAD)))
    assert len(places) >= len(SPREAD)
    assert len(set(places)) == len(places)


def test_a_floor_that_was_counted_the_other_way_is_said() -> None:
    pairs = seen_from(SPREAD)
    said = warnings_for(fit_floor(pairs_of(np.column_stack([pairs.image_px, pairs.floor_m * (1, -1)]))), SIZE)
    mirrored = [
        any("mirrored" in one for one in found) for found in (said, warnings_for(fit_floor(pairs), SIZE))
    ]
    assert sorted(mirrored) == [False, True]
