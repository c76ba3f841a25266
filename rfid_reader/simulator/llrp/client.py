"""One LLRP client as the simulated reader sees it: its requests, its events, its reports."""

from __future__ import annotations

import random
import socket
import ssl
import struct
import time
from collections.abc import Callable

from rfid_reader.errors import LlrpFrameError
from rfid_reader.llrp import frames
from rfid_reader.llrp.frames import FrameSplitter, LlrpFrame
from rfid_reader.llrp.reports import IMPINJ
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.llrp.capabilities import (
    POWERS_DBM,
    capabilities,
    keepalive_ms,
    reader_config,
)
from rfid_reader.simulator.llrp.faults import Fault, OutStream, corrupt_report
from rfid_reader.simulator.llrp.parameters import (
    PARAMETER_ERROR,
    UNSUPPORTED_MESSAGE,
    UNSUPPORTED_VERSION,
    fields,
    parameters,
    status,
    tlv,
    u8,
    u16,
    u32,
    u64,
)
from rfid_reader.simulator.llrp.rospecs import Rejected, ROSpec, ROSpecs, parse_rospec
from rfid_reader.simulator.llrp.tag_reports import tag_reports
from rfid_reader.simulator.sources import ReadSource

ENABLE_EXTENSIONS, ENABLE_EXTENSIONS_RESPONSE = 21, 22
CUSTOM, LINK_MONITOR = 1023, 38
ROSPEC_EVENT, OVERFLOW_EVENT, ANTENNA_EVENT, ATTEMPT_EVENT = 249, 251, 255, 256
OTHER_ATTEMPT = tlv(ATTEMPT_EVENT, u16(4))
EVENT_STATE = {ROSPEC_EVENT: 2, OVERFLOW_EVENT: 3, ANTENNA_EVENT: 8}
MAX_REQUEST_BYTES = 1 << 16
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
ROSPEC_CHANGES = {
    frames.DELETE_ROSPEC: ROSpecs.delete,
    frames.START_ROSPEC: ROSpecs.start,
    frames.STOP_ROSPEC: ROSpecs.stop,
    frames.ENABLE_ROSPEC: ROSpecs.enable,
    frames.DISABLE_ROSPEC: ROSpecs.disable,
}
ACCEPTED_SILENTLY = {
    frames.GET_ROSPECS,
    frames.ADD_ACCESSSPEC,
    frames.DELETE_ACCESSSPEC,
    frames.ENABLE_ACCESSSPEC,
    frames.DISABLE_ACCESSSPEC,
    frames.GET_ACCESSSPECS,
}


def event_message(reader_us: int, event: bytes) -> bytes:
    """READER_EVENT_NOTIFICATION with a UTC timestamp."""
    return LlrpFrame(frames.READER_EVENT_NOTIFICATION, 0, tlv(246, tlv(128, u64(reader_us)), event)).encode()


def busy_greeting(reader_us: int) -> bytes:
    """What a second client hears before it is closed: a client-initiated connection exists."""
    return event_message(reader_us, tlv(ATTEMPT_EVENT, u16(2)))


