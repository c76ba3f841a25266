from __future__ import annotations

import socket
import struct
import threading
import time

import pytest

from rfid_reader.errors import ReaderRefused, ReaderSilent
from rfid_reader.llrp import frames
from rfid_reader.llrp.frames import LlrpFrame
from rfid_reader.session.connection import Connection
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


def test_what_came_while_this_process_was_held_up_is_heard_before_the_reader_is_called_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    timing = Timing(keepalive_s=0.1, missed_keepalives=1.0, answer_s=0.1)
    settings = ReaderSettings("127.0.0.1", listener.getsockname()[1], timing=timing)
    reports: list[bytes] = []
    connection = Connection(settings, reports.append, lambda event: None, lambda: None)
    peer, _ = listener.accept()
    readable = connection._readable

    def held_up(timeout_s: float) -> bool:
        monkeypatch.setattr(connection, "_readable", readable)
        found = readable(0.0)
        peer.sendall(LlrpFrame(frames.RO_ACCESS_REPORT, 1, b"read").encode())
        time.sleep(0.2)
        return found

    monkeypatch.setattr(connection, "_readable", held_up)
    try:
        assert connection.pump(0.0)
        assert reports == [b"read"]
        time.sleep(0.2)
        with pytest.raises(ReaderSilent):
            connection.pump(0.0)
    finally:
        connection.close()
        peer.close()
        listener.close()


def test_what_a_reader_says_of_a_refusal_is_one_short_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = ReaderSettings("127.0.0.1", listener.getsockname()[1])
        connection = Connection(settings, lambda body: None, lambda event: None, lambda: None)
        said = b"no\n2026 tagsight: all is well \x1b[2J" + b"x" * 5_000
        with pytest.raises(ReaderRefused) as caught:
            connection._checked(
                "ADD_ROSPEC", {"LLRPStatus": {"StatusCode": "M_FieldError", "ErrorDescription": said}}
            )
        connection.close()
    assert str(caught.value).isprintable() and "no 2026" in str(caught.value) and len(str(caught.value)) < 700
