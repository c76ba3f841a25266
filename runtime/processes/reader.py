"""The reader process: one RFID reader's session in, flips and presence out.

The session has a thread of its own (`rfid_reader.session.reader_session`); reads come from it through a
bounded queue. Flips go to the store process over the socket that comes with `Attach("records", "store")`, and
wait for it while the store process is being restarted.
"""

from __future__ import annotations

import logging
import math
import queue
import re
import socket
import time
from pathlib import Path
from typing import Literal

from rfid_reader.antenna_calibration import load_calibration
from rfid_reader.flips import DetectedFlip
from rfid_reader.inventory.levels import PERIOD_S, TagLevels, told
from rfid_reader.presence import FittingRooms, Presence
from rfid_reader.reads import ReadTable
from rfid_reader.session.health import figures
from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.settings import ReaderSettings
from rfid_reader.stock import StockTags, digests_of
from rfid_reader.survey import TagSurvey
from rfid_reader.tuned_detector import detector_for
from runtime.config import StoreConfig
from runtime.config.epcs import canonical
from runtime.messages import AntennaReads, Health, HealthState, ReaderReads, TagFlip, TagPresence, TagsRead
from runtime.processes.service import Service
from runtime.processes.spec import Spec
from runtime.processes.tag_limits import TagLimits
from runtime.reader_settings import settings_of

MAX_BATCHES = 256
"""Batches of reads waiting to be judged; what comes on top is dropped and counted."""
ADVANCE_EVERY_S = 0.25
SURVEY_EVERY_S = 5.0
LEAVE_S = 1.5
"""How long the session may take to say goodbye; the reads that come until then are judged."""

PASSING = (HealthState.CONNECTING, HealthState.CONFIGURING)
"""On the way to reading or waiting."""

log = logging.getLogger(__name__)
_latest_stock: list[tuple[StoreConfig, tuple[bytes, tuple[str, ...]]]] = []


class ReaderSpec(Spec, frozen=True):
    """What a reader process needs to know of its reader."""

    LIVE = frozenset({"rooms", "stock", "patterns", "levels"})

    name: str
    settings: ReaderSettings
    detector: Literal["production", "js", "raw"]
    calibration: Path | None
    rooms: tuple[int, ...] = ()
    """The antenna ports that cover a fitting room."""
    stock: bytes = b""
    """Digests of the store's EPCs (`rfid_reader.stock`)."""
    patterns: tuple[str, ...] = ()
    """Patterns that stand for more of them."""
    levels: bool = False
    """Whether the store process is told what is heard of each tag, for stock events."""


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> ReaderSpec:
    """The spec of the reader called `name`; where its antennas hang is the store's business."""
    reader = next(reader for reader in config.readers if reader.name == name)
    rooms = {zone.name for zone in config.zones if zone.kind == "fitting_room"}
    rooms |= {fixture.name for fixture in config.fixtures if fixture.kind == "fitting_room"}
    ports = tuple(
        antenna.port for antenna in reader.antennas if antenna.zone in rooms or antenna.fixture in rooms
    )
    stock, patterns = _stock_of(config)
    settings = settings_of(reader)
    return ReaderSpec(
        name=reader.name,
        settings=settings,
        detector=reader.detector,
        calibration=reader.calibration,
        rooms=ports,
        stock=stock,
        patterns=patterns,
        levels=config.inventory.events,
        clock=clock,
    )


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


