"""One place against a zone or an entrance: the same answers as the plane geometry for arrays gives."""

from __future__ import annotations

import numpy as np

from runtime.geometry import in_polygon, position_along, signed_distance_m
from runtime.store.floorplan import EntranceLine, FloorZone

PLACES = np.random.default_rng(5).uniform(-1, 5, (500, 2))
CORNERS = np.array([(x, y) for x in range(5) for y in range(5)], np.float64)


def test_a_zone_with_a_bay_holds_what_lies_in_it_and_not_what_lies_in_the_bay() -> None:
    horseshoe = (
        (0.0, 0.0),
        (4.0, 0.0),
        (4.0, 4.0),
        (3.0, 4.0),
        (3.0, 1.0),
        (1.0, 1.0),
        (1.0, 4.0),
        (0.0, 4.0),
    )
    for polygon in (horseshoe, horseshoe[::-1]):
        zone, places = FloorZone("bay", polygon), np.concatenate([PLACES, CORNERS])
        held = [zone.holds(x, y) for x, y in places.tolist()]
        assert held == in_polygon(places, polygon).tolist()
        assert zone.holds(0.5, 3.0) and not zone.holds(2.0, 3.0)


def test_how_far_from_a_zone_a_place_lies_is_nothing_inside_and_the_nearest_edge_outside() -> None:
    for corners in ([(0, 0), (4, 0), (4, 1), (1, 4)], [(0, 0), (0, 0), (3, 0), (3, 2)]):
        zone, places = FloorZone("edge", tuple((float(x), float(y)) for x, y in corners)), 3 * PLACES
        away = [zone.away_m(x, y) for x, y in places.tolist()]
        assert np.allclose(away, zone.distance_m(places))
        assert min(away) == 0.0 < max(away)


def test_a_stand_at_an_entrance_is_its_depth_and_its_metres_along_the_line() -> None:
    line = ((0.5, 0.2), (3.1, 1.9))
    for inside, sign in (((0.0, 4.0), 1.0), ((4.0, 0.0), -1.0)):
        entrance = EntranceLine("door", line, inside)
        stands = np.array([entrance.stand(x, y) for x, y in PLACES.tolist()])
        assert np.allclose(stands[:, 0], sign * signed_distance_m(PLACES, line))
        assert np.allclose(stands[:, 1], position_along(PLACES, line) * entrance.length_m)
