"""Training pictures: plain frames, one person close up, mosaics of four, people pasted in, crowds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from engines.errors import TrainingError
from engines.evaluation.pool import EMPTY, PAD, Image, Labels, PoolEntry, read_image, read_index
from engines.training.detector.augment import framed, mirrored, stretched, weathered
from engines.training.detector.cutouts import Cutout, read_cutouts
from engines.training.detector.pasting import Pasted

Example = tuple[Image, Labels]

COMPANY_SHARE = 0.35
"""How often a pasted person walks close beside the one before, half hiding it."""

STRETCH_SHARE = 0.3
CLOSE_SMALLEST_PX = 60
CLOSE_TALLEST = 1.9
"""Of the picture's height: how tall the person of a close-up can be."""

KINDS = {"plain": 0.42, "close": 0.0, "mosaic": 0.28, "pasted": 0.3, "crowd": 0.0}
SOURCE_SHARES = {
    "street": 0.42,
    "coco": 0.14,
    "cafe": 0.1,
    "retail": 0.12,
    "hall": 0.1,
    "table": 0.06,
    "aisle": 0.06,
}


class SceneMaker:
    """Draws endless training examples from a pool, held-out pictures left alone."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        shares: dict[str, float] | None = None,
        kinds: dict[str, float] | None = None,
    ) -> None:
        self._folder = folder
        self._rng = np.random.default_rng(seed)
        entries = [entry for entry in read_index(folder) if not entry.held_out]
        if not entries:
            raise TrainingError(f"{folder}: the pool has no picture to train on")
        self._by_source: dict[str, list[PoolEntry]] = {}
        for entry in entries:
            self._by_source.setdefault(entry.source, []).append(entry)
        self._empty = self._by_source.pop(EMPTY, [])
        wanted = {**SOURCE_SHARES, **(shares or {})}
        self._sources = sorted(self._by_source)
        weights = np.array([wanted.get(source, 0.05) for source in self._sources])
        self._weights = weights / weights.sum()
        self._kinds = {**KINDS, **(kinds or {})}
        if unknown := sorted(set(self._kinds) - set(KINDS)):
            raise TrainingError(f"kinds: unknown kind of scene {unknown[0]!r}; known are {', '.join(KINDS)}")
        self._cutouts: list[Cutout] = read_cutouts(folder / "cutouts")
        self._decoded: dict[str, Image] = {}

    def example(self, size: tuple[int, int]) -> Example:
        """One picture of `size` (width, height) with its persons."""
        kinds, chances = list(self._kinds), np.array(list(self._kinds.values()))
        kind = kinds[int(self._rng.choice(len(kinds), p=chances / chances.sum()))]
        if kind == "mosaic":
            image, labels = self._mosaic(size)
        elif kind == "close":
            image, labels = self._close(size)
        else:
            image, labels = self._plain(size)
            if kind in ("pasted", "crowd") and self._cutouts:
                paste = self._pasted if kind == "pasted" else self._crowd
                image, labels = paste(image, labels, size)
        if self._rng.random() < 0.5:
            image, labels = mirrored(image, labels)
        return weathered(image, self._rng), labels

    def _draw(self) -> Example:
        source = self._sources[int(self._rng.choice(len(self._sources), p=self._weights))]
        entry = self._by_source[source][int(self._rng.integers(len(self._by_source[source])))]
        image, labels = self._image(entry), entry.labels()
        if self._rng.random() < STRETCH_SHARE:
            image, labels = stretched(image, labels, float(np.exp(self._rng.uniform(-0.25, 0.25))))
        return image, labels

    def _image(self, entry: PoolEntry) -> Image:
        if entry.file not in self._decoded:
            self._decoded[entry.file] = read_image(self._folder / entry.file)
        return self._decoded[entry.file]

    def _plain(self, size: tuple[int, int]) -> Example:
        image, labels = self._draw()
        return self._placed(
            image, labels, size, float(np.exp(self._rng.uniform(math.log(0.65), math.log(2.4))))
        )

    def _close(self, size: tuple[int, int]) -> Example:
        """A person half as tall as the picture and up to beyond it, so that the picture's edges cut it."""
        image, labels = self._draw()
        sure = labels.boxes[labels.trust >= 0.7]
        tall = sure[:, 3] - sure[:, 1]
        sure = sure[tall >= CLOSE_SMALLEST_PX]
        if not len(sure):
            zoom = float(np.exp(self._rng.uniform(0, math.log(2.0))))
            return self._placed(image, labels, size, zoom)
        left, top, right, bottom = sure[int(self._rng.integers(len(sure)))].tolist()
        share = float(np.exp(self._rng.uniform(math.log(0.45), math.log(CLOSE_TALLEST))))
        scale = share * size[1] / max(bottom - top, 0.75 * (right - left))
        at = self._rng.uniform(0.1, 0.9), self._rng.uniform(0.1, 0.9)
        aim_x = left + (right - left) * self._rng.uniform(0.25, 0.75)
        aim_y = top + (bottom - top) * self._rng.uniform(0.05, 0.85)
        offset = (size[0] * at[0] - aim_x * scale, size[1] * at[1] - aim_y * scale)
        height, width = image.shape[:2]
        held = tuple(
            float(np.clip(place, min(0, room), max(0, room)))
            for place, room in zip(offset, (size[0] - width * scale, size[1] - height * scale), strict=True)
        )
        return framed(image, labels, scale, (held[0], held[1]), size)

    def _placed(self, image: Image, labels: Labels, size: tuple[int, int], zoom: float) -> Example:
        """The picture at `zoom` times the scale at which it just fits, shifted at random."""
        height, width = image.shape[:2]
        scale = zoom * min(size[0] / width, size[1] / height)
        offset = tuple(
            float(self._rng.uniform(min(0, room), max(0, room)))
            for room in (size[0] - width * scale, size[1] - height * scale)
        )
        return framed(image, labels, scale, (offset[0], offset[1]), size)

    def _mosaic(self, size: tuple[int, int]) -> Example:
        width, height = size
        split_x = int(width * self._rng.uniform(0.3, 0.7))
        split_y = int(height * self._rng.uniform(0.3, 0.7))
        canvas = np.full((height, width, 3), PAD, np.uint8)
        parts = []
        for x0, y0, x1, y1 in (
            (0, 0, split_x, split_y),
            (split_x, 0, width, split_y),
            (0, split_y, split_x, height),
            (split_x, split_y, width, height),
        ):
            image, labels = self._draw()
            zoom = float(np.exp(self._rng.uniform(math.log(0.6), math.log(3.0))))
            tile, labels = self._placed(image, labels, (x1 - x0, y1 - y0), zoom)
            canvas[y0:y1, x0:x1] = tile
            shift = np.array([x0, y0, x0, y0], np.float32)
            parts.append(Labels(labels.boxes + shift, labels.trust, labels.teacher_iou))
        return canvas, Labels.joined(parts)

    def _pasted(self, image: Image, labels: Labels, size: tuple[int, int]) -> Example:
        """People of a height that grows down the picture, as a raised camera sees them, with soft shadows."""
        scene = self._ground(image, labels, size)
        width, height = size
        low, high = sorted(np.exp(self._rng.uniform(math.log(0.07), math.log(1.0), 2)) * height)
        feet = np.sort(self._rng.uniform(0.15, 1.05, int(self._rng.integers(1, 11)))) * height
        beside: np.ndarray | None = None
        for foot in feet.tolist():
            foot_y = foot
            tall = (low + (high - low) * foot_y / height) * self._rng.uniform(0.88, 1.12)
            if beside is not None and self._rng.random() < COMPANY_SHARE:
                tall = float(beside[3] - beside[1]) * self._rng.uniform(0.9, 1.1)
                foot_y = float(beside[3]) + tall * self._rng.uniform(-0.02, 0.12)
                left = float(beside[0] + (beside[2] - beside[0]) * self._rng.uniform(-1.0, 1.0))
            else:
                left = float(self._rng.uniform(-0.02, 0.98) * width)
            box = scene.add(self._anyone(), left, foot_y - tall, tall, self._rng)
            if box is not None:
                beside = box
        return scene.image, scene.all_labels()

    def _crowd(self, image: Image, labels: Labels, size: tuple[int, int]) -> Example:
        """Groups of two to four who walk side by side and cross other groups, seen from eye height or little
        above: everybody about as tall, feet on nearly one line, the nearer ones over the farther ones.
        """
        scene = self._ground(image, labels, size)
        width, height = size
        tall = float(np.exp(self._rng.uniform(math.log(0.16), math.log(0.75)))) * height
        line = max(0.85 * tall, float(self._rng.uniform(0.35, 1.0)) * height)
        depth = float(self._rng.uniform(0.05, 0.5))
        people: list[tuple[float, float, float]] = []
        for _ in range(int(self._rng.integers(1, 5))):
            near = float(self._rng.uniform(-depth, depth))
            middle = float(self._rng.uniform(0.0, 1.0)) * width
            spread = float(self._rng.uniform(0.08, 0.5)) * tall
            for place in range(int(self._rng.choice([1, 2, 2, 2, 3, 4]))):
                nearer = 1 + near + float(self._rng.normal(0, 0.05))
                foot = line + tall * (nearer - 1) * 0.8
                left = middle + spread * place * float(self._rng.uniform(0.5, 1.1))
                people.append((nearer, left, foot))
        for nearer, left, foot in sorted(people):
            own = tall * max(0.3, nearer) * float(self._rng.uniform(0.93, 1.07))
            scene.add(self._anyone(), left, foot - own, own, self._rng)
        return scene.image, scene.all_labels()

    def _ground(self, image: Image, labels: Labels, size: tuple[int, int]) -> Pasted:
        """The picture to paste into: this one, or a place without people."""
        if self._empty and self._rng.random() < 0.35:
            empty = self._empty[int(self._rng.integers(len(self._empty)))]
            zoom = float(self._rng.uniform(1.0, 2.2))
            image, labels = self._placed(self._image(empty), empty.labels(), size, zoom)
        return Pasted(image, labels)

    def _anyone(self) -> Cutout:
        return self._cutouts[int(self._rng.integers(len(self._cutouts)))]


class SceneBatches(IterableDataset[tuple[np.ndarray, list[Labels]]]):
    """Endless batches: images (n, 3, H, W) uint8 and their labels; one size a batch, drawn from `sizes`."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        batch: int,
        sizes: list[tuple[int, int]],
        shares: dict[str, float],
        kinds: dict[str, float],
    ) -> None:
        self._folder, self._seed, self._batch, self._sizes = folder, seed, batch, sizes
        self._shares, self._kinds = shares, kinds

    def __iter__(self) -> Iterator[tuple[np.ndarray, list[Labels]]]:
        cv2.setNumThreads(1)
        worker = get_worker_info()
        seed = self._seed + (500 * worker.id if worker is not None else 0)
        maker = SceneMaker(self._folder, seed, self._shares, self._kinds)
        rng = np.random.default_rng(seed + 1)
        while True:
            size = self._sizes[int(rng.integers(len(self._sizes)))]
            examples = [maker.example(size) for _ in range(self._batch)]
            yield (
                np.stack([image.transpose(2, 0, 1) for image, _ in examples]),
                [labels for _, labels in examples],
            )
