"""Signals are only noted; the supervisor's loop acts on them."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType


def _waking_pair() -> tuple[socket.socket, socket.socket]:
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    return ends


@dataclass
class Signals:
    """What was asked for, and a socket (`wake[0]`) that becomes readable when something is."""

    stop: bool = False
    reload: bool = False
    wake: tuple[socket.socket, socket.socket] = field(default_factory=_waking_pair)

    def install(self) -> None:
        """SIGTERM and SIGINT ask to stop, SIGHUP to reload."""
        signal.set_wakeup_fd(self.wake[1].fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def drain(self) -> None:
        """Empty the socket."""
        with suppress(BlockingIOError):
            while self.wake[0].recv(64):
                pass

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        else:
            self.stop = True
