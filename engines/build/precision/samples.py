"""Network inputs for calibrating and comparing: from a folder of frames, or drawn.

A detector gets whole frames laid out as it gets them in use. A network of persons (ReID, action) gets the
persons that our detector finds in the frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.backends.onnxruntime import fill_planes
from engines.backends.protocol import InputFormat
from engines.catalogue import KnownEngine, Recipe
from engines.errors import BuildError, DecoderError
from engines.inference import decoders
from engines.inference.decoders import OutputDecoder
from engines.inference.detector import PersonDetector
from engines.inference.preprocess import Canvas, Fit
from engines.inference.reading import NetworkIO, pixels_of, reading_of

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
MAX_FRAMES = 200
"""More make calibration slower and no better; they are taken evenly from the folder."""
MIN_FRAMES = 16
MIN_CROP_PX = 24
MAX_CROPS = 300
DRAWN = 4

Image = NDArray[np.uint8]
Feed = NDArray[np.float32]


@dataclass(frozen=True)
class Feeding:
    """How images become a network's input. `reading` None: a network of persons' crops, not of frames."""

    pixels: InputFormat
    fit: Fit
    reading: NetworkIO | None

    def input_of(self, image: Image, size_wh: tuple[int, int]) -> Feed:
        """[1, 3, height, width] fp32 from an image [height, width, 3] BGR."""
        width, height = size_wh
        canvas = np.zeros((height, width, 3), np.uint8)
        Canvas(canvas, self.fit).letterbox(image)
        planes = np.zeros((1, 3, height, width), np.float32)
        fill_planes(planes[0], canvas, self.pixels)
        return planes


def feeding_of(engine: KnownEngine, output_shapes: decoders.Shapes, size_wh: tuple[int, int]) -> Feeding:
    """How an engine is fed: by its recipe, and by its decoder where it is a detector."""
    recipe: Recipe = engine.entry
    decoder = _decoder(recipe, output_shapes, size_wh) if engine.entry.task == "detector" else None
    if decoder is None:
        return Feeding(pixels_of(recipe, InputFormat()), recipe.fit or "stretch", None)
    reading = reading_of(recipe, decoder)
    return Feeding(reading.pixels, reading.fit, reading)


def _decoder(recipe: Recipe, shapes: decoders.Shapes, size_wh: tuple[int, int]) -> OutputDecoder | None:
    try:
        return decoders.by_name(recipe.decoder) if recipe.decoder else decoders.guess(shapes, *size_wh)
    except DecoderError:
        return None


def frames(folder: Path) -> list[Image]:
    """Images of a folder, evenly taken, at most MAX_FRAMES. Raises BuildError for too few."""
    if not folder.is_dir():
        raise BuildError(f"{folder}: is no folder; give one with frames of your own cameras")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES)
    step = max(1, -(-len(files) // MAX_FRAMES))
    read = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in files[::step])
    found = [np.asarray(image, np.uint8) for image in read if image is not None]
    if len(found) < MIN_FRAMES:
        raise BuildError(
            f"{folder}: holds {len(found)} pictures that can be read ({', '.join(IMAGES)}); at least "
            f"{MIN_FRAMES} are needed, better 100 from different hours"
        )
    return found


def feeds(feeding: Feeding, size_wh: tuple[int, int], images: list[Image]) -> list[Feed]:
    """Network inputs from frames. Raises BuildError where a network of persons finds too few in them."""
    if feeding.reading is not None:
        return [feeding.input_of(image, size_wh) for image in images]
    crops = list(_persons(images))
    if len(crops) < MIN_FRAMES:
        raise BuildError(
            f"only {len(crops)} persons were found in the frames, and at least {MIN_FRAMES} are needed"
        )
    step = max(1, -(-len(crops) // MAX_CROPS))
    return [feeding.input_of(crop, size_wh) for crop in crops[::step]]


def _persons(images: list[Image]) -> Iterator[Image]:
    detector = PersonDetector.open()
    for image in images:
        for left, top, right, bottom in np.round(detector.detect(image).boxes).astype(int):
            if right - left >= MIN_CROP_PX // 2 and bottom - top >= MIN_CROP_PX:
                yield image[top:bottom, left:right]


def drawn(feeding: Feeding, size_wh: tuple[int, int]) -> list[Feed]:
    """Images for comparing numbers where no frames are given: noisy blocks of colour, always the same."""
    width, height = size_wh
    random = np.random.default_rng(7)
    made = []
    for _ in range(DRAWN):
        coarse = random.integers(0, 256, (height // 16, width // 16, 3)).astype(np.float32)
        blocks = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(blocks + random.normal(0, 8, blocks.shape), 0, 255).astype(np.uint8)
        made.append(feeding.input_of(noisy, size_wh))
    return made