class Client:
    """State that lives and dies with one connection."""

    def __init__(
        self,
        client_socket: socket.socket,
        source: ReadSource,
        reader_us: Callable[[], int],
        impinj: bool,
        on_sent: Callable[[bytes], None] | None = None,
    ) -> None:
        self.socket = client_socket
        self.rospecs = ROSpecs()
        self._cut = False
        self._closing = False
        self._source = source
        self._reader_us = reader_us
        self._impinj = impinj
        self._extensions = False
        self._splitter = FrameSplitter(MAX_REQUEST_BYTES)
        self._out = OutStream(on_sent)
        self.reports_made = 0
        self._keepalive_s = 0.0
        self._last_keepalive_s = time.monotonic()
        self._unacknowledged = 0
        self._link_down_after: int | None = None
        self._events: set[int] = set()
        self._silent_until_s = 0.0
        self._active_since_s: float | None = None
        self._message_id = 1 << 24
        self._pending: list[bytes] = []
        self._put(event_message(reader_us(), tlv(ATTEMPT_EVENT, u16(0))))

    def _put(self, message: bytes, reports: int = 0) -> None:
        if not self._out.put(message, reports) and reports:
            self._out.put(event_message(self._reader_us(), tlv(OVERFLOW_EVENT)))

    def take_reports_sent(self) -> int:
        """Tag reports that left completely since the last call."""
        sent, self._out.reports_sent = self._out.reports_sent, 0
        return sent

    def drained(self) -> bool:
        """Whether everything queued has left."""
        return self._out.empty

    def notify(self, event: bytes) -> None:
        """Send an event, if the client wants its kind."""
        state = EVENT_STATE.get(struct.unpack_from("!H", event)[0])
        if state is None or state in self._events:
            self._put(event_message(self._reader_us(), event))

    def wants_to_write(self, now_s: float) -> bool:
        return now_s >= self._silent_until_s and bool(self._out.chunk(now_s))

    def send(self, now_s: float) -> None:
        chunk = self._out.chunk(now_s)
        try:
            self._out.sent(self.socket.send(chunk))
        except NOT_NOW:
            return
        self._cut = self._out.cut_next

    @property
    def finished(self) -> bool:
        """Whether the reader's side is done with this connection and nothing is left to send."""
        return self._cut or self.link_down or (self._closing and self._out.empty)

    @property
    def link_down(self) -> bool:
        """Whether the client asked for link monitoring and has left too many keepalives unacknowledged."""
        return self._link_down_after is not None and self._unacknowledged > self._link_down_after

    def receive(self) -> bool:
        """Answer requests; False once the client has gone. Raises LlrpFrameError for what is not LLRP."""
        try:
            data = self.socket.recv(1 << 16)
        except NOT_NOW:
            return True
        if not data:
            return False
        for frame in self._splitter.feed(data):
            self._answer(frame)
        return True

    def keep_alive(self) -> None:
        """Queue a keepalive when one is due."""
        now_s = time.monotonic()
        if self._keepalive_s and now_s - self._last_keepalive_s >= self._keepalive_s:
            self._last_keepalive_s = now_s
            self._unacknowledged += 1
            self._put(LlrpFrame(frames.KEEPALIVE, self._next_id(), b"").encode())

    def _next_id(self) -> int:
        self._message_id += 1
        return self._message_id

    def _answer(self, frame: LlrpFrame) -> None:
        if frame.type == frames.KEEPALIVE_ACK:
            self._unacknowledged = 0
        if frame.type in (frames.KEEPALIVE_ACK, frames.ENABLE_EVENTS_AND_REPORTS):
            return
        if frame.version != 1:
            self._reply(
                frames.ERROR_MESSAGE, frame, status(UNSUPPORTED_VERSION, "this reader speaks LLRP 1.0.1")
            )
            return
        try:
            kind, body = self._carry_out(frame)
        except Rejected as rejection:
            kind, body = self._response_type(frame), status(rejection.code, rejection.description)
        except LlrpFrameError as error:
            kind, body = self._response_type(frame), status(PARAMETER_ERROR, str(error))
        self._reply(kind, frame, body)

    def _reply(self, kind: int, frame: LlrpFrame, body: bytes) -> None:
        self._put(LlrpFrame(kind, frame.message_id, body).encode())

    @staticmethod
    def _response_type(frame: LlrpFrame) -> int:
        if frame.type == frames.CLOSE_CONNECTION:
            return frames.CLOSE_CONNECTION_RESPONSE
        return frame.type + 10 if frame.type < 50 else frames.ERROR_MESSAGE

    def _carry_out(self, frame: LlrpFrame) -> tuple[int, bytes]:
        """Do what a request says; returns the answer's type and body."""
        kind, body = frame.type, frame.body
        answer = status()
        if kind == frames.GET_READER_CAPABILITIES:
            answer += capabilities(
                fields("!B", body)[0], self._source.antennas, self._source.plan, self._impinj
            )
        elif kind == frames.GET_READER_CONFIG:
            antennas = self._source.antennas
            connected = set(range(1, antennas + 1))
            answer += reader_config(
                fields("!B", body)[0], antennas, connected, round(self._keepalive_s * 1000)
            )
        elif kind == frames.SET_READER_CONFIG:
            self._set_config(body)
        elif kind == frames.ADD_ROSPEC:
            for parameter in parameters(body):
                self.rospecs.add(
                    parse_rospec(parameter, self._source.antennas, self._source.mode, POWERS_DBM[-1])
                )
        elif kind in ROSPEC_CHANGES:
            self._change_rospec(kind, fields("!I", body)[0])
        elif kind == frames.CLOSE_CONNECTION:
            self._closing = True
            self.rospecs.clear()
            return frames.CLOSE_CONNECTION_RESPONSE, answer
        elif kind == frames.CUSTOM_MESSAGE:
            return self._carry_out_custom(body)
        elif kind not in ACCEPTED_SILENTLY:
            return frames.ERROR_MESSAGE, status(UNSUPPORTED_MESSAGE, f"message type {kind}")
        return self._response_type(frame), answer

    def _carry_out_custom(self, body: bytes) -> tuple[int, bytes]:
        vendor, subtype = fields("!IB", body)
        if vendor != IMPINJ or subtype != ENABLE_EXTENSIONS or not self._impinj:
            return frames.ERROR_MESSAGE, status(UNSUPPORTED_MESSAGE, f"custom message {vendor}/{subtype}")
        self._extensions = True
        return frames.CUSTOM_MESSAGE, u32(IMPINJ) + u8(ENABLE_EXTENSIONS_RESPONSE) + status()

    def _change_rospec(self, kind: int, identifier: int) -> None:
        was_active = self.rospecs.active()
        ROSPEC_CHANGES[kind](self.rospecs, identifier)
        is_active = self.rospecs.active()
        if (was_active is None) != (is_active is None):
            changed = is_active or was_active
            if changed is not None:
                self.notify(tlv(ROSPEC_EVENT, u8(0 if is_active else 1), u32(changed.identifier, 0)))
            self._active_since_s = time.monotonic() if is_active else None
            if is_active is None:
                self._flush_reports()

    def _set_config(self, body: bytes) -> None:
        if fields("!B", body)[0] & 0x80:
            self._keepalive_s = 0.0
            self._link_down_after = None
            self._events.clear()
        for parameter in parameters(body[1:]):
            if parameter.kind == 220:
                self._keepalive_s = keepalive_ms(parameter.body) / 1000
                self._last_keepalive_s = time.monotonic()
            elif parameter.kind == CUSTOM and parameter.subtype == LINK_MONITOR:
                if not self._extensions:
                    raise Rejected(PARAMETER_ERROR, "Impinj's extensions are off")
                enabled, missed = fields("!HH", parameter.body)
                self._link_down_after = missed if enabled else None
            elif parameter.kind == 244:
                for state in parameters(parameter.body):
                    number, flag = fields("!HB", state.body)
                    (self._events.add if flag & 0x80 else self._events.discard)(number)

    def report(self, reads: ReadTable, spec: ROSpec, shift_us: float) -> None:
        """Queue tag reports as the ROSpec wants them; `shift_us` turns the source's time into reader time."""
        for report in tag_reports(reads, spec, shift_us, self._extensions):
            self._pending.append(report)
            if spec.report.n and len(self._pending) >= spec.report.n:
                self._flush_reports()
        started_s = self._active_since_s
        if spec.duration_s and started_s is not None and time.monotonic() - started_s >= spec.duration_s:
            self._change_rospec(frames.STOP_ROSPEC, spec.identifier)

    def _flush_reports(self) -> None:
        if self._pending:
            self.reports_made += len(self._pending)
            body = b"".join(self._pending)
            self._put(LlrpFrame(frames.RO_ACCESS_REPORT, self._next_id(), body).encode(), len(self._pending))
            self._pending = []

    def suffer(self, fault: Fault, now_s: float) -> None:
        """Let `fault` happen to this connection."""
        if fault.kind == "drop":
            self._out.cut_next = True
            if self._out.empty:
                self._put(LlrpFrame(frames.KEEPALIVE, self._next_id(), b"").encode())
        elif fault.kind == "split":
            self._out.dribble_until_s = now_s + fault.seconds
            self._out.dribble_bytes = max(1, fault.size)
        elif fault.kind in ("coalesce", "delay"):
            self._out.hold_until_s = now_s + fault.seconds
        elif fault.kind == "silent":
            self._silent_until_s = now_s + fault.seconds
        elif fault.kind == "corrupt_length":
            self._put(struct.pack("!HII", 1 << 10 | frames.RO_ACCESS_REPORT, 0xFFFFFFF0, 0xBAD))
        elif fault.kind == "corrupt_parameter":
            self._put(corrupt_report())
        elif fault.kind == "garbage":
            self._put(random.Random(fault.size).randbytes(64))
        elif fault.kind == "unknown":
            self._put(LlrpFrame(900, self._next_id(), b"\x00\x01\x00\x08abcd").encode())
        elif fault.kind == "overflow":
            self.notify(tlv(OVERFLOW_EVENT))
        elif fault.kind == "antenna":
            self.notify(tlv(ANTENNA_EVENT, u8(0 if fault.seconds < 0 else 1), u16(fault.size)))
