"""A camera's web server on loopback that sends Motion JPEG, with any fault that is wanted."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True)
class WebManner:
    """How it behaves."""

    fps: float = 20.0
    login: str = ""
    """Basic, MD5, SHA-256, or nothing."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with another status than 200."""
    kind: str = "multipart/x-mixed-replace; boundary=frame"
    boundary: str = "--frame"
    """What really stands between the parts."""
    lengths: bool = True
    """Whether parts say how long they are."""
    stamps: Callable[[float, int], float] | None = None
    """The X-Timestamp of picture `number`, taken so many seconds after the start."""
    chunked: bool = False
    ends_after: int = 1_000_000


class FakeWebCamera:
    """Serves the JPEGs again and again at /video.mjpg, to ann, password geheim; use it in a `with`."""

    def __init__(self, pictures: Sequence[bytes], manner: WebManner | None = None) -> None:
        self.pictures = pictures
        self.manner = manner or WebManner()
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.camera = self
        self.port = int(self._server.server_address[1])

    def uri(self, login: str | None = None, path: str = "/video.mjpg") -> str:
        """Its address; with the right login where it wants one, unless another ("user:password") is given."""
        if login is None:
            login = "ann:geheim" if self.manner.login else ""
        login += "@" if login else ""
        return f"http://{login}127.0.0.1:{self.port}{path}"

    def __enter__(self) -> FakeWebCamera:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    camera: FakeWebCamera

    def handle_error(self, request: object, client_address: object) -> None:
        """A viewer that has gone is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        manner = self.server.camera.manner
        if manner.login and not self._knows(manner.login):
            return self._refuse(401, {"WWW-Authenticate": self._challenge(manner.login)})
        if manner.status != 200:
            return self._refuse(manner.status, manner.headers)
        if self.path != "/video.mjpg":
            return self._refuse(404, {})
        self.send_response(200)
        self.send_header("Content-Type", manner.kind)
        if manner.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        return self._send_pictures(manner)

    def _send_pictures(self, manner: WebManner) -> None:
        start_s, camera = time.monotonic(), self.server.camera
        for number in range(manner.ends_after):
            wait_s = start_s + number / manner.fps - time.monotonic()
            if camera.stopping.wait(max(0.0, wait_s)):
                return
            picture = camera.pictures[number % len(camera.pictures)]
            lines = [manner.boundary, "Content-Type: image/jpeg"]
            if manner.lengths:
                lines.append(f"Content-Length: {len(picture)}")
            if manner.stamps is not None:
                lines.append(f"X-Timestamp: {manner.stamps(number / manner.fps, number):.6f}")
            part = ("\r\n".join(lines) + "\r\n\r\n").encode() + picture + b"\r\n"
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n" if manner.chunked else part)
        self.close_connection = True

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _challenge(self, way: str) -> str:
        if way == "Basic":
            return 'Basic realm="camera"'
        return f'Digest realm="camera", nonce="n1", qop="auth", algorithm={way}'

    def _knows(self, way: str) -> bool:
        scheme, _, rest = self.headers.get("Authorization", "").partition(" ")
        if way == "Basic":
            return scheme == "Basic" and base64.b64decode(rest) == b"ann:geheim"
        if scheme != "Digest":
            return False
        given = {name: a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', rest)}

        def digest(*words: str) -> str:
            return _HASHES[way](":".join(words).encode()).hexdigest()

        secret, asked = digest("ann", "camera", "geheim"), digest("GET", given["uri"])
        counted = (given["nc"], given["cnonce"], given["qop"])
        return bool(given["response"] == digest(secret, given["nonce"], *counted, asked))
