"""Real product pictures: Fashion-MNIST (Zalando SE, MIT licence; Debian `dataset-fashion-mnist`)."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError
from fleet.search.looks import Described, Pictures, described, measured
from fleet.search.words import Vocabulary

KINDS = ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
"""The labels in their order, as the vocabulary calls them."""


class ProductPictures(NamedTuple):
    """70,000 grey pictures of 28 x 28, and what kind and looks are said of each."""

    pictures: Pictures
    described: Described


def garments(vocabulary: Vocabulary) -> ProductPictures:
    """Raises FleetError where they have not been fetched."""
    folder = _folder()
    pictures, labels = (
        np.concatenate([_array(folder / f"{part}-{what}.gz") for part in ("train", "t10k")])
        for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    number = np.array([vocabulary.concepts.index(kind) for kind in KINDS])
    return ProductPictures(pictures, described(measured(pictures), number[labels], vocabulary))


def _folder() -> Path:
    cache = Path(
        os.environ.get("TAGSIGHT_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tagsight"
    )
    own = Path("usr/share/datasets/fashion-mnist")
    given = os.environ.get("TAGSIGHT_FASHION_MNIST")
    for folder in [Path(given)] if given else [Path("/") / own, cache / "fashion-mnist" / own]:
        if (folder / "train-images-idx3-ubyte.gz").exists():
            return folder
    raise FleetError(
        "not run: the pictures are Debian's package dataset-fashion-mnist, which is not here;"
        " scripts/fetch-fashion-mnist fetches it into the cache"
    )


def _array(file: Path) -> npt.NDArray[np.uint8]:
    """An IDX file of bytes: two zeros, type 8, number of dimensions, each as 4 bytes, then the values."""
    try:
        raw = gzip.decompress(file.read_bytes())
    except (OSError, EOFError) as error:
        raise FleetError(f"{file}: cannot be read: {error}; fetch it anew") from None
    shape = np.frombuffer(raw, ">u4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
