"""A child's line to its supervisor: commands and descriptors in, health and wishes out."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable

from runtime import messages
from runtime.messages import Configure, Health, Message, PeerGone, ReloadWanted, Stop

Handler = Callable[[Message, tuple[int, ...]], bool]
"""Handles a command; True where it has taken over the descriptors that came with it."""

log = logging.getLogger(__name__)


class ControlLine:
    """The control socket of one child. `stopping` is set by `Stop` and by the supervisor's end."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self.stopping = False
        self.lost_reports = 0
        """Health reports that the supervisor did not take."""

    def fileno(self) -> int:
        """For select and poll."""
        return self._sock.fileno()

    def receive(self, handle: Handler) -> None:
        """Hand every waiting command to `handle`; descriptors that it does not take over are closed."""
        while not self.stopping:
            try:
                message, fds = messages.receive(self._sock)
            except BlockingIOError:
                return
            except PeerGone:
                self.stopping = True
                return
            self.stopping = isinstance(message, Stop)
            if isinstance(message, Configure):
                logging.getLogger().setLevel(message.log_level)
            if not handle(message, fds):
                _close_unexpected(message, fds)

    def ask_for_reload(self) -> bool:
        """Say that the configuration file is another one; False where the supervisor does not listen now."""
        try:
            messages.send(self._sock, ReloadWanted())
        except (BlockingIOError, PeerGone):
            return False
        return True

    def report(self, health: Health) -> None:
        """Report health; one that the supervisor does not take at once is counted, not waited for."""
        try:
            messages.send(self._sock, health)
        except BlockingIOError:
            self.lost_reports += 1
        except PeerGone:
            self.stopping = True


def _close_unexpected(message: Message, fds: tuple[int, ...]) -> None:
    for fd in fds:
        log.warning("a descriptor that came with %s was not expected", message)
        os.close(fd)
