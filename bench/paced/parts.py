"""CPU time by part of a frame's way, measured within the daemon's processes.

`install` makes each process, when it begins, wrap the methods of `METHODS`, so that they add the CPU time
their thread takes in them to their part; what a wrapped method calls that is wrapped too counts for the inner
part alone. Each process writes down once a second what it has taken since it began. The network runs in
threads of its back end: in the vision process, what the Python thread does not take is the network's.
"""

from __future__ import annotations

import functools
import importlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from runtime.processes.service import Service

FOLDER = "TAGSIGHT_BENCH_PARTS"
"""Environment variable: where the processes write."""
NETWORK = "network"
REST = "rest"
WRITE_EVERY_S = 1.0

Seconds = dict[str, float]

METHODS = {
    "camera": {
        "runtime.frames.video.demux:VideoReader._take_apart": "receive",
        "runtime.frames.video.demux:VideoReader.read": "decode",
        "runtime.frames.video.demux:VideoReader.pixels": "colour",
        "runtime.frames.live.source_clock:SourceClock.host_time": "stamps",
        "runtime.frames.capture.watch:FrameWatch.look": "black or frozen",
        "runtime.frames.ring.lending:LeasedRing.take": "ring",
        "runtime.frames.ring.lending:LeasedRing.lend": "ring",
        "runtime.frames.ring.lending:FrameLender.take_back": "ring",
        "runtime.processes.camera:CameraProcess.report": "health",
    },
    "vision": {
        "runtime.frames.ring.lending:FrameConsumer.receive": "ring",
        "runtime.frames.ring.lending:FrameConsumer.give_back": "ring",
        "engines.inference.preprocess:Canvas.letterbox": "resize",
        "engines.inference.detector:PersonDetector.begin": NETWORK,
        "engines.inference.detector:PersonDetector.detect_batch": NETWORK,
        "engines.inference.detector:PersonDetector.finish": "boxes",
        "runtime.vision.track.watch:SceneWatch.see": "track",
        "runtime.vision.track.watch:SceneWatch.follow": "track",
        "runtime.vision.track.watch:SceneWatch.wants": "change",
        "runtime.vision.track.liveliness:Liveliness.look": "change",
        "runtime.vision.track.liveliness:Look.shares": "change",
        "runtime.vision.camera_tracker:CameraTracker._reported": "records",
        "runtime.processes.record_sender:RecordSender.flush": "records",
        "runtime.processes.service:Service.report": "health",
    },
    "store": {
        "runtime.store.behaviour:Behaviour.persons": "people and counts",
        "runtime.store.behaviour:Behaviour.advance": "people and counts",
        "runtime.processes.store:StoreProcess._keep": "outbox",
        "runtime.processes.store:StoreProcess._announce_committed": "outbox",
        "runtime.uplink.outbox.writer:Outbox._do_a_round": "outbox",
        "runtime.messages:receive": "records",
        "runtime.processes.service:Service.report": "health",
    },
}
"""Kind of process -> module and method (or function) -> part."""


class PartMeter:
    """CPU seconds by part, of all threads that come through wrapped methods."""

    def __init__(self) -> None:
        self._of_threads: list[Seconds] = []
        self._local = threading.local()

    def taken_s(self) -> Seconds:
        """By part, so far."""
        return added(self._of_threads)

    def wrapped(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """The same method, whose time counts for that part, less that of wrapped methods it calls."""
        local, clock = self._local, time.thread_time

        @functools.wraps(method)
        def measured(*args: Any, **kwargs: Any) -> Any:
            try:
                outer_s, local.inner_s = local.inner_s, 0.0
            except AttributeError:
                outer_s, local.inner_s, local.taken_s = 0.0, 0.0, defaultdict(float)
                self._of_threads.append(local.taken_s)
            start_s = clock()
            try:
                return method(*args, **kwargs)
            finally:
                whole_s = clock() - start_s
                local.taken_s[part] += whole_s - local.inner_s
                local.inner_s = outer_s + whole_s

        return measured


def wrap(meter: PartMeter, methods: dict[str, str]) -> None:
    """Wrap the methods. Raises AttributeError and ImportError where one is not there."""
    for place, part in methods.items():
        owner, name = resolved(place)
        setattr(owner, name, meter.wrapped(part, getattr(owner, name)))


def resolved(place: str) -> tuple[Any, str]:
    """The class (or module) and its method that a key of `METHODS` names."""
    module, _, path = place.partition(":")
    owner_name, _, name = path.rpartition(".")
    owner = importlib.import_module(module)
    return getattr(owner, owner_name) if owner_name else owner, name


def install() -> None:
    """Let every process that begins from now on, in this process or a fork of it, be measured."""
    begin, meter = Service.__init__, PartMeter()

    @functools.wraps(begin)
    def begun(self: Service, control: Any, name: str, spec: Any) -> None:
        kind = name.partition(":")[0]
        wrap(meter, METHODS.get(kind, {}))
        begin(self, control, name, spec)
        self.every(WRITE_EVERY_S, functools.partial(_write, kind, meter))

    Service.__init__ = begun  # type: ignore[method-assign]


def _write(kind: str, meter: PartMeter) -> None:
    taken_s = meter.taken_s()
    if kind == "vision":
        taken_s[NETWORK] = taken_s.get(NETWORK, 0.0) + time.process_time() - time.thread_time()
    path = Path(os.environ[FOLDER]) / f"{kind}-{os.getpid()}.json"
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(taken_s))
    beside.replace(path)


def rest_added(of_kinds: Seconds, parts: dict[str, Seconds]) -> dict[str, Seconds]:
    """The parts of each kind of process, and what of its time is in none of them; largest first."""
    found = {}
    for kind, seconds in of_kinds.items():
        named = parts.get(kind, {})
        named = {**named, REST: max(0.0, seconds - sum(named.values()))}
        found[kind] = dict(sorted(named.items(), key=lambda item: -item[1]))
    return found


def read(folder: Path) -> dict[str, Seconds]:
    """Seconds so far, by kind of process and part."""
    found: defaultdict[str, list[Seconds]] = defaultdict(list)
    for path in folder.glob("*.json"):
        found[path.stem.rpartition("-")[0]].append(msgspec.json.decode(path.read_bytes(), type=Seconds))
    return {kind: added(processes) for kind, processes in found.items()}


def added(several: Iterable[Seconds]) -> Seconds:
    """The sums by part."""
    sums: defaultdict[str, float] = defaultdict(float)
    for one in several:
        for part, seconds in one.items():
            sums[part] += seconds
    return dict(sums)


def since(first: Seconds, last: Seconds) -> Seconds:
    """What was added from one reading to a later one."""
    return {part: seconds - first.get(part, 0.0) for part, seconds in last.items()}
