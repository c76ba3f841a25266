"""A TCP proxy on loopback that can go deaf: connections stay open and nothing passes any more."""

from __future__ import annotations

import select
import socket
import threading

from broker.mosquitto import free_port

POLL_S = 0.02
CHUNK_BYTES = 65_536

Pair = tuple[socket.socket, socket.socket]


class DeafProxy:
    """Passes everything to `target_port` until `deaf` is set; `forget` leaves old connections dead for good.

    To either end that looks like a link that was cut without a word: a half-open connection.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.deaf = False
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._pairs: list[Pair] = []
        self._dead: list[Pair] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Let new connections pass; those open by now stay open and silent."""
        self._dead += self._pairs
        self._pairs = []
        self.deaf = False

    def give_up(self) -> None:
        """The target's TCP gives up on the dead connections, as it does in the end."""
        for _, far in self._dead:
            far.close()

    def close(self) -> None:
        """Close everything."""
        self._closing = True
        self._thread.join()
        self._listener.close()
        for pair in self._pairs + self._dead:
            for end in pair:
                end.close()

    def _run(self) -> None:
        while not self._closing:
            sockets = [self._listener, *(end for pair in self._pairs for end in pair)]
            readable, _, _ = select.select([] if self.deaf else sockets, [], [], POLL_S)
            for sock in readable:
                if sock is self._listener:
                    self._accept()
                else:
                    self._pass_on(sock)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._target_port))
        except OSError:
            near.close()
            return
        self._pairs.append((near, far))

    def _pass_on(self, sock: socket.socket) -> None:
        pair = next((pair for pair in self._pairs if sock in pair), None)
        if pair is None:
            return
        other = pair[1] if sock is pair[0] else pair[0]
        try:
            data = sock.recv(CHUNK_BYTES)
            other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._pairs.remove(pair)
            for end in pair:
                end.close()
