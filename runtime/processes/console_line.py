"""The store process's line to the console, which may be absent, slow or not looking."""

from __future__ import annotations

import os
import socket

import msgspec

from runtime import messages
from runtime.messages import CameraNow, Committed, FloorNow, PeerGone, WatchRequest
from runtime.processes.service import Input

NOBODY_LOOKS = WatchRequest(False)


class ConsoleLine:
    """Tells the console what it wants to know; what it does not take at once is left out."""

    def __init__(self) -> None:
        self.wanted = NOBODY_LOOKS
        self._sock: socket.socket | None = None
        self._seq = self._told_seq = 0

    def attach(self, name: str, fd: int) -> None:
        """The console is there, for the first time or anew."""
        self.detach(name)
        self._sock = socket.socket(fileno=fd)
        self._sock.setblocking(False)
        self._told_seq = 0
        self.committed(self._seq)

    def detach(self, _: str) -> None:
        """The console is gone."""
        if self._sock is not None:
            self._sock.close()
        self._sock, self.wanted = None, NOBODY_LOOKS

    def inputs(self) -> list[Input]:
        """Its socket, while it is there."""
        return [] if self._sock is None else [(self._sock.fileno(), self._receive)]

    def committed(self, seq: int) -> None:
        """Events up to `seq` are on disk."""
        self._seq = seq
        if seq != self._told_seq and self.tell(Committed(seq)):
            self._told_seq = seq

    def tell(self, message: Committed | FloorNow | CameraNow) -> bool:
        """Whether the console has taken it."""
        if self._sock is None:
            return False
        try:
            messages.send(self._sock, message)
        except (BlockingIOError, ValueError):
            return False
        except PeerGone:
            self.detach("")
            return False
        return True

    def _receive(self) -> None:
        while self._sock is not None:
            try:
                message, fds = messages.receive(self._sock)
            except BlockingIOError:
                return
            except (PeerGone, msgspec.DecodeError):
                self.detach("")
                return
            for fd in fds:
                os.close(fd)
            if isinstance(message, WatchRequest):
                self.wanted = message
