"""Points by mouse: a page on this machine's loopback that shows the picture and takes clicks.

The page is served to whoever has the token in its address, and ends when the person is done or time is up.
It needs no GUI library and works through `ssh -L`.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy.typing as npt

from calibration.errors import CalibrationError
from calibration.floor.fit import fit_floor
from calibration.floor.point_pairs import MAX_PAIRS, PointPairs, pairs_of
from calibration.floor.warnings import warnings_for

MAX_BODY_BYTES = 65_536
SOCKET_TIMEOUT_S = 10.0
POLL_S = 0.05


class ClickingPage:
    """The page's server: `address` to open, `wait()` for the pairs. Use as a context manager."""

    def __init__(self, picture: npt.NDArray[Any], pairs: PointPairs, port: int = 0) -> None:
        written, png = cv2.imencode(".png", picture)
        if not written:
            raise CalibrationError("the picture cannot be encoded for the page")
        self.size = (int(picture.shape[1]), int(picture.shape[0]))
        self.token = secrets.token_urlsafe(24)
        self.page = _page(png.tobytes(), self.size, pairs)
        self.pairs: PointPairs | None = None
        self.done = threading.Event()
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        except OSError as error:
            raise CalibrationError(
                f"port {port} of 127.0.0.1 cannot be used; leave --port out to take a free one"
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="clicking-page", daemon=True
        )

    @property
    def address(self) -> str:
        """The address to open, with its token."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def __enter__(self) -> ClickingPage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, limit_s: float) -> PointPairs:
        """The pairs, once the person is done. Raises CalibrationError when the time is up."""
        if not self.done.wait(limit_s) or self.pairs is None:
            raise CalibrationError(
                f"nobody finished the page within {limit_s / 60:g} minutes; start it again"
            )
        return self.pairs

    def accepts(self, host: str, token: str) -> bool:
        """Whether a request is the page's own: its token, and a name that means this machine.

        The name is looked at because a foreign web page can point its own host name at 127.0.0.1.
        """
        ours = host in (f"127.0.0.1:{self.port}", f"localhost:{self.port}")
        return ours and hmac.compare_digest(token.encode(), self.token.encode())

    def judge(self, pairs: PointPairs) -> dict[str, Any]:
        """What the page shows beside the points: the misses in centimetres and the warnings."""
        try:
            fit = fit_floor(pairs)
        except CalibrationError as error:
            return {"errors_cm": [], "warnings": [str(error)]}
        return {
            "errors_cm": [round(float(error) * 100, 1) for error in fit.errors_m],
            "warnings": warnings_for(fit, self.size),
        }


def _page(png: bytes, size: tuple[int, int], pairs: PointPairs) -> bytes:
    template = files("calibration.floor").joinpath("clicking.html").read_text(encoding="utf-8")
    points = [
        {"image": image.tolist(), "floor": floor.tolist()}
        for image, floor in zip(pairs.image_px, pairs.floor_m, strict=True)
    ]
    page = template.replace("@PICTURE@", base64.b64encode(png).decode("ascii"))
    page = page.replace("@SIZE@", json.dumps(size)).replace("@POINTS@", json.dumps(points))
    return page.encode("utf-8")


def _handler(page: ClickingPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SOCKET_TIMEOUT_S
        server_version = "tagsight"
        sys_version = ""

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            token = parse_qs(address.query).get("token", [""])[0]
            if not page.accepts(self.headers.get("Host", ""), token):
                self._answer(403, b"open the address that tagsight printed", "text/plain")
            elif address.path != "/":
                self._answer(404, b"there is one page here", "text/plain")
            else:
                self._answer(200, page.page, "text/html; charset=utf-8")

        def do_POST(self) -> None:
            if not page.accepts(self.headers.get("Host", ""), self.headers.get("X-Token", "")):
                self._answer(403, b"open the address that tagsight printed", "text/plain")
                return
            try:
                pairs = _pairs_in(self._body())
            except (ValueError, CalibrationError) as error:
                self._answer(400, str(error).encode(), "text/plain")
                return
            if self.path == "/judge":
                self._answer(200, json.dumps(page.judge(pairs)).encode(), "application/json")
            elif self.path == "/done":
                page.pairs = pairs
                self._answer(200, b"{}", "application/json")
                page.done.set()
            else:
                self._answer(404, b"there is no such place here", "text/plain")

        def _body(self) -> bytes:
            length = int(self.headers.get("Content-Length", "0"))
            if not 0 <= length <= MAX_BODY_BYTES:
                raise ValueError(f"at most {MAX_BODY_BYTES} bytes of points")
            return self.rfile.read(length)

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header(
                "Content-Security-Policy", "default-src 'self' data: 'unsafe-inline'; frame-ancestors 'none'"
            )
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not news."""

    return Handler


def _pairs_in(body: bytes) -> PointPairs:
    rows = json.loads(body)
    if not isinstance(rows, list) or len(rows) > MAX_PAIRS:
        raise ValueError(f"a list of at most {MAX_PAIRS} points is right")
    if not all(
        isinstance(row, list) and len(row) == 4 and all(_is_number(value) for value in row) for row in rows
    ):
        raise ValueError("each point is four numbers: u, v, x, y")
    return pairs_of(rows)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
