"""A network camera in this process: real RTSP and RTP on loopback, with any fault that is wanted.

    with FakeCamera(access_units(path.read_bytes()), Manner(stamps=lambda taken_s, number: 0.0)) as camera:
        open_source(camera.uri())

It plays access units of H.264 or H.265 or JPEGs, so that decoders get real pictures, over interleaved
TCP or over UDP, to any number of viewers. What it was asked is in `requests`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from testing.cameras.rtp_jpeg import rtp_payloads

CLOCK = 90_000
"""Ticks of RTP time a second."""
MAX_PAYLOAD = 1200
JPEG = 26
"""RTP's payload type for it."""
H265_FIRST_PICTURE, H265_LAST_PICTURE = 0, 31

Stamps = Callable[[float, int], float]
"""Seconds that picture `number`, taken `taken_s` after the start, is stamped with."""
Delivery = Callable[[float, int], float]
"""When that picture is sent, seconds after the start."""
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True)
class Manner:
    """How a camera behaves."""

    fps: float = 25.0
    login: tuple[str, ...] = ()
    """Ways to log in that it offers, in that order: Basic, MD5, SHA-256, or another word."""
    user: str = "ann"
    password: str = "geheim"
    transports: tuple[str, ...] = ("tcp", "udp")
    statuses: dict[str, str] = field(default_factory=dict)
    """By method, an answer in place of 200, such as {"SETUP": "453 Not Enough Bandwidth"}."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with those answers."""
    description: str = ""
    """SDP in place of its own."""
    parameter_sets: bool = True
    """Whether the description holds them."""
    stamps: Stamps = lambda taken_s, number: taken_s
    delivery: Delivery = lambda taken_s, number: taken_s
    sends: bool = True
    """Whether pictures come at all after PLAY."""
    coding: str = "H264"
    path: str = "/live"
    base: str = "{uri}/"
    """The Content-Base of its description: {uri} is what was asked for, {root} scheme, host and port of it;
    empty where it sends none."""
    control: str = "track1"
    """Where its description says that the pictures are set up."""
    track: str = ""
    """The one address at which they can be set up, {root} as above; empty where any will do."""
    nonces: int = 1_000_000
    """So many requests are answered before a nonce runs out."""
    protection: str = ""
    """The `qop` of a digest: auth, auth-int, both with a comma, or nothing."""
    extension: bool = False
    """Whether each packet has a header extension, as ONVIF's replays have (RFC 3550, 5.3.1)."""
    padding: int = 0
    """Bytes behind the payload of each packet that are to be left out."""
    first_sequence: int = 0
    """Number of the first packet, of 16 bits."""
    new_source_at: int | None = None
    """From this picture on the packets are of another source (SSRC), numbered anew."""
    asks: bool = False
    """Whether it sends requests to the viewer, one a second, as some do to see that it is there."""
    stray: bool = False
    """Whether it sends packets on a channel that nobody has set up."""
    session: str = "1"
    """What it names the session."""
    small_letters: bool = False
    """Whether it writes its headers in small letters."""
    channel: int = 0
    """On which the pictures come over TCP, whatever the viewer asked for."""
    reports: Stamps | None = None
    """What its reports (RTCP, one a second) say of its clock, in seconds; None where it sends none."""


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
        number = _payload_type(self.manner.coding)
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "t=0 0", f"m=video 0 RTP/AVP {number}"]
        lines += [f"a=rtpmap:{number} {self.manner.coding}/{CLOCK}"]
        lines += [f"a=fmtp:{number} packetization-mode=1{self._sets()}"] if number != JPEG else []
        return "\r\n".join([*lines, f"a=control:{self.manner.control}", ""])

    def _sets(self) -> str:
        if not self.manner.parameter_sets or self.manner.coding != "H264":
            return ""
        found = [next(nal for unit in self.units for nal in unit if nal[0] & 31 == kind) for kind in (7, 8)]
        return ";sprop-parameter-sets=" + ",".join(base64.b64encode(nal).decode() for nal in found)


