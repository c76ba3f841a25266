"""The other end of a `ConsoleLine`: what the console or a neighbour wants to know of the store process."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable

import msgspec

from runtime import messages
from runtime.messages import Message, PeerGone, WatchRequest
from runtime.processes.service import Input

NOTHING = WatchRequest(False)

log = logging.getLogger(__name__)


class StoreLine:
    """The store process may be away; each one that comes is asked anew. `receive` takes what it says."""

    def __init__(self, receive: Callable[[Message], None]) -> None:
        self._take = receive
        self._sock: socket.socket | None = None
        self._wanted = self._asked = NOTHING

    def attach(self, name: str, fd: int) -> None:
        """The store process is there, for the first time or anew."""
        self.detach(name)
        self._sock = socket.socket(fileno=fd)
        self._sock.setblocking(False)
        self.ask(self._wanted)

    def detach(self, _: str) -> None:
        """The store process is gone."""
        if self._sock is not None:
            self._sock.close()
        self._sock, self._asked = None, NOTHING

    def inputs(self) -> list[Input]:
        """Its socket, while it is there."""
        return [] if self._sock is None else [(self._sock.fileno(), self._read)]

    def ask(self, wanted: WatchRequest) -> None:
        """What is to be told from now on."""
        self._wanted = wanted
        if self._sock is None or wanted == self._asked:
            return
        try:
            messages.send(self._sock, wanted)
        except BlockingIOError:
            return
        except PeerGone:
            self.detach("")
        else:
            self._asked = wanted

    def _read(self) -> None:
        while self._sock is not None:
            try:
                message, fds = messages.receive(self._sock)
            except BlockingIOError:
                break
            except PeerGone:
                self.detach("")
                break
            except msgspec.DecodeError as error:
                log.warning("the store sent what is no record: %s", error)
                continue
            for fd in fds:
                os.close(fd)
            self._take(message)
        self.ask(self._wanted)
