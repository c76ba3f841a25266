"""One's own ONNX detector: how it is read, and what it finds in a picture."""

from __future__ import annotations

import sys

import cv2
import numpy as np

from tagsight import EngineError, PersonDetector


def main(network: str, picture: str) -> None:
    """Print the persons, one a line; a network that cannot be read ends with a sentence."""
    image = cv2.imread(picture)
    if image is None:
        sys.exit(f"{picture}: not a picture")
    try:
        # The file is tried on a picture with seven persons first, to find out how it is to be fed and read.
        detector = PersonDetector.open(network, score=0.5)
    except EngineError as error:
        sys.exit(str(error))
    print(f"{network}: read as {detector.decoder.name}, by {detector.backend_name}")
    found = detector.detect(np.asarray(image, np.uint8))
    for box, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True):
        left, top, right, bottom = box
        print(f"person {score:.2f} at {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
