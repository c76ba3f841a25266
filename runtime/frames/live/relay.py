"""What the decoder does not know of a camera's RTSP, done for it.

FFmpeg and GStreamer know Basic and Digest with MD5; cameras with newer firmware may offer SHA-256 alone. And
they have one reading of where the parts of a stream are (`runtime.frames.live.addresses` has the others). The
relay stands between: the decoder plays an address on this machine without a login, the relay asks the camera
the same with one (`runtime.frames.live.rtsp.RtspSession`), at the address that the camera knows, and passes
the pictures on (RTSP interleaved over TCP). It serves one connection, and only who knows its secret path.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import threading

from runtime.frames.live.addresses import Addresses
from runtime.frames.live.login import Challenge
from runtime.frames.live.rtsp import MAX_ANSWER_BYTES, Answer, Description, RtspSession
from runtime.frames.sources import SourceFault

IDLE_S = 0.5
_KNOWN_TO_DECODERS = ("", "MD5")
_KNOWN_PROTECTIONS = {"", "auth"}
_OURS = ("cseq", "authorization", "user-agent")


class Relay(threading.Thread):
    """Serves the stream at `uri` as `self.uri`, without a login, until it is closed."""

    def __init__(self, uri: str, label: str, timeout_s: float) -> None:
        """`uri` holds the login; `label` is how it may be shown."""
        super().__init__(name="relay", daemon=True)
        self._real, self._label, self._timeout_s = uri, label, timeout_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._listener.settimeout(IDLE_S)
        self.uri = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/{secrets.token_urlsafe(16)}"
        self._closing = threading.Event()
        self._waiting = b""
        self._addresses = Addresses((), ())
        self._set_up = 0
        self._known = False
        """Whether who is connected has used the secret path; later requests name the camera's addresses."""

    @classmethod
    def where_needed(cls, description: Description, label: str, timeout_s: float) -> Relay | None:
        """A relay that serves, where the decoder may not know the ways to log in; else None."""
        if not any(one.strength and _may_be_unknown(one) for one in description.login):
            return None
        return cls.started(description, label, timeout_s)

    @classmethod
    def started(cls, description: Description, label: str, timeout_s: float) -> Relay:
        """A relay that serves."""
        relay = cls(description.uri, label, timeout_s)
        relay.start()
        return relay

    def close(self) -> None:
        """Hang up on both sides."""
        self._closing.set()
        self.join(self._timeout_s + 2 * IDLE_S)

    def run(self) -> None:
        """Serve one connection. What goes wrong with the camera shows as a connection that ends."""
        with contextlib.suppress(OSError, ValueError, SourceFault):
            decoder = self._decoder()
            with decoder, RtspSession(self._real, self._label, self._timeout_s) as camera:
                decoder.settimeout(self._timeout_s)
                camera.interleaved = decoder.sendall
                while not self._closing.is_set():
                    ready, _, _ = select.select((decoder.fileno(), camera.fileno()), (), (), IDLE_S)
                    if camera.fileno() in ready:
                        camera.pass_on()
                    if decoder.fileno() in ready:
                        self._hear(decoder, camera)

    def _decoder(self) -> socket.socket:
        """The decoder's connection."""
        with self._listener:
            while not self._closing.is_set():
                with contextlib.suppress(TimeoutError):
                    return self._listener.accept()[0]
        raise ValueError("the decoder has not come")

    def _hear(self, decoder: socket.socket, camera: RtspSession) -> None:
        """Take what the decoder has sent: requests, and its reports on what it received."""
        chunk = decoder.recv(8192)
        if not chunk or len(self._waiting) > MAX_ANSWER_BYTES:
            raise ValueError("the decoder has gone")
        self._waiting += chunk
        while self._waiting:
            if self._waiting.startswith(b"$"):
                length = 4 + int.from_bytes(self._waiting[2:4].ljust(2, b"\xff"), "big")
                if len(self._waiting) < length:
                    return
                camera.report(self._waiting[:length])
                self._waiting = self._waiting[length:]
                continue
            head, end, rest = self._waiting.partition(b"\r\n\r\n")
            if not end:
                return
            self._waiting = rest
            decoder.sendall(self._asked(head.decode("utf-8", "replace"), camera))

    def _asked(self, head: str, camera: RtspSession) -> bytes:
        """The answer to one request of the decoder."""
        request, *lines = head.split("\r\n")
        method, uri, _ = request.split(" ", 2)
        fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        sequence = next((value for name, value in fields.items() if name.lower() == "cseq"), "0")
        if uri.startswith(self.uri):
            self._known = True
            uri = camera.bare + uri[len(self.uri) :]
        elif not self._known:
            raise ValueError("not the decoder")
        passed = {name: value for name, value in fields.items() if name.lower() not in _OURS}
        answer = camera.ask_one_of(method, (uri, *self._other_places(method)), **passed)
        if method == "DESCRIBE" and answer.status == 200:
            self._addresses, self._set_up = camera.addresses(answer), 0
        self._set_up += method == "SETUP"
        return _written(answer, sequence)

    def _other_places(self, method: str) -> tuple[str, ...]:
        """Where else the camera may know what the decoder wants; it sets parts up in the order described."""
        parts = self._addresses.pictures
        if method == "SETUP":
            return parts[self._set_up] if self._set_up < len(parts) else ()
        return () if method in ("OPTIONS", "DESCRIBE") else self._addresses.whole


def _may_be_unknown(way: Challenge) -> bool:
    """Whether decoders may not know this way to log in."""
    protections = {word.strip() for word in way.fields.get("qop", "").split(",")}
    return way.algorithm not in _KNOWN_TO_DECODERS or not protections & _KNOWN_PROTECTIONS


def _written(answer: Answer, sequence: str) -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"RTSP/1.0 {answer.status} {answer.reason}", f"CSeq: {sequence}"]
    for name, values in answer.headers.items():
        if name != "cseq":
            lines += [f"{name.title()}: {value}" for value in values]
    return ("\r\n".join([*lines, "", ""]) + answer.body).encode()
