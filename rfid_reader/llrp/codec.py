"""sllurp's message codec behind two functions; nothing else of sllurp is used.

Why so small: the codec is sound, but it neither limits nor checks lengths, so every decode here runs on one
whole frame of limited size and turns whatever the codec raises into LlrpFrameError.
"""

from __future__ import annotations

import struct
from typing import Any

from sllurp.llrp_proto import Message_struct, Message_Type2Name

from rfid_reader.errors import LlrpFrameError
from rfid_reader.llrp.frames import CUSTOM_MESSAGE, LlrpFrame

Message = dict[str, Any]
_MAX_DEPTH_ERROR = "nested too deeply"


def encode_message(name: str, message_id: int, fields: Message | None = None, extra: bytes = b"") -> bytes:
    """One message as bytes, by sllurp's message and field names; `extra` are whole parameters that follow,
    for those that sllurp cannot encode."""
    definition = Message_struct[name]
    body: bytes = definition["encode"](fields or {}, definition) + extra
    if definition["type"] == CUSTOM_MESSAGE:
        body = struct.pack("!IB", definition["vendorid"], definition["subtype"]) + body
    return LlrpFrame(definition["type"], message_id, body).encode()


def message_name(frame: LlrpFrame) -> str:
    """sllurp's name of a message, or "" for a type it does not know."""
    vendor = subtype = 0
    if frame.type == CUSTOM_MESSAGE:
        if len(frame.body) < 5:
            raise LlrpFrameError("a custom LLRP message is cut off in its header")
        vendor, subtype = struct.unpack_from("!IB", frame.body)
    return str(Message_Type2Name.get((frame.type, vendor, subtype), ""))


def decode_message(frame: LlrpFrame) -> Message:
    """The fields of one message.

    Raises LlrpFrameError if it is unknown, or its parameters do not add up.
    """
    name = message_name(frame)
    decode = Message_struct[name].get("decode") if name else None
    if decode is None:
        raise LlrpFrameError(f"LLRP message type {frame.type} cannot be decoded")
    check_parameters(frame.body[5:] if frame.type == CUSTOM_MESSAGE else frame.body)
    body = frame.body[5:] if frame.type == CUSTOM_MESSAGE else frame.body
    try:
        message: Message = decode(body, name)
    except RecursionError:
        raise LlrpFrameError(f"{name} is {_MAX_DEPTH_ERROR}") from None
    except Exception as error:  # noqa: BLE001 - whatever it raises, the frame is bad
        raise LlrpFrameError(f"{name} is malformed: {error}") from None
    return message


def check_parameters(body: bytes) -> None:
    """Check that the top-level TLV parameters of a message fill it exactly. Raises LlrpFrameError."""
    start = 0
    while start < len(body):
        if len(body) - start < 4 or body[start] & 0x80:
            raise LlrpFrameError("an LLRP message ends in the middle of a parameter")
        length = struct.unpack_from("!H", body, start + 2)[0]
        if length < 4 or start + length > len(body):
            raise LlrpFrameError(
                f"an LLRP parameter says {length} bytes, {len(body) - start} are left in its message"
            )
        start += length
