"""A network camera in this process: real RTSP and RTP on loopback, with any fault that is wanted.

    with FakeCamera(access_units(path.read_bytes()), Manner(stamps=lambda taken_s, number: 0.0)) as camera:
        open_source(camera.uri())

It plays access units of H.264 or H.265 or JPEGs, so that decoders get real pictures, over interleaved
TCP or over UDP, to any number of viewers. What it was asked is in `requests`.
"""

from __future__ import annotations

import base64
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType

from testing.cameras.login import CameraLogin
from testing.cameras.manner import Manner
from testing.cameras.packets import JPEG, interleaved, packet, payload_type, payloads, sender_report

CLOCK = 90_000
"""Ticks of RTP time a second."""


class FakeCamera:
    """Serve `units` (access units: NAL units of each picture) again and again; use it in a `with`."""

    def __init__(self, units: Sequence[Sequence[bytes]], manner: Manner | None = None, port: int = 0) -> None:
        self.units = units
        self.manner = manner or Manner()
        self.requests: list[str] = []
        self.sent = 0
        self.started_s: float | None = None
        """When its latest viewer was shown the first picture, UTC seconds."""
        self._server = _Server(("127.0.0.1", port), _Viewer)
        self._server.camera = self
        self.port = int(self._server.server_address[1])
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def uri(self, login: str | None = None, path: str | None = None) -> str:
        """Its address; with the right login where it wants one, unless another ("user:password") is given."""
        manner = self.manner
        if login is None:
            login = f"{manner.user}:{manner.password}" if manner.login else ""
        login += "@" if login else ""
        return f"rtsp://{login}127.0.0.1:{self.port}{manner.path if path is None else path}"

    def __enter__(self) -> FakeCamera:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Hang up on all viewers and listen no more."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        for viewer in tuple(self._server.viewers):
            viewer.hang_up()

    def description(self) -> str:
        """The SDP of what it serves."""
        if self.manner.description:
            return self.manner.description
        number = payload_type(self.manner.coding)
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "t=0 0", f"m=video 0 RTP/AVP {number}"]
        lines += [f"a=rtpmap:{number} {self.manner.coding}/{CLOCK}"]
        lines += [f"a=fmtp:{number} packetization-mode=1{self._sets()}"] if number != JPEG else []
        return "\r\n".join([*lines, f"a=control:{self.manner.control}", ""])

    def _sets(self) -> str:
        if not self.manner.parameter_sets or self.manner.coding != "H264":
            return ""
        found = [next(nal for unit in self.units for nal in unit if nal[0] & 31 == kind) for kind in (7, 8)]
        return ";sprop-parameter-sets=" + ",".join(base64.b64encode(nal).decode() for nal in found)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    camera: FakeCamera

    def __init__(self, address: tuple[str, int], handler: type[_Viewer]) -> None:
        super().__init__(address, handler)
        self.viewers: set[_Viewer] = set()

    def handle_error(self, request: object, client_address: object) -> None:
        """A viewer that has gone is no error."""


