"""What a store is: the keys of `store.yaml` as plain declarations.

Field names are the YAML keys. Lengths are metres on the store's floor, times are seconds unless the name says
otherwise. Paths are absolute once a file has been loaded. The descriptions are printed by
`tagsight config schema` and the limits are enforced by `runtime.config.decode`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from runtime.geometry import polygon_centre

MAX_CAMERAS = 64
MAX_READERS = 16
MAX_ZONES = 256
MAX_FIXTURES = 1_000
MAX_POLYGON_POINTS = 200

WORD = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
LABEL = r"^\w[\w .,&()/-]{0,63}$"

Word = Annotated[
    str, Meta(pattern=WORD, description="a name of letters, digits, '-', '_' and '.', at most 64")
]
Label = Annotated[
    str, Meta(pattern=LABEL, description="a name of at most 64 letters, digits, spaces and .,&()/-")
]
FloorPoint = Annotated[tuple[float, float], Meta(description="[x, y] on the floor in metres")]
ImagePoint = Annotated[tuple[float, float], Meta(description="[u, v] in the picture in pixels")]
Polygon = Annotated[
    list[FloorPoint],
    Meta(min_length=3, max_length=MAX_POLYGON_POINTS, description="corners in order, in metres on the floor"),
]
Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping in `store.yaml`: unknown keys are mistakes."""


class Site(Section, frozen=True, kw_only=True):
    """Which store this is (`name`) and which box in it (`device`): both appear in topics and events."""

    name: Word
    device: Word
    timezone: Annotated[
        str, Meta(description="IANA name such as Asia/Shanghai: days begin at its midnight")
    ] = "UTC"


