"""What the tracker says of people, and the table in which it keeps them."""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np
import numpy.typing as npt

from runtime.geometry import Bools, Floats
from runtime.vision.track.plane import Plane
from runtime.vision.track.stature import USUAL_ASPECT

Box = tuple[float, float, float, float]
Table = npt.NDArray[np.void]

BACKFILL_S = 8.0
MAX_BACKFILL = 256
"""Sightings of an unconfirmed track kept for its confirmation: the latest, and no more than these."""


class Sighting(msgspec.Struct, frozen=True):
    """A person in one frame: box left, top, width, height in px, and the place on the floor, if any."""

    time_s: float
    box: Box
    score: float
    floor_xy_m: tuple[float, float] | None
    truncated: bool = False


class Thing(msgspec.Struct, frozen=True):
    """What looks like a person and is none: box left, top, width, height in px, and floor place, if any."""

    box: Box
    floor_xy_m: tuple[float, float] | None


class Track(msgspec.Struct, frozen=True):
    """One tracked person after a frame.

    `id` is None until the track is confirmed. `box` is left, top, width, height in px. `unseen_s` is 0 where
    the frame showed the person, else how long ago one did; place and box are then predicted. `truncated` says
    that the left or right edge of the picture cuts more than a quarter of the person off. `backfill` holds,
    only in the frame that confirms the track, what was seen of it in the seconds before.
    """

    id: int | None
    time_s: float
    box: Box
    score: float
    floor_xy_m: tuple[float, float] | None
    velocity_mps: tuple[float, float] | None
    floor_sd_m: float | None
    unseen_s: float = 0.0
    truncated: bool = False
    backfill: tuple[Sighting, ...] = ()

    @property
    def confirmed(self) -> bool:
        """Whether this person counts."""
        return self.id is not None


def table_type(appearance_size: int) -> np.dtype[np.void]:
    """A row for each track; places and speeds are on the plane the tracker works on."""
    return np.dtype(
        [
            ("birth", np.int64),
            ("id", np.int64),
            ("confirmed", np.bool_),
            ("mean", np.float64, (4,)),
            ("covariance", np.float64, (4, 4)),
            ("height_m", np.float64),
            ("height_sd", np.float64),
            ("aspect", np.float64),
            ("score", np.float64),
            ("first_s", np.float64),
            ("seen_s", np.float64),
            ("sightings", np.int64),
            ("stood_at", np.float64, (2,)),
            ("stood_covariance", np.float64, (2, 2)),
            ("alive_s", np.float64),
            ("lively_s", np.float64),
            ("watched_s", np.float64),
            ("unchanged", np.bool_),
            ("box", np.float64, (4,)),
            ("truncated", np.bool_),
            ("appearance", np.float64, (appearance_size,)),
        ]
    )


def boxes_of(tracks: Table, plane: Plane) -> Floats:
    """Where each track's person is in the picture, (n, 4) left, top, right, bottom px."""
    foot = plane.to_image(tracks["mean"][:, :2])
    height = tracks["height_m"] / plane.pixel_width_m(foot)
    half = tracks["aspect"] * height / 2
    across, down = foot.T
    boxes = np.empty((len(tracks), 4))
    np.subtract(across, half, out=boxes[:, 0])
    np.subtract(down, height, out=boxes[:, 1])
    np.add(across, half, out=boxes[:, 2])
    boxes[:, 3] = down
    return boxes


def new_rows(
    empty: Table, time_s: float, floor: Floats, covariance: Floats, height_m: Floats, *, speed_sd: Floats
) -> Table:
    """Fills the rows of tracks that begin: where people were seen, (n, 2) with covariance (n, 2, 2), their
    apparent height (n,), and how fast they may walk (n,), in the plane's units a second.
    """
    empty["mean"][:, :2] = empty["stood_at"] = floor
    empty["covariance"][:, :2, :2] = covariance
    empty["covariance"][:, 2, 2] = empty["covariance"][:, 3, 3] = speed_sd**2
    empty["stood_covariance"] = covariance
    empty["height_m"] = height_m
    empty["aspect"] = USUAL_ASPECT
    empty["first_s"] = empty["seen_s"] = empty["lively_s"] = empty["watched_s"] = time_s
    empty["sightings"] = 1
    return empty


