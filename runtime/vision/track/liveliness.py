"""Does what stands there live? Change inside a person's box that is not change around it.

People who stand shift their weight, turn their head and move their hands; mannequins, posters and trees do
not, or no more than everything near them. A small grey image is compared with one of some tenths of a second
before and one of some seconds before: the share of changed pixels in a box less that in a rim around it (a
camera that shakes, light that changes, leaves in the wind), only where nobody else's box lay in either image.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from runtime.geometry import Bools, Floats
from runtime.vision.track.settings import TrackerSettings
from runtime.vision.track.view import box_iou

WIDTH_PX = 240
"""Width of the small grey image."""

LAGS_S = (0.4, 4.0)
"""Ages of the images that are compared with: for quick movement, and for people who hardly move."""

MAX_LATE_S = 1.1
"""An image this much older than wanted is no good; one is kept every `KEEP_EVERY_S`."""

KEEP_EVERY_S = 0.1

CLOCK_S = 0.02
"""Times of frames are known to this."""

MIN_CHANGE, MIN_NOISES = 4.0, 2.5
"""A pixel has changed by at least this many grey levels, and this many standard deviations of the noise."""

STILL_SHARE, STILL_SDS = 0.3, 0.385
"""The noise is measured on the stillest share of the picture, which differs by less than so many of its
standard deviations (quantile of a normal distribution's absolute value)."""

SAME_IOU = 0.3
"""A box of the older image with this IoU shows the same person."""

MIN_VISIBLE = 0.5
"""Less of a box than this free of other boxes says nothing."""

STILL = 0.02
"""A box with less change than this in all of it is still, whoever is before or behind it."""

RIM, RIM_WEIGHT = 0.25, 1.5
"""Width of the rim as a share of the box's width, and how much its change counts against that of the box."""

MIN_BOX_PX, MIN_RIM_PX = 12, 8
"""Pixels of the small image that a box and its rim must have to be looked at."""

MIN_CHANGED_PX = 4
"""Fewer changed pixels of the small image than this are no person's."""

MARGIN_PX = 1.0
"""Other boxes are taken this much larger, in pixels of the small image."""

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Page:
    """A small grey image, boxes (n, 4) left, top, right, bottom in its pixels, and which hide others (n,)."""

    time_s: float
    grey: Grey
    boxes: Floats
    hides: Bools

    def same_as(self, box: Floats) -> int:
        """The row that shows whom `box` (4,) shows; -1 where none does."""
        if not len(self.boxes):
            return -1
        iou = box_iou(box[None], self.boxes)[0]
        return int(iou.argmax()) if iou.max() >= SAME_IOU else -1

    def others(self, row: int) -> Floats:
        """The boxes that hide somebody, but for that of `row`."""
        chosen = self.hides.copy()
        if row >= 0:
            chosen[row] = False
        boxes: Floats = self.boxes[chosen]
        return boxes


class _Pair:
    """Two pages compared."""

    def __init__(self, now: _Page, before: _Page) -> None:
        self._now = now
        self._before = before

    @cached_property
    def _changed(self) -> Bools:
        return changed_pixels(self._now.grey, self._before.grey)

    def share(self, row: int) -> float:
        """Share of living change in the box of a row; nan where nothing is known."""
        height, width = self._changed.shape
        own = self._now.boxes[row]
        rim = max(2.0, RIM * (own[2] - own[0]))
        left, top = max(0, int(own[0] - rim)), max(0, int(own[1] - rim))
        right, bottom = min(width, int(np.ceil(own[2] + rim))), min(height, int(np.ceil(own[3] + rim)))
        if right <= left or bottom <= top:
            return float("nan")
        changed = self._changed[top:bottom, left:right]
        corner = np.array([left, top, left, top])
        inside = _filled(changed.shape, own[None] - corner, 0.0)
        size = np.count_nonzero(inside)
        if size < MIN_BOX_PX:
            return float("nan")
        total = np.count_nonzero(changed & inside) / size
        if total < STILL:
            return total
        others = np.concatenate([self._now.others(row), self._before.others(self._before.same_as(own))])
        free = ~_filled(changed.shape, others - corner, MARGIN_PX)
        visible, around = inside & free, ~inside & free
        if np.count_nonzero(visible) < MIN_VISIBLE * size:
            return float("nan")
        share = np.count_nonzero(changed & visible) / np.count_nonzero(visible)
        if (rim_px := np.count_nonzero(around)) >= MIN_RIM_PX:
            share -= RIM_WEIGHT * np.count_nonzero(changed & around) / rim_px
        return share


class Look:
    """What one frame says of the life in its boxes."""

    def __init__(self, now: _Page, before: Iterable[_Page | None]) -> None:
        self._pairs = [None if page is None else _Pair(now, page) for page in before]

    def shares(self, rows: npt.NDArray[np.intp]) -> Floats:
        """Share of living change in the boxes of these rows (n,), by age of the older image: (n, 2).

        It is nan where nothing is known.
        """
        shares = np.full((len(rows), len(self._pairs)), np.nan)
        for column, pair in enumerate(self._pairs):
            if pair is not None:
                shares[:, column] = [pair.share(row) for row in rows.tolist()]
        return shares


class Liveliness:
    """One camera's recent small images. Feed every frame in order of time."""

    def __init__(self) -> None:
        self._pages: deque[_Page] = deque()
        self._last: _Page | None = None
        self._shrunk: tuple[float, Grey] | None = None

    def has_changed(self, image: npt.NDArray[np.uint8], time_s: float) -> bool:
        """Whether anything as large as a far person's limb differs from the image looked at last.

        `image` is (height, width, 3) BGR or (height, width) grey, taken at `time_s`.
        """
        grey = shrunk(image)
        self._shrunk = time_s, grey
        if self._last is None or self._last.grey.shape != grey.shape:
            return True
        return bool(np.count_nonzero(changed_pixels(grey, self._last.grey)) >= MIN_CHANGED_PX)

    def look(
        self, image: npt.NDArray[np.uint8], boxes: npt.ArrayLike, scores: npt.ArrayLike, time_s: float
    ) -> Look:
        """A look at the boxes (n, 4) left, top, right, bottom px of an image at `time_s`.

        `image` is (height, width, 3) BGR or (height, width) grey; only a small copy of it is kept. Boxes
        with a score (n,) below what the tracker takes up hide nobody.
        """
        before = self._shrunk
        grey = before[1] if before is not None and before[0] == time_s else shrunk(image)
        scale = grey.shape[1] / image.shape[1]
        hides = np.asarray(scores, dtype=np.float64).reshape(-1) >= TrackerSettings.weak_score
        now = _Page(time_s, grey, np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * scale, hides)
        pages = self._pages
        if pages and (pages[-1].time_s >= time_s or pages[-1].grey.shape != grey.shape):
            pages.clear()
        self._last = now
        look = Look(now, [self._aged(time_s, lag_s) for lag_s in LAGS_S])
        if not pages or time_s - pages[-1].time_s >= KEEP_EVERY_S - CLOCK_S:
            pages.append(now)
        while time_s - pages[0].time_s > LAGS_S[-1] + MAX_LATE_S:
            pages.popleft()
        return look

    def _aged(self, time_s: float, lag_s: float) -> _Page | None:
        """The youngest page of at least that age; None where it is much older."""
        for page in reversed(self._pages):
            age_s = time_s - page.time_s
            if age_s >= lag_s - CLOCK_S:
                return page if age_s <= lag_s + MAX_LATE_S else None
        return None


def changed_pixels(now: Grey, before: Grey) -> Bools:
    """Which pixels of two small images differ by more than the noise."""
    change = cv2.absdiff(now, before)
    sample = change[::2, ::2].ravel()
    rank = int(STILL_SHARE * (len(sample) - 1))
    noise = float(np.partition(sample, rank)[rank]) / STILL_SDS
    changed: Bools = np.asarray(cv2.blur(change, (3, 3)) > max(MIN_CHANGE, MIN_NOISES * noise))
    return changed


def shrunk(image: npt.NDArray[np.uint8]) -> Grey:
    """The image's green, or a grey image, WIDTH_PX wide at most."""
    height, width = image.shape[:2]
    step = max(1, round(width / (2 * WIDTH_PX)))
    grey = np.ascontiguousarray(image[::step, ::step, 1] if image.ndim == 3 else image[::step, ::step])
    if width > WIDTH_PX:
        size = (WIDTH_PX, max(1, round(height * WIDTH_PX / width)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    return grey


def _filled(shape: tuple[int, ...], boxes: Floats, margin: float) -> Bools:
    """A mask of that shape, set where a box left, top, right, bottom lies."""
    mask = np.zeros(shape, dtype=np.bool_)
    for left, top, right, bottom in boxes.tolist():
        rows = slice(max(0, round(top - margin)), max(0, round(bottom + margin)))
        mask[rows, max(0, round(left - margin)) : max(0, round(right + margin))] = True
    return mask
