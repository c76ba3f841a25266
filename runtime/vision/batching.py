"""Which frames of which cameras the network works on next, and how often each camera gets its turn.

Frames are taken as they become ready: the first one waits a few milliseconds for company, then everything
that waits goes into one batch, those first whose camera has gone longest without (in units of its own
interval), so none starves. A camera has at most one frame waiting: a newer one takes its place.

When the cameras want more than the machine can do, their rates are lowered in this order: quiet cameras, then
busy ones, then quiet entrances, then busy entrances, each no further than its floor. If even the floors are
too much, the rates stay at the floors and frames are overtaken by newer ones instead. A camera has a share of
what it delivers: one that is silent has none, and has it again with its first frame.

Pure: time is an argument, in seconds of any steady clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runtime.vision.delivery import FrameDelivery

QUIET_AFTER_S = 5.0
"""A camera that has shown nobody for this long is quiet."""
TARGET_LOAD = 0.9
"""Share of the time the network may work before rates are lowered."""
COST_MEMORY = 0.1
"""Weight of the newest batch in the mean cost of a frame."""
EARLY_FRACTION = 0.25
"""At a lowered rate a frame may come this share of the interval before its turn: sources jitter."""
HEADROOM = 1.25
"""A camera may want this much more than it was found to deliver: sources speed up, and estimates sway."""


@dataclass(frozen=True)
class CameraPlan:
    """What a camera should get: frames a second wanted, and at least (of which it is never deprived)."""

    name: str
    wanted_fps: float
    floor_fps: float
    entrance: bool = False


@dataclass(frozen=True)
class BatchSettings:
    """How long the first frame waits for others, and how many go together."""

    gather_s: float = 0.004
    max_batch: int = 8


@dataclass(frozen=True)
class Demand:
    """What a camera can make use of when rates are allocated."""

    name: str
    wanted_fps: float
    floor_fps: float
    entrance: bool
    quiet: bool


def allocate_rates(capacity_fps: float, demands: Iterable[Demand]) -> dict[str, float]:
    """Frames a second for each camera, so that they sum to `capacity_fps` if the floors allow it."""
    demands = list(demands)
    rates = {each.name: each.wanted_fps for each in demands}
    excess = sum(rates.values()) - capacity_fps
    for entrance, quiet in ((False, True), (False, False), (True, True), (True, False)):
        group = [each for each in demands if (each.entrance, each.quiet) == (entrance, quiet)]
        spare = sum(max(0.0, each.wanted_fps - each.floor_fps) for each in group)
        if excess <= 0.0 or spare <= 0.0:
            continue
        share = min(1.0, excess / spare)
        for each in group:
            rates[each.name] -= share * max(0.0, each.wanted_fps - each.floor_fps)
        excess -= share * spare
    return rates


@dataclass
class _Camera:
    """What is remembered of one camera."""

    plan: CameraPlan
    delivery: FrameDelivery
    rate_fps: float
    usable_fps: float
    """What it could make use of: as wanted, but no more than it delivers."""
    occupied_s: float
    waiting_since_s: float | None = None
    served_s: float = float("-inf")
    turn: int = 0


class BatchPolicy:
    """Allocates the network's time. Frames stay with the caller: cameras are known by name only."""

    def __init__(self, settings: BatchSettings | None = None) -> None:
        self.settings = settings or BatchSettings()
        self.cost_s: float | None = None
        """Mean seconds a frame takes; None until the first batch is through."""
        self._cameras: dict[str, _Camera] = {}
        self._turns = 0
        self._last_event_s = float("-inf")
        """When cameras were polled last: while a batch is worked on, silence means nothing."""

    def add(self, plan: CameraPlan, now_s: float) -> None:
        """A camera takes part from now on (again, if it was there before)."""
        wanted_fps = plan.wanted_fps
        self._cameras[plan.name] = _Camera(
            plan, FrameDelivery(wanted_fps, now_s), wanted_fps, wanted_fps, occupied_s=now_s
        )
        self._allocate(now_s)

    def remove(self, name: str, now_s: float) -> None:
        """A camera is gone, and its waiting frame with it."""
        self._cameras.pop(name, None)
        self._allocate(now_s)

    @property
    def rates_fps(self) -> Mapping[str, float]:
        """The rate each camera is allowed now; 0 while it is silent and others are not."""
        return {name: camera.rate_fps for name, camera in self._cameras.items()}

    def delivered_fps(self, name: str, now_s: float) -> float | None:
        """Frames a second that a camera brings, analysed or not; None while that is not known."""
        return self._cameras[name].delivery.rate_fps(now_s)

    def is_due(self, name: str, now_s: float) -> bool:
        """Whether a frame that came should be offered; if not, it is given back, and counts as delivered."""
        camera = self._cameras[name]
        if camera.rate_fps >= camera.usable_fps or camera.delivery.is_silent(now_s):
            return True
        if camera.rate_fps > 0.0:
            interval_s = 1.0 / camera.rate_fps
            if now_s - camera.served_s >= interval_s * (1.0 - EARLY_FRACTION):
                return True
        self._arrived(camera, 1, now_s)
        return False

    def offer(self, name: str, now_s: float) -> None:
        """A frame of this camera waits; it takes the place of an older one, and that one's age."""
        camera = self._cameras[name]
        self._arrived(camera, 1, now_s)
        if camera.waiting_since_s is None:
            camera.waiting_since_s = now_s

    def missed(self, name: str, frames: int, now_s: float) -> None:
        """So many frames of this camera came while everything it may lend was lent."""
        self._arrived(self._cameras[name], frames, now_s)

    def take(self, now_s: float) -> list[str]:
        """The cameras whose waiting frames are to be worked on now, most urgent first; empty: wait on."""
        self._last_event_s = now_s
        waiting = [camera for camera in self._cameras.values() if camera.waiting_since_s is not None]
        if not waiting or not self._gathered(waiting, now_s):
            return []
        waiting.sort(key=lambda camera: (-self._urgency(camera, now_s), camera.turn))
        batch = waiting[: self.settings.max_batch]
        for camera in batch:
            camera.waiting_since_s = None
            camera.served_s = now_s
            self._turns += 1
            camera.turn = self._turns
        return [camera.plan.name for camera in batch]

    def wait_s(self, now_s: float) -> float | None:
        """How long `take` may be put off; None while nothing waits."""
        since = [c.waiting_since_s for c in self._cameras.values() if c.waiting_since_s is not None]
        if not since:
            return None
        enough = len(since) >= min(self._expected(now_s), self.settings.max_batch)
        return 0.0 if enough else max(0.0, min(since) + self.settings.gather_s - now_s)

    def batch_finished(self, frames: int, busy_s: float, now_s: float) -> None:
        """A batch of so many frames took `busy_s` from letterbox to tracking: rates are allocated again."""
        cost_s = busy_s / frames
        self.cost_s = cost_s if self.cost_s is None else self.cost_s + COST_MEMORY * (cost_s - self.cost_s)
        self._allocate(now_s)

    def note_persons(self, name: str, persons: int, now_s: float) -> None:
        """How many people a frame of this camera showed."""
        if persons and name in self._cameras:
            self._cameras[name].occupied_s = now_s

    def _gathered(self, waiting: Sequence[_Camera], now_s: float) -> bool:
        if len(waiting) >= min(self._expected(now_s), self.settings.max_batch):
            return True
        first_s = min(c.waiting_since_s for c in waiting if c.waiting_since_s is not None)
        return now_s - first_s >= self.settings.gather_s

    def _expected(self, now_s: float) -> int:
        """How many cameras may have a frame soon."""
        return sum(not camera.delivery.is_silent(now_s) for camera in self._cameras.values())

    def _arrived(self, camera: _Camera, frames: int, now_s: float) -> None:
        self._last_event_s = max(self._last_event_s, now_s)
        camera.delivery.arrived(now_s, frames)
        if camera.rate_fps <= 0.0:
            self._allocate(now_s)

    @staticmethod
    def _urgency(camera: _Camera, now_s: float) -> float:
        """How many of its own intervals ago a camera was served, rounded so that equals take turns."""
        if camera.served_s == float("-inf"):
            return float("inf")
        return round((now_s - camera.served_s) * camera.rate_fps, 6)

    def _allocate(self, now_s: float) -> None:
        if not self.cost_s:
            return
        last_event_s = self._last_event_s
        delivering = [each for each in self._cameras.values() if each.delivery.is_delivering(last_event_s)]
        for camera in self._cameras.values():
            camera.rate_fps = 0.0
        delivering = delivering or list(self._cameras.values())
        for camera in delivering:
            rate_fps = camera.delivery.rate_fps(last_event_s)
            camera.usable_fps = camera.plan.wanted_fps
            if rate_fps is not None:
                camera.usable_fps = min(camera.usable_fps, HEADROOM * rate_fps)
        demands = [
            Demand(
                camera.plan.name,
                camera.usable_fps,
                min(camera.plan.floor_fps, camera.usable_fps),
                camera.plan.entrance,
                quiet=now_s - camera.occupied_s >= QUIET_AFTER_S,
            )
            for camera in delivering
        ]
        for name, rate_fps in allocate_rates(TARGET_LOAD / self.cost_s, demands).items():
            self._cameras[name].rate_fps = rate_fps
