"""From a retailer's list and pictures to embeddings that say what looks alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from fleet.cli import fleet
from fleet.errors import FleetError
from fleet.mirror.catalogue import Catalogue
from fleet.mirror.embedding import own_pictures, small
from fleet.search.words import vocabulary

KINDS = ("coat", "bag", "长裤")


def a_list(folder: Path, count: int) -> Path:
    """Three kinds that hang at three heights; colours and sizes of pictures differ."""
    drawn = np.random.default_rng(0)
    rows = ["sku,title,picture"]
    for number in range(count):
        kind = number % 3
        picture = np.full((84, 60, 3), 255, np.uint8)
        half = int(drawn.integers(8, 24))
        picture[6 + 21 * kind : 36 + 21 * kind, 30 - half : 30 + half] = int(drawn.integers(10, 190))
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        rows.append(f"S{number},{KINDS[kind]},{number}.png")
    file = folder / "garments.csv"
    file.write_text("\n".join([*rows, "T1,Something else,0.png", "T2,coat,"]) + "\n")
    return file


def test_pictures_become_small_on_a_dark_backdrop_and_titles_say_what_they_are(tmp_path: Path) -> None:
    own = own_pictures(a_list(tmp_path, 30))
    assert own.skus[-1] == "T1" and len(own.skus) == 31, "one without a picture is left out"
    assert own.is_told.tolist() == [True] * 30 + [False]
    assert (own.pictures[:, 0] == 0).all() and own.pictures.max() > 150
    trousers = vocabulary().concepts.index("trousers")
    assert own.described[:30, trousers].tolist() == [False, False, True] * 10
    (tmp_path / "x.png").write_bytes(b"\x89PNG rubbish")
    with pytest.raises(FleetError, match="no picture that can be decoded"):
        small(tmp_path / "x.png")


def test_too_few_titles_with_a_kind_are_said(tmp_path: Path) -> None:
    garments = a_list(tmp_path, 9)
    arguments = ["embeddings", "--garments", str(garments), "--out", str(tmp_path / "e.npz")]
    done = CliRunner().invoke(fleet, arguments)
    assert "9 pictures have a title with a kind" in str(done.exception)
    assert not (tmp_path / "e.npz").exists()


@pytest.mark.slow
def test_what_looks_alike_is_learnt_and_put_into_the_catalogue(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    garments = a_list(tmp_path, 210)
    out, words = str(tmp_path / "e.npz"), str(tmp_path / "words.npz")
    arguments = ["embeddings", "--garments", str(garments), "--out", out, "--words", words, "--steps", "25"]
    done = CliRunner().invoke(fleet, arguments)
    assert done.exit_code == 0, done.output
    arguments = [
        "catalogue",
        "--garments",
        str(garments),
        "--embeddings",
        out,
        "--out",
        str(tmp_path / "c.db"),
    ]
    assert CliRunner().invoke(fleet, arguments).exit_code == 0
    catalogue = Catalogue(tmp_path / "c.db")
    first = catalogue.beside("T1", "alike")[:10]  # its title says nothing, its picture is a coat's
    assert sum(int(sku[1:]) % 3 == 0 for sku in first) >= 8, first
    assert (tmp_path / "words.npz").exists()
