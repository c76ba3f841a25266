"""Building and taking apart LLRP parameters, the reader's side.

Written apart from the client's codec on purpose: a mistake in one does not hide the same mistake in the
other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rfid_reader.errors import LlrpFrameError
from rfid_reader.llrp.reports import IMPINJ

SUCCESS, PARAMETER_ERROR, FIELD_ERROR = 0, 100, 101
UNSUPPORTED_MESSAGE, UNSUPPORTED_VERSION, INVALID = 109, 110, 300
_CUSTOM = 1023
_TLV_BIT = 0x80


def tlv(kind: int, *parts: bytes) -> bytes:
    """A TLV parameter around its parts."""
    body = b"".join(parts)
    return struct.pack("!HH", kind, 4 + len(body)) + body


def tv(kind: int, value: bytes) -> bytes:
    """A TV parameter."""
    return bytes((_TLV_BIT | kind,)) + value


def impinj(subtype: int, *parts: bytes) -> bytes:
    """An Impinj custom parameter."""
    return tlv(_CUSTOM, struct.pack("!II", IMPINJ, subtype), *parts)


def u8(value: int) -> bytes:
    return struct.pack("!B", value)


def u16(*values: int) -> bytes:
    return struct.pack(f"!{len(values)}H", *values)


def u32(*values: int) -> bytes:
    return struct.pack(f"!{len(values)}I", *values)


def u64(value: int) -> bytes:
    return struct.pack("!Q", value)


def text(value: str) -> bytes:
    data = value.encode()
    return u16(len(data)) + data


def status(code: int = SUCCESS, description: str = "") -> bytes:
    """LLRPStatus."""
    return tlv(287, u16(code), text(description))


@dataclass(frozen=True)
class Parameter:
    """One TLV parameter of a request. `subtype` is set for Impinj's custom ones, whose kind is 1023."""

    kind: int
    body: bytes
    subtype: int = 0


def parameters(data: bytes) -> Iterator[Parameter]:
    """The TLV parameters that fill `data`. Raises LlrpFrameError where they do not."""
    start = 0
    while start < len(data):
        if len(data) - start < 4 or data[start] & _TLV_BIT:
            raise LlrpFrameError("a request ends in the middle of a parameter")
        kind, length = struct.unpack_from("!HH", data, start)
        if length < 4 or start + length > len(data):
            raise LlrpFrameError(
                f"a parameter of a request says {length} bytes, {len(data) - start} are left"
            )
        body = data[start + 4 : start + length]
        if kind & 0x3FF == _CUSTOM:
            if len(body) < 8:
                raise LlrpFrameError("a custom parameter of a request is cut off")
            vendor, subtype = struct.unpack_from("!II", body)
            yield Parameter(_CUSTOM, body[8:], subtype if vendor == IMPINJ else 0)
        else:
            yield Parameter(kind & 0x3FF, body)
        start += length


def fields(form: str, data: bytes) -> tuple[int, ...]:
    """Unpack the fixed fields at the start of a parameter. Raises LlrpFrameError where it is too short."""
    try:
        return struct.unpack_from(form, data)
    except struct.error:
        raise LlrpFrameError(
            f"a parameter of a request holds {len(data)} bytes, its fields need more"
        ) from None
