"""Pseudo-labels of handling: a pose teacher looks for a reach or for hands held up before the body.

MoveNet (single person) finds 17 joints. A hand is at work where its wrist is above the hips and below the top
of the head, and either far out from the torso (a reach) or before it with the forearm lifted (something is
held up or worked on). Arms that hang, swing or carry a bag at the side are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluation.pool import Image
from engines.inference.crops import Box

SIDE_PX = 192
VIEW_HEIGHT_PX = 224
GROWN_WH = (0.3, 0.12)
"""How much of a box's width and height is seen beyond each side: a reaching arm leaves the box."""

SHOULDERS, ELBOWS, WRISTS, HIPS, NOSE = (5, 6), (7, 8), (9, 10), (11, 12), 0
KEPT = (*SHOULDERS, *ELBOWS, *WRISTS, *HIPS)
MIN_TORSO = 0.3
MIN_WRIST = 0.25
"""Confidence below which MoveNet's joints are guesses."""

REACH, LIFT = 0.55, 0.3
"""In torso lengths: how far beside the torso a wrist reaches; how far above the hips a hand is held up."""

HIDDEN_HAND = 0.2
"""What is left of doubt where the one hand in sight is not at work, and the other is hidden."""

FRACTION = 0.12
"""In torso lengths: how much more or less turns a sure label into a doubtful one."""

Joints = NDArray[np.float32]


@dataclass(frozen=True)
class PseudoLabel:
    """`handling` in 0..1, or nan where the pose is not known well enough; `joints` (8, 3): x, y as shares of
    the crop, and confidence."""

    handling: float
    joints: Joints


class PoseTeacher:
    """MoveNet, a .tflite file, through OpenVINO."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        core = openvino.Core()
        options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self._compiled = core.compile_model(core.read_model(str(path)), "CPU", options)

    def joints(self, crop: Image) -> Joints:
        """(17, 3): x and y as shares of the crop's width and height, and a confidence."""
        height, width = crop.shape[:2]
        side = max(height, width)
        left, top = (side - width) // 2, (side - height) // 2
        square = np.zeros((side, side, 3), np.uint8)
        square[top : top + height, left : left + width] = crop
        picture = cv2.cvtColor(cv2.resize(square, (SIDE_PX, SIDE_PX)), cv2.COLOR_BGR2RGB)
        rows = np.array(self._compiled([picture[None]])[0], np.float32).reshape(17, 3)
        x = (rows[:, 1] * side - left) / width
        y = (rows[:, 0] * side - top) / height
        return np.stack((x, y, rows[:, 2]), 1).astype(np.float32)


def handling(joints: Joints, aspect: float) -> float:
    """The label of a pose, (17, 3); `aspect` is the crop's width over its height. nan: not known."""
    points = joints[:, :2] * np.array([aspect, 1.0], np.float32)
    sure = joints[:, 2]
    if min(sure[list(SHOULDERS)].max(), sure[list(HIPS)].max()) < MIN_TORSO:
        return float("nan")
    shoulders, hips = points[list(SHOULDERS)], points[list(HIPS)]
    torso = float(np.linalg.norm(shoulders.mean(0) - hips.mean(0)))
    known = [side for side in (0, 1) if sure[WRISTS[side]] >= MIN_WRIST]
    if torso < 0.05 or not known:
        return float("nan")
    scores = [_at_work(points, side, torso) for side in known]
    best = max(scores)
    return best if len(known) == 2 else max(best, HIDDEN_HAND)


def _at_work(points: NDArray[np.float32], side: int, torso: float) -> float:
    """How surely the hand of one side (0 left, 1 right) is at work, 0..1."""
    wrist, elbow = points[WRISTS[side]], points[ELBOWS[side]]
    shoulders, hips = points[list(SHOULDERS)], points[list(HIPS)]
    above_hips = float(hips[:, 1].mean() - wrist[1]) / torso
    below_head = float(wrist[1] - points[NOSE, 1]) / torso + 0.6
    trunk = np.concatenate((shoulders[:, 0], hips[:, 0]))
    beside = float(max(trunk.min() - wrist[0], wrist[0] - trunk.max())) / torso
    lifted = float(elbow[1] - wrist[1]) / torso + 0.15
    between = min(_soft(above_hips - 0.05), _soft(below_head))
    reach = min(_soft(beside - REACH), between)
    held = min(_soft(above_hips - LIFT), _soft(lifted), _soft(below_head - 0.35))
    return max(reach, held)


def _soft(margin: float) -> float:
    """0 to 1 over a margin in torso lengths."""
    return float(1 / (1 + np.exp(-np.clip(margin / FRACTION * 3, -30, 30))))


def grown(box: Box) -> Box:
    """A person's box as teacher and student see it."""
    left, top, right, bottom = box
    x, y = GROWN_WH[0] * (right - left), GROWN_WH[1] * (bottom - top)
    return left - x, top - y, right + x, bottom + y


def view_of(box: Box) -> tuple[Box, tuple[int, int]]:
    """The grown box, and the size that keeps its proportions: how the teacher wants to see a person."""
    left, top, right, bottom = grown(box)
    width = max(16, round(VIEW_HEIGHT_PX * (right - left) / (bottom - top)))
    return (left, top, right, bottom), (width, VIEW_HEIGHT_PX)


def label(crop: Image, teacher: PoseTeacher) -> PseudoLabel:
    """What the teacher thinks of one crop."""
    joints = teacher.joints(crop)
    return PseudoLabel(handling(joints, crop.shape[1] / crop.shape[0]), joints[list(KEPT)])