class ReaderProcess(Service):
    """Judges the reads of one reader and passes on what they mean."""

    def __init__(self, control: socket.socket, spec: ReaderSpec) -> None:
        super().__init__(control, f"reader:{spec.name}", spec)
        self._spec = spec
        self._calibration = load_calibration(spec.calibration) if spec.calibration is not None else None
        self._detector = detector_for(spec.detector, self._calibration)
        self._survey = TagSurvey(lambda _: False)
        self._prefer_stock()
        self._presence = FittingRooms(set(spec.rooms))
        self._levels = TagLevels()
        self._batches: queue.Queue[ReadTable] = queue.Queue(MAX_BATCHES)
        self._session = ReaderSession(spec.settings, self._take, clock=self.clock.now)
        self._store = self.send_records()
        self._console = self.send_records("survey")
        self._surveyed_s = time.monotonic()
        self._reads_dropped = 0
        self._remarks: set[str] = set()
        self._logged = ""
        self._tag_limits = TagLimits()
        self._flips = 0
        self._reads_judged = 0
        self.configured_by(ReaderSpec, self._apply_config)
        self.every(ADVANCE_EVERY_S, self._advance)
        self.every(SURVEY_EVERY_S, self._tell_console)
        self.every(PERIOD_S, self._tell_levels)

    def begin(self) -> None:
        """Connect to the reader."""
        self._session.start()

    def max_wait_s(self) -> float:
        """Not at all while there is something to judge."""
        return 0.0 if self._batches.qsize() else super().max_wait_s()

    def turn(self) -> None:
        """Judge what was read, for a while: a box too slow for its reader still says how it is."""
        self._judge(ADVANCE_EVERY_S)

    def _judge(self, limit_s: float = math.inf) -> None:
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s:
            try:
                reads = self._batches.get_nowait()
            except queue.Empty:
                return
            self._reads_judged += len(reads)
            self._pass_on(self._detector.feed(reads), self._presence.feed(reads))
            if self._console.has_peer:
                self._survey.feed(reads)
            if self._spec.levels:
                self._levels.feed(reads)

    def finish(self) -> None:
        """Disconnect from the reader, and judge what it has reported until then."""
        self._session.stop(LEAVE_S)
        self._judge()
        self._pass_on(self._detector.finish(), self._presence.finish())
        super().finish()

    def _take(self, reads: ReadTable) -> None:
        """Called by the session's thread."""
        try:
            self._batches.put_nowait(reads)
        except queue.Full:
            self._reads_dropped += len(reads)
        else:
            self.wake()

    def _apply_config(self, spec: ReaderSpec) -> None:
        self._spec = spec
        self._presence.antennas = set(spec.rooms)
        self._prefer_stock()

    def _advance(self) -> None:
        now_s = self.clock.now()
        self._pass_on(self._detector.advance(now_s), self._presence.advance(now_s))

    def _tell_console(self) -> None:
        """What the antennas read, where pages show it."""
        now_s = time.monotonic()
        seconds, self._surveyed_s = now_s - self._surveyed_s, now_s
        if not self._console.has_peer:
            return
        found = self._survey.ask(self.clock.now())
        antennas = tuple(
            AntennaReads(one.port, one.reads, one.bands, one.tags, one.louder_elsewhere, one.elsewhere)
            for one in found.antennas
        )
        shared = tuple((tag.epc, tag.heard) for tag in found.shared)
        self._console.put(
            ReaderReads(
                self._spec.name,
                self.clock.now(),
                seconds,
                antennas,
                found.tags,
                self._stock_size,
                found.stock_heard,
                shared,
            )
        )

    def _tell_levels(self) -> None:
        """What was heard of each tag, while the reader reads and the store process listens."""
        found = self._levels.take()
        reading = self._session.health().state == HealthState.READING
        if self._spec.levels and self._store.has_peer and (reading or found):
            for tags, more in told(found):
                self._store.put(TagsRead(self._spec.name, self.clock.now(), tags, more))

    def _prefer_stock(self) -> None:
        """Places for tags go first to those of the store's articles, and those that the calibration has."""
        stock = StockTags(self._spec.stock, self._spec.patterns)
        calibrated = self._calibration.rates if self._calibration is not None else {}
        self._survey.is_stock = stock.has
        self._stock_size = len(stock)
        self._detector.prefer(lambda epc: stock.has(epc) or epc in calibrated)

    def _pass_on(self, flips: list[DetectedFlip], presences: list[Presence]) -> None:
        name = self._spec.name
        self._flips += len(flips)
        for flip in flips:
            self._store.put(TagFlip(name, flip.antenna, flip.epc, flip.start_s, flip.end_s, flip.score))
        for one in presences:
            presence = TagPresence(
                name, one.antenna, one.epc, one.start_s, one.end_s, one.reads, not one.open
            )
            self._store.put(presence)

    def report(self) -> None:
        """Report health; log it where the reader comes to read, or to wait for another reason than before."""
        health = self.health()
        shown = f"{health.state} {self._session.health().detail}".strip()
        if health.state not in PASSING and (kind := re.sub(r"\d+", "", shown)) != self._logged:
            log.info("%s: %s", self._spec.name, shown)
            self._logged = kind
        self.control.report(health)

    def health(self) -> Health:
        """How the reader is."""
        session = self._session.health()
        limits = self._tag_limits.remarks(self._detector, time.monotonic())
        remarks = (*session.remarks, *self._detector.remarks, *limits)
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
            "reads of more tags than stock is followed for": self._levels.refused,
            "records the store did not take": self._store.dropped,
            **session.ignored,
        }
        ended = not self._session.alive() and not self.control.stopping
        failed = self._session.failure is not None or ended
        return Health(
            self.name,
            HealthState.STALLED if failed else HealthState(session.state),
            self.clock.now(),
            session.progress_s,
            "; ".join((session.detail, *remarks[len(session.remarks) :])).removeprefix("; "),
            values,
            drops,
        )

    def _log_remarks(self, remarks: tuple[str, ...]) -> None:
        """Log what is to be said of the reader's reports, each as it begins; its numbers may change."""
        now = {re.sub(r"\d+", "", text): text for text in remarks}
        for kind in now.keys() - self._remarks:
            log.warning("%s: %s", self._spec.name, now[kind])
        self._remarks = set(now)


def main(control: socket.socket, spec: ReaderSpec) -> None:
    """Run one reader until told to stop."""
    ReaderProcess(control, spec).run()
