"""Draws docs/pictures/plaza.webp from the events of a demo: the floor from above, the events beside it.

    .venv/bin/python scripts/lib/readme_picture.py demo-out/events.jsonl docs/pictures/plaza.webp

Everything in it comes from the events: no picture of a camera is needed, and none is in it.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from contract.describe import describe
from contract.envelope import Event, open_event
from contract.facts import Dwell, Flip, Interaction, TryOn, Visit
from runtime.config import StoreConfig, load
from runtime.demo.drawing import floor
from runtime.demo.plaza import STORE
from runtime.demo.tally import EventTally

WORTH_READING = (Visit, Dwell, Flip, Interaction, TryOn)
CROP_M = (-15.5, -4.5, 6.5, 15.5)
"""The part of the plaza where something happens: left, top, right, bottom in floor metres."""
LINE_PX, PANEL_PX, MARGIN_PX, HEAD_PX = 26, 720, 16, 44
COLUMNS_PX = (0, 78, 170)
DARK, PALE = (48, 38, 34), (225, 230, 232)
QUALITY = 82
Image = NDArray[np.uint8]


def main() -> None:
    """Read the events, write the picture."""
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    events = [open_event(line) for line in source.read_bytes().splitlines()]
    tally = EventTally()
    for event in events:
        tally.receive(event)
    heat = tally.heat()
    seconds = max(part.end_s for part in heat) - min(part.start_s for part in heat)
    floor = floor_of(with_counts(load(STORE, clips_needed=False), tally), tally)
    left = np.vstack(
        [head(f"{seconds / 60:.0f} minutes on the plaza, from its events", floor.shape[1]), floor]
    )
    right = panel_of(events, left.shape[0])
    cv2.imwrite(str(out), np.hstack([left, right]), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    sys.stdout.write(f"{out}: {out.stat().st_size // 1024} KB\n")


def with_counts(config: StoreConfig, tally: EventTally) -> StoreConfig:
    """The store with names that say how many came and went by a gate, and what was turned at a rack."""
    gates, turned = tally.gates(), Counter(flip.fixture for flip in tally.of(Flip))
    entrances = [
        replace(gate, name="{}: {} in, {} out".format(gate.name, *gates.get(gate.name, (0, 0))))
        for gate in config.entrances
    ]
    fixtures = [replace(rack, name=f"{rack.name}: {turned[rack.name]} flips") for rack in config.fixtures]
    return replace(config, entrances=entrances, fixtures=fixtures)


def floor_of(config: StoreConfig, tally: EventTally) -> Image:
    """The heatmap on plain paper, (height, width, 3)."""
    plan = floor.Plan(config.floor.extent())
    ground = np.full((plan.size[1], plan.size[0], 3), floor.PAPER, np.uint8)
    floor.draw_heat(ground, floor.cell_seconds(tally.heat(), config))
    floor.draw_layout(ground, config, plan)
    (left, top), (right, low) = plan.px(CROP_M[:2]), plan.px(CROP_M[2:])
    return ground[max(0, top) : low, max(0, left) : right]


def head(text: str, width: int) -> Image:
    """A strip with a title."""
    strip = np.full((HEAD_PX, width, 3), floor.PAPER, np.uint8)
    cv2.putText(strip, text, (MARGIN_PX, HEAD_PX - 16), floor.FONT, 0.6, floor.INK, 1, cv2.LINE_AA)
    return strip


def panel_of(events: list[Event], height: int) -> Image:
    """The latest events worth reading, as `tagsight events tail` prints them."""
    panel = np.full((height, PANEL_PX, 3), DARK, np.uint8)
    said = [describe(event) for event in events if isinstance(event.fact, WORTH_READING)]
    rows = ["$ tagsight events tail", *said[-((height - 2 * MARGIN_PX) // LINE_PX - 1) :]]
    for row, line in enumerate(rows):
        low = MARGIN_PX + LINE_PX * (row + 1) - 8
        for text, indent in zip(line.split("  ", 2) if row else [line], COLUMNS_PX, strict=False):
            at = (MARGIN_PX + indent, low)
            cv2.putText(panel, text.strip(), at, floor.FONT, 0.46, PALE, 1, cv2.LINE_AA)
    return panel


if __name__ == "__main__":
    main()
