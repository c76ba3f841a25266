"""Records on the sockets between processes, with descriptors where they come along."""

from __future__ import annotations

import array
import socket

import msgspec

from runtime.messages.control import Attach, Configure, Detach, Health, ReloadWanted, Stop
from runtime.messages.floor import CameraNow, Committed, FloorNow, WatchRequest
from runtime.messages.persons import FrameDone, FrameReady, FramesMissed, FrameWanted, PersonsSeen
from runtime.messages.tags import ReaderReads, TagFlip, TagPresence, TagsRead

MAX_RECORD_BYTES = 60_000
"""A larger record is a fault of the sender; datagrams of that size fit the default socket buffers."""

MAX_FDS = 4

Message = (
    FrameReady
    | FrameDone
    | FrameWanted
    | PersonsSeen
    | FramesMissed
    | TagFlip
    | TagPresence
    | TagsRead
    | ReaderReads
    | Committed
    | WatchRequest
    | FloorNow
    | CameraNow
    | Health
    | ReloadWanted
    | Attach
    | Detach
    | Configure
    | Stop
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


class PeerGone(Exception):
    """The other end of a record socket has closed."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected record sockets, inheritable by descriptor passing only."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def encode(message: Message) -> bytes:
    """The datagram for one message. Raises ValueError where it would exceed MAX_RECORD_BYTES."""
    data = _encoder.encode(message)
    if len(data) > MAX_RECORD_BYTES:
        raise ValueError(f"a {type(message).__name__} of {len(data)} bytes exceeds {MAX_RECORD_BYTES}")
    return data


def decode(data: bytes) -> Message:
    """The message in one datagram. Raises msgspec.DecodeError for anything else."""
    message: Message = _decoder.decode(data)
    return message


def send(sock: socket.socket, message: Message, fds: tuple[int, ...] = ()) -> None:
    """Send one message, with descriptors if given.

    Raises BlockingIOError where a non-blocking socket is full and PeerGone where the other end closed.
    """
    data = encode(message)
    try:
        if fds:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
            sock.sendmsg([data], [rights])
        else:
            sock.send(data)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise PeerGone from error


def receive(sock: socket.socket) -> tuple[Message, tuple[int, ...]]:
    """The next message and the descriptors that came with it.

    Raises BlockingIOError where nothing is waiting and PeerGone where the other end closed. Descriptors
    are close-on-exec and belong to the caller.
    """
    space = socket.CMSG_LEN(MAX_FDS * array.array("i").itemsize)
    try:
        data, ancillary, _, _ = sock.recvmsg(MAX_RECORD_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError as error:
        raise PeerGone from error
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    if not data:
        raise PeerGone
    return decode(data), tuple(fds)
