"""The store process: what cameras and readers say becomes facts, and facts go into the outbox.

Records come over sockets that arrive as `Attach("records", PEER)`, one from the vision process and one from
each reader; the health of all processes comes from the supervisor. A fact is handed to the outbox in the
same turn in which it is concluded; once it is on disk the uplink process is told. On `Stop` everything still
in the sockets is taken in, open intervals are told as partial facts, and the outbox is closed.
"""

from __future__ import annotations

import logging
import os
import secrets
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from contract.envelope import Origin
from contract.facts import Fact
from runtime import messages
from runtime.clock import HostClock
from runtime.messages import (
    Attach,
    Committed,
    Configure,
    Detach,
    FramesMissed,
    Health,
    Message,
    PeerGone,
    PersonsSeen,
    TagFlip,
    TagPresence,
)
from runtime.processes.control import ControlLine
from runtime.processes.handover import take_up
from runtime.processes.store_spec import StoreSpec, spec_of
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import FloorPlan
from runtime.uplink.outbox.opening import OpeningOutbox
from runtime.uplink.outbox.writer import Outbox, OutboxLimits

ADVANCE_EVERY_S = 0.1
HEALTH_EVERY_S = 1.0
RECORDS_AT_ONCE = 512
"""Records taken from one peer before the others have their turn."""
MAX_AHEAD_S = 5.0
"""A record from further in the future would make everything else late: it is dropped and counted."""
CLOSING_S = 0.6

__all__ = ["StoreProcess", "StoreSpec", "main", "spec_of"]

log = logging.getLogger(__name__)


def main(control: socket.socket, spec: StoreSpec) -> None:
    """Conclude facts until told to stop or the supervisor is gone."""
    StoreProcess(control, spec).run()


