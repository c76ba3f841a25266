"""The reader process: one RFID reader's session in, flips and presence out.

The session has a thread of its own (`rfid_reader.session`); reads come from it through a bounded queue.
Flips go to the store process over the socket that comes with `Attach("records", "store")`, and wait for it
while the store process is being restarted.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import re
import select
import socket
import time
from pathlib import Path

import msgspec
from msgspec.structs import replace

from rfid_reader.antenna_calibration import load_calibration
from rfid_reader.flips import Flip
from rfid_reader.health import figures
from rfid_reader.presence import FittingRooms, Presence
from rfid_reader.reads import ReadTable
from rfid_reader.session import ReaderSession
from rfid_reader.stock import StockTags, digests_of
from rfid_reader.tuned_detector import detector_for
from runtime.clock import HostClock
from runtime.config import Reader, StoreConfig
from runtime.config.epcs import canonical
from runtime.messages import Attach, Configure, Detach, Health, Message, TagFlip, TagPresence
from runtime.processes.control import ControlLine
from runtime.processes.crowd import Crowd
from runtime.processes.handover import take_up
from runtime.processes.outbound import RecordSender
from runtime.reader_settings import settings_of

MAX_BATCHES = 256
"""Batches of reads waiting to be judged; what comes on top is dropped and counted."""
HEALTH_EVERY_S = 1.0
ADVANCE_EVERY_S = 0.25
LEAVE_S = 1.5
"""How long the session may take to say goodbye; the reads it hears until then are judged."""

log = logging.getLogger(__name__)
_latest_stock: list[tuple[StoreConfig, tuple[bytes, tuple[str, ...]]]] = []


class ReaderSpec(msgspec.Struct, frozen=True):
    """What a reader process is started with. `rooms` are the antenna ports that cover a fitting room; `stock`
    are digests of the store's EPCs and `patterns` stand for more of them (`rfid_reader.stock`)."""

    reader: Reader
    rooms: tuple[int, ...]
    clock: tuple[float, float]
    stock: bytes = b""
    patterns: tuple[str, ...] = ()

    def fixed(self) -> ReaderSpec:
        """The spec without what can change while the process runs: which ports cover a fitting room, and what
        is on sale."""
        return replace(self, rooms=(), stock=b"", patterns=())


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> ReaderSpec:
    """The spec of the reader called `name`, without where its antennas hang: that is the store's business."""
    reader = next(reader for reader in config.readers if reader.name == name)
    rooms = {zone.name for zone in config.zones if zone.kind == "fitting_room"}
    rooms |= {fixture.name for fixture in config.fixtures if fixture.kind == "fitting_room"}
    ports = tuple(
        antenna.port for antenna in reader.antennas if antenna.zone in rooms or antenna.fixture in rooms
    )
    unneeded = {"name": "antenna", "at": None, "zone": None, "fixture": None}
    antennas = [replace(antenna, **unneeded) for antenna in reader.antennas]
    return ReaderSpec(replace(reader, antennas=antennas), ports, clock, *_stock_of(config))


def _stock_of(config: StoreConfig) -> tuple[bytes, tuple[str, ...]]:
    """Digests of the EPCs of a store's articles, and the patterns among them. The latest answer is kept: a
    store's readers all ask for the same one."""
    if _latest_stock and _latest_stock[0][0] is config:
        return _latest_stock[0][1]
    written = [canonical(epc) for fixture in config.fixtures for sku in fixture.skus for epc in sku.epcs]
    patterns = tuple(epc for epc in written if "*" in epc)
    found = digests_of(epc for epc in written if "*" not in epc), patterns
    _latest_stock[:] = [(config, found)]
    return found


