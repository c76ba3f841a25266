"""`tagsight config draw`: what is configured, seen on the plan and in every camera's picture."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result

from runtime.cli import tagsight
from runtime.commands.camera_view import draw_view, entrances_of, plain_frame
from runtime.commands.plan_picture import ANTENNA, GATE, MARGIN_PX, RACK, PlanPicture
from runtime.config import ConfigErrors, StoreConfig, image_to_floor, load
from runtime.vision import draw
from runtime.vision.overlay import Overlay

Image = npt.NDArray[np.uint8]

STORE = """
site: {name: test, device: box}
floor: {extent_m: [0, 0, 14, 12]}
cameras:
  - name: door
    uri: "rtsp://127.0.0.1:9/x"
    image_size: [960, 540]
    points:
      - {image: [160, 505], floor: [4, 11]}
      - {image: [800, 505], floor: [10, 11]}
      - {image: [665, 260], floor: [10, 3]}
      - {image: [295, 260], floor: [4, 3]}
  - name: yard/2
    uri: csi:1
    max_size: [320, 240]
entrances:
  - {name: door, line: [[5, 10], [9, 10]], inside: [7, 8], cameras: [door]}
  - {name: gate, line: [[11, 2], [11, 5]], inside: [9, 3]}
zones:
  - {name: coats, polygon: [[4, 3], [10, 3], [10, 7], [4, 7]]}
  - {name: cabin, kind: fitting_room, polygon: [[12, 1], [13, 1], [13, 3], [12, 3]]}
fixtures:
  - {name: rack, at: [6, 5]}
readers:
  - {name: r, host: 192.0.2.20, antennas: [{port: 3, name: over, at: [8, 8]}, {port: 4, name: none}]}
