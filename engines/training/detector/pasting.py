"""Persons pasted into a picture one over the other, and how much of each is still to be seen at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluation.pool import Boxes, Image, Labels
from engines.training.detector.cutouts import Cutout

FULLY_SEEN = 0.6
BARELY_SEEN = 0.2
MIN_TRUST = 0.5
"""Of a pasted person `FULLY_SEEN` visible or more is a whole person; down to `BARELY_SEEN` the trust falls to
`MIN_TRUST`; less is a place to look away from."""

HIDDEN_BELOW = 0.3
"""A person of the picture itself, of whose box less than this is free of pasted ones, is one too."""

TAKES_OVER = 0.5


@dataclass
class Pasted:
    """A picture that people are pasted into: `labels` are its own, of before."""

    image: Image
    labels: Labels
    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.image = self.image.copy()
        self._owner = np.full(self.image.shape[:2], -1, np.int16)

    def add(
        self, cutout: Cutout, left: float, top: float, tall: float, rng: np.random.Generator
    ) -> NDArray[np.float32] | None:
        """Pastes a person of height `tall`; gives the box in view, None if too little would be in view."""
        source, mask = cutout.image, cutout.mask
        if rng.random() < 0.5:
            source, mask = source[:, ::-1], mask[:, ::-1]
        wide = tall * source.shape[1] / source.shape[0] * rng.uniform(0.9, 1.1)
        size = (max(4, round(wide)), max(8, round(tall)))
        x0, y0 = int(left), int(top)
        a, b = max(0, x0), max(0, y0)
        c, d = min(self.image.shape[1], x0 + size[0]), min(self.image.shape[0], y0 + size[1])
        if c - a < max(5, 0.5 * size[0]) or d - b < max(8, 0.5 * size[1]):
            return None
        window = np.s_[b - y0 : d - y0, a - x0 : c - x0]
        person = cv2.resize(source, size, interpolation=cv2.INTER_AREA).astype(np.float32)[window]
        alpha = cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_AREA)[window]
        under = self.image[b:d, a:c].astype(np.float32)
        gain = np.clip((under.mean() + 30) / (person.mean() + 30), 0.6, 1.4) ** rng.uniform(0, 1)
        if rng.random() < 0.5:
            shade(self.image, (a, b, c, d), rng)
            under = self.image[b:d, a:c].astype(np.float32)
        mixed = person * gain * alpha[..., None] + under * (1 - alpha[..., None])
        self.image[b:d, a:c] = np.clip(mixed, 0, 255).astype(np.uint8)
        solid = alpha > TAKES_OVER
        self._owner[b:d, a:c][solid] = len(self.boxes)
        self._sizes.append(max(1, int(solid.sum())))
        box = np.array([a, b, c, d], np.float32)
        self.boxes.append(box)
        return box

    def all_labels(self) -> Labels:
        """The picture's own persons and the pasted ones, with whole boxes and a trust by what is visible."""
        pasted = np.asarray(self.boxes, np.float32).reshape(-1, 4)
        counts = np.bincount(self._owner[self._owner >= 0], minlength=len(pasted))
        seen = counts / np.asarray(self._sizes, np.float64) if len(pasted) else np.zeros(0)
        share = (seen - BARELY_SEEN) / (FULLY_SEEN - BARELY_SEEN)
        trust = np.where(seen < BARELY_SEEN, 0, MIN_TRUST + (1 - MIN_TRUST) * share.clip(0, 1))
        own = self.labels
        kept = np.where(self._free(own.boxes) < HIDDEN_BELOW, 0, own.trust).astype(np.float32)
        before = Labels(own.boxes, kept, own.teacher_iou)
        added = Labels(pasted, trust.astype(np.float32), np.zeros(len(pasted), np.float32))
        return Labels.joined([before, added])

    def _free(self, boxes: Boxes) -> NDArray[np.float64]:
        """The share of each box that no pasted person lies in."""
        free = np.ones(len(boxes))
        for row, (left, top, right, bottom) in enumerate(boxes.astype(int).tolist()):
            part = self._owner[max(0, top) : bottom, max(0, left) : right]
            free[row] = float((part < 0).mean()) if part.size else 1.0
        return free


def shade(image: Image, box: tuple[int, int, int, int], rng: np.random.Generator) -> None:
    """Darkens a flat ellipse on the floor beside a person's feet, in place."""
    left, _, right, bottom = box
    wide = right - left
    mask = np.zeros(image.shape[:2], np.float32)
    centre = (int((left + right) / 2 + rng.uniform(-0.8, 0.8) * wide), int(bottom - 0.03 * wide))
    axes = (max(2, int(wide * rng.uniform(0.5, 1.1))), max(1, int(wide * rng.uniform(0.1, 0.25))))
    cv2.ellipse(mask, centre, axes, float(rng.uniform(-12, 12)), 0, 360, float(rng.uniform(0.2, 0.55)), -1)
    top, low = max(0, centre[1] - wide), min(image.shape[0], centre[1] + wide)
    if top < low:
        image[top:low] = (image[top:low] * (1 - mask[top:low, :, None])).astype(np.uint8)
