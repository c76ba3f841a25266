"""The README's picture can be drawn anew from the events of a demo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2

from contract.envelope import Origin, encode_event
from contract.facts import Cell, Heatmap, Visit

NOON_S = 1_700_000_000.0
MOST_BYTES = 150_000


def test_it_is_drawn_from_events_alone(repo: Path, tmp_path: Path) -> None:
    heat = Heatmap(
        key="heatmap:0:0",
        time_s=NOON_S + 120,
        start_s=NOON_S,
        end_s=NOON_S + 120,
        zones={"road": 9.0},
        cells=(Cell(30, 30, 9.0),),
        origin_m=(-14.0, -14.0),
        cell_m=0.5,
    )
    visit = Visit(key="visit:1", time_s=NOON_S, visitor="abc123", direction="in", entrance="road gate")
    events = [
        encode_event(fact, Origin("plaza", "box"), seq, NOON_S) for seq, fact in enumerate((visit, heat), 1)
    ]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(events))
    script = repo / "scripts/lib/readme_picture.py"
    command = [sys.executable, str(script), str(tmp_path / "events.jsonl"), str(tmp_path / "plaza.webp")]
    done = subprocess.run(command, cwd=repo, env={"PYTHONPATH": str(repo)}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    drawn = cv2.imread(str(tmp_path / "plaza.webp"))
    shipped = cv2.imread(str(repo / "docs/pictures/plaza.webp"))
    assert drawn is not None and shipped is not None
    assert drawn.shape == shipped.shape
    red = (drawn[..., 2].astype(int) - drawn[..., 0]).max()
    assert red > 100, "no gate is drawn"
    assert (repo / "docs/pictures/plaza.webp").stat().st_size < MOST_BYTES
