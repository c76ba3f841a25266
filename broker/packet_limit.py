"""A bound on what a broker can make us hold: a message that is too large is dropped as it comes in.

MQTT 5 lets a client say the largest packet it takes; MQTT 3.1.1 does not, and paho-mqtt collects a message
whole before anyone can look at its size. So the bytes pass through here first: of a PUBLISH packet beyond the
limit only its head goes on, with an empty payload. The broker gets its acknowledgement, and the rest is let
go piece by piece. (MQTT 3.1.1 and 5.0, sections 2 and 3.3: the packets' layout.)
"""

from __future__ import annotations

from collections.abc import Callable

import paho.mqtt.client as paho

PUBLISH = 3
READ_AT_ONCE = 65_536
MAX_LENGTH_BYTES = 4


class PacketLimit:
    """Cuts the payload out of PUBLISH packets larger than `max_bytes`. Feed it what the socket gives.

    `cut` counts them. Raises ConnectionError for another packet of that size, or a length that is none.
    """

    def __init__(self, max_bytes: int, is_v5: bool) -> None:
        self._max_bytes = max_bytes
        self._is_v5 = is_v5
        self._head = bytearray()
        self._pass = 0
        self._skip = 0
        self._cut_left: int | None = None
        self._kept = bytearray()
        self.cut = 0

    def feed(self, data: bytes) -> bytes:
        """What goes on of `data`."""
        out = bytearray()
        view = memoryview(data)
        while view:
            if self._skip:
                view = self._let_go(view)
            elif self._pass:
                taken = min(self._pass, len(view))
                out += view[:taken]
                self._pass -= taken
                view = view[taken:]
            elif self._cut_left is not None:
                view = self._cut_head(view, out)
            else:
                view = self._read_head(view, out)
        return bytes(out)

    def _let_go(self, view: memoryview) -> memoryview:
        taken = min(self._skip, len(view))
        self._skip -= taken
        return view[taken:]

    def _read_head(self, view: memoryview, out: bytearray) -> memoryview:
        """One more byte of a packet's type and length."""
        self._head.append(view[0])
        length = _length(self._head[1:])
        if length is None:
            if len(self._head) > MAX_LENGTH_BYTES:
                raise ConnectionError("a packet whose length is none")
            return view[1:]
        if 1 + length <= self._max_bytes:
            out += self._head
            self._pass = length
        elif self._head[0] >> 4 != PUBLISH:
            raise ConnectionError(f"a packet of {length} bytes that is no message")
        else:
            self._cut_left = length
            self._kept.clear()
        if self._cut_left is None:
            self._head.clear()
        return view[1:]

    def _cut_head(self, view: memoryview, out: bytearray) -> memoryview:
        """One more piece of the head of a message that is too large: its topic and its number."""
        assert self._cut_left is not None
        wanted = self._wanted()
        taken = min(wanted - len(self._kept), len(view))
        self._kept += view[:taken]
        if len(self._kept) < wanted or wanted < self._wanted():
            return view[taken:]
        kept = bytes(self._kept) + (b"\0" if self._is_v5 else b"")
        out.append(self._head[0])
        out += _as_length(len(kept)) + kept
        self._skip = max(0, self._cut_left - len(self._kept))
        self._cut_left = None
        self._head.clear()
        self.cut += 1
        return view[taken:]

    def _wanted(self) -> int:
        """How many bytes the topic and the number take, as far as is known."""
        if len(self._kept) < 2:
            return 2
        has_number = (self._head[0] >> 1) & 3 > 0
        return 2 + int.from_bytes(self._kept[:2], "big") + (2 if has_number else 0)


class BoundedClient(paho.Client):
    """paho's client behind a `PacketLimit`; `limit_packets` before it connects."""

    _limit: PacketLimit | None = None
    _ready = b""

    def limit_packets(self, limit: PacketLimit) -> None:
        """Let what comes in pass through `limit`."""
        self._limit = limit

    def has_ready(self) -> bool:
        """Bytes have been read off the socket that paho has not taken yet: it will not show as readable."""
        return bool(self._ready)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._limit is None:
            return super()._sock_recv(bufsize)
        if not self._ready:
            self._ready = _read(super()._sock_recv, self._limit)
        data, self._ready = self._ready[:bufsize], self._ready[bufsize:]
        return data


def _read(receive: Callable[[int], bytes], limit: PacketLimit) -> bytes:
    """What the socket has, cut; empty at its end. Raises BlockingIOError where nothing is left of it."""
    data = receive(READ_AT_ONCE)
    if not data:
        return b""
    out = limit.feed(data)
    if not out:
        raise BlockingIOError
    return out


def _length(digits: bytearray) -> int | None:
    """MQTT's variable byte integer; None where it goes on."""
    if not digits or digits[-1] & 0x80:
        return None
    return sum((digit & 0x7F) << (7 * place) for place, digit in enumerate(digits))


def _as_length(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)
