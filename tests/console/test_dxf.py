"""An architect's drawing becomes the floor, in its own size."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.console.drawing.dxf import dxf_picture
from runtime.console.drawing.floor_picture import take_picture
from web.errors import WebError

ezdxf = pytest.importorskip("ezdxf")


def plan(units: int) -> bytes:
    """A room of 12 x 8 units of 1000 with a door's arc, and a pillar from a block."""
    document = ezdxf.new("R2010")
    document.header["$INSUNITS"] = units
    space = document.modelspace()
    space.add_lwpolyline([(0, 0), (12_000, 0), (12_000, 8_000), (0, 8_000)], close=True)
    space.add_arc((6_000, 0), 900, 0, 90)
    pillar = document.blocks.new("pillar")
    pillar.add_circle((0, 0), 300)
    space.add_blockref("pillar", (3_000, 6_000))
    text = io.StringIO()
    document.write(text)
    return text.getvalue().encode()


def test_a_drawing_in_millimetres_knows_its_size(tmp_path: Path) -> None:
    taken = take_picture(plan(4), tmp_path)
    assert taken.metres == (12.0, 8.0)
    image = cv2.imread(str(tmp_path / taken.file), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    scale = taken.width / 12.0
    dark = image < 160
    ring = dark[round(2.0 * scale) - 3 : round(2.0 * scale) + 4, : round(4 * scale)].any(axis=0)
    assert np.flatnonzero(ring)[[5, -1]] / scale == pytest.approx([2.7, 3.3], abs=0.05), "y grows downwards"
    assert not dark[round(4 * scale), round(scale) : round(11 * scale)].any(), "nothing else is in the room"


@pytest.mark.parametrize(("units", "metres"), [(0, None), (6, None), (5, (120.0, 80.0))])
def test_a_size_is_taken_over_only_where_the_drawing_tells_it(
    units: int, metres: tuple[float, float] | None
) -> None:
    assert dxf_picture(plan(units))[1] == metres


@pytest.mark.parametrize("data", [b"0\nSECTION\n", b"0\nEOF\n", b"999\ncomment\n", plan(4)[:400]])
def test_a_broken_drawing_is_refused_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(WebError, match="PNG"):
        take_picture(data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ezdxf", None)
    with pytest.raises(WebError, match=r"tagsight\[plan\]"):
        take_picture(b"0\nSECTION\n", tmp_path)