class FloorPlan(Section, frozen=True, kw_only=True):
    """The store's floor in metres. x grows to the right of the drawing and y grows downwards.

    `extent_m` is always known after loading: given, or found from the drawing's size and its scale.
    """

    image: Annotated[Path | None, Meta(description="drawing or picture of the floor (PNG or JPEG)")] = None
    scale_px_per_m: Annotated[
        Annotated[float, Meta(gt=0, le=100_000)] | None,
        Meta(description="pixels of the drawing in a metre; its top left is [0, 0]"),
    ] = None
    extent_m: Annotated[
        tuple[float, float, float, float] | None,
        Meta(description="[x0, y0, x1, y1]: the floor's edges, x0 < x1 and y0 < y1"),
    ] = None
    grid_m: Annotated[float, Meta(ge=0.1, le=20, description="side of a heatmap cell in metres")] = 1.0

    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom edge in metres. ValueError for a plan that `load` did not complete."""
        if self.extent_m is None:
            raise ValueError("this floor plan has no extent_m")
        return self.extent_m


class PointPair(Section, frozen=True, kw_only=True):
    """One place seen in the picture whose position on the floor was measured."""

    image: ImagePoint
    floor: FloorPoint


class Camera(Section, frozen=True, kw_only=True):
    """One camera: where its picture comes from and how the picture lies on the floor."""

    name: Label
    uri: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2_000,
            description="a file, file:PATH?loop=1&pace=real, rtsp://host/path, v4l2:/dev/video0 or csi:0",
        ),
    ]
    username: Annotated[
        Annotated[str, Meta(min_length=1)] | None, Meta(description="name to log in with (rtsp)")
    ] = None
    password_file: Annotated[
        Path | None, Meta(description="file that holds the password, readable by the service only")
    ] = None
    analysis_fps: Annotated[
        float, Meta(ge=0.2, le=60, description="pictures a second to look for persons in")
    ] = 10.0
    max_size: Annotated[
        tuple[Annotated[int, Meta(ge=64, le=7_680)], Annotated[int, Meta(ge=64, le=4_320)]],
        Meta(description="[width, height]: larger pictures are scaled down to fit"),
    ] = (1920, 1080)
    image_size: Annotated[
        tuple[Annotated[int, Meta(ge=64, le=16_384)], Annotated[int, Meta(ge=64, le=16_384)]] | None,
        Meta(description="[width, height] of the picture that homography or points were measured on"),
    ] = None
    homography: Annotated[
        Matrix | None, Meta(description="3 x 3, row by row: picture (pixels) to floor (metres)")
    ] = None
    points: Annotated[
        list[PointPair], Meta(max_length=500, description="at least 4 measured places; instead of homography")
    ] = []
    entrance: Annotated[bool, Meta(description="watches an entrance: its analysis rate is lowered last")] = (
        False
    )


class Entrance(Section, frozen=True, kw_only=True):
    """A line on the floor that people cross to come in or go out."""

    name: Label
    line: Annotated[
        tuple[FloorPoint, FloorPoint], Meta(description="[[x, y], [x, y]]: the two ends, in metres")
    ]
    inside: Annotated[FloorPoint, Meta(description="[x, y] of any place on the store's side of the line")]
    cameras: Annotated[
        list[str], Meta(description="cameras that count here; empty: every camera with a floor")
    ] = []


class Zone(Section, frozen=True, kw_only=True):
    """An area of the floor in which dwell, flow and heat are counted."""

    name: Label
    polygon: Polygon
    kind: Annotated[
        Literal["area", "fitting_room"], Meta(description="fitting_room: tags here are tried on")
    ] = "area"


class Sku(Section, frozen=True, kw_only=True):
    """An article and the tags that are sewn into it."""

    sku: Annotated[
        str, Meta(min_length=1, max_length=64, description="the article's number in the store's own table")
    ]
    epcs: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=124)]],
        Meta(min_length=1, description="EPCs in hex, or patterns with * for any digits"),
    ]


class Fixture(Section, frozen=True, kw_only=True):
    """A rack or a fitting room, and the articles on it."""

    name: Label
    kind: Annotated[Literal["rack", "fitting_room"], Meta(description="what stands there")] = "rack"
    at: Annotated[FloorPoint | None, Meta(description="[x, y] of its centre; or give polygon")] = None
    polygon: Annotated[Polygon | None, Meta(description="its corners in order, in metres; or give at")] = None
    skus: Annotated[list[Sku], Meta(max_length=10_000, description="the articles on it")] = []

    def centre(self) -> tuple[float, float]:
        """Where it stands, in metres: `at`, or the centroid of its polygon."""
        if self.at is not None:
            return self.at
        if self.polygon is None:
            raise ValueError(f"fixture {self.name} has neither at nor polygon")
        return polygon_centre(self.polygon)


class Antenna(Section, frozen=True, kw_only=True):
    """One antenna of a reader and what it covers."""

    port: Annotated[int, Meta(ge=1, le=64, description="the reader's antenna port, from 1")]
    name: Label
    at: Annotated[FloorPoint | None, Meta(description="[x, y] of the antenna in metres")] = None
    zone: Annotated[str | None, Meta(description="the zone it covers")] = None
    fixture: Annotated[str | None, Meta(description="the rack or fitting room it covers")] = None
    power_dbm: Annotated[
        Annotated[float, Meta(ge=0, le=36)] | None,
        Meta(description="transmit power; empty: the reader's own"),
    ] = None


class Reader(Section, frozen=True, kw_only=True):
    """One RFID reader, spoken to by LLRP."""

    name: Label
    host: Annotated[str, Meta(min_length=1, max_length=253, description="address or name of the reader")]
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)] | None, Meta(description="empty: 5084, or 5085 with tls")
    ] = None
    tls: Annotated[bool, Meta(description="speak LLRP over TLS")] = False
    tls_ca: Annotated[
        Path | None, Meta(description="PEM file that vouches for the reader; empty: the system's")
    ] = None
    antennas: Annotated[list[Antenna], Meta(min_length=1, max_length=64, description="its antennas")]
    session: Annotated[int, Meta(ge=0, le=3, description="Gen2 session")] = 1
    mode: Annotated[
        Annotated[int, Meta(ge=0, le=65_535)] | None,
        Meta(description="RF mode index; empty: the reader's own"),
    ] = None
    search_mode: Annotated[
        Literal["reader_selected", "single_target", "dual_target", "single_target_suppression"],
        Meta(description="Impinj inventory search mode"),
    ] = "dual_target"
    population: Annotated[int, Meta(ge=1, le=65_535, description="tags expected in the field")] = 32
    detector: Annotated[
        Literal["production", "js", "raw"],
        Meta(description="how flips are found; js is the published method and raw a baseline, to compare"),
    ] = "production"
    calibration: Annotated[Path | None, Meta(description="file written by tagsight calibrate antenna")] = None

    def tcp_port(self) -> int:
        """The port to connect to: given, or the one registered for LLRP with or without TLS."""
        return self.port if self.port is not None else (5085 if self.tls else 5084)


class Engines(Section, frozen=True, kw_only=True):
    """The networks and what runs them."""

    detector: Annotated[
        str, Meta(min_length=1, description="name in tagsight engines list, or an .onnx file")
    ] = "person-detector-lite"
    input_size: Annotated[
        tuple[Annotated[int, Meta(ge=32, le=4_096)], Annotated[int, Meta(ge=32, le=4_096)]] | None,
        Meta(description="[width, height] of the network's input, multiples of 32; empty: from the pictures"),
    ] = None
    backend: Annotated[
        Literal["auto", "openvino", "onnxruntime"], Meta(description="auto: the fastest one here")
    ] = "auto"
    threads: Annotated[int, Meta(ge=0, le=256, description="CPU threads; 0: all")] = 0
    score: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="least score of a box; empty: the engine's own"),
    ] = None
    appearance: Annotated[
        str,
        Meta(
            min_length=1,
            description="what the tracker tells people apart by beside their places: none, colours, or a "
            "re-identification network (person-reid, an .onnx file); a network costs 1 to 2 ms a person",
        ),
    ] = "none"
    action: Annotated[
        str,
        Meta(
            min_length=1,
            description="network that judges who handles goods, for the matching of flips: none, "
            "person-action or an .onnx file; costs 1 to 2 ms a person and frame",
        ),
    ] = "none"


class Tls(Section, frozen=True, kw_only=True):
    """Files for a TLS connection, PEM."""

    ca: Annotated[Path | None, Meta(description="certificate authority; empty: the system's own")] = None
    cert: Annotated[Path | None, Meta(description="this device's certificate")] = None
    key: Annotated[Path | None, Meta(description="the certificate's private key")] = None


class Uplink(Section, frozen=True, kw_only=True):
    """The broker that events go to, and the outbox that keeps them until they are there."""

    host: Annotated[str, Meta(min_length=1, max_length=253, description="address or name of the broker")] = (
        "localhost"
    )
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)] | None, Meta(description="empty: 1883, or 8883 with tls")
    ] = None
    tls: Annotated[
        bool | Tls, Meta(description="false, true (the system's authorities), or {ca, cert, key}")
    ] = False
    username: Annotated[
        Annotated[str, Meta(min_length=1)] | None, Meta(description="name to log in with")
    ] = None
    password_file: Annotated[
        Path | None, Meta(description="file of the password, readable by the service only")
    ] = None
    protocol: Annotated[Literal[5, 311], Meta(description="MQTT 5, or 311 for MQTT 3.1.1")] = 5
    trust_broker: Annotated[
        bool,
        Meta(
            description="false: an event is kept until the cloud acknowledges it; true: until the broker does"
        ),
    ] = False
    outbox: Annotated[Path | None, Meta(description="SQLite file; empty: outbox.db in state_dir")] = None
    max_mb: Annotated[int, Meta(ge=1, le=1_000_000, description="the outbox's size limit")] = 512
    group_events: Annotated[
        int,
        Meta(ge=1, le=10_000, description="events that share a write to the disk; 1: each has its own"),
    ] = 256
    group_ms: Annotated[
        float, Meta(ge=0, le=1_000, description="how long the first of a group waits for others")
    ] = 20.0

    def tcp_port(self) -> int:
        """The port to connect to: given, or the one registered for MQTT with or without TLS."""
        return self.port if self.port is not None else (8883 if self.tls else 1883)


class Retention(Section, frozen=True, kw_only=True):
    """How long what is kept."""

    visitor_hours: Annotated[
        float, Meta(gt=0, le=24, description="how long an anonymous visitor is remembered")
    ] = 12.0
    events_days: Annotated[
        float, Meta(gt=0, le=366, description="how long sent events stay in the outbox")
    ] = 7.0


class Intervals(Section, frozen=True, kw_only=True):
    """How often each count is reported, in seconds."""

    footfall_s: Annotated[float, Meta(ge=1, le=86_400, description="entrance counts")] = 60.0
    heatmap_s: Annotated[float, Meta(ge=1, le=86_400, description="person-seconds on the floor")] = 300.0
    flow_s: Annotated[float, Meta(ge=1, le=86_400, description="walks between zones")] = 300.0
    health_s: Annotated[float, Meta(ge=1, le=3_600, description="the state of every process")] = 10.0


class Log(Section, frozen=True, kw_only=True):
    """What the daemon says in the journal."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="the least severe messages that are logged"),
    ] = "info"


