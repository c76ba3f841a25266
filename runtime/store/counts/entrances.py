"""Persons through an entrance: a foot point that settles on the other side of a line, through the segment.

A side counts only beyond `HYSTERESIS_M` from the line for `SETTLE_S`, or beyond `SURE_M` at once, so jitter
and lingering on the line count nothing, and neither does a U-turn within it. A crossing counts if the path
between the two settled sides cuts the segment itself, not its extension; one long point does as well as many
short ones. Direction is from the entrance's inside point.

A track may begin or end at the line (the line lies at the picture's edge, or tracking lost the person there).
It then counts as *inferred* if the person's own motion leads across the line within `REACH_S` and `REACH_M`
and the camera was watching at that time. If a person whose leaving was inferred is found again on the old
side, the crossing is taken back; on the new side it stands, and nothing else counts for the same passage. If
two persons turn out to have had each other's tracks, what counted since then is given to whom it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.passages import (
    ENDING_S,
    Crossing,
    LinePassage,
    LinePosition,
    cut_between,
    direction_of,
    pace,
    settles,
    side_of,
)
from runtime.store.floorplan import EntranceLine
from runtime.store.people.identity import Source, TrackPoint
from runtime.store.people.reassociation import MEMORY_S

__all__ = ["LOST_S", "REACH_S", "Crossing", "EntranceCounter"]

END_TOLERANCE_M = 0.15
"""Foot points are no better than this, so the segment is taken as this much longer at each end."""
REACH_S, REACH_M = 1.0, 1.2
WALKING_M_PER_S = 0.4
STARTING_S = 0.6
"""How much of a track's beginning tells where it came from."""
LOST_S = 3.0
"""Unseen for this long, a person counts as gone."""
SURELY_ACROSS_M = 0.1
SAME_PASSAGE_S = 3.0
"""Two cameras may tell one passage so far apart."""
TAKEOVER_S = 0.5
MAX_PERSONS = 1024