class _Viewer(socketserver.StreamRequestHandler):
    """One connection to the camera."""

    server: _Server

    def setup(self) -> None:
        super().setup()
        self.camera = self.server.camera
        self.manner = self.camera.manner
        self.server.viewers.add(self)
        self._login = CameraLogin(self.manner)
        self._udp: tuple[socket.socket, tuple[str, int]] | None = None
        self._writing = threading.Lock()
        self._gone = threading.Event()

    def finish(self) -> None:
        self._gone.set()
        self.server.viewers.discard(self)

    def hang_up(self) -> None:
        self._gone.set()
        self.connection.close()

    def handle(self) -> None:
        while (line := self.rfile.readline()) and not self.camera.stopping.is_set():
            if line.startswith(b"$"):
                head = (line + self.rfile.read(max(0, 4 - len(line))))[:4]
                self.rfile.read(max(0, 4 + int.from_bytes(head[2:4], "big") - len(line)))
                continue
            method, uri, _ = line.decode().split(" ", 2)
            headers: dict[str, str] = {}
            while text := self.rfile.readline().decode().strip():
                name, _, value = text.partition(":")
                headers[name.lower()] = value.strip()
            self.camera.requests.append(method)
            self._answer(method, uri, headers)

    def _answer(self, method: str, uri: str, headers: dict[str, str]) -> None:
        manner = self.manner
        if method == "OPTIONS":
            return self._say("200 OK", headers, {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"})
        if manner.login and not self._login.knows(method, headers.get("authorization", "")):
            return self._say(
                "401 Unauthorized",
                headers,
                {},
                challenges=self._login.challenges(f"n{len(self.camera.requests)}"),
            )
        if method in manner.statuses:
            return self._say(manner.statuses[method], headers, manner.headers)
        if method == "DESCRIBE":
            if not re.search(rf"://[^/]+{re.escape(manner.path)}$", uri):
                return self._say("404 Not Found", headers, {})
            kind = {"Content-Base": self._filled(manner.base, uri)} if manner.base else {}
            kind["Content-Type"] = "application/sdp"
            return self._say("200 OK", headers, kind, self._filled(self.camera.description(), uri))
        if method == "SETUP":
            if manner.track and uri != self._filled(manner.track, uri):
                return self._say("404 Not Found", headers, {})
            return self._set_up(headers)
        self._say("200 OK", headers, {"Session": manner.session})
        if method == "PLAY" and manner.sends:
            threading.Thread(target=self._play, daemon=True).start()
        return None

    def _filled(self, text: str, uri: str) -> str:
        """With the addresses in it that it names."""
        return text.replace("{uri}", uri).replace("{root}", f"rtsp://127.0.0.1:{self.camera.port}")

    def _set_up(self, headers: dict[str, str]) -> None:
        wanted = headers["transport"]
        transport = "tcp" if "TCP" in wanted else "udp"
        if transport not in self.manner.transports:
            return self._say("461 Unsupported Transport", headers, {})
        if transport == "tcp":
            channels = f"interleaved={self.manner.channel}-{self.manner.channel + 1}"
            told = {"Session": self.manner.session, "Transport": f"RTP/AVP/TCP;unicast;{channels}"}
            return self._say("200 OK", headers, told)
        found = re.search(r"client_port=(\d+)", wanted)
        assert found is not None
        sender = socket.socket(type=socket.SOCK_DGRAM)
        sender.bind(("127.0.0.1", 0))
        self._udp = sender, (self.client_address[0], int(found[1]))
        ports = f"client_port={found[1]}-{int(found[1]) + 1};server_port={sender.getsockname()[1]}-0"
        return self._say("200 OK", headers, {"Session": "1", "Transport": f"RTP/AVP;unicast;{ports}"})

    def _say(
        self,
        status: str,
        asked: dict[str, str],
        headers: dict[str, str],
        body: str = "",
        challenges: Sequence[str] = (),
    ) -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {asked.get('cseq', '0')}"]
        lines += [f"WWW-Authenticate: {challenge}" for challenge in challenges]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        if self.manner.small_letters:
            lines[1:] = [
                line.partition(":")[0].lower() + ": " + line.partition(": ")[2] for line in lines[1:]
            ]
        self._write(("\r\n".join([*lines, "", ""]) + body).encode())

    def _write(self, data: bytes) -> None:
        with self._writing:
            self.wfile.write(data)

    def _play(self) -> None:
        """Send the pictures until the viewer has gone."""
        start_s, sequence, number = time.monotonic(), self.manner.first_sequence, 0
        source = 7
        self.camera.started_s = time.time()
        try:
            while not self._gone.is_set():
                taken_s = number / self.manner.fps
                wait_s = start_s + self.manner.delivery(taken_s, number) - time.monotonic()
                if wait_s > 0 and self._gone.wait(wait_s):
                    return
                unit = self.camera.units[number % len(self.camera.units)]
                ticks = round(self.manner.stamps(taken_s, number) * CLOCK) % 2**32
                if self.manner.reports is not None and number % round(self.manner.fps) == 0:
                    report = sender_report(self.manner.reports(taken_s, number), ticks)
                    self._write(interleaved(self.manner.channel + 1, report))
                if self.manner.asks and number % round(self.manner.fps) == 0:
                    self._write(b"OPTIONS * RTSP/1.0\r\nCSeq: %d\r\n\r\n" % (number + 1))
                if self.manner.stray:
                    self._write(interleaved(self.manner.channel + 6, bytes(20)))
                if number == self.manner.new_source_at:
                    source, sequence = 8, 40_000
                pieces = [piece for nal in unit for piece in payloads(nal, self.manner.coding)]
                last = len(pieces) - 1
                self._send(
                    packet(piece, self.manner, sequence + index, ticks, source, last=index == last)
                    for index, piece in enumerate(pieces)
                )
                sequence += len(pieces)
                number += 1
                self.camera.sent = number
        except (OSError, ValueError):
            self._gone.set()

    def _send(self, packets: Iterable[bytes]) -> None:
        """Those of one picture: over TCP together, as a camera's network hands them on."""
        if self._udp is None:
            self._write(b"".join(interleaved(self.manner.channel, one) for one in packets))
            return
        for one in packets:
            self._udp[0].sendto(one, self._udp[1])
