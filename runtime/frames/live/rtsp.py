"""Asking an RTSP server (RFC 2326) what it has, and where it refuses.

The decoder says only that it cannot open a stream. A DESCRIBE of our own before it tells a wrong password
from a wrong path and from nobody at home; when the decoder fails all the same, SETUP and PLAY of our own tell
at which step the server refuses, and with what answer. `runtime.frames.live.refusals` puts it into words.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

from runtime.frames.live import refusals
from runtime.frames.live.addresses import ELSEWHERE, Addresses, addresses
from runtime.frames.live.login import Challenge, authorization, challenges, login_of
from runtime.frames.sources import SourceFault, SourceState
from tagsight.redaction import redact_uri

MAX_ANSWER_BYTES = 65_536
MAX_REDIRECTS = 3
PORTS = {"rtsp": 554, "rtsps": 322}
TRANSPORTS = {"tcp": "RTP/AVP/TCP;unicast;interleaved=0-1", "udp": "RTP/AVP;unicast;client_port={0}-{1}"}

_TLS_ALERT = b"\x15\x03"
_INTERLEAVED = b"$"


class Answer(NamedTuple):
    """What a server said to one request."""

    status: int
    reason: str
    headers: dict[str, list[str]]
    """Names in small letters."""
    body: str

    def header(self, name: str) -> str:
        """The first header of that name; empty if there is none."""
        return next(iter(self.headers.get(name, ())), "")


class Refusal(NamedTuple):
    """At which step a server refuses to play a stream."""

    step: str
    """SETUP or PLAY."""
    answer: Answer


class Description(NamedTuple):
    """A stream as its server describes it."""

    sdp: str
    uri: str
    """Where it is, after redirections, with the login that was given."""
    login: tuple[Challenge, ...]
    """The ways to log in that the server offers; () where it wants no login."""


class RtspSession:
    """One connection to a server; use it in a `with`. Raises SourceFault where there is no sense in it."""

    def __init__(self, uri: str, label: str, timeout_s: float) -> None:
        """Connect to the server of `uri`, which may hold a login; `label` is how it may be shown."""
        parts = urlsplit(uri)
        self.uri = uri
        self.bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
        self.offered: list[Challenge] = []
        self.interleaved: Callable[[bytes], None] | None = None
        """What becomes of packets that come between the answers; None: they are dropped."""
        self._label = label
        self._login = login_of(parts)
        self._received = b""
        self._sequence = 0
        try:
            self._socket = _connect(parts.scheme, parts.hostname or "", parts.port, timeout_s)
        except (OSError, ValueError) as error:
            raise self._silent(error) from error

    def __enter__(self) -> RtspSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, method: str, uri: str = "", **headers: str) -> Answer:
        """Send a request and wait for its answer, logging in where the server wants it."""
        try:
            answer = self._exchange(method, uri or self.bare, headers)
            if answer.status == 401 and self._login is not None:
                before, self.offered = self.offered, challenges(answer.headers.get("www-authenticate", []))
                # A nonce may have run out since the last request; a refused login is not sent twice.
                if before != self.offered and self._authorization(method, uri or self.bare):
                    answer = self._exchange(method, uri or self.bare, headers)
            return answer
        except (OSError, ValueError) as error:
            raise self._silent(error) from error

    def ask_one_of(self, method: str, places: Sequence[str], **headers: str) -> Answer:
        """Ask at each of the addresses until the server knows one; else its first answer."""
        first = answer = self.ask(method, places[0], **headers)
        for place in places[1:]:
            if answer.status not in ELSEWHERE:
                return answer
            answer = self.ask(method, place, **headers)
        return first if answer.status in ELSEWHERE else answer

    def addresses(self, described: Answer) -> Addresses:
        """Where the stream is set up and played that was described."""
        base = described.header("content-base") or described.header("content-location")
        return addresses(self.bare, base, described.body)

    def offers(self, answer: Answer) -> list[Challenge]:
        """The ways to log in that the server has offered."""
        return self.offered or challenges(answer.headers.get("www-authenticate", []))

    def fileno(self) -> int:
        """Of its socket, to wait for."""
        return self._socket.fileno()

    def report(self, packet: bytes) -> None:
        """Send an interleaved packet of our own."""
        self._socket.sendall(packet)

    def pass_on(self) -> None:
        """Take what has come and hand on the packets in it. Raises OSError or ValueError where it ends."""
        more = True
        while more:
            self._have(len(self._received) + 1)
            end = 0
            while self._received[end : end + 1] == _INTERLEAVED and len(self._received) >= end + 4:
                length = 4 + int.from_bytes(self._received[end + 2 : end + 4], "big")
                if len(self._received) < end + length:
                    break
                end += length
            if end and self.interleaved is not None:
                self.interleaved(self._received[:end])
            self._received = self._received[end:]
            if self._received and not self._received.startswith(_INTERLEAVED):
                raise ValueError("an answer to no question")
            more = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _silent(self, error: OSError | ValueError) -> SourceFault:
        return refusals.no_answer(self._label, self.uri, error)

    def _authorization(self, method: str, uri: str) -> str | None:
        if self._login is None:
            return None
        return authorization(self.offered, self._login, method, uri)

    def _exchange(self, method: str, uri: str, headers: dict[str, str]) -> Answer:
        self._sequence += 1
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self._sequence}", "User-Agent: tagsight"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if authorization := self._authorization(method, uri):
            lines.append(f"Authorization: {authorization}")
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        return self._answer()

    def _answer(self) -> Answer:
        while self._have(1) and self._received.startswith(_INTERLEAVED):
            self._have(4)
            packet = self._take(4 + int.from_bytes(self._received[2:4], "big"))
            if self.interleaved is not None:
                self.interleaved(packet)
        while b"\r\n\r\n" not in self._received:
            if self._received.startswith(_TLS_ALERT):
                raise ValueError(refusals.SPEAKS_TLS)
            if len(self._received) > MAX_ANSWER_BYTES:
                raise ValueError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            self._have(len(self._received) + 1)
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("utf-8", "replace").split("\r\n")
        version, status, reason = [*status_line.split(" ", 2), "", ""][:3]
        if version.startswith("HTTP/"):
            raise ValueError(refusals.SPEAKS_HTTP)
        if not version.startswith("RTSP/") or not status.isdigit():
            raise ValueError(refusals.SPEAKS_OTHERWISE)
        headers: dict[str, list[str]] = {}
        for name, _, value in (line.partition(":") for line in lines):
            headers.setdefault(name.strip().lower(), []).append(value.strip())
        length = int(next(iter(headers.get("content-length", ())), "0"))
        if not 0 <= length <= MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {length} bytes")
        body = self._take(length).decode("utf-8", "replace")
        return Answer(int(status), reason.strip(), headers, body)

    def _take(self, length: int) -> bytes:
        self._have(length)
        taken, self._received = self._received[:length], self._received[length:]
        return taken

    def _have(self, length: int) -> bool:
        """Wait until so many bytes have come that are not used yet."""
        while len(self._received) < length:
            chunk = self._socket.recv(MAX_ANSWER_BYTES)
            if not chunk:
                raise ValueError(refusals.HUNG_UP)
            self._received += chunk
        return True


@contextmanager
def described(uri: str, label: str = "", timeout_s: float = 5.0) -> Iterator[Description]:
    """The stream at `uri`, which may hold a login, as its server describes it.

    The connection stays open inside the `with`: some servers wind a stream down for a moment when the last
    one who asked for it leaves, and answer 503 meanwhile.
    Raises SourceFault: nobody there, wrong login, no such stream, nothing in it that can be decoded.
    """
    label = label or redact_uri(uri)
    for _ in range(MAX_REDIRECTS):
        with RtspSession(uri, label, timeout_s) as session:
            answer = session.ask("DESCRIBE", Accept="application/sdp")
            if not 300 <= answer.status < 400:
                refusals.judge_description(label, uri, answer, session.offers(answer))
                yield Description(answer.body, uri, tuple(session.offered))
                return
            uri = refusals.moved_to(label, uri, answer.header("location"))
    raise SourceFault(SourceState.UNUSABLE, f"{label}: the camera sends us in circles (RTSP redirections)")


def find_refusal(uri: str, label: str, transport: str, timeout_s: float = 5.0) -> Refusal | None:
    """Where the server refuses to play the stream over `transport`; None if it does not refuse.

    Raises SourceFault where already the description fails.
    """
    with RtspSession(uri, label, timeout_s) as session:
        described = session.ask("DESCRIBE", Accept="application/sdp")
        refusals.judge_description(label, uri, described, session.offers(described))
        known = session.addresses(described)
        tracks = known.pictures[0] if known.pictures else known.whole
        with _two_ports() as ports:
            setup = session.ask_one_of("SETUP", tracks, Transport=TRANSPORTS[transport].format(*ports))
            if setup.status != 200:
                return Refusal("SETUP", setup)
            number = setup.header("session").partition(";")[0]
            play = session.ask_one_of("PLAY", known.whole, Session=number, Range="npt=0.000-")
            session.ask("TEARDOWN", known.whole[0], Session=number)
    return Refusal("PLAY", play) if play.status != 200 else None


@contextmanager
def _two_ports() -> Iterator[tuple[int, int]]:
    """Two UDP ports that are ours meanwhile."""
    with socket.socket(type=socket.SOCK_DGRAM) as first, socket.socket(type=socket.SOCK_DGRAM) as second:
        first.bind(("", 0))
        port = int(first.getsockname()[1])
        try:
            second.bind(("", port + 1))
        except OSError:
            second.bind(("", 0))
        yield port, int(second.getsockname()[1])


def _connect(scheme: str, host: str, port: int | None, timeout_s: float) -> socket.socket:
    plain = socket.create_connection((host, port or PORTS[scheme]), timeout_s)
    if scheme == "rtsp":
        return plain
    # Cameras sign their own certificates; the decoder does not verify them either.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise
