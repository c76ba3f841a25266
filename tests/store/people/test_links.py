"""One visitor before cameras that do not overlap: place and walking time, looks, transit times, "left"."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.messages import Person
from runtime.store.floorplan import EntranceLine
from runtime.store.people.identity import GlobalTracks, Joining
from runtime.store.people.links import MAX_AWAY
from runtime.store.people.looks import MAX_VECTORS, Gallery, Likeness, encode, vector_of
from runtime.store.people.transit import CLIP, TransitTimes

AREA_M2 = 300.0
DOOR = EntranceLine("door", ((-1.0, 0.0), (1.0, 0.0)), (0.0, 3.0))
SIZE = 64


def look(seed: int, noise: float = 0.3) -> bytes:
    """How a visitor looks, a little different each time."""
    own = np.random.default_rng(seed).normal(size=SIZE)
    return encode(own / np.linalg.norm(own) + noise * np.random.default_rng().normal(size=SIZE) / SIZE**0.5)


def walk(
    people: GlobalTracks, camera: str, track: int, from_s: float, x_m: float, y_m: float, looks: bytes = b""
) -> int:
    """Somebody walks for two seconds before a camera, and is gone; the person they are taken for."""
    person = 0
    for number in range(20):
        time_s = from_s + number / 10
        box = (0.0, 0.0, 1.0, 2.0)
        seen = Person(track, box, 0.9, (x_m + 0.12 * number, y_m), looks=looks if number == 0 else b"")
        people.observe(camera, time_s, [seen])
        people.advance(time_s)
        person = people.person_of((camera, track)) or person
    people.observe(camera, from_s + 2.0, [], [track])
    return person


def test_who_is_seen_again_by_another_camera_is_who_they_were() -> None:
    people = GlobalTracks(AREA_M2, entrances=(DOOR,))
    first = walk(people, "door", 1, 0.0, 0.0, 4.0, look(1))
    other = walk(people, "door", 2, 3.0, 0.0, 5.0, look(2))
    again = walk(people, "back", 1, 12.5, 12.0, 8.0, look(1))
    assert again == first != other
    assert people.joinings() == [Joining(3, first)]
    assert people.counts["linked"] == 1


def test_a_likeness_makes_nobody_walk_faster_than_people_do() -> None:
    people = GlobalTracks(AREA_M2, entrances=(DOOR,))
    first = walk(people, "door", 1, 0.0, 0.0, 4.0, look(1))
    assert walk(people, "back", 1, 4.0, 14.0, 8.0, look(1)) != first


def test_who_turns_up_inside_is_not_who_has_left() -> None:
    people = GlobalTracks(AREA_M2, entrances=(DOOR,))
    first = walk(people, "door", 1, 0.0, 0.0, 1.0, look(1))
    people.went(first, out=True)
    assert walk(people, "back", 1, 12.5, 12.0, 8.0, look(1)) != first


def test_of_two_who_look_alike_nobody_is_taken() -> None:
    people = GlobalTracks(AREA_M2, entrances=(DOOR,))
    known = {
        walk(people, "door", 1, 0.0, 0.0, 4.0, look(1)),
        walk(people, "left", 2, 3.0, 22.0, 4.0, look(1)),
    }
    assert len(known) == 2
    assert walk(people, "back", 1, 12.5, 12.0, 8.0, look(1)) not in known


def test_without_looks_nobody_is_linked() -> None:
    people = GlobalTracks(AREA_M2, entrances=(DOOR,))
    first = walk(people, "door", 1, 0.0, 0.0, 4.0)
    assert walk(people, "back", 1, 12.5, 12.0, 8.0) != first


def test_those_out_of_sight_are_bounded_and_forgotten_in_time() -> None:
    people = GlobalTracks(AREA_M2)
    for number in range(MAX_AWAY + 40):
        box = (0.0, 0.0, 1.0, 2.0)
        person = Person(number, box, 0.9, (number * 40.0, 0.0), looks=look(number))
        people.observe("a", number / 100, [person], [number])
    people.advance(10.0)
    people.advance(100.0)
    assert len(people) == 0
    assert len(people.links) == MAX_AWAY
    people.advance(8000.0)
    assert len(people.links) == 0


def test_vectors_of_another_network_are_no_evidence_and_no_fault() -> None:
    people = GlobalTracks(AREA_M2, entrances=(DOOR,))
    first = walk(people, "door", 1, 0.0, 0.0, 4.0, look(1))
    assert walk(people, "back", 1, 12.5, 12.0, 8.0, encode(np.ones(16))) != first


def test_a_gallery_keeps_a_few_vectors_of_as_many_cameras_as_there_are() -> None:
    gallery = Gallery()
    for number in range(50):
        gallery.add(f"camera {number % 6}", vector_of(look(number)))
    assert len(gallery.vectors) <= MAX_VECTORS
    assert len({camera for camera, _ in gallery.vectors}) >= MAX_VECTORS // 2


def test_a_likeness_is_worth_what_it_is_in_this_shop() -> None:
    one, alike = (
        vector_of(look(1, 0.0)),
        vector_of(encode(vector_of(look(1, 0.0)) + 0.9 * vector_of(look(2, 0.0)))),
    )
    usual, uniform = Likeness(), Likeness()
    for _ in range(500):
        uniform.different.add(0.7, 1.0)
    assert float(usual.ratio(one, [alike])[0]) > 1.0 > float(uniform.ratio(one, [alike])[0])


def test_transit_times_say_nothing_before_much_was_seen_and_never_too_much() -> None:
    transit = TransitTimes()
    assert transit.ratio("a", "b", 10.0) == 0.0
    rng = np.random.default_rng(1)
    said = []
    for count in range(3000):
        transit.learn("a", "b" if count % 2 else "c", 10.0 if count % 2 else 60.0, 0.9)
        transit.learn("c", str(rng.choice(["a", "b"])), float(rng.uniform(2, 100)), 0.9)
        if count in (10, 2999):
            said.append((transit.ratio("a", "b", 10.0), transit.ratio("a", "b", 60.0)))
    (early, _), (likely, unlikely) = said
    assert abs(early) < 0.1
    assert likely > 0.5 > 0 > unlikely
    assert max(abs(likely), abs(unlikely)) <= CLIP


@pytest.mark.parametrize("cameras", [3, 200])
def test_transit_times_are_bounded(cameras: int) -> None:
    transit = TransitTimes()
    for number in range(cameras * 2):
        transit.learn(f"{number % cameras}", f"{(number + 1) % cameras}", 10.0, 1.0)
    assert transit._counts.shape[0] == min(cameras, 64)
