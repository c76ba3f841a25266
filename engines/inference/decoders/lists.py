"""Outputs that are several lists side by side: boxes in one, what is in them in another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.errors import DecoderError
from engines.inference.decoders.grids import Shapes, strides_for
from engines.inference.decoders.scene import (
    Array,
    CandidateBoxes,
    DecoderInput,
    Role,
    as_shares,
    boxes_of,
    scores_of,
)
from engines.inference.decoders.tables import check_labels

MIN_BOXES = 10


def _output(outputs: Sequence[Array], scene: DecoderInput, role: Role) -> Array:
    roles = scene.meaning.roles
    if len(roles) != len(outputs) or role not in roles:
        raise DecoderError(f"outputs: must say of each output what it is, and one of them must be {role!r}")
    return outputs[roles.index(role)]


def decode_detections(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Boxes (n, 4), and of each a label and a score, as RT-DETR, D-FINE, DEIM and torchvision export them."""
    labels = _output(outputs, scene, "labels").ravel()
    check_labels(labels)
    scores = as_shares(_output(outputs, scene, "scores").ravel(), scene)
    chosen = np.flatnonzero((np.round(labels) == scene.person_class) & (scores >= scene.least_score))
    boxes = _output(outputs, scene, "boxes").reshape(-1, 4)
    return CandidateBoxes(boxes_of(boxes[chosen], scene), scores[chosen])


def decode_boxes_and_classes(outputs: Sequence[Array], scene: DecoderInput) -> CandidateBoxes:
    """Boxes (n, 4), and of each the scores of all classes (n, C): DETR and its kin, YOLO-NAS."""
    table = _output(outputs, scene, "scores")
    scores = scores_of(table.reshape(-1, table.shape[-1]), scene)
    chosen = np.flatnonzero(scores >= scene.least_score)
    boxes = _output(outputs, scene, "boxes").reshape(-1, 4)
    return CandidateBoxes(boxes_of(boxes[chosen], scene), scores[chosen])


def detection_roles(shapes: Shapes) -> list[tuple[Role, ...]]:
    """What each output could be: one of boxes, and two lists as long, either of which may hold the labels."""
    boxes = [place for place, shape in enumerate(shapes) if _is_boxes(shape)]
    flat = [place for place, shape in enumerate(shapes) if _is_list(shape)]
    if len(boxes) != 1 or not 2 <= len(flat) <= 3 or len(flat) + 1 != len(shapes):
        return []
    found = []
    for label in flat:
        for score in flat:
            if score != label and _same_length(shapes, boxes[0], label, score):
                roles: list[Role] = ["other"] * len(shapes)
                roles[boxes[0]], roles[label], roles[score] = "boxes", "labels", "scores"
                found.append(tuple(roles))
    return found


def class_roles(shapes: Shapes) -> list[tuple[Role, ...]]:
    """What each of two outputs could be: boxes, and a table of classes with as many rows."""
    found: list[tuple[Role, ...]] = []
    if len(shapes) != 2 or any(len(shape) != 3 or shape[0] not in (None, 1) for shape in shapes):
        return found
    (_, rows, columns), (_, other_rows, other_columns) = shapes
    if rows != other_rows or (rows is not None and rows < MIN_BOXES):
        return found
    if columns == 4:
        found.append(("boxes", "scores"))
    if other_columns == 4:
        found.append(("scores", "boxes"))
    return found


def is_detections(shapes: Shapes, width: int, height: int) -> bool:
    """Whether the outputs could be boxes, labels and scores."""
    return bool(detection_roles(shapes))


def is_detr(shapes: Shapes, width: int, height: int) -> bool:
    """Whether the outputs could be boxes and a table of classes, of as many as the network thinks of."""
    return bool(class_roles(shapes)) and strides_for(shapes[0][1], width, height) is None


def is_yolo_nas(shapes: Shapes, width: int, height: int) -> bool:
    """Whether the outputs could be boxes and a table of classes, a row a cell."""
    return bool(class_roles(shapes)) and strides_for(shapes[0][1], width, height) is not None


def classes_of_tables(shapes: Shapes) -> int | None:
    """How many classes the table tells apart; None where that depends on which output it is."""
    roles = class_roles(shapes)
    return shapes[roles[0].index("scores")][2] if len(roles) == 1 else None


def _is_boxes(shape: tuple[int | None, ...]) -> bool:
    return shape[-1:] == (4,) and (len(shape) == 2 or (len(shape) == 3 and shape[0] in (None, 1)))


def _is_list(shape: tuple[int | None, ...]) -> bool:
    """Of single numbers, or of how many they are."""
    return len(shape) == 1 or (len(shape) == 2 and (shape[0] in (None, 1) or shape[1] == 1))


def _same_length(shapes: Shapes, boxes: int, *lists: int) -> bool:
    lengths = {shapes[boxes][-2]} | {_length(shapes[place]) for place in lists}
    return len(lengths - {None}) <= 1


def _length(shape: tuple[int | None, ...]) -> int | None:
    if None in shape:
        return None
    return int(np.prod([side or 0 for side in shape]))
