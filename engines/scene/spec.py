"""What a scene file may say: every key with its limits and its meaning."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=64, description="its name")]
Point = tuple[float, float]
Point3 = tuple[float, float, float]
Positive = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Share = Annotated[float, Meta(ge=0, le=1)]
Colour = tuple[Share, Share, Share]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Hand = Literal["left", "right"]
Uses = Literal["nothing", "wheelchair", "pram", "trolley", "basket", "bag"]
ThingKind = Literal[
    "mannequin", "poster", "mirror", "trolley", "till", "basket", "pillar", "plinth", "plant", "screen"
]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Door(_Strict, frozen=True, forbid_unknown_fields=True):
    """An opening in a wall through which people come: front is y = 0, back is y = depth."""

    name: Name
    wall: Literal["front", "back", "left", "right"]
    from_m: Annotated[float, Meta(ge=0, description="where it begins along the wall")]
    to_m: Annotated[Positive, Meta(description="where it ends along the wall")]
    height_m: Annotated[float, Meta(gt=1.5, le=6)] = 2.3
    line_inside_m: Annotated[
        float, Meta(ge=0, le=3, description="how far within the wall the counting line lies")
    ] = 0.6


class Room(_Strict, frozen=True, forbid_unknown_fields=True):
    """A rectangular shop, its corner at (0, 0)."""

    size_m: Annotated[tuple[Positive, Positive], Meta(description="[width, depth]")]
    height_m: Annotated[float, Meta(ge=2.2, le=8)] = 3.2
    floor: Literal["plain", "tiles", "boards", "carpet"] = "tiles"
    floor_colour: Colour = (0.62, 0.6, 0.56)
    wall_colour: Colour = (0.74, 0.73, 0.7)
    light: Annotated[float, Meta(gt=0, le=3, description="brightness of the lamps, 1 is a usual shop")] = 1.0
    warmth: Annotated[float, Meta(ge=0, le=1, description="0 white, 1 warm")] = 0.4


class SceneZone(_Strict, frozen=True, forbid_unknown_fields=True):
    """A part of the floor."""

    name: Name
    polygon: Annotated[list[Point], Meta(min_length=3, max_length=64)]


class Garments(_Strict, frozen=True, forbid_unknown_fields=True):
    """What hangs or lies on a rack, numbered from 1; a prefix of EPC digits makes tags of them."""

    count: Annotated[int, Meta(ge=0, le=400)]
    prefix: Annotated[
        str, Meta(max_length=22, description="first hex digits of the tags' EPCs, or empty")
    ] = ""
    sku: Annotated[str, Meta(max_length=64)] = ""
    seed: Seed = 0


class SceneRack(_Strict, frozen=True, forbid_unknown_fields=True):
    """A clothes rail, a shelf or a table, its middle at `at`."""

    name: Name
    at: Point
    kind: Literal["rail", "shelf", "table"] = "rail"
    heading_deg: Annotated[float, Meta(description="direction of its length, 0 along x")] = 0.0
    length_m: Annotated[float, Meta(gt=0.2, le=8)] = 1.4
    height_m: Annotated[float, Meta(gt=0.3, le=2.6, description="of the rail or of the top")] = 1.45
    garments: Garments = Garments(0)

    def epcs(self) -> list[str]:
        """The tags' EPCs, in the order of the garments; empty without a prefix."""
        if not self.garments.prefix:
            return []
        digits = 24 - len(self.garments.prefix)
        return [f"{self.garments.prefix.lower()}{n + 1:0{digits}x}" for n in range(self.garments.count)]


class Prop(_Strict, frozen=True, forbid_unknown_fields=True):
    """Anything else that stands or hangs in the shop. `size_m` is width and height where it has a choice."""

    kind: ThingKind
    at: Point
    heading_deg: Annotated[float, Meta(description="where its front looks")] = 0.0
    base_m: Annotated[float, Meta(ge=0, le=5, description="of its lower edge above the floor")] = 0.0
    size_m: tuple[Positive, Positive] | None = None
    seed: Seed = 0


class PersonLook(_Strict, frozen=True, forbid_unknown_fields=True):
    """How a person looks; what is not said is drawn by the seed."""

    seed: Seed = 0
    years: Annotated[float, Meta(ge=4, le=90)] | None = None
    female: bool | None = None
    headscarf: bool = False
    dark: Annotated[bool, Meta(description="all clothes dark")] = False


