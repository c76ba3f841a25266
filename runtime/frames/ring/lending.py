"""The two ends of a frame socket: a camera lends slots of its ring, a reader gives them back.

Every message moves the ownership of one slot. Both ends of the socket are non-blocking; at most
`SlotLedger.lent_max` messages are under way in either direction, so a full socket is a broken peer.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import msgspec

from runtime import messages
from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import FrameHeader, FrameRing, Image
from runtime.frames.ring.slots import LedgerError, SlotLedger
from runtime.messages import FrameDone, FrameReady, FrameWanted

MAX_READERS = 8
MAX_READY_BYTES = 256
READER_BUSY = "reader busy"

_decode_ready = msgspec.msgpack.Decoder(FrameReady).decode


class FrameLender:
    """The camera's end: tells every reader of a filled slot and takes slots back.

    `drops` counts frames that a reader was not told of, by reason.
    """

    def __init__(self, ring: FrameRing, lent_max: int | None = None) -> None:
        self.ring = ring
        self.ledger = SlotLedger(ring.slots, lent_max)
        self.drops: Counter[str] = Counter()
        self._readers: dict[str, socket.socket] = {}
        self._on_request: set[str] = set()
        self._wanting: set[str] = set()

    @property
    def constant_readers(self) -> list[str]:
        """Those who are told of every frame."""
        return [name for name in self._readers if name not in self._on_request]

    @property
    def readers(self) -> dict[str, socket.socket]:
        """The sockets of the readers, to wait on."""
        return dict(self._readers)

    def add_reader(self, name: str, sock: socket.socket, *, on_request: bool = False) -> None:
        """Lend frames to `name` from now on; an earlier reader of that name is gone. Owns the socket.

        A reader `on_request` is told of the next frame each time it asks (`FrameConsumer.ask`), and is never
        what a source waits for. Raises FrameError beyond MAX_READERS readers.
        """
        self.remove_reader(name)
        if len(self._readers) >= MAX_READERS:
            sock.close()
            raise FrameError(f"a ring serves at most {MAX_READERS} readers, {name} is one too many")
        sock.setblocking(False)
        self._readers[name] = sock
        if on_request:
            self._on_request.add(name)

    def remove_reader(self, name: str) -> None:
        """Take back every slot that `name` holds and close its socket; nothing happens if it is unknown."""
        sock = self._readers.pop(name, None)
        self._on_request.discard(name)
        self._wanting.discard(name)
        if sock is not None:
            sock.close()
            self.ledger.forget(name)

    def lend(self, slot: int, header: FrameHeader) -> int:
        """Tell the readers that `slot` (taken from the ledger, filled and stamped) holds a frame.

        Returns how many were told; a reader that holds as many slots as it may is not, which is counted.
        """
        message = FrameReady(slot, header.sequence, header.time_s)
        told: list[str] = []
        for name in tuple(self._readers):
            if name in self._on_request and name not in self._wanting:
                continue
            if not self.ledger.may_lend_to(name):
                self.drops[READER_BUSY] += 1
            elif self._tell(name, message):
                told.append(name)
                self._wanting.discard(name)
        self.ledger.lend(slot, header.sequence, told)
        return len(told)

    def take_back(self, name: str) -> int:
        """Handle what `name` has sent; returns how many slots it gave back.

        A reader that closed, or that says what it cannot know, is removed.
        """
        returned = 0
        while (sock := self._readers.get(name)) is not None:
            try:
                message, fds = messages.receive(sock)
                for fd in fds:
                    os.close(fd)
                if isinstance(message, FrameWanted) and name in self._on_request:
                    self._wanting.add(name)
                    continue
                if fds or not isinstance(message, FrameDone):
                    raise LedgerError(f"reader {name} sent {type(message).__name__}, which is not FrameDone")
                self.ledger.give_back(name, message.slot, message.sequence)
                returned += 1
            except BlockingIOError:
                break
            except (messages.PeerGone, msgspec.DecodeError, LedgerError):
                self.remove_reader(name)
        return returned

    def take_back_all(self) -> None:
        """Handle what any reader has sent."""
        for name in tuple(self._readers):
            self.take_back(name)

    def close(self) -> None:
        """Let every reader go."""
        for name in tuple(self._readers):
            self.remove_reader(name)

    def _tell(self, name: str, message: FrameReady) -> bool:
        try:
            messages.send(self._readers[name], message)
        except BlockingIOError:
            self.drops[READER_BUSY] += 1
            return False
        except messages.PeerGone:
            self.remove_reader(name)
            return False
        return True


class LeasedRing:
    """A lender that two threads share: one fills slots, the other looks after its readers.

    What readers send (slots that come back, a frame that is wanted) matters when the next slot is to be
    filled: it is handled then, and when somebody counts the slots, so that no thread wakes up for it.
    """

    def __init__(self, lender: FrameLender) -> None:
        self.lender = lender
        self.lock = threading.Lock()

    def take(self) -> int | None:
        """A free slot to fill, or None."""
        with self.lock:
            self.lender.take_back_all()
            return self.lender.ledger.take()

    def readers_are_ready(self) -> bool:
        """Whether there is a slot, and a reader, and each reader may be told of it."""
        with self.lock:
            self.lender.take_back_all()
            ledger, readers = self.lender.ledger, self.lender.constant_readers
            return ledger.free > 0 and bool(readers) and all(map(ledger.may_lend_to, readers))

    def put_back(self, slot: int) -> None:
        """The slot was not filled after all."""
        with self.lock:
            self.lender.ledger.put_back(slot)

    def lend(self, slot: int, header: FrameHeader) -> None:
        """The slot is filled: stamp it and tell the readers."""
        self.lender.ring.stamp(slot, header)
        with self.lock:
            self.lender.lend(slot, header)


class FrameConsumer:
    """A reader's end: frames of one camera, each held until it is given back.

    Closing it (or dying) gives back whatever it held.
    """

    def __init__(self, ring: FrameRing, sock: socket.socket) -> None:
        """Owns both the ring and the socket from here on."""
        self.ring = ring
        self.sock = sock
        self._receive = sock.recv
        sock.setblocking(False)

    def receive(self) -> FrameReady | None:
        """The next frame that was lent to us, or None where none is waiting.

        Raises messages.PeerGone where the camera is gone and FrameError where it talks nonsense.
        """
        try:
            data = self._receive(MAX_READY_BYTES)
        except BlockingIOError:
            return None
        except ConnectionResetError as error:
            raise messages.PeerGone from error
        if not data:
            raise messages.PeerGone
        try:
            ready = _decode_ready(data)
        except msgspec.DecodeError as error:
            raise FrameError("a camera sent a record that is not FrameReady") from error
        if not 0 <= ready.slot < self.ring.slots:
            raise FrameError(f"a camera lent slot {ready.slot}; its ring has {self.ring.slots}")
        return ready

    def waiting(self) -> Iterator[FrameReady]:
        """All frames that are waiting, oldest first. Raises as `receive` does."""
        while (ready := self.receive()) is not None:
            yield ready

    def newest(self) -> FrameReady | None:
        """The newest waiting frame, or None; older ones are given back unseen. Raises as `receive` does."""
        newest: FrameReady | None = None
        for ready in self.waiting():
            if newest is not None:
                self.give_back(newest)
            newest = ready
        return newest

    def frame(self, ready: FrameReady) -> Image:
        """The pixels of a lent frame, in place (see FrameRing.frame)."""
        return self.ring.frame(ready.slot)

    def header(self, ready: FrameReady) -> FrameHeader:
        """The header of a lent frame."""
        return self.ring.header(ready.slot)

    def give_back(self, ready: FrameReady) -> None:
        """Done with a frame: its view must not be used any more. Raises messages.PeerGone."""
        messages.send(self.sock, FrameDone(ready.slot, ready.sequence))

    def ask(self) -> None:
        """Ask for the next frame, as a reader on request. Raises messages.PeerGone, BlockingIOError."""
        messages.send(self.sock, FrameWanted())

    def close(self) -> None:
        """Give everything back and let go of the ring."""
        self.sock.close()
        self.ring.close()
