"""What raw outputs of detectors mean: from tensors to candidate boxes in input pixels.

| decoder | outputs | boxes | source |
| --- | --- | --- | --- |
| ltrb | [1, A, 5] | distances from the cell's centre to the four sides, score | engines/models/detector.py |
| yolox | [1, A, 5 + C] | cell + offset, log size, objectness, classes | arXiv 2107.08430 |
| yolox-decoded | [1, A, 5 + C] | centre, size, objectness, classes | YOLOX's export, --decode_in_inference |
| yolov8 | [1, 4 + C, A] | centre, size, classes | Ultralytics' export, YOLOv8 to YOLO12 |
| yolov8-rows | [1, A, 4 + C] | the same, transposed | |
| yolov5 | [1, 3 A, 5 + C] | centre, size, objectness, classes | Ultralytics' export, YOLOv5 and YOLOv7 |
| yolov5-columns | [1, 5 + C, A] or [1, 5 + C, 3 A] | the same, transposed | |
| nanodet | [A, C] and [A, 4 (R + 1)] a level, or joined | distribution of distances | arXiv 2006.04388 |
| fastestdet | [1, 5 + C, H/16, W/16] | objectness, tanh offset, size, classes | FastestDet |
| ssd | [1, 1, N, 7] | image, label, score, corners as shares of the input | OpenVINO DetectionOutput |
| end2end | [1, N, 6] | corners, score, class | Ultralytics' export, YOLOv10 and YOLO26 |
| batched | [N, 7] | image, corners, class, score | YOLOv7's export, --end2end |
| rtdetr | [1, N, 4 + C] | centre, size as shares, classes | Ultralytics' export of RT-DETR |
| detections | boxes [1, N, 4], labels [1, N], scores [1, N] | corners in pixels | RT-DETR, D-FINE, DEIM |
| detr | boxes [1, N, 4], logits [1, N, C] | centre, size as shares | DETR, RT-DETR of transformers |
| yolo-nas | boxes [1, N, 4], scores [1, N, C] | corners in pixels | SuperGradients' export |

A counts cells, row by row, over the levels (strides 8, 16, 32 and perhaps 64); C counts classes. Of a
segmentation network (planes of 32 masks as a second output) the boxes are read. What differs from one
exporter to the next (`Meaning`: pixels or shares, corners or centres, scores or logits, the order of outputs)
is found out by `engines.catalogue.judging`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engines.backends.protocol import InputFormat
from engines.errors import DecoderError
from engines.inference.decoders import grids, lists, tables
from engines.inference.decoders.grids import (
    LEVELS,
    Shapes,
    cells,
    decode_fastestdet,
    decode_ltrb,
    decode_nanodet,
    decode_yolox,
    strides_for,
)
from engines.inference.decoders.scene import PLAIN, Array, CandidateBoxes, DecoderInput, Meaning
from engines.inference.decoders.tables import decode_ssd, decode_yolov8
from engines.inference.preprocess import Fit

__all__ = [
    "DECODERS",
    "LEVELS",
    "CandidateBoxes",
    "DecoderInput",
    "Meaning",
    "OutputDecoder",
    "Shapes",
    "by_name",
    "cells",
    "decode_fastestdet",
    "decode_ltrb",
    "decode_nanodet",
    "decode_ssd",
    "decode_yolov8",
    "decode_yolox",
    "guess",
    "strides_for",
]

AS_IT_IS = InputFormat()
UNIT_RGB = InputFormat("rgb", std=(255.0, 255.0, 255.0))
UNIT_BGR = InputFormat("bgr", std=(255.0, 255.0, 255.0))
IMAGENET_BGR = InputFormat("bgr", mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))


@dataclass(frozen=True)
class OutputDecoder:
    """One meaning of outputs, and how networks of that family want the image."""

    name: str
    decode: Callable[[Sequence[Array], DecoderInput], CandidateBoxes]
    matches: Callable[[Shapes, int, int], bool]
    classes: Callable[[Shapes], int | None]
    """How many classes outputs of these shapes tell apart; None where they do not say."""
    pixels: InputFormat = AS_IT_IS
    fit: Fit = "corner"
    suppressed: bool = False
    """True where the network has done non-maximum suppression itself."""
    usual: Meaning = PLAIN
    by_shape: bool = True
    """Whether outputs of these shapes are read so without looking at their values."""
    objectness: bool = False
    """Whether the score is that there is anything, times that it is of the class."""
    person: int = 0
    """The class that is a person where neither the file nor the user says."""


def _columns_less(fewer: int, axis: int) -> Callable[[Shapes], int | None]:
    def classes(shapes: Shapes) -> int | None:
        size = shapes[0][axis]
        return None if size is None else size - fewer

    return classes


def _unsaid(_: Shapes) -> int | None:
    return None


def _known() -> tuple[OutputDecoder, ...]:
    corners = Meaning(form="corners")
    shares, share_corners = Meaning("shares"), Meaning("shares", "corners")
    logits = Meaning("shares", scale="logits")
    t = tables
    return (
        OutputDecoder("ltrb", decode_ltrb, grids.is_ltrb, lambda _: 1),
        OutputDecoder("yolox", decode_yolox, grids.is_yolox, _columns_less(5, 2), objectness=True),
        OutputDecoder(
            "yolox-decoded",
            t.decode_objectness,
            t.is_yolox_decoded,
            _columns_less(5, 2),
            by_shape=False,
            objectness=True,
        ),
        OutputDecoder("yolov8", decode_yolov8, t.is_yolov8, _columns_less(4, 1), UNIT_RGB, "centre"),
        OutputDecoder(
            "yolov8-rows",
            t.decode_rows,
            t.is_yolov8_rows,
            _columns_less(4, 2),
            UNIT_RGB,
            "centre",
            by_shape=False,
        ),
        OutputDecoder(
            "yolov5",
            t.decode_objectness,
            t.is_yolov5,
            _columns_less(5, 2),
            UNIT_RGB,
            "centre",
            by_shape=False,
            objectness=True,
        ),
        OutputDecoder(
            "yolov5-columns",
            t.decode_objectness_columns,
            t.is_objectness_columns,
            _columns_less(5, 1),
            UNIT_RGB,
            "centre",
            by_shape=False,
            objectness=True,
        ),
        OutputDecoder(
            "nanodet", decode_nanodet, grids.is_nanodet, grids.nanodet_classes, IMAGENET_BGR, "centre"
        ),
        OutputDecoder(
            "fastestdet", decode_fastestdet, grids.is_fastestdet, _columns_less(5, 1), UNIT_BGR, "stretch"
        ),
        OutputDecoder(
            "ssd",
            decode_ssd,
            t.is_ssd,
            _unsaid,
            fit="stretch",
            suppressed=True,
            usual=share_corners,
            person=1,
        ),
        OutputDecoder(
            "end2end",
            t.decode_end2end,
            t.is_end2end,
            _unsaid,
            UNIT_RGB,
            "centre",
            True,
            corners,
            by_shape=False,
        ),
        OutputDecoder(
            "batched",
            t.decode_batched,
            t.is_batched,
            _unsaid,
            UNIT_RGB,
            "centre",
            True,
            corners,
            by_shape=False,
        ),
        OutputDecoder(
            "rtdetr",
            t.decode_rows,
            t.is_rtdetr,
            _columns_less(4, 2),
            UNIT_RGB,
            "stretch",
            True,
            shares,
            by_shape=False,
        ),
        OutputDecoder(
            "detections",
            lists.decode_detections,
            lists.is_detections,
            _unsaid,
            UNIT_RGB,
            "stretch",
            True,
            corners,
            by_shape=False,
        ),
        OutputDecoder(
            "detr",
            lists.decode_boxes_and_classes,
            lists.is_detr,
            lists.classes_of_tables,
            UNIT_RGB,
            "stretch",
            True,
            logits,
            by_shape=False,
        ),
        OutputDecoder(
            "yolo-nas",
            lists.decode_boxes_and_classes,
            lists.is_yolo_nas,
            lists.classes_of_tables,
            UNIT_RGB,
            "corner",
            usual=corners,
            by_shape=False,
        ),
    )


DECODERS = {decoder.name: decoder for decoder in _known()}


def by_name(name: str) -> OutputDecoder:
    """The decoder of that name. Raises DecoderError."""
    if name not in DECODERS:
        raise DecoderError(f"no decoder is called {name!r}: use one of {', '.join(DECODERS)}")
    return DECODERS[name]


def fitting(shapes: Shapes, width: int, height: int) -> list[OutputDecoder]:
    """All decoders whose outputs could have these shapes for an input of that size."""
    return [decoder for decoder in DECODERS.values() if decoder.matches(shapes, width, height)]


def guess(shapes: Shapes, width: int, height: int) -> OutputDecoder:
    """The decoder whose outputs have these shapes for an input of that size, by their shapes alone.

    Raises DecoderError where none or more than one does.
    """
    possible = [decoder for decoder in fitting(shapes, width, height) if decoder.by_shape]
    if len(possible) == 1:
        return possible[0]
    seen = ", ".join(str(list(shape)) for shape in shapes)
    if not possible:
        raise DecoderError(f"outputs {seen} are not those of a detector known here ({', '.join(DECODERS)})")
    names = " or ".join(decoder.name for decoder in possible)
    raise DecoderError(f"outputs {seen} could be {names}: say which with --decoder")