class StoreConfig(Section, frozen=True, kw_only=True):
    """One store, one box: everything `tagsight run` needs to know."""

    site: Site
    floor: FloorPlan
    cameras: Annotated[list[Camera], Meta(max_length=MAX_CAMERAS, description="the cameras of this box")] = []
    entrances: Annotated[
        list[Entrance], Meta(max_length=MAX_ZONES, description="lines people are counted at")
    ] = []
    zones: Annotated[list[Zone], Meta(max_length=MAX_ZONES, description="areas of dwell, flow and heat")] = []
    fixtures: Annotated[
        list[Fixture], Meta(max_length=MAX_FIXTURES, description="racks and fitting rooms")
    ] = []
    readers: Annotated[
        list[Reader], Meta(max_length=MAX_READERS, description="the RFID readers of this box")
    ] = []
    engines: Engines = Engines()
    uplink: Uplink = Uplink()
    retention: Retention = Retention()
    intervals: Intervals = Intervals()
    log: Log = Log()
    state_dir: Annotated[Path, Meta(description="where the outbox and other state live")] = field(
        default_factory=lambda: Path("state")
    )

    def outbox_path(self) -> Path:
        """The outbox's file: `uplink.outbox`, or `outbox.db` in the state folder."""
        return self.uplink.outbox if self.uplink.outbox is not None else self.state_dir / "outbox.db"