"""


@pytest.fixture
def store_yaml(tmp_path: Path) -> Path:
    (tmp_path / "store.yaml").write_text(STORE)
    return tmp_path / "store.yaml"


@pytest.fixture
def store(store_yaml: Path) -> StoreConfig:
    return load(store_yaml)


def drawn(*arguments: object) -> Result:
    return CliRunner().invoke(tagsight, ["config", "draw", *map(str, arguments)], catch_exceptions=False)


def has(image: Image, colour: tuple[int, int, int], at: tuple[float, float], reach: int = 6) -> bool:
    """Whether a pixel of about that colour lies near a place of the picture."""
    u, v = round(at[0]), round(at[1])
    part = image[max(0, v - reach) : v + reach + 1, max(0, u - reach) : u + reach + 1].astype(int)
    return bool((np.abs(part - colour).max(axis=2) < 40).any())


def test_the_plan_shows_every_thing_at_its_place(store: StoreConfig) -> None:
    picture = PlanPicture(store)
    image = picture.draw()
    assert picture.px((0, 0)) == (MARGIN_PX, MARGIN_PX)
    assert has(image, GATE, picture.px((6, 10))), "the line"
    assert has(image, GATE, picture.px((7, 9.5))), "its arrow points inside"
    assert not has(image, GATE, picture.px((7, 10.5)))
    assert has(image, RACK, picture.px((5.7, 5)))
    assert has(image, ANTENNA, picture.px((8, 8)))


def test_a_drawing_of_the_floor_lies_under_the_plan(tmp_path: Path, store_yaml: Path) -> None:
    ground = np.full((120, 140, 3), 255, np.uint8)
    ground[:, 70:] = (0, 0, 255)
    cv2.imwrite(str(tmp_path / "floor.png"), ground)
    store_yaml.write_text(STORE.replace("extent_m: [0, 0, 14, 12]", "image: floor.png, scale_px_per_m: 10"))
    picture = PlanPicture(load(store_yaml))
    image = picture.draw().astype(int)
    left, right = (image[picture.px((x, 11.5))[::-1]] for x in (2.5, 12.5))
    assert right[2] - right[0] > 80 > abs(left[2] - left[0]), "its right half is red, paled"


def test_a_camera_shows_its_own_entrances_only(store: StoreConfig) -> None:
    picture = np.full((540, 960, 3), 90, np.uint8)
    door, yard = store.cameras
    shown = draw_view(picture, store, door, "test")
    zoom = shown.shape[1] // 960
    assert has(shown, draw.GATE, (480 * zoom, 465 * zoom), reach=60)
    assert [one.name for one in entrances_of(store, door)] == ["door", "gate"]
    assert [one.name for one in entrances_of(store, yard)] == ["gate"]


def test_the_floor_grid_lies_where_the_map_has_it(store: StoreConfig) -> None:
    """Where a line of whole metres runs, the picture has changed; far from any it has not."""
    camera = store.cameras[0]
    picture = np.full((540, 960, 3), 90, np.uint8)
    shown = draw_view(picture, store, camera, "test").astype(int)
    floor_map = image_to_floor(camera, (960, 540))
    assert floor_map is not None
    zoom = shown.shape[1] // 960
    on, off = floor_map.to_image([[3.0, 8.6], [3.25, 8.75]]) * zoom
    assert has(shown.astype(np.uint8), draw.GRID, (on[0], on[1]), reach=2)
    assert not has(shown.astype(np.uint8), draw.GRID, (off[0], off[1]), reach=2)


def test_snapshots_are_drawn_on_and_a_camera_without_one_gets_a_plain_picture(
    tmp_path: Path, store_yaml: Path
) -> None:
    (tmp_path / "snapshots").mkdir()
    snapshot = np.full((270, 480, 3), (30, 60, 200), np.uint8)
    cv2.imwrite(str(tmp_path / "snapshots" / "door.png"), snapshot)
    result = drawn(store_yaml, "--out", tmp_path / "out", "--snapshots", tmp_path / "snapshots", "--json")
    assert result.exit_code == 0, result.output
    told = {Path(one["file"]).name: one["shows"] for one in json.loads(result.stdout)["drawn"]}
    assert told["camera-door.png"] == "camera door: snapshot door.png"
    assert "no picture (no yard/2.png in" in told["camera-yard-2.png"]
    door = cv2.imread(str(tmp_path / "out" / "camera-door.png"))
    assert (door[5, 5] == (30, 60, 200)).all(), "the snapshot, of its own size"
    yard = cv2.imread(str(tmp_path / "out" / "camera-yard-2.png"))
    assert yard.shape[1] % 320 == 0 and set(told) == {"plan.png", "camera-door.png", "camera-yard-2.png"}


def test_a_camera_that_gives_no_picture_is_said_and_drawn_all_the_same(
    tmp_path: Path, store_yaml: Path
) -> None:
    store_yaml.write_text(STORE.replace('"rtsp://127.0.0.1:9/x"', '"rtsp://127.0.0.1:9/x?token=S3cretPW"'))
    result = drawn(store_yaml, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "camera door: rtsp://127.0.0.1:9/x?token=***" in result.stderr
    assert "S3cretPW" not in result.output
    assert (tmp_path / "out" / "camera-door.png").stat().st_size > 1_000


def test_a_camera_of_a_clip_shows_its_first_picture(tmp_path: Path, store_yaml: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (960, 540))
    for _ in range(12):
        writer.write(np.full((540, 960, 3), (30, 60, 200), np.uint8))
    writer.release()
    store_yaml.write_text(STORE.replace('"rtsp://127.0.0.1:9/x"', "clip.avi"))
    result = drawn(store_yaml, "--out", tmp_path / "out")
    assert "camera door: its picture now" in result.stdout
    corner = cv2.imread(str(tmp_path / "out" / "camera-door.png"))[5, 5].astype(int)
    assert np.abs(corner - (30, 60, 200)).max() < 12


def test_a_plain_picture_has_the_camera_s_size() -> None:
    assert plain_frame((320, 240)).shape == (240, 320, 3)


def test_a_config_with_mistakes_is_one_sentence(tmp_path: Path, store_yaml: Path) -> None:
    store_yaml.write_text(STORE.replace("extent_m", "extend_m"))
    with pytest.raises(ConfigErrors, match="did you mean 'extent_m'"):
        drawn(store_yaml, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("camera", "shown"), [("door", ["door", "gate"]), ("yard/2", ["gate"]), (None, ["door", "gate"])]
)
def test_a_film_of_a_camera_shows_its_own_entrances_only(
    tmp_path: Path, store: StoreConfig, monkeypatch: pytest.MonkeyPatch, camera: str | None, shown: list[str]
) -> None:
    drawn_gates: list[str] = []
    monkeypatch.setattr(draw.ScenePainter, "gate", lambda self, canvas, name, *rest: drawn_gates.append(name))
    floor_map = image_to_floor(store.cameras[0], (960, 540))
    overlay = Overlay(tmp_path / "film.mp4", (960, 540), 10.0, floor_map, store, camera)
    overlay.add(np.full((540, 960, 3), 90, np.uint8), 0.0, [], {})
    overlay.close()
    assert drawn_gates == shown
