"""Between the supervisor and its children: health, peers, settings, the end."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from tagsight.redaction import redact


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
    "records" ([socket]: PersonsSeen, TagFlip, TagPresence, TagsRead or Committed, as they dictate), "console"
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