class StoreProcess:
    """Sockets, time and the outbox around the pure core."""

    def __init__(self, control: socket.socket, spec: StoreSpec) -> None:
        config = spec.config
        self._control = ControlLine(control)
        self._clock = HostClock(state=spec.clock)
        self._behaviour = Behaviour(
            FloorPlan.from_config(config), self._clock.now(), lambda: secrets.token_hex(8)
        )
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        limits = OutboxLimits(
            group_events=config.uplink.group_events,
            group_delay_s=config.uplink.group_ms / 1_000,
            max_bytes=config.uplink.max_mb * 1024 * 1024,
            keep_s=config.retention.events_days * 86_400,
        )
        self._outbox = OpeningOutbox(
            lambda: Outbox(
                config.outbox_path(),
                Origin(config.site.name, config.site.device),
                limits,
                clock=self._clock.now,
                on_commit=lambda _: self._wake(),
            )
        )
        self._peers: dict[str, socket.socket] = {}
        self._uplink: socket.socket | None = None
        self._told_seq = 0
        self._records: Counter[str] = Counter()
        self._drops: Counter[str] = Counter({"from the future": 0, "not understood": 0})
        self._progress_s = self._clock.now()

    def run(self) -> None:
        """Serve until told to stop, then tell all that is open."""
        advanced_s = told_s = 0.0
        while not self._control.stopping:
            now_s = time.monotonic()
            if now_s - advanced_s >= ADVANCE_EVERY_S:
                advanced_s = now_s
                self._tell(self._behaviour.advance(self._clock.now()))
            if now_s - told_s >= HEALTH_EVERY_S:
                told_s = now_s
                self._tell_health()
            self._wait(advanced_s + ADVANCE_EVERY_S - now_s)
        self._finish()

    def _wait(self, timeout_s: float) -> None:
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wake_out, select.POLLIN)
        names = {sock.fileno(): name for name, sock in self._peers.items()}
        for fd in names:
            poller.register(fd, select.POLLIN)
        for fd, _ in poller.poll(max(0.0, timeout_s) * 1e3):
            if fd == self._control.fileno():
                self._control.hear(self._obey)
            elif fd == self._wake_out:
                self._tell_uplink()
            elif names[fd] in self._peers:
                self._hear_peer(names[fd])

    def _hear_peer(self, name: str) -> bool:
        """Take in what a peer has said; True where there may be more."""
        sock = self._peers[name]
        for _ in range(RECORDS_AT_ONCE):
            try:
                record, fds = messages.receive(sock)
            except BlockingIOError:
                return False
            except PeerGone:
                self._forget(name)
                return False
            except msgspec.DecodeError as error:
                self._drops["not understood"] += 1
                log.warning("%s sent what is no record: %s", name, error)
                continue
            _close_all(fds)
            self._take(record, name)
        return True

    def _take(self, record: Message, name: str) -> None:
        now_s = self._clock.now()
        judge = self._judge_of(record)
        if judge is None:
            self._drops["not understood"] += 1
            log.warning("%s sent a %s, which is not for the store", name, type(record).__name__)
        elif _time_of(record) > now_s + MAX_AHEAD_S:
            self._drops["from the future"] += 1
        else:
            self._records[type(record).__name__] += 1
            self._progress_s = now_s
            self._tell(judge())

    def _judge_of(self, record: Message) -> Callable[[], Sequence[Fact]] | None:
        """What the core has to say about a record; None for one that is none of its business."""
        behaviour = self._behaviour
        if isinstance(record, PersonsSeen):
            return lambda: behaviour.persons(record)
        if isinstance(record, FramesMissed):
            return lambda: behaviour.missed(record)
        if isinstance(record, TagFlip):
            return lambda: behaviour.flip(record)
        if isinstance(record, TagPresence):
            return lambda: behaviour.presence(record)
        return None

    def _tell(self, facts: Sequence[Fact]) -> None:
        if facts:
            self._outbox.append(facts)

    def _wake(self) -> None:
        """Called by the outbox's thread when a group is on disk."""
        try:
            os.write(self._wake_in, b"c")
        except BlockingIOError:
            return

    def _tell_uplink(self) -> None:
        os.read(self._wake_out, 4096)
        seq = self._outbox.state().committed_seq
        if self._uplink is None or seq == self._told_seq:
            return
        try:
            messages.send(self._uplink, Committed(seq))
            self._told_seq = seq
        except BlockingIOError:
            return
        except PeerGone:
            self._forget("uplink")

    def _obey(self, message: Message, fds: tuple[int, ...]) -> bool:
        match message:
            case Attach(role="records", name=name) if len(fds) == 1:
                self._attach(name, socket.socket(fileno=fds[0]))
                return True
            case Detach(role="records", name=name):
                self._detach(name)
            case Health():
                self._tell(self._behaviour.health(message))
            case Configure() if len(fds) == 1:
                spec = take_up(fds[0], StoreSpec)
                self._tell(self._behaviour.apply_plan(FloorPlan.from_config(spec.config)))
                return True
        return False

    def _attach(self, name: str, sock: socket.socket) -> None:
        self._detach(name)
        sock.setblocking(False)
        if name == "uplink":
            self._uplink, self._told_seq = sock, 0
            self._wake()
        else:
            self._peers[name] = sock

    def _detach(self, name: str) -> None:
        """A peer is gone: what it said before that still counts."""
        while name in self._peers and self._hear_peer(name):
            continue
        self._forget(name)

    def _forget(self, name: str) -> None:
        sock = self._uplink if name == "uplink" else self._peers.pop(name, None)
        if sock is not None:
            sock.close()
        if name == "uplink":
            self._uplink = None

    def _tell_health(self) -> None:
        self._control.tell(self._health())

    def _health(self) -> Health:
        outbox, now_s = self._outbox.state(), self._clock.now()
        values = {
            "outbox_waiting": float(outbox.waiting),
            "outbox_bytes": float(outbox.used_bytes),
            "committed_seq": float(outbox.committed_seq),
            "peers": float(len(self._peers)),
        }
        values |= {f"{kind}_records": float(count) for kind, count in self._records.items()}
        values |= {name: float(count) for name, count in self._behaviour.counts().items()}
        drops = {**self._drops, "events the outbox had to drop": outbox.dropped}
        progress_s = self._progress_s if self._peers else now_s
        state = detail = ""
        if outbox.fault:
            state = "disk" if self._outbox.opened else "no outbox"
            detail = f"{outbox.fault}; events wait in memory"
        return Health("store", state or "live", now_s, progress_s, detail, values, drops)

    def _finish(self) -> None:
        """Take in what is still in the sockets, tell what is open, put it all on disk."""
        for name in list(self._peers):
            self._detach(name)
        self._tell(self._behaviour.finish(self._clock.now()))
        self._outbox.flush(CLOSING_S)
        self._tell_uplink_last()
        self._tell_health()
        self._outbox.close(CLOSING_S)

    def _tell_uplink_last(self) -> None:
        self._wake()
        self._tell_uplink()
        self._forget("uplink")


def _time_of(record: Message) -> float:
    """When what a record tells was over."""
    if isinstance(record, PersonsSeen):
        return record.time_s
    if isinstance(record, (FramesMissed, TagFlip)):
        return record.end_s
    return record.last_s if isinstance(record, TagPresence) else 0.0


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)
