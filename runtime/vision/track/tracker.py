"""The tracker of one camera: boxes in, people with ids and places on the floor out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from runtime.geometry import Bools, Floats
from runtime.vision.track import motion
from runtime.vision.track.association import NO_MATCH, Pairs, pair_costs, pair_up
from runtime.vision.track.candidates import CandidateFilter, Candidates, Life, Rows
from runtime.vision.track.confirmation import are_people, as_things, life_after
from runtime.vision.track.liveliness import STILL, Look
from runtime.vision.track.people import (
    Backfill,
    Table,
    Thing,
    Track,
    as_tracks,
    boxes_of,
    ltwh,
    new_rows,
    out_of_picture,
    stationary,
    table_type,
)
from runtime.vision.track.scene import Occupation, scene_of
from runtime.vision.track.settings import TrackerSettings
from runtime.vision.track.stature import completed, place
from runtime.vision.track.view import CameraView, box_iou

HEIGHT_DRIFT = 0.2
"""How fast an apparent height changes without a floor, relative, per square root second."""

FLOOR_HEIGHT_DRIFT = 0.02
"""The same on a floor, where height stays put."""

MIN_VISIBLE_WIDTH = 0.75
"""Less of a person's width than this in the picture, and they are truncated."""

STATIONARY_SPEED = 0.1
"""Share of a person's speed that is expected of what never moved."""

STATIONARY_MEMORY_S = 5.0
"""A stationary track has moved if it leaves the place where it was on average for this long."""


