"""The records that processes of the box send each other.

MessagePack (msgspec), one record a datagram, over inherited `SOCK_SEQPACKET` sockets; pixels never travel
this way. `time_s` is UTC seconds on the host's steady timeline (`runtime.clock`).

    camera <-> vision       FrameReady, FrameDone
    vision  -> store        PersonsSeen (FramesMissed the store makes itself, of the health of cameras)
    reader  -> store        TagFlip, TagPresence, TagsRead
    reader  -> console      ReaderReads
    store   -> uplink       Committed
    store   -> console      Committed, FloorNow, CameraNow
    console -> store        WatchRequest
    console -> camera       FrameWanted, FrameDone, for FrameReady
    child   -> supervisor   Health
    console -> supervisor   ReloadWanted
    supervisor -> child     Attach, Detach, Configure, Stop; Health of the others to the store process
"""

from __future__ import annotations

from runtime.messages.control import Attach, Configure, Detach, Health, HealthState, ReloadWanted, Stop
from runtime.messages.floor import CameraNow, Committed, FloorNow, InFrame, OnFloor, WatchRequest
from runtime.messages.persons import FrameDone, FrameReady, FramesMissed, FrameWanted, Person, PersonsSeen
from runtime.messages.sockets import (
    MAX_FDS,
    MAX_RECORD_BYTES,
    Message,
    PeerGone,
    decode,
    encode,
    pair,
    receive,
    send,
)
from runtime.messages.tags import AntennaReads, ReaderReads, TagFlip, TagPresence, TagsRead

__all__ = [
    "MAX_FDS",
    "MAX_RECORD_BYTES",
    "AntennaReads",
    "Attach",
    "CameraNow",
    "Committed",
    "Configure",
    "Detach",
    "FloorNow",
    "FrameDone",
    "FrameReady",
    "FrameWanted",
    "FramesMissed",
    "Health",
    "HealthState",
    "InFrame",
    "Message",
    "OnFloor",
    "PeerGone",
    "Person",
    "PersonsSeen",
    "ReaderReads",
    "ReloadWanted",
    "Stop",
    "TagFlip",
    "TagPresence",
    "TagsRead",
    "WatchRequest",
    "decode",
    "encode",
    "pair",
    "receive",
    "send",
]
