"""Floor maps: what no camera can have is a mistake, and every way to hang a camera is sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from runtime.config import Camera, ConfigErrors, Examined, PointPair, image_to_floor, load_running, parse
from runtime.config.checks.points import likely_swap
from runtime.config.loading import examine

Floats = npt.NDArray[np.float64]
SIZE = (1920, 1080)
DOOR = (((320, 1010), (4, 11)), ((1600, 1010), (10, 11)), ((1330, 520), (10, 3)), ((590, 520), (4, 3)))
Pairs = tuple[tuple[tuple[float, float], tuple[float, float]], ...]


def store(
    pairs: Pairs | list[tuple[Floats, Floats]], rest: str = "", extent: str = "[-40, -40, 40, 40]"
) -> str:
    points = "".join(
        f"      - {{image: [{u:.3f}, {v:.3f}], floor: [{x:.4f}, {y:.4f}]}}\n" for (u, v), (x, y) in pairs
    )
    return f"""
site: {{name: test, device: box}}
floor: {{extent_m: {extent}}}
cameras:
  - name: door
    uri: csi:0
    image_size: [{SIZE[0]}, {SIZE[1]}]
    points:
{points}{rest}
"""


def check(text: str) -> Examined:
    """As `config check`: raises ConfigErrors where anything but a remark is found."""
    parse(text, Path("store.yaml"))
    return examine(text, Path("store.yaml"))


def said_of(text: str) -> str:
    with pytest.raises(ConfigErrors) as error:
        check(text)
    return str(error.value)


def hung_camera(
    down_deg: float, yaw_deg: float, roll_deg: float, width_deg: float, height_m: float
) -> Floats:
    """Plan metres (x, y, 1) to pixels, 3 x 3, of a pinhole camera over [0, 0]."""
    down, yaw, roll = np.radians([down_deg, yaw_deg, roll_deg])
    focal = SIZE[0] / 2 / np.tan(np.radians(width_deg) / 2)
    ahead = np.array([np.cos(yaw) * np.cos(down), np.sin(yaw) * np.cos(down), -np.sin(down)])
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    below = np.cross(ahead, right)
    turned = np.array(
        [np.cos(roll) * right + np.sin(roll) * below, np.cos(roll) * below - np.sin(roll) * right, ahead]
    )
    inner = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
    seen = np.column_stack([turned[:, :2], -turned @ [0.0, 0.0, height_m]])
    # Up is towards the viewer of the plan, whose y grows downwards.
    return np.asarray(inner @ seen @ np.diag([1.0, -1.0, 1.0]))


def least_height(four: Floats) -> float:
    """Of the triangles of four points the least height, as a share of their extent."""
    heights = []
    for left_out in range(4):
        a, b, c = np.delete(four, left_out, axis=0)
        sides = [float(np.linalg.norm(one - other)) for one, other in ((a, b), (b, c), (c, a))]
        heights.append(abs(float(np.linalg.det([b - a, c - a]))) / max(sides))
    return min(heights) / float(np.linalg.norm(np.ptp(four, axis=0)))


def measured(camera: Floats, count: int, seed: int) -> list[tuple[Floats, Floats]]:
    """Pairs of pixels and places on the floor that a technician would take: spread over the floor in view."""
    random = np.random.default_rng(seed)
    pixels = random.uniform([0, 0], SIZE, (400, 2))
    places = np.column_stack([pixels, np.ones(400)]) @ np.linalg.inv(camera).T
    places = places[:, :2] / places[:, 2:]
    ahead = np.column_stack([places, np.ones(400)]) @ camera[2] > 0
    near = ahead & (np.linalg.norm(places, axis=1) < 20)
    assume(near.sum() >= 60)
    pixels, places = pixels[near], places[near]
    chosen = [int(random.integers(len(pixels)))]
    while len(chosen) < count:
        gaps = np.linalg.norm(pixels[:, None] - pixels[chosen][None], axis=2).min(axis=1)
        chosen.append(int(gaps.argmax()))
    if count == 4:
        assume(least_height(pixels[chosen]) > 0.04)
    random.shuffle(chosen)
    return [(pixels[at], places[at]) for at in chosen]


CAMERAS = st.builds(
    hung_camera,
    down_deg=st.floats(12, 88),
    yaw_deg=st.floats(0, 360),
    roll_deg=st.floats(-180, 180),
    width_deg=st.floats(40, 105),
    height_m=st.floats(2.2, 6),
)


@settings(max_examples=150, deadline=None)
@given(CAMERAS, st.integers(4, 9), st.integers(0, 1_000))
def test_every_camera_above_a_floor_is_sound(camera: Floats, count: int, seed: int) -> None:
    found = check(store(measured(camera, count, seed)))
    assert found.mistakes == []


@settings(max_examples=100, deadline=None)
@given(CAMERAS, st.integers(0, 1_000), st.sampled_from(["x", "y", "swapped"]))
def test_a_floor_counted_the_other_way_is_a_mistake_however_the_camera_hangs(
    camera: Floats, seed: int, how: str
) -> None:
    turn = {"x": np.diag([-1, 1]), "y": np.diag([1, -1]), "swapped": np.array([[0, 1], [1, 0]])}[how]
    pairs = [(pixel, turn @ place) for pixel, place in measured(camera, 6, seed)]
    assert "sees the floor mirrored" in said_of(store(pairs))


@settings(max_examples=100, deadline=None)
@given(CAMERAS, st.integers(0, 1_000), st.permutations(range(4)))
def test_four_points_that_are_mixed_up_are_a_mistake(camera: Floats, seed: int, order: list[int]) -> None:
    """Any order of the four floor places but the right one and its rotations round the quadrilateral."""
    pairs = measured(camera, 4, seed)
    middle = np.mean([pixel for pixel, _ in pairs], axis=0)
    pairs.sort(key=lambda pair: float(np.arctan2(*(pair[0] - middle)[::-1])))
    corners = np.array([pixel for pixel, _ in pairs])
    turns = [
        np.linalg.det([corners[(at + 1) % 4] - corners[at], corners[(at + 2) % 4] - corners[(at + 1) % 4]])
        for at in range(4)
    ]
    assume(min(turns) > 0)
    assume([order[(at + 1) % 4] for at in range(4)] != [(order[at] + 1) % 4 for at in range(4)])
    mixed = [(pixel, pairs[order[at]][1]) for at, (pixel, _) in enumerate(pairs)]
    said = said_of(store(mixed))
    assert any(why in said for why in ("mirrored", "the horizon", "on one line")), said


@settings(max_examples=60, deadline=None)
@given(CAMERAS, st.integers(0, 1_000))
@example(hung_camera(20, 30, 180, 80, 3), 1)
@example(hung_camera(15, 200, -150, 95, 4), 2)
@example(hung_camera(20, 30, 90, 80, 3), 3)
def test_a_map_as_a_matrix_is_as_good_as_its_points(camera: Floats, seed: int) -> None:
    """`calibrate floor` writes a matrix: the floor is on its right side however the camera hangs."""
    pairs = measured(camera, 6, seed)
    matrix = np.linalg.inv(camera)
    rows = tuple(tuple(row) for row in (matrix / np.abs(matrix).max()).tolist())
    middle = np.linalg.inv(camera) @ (SIZE[0] / 2, SIZE[1] / 2, 1.0)
    assert camera[2] @ (middle / middle[2]) > 0, "the camera looks down"
    by_points = Camera(
        name="a", uri="csi:0", image_size=SIZE, points=[PointPair(image=p, floor=f) for p, f in pairs]
    )
    by_matrix = Camera(name="a", uri="csi:0", image_size=SIZE, homography=rows)
    for size in (None, SIZE, (960, 540)):
        for one in (by_points, by_matrix):
            found = image_to_floor(one, size)
            assert found is not None
            scale = 1.0 if size is None else size[0] / SIZE[0]
            for pixel, place in pairs:
                assert np.allclose(found.to_floor(pixel * scale)[0], place, atol=1e-3)


def changed(**places: tuple[tuple[float, float], tuple[float, float]]) -> Pairs:
    """The door's points with some of them replaced: `p0` is the first."""
    return tuple(places.get(f"p{number}", pair) for number, pair in enumerate(DOOR))


