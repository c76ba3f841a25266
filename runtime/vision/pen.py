"""Strokes, tinted areas, and words on plates: what is drawn on a frame, in pixels of it.

Words stand on plates, never on an outline of themselves: OpenCV 5 sets letters of another weight in another
width, so that an outline is a ghost beside the letters.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from runtime.geometry import Floats

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

INK: Colour = (38, 30, 28)
PAPER: Colour = (250, 250, 248)
GATE: Colour = (70, 80, 235)
ZONE: Colour = (205, 160, 70)
RACK: Colour = (70, 165, 60)
FLIP: Colour = (40, 190, 255)
RIGHT: Colour = (80, 175, 60)
WRONG: Colour = (50, 50, 215)

LEGEND: Sequence[tuple[Colour | bool, str]] = (
    (GATE, "entrance, arrow inwards"),
    (ZONE, "zone"),
    (RACK, "rack"),
    (FLIP, "garment turned, and by whom"),
    (True, "right: held against the truth"),
    (False, "wrong, or not found"),
)
"""A colour, or a tick or cross, and what it stands for."""


class Pen:
    """Draws with strokes and letters `em` times their usual size."""

    def __init__(self, em: float) -> None:
        self._em = em

    def panel(self, canvas: Image, lines: Sequence[str], rights: Sequence[bool | None] = ()) -> None:
        """Lines of text on a dark plate in the lower left corner, ticked or crossed as `rights` say."""
        if not lines:
            return
        em = self._em
        step = round(24 * em)
        marks = list(itertools.zip_longest(lines, rights))
        widths = [
            self.text_size(line, 0.55)[0] + (0 if right is None else round(24 * em)) for line, right in marks
        ]
        width = max(widths) + round(28 * em)
        height = step * len(lines) + round(16 * em)
        bottom = canvas.shape[0] - round(12 * em)
        plate = canvas[max(0, bottom - height) : bottom, round(12 * em) : round(12 * em) + width]
        plate[:] = (plate * 0.35 + np.array(INK) * 0.65).astype(np.uint8)
        for row, (line, right) in enumerate(marks):
            at = (round(26 * em), bottom - height + round(10 * em) + step * row + round(15 * em))
            self.write(canvas, line, at, 0.55, PAPER)
            if right is not None:
                self.mark(canvas, (at[0] + widths[row] - 8 * em, at[1] - 6 * em), right)

    def legend(self, canvas: Image) -> None:
        """What the colours and signs stand for, on a dark plate in the lower right corner."""
        em = self._em
        step, width = (
            round(22 * em),
            max(self.text_size(text, 0.45)[0] for _, text in LEGEND) + round(64 * em),
        )
        left = canvas.shape[1] - width - round(12 * em)
        top = canvas.shape[0] - step * len(LEGEND) - round(26 * em)
        plate = canvas[max(0, top) : canvas.shape[0] - round(12 * em), max(0, left) : max(0, left) + width]
        plate[:] = (plate * 0.35 + np.array(INK) * 0.65).astype(np.uint8)
        for row, (sign, text) in enumerate(LEGEND):
            middle = top + round(18 * em) + step * row
            if isinstance(sign, bool):
                self.mark(canvas, (left + 24 * em, middle), sign)
            else:
                ends = np.array([(left + 12 * em, middle), (left + 36 * em, middle)])
                self.stroke(canvas, ends, sign, 5.0)
            self.write(canvas, text, (left + round(48 * em), middle + round(5 * em)), 0.45, PAPER)

    def stroke(
        self, canvas: Image, points: Floats, colour: Colour, width: float, closed: bool = False
    ) -> None:
        if len(points) < 2 or not np.isfinite(points).all():
            return
        fixed = np.round(points * 16).astype(np.int32)
        cv2.polylines(canvas, [fixed], closed, colour, max(1, round(width * self._em)), cv2.LINE_AA, 4)

    def wash(self, canvas: Image, points: Floats, colour: Colour, strength: float) -> None:
        """Tint the area within `points`."""
        if len(points) < 3 or strength <= 0:
            return
        height, width = canvas.shape[:2]
        low = np.clip(np.floor(points.min(axis=0)), 0, (width, height)).astype(int)
        high = np.clip(np.ceil(points.max(axis=0)) + 1, 0, (width, height)).astype(int)
        if (high <= low).any():
            return
        part = canvas[low[1] : high[1], low[0] : high[0]]
        tinted = part.copy()
        cv2.fillPoly(tinted, [np.round(points - low).astype(np.int32)], colour, cv2.LINE_AA)
        cv2.addWeighted(tinted, strength, part, 1 - strength, 0, dst=part)

    def tag(
        self,
        canvas: Image,
        text: str,
        at: tuple[float, float],
        colour: Colour,
        right: bool | None = None,
    ) -> None:
        """Text on a filled plate whose lower left corner is `at`, kept inside the frame."""
        em = self._em
        width, height = self.text_size(text, 0.45)
        pad = round(4 * em)
        text_width, width = width, width + (0 if right is None else round(22 * em))
        left = int(np.clip(at[0], 0, max(0, canvas.shape[1] - width - 2 * pad)))
        bottom = int(np.clip(at[1], height + 2 * pad, canvas.shape[0] - 1))
        top = bottom - height - 2 * pad
        cv2.rectangle(canvas, (left, top), (left + width + 2 * pad, bottom), colour, -1, cv2.LINE_AA)
        bright = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 130
        self.write(canvas, text, (left + pad, bottom - pad), 0.45, INK if bright else PAPER)
        if right is not None:
            self.mark(canvas, (left + pad + text_width + 13 * em, (top + bottom) / 2), right)

    def mark(self, canvas: Image, centre: tuple[float, float], right: bool) -> None:
        """A disc with a tick or a cross."""
        em = self._em
        at = round(centre[0]), round(centre[1])
        cv2.circle(canvas, at, round(9 * em), RIGHT if right else WRONG, -1, cv2.LINE_AA)
        strokes = (
            [[(-4, 0), (-1, 4), (4, -4)]]
            if right
            else [[(-3.5, -3.5), (3.5, 3.5)], [(-3.5, 3.5), (3.5, -3.5)]]
        )
        for stroke in strokes:
            self.stroke(canvas, np.array(at) + em * np.array(stroke), PAPER, 2.0)

    def text_size(self, text: str, size: float) -> tuple[int, int]:
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size * self._em, self._weight())
        return int(width), int(height)

    def write(self, canvas: Image, text: str, at: tuple[int, int], size: float, colour: Colour) -> None:
        cv2.putText(
            canvas,
            text,
            at,
            cv2.FONT_HERSHEY_SIMPLEX,
            size * self._em,
            colour,
            self._weight(),
            cv2.LINE_AA,
        )

    def _weight(self) -> int:
        return max(1, round(self._em))