class Walk(_Strict, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="walk"):
    """Walk through points, corners rounded."""

    to: Annotated[list[Point], Meta(min_length=1, max_length=64)]
    speed_mps: Annotated[float, Meta(ge=0.2, le=2.5)] = 1.1


class Stand(_Strict, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="stand"):
    """Stand, with the small motions of somebody who stands."""

    seconds: Seconds
    faces: Annotated[Point | None, Meta(description="a floor point to look at; empty: as before")] = None
    arms: Literal["hang", "crossed", "hips", "phone", "behind"] = "hang"
    bends: Annotated[Share, Meta(description="0 upright, 1 bent to the floor")] = 0.0


class Browse(_Strict, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="browse"):
    """A hand along the rack: garments are touched, none is turned over."""

    rack: Name
    seconds: Seconds
    hand: Hand = "right"


class Turn(_Strict, frozen=True, forbid_unknown_fields=True, tag_field="do", tag="turn"):
    """Take garment number `garment` (from 1) of a rack, look at it, put it back."""

    rack: Name
    garment: Annotated[int, Meta(ge=1)]
    seconds: Annotated[float, Meta(ge=2, le=60)]
    hand: Hand = "right"


Act: TypeAlias = Walk | Stand | Browse | Turn


class ScenePerson(_Strict, frozen=True, forbid_unknown_fields=True):
    """Somebody, from `enters_s` at `start` on, one act after another; gone after the last."""

    name: Name
    start: Point
    acts: Annotated[list[Act], Meta(min_length=1, max_length=200)]
    enters_s: Annotated[float, Meta(ge=0)] = 0.0
    faces: Annotated[Point | None, Meta(description="where the person looks at first")] = None
    look: PersonLook = PersonLook()
    uses: Uses = "nothing"


class Move(_Strict, frozen=True, forbid_unknown_fields=True):
    """From `at_s` on a camera hangs or looks elsewhere: it was bumped."""

    at_s: Annotated[float, Meta(ge=0)]
    at: Point3 | None = None
    looks_at: Point3 | None = None


class SceneCamera(_Strict, frozen=True, forbid_unknown_fields=True):
    """A camera and its lens: Brown's radial distortion, of which `k1` below 0 is a barrel."""

    name: Name
    at: Point3
    looks_at: Point3
    size: Annotated[tuple[int, int], Meta(description="[width, height] of the picture, px")] = (640, 384)
    hfov_deg: Annotated[float, Meta(ge=20, le=130, description="of the undistorted picture, across")] = 80.0
    k1: Annotated[float, Meta(ge=-0.5, le=0.5)] = 0.0
    k2: Annotated[float, Meta(ge=-0.5, le=0.5)] = 0.0
    noise: Annotated[
        float, Meta(ge=0, le=5, description="of its sensor; 1 is a cheap camera's in a shop")
    ] = 1.0
    moves: Annotated[list[Move], Meta(max_length=100)] = []


class SceneAntenna(_Strict, frozen=True, forbid_unknown_fields=True):
    """An RFID antenna at the ceiling, looking down."""

    port: Annotated[int, Meta(ge=1, le=64)]
    at: Point
    height_m: Annotated[float, Meta(gt=0, le=8)] = 2.6


class Scene(_Strict, frozen=True, forbid_unknown_fields=True):
    """A whole staged shop."""

    name: Name
    seconds: Annotated[Seconds, Meta(description="how long it lasts")]
    room: Room
    cameras: Annotated[list[SceneCamera], Meta(min_length=1, max_length=16)]
    fps: Annotated[float, Meta(gt=0, le=60)] = 10.0
    seed: Annotated[Seed, Meta(description="what is not said follows from it")] = 1
    doors: Annotated[list[Door], Meta(max_length=16)] = []
    zones: Annotated[list[SceneZone], Meta(max_length=64)] = []
    racks: Annotated[list[SceneRack], Meta(max_length=100)] = []
    things: Annotated[list[Prop], Meta(max_length=200)] = []
    people: Annotated[list[ScenePerson], Meta(max_length=100)] = []
    antennas: Annotated[list[SceneAntenna], Meta(max_length=64)] = []
    open_s: Annotated[
        list[tuple[float, float]],
        Meta(max_length=32, description="from when to when the shop is open; empty: all the time"),
    ] = []

    def is_open(self, time_s: float) -> bool:
        """Whether the shop is open; else the lamps are out and nobody is within."""
        return not self.open_s or any(from_s <= time_s < to_s for from_s, to_s in self.open_s)

    def rack(self, name: str) -> SceneRack:
        """The rack of that name."""
        return next(rack for rack in self.racks if rack.name == name)
