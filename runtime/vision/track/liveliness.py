"""Does what stands there live? Change inside a person's box that is not change around it.

People who stand shift their weight, turn their head and move their hands; mannequins, posters and trees do
not, or no more than everything near them. A grey image is compared with one of some tenths of a second
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

MAX_WIDTH_PX = 768
"""Width of the grey image at most: a head that turns far away moves by a pixel or two of it."""

LAGS_S = (0.4, 4.0)
"""Ages of the images that are compared with: for quick movement, and for people who hardly move."""

MAX_LATE_S = 1.1
"""An image this much older than wanted is no good."""

KEEP_EVERY_S = (0.1, 0.5)
"""How far apart the images are that are kept for each age."""

CLOCK_S = 0.02
"""Times of frames are known to this."""

MIN_CHANGE, MIN_NOISES = 4.0, 2.5
"""A pixel has changed by at least this many grey levels, and this many standard deviations of the noise."""

STILL_SHARE, STILL_SDS = 0.3, 0.385
"""The noise is measured on the stillest share of the picture, which differs by less than so many of its
standard deviations (quantile of a normal distribution's absolute value)."""

SAME_IOU = 0.3
"""A box of the older image with this IoU shows the same person."""

MIN_VISIBLE, LIVING = 0.5, 0.03
"""Less of a box than MIN_VISIBLE free of other boxes says nothing, unless so much changes there that it were
LIVING of the whole box if nothing else of it did."""

STILL = 0.02
"""A box with less change than this in all of it is still, whoever is before or behind it."""

RIM, RIM_WEIGHT = 0.25, 1.5
"""Width of the rim as a share of the box's width, and how much its change counts against that of the box."""

MIN_BOX_PX, MIN_RIM_PX = 48, 32
"""Pixels of the grey image that a box and its rim must have to be looked at."""

GLANCE_WIDTH_PX, MIN_CHANGED_PX = 240, 4
"""Whether anything has changed is asked of an image of this width at most: a finer one shows how a camera's
coder treats noise. Fewer changed pixels of it than this are no person's."""

MARGIN_PX = 2.0
"""Other boxes are taken this much larger, in pixels of the grey image."""

SAMPLE_EVERY = 4
"""Every so many pixels, across and down, are looked at for the noise."""

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Page:
    """A grey image, boxes (n, 4) left, top, right, bottom in its pixels, and which hide others (n,)."""

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
    def _noise(self) -> float:
        return noise_between(self._now.grey, self._before.grey)

    def share(self, row: int) -> float:
        """Share of living change in the box of a row; nan where nothing is known."""
        height, width = self._now.grey.shape
        own = self._now.boxes[row]
        rim = max(2.0, RIM * (own[2] - own[0]))
        left, top = max(0, int(own[0] - rim)), max(0, int(own[1] - rim))
        right, bottom = min(width, int(np.ceil(own[2] + rim))), min(height, int(np.ceil(own[3] + rim)))
        if right <= left or bottom <= top:
            return float("nan")
        window = slice(top, bottom), slice(left, right)
        changed = changed_pixels(self._now.grey[window], self._before.grey[window], self._noise)
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
        visible_px = np.count_nonzero(visible)
        if visible_px < MIN_BOX_PX:
            return float("nan")
        share = np.count_nonzero(changed & visible) / visible_px
        if (rim_px := np.count_nonzero(around)) >= MIN_RIM_PX:
            share -= RIM_WEIGHT * np.count_nonzero(changed & around) / rim_px
        if visible_px < MIN_VISIBLE * size:
            share *= visible_px / size
            if share < LIVING:
                return float("nan")
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


class _Album:
    """The pages that one age is looked up in: a few, however many frames a second there are."""

    def __init__(self, lag_s: float, every_s: float) -> None:
        self._lag_s, self._every_s = lag_s, every_s
        self._pages: deque[_Page] = deque()

    def __len__(self) -> int:
        return len(self._pages)

    def add(self, page: _Page) -> None:
        """Keep a page, unless the last is as good; forget those that are too old for any later look."""
        pages = self._pages
        if not pages or page.time_s - pages[-1].time_s >= self._every_s - CLOCK_S:
            pages.append(page)
        while len(pages) > 1 and page.time_s - pages[1].time_s >= self._lag_s - CLOCK_S:
            pages.popleft()

    def aged(self, time_s: float) -> _Page | None:
        """The youngest page of at least that age; None where it is much older."""
        for page in reversed(self._pages):
            age_s = time_s - page.time_s
            if age_s >= self._lag_s - CLOCK_S:
                return page if age_s <= self._lag_s + MAX_LATE_S else None
        return None


class Liveliness:
    """One camera's recent grey images, an album for each age. Feed every frame in order of time."""

    def __init__(self) -> None:
        self.albums = self._new_albums()
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
        now, before = _glance(grey), _glance(self._last.grey)
        changed = changed_pixels(now, before, noise_between(now, before))
        return bool(np.count_nonzero(changed) >= MIN_CHANGED_PX)

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
        last, self._last = self._last, now
        if last is not None and (last.time_s >= time_s or last.grey.shape != grey.shape):
            self.albums = self._new_albums()
        look = Look(now, [album.aged(time_s) for album in self.albums])
        for album in self.albums:
            album.add(now)
        return look

    @staticmethod
    def _new_albums() -> list[_Album]:
        return [_Album(lag_s, every_s) for lag_s, every_s in zip(LAGS_S, KEEP_EVERY_S, strict=True)]


def noise_between(now: Grey, before: Grey) -> float:
    """Standard deviation of what noise makes of the difference of two images, in grey levels."""
    sample = cv2.absdiff(now[::SAMPLE_EVERY, ::SAMPLE_EVERY], before[::SAMPLE_EVERY, ::SAMPLE_EVERY]).ravel()
    rank = int(STILL_SHARE * (len(sample) - 1))
    return float(np.partition(sample, rank)[rank]) / STILL_SDS


def changed_pixels(now: Grey, before: Grey, noise: float) -> Bools:
    """Which pixels of two images differ by more than noise of that standard deviation."""
    change = cv2.blur(cv2.absdiff(now, before), (3, 3))
    changed: Bools = np.asarray(change > max(MIN_CHANGE, MIN_NOISES * noise))
    return changed


def shrunk(image: npt.NDArray[np.uint8]) -> Grey:
    """The image's green, or a grey image, shrunk by a whole number to MAX_WIDTH_PX at most."""
    height, width = image.shape[:2]
    times = -(-width // MAX_WIDTH_PX)
    # Of every second pixel of a large picture the mean is as good, and cheaper.
    step = max(1, round(times / 2))
    grey = np.ascontiguousarray(image[::step, ::step, 1] if image.ndim == 3 else image[::step, ::step])
    if times > 1:
        size = max(1, width // times), max(1, height // times)
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return grey


def _glance(grey: Grey) -> Grey:
    height, width = grey.shape
    if width <= GLANCE_WIDTH_PX:
        return grey
    size = GLANCE_WIDTH_PX, max(1, round(height * GLANCE_WIDTH_PX / width))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _filled(shape: tuple[int, ...], boxes: Floats, margin: float) -> Bools:
    """A mask of that shape, set where a box left, top, right, bottom lies."""
    mask = np.zeros(shape, dtype=np.bool_)
    for left, top, right, bottom in boxes.tolist():
        rows = slice(max(0, round(top - margin)), max(0, round(bottom + margin)))
        mask[rows, max(0, round(left - margin)) : max(0, round(right + margin))] = True
    return mask
