"""What cannot be staged, beyond the form of single values. Every check raises KeyFault."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engines.scene.spec import Browse, Point, Scene, ScenePerson, Turn, Walk
from tagsight.yaml_files import refuse

REACH_M = 1.05
"""From the middle of a body to what a hand can still take hold of, leaning."""
OUTSIDE_M = 6.0
"""So far outside the walls a way may begin or end."""


def check(scene: Scene) -> None:
    """Look at a whole scene."""
    for kind in ("cameras", "doors", "zones", "racks", "people"):
        _check_names(kind, [one.name for one in getattr(scene, kind)])
    _check_doors(scene)
    _check_cameras(scene)
    _check_tags(scene)
    ports = [antenna.port for antenna in scene.antennas]
    for number, port in enumerate(ports):
        if port in ports[:number]:
            refuse(f"antennas.{number}.port", port, "a port that no other antenna has")
    for number, person in enumerate(scene.people):
        _check_person(scene, person, f"people.{number}")
    _check_hours(scene)


def _check_names(kind: str, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            refuse(f"{kind}.{number}.name", name, f"a name that none of the other {kind} has")


def _check_doors(scene: Scene) -> None:
    width, depth = scene.room.size_m
    for number, door in enumerate(scene.doors):
        long = width if door.wall in ("front", "back") else depth
        if not door.from_m < door.to_m <= long:
            refuse(f"doors.{number}.to_m", door.to_m, f"between from_m and the wall's {long:g} m")
        if door.height_m >= scene.room.height_m:
            refuse(f"doors.{number}.height_m", door.height_m, f"less than the room's {scene.room.height_m:g}")


def _check_cameras(scene: Scene) -> None:
    for number, camera in enumerate(scene.cameras):
        key = f"cameras.{number}"
        if camera.at[:2] == camera.looks_at[:2]:
            refuse(f"{key}.looks_at", camera.looks_at, "a point that is not straight below or above")
        if not (64 <= camera.size[0] <= 4096 and 64 <= camera.size[1] <= 4096):
            refuse(f"{key}.size", camera.size, "64 to 4096 px each way")
        if camera.at[2] <= 0:
            refuse(f"{key}.at", camera.at, "a height above 0")


def _check_tags(scene: Scene) -> None:
    seen: set[str] = set()
    for number, rack in enumerate(scene.racks):
        key, prefix = f"racks.{number}.garments.prefix", rack.garments.prefix
        if prefix and set(prefix.lower()) - set("0123456789abcdef"):
            refuse(key, prefix, "hex digits")
        if seen.intersection(rack.epcs()):
            refuse(key, prefix, "a prefix that no other rack has")
        seen.update(rack.epcs())


def _check_person(scene: Scene, person: ScenePerson, key: str) -> None:
    width, depth = scene.room.size_m
    racks = {rack.name: rack for rack in scene.racks}
    place: Point = person.start
    for number, act in enumerate(person.acts):
        at = f"{key}.acts.{number}"
        if isinstance(act, Walk):
            for step, (x_m, y_m) in enumerate(act.to):
                if not (-OUTSIDE_M <= x_m <= width + OUTSIDE_M and -OUTSIDE_M <= y_m <= depth + OUTSIDE_M):
                    refuse(f"{at}.to.{step}", (x_m, y_m), f"a point within {OUTSIDE_M:g} m of the room")
            place = act.to[-1]
        if not isinstance(act, Browse | Turn):
            continue
        if act.rack not in racks:
            refuse(f"{at}.rack", act.rack, " or ".join(racks) or "the name of a rack (there is none)")
        rack = racks[act.rack]
        if isinstance(act, Turn) and act.garment > rack.garments.count:
            refuse(f"{at}.garment", act.garment, f"1 to {rack.garments.count}, what {rack.name} has")
        away = _away_m(scene, act, place)
        if away > REACH_M:
            refuse(
                f"{at}.rack",
                act.rack,
                f"a rack within {REACH_M:g} m of ({place[0]:g}, {place[1]:g}), not {away:.2f} m away,",
            )


def _check_hours(scene: Scene) -> None:
    """Opening hours follow each other, and nobody is within before or after."""
    from engines.scene.truth import courses, inside

    shut_s = 0.0
    for number, (from_s, to_s) in enumerate(scene.open_s):
        if not shut_s <= from_s < to_s:
            refuse(f"open_s.{number}", (from_s, to_s), f"from {shut_s:g} s on, and later to than from")
        shut_s = to_s
    for number, course in enumerate(courses(scene) if scene.open_s else []):
        for time_s in inside(scene, course):
            if not scene.is_open(time_s):
                refuse(
                    f"people.{number}.enters_s",
                    course.person.enters_s,
                    f"a time by which they are within while the shop is open, not at {time_s:g} s,",
                )


def _away_m(scene: Scene, act: Browse | Turn, place: Point) -> float:
    from engines.scene.courses import garment_point

    if isinstance(act, Turn):
        return math.dist(garment_point(scene, act.rack, act.garment)[:2], place)
    rack = scene.rack(act.rack)
    heading = math.radians(rack.heading_deg)
    along = (place[0] - rack.at[0]) * math.cos(heading) + (place[1] - rack.at[1]) * math.sin(heading)
    along = min(max(along, -rack.length_m / 2), rack.length_m / 2)
    near = (rack.at[0] + along * math.cos(heading), rack.at[1] + along * math.sin(heading))
    return math.dist(near, place)
