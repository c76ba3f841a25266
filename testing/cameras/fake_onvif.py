"""A camera's ONVIF service on loopback, and its answers to WS-Discovery; with any fault that is wanted.

Written from the messages of devicemgmt.wsdl and media.wsdl (ONVIF 2.x) and of WS-Discovery 1.0 (April 2005).
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import socket
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.request import parse_http_list, parse_keqv_list
from xml.sax.saxutils import escape

from lxml import etree

SOAP = "http://www.w3.org/2003/05/soap-envelope"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
GROUP, PORT = "239.255.255.250", 3702
USER, PASSWORD = "ann", "geheim"
REALM, NONCE = "camera", "0a1b2c"
LATEST_S = 300.0
"""How far a login's time may be from the camera's own."""


@dataclass(frozen=True)
class OnvifManner:
    """How it behaves."""

    wants_login: bool = True
    clock_off_s: float = 0.0
    """How far its clock is ahead; a login is judged by it."""
    streams: tuple[tuple[str, str, int, int, int, str], ...] = (
        ("main", "H264", 1920, 1080, 25, "rtsp://192.0.2.10:554/stream1"),
        ("sub", "H264", 640, 360, 10, "rtsp://ann:geheim@192.0.2.10:554/stream2"),
        ("picture", "JPEG", 640, 360, 1, "rtsp://192.0.2.10:554/jpeg"),
    )
    """Profile, coding, width, height, frames a second, address."""
    old: bool = False
    """Knows GetCapabilities only."""
    answers: bytes | None = None
    """Sent to every question in place of an answer."""
    silent_s: float = 0.0
    named_host: str = ""
    """What it believes its address to be, host and port; empty: what it is."""
    wants_http_login: bool = False
    """Digest (RFC 7616, MD5) besides the login in the message."""
    sends_on_to: str = ""
    """Answers every question with a redirect to this address."""


class FakeOnvifCamera:
    """Answers at /onvif/device_service of `port`, to ann, password geheim; use it in a `with`."""

    def __init__(self, manner: OnvifManner | None = None) -> None:
        self.manner = manner or OnvifManner()
        self.asked: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.camera = self
        self.port = int(self._server.server_address[1])
        self.address = f"127.0.0.1:{self.port}"
        self._named = self.manner.named_host or self.address
        self._answers = {
            "GetSystemDateAndTime": self._system_date_and_time,
            "GetServices": self._services,
            "GetCapabilities": self._capabilities,
            "GetDeviceInformation": self._device_information,
            "GetProfiles": self._profiles,
            "GetStreamUri": self._stream_uri,
        }

    def __enter__(self) -> FakeOnvifCamera:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def now(self) -> datetime.datetime:
        """By its own clock."""
        own = datetime.timedelta(seconds=self.manner.clock_off_s)
        return datetime.datetime.now(datetime.timezone.utc) + own

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """HTTP status and body of the answer to one SOAP message."""
        if self.manner.answers is not None:
            return 200, self.manner.answers
        envelope = etree.fromstring(body)
        question = etree.QName(envelope.find(f"{{{SOAP}}}Body")[0])
        self.asked.append(question.localname)
        if question.localname == "GetServices" and self.manner.old:
            return 400, _fault("ter:ActionNotSupported", "Optional Action Not Implemented")
        public = question.localname == "GetSystemDateAndTime"
        if self.manner.wants_login and not public and not self._is_known(envelope):
            return 400, _fault("ter:NotAuthorized", "Sender not Authorized")
        token = envelope.findtext(f".//{{{MEDIA}}}ProfileToken") or ""
        said = self._answers.get(question.localname)
        if said is None:
            return 400, _fault("ter:ActionNotSupported", "Optional Action Not Implemented")
        prefix = "tds" if question.namespace == DEVICE else "trt"
        inner = (
            f"<{prefix}:{question.localname}Response>{said(token)}</{prefix}:{question.localname}Response>"
        )
        return 200, _envelope(inner)

    def _is_known(self, envelope: etree._Element) -> bool:
        """By WS-Security's digest: Base64(SHA-1(nonce + created + password))."""
        name = envelope.findtext(f".//{{{SECURITY}}}Username")
        digest = envelope.findtext(f".//{{{SECURITY}}}Password")
        nonce = base64.b64decode(envelope.findtext(f".//{{{SECURITY}}}Nonce") or "")
        created = envelope.findtext(f".//{{{UTILITY}}}Created") or ""
        right = base64.b64encode(hashlib.sha1(nonce + created.encode() + PASSWORD.encode()).digest()).decode()
        if name != USER or digest != right:
            return False
        said = datetime.datetime.fromisoformat(created.replace("Z", "+00:00"))
        said = said if said.tzinfo else said.replace(tzinfo=datetime.timezone.utc)
        return abs((said - self.now()).total_seconds()) < LATEST_S

    def _system_date_and_time(self, token: str) -> str:
        now = self.now()
        clock = (
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
            f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
            f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
        )
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false"
            f"</tt:DaylightSavings><tt:UTCDateTime>{clock}</tt:UTCDateTime></tds:SystemDateAndTime>"
        )

    def _services(self, token: str) -> str:
        return "".join(
            f"<tds:Service><tds:Namespace>{space}</tds:Namespace><tds:XAddr>http://{self._named}/onvif/{path}"
            "</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
            for space, path in ((DEVICE, "device_service"), (MEDIA, "media_service"))
        )

    def _capabilities(self, token: str) -> str:
        media = (
            f"<tt:Media><tt:XAddr>http://{self._named}/onvif/media_service</tt:XAddr>"
            "<tt:StreamingCapabilities/></tt:Media>"
        )
        return f"<tds:Capabilities>{media}</tds:Capabilities>"

    def _device_information(self, token: str) -> str:
        named = {"Manufacturer": "Acme", "Model": "Dome 4", "FirmwareVersion": "1.2.3", "SerialNumber": "77"}
        named["HardwareId"] = "d4"
        return "".join(f"<tds:{name}>{value}</tds:{name}>" for name, value in named.items())

    def _profiles(self, token: str) -> str:
        return "".join(
            f'<trt:Profiles token="{name}" fixed="true"><tt:Name>{name}</tt:Name>'
            f'<tt:VideoEncoderConfiguration token="{name}"><tt:Name>{name}</tt:Name>'
            f"<tt:UseCount>1</tt:UseCount><tt:Encoding>{coding}</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width>"
            f"<tt:Height>{height}</tt:Height></tt:Resolution><tt:Quality>5</tt:Quality><tt:RateControl>"
            f"<tt:FrameRateLimit>{fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>"
            "<tt:BitrateLimit>2048</tt:BitrateLimit></tt:RateControl></tt:VideoEncoderConfiguration></trt:Profiles>"
            for name, coding, width, height, fps, _ in self.manner.streams
        )

    def _stream_uri(self, token: str) -> str:
        uri = next(one[-1] for one in self.manner.streams if one[0] == token)
        return (
            f"<trt:MediaUri><tt:Uri>{escape(uri)}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
            "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        )


class Beacon:
    """Answers WS-Discovery probes on one interface with whatever `answers` makes of the probe's MessageID."""

    def __init__(self, interface: str, *answers: str) -> None:
        self._answers = answers
        self._stopping = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((GROUP, PORT))
        member = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(interface))
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Beacon:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                body, source = self._socket.recvfrom(65_535)
            except TimeoutError:
                continue
            message = etree.fromstring(body).findtext(f".//{{{ADDRESSING}}}MessageID") or ""
            for answer in self._answers:
                self._socket.sendto(answer.replace("MESSAGE", message).encode(), source)


