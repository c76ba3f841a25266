"""Records for a peer that may be slow or away for a while."""

from __future__ import annotations

import socket
from collections import deque

from runtime import messages
from runtime.messages import Message, PeerGone

MAX_WAITING = 4_000
"""Records kept while the peer does not take them; beyond it the oldest go and are counted."""


class RecordSender:
    """Sends in order without blocking; keeps what cannot be sent yet."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self.dropped = 0
        self._max_waiting = max_waiting
        self._waiting: deque[Message] = deque()
        self._sock: socket.socket | None = None

    @property
    def blocked_on(self) -> socket.socket | None:
        """The socket to wait on before `flush` can do more; None where nothing waits or nobody listens."""
        return self._sock if self._waiting else None

    @property
    def has_peer(self) -> bool:
        """Whether somebody listens."""
        return self._sock is not None

    def attach(self, sock: socket.socket) -> None:
        """Send to this peer from now on; an earlier one is let go. Owns the socket."""
        self.detach()
        sock.setblocking(False)
        self._sock = sock

    def detach(self) -> None:
        """The peer is gone; what waits is kept for the next one."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def put(self, message: Message) -> None:
        """Queue a message; `flush` sends it."""
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(message)

    def flush(self) -> None:
        """Send what the peer takes."""
        while self._waiting and self._sock is not None:
            try:
                messages.send(self._sock, self._waiting[0])
            except BlockingIOError:
                return
            except PeerGone:
                self.detach()
                return
            self._waiting.popleft()
