"""Market-1501's protocol, with the shipped network on pictures made here: its own are not ours to pass on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.vision import accuracy_reid_sets
from bench.vision.accuracy_reid import OURS
from bench.vision.accuracy_reid_sets import GALLERY, MARKET, MARKET_FOLDER, QUERY
from tagsight.errors import TagsightError

RED, GREEN, BLUE = (40, 40, 200), (40, 180, 40), (200, 60, 40)


def person(folder: Path, name: str, upper: tuple[int, int, int], lower: tuple[int, int, int]) -> None:
    """Somebody in two plain colours before grey, with noise of the name's own."""
    rng = np.random.default_rng(len(name) + sum(map(ord, name)))
    picture = np.full((128, 64, 3), 120, np.uint8)
    picture[25:65, 16:48], picture[65:120, 20:44], picture[6:24, 26:38] = upper, lower, (130, 160, 200)
    noisy = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), noisy, [cv2.IMWRITE_JPEG_QUALITY, 97])


@pytest.fixture
def market(tmp_path: Path) -> Path:
    root = tmp_path / MARKET_FOLDER
    person(root / QUERY, "0001_c1s1_000001_00.jpg", RED, BLUE)
    person(root / QUERY, "0002_c1s1_000001_00.jpg", GREEN, RED)
    person(root / GALLERY, "0001_c2s1_000101_01.jpg", RED, BLUE)
    person(root / GALLERY, "0002_c3s1_000101_01.jpg", GREEN, RED)
    person(root / GALLERY, "0002_c1s1_000201_01.jpg", BLUE, BLUE)
    return tmp_path


def rated(data: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[tuple[int, float, float]], str]:
    found = accuracy_reid_sets.rate_all(data, 1, (), None)
    assert all((one.name, one.data) == (OURS[2], MARKET) for one in found)
    return [(one.queries, one.rank1, one.mean_ap) for one in found], capsys.readouterr().err


def test_each_query_is_answered_from_other_cameras(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rated(market, capsys) == ([(2, 1.0, 1.0)], "")


def test_the_same_person_before_the_same_camera_and_junk_do_not_count(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The like of query 1 before its own camera, and boxes of nobody that look exactly like it.
    person(market / MARKET_FOLDER / GALLERY, "0001_c1s2_000301_01.jpg", RED, BLUE)
    for number in range(3):
        person(market / MARKET_FOLDER / GALLERY, f"-1_c4s1_00040{number}_01.jpg", RED, BLUE)
    assert rated(market, capsys)[0] == [(2, 1.0, 1.0)]


def test_a_distractor_that_looks_alike_does_count(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = market / MARKET_FOLDER / QUERY / "0001_c1s1_000001_00.jpg"
    (market / MARKET_FOLDER / GALLERY / "0000_c1s1_000501_01.jpg").write_bytes(query.read_bytes())
    ((queries, rank1, mean_ap),) = rated(market, capsys)[0]
    assert (queries, rank1, mean_ap) == (2, 0.5, pytest.approx(0.75))


def test_without_its_pictures_it_is_said_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, said = rated(tmp_path, capsys)
    assert found == []
    assert "Market-1501: not run: no pictures in" in said


def test_a_picture_with_another_name_is_told(market: Path) -> None:
    person(market / MARKET_FOLDER / QUERY, "holiday.jpg", RED, BLUE)
    with pytest.raises(TagsightError, match=r"holiday.jpg: not named as in Market-1501"):
        accuracy_reid_sets.rate_all(market, 1, (), None)