def probe_match(addresses: str, scopes: str = "", types: str = "dn:NetworkVideoTransmitter") -> str:
    """The answer of a camera; MESSAGE stands for the probe's id."""
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:d="{DISCOVERY}" '
        'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header><a:RelatesTo>MESSAGE</a:RelatesTo>'
        "</s:Header><s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address>"
        f"</a:EndpointReference><d:Types>{types}</d:Types><d:Scopes>{scopes}</d:Scopes>"
        f"<d:XAddrs>{addresses}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
        "</d:ProbeMatches></s:Body></s:Envelope>"
    )


def _envelope(inner: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:tds="{DEVICE}" '
        f'xmlns:trt="{MEDIA}" xmlns:tt="{SCHEMA}" xmlns:ter="http://www.onvif.org/ver10/error">'
        f"<s:Body>{inner}</s:Body></s:Envelope>"
    ).encode()


def _fault(code: str, reason: str) -> bytes:
    return _envelope(
        f"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{code}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>'
    )


class _Server(ThreadingHTTPServer):
    camera: FakeOnvifCamera


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        manner = self.server.camera.manner
        time.sleep(manner.silent_s)
        if manner.sends_on_to:
            self._turn_away(307, "Location", manner.sends_on_to)
            return
        if manner.wants_http_login and not self._is_logged_in():
            self._turn_away(401, "WWW-Authenticate", f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth"')
            return
        status, answer = self.server.camera.answer(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _turn_away(self, status: int, header: str, value: str) -> None:
        self.send_response(status)
        self.send_header(header, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _is_logged_in(self) -> bool:
        given = parse_keqv_list(
            parse_http_list(self.headers.get("Authorization", "").removeprefix("Digest "))
        )

        def md5(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        if given.get("username") != USER or given.get("nonce") != NONCE:
            return False
        secret, asked = md5(USER, REALM, PASSWORD), md5("POST", self.path)
        right = md5(secret, NONCE, given.get("nc", ""), given.get("cnonce", ""), "auth", asked)
        return given.get("response") == right

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