def out_of_picture(tracks: Table, width_px: float, height_px: float) -> Bools:
    """Which of the tracks have the middle of their box outside a picture of that size."""
    left, top, right, bottom = tracks["box"].T
    across, down = (left + right) / 2, (top + bottom) / 2
    inside = (across > 0) & (across < width_px) & (down > 0) & (down < height_px)
    outside: Bools = ~inside
    return outside


class Backfill:
    """Sightings of tracks before they were confirmed, to be reported with their confirmation."""

    def __init__(self) -> None:
        self._seen: dict[int, deque[Sighting]] = {}

    def note(self, tracks: Table, time_s: float, has_floor: bool) -> None:
        """Remember how these tracks look at this time."""
        for birth, sighting in zip(
            tracks["birth"].tolist(), _sightings(tracks, time_s, has_floor), strict=True
        ):
            seen = self._seen.setdefault(birth, deque(maxlen=MAX_BACKFILL))
            while seen and seen[0].time_s < time_s - BACKFILL_S:
                seen.popleft()
            seen.append(sighting)

    def take(self, birth: int) -> tuple[Sighting, ...]:
        """All but the latest sighting of a track, which is forgotten here."""
        return tuple(self._seen.pop(birth, ()))[:-1]


def _sightings(tracks: Table, time_s: float, has_floor: bool) -> list[Sighting]:
    columns = zip(
        ltwh(tracks["box"]),
        tracks["score"].tolist(),
        tracks["mean"][:, :2].tolist(),
        tracks["truncated"].tolist(),
        strict=True,
    )
    return [
        Sighting(time_s, box, score, (x, y) if has_floor else None, truncated)
        for box, score, (x, y), truncated in columns
    ]


def as_tracks(
    tracks: Table, time_s: float, has_floor: bool, backfill: dict[int, tuple[Sighting, ...]]
) -> list[Track]:
    """The rows as tracks; `backfill` is by birth."""
    covariance = tracks["covariance"]
    variance = covariance[:, 0, 0] + covariance[:, 1, 1]
    columns = zip(
        tracks["birth"].tolist(),
        tracks["id"].tolist(),
        tracks["confirmed"].tolist(),
        ltwh(tracks["box"]),
        tracks["score"].tolist(),
        tracks["mean"].tolist(),
        np.sqrt(variance).tolist(),
        (time_s - tracks["seen_s"]).tolist(),
        tracks["truncated"].tolist(),
        strict=True,
    )
    return [
        Track(
            id=number if confirmed else None,
            time_s=time_s,
            box=box,
            score=score,
            floor_xy_m=(x, y) if has_floor else None,
            velocity_mps=(vx, vy) if has_floor else None,
            floor_sd_m=deviation if has_floor else None,
            unseen_s=unseen_s,
            truncated=truncated,
            backfill=backfill.get(birth, ()),
        )
        for birth, number, confirmed, box, score, (x, y, vx, vy), deviation, unseen_s, truncated in columns
    ]


def ltwh(boxes: Floats) -> list[Box]:
    """Boxes (n, 4) left, top, right, bottom as tuples of left, top, width, height."""
    return [
        (left, top, right - left, bottom - top) for left, top, right, bottom in boxes.reshape(-1, 4).tolist()
    ]


def stationary(tracks: Table, after_s: float) -> Bools:
    """Which tracks look like people and never moved in `after_s`: mannequins, posters, signs."""
    lasting = tracks["seen_s"] - tracks["first_s"] > after_s
    found: Bools = lasting & ~tracks["confirmed"]
    return found
