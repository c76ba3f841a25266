"""Which tracks are the same person: tracks of one camera that broke, and tracks of cameras that overlap.

Every person is one global track, a number inside this package. A new track first waits `PROBATION_S` if it
might continue a person that was lost, or be one that another camera sees on the same spot of floor; then a
linear assignment decides for all waiting tracks at once. The evidence is place and walking time: for each
pair the density of the new track's place (and velocity) given the old person, against that of a stranger
appearing there, which is likeliest at an entrance; their ratio gives the probability of "same". Appearance
can be multiplied in as a further ratio by the caller; nothing here depends on it.

What was decided is revised when later frames contradict it: a track that goes where nobody can have walked,
that stands where other cameras' tracks of that person do not, or that one camera shows beside another of the
same person is parted from them and decided anew (`partings`); two persons who walk as one before different
cameras are joined (`joinings`). Facts that were reported by then are corrected by whoever reported them.

Cost is bounded: at most `MAX_PERSONS` persons and `MAX_PENDING` waiting tracks, each of which is held against
a person once a frame, and only those who can have come there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from runtime.messages import Person
from runtime.store.floorplan import EntranceLine
from runtime.store.people.agreement import jumps, parted_since
from runtime.store.people.arrivals import Arrivals
from runtime.store.people.global_track import LEAD_TIMEOUT_S, BoundTrack, GlobalTrack, Source, TrackPoint
from runtime.store.people.id_switches import IdSwitch, IdSwitches
from runtime.store.people.links import Links
from runtime.store.people.looks import vector_of
from runtime.store.people.matching import Appearance, Matching
from runtime.store.people.motion import Position, RecentMotion
from runtime.store.people.probation import PROBATION_S, PendingTrack
from runtime.store.people.reassociation import MEMORY_S
from runtime.store.people.revision import (
    WALKED_M,
    Joining,
    Parting,
    companion,
    contradicted,
    seen_by_others,
    seen_elsewhere,
)

__all__ = ["PROBATION_S", "Appearance", "GlobalTracks", "Joining", "Parting", "Source", "TrackPoint"]

MAX_PERSONS, MAX_PENDING = 512, 256


class GlobalTracks:
    """Turns tracks of all cameras into persons.

    `area_m2` is the floor on which a stranger may appear, most of all at `entrances`, if there are any.
    """

    def __init__(
        self,
        area_m2: float,
        appearance: Appearance | None = None,
        entrances: Sequence[EntranceLine] = (),
        links: Links | None = None,
    ) -> None:
        arrivals = Arrivals(area_m2, entrances)
        self.links = Links(area_m2, arrivals) if links is None else links
        self._matching = Matching(area_m2, arrivals, self.links, appearance)
        self._people: dict[int, GlobalTrack] = {}
        self._bound_tracks: dict[Source, BoundTrack] = {}
        self._partings: list[Parting] = []
        self._joinings: list[Joining] = []
        self._pending: dict[Source, PendingTrack] = {}
        self._id_switches: dict[str, IdSwitches] = {}
        self._switches: list[IdSwitch] = []
        self._next, self._bound = 1, 0
        self.counts: dict[str, int] = {
            "new": 0,
            "continued": 0,
            "second_camera": 0,
            "exchanged": 0,
            "parted": 0,
            "joined": 0,
            "linked": 0,
            "jumped": 0,
            "forgotten": 0,
        }

    def __len__(self) -> int:
        return len(self._people)

    def observe(
        self, camera: str, time_s: float, persons: Iterable[Person], ended: Iterable[int] = ()
    ) -> list[TrackPoint]:
        """The persons on the floor in one frame; the points that are now known, each person's in order."""
        points: list[TrackPoint] = []
        for (name, _), pending in self._pending.items():
            pending.looked_again |= name == camera and time_s > pending.born_s
        shown = [seen for seen in persons if seen.floor_xy_m is not None]
        tracks = {seen.track for seen in shown}
        for seen in shown:
            assert seen.floor_xy_m is not None
            source = (camera, seen.track)
            position = Position(time_s, *seen.floor_xy_m, seen.handling)
            bound = self._bound_tracks.get(source)
            if bound is not None and self._is_another(bound, position):
                self._end(source)
                self.counts["jumped"] += 1
                bound = None
            if bound is None:
                self._wait(source, position)
                if seen.looks:
                    self._pending[source].looks = vector_of(seen.looks)
                continue
            if seen.looks:
                self.links.look(self._people[bound.person], camera, vector_of(seen.looks), self._people)
            points.append(self._people[bound.person].step(source, position, tracks))
            bound.add(position)
        self._exchange(camera, time_s, points)
        present = [(camera, track) for track in sorted(tracks)]
        self._review(camera, present)
        self._join(camera, time_s, present)
        for track in ended:
            self._end((camera, track))
        return points + self._decide(time_s)

    def apply_plan(self, area_m2: float, entrances: Sequence[EntranceLine]) -> None:
        """Go on with another floor plan: who is known stays known."""
        arrivals = Arrivals(area_m2, entrances)
        self._matching.apply_plan(area_m2, arrivals)
        self.links.apply_plan(area_m2, arrivals)

    def went(self, person: int, out: bool) -> None:
        """A person was seen to go out through an entrance, or to come in by one."""
        if (known := self._people.get(person)) is not None:
            known.left = out

    def person_of(self, source: Source) -> int | None:
        """Whom a track is of; None while that is not decided."""
        bound = self._bound_tracks.get(source)
        return None if bound is None else bound.person

    def partings(self) -> list[Parting]:
        """Tracks found since the last call to be somebody else's; their points reported by then were not."""
        found, self._partings = self._partings, []
        return found

    def joinings(self) -> list[Joining]:
        """Who turned out to be one person since the last call, in order."""
        found, self._joinings = self._joinings, []
        return found

    def id_switches(self) -> list[IdSwitch]:
        """Which persons got back their tracks since the last call; the points reported by then had not."""
        found, self._switches = self._switches, []
        return found

    def advance(self, time_s: float) -> list[TrackPoint]:
        """Decide what waited long enough, forget who has been gone for long."""
        points = self._decide(time_s)
        for new, old in self.links.decide(time_s, self._people):
            self._return(self._people[new], old)
        self._forget(time_s)
        return points

    def drain(self, time_s: float) -> list[TrackPoint]:
        """Decide everything that waits, now."""
        for pending in self._pending.values():
            pending.ended = True
        return self._decide(time_s)

    def _is_another(self, bound: BoundTrack, position: Position) -> bool:
        """Whether a track goes on where its person cannot be: too far, or in a shop that they have left."""
        back = position.time_s - bound.motion.last.time_s > LEAD_TIMEOUT_S
        if back and self._people[bound.person].left and not self._matching.may_arrive(position):
            return True
        return jumps(bound.motion, position, self._matching.stranger)

    def _exchange(self, camera: str, time_s: float, points: list[TrackPoint]) -> None:
        """Give two persons who passed each other their own tracks back if the tracker switched them."""
        leading = {point.person: point.source for point in points if point.lead}
        motions = {number: self._people[number].motion for number in leading}
        encounters = self._id_switches.setdefault(camera, IdSwitches())
        for id_switch in encounters.observe(time_s, leading, motions):
            one, other, _ = id_switch
            first, second = self._people[one], self._people[other]
            self._switches.append(id_switch)
            first.motion, second.motion = second.motion, first.motion
            for person, own, new in (
                (first, leading[one], leading[other]),
                (second, leading[other], leading[one]),
            ):
                person.saw(new, person.drop(own))
                person.lead = new
                self._bound_tracks[new].person = person.number
            self.counts["exchanged"] += 1

    def _review(self, camera: str, present: list[Source]) -> None:
        """Part tracks that turn out not to show the person they were given to: of two tracks of one camera
        one, and of a track and those of other cameras, where they disagree, that which came last or that
        which never walked."""
        by_person: defaultdict[int, list[Source]] = defaultdict(list)
        for source in present:
            if (bound := self._bound_tracks.get(source)) is not None:
                by_person[bound.person].append(source)
        for number, mine in by_person.items():
            others = seen_elsewhere(self._people[number], camera, self._bound_tracks)
            for source, rest in contradicted(mine, others, self._bound_tracks, self._matching.stranger):
                self._part(source, rest)

    def _part(self, source: Source, rest: list[RecentMotion]) -> None:
        """A track is somebody else's from where it left the others on; who that is is decided anew."""
        bound = self._bound_tracks.pop(source)
        positions = parted_since(bound.motion, rest)
        person = self._people[bound.person]
        person.part(source, rest[0] if rest else None)
        self._partings.append(Parting(person.number, source, positions[0].time_s))
        self.counts["parted"] += 1
        for position in positions:
            self._wait(source, position)

    def _join(self, camera: str, time_s: float, present: list[Source]) -> None:
        """Take two persons for one who walk as one and whom no camera sees beside each other."""
        elsewhere = seen_by_others(self._people, camera, time_s)
        for source in present if elsewhere else ():
            bound = self._bound_tracks.get(source)
            if bound is None:
                continue
            person = self._people[bound.person]
            others = {
                number: other
                for number, (other, last) in elsewhere.items()
                if number in self._people and time_s - last.time_s <= LEAD_TIMEOUT_S
            }
            best = companion(person, others, time_s, self._matching.stranger)
            if best is not None:
                self._merge(person, self._people[best])

    def _return(self, new: GlobalTrack, number: int) -> None:
        """Who turned up is somebody who was lost elsewhere."""
        old = self.links.take(number) or self._people.get(number)
        if old is None:
            return
        old.motion, old.lead = new.motion, new.lead
        self._people[number] = old
        self._unite(new, old)
        self.counts["linked"] += 1

    def _merge(self, one: GlobalTrack, other: GlobalTrack) -> None:
        """Whoever walked, else whoever came first, gives the number."""
        into, gone = sorted((one, other), key=lambda each: (each.reach_m < WALKED_M, each.number))
        self._unite(gone, into)
        self.counts["joined"] += 1

    def _unite(self, gone: GlobalTrack, into: GlobalTrack) -> None:
        for source, seen_s in gone.sources.items():
            into.saw(source, seen_s)
            if source in self._bound_tracks and self._bound_tracks[source].person == gone.number:
                self._bound_tracks[source].person = into.number
        into.gallery.extend(gone.gallery)
        del self._people[gone.number]
        self.links.gone(gone.number)
        self._joinings.append(Joining(gone.number, into.number))

    def _wait(self, source: Source, position: Position) -> None:
        pending = self._pending.get(source)
        if pending is None:
            if len(self._pending) >= MAX_PENDING:
                next(each for each in self._pending.values() if not each.hurried).hurried = True
            pending = self._pending[source] = PendingTrack(RecentMotion(), [])
        pending.motion.add(position)
        pending.positions.append(position)

    def _end(self, source: Source) -> None:
        if source in self._pending:
            self._pending[source].ended = True
        self._bound_tracks.pop(source, None)

    def _decide(self, time_s: float) -> list[TrackPoint]:
        """Bind the tracks whose wait is over, the oldest first: each may continue the one before."""
        points: list[TrackPoint] = []
        known: dict[Source, dict[int, float]] = {}
        for source, pending in sorted(self._pending.items(), key=lambda each: each[1].born_s):
            if pending.alone is None:
                pending.alone = not self._matching.candidates(source, pending, self._people)
            if pending.is_over(time_s):
                continued = self._matching.continues(source, self._pending, self._people, known)
                found = self._bind(source, continued)
                self._matching.correct(known, self._pending, self._people[found[0].person])
                points += found
        return points

    def _bind(self, source: Source, number: int | None) -> list[TrackPoint]:
        pending = self._pending.pop(source)
        person = self._people.get(number) if number is not None else None
        if person is None:
            person = self._new_person()
            self.links.appeared(person.number, source[0], pending.positions[0])
            self.counts["new"] += 1
        else:
            shared = person.seen_s > pending.positions[0].time_s and person.seen_by(source[0]) < person.seen_s
            self.counts["second_camera" if shared else "continued"] += 1
        if not pending.ended:
            self._bound += 1
            bound = self._bound_tracks[source] = BoundTrack(person.number, self._bound, pending.positions[0])
            for position in pending.positions:
                bound.add(position)
        if pending.looks is not None:
            self.links.learn_appearance(person, source[0], pending, self._matching.stranger)
            self.links.look(person, source[0], pending.looks, self._people)
        return [person.step(source, position, {source[1]}) for position in pending.positions]

    def _new_person(self) -> GlobalTrack:
        if len(self._people) >= MAX_PERSONS:
            self._drop(min(self._people.values(), key=lambda person: person.seen_s))
        person = GlobalTrack(self._next, RecentMotion())
        self._people[self._next] = person
        self._next += 1
        return person

    def _forget(self, time_s: float) -> None:
        for person in [w for w in self._people.values() if time_s - w.seen_s > MEMORY_S]:
            self._drop(person)
        self.links.forget(time_s)

    def _drop(self, person: GlobalTrack) -> None:
        del self._people[person.number]
        self.links.leave(person)
        self.counts["forgotten"] += 1
        for source in person.sources:
            if source in self._bound_tracks and self._bound_tracks[source].person == person.number:
                del self._bound_tracks[source]