class ReaderProcess:
    """Judges the reads of one reader and passes on what they mean."""

    def __init__(self, control: socket.socket, spec: ReaderSpec) -> None:
        self._control = ControlLine(control)
        self._spec = spec
        self._clock = HostClock(state=spec.clock)
        path = spec.reader.calibration
        self._calibration = load_calibration(Path(path)) if path is not None else None
        self._detector = detector_for(spec.reader.detector, self._calibration)
        self._prefer_stock()
        self._presence = FittingRooms(set(spec.rooms))
        self._batches: queue.Queue[ReadTable] = queue.Queue(MAX_BATCHES)
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._session = ReaderSession(settings_of(spec.reader), self._take, clock=self._clock.now)
        self._store = RecordSender()
        self._reads_dropped = 0
        self._remarks: set[str] = set()
        self._crowd = Crowd()
        self._flips = 0
        self._reads_judged = 0

    def run(self) -> None:
        """Serve until told to stop or the supervisor is gone."""
        self._session.start()
        told_s = advanced_s = 0.0
        while not self._control.stopping:
            now_s = time.monotonic()
            if now_s - told_s >= HEALTH_EVERY_S:
                told_s = now_s
                self._tell_health()
            if now_s - advanced_s >= ADVANCE_EVERY_S:
                advanced_s = now_s
                self._advance()
            due_s = min(told_s + HEALTH_EVERY_S, advanced_s + ADVANCE_EVERY_S)
            self._wait(0.0 if self._batches.qsize() else due_s - now_s)
            self._judge_waiting(ADVANCE_EVERY_S)
            self._store.flush()
        self._session.stop(LEAVE_S)
        self._judge_waiting()
        self._pass_on(self._detector.finish(), self._presence.finish())
        self._store.flush()
        self._tell_health()

    def _take(self, reads: ReadTable) -> None:
        """Called by the session's thread."""
        try:
            self._batches.put_nowait(reads)
        except queue.Full:
            self._reads_dropped += len(reads)
            return
        try:
            os.write(self._wake_in, b"r")
        except BlockingIOError:
            return

    def _wait(self, timeout_s: float) -> None:
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wake_out, select.POLLIN)
        if self._store.blocked_on is not None:
            poller.register(self._store.blocked_on, select.POLLOUT)
        for fd, _ in poller.poll(max(0.0, timeout_s) * 1e3):
            if fd == self._control.fileno():
                self._control.hear(self._obey)
            elif fd == self._wake_out:
                os.read(self._wake_out, 4096)

    def _obey(self, message: Message, fds: tuple[int, ...]) -> bool:
        match message:
            case Attach(role="records") if len(fds) == 1:
                self._store.attach(socket.socket(fileno=fds[0]))
                return True
            case Detach(role="records"):
                self._store.detach()
            case Configure() if len(fds) == 1:
                self._spec = take_up(fds[0], ReaderSpec)
                self._presence.antennas = set(self._spec.rooms)
                self._prefer_stock()
                return True
        return False

    def _judge_waiting(self, limit_s: float = math.inf) -> None:
        """Judge what was read, for so long: a box too slow for its reader still says how it is."""
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s:
            try:
                reads = self._batches.get_nowait()
            except queue.Empty:
                return
            self._reads_judged += len(reads)
            self._pass_on(self._detector.feed(reads), self._presence.feed(reads))

    def _advance(self) -> None:
        now_s = self._clock.now()
        self._pass_on(self._detector.advance(now_s), self._presence.advance(now_s))

    def _prefer_stock(self) -> None:
        """Places for tags go first to those of the store's articles, and those that the calibration has."""
        stock = StockTags(self._spec.stock, self._spec.patterns)
        calibrated = self._calibration.rates if self._calibration is not None else {}
        self._detector.prefer(lambda epc: stock.has(epc) or epc in calibrated)

    def _pass_on(self, flips: list[Flip], presences: list[Presence]) -> None:
        name = self._spec.reader.name
        self._flips += len(flips)
        for flip in flips:
            self._store.put(TagFlip(name, flip.antenna, flip.epc, flip.start_s, flip.end_s, flip.score))
        for one in presences:
            presence = TagPresence(
                name, one.antenna, one.epc, one.start_s, one.end_s, one.reads, not one.open
            )
            self._store.put(presence)

    def _tell_health(self) -> None:
        session = self._session.health()
        remarks = (*session.remarks, *self._crowd.said(self._detector, time.monotonic()))
        self._log_remarks(remarks)
        values = {
            **figures(session),
            "flips": float(self._flips),
            "reads_judged": float(self._reads_judged),
            "tags_read_too_seldom": float(len(self._detector.insufficient())),
        }
        drops = {
            "reads not judged in time": self._reads_dropped,
            "reads of more tags than can be kept": self._detector.reads_refused,
            "reads of tags read only once, of too many": self._detector.reads_waiting,
            "reads of more tags than a fitting room is followed for": self._presence.refused,
            "reads of more channels than can be referenced": self._detector.reads_unreferenced,
            "records the store did not take": self._store.dropped,
            **session.ignored,
        }
        ended = not self._session.alive() and not self._control.stopping
        failed = self._session.failure is not None or ended
        health = Health(
            f"reader:{self._spec.reader.name}",
            "stalled" if failed else session.state,
            self._clock.now(),
            session.progress_s,
            "; ".join((session.detail, *remarks[len(session.remarks) :])).removeprefix("; "),
            values,
            drops,
        )
        self._control.tell(health)

    def _log_remarks(self, remarks: tuple[str, ...]) -> None:
        """Log what is to be said of the reader's reports, each as it begins; its numbers may change."""
        now = {re.sub(r"\d+", "", text): text for text in remarks}
        for kind in now.keys() - self._remarks:
            log.warning("%s: %s", self._spec.reader.name, now[kind])
        self._remarks = set(now)


def main(control: socket.socket, spec: ReaderSpec) -> None:
    """Run one reader until told to stop."""
    ReaderProcess(control, spec).run()
