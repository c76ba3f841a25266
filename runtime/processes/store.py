"""The store process: what cameras and readers say becomes facts, and facts go into the outbox.

Records come over sockets that arrive as `Attach("records", PEER)`, one from the vision process and one from
each reader; the health of all processes comes from the supervisor. A fact is handed to the outbox in the
same turn in which it is concluded; once it is on disk the uplink process is notified. On `Stop` everything
still in the sockets is taken in, open intervals are concluded as partial facts, and the outbox is closed.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from contract.envelope import Origin
from contract.facts import Fact
from runtime import messages
from runtime.flip_days_file import FLIP_DAYS, remember_days, remembered_days
from runtime.messages import (
    CameraNow,
    Committed,
    FloorNow,
    FramesMissed,
    Health,
    HealthState,
    InFrame,
    Message,
    PeerGone,
    PersonsSeen,
    TagFlip,
    TagPresence,
    TagsRead,
)
from runtime.processes.onlookers.console_line import ConsoleLines
from runtime.processes.service import Input, Service
from runtime.processes.stock_keeper import StockKeeper
from runtime.processes.store_spec import StoreSpec, spec_of
from runtime.store.behaviour import Behaviour
from runtime.store.garments.flip_days import FlipDays
from runtime.store.setup import setup_of
from runtime.uplink.outbox.opening import OpeningOutbox
from runtime.uplink.outbox.writer import Outbox

ADVANCE_EVERY_S = 0.1
REMEMBER_EVERY_S = 60.0
STOCK_EVERY_S = 5.0
FLOOR_EVERY_S = 0.2
"""How often the console is told who is where, while somebody looks."""
RECORDS_AT_ONCE = 512
"""Records taken from one peer before the others have their turn."""
MAX_AHEAD_S = 5.0
"""A record from further in the future would make everything else late: it is dropped and counted."""
CLOSING_S = 0.6

__all__ = ["StoreProcess", "StoreSpec", "main", "spec_of"]

log = logging.getLogger(__name__)


class StoreProcess(Service):
    """Sockets, time and the outbox around the pure core."""

    def __init__(self, control: socket.socket, spec: StoreSpec) -> None:
        super().__init__(control, "store", spec)
        self._behaviour = Behaviour(spec.floor_plan(), self.clock.now(), lambda: secrets.token_hex(8))
        self._outbox = OpeningOutbox(
            lambda: Outbox(
                spec.outbox,
                Origin(spec.site, spec.device),
                spec.limits,
                clock=self.clock.now,
                on_commit=lambda _: self.wake(),
            )
        )
        self._peers: dict[str, socket.socket] = {}
        self._uplink: socket.socket | None = None
        self._sent_seq = 0
        self._console = ConsoleLines()
        self._records: Counter[str] = Counter()
        self._drops: Counter[str] = Counter({"from the future": 0, "not understood": 0})
        self._progress_s = self.clock.now()
        self._revision = ""
        self._flip_days_path = spec.outbox.parent / FLIP_DAYS
        self._flip_days = FlipDays(spec.floor_plan().timezone, remembered_days(self._flip_days_path))
        self._stock = StockKeeper(spec, self._behaviour.plan, self.clock.now)
        self._send_setup(spec)
        self.accept("records", 1, self._attach, self._detach)
        self.accept("console", 1, self._console.attach, self._console.detach)
        self.configured_by(StoreSpec, self._apply_config)
        self.every(ADVANCE_EVERY_S, self._advance)
        self.every(FLOOR_EVERY_S, self._send_floor)
        self.every(REMEMBER_EVERY_S, self._remember)
        self.every(STOCK_EVERY_S, self._stock.remember)

    def inputs(self) -> list[Input]:
        """Each peer that sends records, and the console with what it wants to be told."""
        peers = [(sock.fileno(), partial(self._receive_from, name)) for name, sock in self._peers.items()]
        return [*peers, *self._console.inputs()]

    def on_wake(self) -> None:
        """A group of events is on disk."""
        self._announce_committed()

    def on_message(self, message: Message) -> None:
        """The health of the other processes."""
        if isinstance(message, Health):
            self._keep(self._behaviour.health(message))

    def finish(self) -> None:
        """Take in what is still in the sockets, conclude what is open, put it all on disk."""
        for name in list(self._peers):
            self._detach(name)
        self._keep(self._behaviour.finish(self.clock.now()))
        self._remember()
        self._stock.remember()
        self._outbox.flush(CLOSING_S)
        self._announce_committed()
        self._forget("uplink")
        self.report()
        self._outbox.close(CLOSING_S)

    def _advance(self) -> None:
        self._keep(self._behaviour.advance(self.clock.now()))

    def _send_floor(self) -> None:
        if self._console.want_people:
            self._console.tell_people(FloorNow(self.clock.now(), self._behaviour.on_floor()))

    def _send_frame(self, seen: PersonsSeen) -> None:
        if self._console.want_camera(seen.camera):
            people = tuple(
                InFrame(self._behaviour.visitor_of(seen.camera, person.track), person.box)
                for person in seen.persons
            )
            self._console.tell_camera(CameraNow(seen.camera, seen.sequence, seen.time_s, people, seen.others))

    def _apply_config(self, spec: StoreSpec) -> None:
        self._keep(self._behaviour.apply_plan(spec.floor_plan()))
        self._stock.apply(spec, self._behaviour.plan)
        self._send_setup(spec)

    def _send_setup(self, spec: StoreSpec) -> None:
        """How the shop is set up, where that is not what was told last."""
        setup = setup_of(self._behaviour.plan, spec.timezone, spec.opening_hours, self.clock.now())
        if setup.revision != self._revision:
            self._revision = setup.revision
            self._keep([setup])

    def _receive_from(self, name: str) -> None:
        """Take in what a peer has sent, if it is still there."""
        if name in self._peers:
            self._receive_some(name)

    def _receive_some(self, name: str) -> bool:
        """Take in as much as one peer may say in its turn; True where there may be more."""
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
        now_s = self.clock.now()
        conclude = self._conclusions_of(record)
        if conclude is None:
            self._drops["not understood"] += 1
            log.warning("%s sent a %s, which is not for the store", name, type(record).__name__)
        elif _time_of(record) > now_s + MAX_AHEAD_S:
            self._drops["from the future"] += 1
        else:
            self._records[type(record).__name__] += 1
            self._progress_s = now_s
            self._keep(conclude())
            if isinstance(record, PersonsSeen):
                self._send_frame(record)

    def _conclusions_of(self, record: Message) -> Callable[[], Sequence[Fact]] | None:
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
        if isinstance(record, TagsRead):
            return lambda: self._stock.take(record)
        return None

    def _keep(self, facts: Sequence[Fact]) -> None:
        if facts:
            self._flip_days.take(facts)
            self._outbox.append(facts)

    def _remember(self) -> None:
        remember_days(self._flip_days_path, self._flip_days.days())

    def _announce_committed(self) -> None:
        seq = self._outbox.state().committed_seq
        self._console.committed(seq)
        if self._uplink is None or seq == self._sent_seq:
            return
        try:
            messages.send(self._uplink, Committed(seq))
            self._sent_seq = seq
        except BlockingIOError:
            return
        except PeerGone:
            self._forget("uplink")

    def _attach(self, name: str, fd: int) -> None:
        self._detach(name)
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        if name == "uplink":
            self._uplink, self._sent_seq = sock, 0
            self.wake()
        else:
            self._stock.restarted(name.rpartition(":")[2])
            self._peers[name] = sock

    def _detach(self, name: str) -> None:
        """A peer is gone: what it said before that still counts."""
        while name in self._peers and self._receive_some(name):
            continue
        self._forget(name)

    def _forget(self, name: str) -> None:
        sock = self._uplink if name == "uplink" else self._peers.pop(name, None)
        if sock is not None:
            sock.close()
        if name == "uplink":
            self._uplink = None

    def health(self) -> Health:
        """How the outbox is, and what the core has taken in."""
        outbox, now_s = self._outbox.state(), self.clock.now()
        values = {
            "outbox_waiting": float(outbox.waiting),
            "outbox_bytes": float(outbox.used_bytes),
            "committed_seq": float(outbox.committed_seq),
            "peers": float(len(self._peers)),
        }
        values |= {f"{kind}_records": float(count) for kind, count in self._records.items()}
        values |= {name: float(count) for name, count in self._behaviour.counts().items()}
        values |= self._stock.values()
        drops = {**self._drops, **self._stock.drops(), "events the outbox had to drop": outbox.dropped}
        progress_s = self._progress_s if self._peers else now_s
        remarks = (self._flip_days.remark(now_s), self._stock.remark())
        state, detail = HealthState.LIVE, "; ".join(filter(None, remarks))
        if outbox.fault:
            state = HealthState.DISK if self._outbox.opened else HealthState.NO_OUTBOX
            detail = "; ".join(filter(None, (f"{outbox.fault}; events wait in memory", detail)))
        return Health(self.name, state, now_s, progress_s, detail, values, drops)


def _time_of(record: Message) -> float:
    """When what a record describes was over."""
    if isinstance(record, (PersonsSeen, TagsRead)):
        return record.time_s
    if isinstance(record, (FramesMissed, TagFlip)):
        return record.end_s
    return record.last_s if isinstance(record, TagPresence) else 0.0


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def main(control: socket.socket, spec: StoreSpec) -> None:
    """Conclude facts until told to stop or the supervisor is gone."""
    StoreProcess(control, spec).run()
