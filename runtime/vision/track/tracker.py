"""The tracker of one camera: boxes in, people with ids and places on the floor out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.geometry import Bools, Floats
from runtime.vision.track import motion
from runtime.vision.track.association import NO_MATCH, pair_costs, pair_up
from runtime.vision.track.settings import TrackerSettings
from runtime.vision.track.stature import TypicalHeight, pixel_width_m, place
from runtime.vision.track.view import CameraView, Sightings, overlaps, sight, singled_out

Box = tuple[float, float, float, float]

EARLY_S = 3.0
MAX_EARLY = 100
"""Sightings of an unconfirmed track kept for its confirmation: the latest, and no more than these."""

WHOLE_ENOUGH = 0.75
"""Less of a person's width than this in the picture, and they are half out of it."""

FIXTURE_SPEED = 0.1
"""Share of a walker's speed that is expected of what never moved."""

FIXTURE_MEMORY_S = 5.0
"""A fixture has moved if it leaves the place where it was on average for this long."""


@dataclass(frozen=True)
class Sighting:
    """A person in one frame: box left, top, width, height in px, and the place on the floor, if any."""

    time_s: float
    box: Box
    score: float
    floor_xy_m: tuple[float, float] | None
    half_out: bool = False


@dataclass(frozen=True)
class Track:
    """One tracked person after a frame.

    `id` is None until the track is confirmed. `box` is left, top, width, height in px. `unseen_s` is 0 where
    the frame showed the person, else how long ago one did; place and box are then predicted. `half_out` says
    that the left or right edge of the picture cuts more than a quarter of the person off. `early` holds, only
    in the frame that confirms the track, what was seen of it in the seconds before.
    """

    id: int | None
    time_s: float
    box: Box
    score: float
    floor_xy_m: tuple[float, float] | None
    velocity_mps: tuple[float, float] | None
    floor_sd_m: float | None
    unseen_s: float = 0.0
    half_out: bool = False
    early: tuple[Sighting, ...] = ()

    @property
    def confirmed(self) -> bool:
        """Whether this person counts."""
        return self.id is not None


def _table(appearance_size: int) -> np.dtype[np.void]:
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
            ("stood_sd", np.float64),
            ("box", np.float64, (4,)),
            ("half_out", np.bool_),
            ("appearance", np.float64, (appearance_size,)),
        ]
    )


