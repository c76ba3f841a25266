"""The store process's lines to the console and others who look on: any may be absent, slow or not looking."""

from __future__ import annotations

import os
import socket

import msgspec

from runtime import messages
from runtime.messages import CameraNow, Committed, FloorNow, PeerGone, WatchRequest
from runtime.processes.service import Input

NOBODY_LOOKS = WatchRequest(False)


class ConsoleLine:
    """Tells one onlooker what it wants to know; what it does not take at once is left out."""

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


class ConsoleLines:
    """Everybody who looks on, by name."""

    def __init__(self) -> None:
        self._lines: dict[str, ConsoleLine] = {}
        self._seq = 0

    def attach(self, name: str, fd: int) -> None:
        """One is there, for the first time or anew."""
        line = self._lines.setdefault(name, ConsoleLine())
        line.attach(name, fd)
        line.committed(self._seq)

    def detach(self, name: str) -> None:
        """One is gone."""
        line = self._lines.pop(name, None)
        if line is not None:
            line.detach(name)

    def inputs(self) -> list[Input]:
        """The sockets of those who are there."""
        return [one for line in self._lines.values() for one in line.inputs()]

    def committed(self, seq: int) -> None:
        """Events up to `seq` are on disk."""
        self._seq = seq
        for line in self._lines.values():
            line.committed(seq)

    @property
    def want_people(self) -> bool:
        """Whether any of them wants to be told who is on the floor."""
        return any(line.wanted.people for line in self._lines.values())

    def tell_people(self, floor: FloorNow) -> None:
        """Those who want to be told who is on the floor."""
        for line in self._lines.values():
            if line.wanted.people:
                line.tell(floor)

    def want_camera(self, name: str) -> bool:
        """Whether any of them looks at that camera's frames."""
        return any(name in line.wanted.cameras for line in self._lines.values())

    def tell_camera(self, now: CameraNow) -> None:
        """Those who look at the camera's frames."""
        for line in self._lines.values():
            if now.camera in line.wanted.cameras:
                line.tell(now)
