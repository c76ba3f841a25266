"""The records that processes of the box send each other.

MessagePack (msgspec), one record a datagram, over inherited `SOCK_SEQPACKET` sockets; pixels never travel
this way. `time_s` is UTC seconds on the host's steady timeline (`runtime.clock`).

    camera <-> vision       FrameReady, FrameDone
    vision  -> store        PersonsSeen (FramesMissed the store makes itself, of the health of cameras)
    reader  -> store        TagFlip, TagPresence
    reader  -> console      ReaderHeard
    store   -> uplink       Committed
    store   -> console      Committed, FloorNow, CameraNow
    console -> store        WatchRequest
    console -> camera       FrameWanted, FrameDone, for FrameReady
    child   -> supervisor   Health
    console -> supervisor   ReloadWanted
    supervisor -> child     Attach, Detach, Configure, Stop; Health of the others to the store process
"""

from __future__ import annotations

import array
import socket
from collections.abc import Mapping
from enum import Enum

import msgspec

from tagsight.redaction import redact

MAX_RECORD_BYTES = 60_000
"""A larger record is a fault of the sender; datagrams of that size fit the default socket buffers."""

MAX_FDS = 4


class FrameReady(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Slot `slot` of the ring holds frame `sequence`; the reader owns it until it answers FrameDone."""

    slot: int
    sequence: int
    time_s: float


class FrameDone(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The reader is done with `slot`, which held frame `sequence`."""

    slot: int
    sequence: int


class FrameWanted(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A reader that is lent frames on request only asks for the next one."""


class Person(msgspec.Struct, frozen=True, array_like=True):
    """One tracked person in one frame.

    `box` is left, top, width, height in pixels of the frame; `floor_xy_m` is None where the foot point has
    no place on the floor plan; `handling` is the probability of handling goods, None if not judged;
    `outputs` are what other heads say of the person so far, by head. `looks` is how they look, where that is
    told: a vector of half floats, once a track and once more where it changes; it stays on the box.
    """

    track: int
    box: tuple[float, float, float, float]
    score: float
    floor_xy_m: tuple[float, float] | None
    handling: float | None = None
    outputs: dict[str, tuple[float, ...]] = {}
    looks: bytes = b""


class PersonsSeen(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What one analysed frame showed: confirmed persons only, and tracks that ended since the last frame.

    `others` are boxes where somebody may be: people not confirmed yet, or out of sight for a moment.
    A person who has just been confirmed may also be told as seen before: in records of their own with the
    `time_s` of those earlier frames, sent ahead of the frame's record.
    """

    camera: str
    sequence: int
    time_s: float
    persons: tuple[Person, ...]
    ended: tuple[int, ...] = ()
    others: tuple[tuple[float, float, float, float], ...] = ()


class FramesMissed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A camera could not be judged from `start_s` to `end_s`: unknown, not zero."""

    camera: str
    start_s: float
    end_s: float
    reason: str


class TagFlip(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A tag was turned over or picked between `start_s` and `end_s`; `score` is in 0..1."""

    reader: str
    antenna: int
    epc: str
    start_s: float
    end_s: float
    score: float


class TagPresence(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A tag was heard by an antenna from `first_s` to `last_s`; `gone` once it is no longer heard."""

    reader: str
    antenna: int
    epc: str
    first_s: float
    last_s: float
    reads: int
    gone: bool = False


class AntennaHeard(msgspec.Struct, frozen=True, array_like=True):
    """One antenna in the last `seconds` of its record: see `rfid_reader.survey.AntennaSurvey`."""

    port: int
    reads: int
    bands: tuple[int, int, int, int]
    tags: int
    louder_elsewhere: int = 0
    elsewhere: int = 0


class ReaderHeard(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What a reader's antennas have heard: `reads` are of `seconds`, tags of the last minutes.

    `shared` are tags that several antennas have: EPC, then port, reads and mean RSSI in dBm of each.
    `stock` is how many tags the store lists one by one, `stock_heard` how many tags of its stock are heard.
    """

    reader: str
    time_s: float
    seconds: float
    antennas: tuple[AntennaHeard, ...]
    tags: int = 0
    stock: int = 0
    stock_heard: int = 0
    shared: tuple[tuple[str, tuple[tuple[int, int, float], ...]], ...] = ()


class Committed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Events up to `seq` are durable in the outbox."""

    seq: int


class WatchRequest(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What the console wants to be told from now on: of people on the floor, and of these cameras' frames."""

    people: bool
    cameras: tuple[str, ...] = ()


class OnFloor(msgspec.Struct, frozen=True, array_like=True):
    """One visitor and where they are on the floor, metres."""

    visitor: str
    floor_xy_m: tuple[float, float]


class FloorNow(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Everybody who is on the floor."""

    time_s: float
    people: tuple[OnFloor, ...]


class InPicture(msgspec.Struct, frozen=True, array_like=True):
    """One person in a frame: `visitor` is empty where it is not known yet, `box` as that of `Person`."""

    visitor: str
    box: tuple[float, float, float, float]


class CameraNow(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Who is in frame `sequence` of a camera, and the boxes where others may be."""

    camera: str
    sequence: int
    time_s: float
    people: tuple[InPicture, ...]
    others: tuple[tuple[float, float, float, float], ...] = ()


class HealthState(str, Enum):
    """How a process is, in the words that health, log, systemd and page use. Words that are here stay."""

    STARTING = "starting"
    CONNECTING = "connecting"
    CONFIGURING = "configuring"
    LIVE = "live"
    OK = "ok"
    READING = "reading"
    WAITING = "waiting"
    STALLED = "stalled"
    STOPPED = "stopped"
    BLACK = "black"
    FROZEN = "frozen"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 (a state, not a secret)
    NO_SUCH_FILE = "no such file"
    TRUNCATED = "truncated"
    ENDED = "ended"
    RESOLUTION_CHANGED = "resolution changed"
    UNUSABLE = "unusable"
    DISCONNECTED = "disconnected"
    REFUSED = "refused"
    UNACKNOWLEDGED = "unacknowledged"
    DISK = "disk"
    NO_OUTBOX = "no outbox"
    NO_ENGINE = "no engine"
    ENGINE_FAILED = "engine failed"
    FAILED = "failed"
    RESTARTING = "restarting"
    DEGRADED = "degraded"

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        """As in a record that is printed: the word."""
        return repr(self.value)


class Health(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The state of one process. `progress_s` is the time of its last real progress (a frame, a keepalive).

    Secrets in `detail` are struck out: it goes into the log and to the cloud.
    """

    process: str
    state: HealthState
    time_s: float
    progress_s: float
    detail: str = ""
    values: Mapping[str, float] = {}
    drops: Mapping[str, int] = {}

    def __post_init__(self) -> None:
        if (shown := redact(self.detail)) != self.detail:
            msgspec.structs.force_setattr(self, "detail", shown)


class ReloadWanted(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The configuration file is another one: read it again, as on SIGHUP."""


class Attach(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A peer to talk to: `role` says what the accompanying descriptors are, `name` whose.

    Roles and descriptors: "frames" (camera's side: [socket]), "camera" (vision's side: [ring, socket]),
    "records" ([socket]: PersonsSeen, TagFlip, TagPresence or Committed, as the two ends dictate), "console"
    (the store's side of the console: [socket]), "frames on request" (as "frames", but each frame is asked
    for).
    """

    role: str
    name: str


class Detach(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The peer `name` of `role` is gone for now."""

    role: str
    name: str


class Configure(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Go on by the spec in the descriptor that comes along (`runtime.processes.spec`), and log so much.

    Only what a process can change while it runs is different in it; see `fixed` of its spec.
    """

    log_level: int


class Stop(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Drain and exit with 0."""


Message = (
    FrameReady
    | FrameDone
    | FrameWanted
    | PersonsSeen
    | FramesMissed
    | TagFlip
    | TagPresence
    | ReaderHeard
    | Committed
    | WatchRequest
    | FloorNow
    | CameraNow
    | Health
    | ReloadWanted
    | Attach
    | Detach
    | Configure
    | Stop
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


class PeerGone(Exception):
    """The other end of a record socket has closed."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected record sockets, inheritable by descriptor passing only."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def encode(message: Message) -> bytes:
    """The datagram for one message. Raises ValueError where it would exceed MAX_RECORD_BYTES."""
    data = _encoder.encode(message)
    if len(data) > MAX_RECORD_BYTES:
        raise ValueError(f"a {type(message).__name__} of {len(data)} bytes exceeds {MAX_RECORD_BYTES}")
    return data


def decode(data: bytes) -> Message:
    """The message in one datagram. Raises msgspec.DecodeError for anything else."""
    message: Message = _decoder.decode(data)
    return message


def send(sock: socket.socket, message: Message, fds: tuple[int, ...] = ()) -> None:
    """Send one message, with descriptors if given.

    Raises BlockingIOError where a non-blocking socket is full and PeerGone where the other end closed.
    """
    data = encode(message)
    try:
        if fds:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
            sock.sendmsg([data], [rights])
        else:
            sock.send(data)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise PeerGone from error


def receive(sock: socket.socket) -> tuple[Message, tuple[int, ...]]:
    """The next message and the descriptors that came with it.

    Raises BlockingIOError where nothing is waiting and PeerGone where the other end closed. Descriptors
    are close-on-exec and belong to the caller.
    """
    space = socket.CMSG_LEN(MAX_FDS * array.array("i").itemsize)
    try:
        data, ancillary, _, _ = sock.recvmsg(MAX_RECORD_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError as error:
        raise PeerGone from error
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    if not data:
        raise PeerGone
    return decode(data), tuple(fds)
