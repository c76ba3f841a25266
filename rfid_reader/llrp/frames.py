"""Cutting the byte stream of an LLRP connection into messages.

A message starts with a 10-byte header: 3 reserved bits, 3 bits version, 10 bits type; 32 bits length
(header included); 32 bits message id (LLRP 1.0.1, section 15.1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rfid_reader.errors import LlrpFrameError

HEADER = struct.Struct("!HII")
VERSIONS = (1, 2)
MAX_FRAME_BYTES = 1 << 20

GET_READER_CAPABILITIES, GET_READER_CAPABILITIES_RESPONSE = 1, 11
GET_READER_CONFIG, GET_READER_CONFIG_RESPONSE = 2, 12
SET_READER_CONFIG, SET_READER_CONFIG_RESPONSE = 3, 13
CLOSE_CONNECTION, CLOSE_CONNECTION_RESPONSE = 14, 4
ADD_ROSPEC, DELETE_ROSPEC, START_ROSPEC, STOP_ROSPEC, ENABLE_ROSPEC, DISABLE_ROSPEC, GET_ROSPECS = range(
    20, 27
)
ADD_ACCESSSPEC, DELETE_ACCESSSPEC, ENABLE_ACCESSSPEC, DISABLE_ACCESSSPEC, GET_ACCESSSPECS = range(40, 45)
RO_ACCESS_REPORT = 61
KEEPALIVE, KEEPALIVE_ACK = 62, 72
READER_EVENT_NOTIFICATION = 63
ENABLE_EVENTS_AND_REPORTS = 64
ERROR_MESSAGE = 100
CUSTOM_MESSAGE = 1023


@dataclass(frozen=True)
class LlrpFrame:
    """One whole LLRP message; `body` is what follows the 10-byte header."""

    type: int
    message_id: int
    body: bytes
    version: int = 1

    def encode(self) -> bytes:
        return (
            HEADER.pack(self.version << 10 | self.type, HEADER.size + len(self.body), self.message_id)
            + self.body
        )


class FrameSplitter:
    """Collects received bytes and hands out whole messages.

    Holds at most one incomplete message, which the length check limits to `max_frame_bytes`.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()

    @property
    def pending_bytes(self) -> int:
        """Bytes of the message that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[LlrpFrame]:
        """Yield the whole messages that `data` completes, in order.

        Raises LlrpFrameError at the first byte sequence that cannot be a message, after everything before it
        was yielded. The stream is of no use after that.
        """
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= HEADER.size:
                word, length, message_id = HEADER.unpack_from(self._buffer, start)
                version = word >> 10
                if version not in VERSIONS:
                    raise LlrpFrameError(f"an LLRP header says version {version} (1 or 2 would be right)")
                if not HEADER.size <= length <= self.max_frame_bytes:
                    raise LlrpFrameError(
                        f"an LLRP header says {length} bytes "
                        f"({HEADER.size} to {self.max_frame_bytes} would be right)"
                    )
                if len(self._buffer) - start < length:
                    break
                body = bytes(self._buffer[start + HEADER.size : start + length])
                start += length
                yield LlrpFrame(word & 0x3FF, message_id, body, version)
        finally:
            del self._buffer[:start]
