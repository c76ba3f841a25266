"""Bad streams and reader frames, from a peer on the network."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rfid_reader.simulator.llrp.server import SimulatedReader

Says = Callable[[list[str]], str]


class Peer:
    """A server that says the same thing to whoever connects and asks, then hangs up."""

    def __init__(self, answer: bytes, asked: bool) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, args=(answer, asked), daemon=True)
        self.thread.start()

    def serve(self, answer: bytes, asked: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                with self.listener.accept()[0] as client:
                    client.settimeout(5)
                    if not asked or client.recv(4096):
                        client.sendall(answer)
                        client.shutdown(socket.SHUT_WR)
                        client.recv(4096)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


def rtsp(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"RTSP/1.0 {status}", "CSeq: 1", *headers, "", ""]).encode()


BAD_STREAMS = {
    "a camera that refuses the password": (
        rtsp("401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"'),
        "rtsp://127.0.0.1:PORT/1: the camera refuses the password (none was given)",
    ),
    "a camera without that stream": (
        rtsp("404 Not Found"),
        "rtsp://127.0.0.1:PORT/1: the camera has no stream /1",
    ),
    "a web server for a camera": (
        b"HTTP/1.1 200 OK\r\n\r\n",
        "PORT/1: no answer (it does not speak RTSP there: a web server answers",
    ),
    "a camera that hangs up": (b"", "PORT/1: no answer (it hung up without an answer)"),
}


@pytest.mark.parametrize(("answer", "sentence"), BAD_STREAMS.values(), ids=BAD_STREAMS)
def test_a_bad_stream_is_answered_by_its_sentence(says: Says, answer: bytes, sentence: str) -> None:
    peer = Peer(answer, asked=True)
    try:
        said = says(["calibrate", "camera", f"rtsp://127.0.0.1:{peer.port}/1", "--seconds", "1"])
    finally:
        peer.close()
    assert sentence in said.replace(str(peer.port), "PORT")


def llrp(kind: int, body: bytes = b"", length: int | None = None, version: int = 1) -> bytes:
    """An LLRP message: header (version and type, length, id) and body."""
    return struct.pack("!HII", version << 10 | kind, 10 + len(body) if length is None else length, 1) + body


EVENT, REPORT = 63, 61
BAD_FRAMES = {
    "a web server for a reader": (
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "an LLRP header says version 18 (1 or 2 would",
    ),
    "a version from the future": (
        llrp(EVENT, version=7),
        "an LLRP header says version 7 (1 or 2 would be right)",
    ),
    "a message shorter than its header": (llrp(EVENT, length=9), "an LLRP header says 9 bytes (10 to"),
    "a message of 4 GiB": (llrp(EVENT, length=2**32 - 1), "an LLRP header says 4294967295 bytes (10 to"),
    "a message cut short": (llrp(EVENT, length=400) + b"\0" * 20, "the reader closed the connection"),
    "an event whose parameter runs over its end": (
        llrp(EVENT, b"\x00\xf6\x00\x40" + b"\0" * 8),
        "an LLRP parameter says 64 bytes, 12 are left in its message",
    ),
    "a reader that hangs up": (b"", "the reader closed the connection"),
}


@pytest.mark.parametrize(("frame", "sentence"), BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_a_bad_llrp_frame_is_answered_by_its_sentence(
    tmp_path: Path, says: Says, frame: bytes, sentence: str
) -> None:
    peer = Peer(frame, asked=False)
    out = str(tmp_path / "reads.csv")
    try:
        said = says(["rfid", "capture", f"127.0.0.1:{peer.port}", "--seconds", "0.6", "--out", out])
    finally:
        peer.close()
    assert sentence in said


def test_a_reader_that_serves_another_client(tmp_path: Path, says: Says) -> None:
    scenario = tmp_path / "shelf.yaml"
    scenario.write_text(
        "name: s\nantennas: [{port: 1, at: [2, 1]}]\n"
        'racks: [{name: a, at: [2, 2], tags: {count: 1, prefix: "e280"}}]\n'
    )
    out = str(tmp_path / "reads.csv")
    with SimulatedReader(scenario) as reader:
        reader.fault("busy", seconds=10)
        time.sleep(0.3)
        said = says(["rfid", "capture", f"127.0.0.1:{reader.port}", "--seconds", "0.6", "--out", out])
    assert "it already serves another LLRP client; stop that client" in said