def access_units(stream: bytes, coding: str = "H264") -> list[list[bytes]]:
    """The access units of an Annex B byte stream of H.264 or H.265."""
    nals = [nal for nal in re.split(b"\x00\x00\x00\x01|\x00\x00\x01", stream) if nal]
    units: list[list[bytes]] = [[]]
    has_picture = False
    for nal in nals:
        kind = nal[0] & 31 if coding == "H264" else nal[0] >> 1 & 63
        is_picture = kind in (1, 5) if coding == "H264" else kind <= H265_LAST_PICTURE
        first_slice = is_picture and bool(nal[1 if coding == "H264" else 2] & 0x80)
        if has_picture and (first_slice or not is_picture):
            units.append([])
            has_picture = False
        units[-1].append(nal)
        has_picture = has_picture or is_picture
    return units


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
        self._nonce, self._used = "n0", 0
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
        if manner.login and not self._knows(method, headers.get("authorization", "")):
            return self._say("401 Unauthorized", headers, {}, challenges=self._challenges())
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

    def _challenges(self) -> list[str]:
        self._nonce, self._used = f"n{len(self.camera.requests)}", 0
        digest = f'Digest realm="camera", nonce="{self._nonce}"'
        digest += f', qop="{self.manner.protection}"' if self.manner.protection else ""
        named = {"Basic": 'Basic realm="camera"', "MD5": digest, "SHA-256": f"{digest}, algorithm=SHA-256"}
        return [named.get(way, f'{way} realm="camera"') for way in self.manner.login]

    def _knows(self, method: str, authorization: str) -> bool:
        """Whether that is the login, by one of the ways offered."""
        manner = self.manner
        scheme, _, rest = authorization.partition(" ")
        if scheme == "Basic":
            right = base64.b64encode(f"{manner.user}:{manner.password}".encode()).decode()
            return "Basic" in manner.login and rest == right
        given: dict[str, str] = {
            name: a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', rest)
        }
        algorithm = given.get("algorithm", "MD5")
        self._used += 1
        if (
            scheme != "Digest"
            or algorithm not in manner.login
            or given["nonce"] != self._nonce
            or self._used > manner.nonces
        ):
            return False

        def digest(*words: str) -> str:
            return _HASHES[algorithm](":".join(words).encode()).hexdigest()

        secret = digest(manner.user, "camera", manner.password)
        asked = digest(method, given["uri"])
        if not manner.protection:
            return bool(given["response"] == digest(secret, given["nonce"], asked))
        if given.get("qop", "none") not in manner.protection.split(","):
            return False
        if given["qop"] == "auth-int":
            asked = digest(method, given["uri"], digest(""))
        counted = (given["nc"], given["cnonce"], given["qop"])
        return bool(given["response"] == digest(secret, given["nonce"], *counted, asked))

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
                    self._report(self.manner.reports(taken_s, number), ticks)
                if self.manner.asks and number % round(self.manner.fps) == 0:
                    self._write(b"OPTIONS * RTSP/1.0\r\nCSeq: %d\r\n\r\n" % (number + 1))
                if self.manner.stray:
                    self._write(struct.pack("!cBH", b"$", self.manner.channel + 6, 20) + bytes(20))
                if number == self.manner.new_source_at:
                    source, sequence = 8, 40_000
                payloads = [payload for nal in unit for payload in _payloads(nal, self.manner.coding)]
                for index, payload in enumerate(payloads):
                    self._send(payload, sequence + index, ticks, source, last=index == len(payloads) - 1)
                sequence += len(payloads)
                number += 1
                self.camera.sent = number
        except (OSError, ValueError):
            self._gone.set()

    def _send(self, payload: bytes, sequence: int, ticks: int, source: int, *, last: bool) -> None:
        manner, number = self.manner, _payload_type(self.manner.coding)
        flags = 0x80 | (0x20 if manner.padding else 0) | (0x10 if manner.extension else 0)
        head = struct.pack("!BBHII", flags, number | (0x80 if last else 0), sequence & 0xFFFF, ticks, source)
        # ONVIF's extension: 0xABAC, three words (NTP time, flags and a count).
        head += struct.pack("!HHIII", 0xABAC, 3, 0, 0, 0) if manner.extension else b""
        tail = bytes(manner.padding - 1) + bytes([manner.padding]) if manner.padding else b""
        packet = head + payload + tail
        if self._udp is not None:
            self._udp[0].sendto(packet, self._udp[1])
        else:
            self._write(struct.pack("!cBH", b"$", self.manner.channel, len(packet)) + packet)

    def _report(self, told_s: float, ticks: int) -> None:
        """A sender report (RFC 3550, 6.4.1): the camera's own time of a frame."""
        seconds = int(told_s)
        packet = struct.pack(
            "!BBHIIIIII", 0x80, 200, 6, 7, seconds, int((told_s - seconds) * 2**32), ticks, 0, 0
        )
        self._write(struct.pack("!cBH", b"$", self.manner.channel + 1, len(packet)) + packet)


def _payload_type(coding: str) -> int:
    """JPEG has one of RTP's own, the others one of the free ones."""
    return JPEG if coding == "JPEG" else 96


def _payloads(nal: bytes, coding: str) -> list[bytes]:
    """A NAL unit (or a JPEG) as RTP payloads (RFC 6184 FU-A, RFC 7798 FU, RFC 2435)."""
    if coding == "JPEG":
        return list(rtp_payloads(nal, MAX_PAYLOAD))
    if len(nal) <= MAX_PAYLOAD:
        return [nal]
    if coding == "H264":
        head, kind, body = bytes([nal[0] & 0xE0 | 28]), nal[0] & 31, nal[1:]
    else:
        head, kind, body = bytes([nal[0] & 0x81 | 49 << 1, nal[1]]), nal[0] >> 1 & 63, nal[2:]
    parts = [body[start : start + MAX_PAYLOAD] for start in range(0, len(body), MAX_PAYLOAD)]
    return [
        head + bytes([kind | (0x80 if not index else 0) | (0x40 if index == len(parts) - 1 else 0)]) + part
        for index, part in enumerate(parts)
    ]