class FloorTracker:
    """Follows the people before one camera.

    Feed frames in order of time; `update` answers with the people of that frame. `ended` holds the ids that
    ended with the last update, `refused` how many tracks could not begin because the table was full.
    """

    def __init__(self, settings: TrackerSettings, view: CameraView, appearance_size: int = 0) -> None:
        self.settings = settings
        self.view = view
        self.plane = view.plane()
        self.has_floor = view.homography is not None
        self.typical = TypicalHeight(settings)
        self.ended: tuple[int, ...] = ()
        self.refused = 0
        self._tracks = np.zeros(0, dtype=_table(appearance_size))
        self._early: dict[int, deque[Sighting]] = {}
        self._births = 0
        self._ids = 0
        self._time_s: float | None = None
        self._height_sd = settings.person_height_sd if self.has_floor else 0.35
        self._height_drift = 0.02 if self.has_floor else 0.2

    def update(
        self,
        boxes: npt.ArrayLike,
        scores: npt.ArrayLike,
        time_s: float,
        appearances: npt.ArrayLike | None = None,
    ) -> list[Track]:
        """Take in the boxes (n, 4) left, top, right, bottom px and scores (n,) of the frame at `time_s`.

        `appearances` (n, k) are unit vectors, if there are any. Returns every live track: those the frame
        showed, unconfirmed ones, and confirmed ones out of sight (`unseen_s` > 0).
        """
        self._advance(time_s)
        seen, looks, floor, spread, whole = self._judge(boxes, scores, appearances)
        predicted = self._boxes_of(self._tracks)
        rows, columns, free = self._associate(seen, looks, floor, spread, whole, predicted)
        self._continue(rows, columns, seen, looks, time_s)
        self._begin(free, seen, looks, floor, spread, time_s)
        newly = self._confirm(time_s)
        self._end(time_s)
        return self._report(time_s, newly)

    def _advance(self, time_s: float) -> None:
        dt_s = 0.0 if self._time_s is None else max(0.0, time_s - self._time_s)
        self._time_s = time_s
        tracks = self._tracks
        if not len(tracks) or dt_s == 0:
            return
        tracks["mean"], tracks["covariance"] = motion.predict(
            tracks["mean"],
            tracks["covariance"],
            dt_s,
            self.settings.speed_sd_mps * self._scale() * np.where(self._fixtures(), FIXTURE_SPEED, 1.0),
            self.settings.speed_memory_s,
        )
        settling = np.where(self._fixtures(), 1 - np.exp(-dt_s / FIXTURE_MEMORY_S), 0.0)
        tracks["stood_at"] += settling[:, None] * (tracks["mean"][:, :2] - tracks["stood_at"])
        tracks["height_sd"] = np.minimum(
            np.sqrt(tracks["height_sd"] ** 2 + self._height_drift**2 * dt_s), self._height_sd
        )

    def _scale(self) -> Floats:
        """Units of the plane a metre, for each track: 1 on a floor; by the person's size on the picture."""
        if self.has_floor:
            return np.ones(len(self._tracks))
        scale: Floats = self._tracks["height_m"] / self.settings.person_height_m
        return scale

    def _judge(
        self, boxes: npt.ArrayLike, scores: npt.ArrayLike, appearances: npt.ArrayLike | None
    ) -> tuple[Sightings, Floats | None, Floats, Floats, Bools]:
        """The boxes that may be people, with their place as far as one can tell before knowing who it is."""
        box = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        score = np.asarray(scores, dtype=np.float64).reshape(-1)
        looks = None if appearances is None else np.asarray(appearances, dtype=np.float64)
        sane = (score >= self.settings.weak_score) & np.isfinite(box).all(axis=1)
        sane &= (box[:, 2] > box[:, 0] + 1) & (box[:, 3] > box[:, 1] + 1)
        apparent_m = (box[:, 3] - box[:, 1]) * pixel_width_m(
            self.plane, np.stack([(box[:, 0] + box[:, 2]) / 2, box[:, 3]], axis=1)
        )
        sane &= np.isfinite(apparent_m)
        if self.has_floor:
            sane &= (apparent_m < 1.6 * self.typical.height_m) & (apparent_m > 0.4 * self.typical.height_m)
        sane[sane] = singled_out(box[sane], score[sane], self.settings.double_overlap)
        seen = sight(self.view, box[sane], score[sane])
        count = len(seen.scores)
        height_m = np.full(count, self.typical.height_m) if self.has_floor else apparent_m[sane]
        floor, spread, whole = place(
            self.plane, self.settings, seen, height_m, np.full(count, self._height_sd)
        )
        return seen, None if looks is None else looks[sane], floor, spread, whole

    def _boxes_of(self, tracks: npt.NDArray[np.void]) -> Floats:
        """Where each track's person is in the picture, left, top, right, bottom."""
        foot = self.plane.to_image(tracks["mean"][:, :2])
        height = tracks["height_m"] / pixel_width_m(self.plane, foot)
        half = tracks["aspect"] * height / 2
        return np.stack([foot[:, 0] - half, foot[:, 1] - height, foot[:, 0] + half, foot[:, 1]], axis=1)

    def _associate(
        self,
        seen: Sightings,
        looks: Floats | None,
        floor: Floats,
        spread: Floats,
        whole: Bools,
        predicted: Floats,
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Bools]:
        """Matched track rows and sighting columns, and which confident sightings found no track.

        All tracks choose among the confident boxes, then those left over that were seen a moment ago among
        the weak ones.
        """
        settings, tracks = self.settings, self._tracks
        confident = seen.scores >= settings.confident_score
        if not len(tracks) or not len(confident):
            none = np.zeros(0, dtype=np.intp)
            return none, none, confident
        squared, spread_log = motion.surprise(tracks["mean"], tracks["covariance"], floor, spread)
        spread_log -= 4 * np.log(self._scale())[:, None]
        overlap = np.nan_to_num(overlaps(predicted, seen.boxes))
        gap = np.abs(seen.height_px / np.maximum(predicted[:, 3] - predicted[:, 1], 1e-6)[:, None] - 1)
        gap = np.where(whole, gap, 0) / np.sqrt(tracks["height_sd"] ** 2 + settings.foot_noise**2)[:, None]
        likeness = None if looks is None else tracks["appearance"] @ looks.T
        cost = pair_costs(squared, spread_log, overlap, gap, likeness, settings)

        recent = self._now() - tracks["seen_s"] <= settings.weak_patience_s
        rows, columns = pair_up(cost, np.ones(len(tracks), np.bool_), confident)
        recent[rows] = False
        near = np.where(overlap >= settings.weak_overlap, cost, NO_MATCH)
        weak_rows, weak_columns = pair_up(near, recent, ~confident)
        free = confident.copy()
        free[columns] = False
        return np.concatenate([rows, weak_rows]), np.concatenate([columns, weak_columns]), free

    def _now(self) -> float:
        assert self._time_s is not None
        return self._time_s

    def _continue(
        self,
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
        seen: Sightings,
        looks: Floats | None,
        time_s: float,
    ) -> None:
        if not len(rows):
            return
        tracks, mine = self._tracks, seen.take(columns)
        matched = tracks[rows]
        floor, spread, whole = place(
            self.plane, self.settings, mine, matched["height_m"], matched["height_sd"]
        )
        mean, covariance = motion.correct(matched["mean"], matched["covariance"], floor, spread)
        matched["mean"], matched["covariance"] = mean, covariance
        apparent_m = mine.height_px * pixel_width_m(self.plane, mine.foot_px)
        noise = 1.4 * self.settings.foot_noise
        gain = matched["height_sd"] ** 2 / (matched["height_sd"] ** 2 + noise**2) * whole
        matched["height_m"] += gain * (apparent_m - matched["height_m"])
        matched["height_sd"] *= np.sqrt(1 - gain)
        aspect = (mine.boxes[:, 2] - mine.boxes[:, 0]) / mine.height_px
        matched["aspect"] += np.where(whole, 0.2, 0.0) * (aspect - matched["aspect"])
        matched["score"] = mine.scores
        matched["seen_s"] = time_s
        matched["sightings"] += 1
        expected = self._boxes_of(matched)
        seen_box = np.where(whole[:, None], mine.boxes, _completed(mine, expected))
        matched["box"] = (seen_box + expected) / 2
        width_px = matched["aspect"] * (expected[:, 3] - expected[:, 1])
        matched["half_out"] = mine.side_cut & (mine.boxes[:, 2] - mine.boxes[:, 0] < WHOLE_ENOUGH * width_px)
        if looks is not None:
            matched["appearance"] += 0.1 * (looks[columns] - matched["appearance"])
        tracks[rows] = matched
        if self.has_floor:
            self.typical.learn(apparent_m[whole & matched["confirmed"]])
        for row in rows[~matched["confirmed"]]:
            self._remember(tracks[row], time_s)

    def _begin(
        self, free: Bools, seen: Sightings, looks: Floats | None, floor: Floats, spread: Floats, time_s: float
    ) -> None:
        born = np.flatnonzero(free & (seen.scores >= self.settings.birth_score))
        born = born[~self._known(seen.boxes[born], time_s)]
        room = self.settings.max_tracks - len(self._tracks)
        if len(born) > room:
            self.refused += len(born) - room
            born = born[np.argsort(-seen.scores[born], kind="stable")[:room]]
        if not len(born):
            return
        new = np.zeros(len(born), dtype=self._tracks.dtype)
        new["birth"] = self._births + np.arange(len(born))
        self._births += len(born)
        new["mean"][:, :2] = floor[born]
        new["covariance"][:, :2, :2] = spread[born]
        new["stood_at"] = floor[born]
        new["stood_sd"] = np.sqrt(spread[born, 0, 0] + spread[born, 1, 1])
        if self.has_floor:
            new["height_m"] = self.typical.height_m
            scale = np.ones(len(born))
        else:
            new["height_m"] = seen.height_px[born] * pixel_width_m(self.plane, seen.foot_px[born])
            scale = new["height_m"] / self.settings.person_height_m
        new["covariance"][:, 2, 2] = new["covariance"][:, 3, 3] = (self.settings.speed_sd_mps * scale) ** 2
        new["height_sd"] = self._height_sd
        new["aspect"] = 0.4
        new["score"] = seen.scores[born]
        new["first_s"] = new["seen_s"] = time_s
        new["sightings"] = 1
        new["box"] = seen.boxes[born]
        if looks is not None:
            new["appearance"] = looks[born]
        self._tracks = np.concatenate([self._tracks, new])
        for track in new:
            self._remember(track, time_s)

    def _known(self, boxes: Floats, time_s: float) -> Bools:
        """Which boxes (n, 4) mostly show a confirmed person whom this frame has already found."""
        found = self._tracks[self._tracks["confirmed"] & (self._tracks["seen_s"] == time_s)]
        overlap = overlaps(boxes, found["box"])
        known: Bools = np.asarray((overlap > self.settings.double_overlap).any(axis=1))
        return known

    def _remember(self, track: np.void, time_s: float) -> None:
        early = self._early.setdefault(int(track["birth"]), deque(maxlen=MAX_EARLY))
        while early and early[0].time_s < time_s - EARLY_S:
            early.popleft()
        x, y = track["mean"][:2].tolist()
        early.append(
            Sighting(
                time_s=time_s,
                box=_ltwh(track["box"]),
                score=float(track["score"]),
                floor_xy_m=(x, y) if self.has_floor else None,
                half_out=bool(track["half_out"]),
            )
        )

    def _confirm(self, time_s: float) -> set[int]:
        """Confirm what was seen often enough; returns the births of tracks that are new to the world."""
        settings, tracks = self.settings, self._tracks
        age_s = time_s - tracks["first_s"] + 1e-6
        ready = (tracks["sightings"] >= 3) & (age_s >= settings.confirm_s)
        ready |= (tracks["sightings"] >= 2) & (age_s >= settings.confirm_sparse_s)
        moved_m = np.linalg.norm(tracks["mean"][:, :2] - tracks["stood_at"], axis=1) / self._scale()
        now_var = tracks["covariance"][:, 0, 0] + tracks["covariance"][:, 1, 1]
        sd_m = np.sqrt(now_var + tracks["stood_sd"] ** 2) / self._scale()
        enough_m = np.where(self._fixtures(), settings.fixture_move_m, settings.confirm_move_m)
        ready &= moved_m > np.maximum(enough_m, settings.confirm_move_sd * sd_m)
        ready &= ~tracks["confirmed"] & (tracks["seen_s"] == time_s)
        for row in np.flatnonzero(ready):
            self._ids += 1
            tracks["id"][row] = self._ids
        tracks["confirmed"] |= ready
        return set(tracks["birth"][ready].tolist())

    def _end(self, time_s: float) -> None:
        settings, tracks = self.settings, self._tracks
        unseen_s = time_s - tracks["seen_s"]
        patience = np.where(tracks["confirmed"], settings.lost_patience_s, settings.tentative_patience_s)
        patience[self._fixtures()] = settings.fixture_patience_s
        patience[tracks["confirmed"] & self._leaving()] = settings.exit_patience_s
        over = unseen_s > patience
        self.ended = tuple(tracks["id"][over & tracks["confirmed"]].tolist())
        for birth in tracks["birth"][over & ~tracks["confirmed"]].tolist():
            self._early.pop(birth, None)
        if over.any():
            self._tracks = tracks[~over]

    def _fixtures(self) -> Bools:
        """Which tracks look like people and never moved: mannequins, posters, signs."""
        tracks = self._tracks
        lasting = tracks["seen_s"] - tracks["first_s"] > self.settings.fixture_s
        fixtures: Bools = lasting & ~tracks["confirmed"]
        return fixtures

    def _leaving(self) -> Bools:
        """Which tracks have their predicted middle out of the picture."""
        box = self._boxes_of(self._tracks)
        middle = (box[:, :2] + box[:, 2:]) / 2
        inside = (middle > 0) & (middle < [self.view.width_px, self.view.height_px])
        leaving: Bools = np.asarray(~inside.all(axis=1))
        return leaving

    def _report(self, time_s: float, newly: set[int]) -> list[Track]:
        predicted = self._boxes_of(self._tracks)
        return [self._track(track, predicted[row], time_s, newly) for row, track in enumerate(self._tracks)]

    def _track(self, track: np.void, predicted: Floats, time_s: float, newly: set[int]) -> Track:
        birth, unseen_s = int(track["birth"]), time_s - float(track["seen_s"])
        x, y, vx, vy = track["mean"].tolist()
        deviation = float(np.sqrt(track["covariance"][0, 0] + track["covariance"][1, 1]))
        return Track(
            id=int(track["id"]) if track["confirmed"] else None,
            time_s=time_s,
            box=_ltwh(track["box"] if unseen_s == 0 else predicted),
            score=float(track["score"]),
            floor_xy_m=(x, y) if self.has_floor else None,
            velocity_mps=(vx, vy) if self.has_floor else None,
            floor_sd_m=deviation if self.has_floor else None,
            unseen_s=unseen_s,
            half_out=bool(track["half_out"]),
            early=tuple(self._early.pop(birth))[:-1] if birth in newly else (),
        )


def _completed(seen: Sightings, expected: Floats) -> Floats:
    """Boxes (n, 4) of half-hidden people: what was seen of them, stretched to where the person must be."""
    boxes: Floats = seen.boxes.copy()
    boxes[:, 3] = np.maximum(boxes[:, 3], expected[:, 3])
    boxes[:, 1] = np.where(seen.head_cut, np.minimum(boxes[:, 1], expected[:, 1]), boxes[:, 1])
    return boxes


def _ltwh(box: Floats) -> Box:
    left, top, right, bottom = box.tolist()
    return left, top, right - left, bottom - top