class EntranceCounter:
    """Counts one entrance; `coverage` says since when and until when its cameras have been watching.

    `already_here` are persons who were on the floor before the line was drawn: they did not come through it.
    """

    def __init__(
        self, entrance: EntranceLine, coverage: CoverageMeter, already_here: frozenset[int] = frozenset()
    ) -> None:
        self.entrance = entrance
        self._already_here = already_here
        self._coverage = coverage
        self._passages: dict[int, LinePassage] = {}
        self._margin_m = END_TOLERANCE_M

    def observe(self, points: Iterable[TrackPoint]) -> list[Crossing]:
        """Crossings that these points complete."""
        mine = [point for point in points if self._counts(point)]
        if not mine:
            return []
        found: list[Crossing] = []
        for point in mine:
            depth_m, along_m = self.entrance.stand(point.position.x_m, point.position.y_m)
            found += self._stand(point, LinePosition(point.position.time_s, depth_m, along_m))
        return found

    def undo_id_switch(self, one: int, other: int, since_s: float) -> list[Crossing]:
        """Two persons had each other's tracks from `since_s` on: what either did since then is the other's.

        If they stood on different sides then, there is nothing to give: with their own tracks back they are
        seen to have changed sides.
        """
        first, second = self._passages.get(one), self._passages.get(other)
        if first is None or second is None or first.settled_at(since_s) != second.settled_at(since_s):
            return []
        self._passages[one], self._passages[other] = second, first
        changed = [*second.hand_over(one, since_s), *first.hand_over(other, since_s)]
        return sorted(changed, key=lambda crossing: not crossing.retracted)

    def undo_parting(self, person: int, source: Source, since_s: float) -> list[Crossing]:
        """A track was somebody else's from `since_s` on: what counted by it since then was not this person's.

        It counts again for whoever it is given to, whose points are reported anew.
        """
        passage = self._passages.get(person)
        if passage is None or passage.source != source:
            return []
        found = passage.forget(since_s)
        if not passage.stands:
            del self._passages[person]
        return found

    def join(self, person: int, into: int) -> list[Crossing]:
        """Two persons turned out to be one: what counted for `person` not long ago counts for `into`.

        A passage that counted for both is one.
        """
        passage = self._passages.pop(person, None)
        if passage is None:
            return []
        found = passage.hand_over(into, -inf)
        kept = self._passages.get(into)
        if kept is None:
            self._passages[into] = passage
            return found
        reported = [turn.crossing for turn in kept.turns if turn.crossing is not None]
        for crossing in [each for each in found if not each.retracted]:
            if any(
                each.direction == crossing.direction and abs(each.time_s - crossing.time_s) < SAME_PASSAGE_S
                for each in reported
            ):
                found.remove(crossing)
                passage.unreported(crossing)
        if passage.stands[-1].time_s > kept.stands[-1].time_s:
            passage.turns = sorted([*kept.turns, *passage.turns], key=lambda turn: turn.time_s)
            self._passages[into] = passage
        return found

    def advance(self, time_s: float, timeout_s: float = LOST_S) -> list[Crossing]:
        """Crossings of persons who were lost at the line `timeout_s` ago; forgets those lost for long."""
        found: list[Crossing] = []
        for person, passage in list(self._passages.items()):
            watched_s = self._coverage.watched_until(passage.source[0], time_s)
            unseen_s = watched_s - passage.stands[-1].time_s
            if unseen_s >= MEMORY_S:
                del self._passages[person]
            elif unseen_s >= timeout_s and not passage.gone:
                passage.gone = True
                found += self._judge_end(person, passage)
        return found

    def _counts(self, point: TrackPoint) -> bool:
        return not self.entrance.cameras or point.source[0] in self.entrance.cameras

    def _stand(self, point: TrackPoint, stand: LinePosition) -> list[Crossing]:
        passage = self._passages.get(point.person)
        if passage is None:
            if len(self._passages) >= MAX_PERSONS:
                del self._passages[next(iter(self._passages))]
            here = point.person in self._already_here
            passage = self._passages[point.person] = LinePassage(point.source, came_from_judged=here)
        if not self._takes(passage, point.source, stand):
            return []
        found = self._returned(passage, stand)
        if passage.stands:
            passage.cut = cut_between(passage.stands[-1], stand) or passage.cut
        self._remember(passage, stand)
        side = settles(passage, stand)
        if side and passage.settled and side != passage.settled:
            found += self._crossed(point.person, passage, side, stand.time_s)
        if side:
            passage.came_by = passage.came_by if passage.settled else passage.cut
            passage.settled = side
        return found + self._judge_start(point.person, passage)

    @staticmethod
    def _takes(passage: LinePassage, source: Source, stand: LinePosition) -> bool:
        """One source at a time tells where a person stands: two cameras disagree by decimetres."""
        if not passage.stands:
            return True
        last_s = passage.stands[-1].time_s
        if stand.time_s <= last_s:
            return False
        same_camera = source[0] == passage.source[0]
        if source != passage.source and not same_camera and stand.time_s - last_s < TAKEOVER_S:
            return False
        passage.source = source
        return True

    @staticmethod
    def _remember(passage: LinePassage, stand: LinePosition) -> None:
        passage.stands.append(stand)
        keep_s = stand.time_s - ENDING_S
        while len(passage.stands) > 2 and passage.stands[0].time_s < keep_s:
            passage.stands.pop(0)
        if not passage.came_from_judged:
            passage.starting.append(stand)

    @staticmethod
    def _returned(passage: LinePassage, stand: LinePosition) -> list[Crossing]:
        """Takes an inferred leaving back when the person is found on the side they were lost on.

        Found on the other side, they went through: once, and before they were found.
        """
        passage.gone = False
        inferred, passage.inferred = passage.inferred, None
        if inferred is None:
            return []
        back = replace(inferred, retracted=True)
        if side_of(stand.depth_m) != (1 if inferred.direction == "in" else -1):
            passage.settled = -1 if inferred.direction == "in" else 1
            passage.correct(inferred, None)
            return [back]
        passage.came_from_judged, passage.starting = True, []
        if stand.time_s >= inferred.time_s:
            return []
        cut = cut_between(passage.stands[-1], stand)
        earlier = replace(inferred, time_s=stand.time_s if cut is None else cut.time_s)
        passage.correct(inferred, earlier)
        return [back, earlier]

    def _crossed(self, person: int, passage: LinePassage, side: int, time_s: float) -> list[Crossing]:
        passage.came_from_judged = True
        cut = passage.cut
        if cut is None or not self._within(cut.along_m):
            passage.turned(time_s, None)
            return []
        crossing = Crossing(self.entrance.name, person, direction_of(side), cut.time_s)
        passage.turned(cut.time_s, crossing)
        return [crossing]

    def _within(self, along_m: float) -> bool:
        return -self._margin_m <= along_m <= self.entrance.length_m + self._margin_m

    def _judge_start(self, person: int, passage: LinePassage) -> list[Crossing]:
        """Whether a track that began at the line came through it."""
        born, now = passage.starting[0] if passage.starting else None, passage.stands[-1]
        if passage.came_from_judged or not passage.settled or born is None:
            return []
        if now.time_s - born.time_s < STARTING_S:
            return []
        passage.came_from_judged = True
        starting, passage.starting = passage.starting, []
        side = passage.settled
        begun_m = side * born.depth_m
        if begun_m < -SURELY_ACROSS_M and passage.came_by is not None:
            seen = self._within(passage.came_by.along_m)
            return [self._came(person, passage, passage.came_by.time_s, False)] if seen else []
        speed, drift = pace(starting)
        ago_s = self._away_s(born, side * speed, begun_m, -drift)
        if ago_s is None or born.time_s - ago_s < self._coverage.seen_since(passage.source[0]):
            return []
        return [self._came(person, passage, born.time_s - ago_s, True)]

    def _came(self, person: int, passage: LinePassage, time_s: float, inferred: bool) -> Crossing:
        """The crossing with which a track that began at the line came to its side."""
        crossing = Crossing(self.entrance.name, person, direction_of(passage.settled), time_s, inferred)
        passage.turned(time_s, crossing)
        return crossing

    def _judge_end(self, person: int, passage: LinePassage) -> list[Crossing]:
        """Whether a track that ended at the line went through it."""
        if not passage.settled:
            return []
        last, side = passage.stands[-1], -passage.settled
        speed, drift = pace(passage.stands)
        ahead_s = self._away_s(last, side * speed, -side * last.depth_m, drift)
        if ahead_s is None:
            return []
        time_s = last.time_s + ahead_s
        passage.inferred = Crossing(self.entrance.name, person, direction_of(side), time_s, True)
        passage.turned(time_s, passage.inferred)
        passage.settled = side
        return [passage.inferred]

    def _away_s(self, stand: LinePosition, speed: float, distance_m: float, drift: float) -> float | None:
        """Seconds of walking between a stand and the line, 0 if it is past it; None if not led through it.

        `speed` is along the normal and `drift` along the line, both in the sense in which time is followed
        (towards the past where a track began, towards the future where it ended).
        """
        if speed < WALKING_M_PER_S or distance_m > min(REACH_M, speed * REACH_S):
            return None
        away_s = max(distance_m, 0.0) / speed
        if not self._within(stand.along_m + drift * away_s):
            return None
        return away_s
