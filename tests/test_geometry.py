"""Plane geometry of the floor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import geometry as g

PETS = [
    [0.0533237, -0.6022939, 88.2870706],
    [-0.1388754, -0.3985859, 120.0428132],
    [0.000911589, 0.01956270, 1.0],
]
SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]

pixel = st.tuples(st.floats(0, 768), st.floats(0, 576))
metre = st.floats(-50, 50)


@given(st.lists(pixel, min_size=1, max_size=20))
def test_image_to_floor_and_back_is_the_identity(pixels: list[tuple[float, float]]) -> None:
    camera = g.Homography(PETS)
    assert np.allclose(camera.to_image(camera.to_floor(pixels)), pixels, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, -1.0, 250.0, -0.003])
def test_the_scale_and_sign_of_the_matrix_do_not_matter(scale: float) -> None:
    floor = g.Homography(np.array(PETS) * scale).to_floor([[400, 300]])
    assert np.allclose(floor, g.Homography(PETS).to_floor([[400, 300]]))


def test_a_pixel_above_the_horizon_has_no_place_on_the_floor() -> None:
    floor = g.Homography(PETS).to_floor([[100, -80], [100, 300]])
    assert np.isnan(floor[0]).all()
    assert np.isfinite(floor[1]).all()


def test_a_floor_point_behind_the_camera_has_no_pixel() -> None:
    camera = g.Homography([[1, 0, 0], [0, 0, 100], [0, 1, 0]])
    assert np.isnan(camera.to_image([[0.0, -5.0]])).all()
    assert np.isfinite(camera.to_image([[0.0, 5.0]])).all()


def test_an_upside_down_camera_is_told_by_a_pixel_that_shows_floor() -> None:
    upside_down = np.array(PETS) @ np.diag([1, -1, 1])
    camera = g.Homography(upside_down, floor_pixel=(400, -300))
    assert np.allclose(camera.to_floor([[400, -300]]), g.Homography(PETS).to_floor([[400, 300]]))


@given(pixel)
def test_the_jacobian_is_the_slope_of_the_map(at: tuple[float, float]) -> None:
    camera = g.Homography(PETS)
    step = 1e-4
    steps = np.array([[step, 0], [0, step]])
    slope = (camera.to_floor(np.array(at) + steps) - camera.to_floor(np.array(at) - steps)).T / (2 * step)
    assert np.allclose(camera.jacobian(at)[0], slope, rtol=1e-4, atol=1e-6)


def test_pixel_noise_spreads_on_the_floor_as_sampled_noise_does() -> None:
    camera = g.Homography(PETS)
    rng = np.random.default_rng(1)
    samples = camera.to_floor([400, 300] + rng.normal(size=(20_000, 2)) * [1.0, 2.0])
    covariance = camera.floor_covariance([400, 300], [1.0, 2.0])[0]
    assert np.allclose(covariance, np.cov(samples.T), rtol=0.1, atol=2e-4)


def test_metres_per_pixel_grows_towards_the_horizon() -> None:
    near, far = g.Homography(PETS).metres_per_pixel([[400, 550], [400, 80]])
    assert 0 < near < far


def test_a_homography_is_found_from_its_points() -> None:
    pixels = np.array([[50, 100], [700, 120], [650, 500], [80, 540], [400, 300]])
    truth = g.Homography(PETS)
    found = g.Homography.from_points(pixels, truth.to_floor(pixels))
    assert np.allclose(found.to_floor([[222, 333]]), truth.to_floor([[222, 333]]))


@pytest.mark.parametrize(
    ("image", "floor", "sentence"),
    [
        ([[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 0], [1, 1]], "at least 4 pairs"),
        ([[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 0], [1, 0], [1, 1]], "4 image points but 3"),
        ([[0, 0], [1, 0], [2, 0], [3, 0]], [[0, 0], [1, 0], [2, 0], [3, 0]], "on one line"),
        ([[5, 5]] * 4, [[0, 0], [1, 0], [1, 1], [0, 1]], "all points are the same"),
        ([[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 0], [9, 0], [1, 1], [6, 1]], "horizon"),
    ],
)
def test_points_that_fix_no_homography_are_refused(image: object, floor: object, sentence: str) -> None:
    with pytest.raises(g.GeometryError, match=sentence):
        g.Homography.from_points(image, floor)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.eye(2), "3 x 3"),
        (np.ones((3, 3)), "singular"),
        (np.zeros((3, 3)), "singular"),
        (np.full((3, 3), np.nan), "finite"),
    ],
)
def test_a_matrix_that_is_no_homography_is_refused(matrix: object, sentence: str) -> None:
    with pytest.raises(g.GeometryError, match=sentence):
        g.Homography(matrix)  # type: ignore[arg-type]


def test_left_of_the_line_is_positive() -> None:
    assert np.allclose(g.signed_distance_m([[1, 2], [1, -3], [7, 0]], [[0, 0], [4, 0]]), [2, -3, 0])


def test_position_along_the_line() -> None:
    assert np.allclose(g.position_along([[0, 5], [2, 1], [8, 0]], [[0, 0], [4, 0]]), [0, 0.5, 2])


@pytest.mark.parametrize(
    ("path", "fraction"),
    [
        ([[1, -1], [1, 3]], 0.25),
        ([[1, 1], [1, 3]], None),
        ([[9, -1], [9, 1]], None),
        ([[0, -1], [0, 1]], 0.5),
        ([[1, -1], [1, 0]], 1.0),
        ([[0, 0], [4, 0]], None),
        ([[1, 1], [1, 1]], None),
    ],
)
def test_where_a_path_meets_a_line(path: object, fraction: float | None) -> None:
    found = g.crossing_fraction(path, [[0, 0], [4, 0]])  # type: ignore[arg-type]
    assert found == (None if fraction is None else pytest.approx(fraction))


def test_distance_to_a_segment_ends_at_its_ends() -> None:
    assert np.allclose(g.distance_to_segment_m([[2, 3], [7, 4], [-1, 0]], [[0, 0], [4, 0]]), [3, 5, 1])
    assert np.allclose(g.distance_to_segment_m([[3, 4]], [[0, 0], [0, 0]]), [5])


def test_points_in_a_concave_polygon() -> None:
    corner = [[0, 0], [4, 0], [4, 1], [1, 1], [1, 4], [0, 4]]
    inside = g.in_polygon([[0.5, 3], [3, 3], [3, 0.5], [np.nan, 0.5], [-1, 2]], corner)
    assert inside.tolist() == [True, False, True, False, False]


@given(st.tuples(metre, metre))
def test_winding_does_not_matter_for_points_in_a_polygon(at: tuple[float, float]) -> None:
    assert g.in_polygon(at, SQUARE)[0] == g.in_polygon(at, SQUARE[::-1])[0]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4)), min_size=1))
def test_a_point_on_a_shared_edge_belongs_to_one_polygon(points: list[tuple[int, int]]) -> None:
    left = g.in_polygon(points, SQUARE)
    right = g.in_polygon(points, np.add(SQUARE, [4, 0]))
    assert not (left & right).any()
    inner = (np.array(points)[:, 0] < 8) & (np.array(points)[:, 1] < 4)
    assert ((left | right) == inner).all()


def test_areas_and_centres() -> None:
    assert g.signed_area_m2(SQUARE) == 16
    assert g.signed_area_m2(SQUARE[::-1]) == -16
    assert g.polygon_area_m2(SQUARE[::-1]) == 16
    assert g.polygon_centre(np.array(SQUARE) + 1000) == pytest.approx((1002, 1002))
    assert g.polygon_centre([[0, 0], [2, 0], [4, 0]]) == (2, 0)


def test_distance_to_a_polygon_is_zero_inside() -> None:
    assert np.allclose(g.distance_to_polygon_m([[2, 2], [7, 8], [2, -1]], SQUARE), [0, 5, 1])


def test_a_bow_tie_crosses_itself() -> None:
    assert g.crosses_itself([[0, 0], [4, 4], [4, 0], [0, 4]])
    assert not g.crosses_itself(SQUARE)


def test_points_of_another_shape_are_refused() -> None:
    with pytest.raises(g.GeometryError, match=r"shape \(n, 2\)"):
        g.as_points([1, 2, 3])


def test_the_floor_in_a_picture_is_what_its_pixels_show() -> None:
    """Clipping by the picture's edges and the horizon, against every place of a fine grid."""
    view = g.Homography.from_points(
        [[320, 1010], [1600, 1010], [1330, 520], [590, 520]], [[4, 11], [10, 11], [10, 3], [4, 3]]
    )
    plan = [(0.0, 0.0), (20.0, 0.0), (20.0, 12.0), (0.0, 12.0)]
    outline = view.floor_in_frame(plan, (1920, 1080))
    x, y = np.meshgrid(np.linspace(0.03, 19.97, 90), np.linspace(0.03, 11.97, 60))
    places = np.column_stack([x.ravel(), y.ravel()])
    pixels = view.to_image(places)
    with np.errstate(invalid="ignore"):
        seen = ((pixels >= 0) & (pixels < (1920, 1080))).all(axis=1)
    edge = np.abs(distance_to_polygon_edge(places, outline)) < 1e-6
    assert 100 < seen.sum() < len(seen)
    assert (g.in_polygon(places, outline) == seen)[~edge].all()
    assert len(view.floor_in_frame([(90, 90), (91, 90), (91, 91)], (1920, 1080))) == 0


def distance_to_polygon_edge(places: np.ndarray, outline: np.ndarray) -> np.ndarray:
    edges = zip(outline, np.roll(outline, -1, axis=0), strict=True)
    return np.min([g.distance_to_segment_m(places, np.stack(edge)) for edge in edges], axis=0)
