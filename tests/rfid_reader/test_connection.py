from __future__ import annotations

import socket
import struct
import threading
import time

import pytest

from rfid_reader.connection import Connection
from rfid_reader.errors import ReaderSilent
from rfid_reader.settings import ReaderSettings, Timing

ENDLESS = struct.pack("!HII", 1 << 10 | 61, 10_000, 1)


def test_bytes_that_never_make_a_frame_are_silence() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def dribble() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(ENDLESS)
            while not over.wait(0.02):
                peer.sendall(b"\0")

    thread = threading.Thread(target=dribble)
    thread.start()
    settings = ReaderSettings(
        "127.0.0.1", listener.getsockname()[1], timing=Timing(keepalive_s=0.2, answer_s=0.5)
    )
    connection = Connection(settings, lambda body: None, lambda event: None, lambda: None)
    try:
        began_s = time.monotonic()
        with pytest.raises(ReaderSilent, match="not even a keepalive"):
            while time.monotonic() - began_s < 20.0:
                connection.pump(0.05)
    finally:
        over.set()
        thread.join()
        connection.close()
        listener.close()