BAD = {
    "mirrored": (
        tuple((pixel, (14 - x, y)) for pixel, (x, y) in DOOR),
        "cameras[0].points: camera 'door' sees the floor mirrored; on the plan, seen from above, x grows",
    ),
    "listed round the wrong way": (
        tuple((DOOR[at][0], DOOR[-at][1]) for at in range(4)),
        "cameras[0].points: camera 'door' sees the floor mirrored",
    ),
    "two places swapped": (
        changed(p0=(DOOR[0][0], DOOR[1][1]), p1=(DOOR[1][0], DOOR[0][1])),
        "some pair is wrong; the floor positions of points[0] and points[1] look swapped",
    ),
    "u and v swapped": (
        tuple(((v, u), place) for (u, v), place in DOOR),
        "cameras[0].points[1].image: [1010, 1600] lies outside the picture of 1920 x 1080; [u, v]: to",
    ),
    "a pixel of a larger picture": (
        changed(p1=((2600, 1010), (10, 11))),
        "points[1].image: [2600, 1010] lies outside the picture of 1920 x 1080; u from 0 to 1920",
    ),
    "a place given twice": (
        (*DOOR, DOOR[2]),
        "cameras[0].points[4]: the same place as points[2]; measure each place once",
    ),
    "a pixel given twice": (
        (*DOOR, (DOOR[2][0], (9.8, 3))),
        "cameras[0].points[4]: the same pixel as points[2]",
    ),
    "a floor place given twice": (
        (*DOOR, ((1300, 560), DOOR[2][1])),
        "cameras[0].points[4]: the same place on the floor as points[2]",
    ),
    "almost in a line": (
        (((320, 1010), (4, 11)), ((1600, 1010), (10, 11)), ((900, 1003), (6.8, 10.9)), ((590, 520), (4, 3))),
        "cameras[0].points: three of four points lie almost on one line",
    ),
    "a camera that looks up": (
        changed(p2=((1010, 700), (10, -40)), p3=((910, 700), (4, -40))),
        "cameras[0].points: the horizon runs through the lower half of the picture",
    ),
    "one of many is wrong": (
        (*DOOR, ((960, 1010), (7, 11)), ((960, 700), (7, 11.9))),
        "by",
    ),
}


