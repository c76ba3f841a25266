"""A contact sheet: what the synthetic shop looks like, with what is known of it drawn in."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.scene.spec import (
    Browse,
    Door,
    Garments,
    PersonLook,
    Prop,
    Room,
    Scene,
    SceneCamera,
    ScenePerson,
    SceneRack,
    Stand,
    Turn,
    Walk,
)
from engines.training.synthetic.filming import Studio, read_labels
from engines.training.synthetic.labels import Label
from engines.training.synthetic.standing import standing_scene

Picture = NDArray[np.uint8]
BONES = (
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)
SEEN, PARTLY, HANDS = (70, 200, 70), (60, 150, 250), (60, 60, 240)


def all_kinds_scene(seed: int) -> Scene:
    """One shop with every kind of person and thing."""
    racks = [
        SceneRack("shirts", (4.5, 3.0), garments=Garments(14, seed=seed + 3)),
        SceneRack(
            "shelf", (6.5, 5.2), "shelf", length_m=2, height_m=1.5, garments=Garments(6, seed=seed + 5)
        ),
        SceneRack("table", (6.3, 1.6), "table", height_m=0.85, garments=Garments(5, seed=seed + 6)),
    ]
    things = [
        Prop("mannequin", (2.6, 4.6), -60, 0.1, seed=seed + 2),
        Prop("poster", (7.97, 3.0), 180, 1.0, seed=seed),
        Prop("mirror", (4.0, 5.95), -90, size_m=(0.9, 1.9)),
        Prop("till", (1.2, 4.8)),
        Prop("basket", (3.2, 1.0), 30, seed=4),
        Prop("trolley", (7.4, 3.9), 200),
    ]
    people = [
        ScenePerson("turns", (4.4, 2.4), [Turn("shirts", 6, 12)], look=PersonLook(seed + 1)),
        ScenePerson("child", (5.5, 2.3), [Stand(30, (6.3, 1.6))], look=PersonLook(seed + 5, years=8)),
        ScenePerson(
            "headscarf", (4.8, 3.7), [Browse("shirts", 30)], look=PersonLook(seed + 6, headscarf=True)
        ),
        ScenePerson("dark", (6.3, 4.6), [Browse("shelf", 30, "left")], look=PersonLook(seed + 7, dark=True)),
        ScenePerson(
            "wheelchair",
            (2.0, 3.3),
            [Stand(30)],
            look=PersonLook(seed + 8),
            uses="wheelchair",
            faces=(5.0, 2.6),
        ),
        ScenePerson(
            "pram",
            (2.4, 1.2),
            [Walk([(6.0, 0.8), (7.2, 2.4)], 0.9), Stand(30)],
            look=PersonLook(seed + 9),
            uses="pram",
        ),
        ScenePerson(
            "bag", (3.5, 4.9), [Stand(30, (4.0, 6.0), "crossed")], look=PersonLook(seed + 10), uses="bag"
        ),
        ScenePerson("bends", (5.7, 4.5), [Stand(30, (6.4, 5.1), bends=0.8)], look=PersonLook(seed + 11)),
    ]
    cameras = [
        SceneCamera("a", (0.3, 0.3, 2.8), (5.0, 4.0, 0.8), hfov_deg=90, k1=-0.12),
        SceneCamera("b", (7.7, 0.3, 2.8), (3.5, 4.0, 0.8), hfov_deg=85, k1=-0.1),
    ]
    room = Room((8.0, 6.0), floor="boards", floor_colour=(0.6, 0.5, 0.42))
    return Scene(
        "kinds",
        30.0,
        room,
        cameras,
        seed=seed,
        doors=[Door("door", "front", 1.0, 2.5)],
        racks=racks,
        things=things,
        people=people,
    )


def contact_sheet(out: Path, seed: int = 1) -> None:
    """Write the sheet. Raises EngineError where it cannot be written."""
    rows = []
    kinds = Studio(all_kinds_scene(seed))
    for frame in (20, 60):
        shots = kinds.take(frame).shots
        rows.append(
            np.hstack(
                [
                    _drawn(shots[0].image, shots[0].labels if frame == 60 else []),
                    _drawn(shots[1].image, shots[1].labels),
                ]
            )
        )
    stands = []
    for number in (seed + 1, seed + 3):
        shot = Studio(standing_scene(number)).take(300).shots[0]
        stands.append(_drawn(shot.image, shot.labels, joints=False))
    rows.append(np.hstack(stands))
    rows.append(_line_up(seed, rows[0].shape[1]))
    if not cv2.imwrite(str(out), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise EngineError(f"{out}: the picture cannot be written; a name that ends in .jpg would be right")


def film_strip(folder: Path, second: float, out: Path) -> None:
    """One moment of a film that `render` made, its cameras beside each other, with its labels. Raises
    EngineError."""
    cameras = sorted(path.name.removesuffix(".labels.jsonl") for path in folder.glob("*.labels.jsonl"))
    pictures = []
    for camera in cameras:
        labels = next(
            (one for one in read_labels(folder / f"{camera}.labels.jsonl") if one.time_s >= second), None
        )
        with av.open(str(folder / f"{camera}.mp4")) as film:
            for number, frame in enumerate(film.decode(video=0)):
                if labels is not None and number == labels.frame:
                    image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                    pictures.append(_drawn(image, labels.people, joints=False))
    if not pictures or not cv2.imwrite(str(out), np.hstack(pictures), [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise EngineError(
            f"{folder}: no film there that lasts {second:g} s; a folder that `render` made would be right"
        )


def _drawn(image: Picture, labels: list[Label], joints: bool = True) -> Picture:
    """Boxes (green: seen for the most part, orange: not), joints, and what hands do."""
    for one in labels:
        if one.box is None or one.visible < 0.05:
            continue
        left, top, right, bottom = (round(value) for value in one.box)
        colour = HANDS if one.hands_at else SEEN if one.visible > 0.5 else PARTLY
        cv2.rectangle(image, (left, top), (right, bottom), colour, 1)
        cv2.putText(
            image,
            f"{one.kinds[0]} {one.visible:.2f}",
            (max(left, 0), max(top - 3, 9)),
            0,
            0.32,
            colour,
            1,
            cv2.LINE_AA,
        )
        for a, b in BONES if joints else ():
            if a in one.joints and b in one.joints:
                ends = [(round(one.joints[name][0]), round(one.joints[name][1])) for name in (a, b)]
                cv2.line(image, ends[0], ends[1], (250, 230, 60), 1, cv2.LINE_AA)
    return image


def _line_up(seed: int, width: int) -> Picture:
    """People beside each other, from before."""
    looks = [PersonLook(seed * 40 + number) for number in range(11)] + [
        PersonLook(seed, years=7),
        PersonLook(seed + 1, headscarf=True),
    ]
    people = [
        ScenePerson(f"p{number}", (0.8 + 0.72 * number, 6.5), [Stand(5)], look=look, faces=(5.0, 0.0))
        for number, look in enumerate(looks)
    ]
    middle = 0.8 + 0.36 * (len(looks) - 1)
    camera = SceneCamera("line", (middle, 0.4, 1.5), (middle, 6.5, 0.95), (width, width // 5), 82.0)
    return Studio(Scene("line", 5.0, Room((middle * 2, 7.5)), [camera], people=people)).take(1).shots[0].image
