"""A relay between an LLRP client and a reader that keeps every byte, and writes them as a packet capture.

A capture from the network card needs rights that a test does not have. The bytes are the same; the packets
around them are made here: plain IPv4 and TCP on the LLRP port, with sequence numbers that fit.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from pathlib import Path

PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, 101)
CLIENT, READER = (b"\x0a\x00\x00\x01", 40_000), (b"\x0a\x00\x00\x02", 5084)
SEGMENT_BYTES = 1400
SYN, ACK, PUSH = 0x02, 0x10, 0x08
MAX_KEPT_BYTES = 64 << 20


class RecordingRelay:
    """Listens on `port`, passes one client at a time on to a reader on this machine; use as a context
    manager.

    Keeps at most MAX_KEPT_BYTES; what comes on top is passed on and not kept.
    """

    def __init__(self, reader_port: int) -> None:
        self._reader_port = reader_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.chunks: list[tuple[float, bool, bytes]] = []
        """Time, whether the reader sent it, and the bytes."""
        self._kept = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording relay", daemon=True)

    def __enter__(self) -> RecordingRelay:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self._listener.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._listener], [], [], 0.1)[0]:
                continue
            client, _ = self._listener.accept()
            with (
                client,
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self._reader_port)) as reader,
            ):
                self._pass_on(client, reader)

    def _pass_on(self, client: socket.socket, reader: socket.socket) -> None:
        while not self._stop.is_set():
            for source in select.select([client, reader], [], [], 0.1)[0]:
                data = source.recv(1 << 16)
                if not data:
                    return
                from_reader = source is reader
                (client if from_reader else reader).sendall(data)
                if self._kept + len(data) <= MAX_KEPT_BYTES:
                    self._kept += len(data)
                    self.chunks.append((time.time(), from_reader, data))

    def write_pcap(self, path: Path) -> None:
        """Everything kept, as one TCP connection."""
        sent = {False: 1, True: 1}
        with path.open("wb") as file:
            file.write(PCAP_HEADER)
            start_s = self.chunks[0][0] if self.chunks else 0.0
            for from_reader, flags in ((False, SYN), (True, SYN | ACK)):
                file.write(_packet(start_s, from_reader, 0, 1 if flags & ACK else 0, flags, b""))
            for time_s, from_reader, data in self.chunks:
                for place in range(0, len(data), SEGMENT_BYTES):
                    part = data[place : place + SEGMENT_BYTES]
                    acknowledged = sent[not from_reader]
                    file.write(
                        _packet(time_s, from_reader, sent[from_reader], acknowledged, ACK | PUSH, part)
                    )
                    sent[from_reader] += len(part)


def _packet(
    time_s: float, from_reader: bool, number: int, acknowledged: int, flags: int, data: bytes
) -> bytes:
    """A pcap record: an IPv4 packet with a TCP segment; checksums 0 (nobody checks them in a file)."""
    (source, source_port), (target, target_port) = (READER, CLIENT) if from_reader else (CLIENT, READER)
    tcp = struct.pack(
        "!HHIIBBHHH", source_port, target_port, number, acknowledged, 5 << 4, flags, 65_535, 0, 0
    )
    length = 20 + len(tcp) + len(data)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0x4000, 64, 6, 0, source, target)
    whole = ip + tcp + data
    return struct.pack("<IIII", int(time_s), int(time_s % 1 * 1e6), len(whole), len(whole)) + whole
