"""What can be made to go wrong with the simulated reader, and the stream that carries it out.

`OutStream` sits between the reader's messages and the socket: whole messages go in, bytes come out, unless a
fault says otherwise. It keeps count of the tag reports that left completely, so a test can say what must have
arrived.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_OUT_BYTES = 4 << 20


@dataclass(frozen=True)
class Fault:
    """One thing to go wrong. `kind` is one of:

    drop: send half a message, then close. split: dribble bytes for `seconds`, `size` at a time. coalesce:
    hold everything for `seconds`, then send it at once. delay: the same (a stalled network). corrupt_length:
    a header with an absurd length. corrupt_parameter: a tag report whose parameter runs over its end.
    garbage: random bytes. silent: say nothing for `seconds`, keepalives included. refuse: no TCP connections
    for `seconds`, and drop the present one. busy: tell new clients for `seconds` that there is another, and
    drop the present one. reboot: like refuse, and everything configured is lost and the clock is at
    2000-01-01. clock: move the reader's clock by `seconds`. unknown: a message of an unknown type. overflow:
    buffer overflow event. antenna: antenna `size` disconnected (seconds < 0) or connected.
    """

    kind: str
    seconds: float = 0.0
    size: int = 1


FAULTS = (
    "drop", "split", "coalesce", "delay", "corrupt_length", "corrupt_parameter", "garbage", "silent",
    "refuse",
    "busy", "reboot", "clock", "unknown", "overflow", "antenna",
)  # fmt: skip


class OutStream:
    """Messages waiting to be sent to one client, at most MAX_OUT_BYTES; beyond it the reader's buffer
    overflows. on_sent gets every message that has left completely.
    """

    def __init__(self, on_sent: Callable[[bytes], None] | None = None) -> None:
        self._on_sent = on_sent
        self._queue: deque[tuple[bytes, int]] = deque()
        self._head_sent = 0
        self._bytes = 0
        self.hold_until_s = 0.0
        self.dribble_until_s = 0.0
        self.dribble_bytes = 1
        self.cut_next = False
        self.reports_sent = 0

    def put(self, message: bytes, reports: int = 0) -> bool:
        """Queue a message that holds `reports` tag reports; False if there is no room."""
        if self._bytes + len(message) > MAX_OUT_BYTES:
            return False
        self._queue.append((message, reports))
        self._bytes += len(message)
        return True

    def chunk(self, now_s: float) -> bytes:
        """The next bytes to send, b"" if nothing may go now."""
        if now_s < self.hold_until_s or not self._queue:
            return b""
        if self.cut_next:
            head = self._queue[0][0]
            return head[self._head_sent : max(len(head) // 2, self._head_sent)]
        if now_s < self.dribble_until_s:
            return self._queue[0][0][self._head_sent : self._head_sent + self.dribble_bytes]
        parts, size = [self._queue[0][0][self._head_sent :]], 0
        for message, _ in list(self._queue)[1:512]:
            size += len(message)
            if size > 65536:
                break
            parts.append(message)
        return b"".join(parts)

    def sent(self, count: int) -> None:
        """`count` bytes left."""
        self._bytes -= count
        self._head_sent += count
        while self._queue and self._head_sent >= len(self._queue[0][0]):
            message, reports = self._queue.popleft()
            self._head_sent -= len(message)
            self.reports_sent += reports
            if self._on_sent is not None:
                self._on_sent(message)

    @property
    def empty(self) -> bool:
        return not self._queue


def corrupt_report() -> bytes:
    """A tag report whose EPC parameter says more bytes than there are."""
    bad = struct.pack("!HH", 241, 400) + b"\x00\x60" + bytes(12)
    body = struct.pack("!HH", 240, 4 + len(bad)) + bad
    return struct.pack("!HII", 1 << 10 | 61, 10 + len(body), 0xBAD) + body