@pytest.mark.parametrize(("pairs", "sentence"), BAD.values(), ids=BAD)
def test_points_that_cannot_be_right(pairs: Pairs, sentence: str) -> None:
    assert sentence in said_of(store(pairs))


@pytest.mark.parametrize("turn", range(4))
def test_the_door_of_the_example_is_sound_from_any_point_on(turn: int) -> None:
    assert check(store(DOOR[turn:] + DOOR[:turn])).mistakes == []
    assert check(store(tuple(reversed(DOOR)))).mistakes == []


def test_a_mirrored_map_that_was_in_service_goes_on_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "store.yaml").write_text(store(BAD["mirrored"][0]))
    found = load_running(tmp_path / "store.yaml")
    assert [mistake.weight for mistake in found.mistakes] == ["tolerated"]
    assert found.store.cameras[0].points


def test_two_cameras_that_disagree_about_left_and_right_are_refused(tmp_path: Path) -> None:
    other = (
        store(BAD["mirrored"][0])
        .split("cameras:\n")[1]
        .replace("name: door", "name: yard")
        .replace("csi:0", "csi:1")
    )
    (tmp_path / "store.yaml").write_text(store(DOOR) + other)
    with pytest.raises(ConfigErrors, match="'yard' sees the floor mirrored, and others do not"):
        load_running(tmp_path / "store.yaml")


def test_no_swap_is_named_where_none_mends_the_map() -> None:
    pairs = [PointPair(image=pixel, floor=place) for pixel, place in DOOR]
    assert likely_swap([*pairs[:3], PointPair(image=(960, 1005), floor=(8, 3))]) == ""


REST = """
zones:
  - {name: coats, polygon: [[4, 4], [9, 4], [9, 7], [4, 7]]}
  - {name: yard, polygon: [[30, 30], [35, 30], [35, 35], [30, 35]]}
  - {name: room, kind: fitting_room, polygon: [[30, -30], [32, -30], [32, -28], [30, -28]]}
fixtures:
  - {name: in view, at: [6, 6]}
  - {name: at the edge, at: [3, 7]}
  - {name: away, at: [-20, -20]}
entrances:
  - {name: door, line: [[5, 10], [9, 10]], inside: [7, 8]}
  - {name: wide, line: [[8, 9], [38, 9]], inside: [20, 5]}
"""


def test_what_no_camera_sees_is_remarked_on() -> None:
    found = check(store(DOOR, REST))
    assert {(one.path, one.weight) for one in found.mistakes} == {
        ("zones[1].polygon", "remark"),
        ("fixtures[2].at", "remark"),
        ("entrances[1].cameras", "remark"),
    }
    told = [f"{one.wrong}; {one.right}" for one in found.mistakes]
    assert "zone 'yard' is in the picture of none of 'door'; nobody is counted there" in told


def test_two_cameras_with_one_address_are_remarked_on() -> None:
    addresses = (("hall", "rtsp://192.0.2.1/"), ("till", "rtsp://192.0.2.2/"), ("back", "rtsp://192.0.2.1/"))
    more = "".join(f"  - {{name: {name}, uri: '{uri}'}}\n" for name, uri in addresses)
    (found,) = [one for one in check(store(DOOR, more)).mistakes if one.path.endswith(".uri")]
    assert (found.path, found.weight) == ("cameras[3].uri", "remark")
    assert "camera 'hall'" in found.wrong


def test_nothing_is_remarked_on_where_a_camera_may_see_it() -> None:
    """A camera whose picture's size is unknown, or a store without a camera that has a map."""
    text = store(DOOR, REST)
    assert check(text.replace("    image_size: [1920, 1080]\n", "")).mistakes == []
    alone = text.split("entrances:")[0]
    without = alone[: alone.index("    image_size")] + alone[alone.index("zones:") :]
    assert check(without).mistakes == []


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        (
            "zones: [{name: a, polygon: [[50, 0], [51, 0], [51, 1]]}]",
            "zones[0].polygon[0]: [50, 0] lies off the floor",
        ),
        ("fixtures: [{name: a, at: [0, 50]}]", "fixtures[0].at: [0, 50] lies off the floor"),
        (
            "entrances: [{name: a, line: [[5, 10], [90, 10]], inside: [7, 8]}]",
            "line[1]: [90, 10] lies off the floor",
        ),
        (
            "entrances: [{name: a, line: [[-9, -9], [-8, -9]], inside: [-9, -8]}]",
            "in the picture of none of 'door'",
        ),
    ],
)
def test_what_lies_off_the_plan_or_out_of_sight_is_a_mistake(rest: str, sentence: str) -> None:
    assert sentence in said_of(store(DOOR, rest))