class FloorTracker:
    """Follows the people before one camera.

    Feed frames in order of time; `update` answers with the people of that frame. `ended` holds the ids that
    ended with the last update, `refused` how many tracks could not begin because the table was full.
    """

    def __init__(self, settings: TrackerSettings, view: CameraView, appearance_size: int = 0) -> None:
        self.settings = settings
        self.view = view
        self._filter = CandidateFilter(settings, view)
        self.plane = self._filter.plane
        self.has_floor = self._filter.has_floor
        self.typical = self._filter.typical
        self.ended: tuple[int, ...] = ()
        self.refused = 0
        self._tracks: Table = np.zeros(0, dtype=table_type(appearance_size))
        self._backfill = Backfill()
        self._births = 0
        self._ids = 0
        self._repeat = 1.0
        self._time_s = -math.inf
        self._height_sd = self._filter.height_sd
        self._height_drift = FLOOR_HEIGHT_DRIFT if self.has_floor else HEIGHT_DRIFT

    def update(
        self,
        boxes: npt.ArrayLike,
        scores: npt.ArrayLike,
        time_s: float,
        appearances: npt.ArrayLike | None = None,
        look: Look | None = None,
    ) -> list[Track]:
        """Take in the boxes (n, 4) left, top, right, bottom px and scores (n,) of the frame at `time_s`.

        `appearances` (n, k) are unit vectors, if there are any. `look` is at the same boxes; with it, people
        who stand are told from things that look like people, without it only who walks is a person. Returns
        every live track: those the frame showed, unconfirmed ones, and confirmed ones out of sight
        (`unseen_s` > 0).
        """
        self._advance(time_s)
        found = self._filter.candidates(boxes, scores, appearances, look)
        (rows, columns), free = self._associate(found)
        self._continue(rows, columns, found)
        self._begin(free, found)
        newly = self._confirm()
        self._end()
        self._take_back()
        return self._report(newly)

    @property
    def scene(self) -> Occupation:
        """What the last update says of how soon the next should come."""
        return scene_of(self._tracks)

    def expected(self, time_s: float) -> list[Track]:
        """Every live track where it is expected at `time_s`, after the last update; nothing else changes.

        Whom the last update saw counts as seen.
        """
        tracks = self._tracks.copy()
        dt_s = max(0.0, time_s - self._time_s)
        if len(tracks) and dt_s > 0:
            tracks["mean"] = motion.walked(tracks["mean"], dt_s, self.settings.speed_memory_s)
            tracks["box"] = boxes_of(tracks, self.plane)
            tracks["seen_s"][tracks["seen_s"] == self._time_s] = time_s
        return as_tracks(tracks, time_s, self.has_floor, {})

    def looks(self) -> dict[int, Floats]:
        """By id, the mean appearance (k,) of the people whom this frame showed; empty without appearances."""
        tracks = self._tracks
        if not tracks["appearance"].shape[1]:
            return {}
        shown = tracks[tracks["confirmed"] & (tracks["seen_s"] == self._time_s)]
        return dict(zip(shown["id"].tolist(), shown["appearance"].copy(), strict=True))

    def things(self) -> list[Thing]:
        """What looks like a person, is in sight for long, and neither moves nor lives."""
        tracks, settings = self._tracks, self.settings
        rows = ~tracks["confirmed"] & (tracks["alive_s"] < 0) & (tracks["seen_s"] == self._time_s)
        rows &= self._time_s - tracks["first_s"] >= settings.thing_s
        found = tracks[rows]
        places = found["mean"][:, :2].tolist()
        return [
            Thing(box, (x, y) if self.has_floor else None)
            for box, (x, y) in zip(ltwh(found["box"]), places, strict=True)
        ]

    def _advance(self, time_s: float) -> None:
        """Move every track to `time_s`; a time that does not rise moves nobody."""
        dt_s = max(0.0, time_s - self._time_s)
        self._time_s = time_s
        self._repeat = max(1.0, self.settings.noise_memory_s / dt_s) if dt_s > 0 else 1.0
        tracks = self._tracks
        if not len(tracks) or dt_s == 0:
            return
        still = stationary(tracks, self.settings.stationary_s).nonzero()[0]
        speed_sd = self.settings.speed_sd_mps * self._scale()
        speed_sd[still] *= STATIONARY_SPEED
        tracks["mean"], tracks["covariance"] = motion.predict(
            tracks["mean"], tracks["covariance"], dt_s, speed_sd, self.settings.speed_memory_s
        )
        if len(still):
            stood_at = tracks["stood_at"]
            settled = 1 - math.exp(-dt_s / STATIONARY_MEMORY_S)
            stood_at[still] += settled * (tracks["mean"][still, :2] - stood_at[still])
        height_sd = tracks["height_sd"]
        height_sd *= height_sd
        height_sd += self._height_drift**2 * dt_s
        np.minimum(np.sqrt(height_sd, out=height_sd), self._height_sd, out=height_sd)
        tracks["box"] = boxes_of(tracks, self.plane)

    def _scale(self) -> Floats:
        """Units of the plane a metre, for each track: 1 on a floor; by the person's size on the picture."""
        if self.has_floor:
            return np.ones(len(self._tracks))
        scale: Floats = self._tracks["height_m"] / self.settings.person_height_m
        return scale

    def _associate(self, found: Candidates) -> tuple[Pairs, Bools]:
        """Matched track rows and sighting columns, and which confident sightings found no track.

        All tracks choose among the confident boxes, then those left over that were seen a moment ago among
        the weak ones.
        """
        settings, tracks, seen = self.settings, self._tracks, found.seen
        confident = seen.scores >= settings.confident_score
        if not len(tracks) or not len(confident):
            none = np.zeros(0, dtype=np.intp)
            return (none, none), confident
        predicted = tracks["box"]
        squared, log_determinant = motion.mahalanobis(
            tracks["mean"], tracks["covariance"], found.floor, found.covariance
        )
        if not self.has_floor:
            log_determinant -= 4 * np.log(self._scale())[:, None]
        iou = np.fmax(box_iou(predicted, seen.boxes), 0.0)
        predicted_px = np.maximum(predicted[:, 3] - predicted[:, 1], 1e-6)
        gap = np.abs(seen.height_px / predicted_px[:, None] - 1)
        gap *= found.fully_visible
        gap /= np.sqrt(np.square(tracks["height_sd"]) + settings.foot_noise**2)[:, None]
        similarity = None if found.appearance is None else tracks["appearance"] @ found.appearance.T
        cost = pair_costs(squared, log_determinant, iou, gap, similarity, settings)
        left_sight = out_of_picture(tracks, self.view.width_px, self.view.height_px)
        cost[left_sight[:, None] & (iou <= 0)] = NO_MATCH

        rows, columns = pair_up(np.where(confident, cost, NO_MATCH))
        free = confident.copy()
        free[columns] = False
        if np.count_nonzero(confident) < len(confident):
            recent = self._time_s - tracks["seen_s"] <= settings.weak_timeout_s
            recent[rows] = False
            near = (iou >= settings.weak_iou) & recent[:, None] & ~confident
            weak_rows, weak_columns = pair_up(np.where(near, cost, NO_MATCH))
            rows, columns = np.concatenate([rows, weak_rows]), np.concatenate([columns, weak_columns])
        return (rows, columns), free

    def _continue(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], found: Candidates) -> None:
        """Correct the matched tracks by their sightings."""
        if not len(rows):
            return
        tracks, mine = self._tracks, found.seen.take(columns)
        matched = tracks[rows]
        floor, covariance, fully_visible = place(
            self.plane, self.settings, mine, matched["height_m"], matched["height_sd"], matched["aspect"]
        )
        covariance = covariance * self._repeat
        matched["mean"], matched["covariance"] = motion.correct(
            matched["mean"], matched["covariance"], floor, covariance
        )
        apparent_m = mine.height_px * mine.pixel_width_m
        variance = np.square(matched["height_sd"])
        gain = variance / (variance + 2 * self.settings.foot_noise**2)
        gain *= fully_visible
        matched["height_m"] += gain * (apparent_m - matched["height_m"])
        matched["height_sd"] *= np.sqrt(1 - gain)
        width_px = mine.boxes[:, 2] - mine.boxes[:, 0]
        matched["aspect"] += 0.2 * fully_visible * (width_px / mine.height_px - matched["aspect"])
        if found.life is None:
            matched["lively_s"] = self._time_s
        else:
            self._watch_for_life(matched, columns, found.life)
        matched["score"] = mine.scores
        matched["seen_s"] = self._time_s
        matched["sightings"] += 1
        expected = boxes_of(matched, self.plane)
        shown = completed(mine, expected, fully_visible) + expected
        shown /= 2
        matched["box"] = shown
        matched["truncated"] = mine.side_truncated & (
            width_px < MIN_VISIBLE_WIDTH * (expected[:, 2] - expected[:, 0])
        )
        if found.appearance is not None:
            matched["appearance"] += 0.1 * (found.appearance[columns] - matched["appearance"])
        tracks[rows] = matched
        confirmed = matched["confirmed"]
        if self.has_floor:
            self.typical.learn(apparent_m[fully_visible & confirmed])
        if len(tentative := (~confirmed).nonzero()[0]):
            self._backfill.note(matched[tentative], self._time_s, self.has_floor)

    def _watch_for_life(self, matched: Table, columns: Rows, life: Life) -> None:
        """Look for life in these tracks: in new ones at every frame, in people now and then."""
        due = ~matched["confirmed"] | (self._time_s - matched["watched_s"] >= self.settings.watch_every_s)
        rows = due.nonzero()[0]
        if not len(rows):
            return
        shares = life(columns[rows])
        still = (shares <= self.settings.still_share).any(axis=1) & ~(shares > self.settings.still_share).any(
            axis=1
        )
        watched = matched[rows]
        watched["alive_s"] = life_after(watched, shares, self._time_s, self.settings)
        watched["lively_s"] = np.where(still, watched["lively_s"], self._time_s)
        watched["watched_s"] = self._time_s
        watched["unchanged"] = (shares[:, 0] >= 0) & (shares[:, 0] < STILL)
        matched[rows] = watched

    def _begin(self, free: Bools, found: Candidates) -> None:
        """Begin tracks with confident boxes that nobody claims."""
        seen = found.seen
        born = (free & (seen.scores >= self.settings.birth_score)).nonzero()[0]
        if not len(born):
            return
        born = born[~self._known(seen.boxes[born])]
        room = self.settings.max_tracks - len(self._tracks)
        if len(born) > room:
            self.refused += len(born) - room
            born = born[np.argsort(-seen.scores[born], kind="stable")[:room]]
        if self.has_floor:
            height_m, scale = np.full(len(born), self.typical.height_m), np.ones(len(born))
        else:
            height_m = (seen.height_px * seen.pixel_width_m)[born]
            scale = height_m / self.settings.person_height_m
        new = new_rows(
            np.zeros(len(born), dtype=self._tracks.dtype),
            self._time_s,
            found.floor[born],
            found.covariance[born],
            height_m,
            speed_sd=self.settings.speed_sd_mps * scale,
        )
        new["birth"] = self._births + np.arange(len(born))
        self._births += len(born)
        new["height_sd"] = self._height_sd
        new["score"], new["box"] = seen.scores[born], seen.boxes[born]
        if found.appearance is not None:
            new["appearance"] = found.appearance[born]
        self._tracks = np.concatenate([self._tracks, new])
        self._backfill.note(new, self._time_s, self.has_floor)

    def _known(self, boxes: Floats) -> Bools:
        """Which boxes (n, 4) mostly show a confirmed person whom this frame has already found."""
        taken = self._tracks[self._tracks["confirmed"] & (self._tracks["seen_s"] == self._time_s)]
        iou = box_iou(boxes, taken["box"])
        known: Bools = np.asarray((iou > self.settings.duplicate_iou).any(axis=1))
        return known

    def _confirm(self) -> list[int]:
        """Confirm what was seen often enough and moves or lives; returns the births of the new people."""
        everyone = self._tracks
        rows = (~everyone["confirmed"]).nonzero()[0]
        rows = rows[everyone["seen_s"][rows] == self._time_s]
        if not len(rows):
            return []
        rows = rows[are_people(everyone[rows], self._scale()[rows], self._time_s, self.settings)]
        everyone["id"][rows] = self._ids + 1 + np.arange(len(rows))
        self._ids += len(rows)
        everyone["confirmed"][rows] = True
        everyone["lively_s"][rows] = self._time_s
        births: list[int] = everyone["birth"][rows].tolist()
        return births

    def _take_back(self) -> None:
        """Confirmed tracks that have shown no life for long are things after all: their ids end."""
        tracks = self._tracks
        rows = tracks["confirmed"] & (self._time_s - tracks["lively_s"] > self.settings.lifeless_s)
        rows &= tracks["seen_s"] == self._time_s
        if np.count_nonzero(rows):
            self.ended += tuple(tracks["id"][rows].tolist())
            tracks[rows] = as_things(tracks[rows], self.settings)

    def _end(self) -> None:
        """End what has been out of sight for longer than its timeout."""
        settings, tracks = self.settings, self._tracks
        self.ended = ()
        unseen = (tracks["seen_s"] < self._time_s).nonzero()[0]
        if not len(unseen):
            return
        lost = tracks[unseen]
        unseen_s, confirmed = self._time_s - lost["seen_s"], lost["confirmed"]
        timeout_s = np.where(confirmed, settings.lost_timeout_s, settings.tentative_timeout_s)
        timeout_s[confirmed & out_of_picture(lost, self.view.width_px, self.view.height_px)] = (
            settings.exit_timeout_s
        )
        timeout_s[stationary(lost, settings.stationary_s)] = settings.stationary_timeout_s
        over = unseen_s > timeout_s
        if not np.count_nonzero(over):
            return
        self.ended = tuple(lost["id"][over & confirmed].tolist())
        for birth in lost["birth"][over & ~confirmed].tolist():
            self._backfill.take(birth)
        kept = np.ones(len(tracks), dtype=np.bool_)
        kept[unseen[over]] = False
        self._tracks = tracks[kept]

    def _report(self, newly: list[int]) -> list[Track]:
        backfill = {birth: self._backfill.take(birth) for birth in newly}
        return as_tracks(self._tracks, self._time_s, self.has_floor, backfill)
