"""How many cameras this machine carries, and whether the configured store fits; for `tagsight doctor`.

A camera costs the decoding of its stream on one core and inference, with all cores, at the
frames that are analysed. What a store's cameras would get is allocated as the vision process does it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import msgspec

from runtime.config import Camera, Engines
from runtime.doctor.findings import Finding
from runtime.doctor.speed import FRAME_WH, Speed, SpeedRequest
from runtime.vision.batching import TARGET_LOAD, Demand, allocate_rates
from runtime.vision.camera_spec import TrackedCamera
from runtime.vision.overload import AnalysisRate, overload_summary
from tagsight.errors import TagsightError

SUBJECT = "capacity"
MEASURED_S = 3.0
READY_SHARE = 0.5
"""At most this share of the time allowed is measured; the rest is for getting ready."""
RATES_FPS = (5, 10, 15)
STREAM_FPS = 25.0
"""What a camera is taken to send: store.yaml does not say."""
REMEDY = "lower analysis_fps or the detector's size (engines.input_size), or choose a lighter detector"
SLACK = 0.98
"""A rate this near to what is wanted is met."""


class CameraFit(msgspec.Struct, frozen=True):
    """What the configured cameras want, and would get with everybody busy, frames a second."""

    cameras: int
    wanted_per_s: float
    managed_per_s: dict[str, float]
    fits: bool


class Capacity(msgspec.Struct, frozen=True):
    """What this machine carries; the `capacity` of `tagsight doctor --json`.

    `cameras` has, by frames analysed a second ("5", "10", "15"), how many cameras of `picture` that send
    `stream_fps` are carried. `store` is None without a configuration. `decoded_per_s` is of one core, None
    where decoding was not measured; it is not counted then.
    """

    detector: str
    way: str
    input: tuple[int, int]
    cores: int
    picture: tuple[int, int]
    stream_fps: float
    looked_at_per_s: float
    decoded_per_s: float | None
    cameras: dict[str, int]
    store: CameraFit | None = None


class NotMeasured(TagsightError):
    """Why there is no figure."""


def measured_speed(engines: Engines, limit_s: float) -> Speed:
    """What `runtime.doctor.speed` measures within the limit. Raises NotMeasured."""
    request = SpeedRequest(engines, min(MEASURED_S, READY_SHARE * limit_s))
    command = [sys.executable, "-m", "runtime.doctor.speed"]
    try:
        answer = subprocess.run(  # noqa: S603
            command, input=msgspec.json.encode(request), capture_output=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotMeasured(f"no figure within {limit_s:g} s") from error
    except OSError as error:
        raise NotMeasured(str(error)) from error
    try:
        return msgspec.json.decode(answer.stdout, type=Speed)
    except msgspec.DecodeError as error:
        stderr_lines = answer.stderr.decode(errors="replace").strip().splitlines()
        raise NotMeasured(
            stderr_lines[-1] if stderr_lines else f"it ended with {answer.returncode}"
        ) from error


def capacity_of(speed: Speed, engines: Engines, cameras: Sequence[Camera] | None = None) -> Capacity:
    """What a machine of that speed carries, and of those cameras if given."""
    return Capacity(
        detector=engines.detector,
        way=speed.way,
        input=speed.input_wh,
        cores=speed.cores,
        picture=FRAME_WH,
        stream_fps=STREAM_FPS,
        looked_at_per_s=round(speed.looked_at_per_s, 1),
        decoded_per_s=None if speed.decoded_per_s is None else round(speed.decoded_per_s, 1),
        cameras={str(fps): _carried(speed, fps) for fps in RATES_FPS},
        store=None if cameras is None else _fit(speed, cameras),
    )


def _decoding_share(speed: Speed) -> float:
    """The share of the machine that decoding one camera's stream takes."""
    return 0.0 if speed.decoded_per_s is None else STREAM_FPS / (speed.decoded_per_s * speed.cores)


def _carried(speed: Speed, fps: float) -> int:
    return int(TARGET_LOAD / (fps / speed.looked_at_per_s + _decoding_share(speed)) + 1e-9)


def _fit(speed: Speed, cameras: Sequence[Camera]) -> CameraFit:
    plans = [TrackedCamera.of(camera).plan() for camera in cameras]
    demands = [
        Demand(plan.name, plan.wanted_fps, plan.floor_fps, plan.entrance, quiet=False) for plan in plans
    ]
    left = max(0.0, TARGET_LOAD - len(cameras) * _decoding_share(speed))
    rates = allocate_rates(left * speed.looked_at_per_s, demands)
    wanted = sum(plan.wanted_fps for plan in plans)
    # Where even the floors are too much, frames of all are overtaken alike.
    over = max(1.0, sum(rates.values()) / max(left * speed.looked_at_per_s, 1e-6))
    managed = {name: rate_fps / over for name, rate_fps in rates.items()}
    return CameraFit(
        cameras=len(plans),
        wanted_per_s=round(wanted, 2),
        managed_per_s={name: round(rate_fps, 2) for name, rate_fps in managed.items()},
        fits=all(managed[plan.name] >= SLACK * plan.wanted_fps for plan in plans),
    )


def finding_of(capacity: Capacity, cameras: Sequence[Camera] | None = None) -> Finding:
    """The capacity in words."""
    carried = ", ".join(f"{count} at {fps}" for fps, count in capacity.cameras.items())
    size = "{} x {}".format(*capacity.picture)
    found = (
        f"{capacity.looked_at_per_s:.0f} frames a second looked at by {capacity.detector}; "
        f"{size} cameras carried, by frames a second: {carried}"
    )
    if _is_busy(capacity.cores):
        found += " (measured while other programs were busy)"
    fit = capacity.store
    if fit is None:
        return Finding("ok", found, subject=SUBJECT)
    if fit.fits:
        found += f"; the store's {fit.cameras} want {fit.wanted_per_s:g} in all, which fits"
        return Finding("ok", found, subject=SUBJECT)
    wanted = {camera.name: camera.analysis_fps for camera in cameras or ()}
    behind = {
        name: AnalysisRate(rate_fps, wanted[name])
        for name, rate_fps in fit.managed_per_s.items()
        if rate_fps < SLACK * wanted[name]
    }
    return Finding("weak", f"{overload_summary(behind)}; {found}", REMEDY, SUBJECT)


def _is_busy(cores: int) -> bool:
    try:
        return os.getloadavg()[0] > 0.5 * cores
    except OSError:
        return False


def measure_capacity(
    engines: Engines,
    cameras: Sequence[Camera] | None,
    limit_s: float,
    measured: Callable[[Engines, float], Speed] = measured_speed,
) -> tuple[Finding, Capacity | None]:
    """Measure, and judge. What cannot be measured is no fault of the machine's."""
    try:
        capacity = capacity_of(measured(engines, limit_s), engines, cameras)
    except NotMeasured as error:
        return Finding("absent", f"not measured: {error}", subject=SUBJECT), None
    return finding_of(capacity, cameras), capacity
