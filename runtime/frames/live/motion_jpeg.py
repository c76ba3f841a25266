"""Motion JPEG over HTTP: an answer that never ends, a picture a part (`multipart/x-mixed-replace`)."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import cv2
import numpy as np

from runtime.clock import HostClock
from runtime.frames.live import refusals
from runtime.frames.live.login import authorization, challenges, login_of
from runtime.frames.live.source_clock import SourceClock
from runtime.frames.ring.buffer import Image, PixelFormat
from runtime.frames.sources import Grab, SourceFault, SourceState
from runtime.frames.timing import STALE_S
from runtime.frames.uri import SourceUri

TIMEOUT_S = 5.0
MAX_PICTURE_BYTES = 32 << 20
MAX_HEADERS = 100
MAX_REDIRECTS = 3
MAX_SPOILED = 25
"""Pictures in a row that cannot be decoded, after which the stream is opened anew."""

_JPEG_BEGIN, _JPEG_END, _JPEG_SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_STREAM = "multipart/x-mixed-replace"


class MotionJpegSource:
    """Pictures of a camera's web server.

    They are timed by their arrival, or by `X-Timestamp` where the camera sends it (seconds of its clock).
    """

    scales = False
    waits = False
    truncated = False
    pixel_format = PixelFormat.BGR

    def __init__(self, where: SourceUri, clock: HostClock) -> None:
        """Ask for the stream and decode its first picture. Raises SourceFault."""
        self.label = where.label
        self.stale = self.spoiled = 0
        self.fps = 0.0
        self._clock = clock
        self._source_clock: SourceClock | None = None
        self._number = 0
        self._spoiled_in_a_row = 0
        self._connection: http.client.HTTPConnection | None = None
        try:
            self._answer = self._ask(where.target)
            self._parts = self._read_parts()
            self._first: tuple[bytes, float | None] | None = self._next()
            image = _decoded(self._first[0])
        except BaseException:
            self.close()
            raise
        if image is None:
            self.close()
            raise SourceFault(
                SourceState.UNUSABLE, f"{self.label}: the parts of the stream are no JPEG pictures"
            )
        self._jpeg = self._first[0]
        self.size = int(image.shape[1]), int(image.shape[0])

    @property
    def remark(self) -> str:
        """What is wrong with the camera's clock; empty if nothing is, or if it has none."""
        return "" if self._source_clock is None else self._source_clock.remark

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes."""
        while True:
            (self._jpeg, stamp_s), self._first = self._first or self._next(), None
            arrived_s = self._clock.now()
            time_s = arrived_s
            if stamp_s is not None or self._source_clock is not None:
                self._source_clock = self._source_clock or SourceClock()
                time_s = self._source_clock.host_time(stamp_s, arrived_s)
            self._number += 1
            if arrived_s - time_s <= STALE_S:
                return Grab(time_s, arrived_s, self._number - 1)
            self.stale += 1

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last; None if it is cut short. Raises SourceFault."""
        image = _decoded(self._jpeg)
        if image is None:
            self._spoiled_in_a_row += 1
            if self._spoiled_in_a_row > MAX_SPOILED:
                raise self._broken("its pictures cannot be decoded")
            return None
        self._spoiled_in_a_row = 0
        if (image.shape[1], image.shape[0]) != self.size:
            raise SourceFault(
                SourceState.RESOLUTION_CHANGED,
                f"{self.label}: the camera has changed its stream; opening it anew",
            )
        if into is None or into.shape != image.shape:
            return image
        np.copyto(into, image)
        return into

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def _ask(self, uri: str) -> http.client.HTTPResponse:
        """The answer to GET, logged in and sent on where the camera wants it. Raises SourceFault."""
        login_sent = ""
        for _ in range(MAX_REDIRECTS + 2):
            parts = urlsplit(uri)
            path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
            self.close()
            try:
                self._connection = _connection(parts.scheme, parts.hostname or "", parts.port)
                self._connection.request("GET", path, headers=_headers(login_sent))
                answer = self._connection.getresponse()
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise refusals.no_answer(self.label, uri, _in_words(error)) from error
            if 300 <= answer.status < 400:
                uri = refusals.moved_to(self.label, uri, answer.getheader("location", ""))
                continue
            if answer.status != 401:
                kind = answer.headers.get_content_type()
                refusals.judge_web_answer(self.label, parts, answer.status, answer.reason, kind)
                return answer
            offered = challenges(answer.headers.get_all("www-authenticate", []))
            login = login_of(parts)
            header = None if login is None else authorization(offered, login, "GET", path)
            if login_sent or header is None:
                raise refusals.login_refused(self.label, parts, offered)
            login_sent = header
        raise SourceFault(SourceState.UNUSABLE, f"{self.label}: the camera sends us in circles")

    def _next(self) -> tuple[bytes, float | None]:
        """The next part: a JPEG, and its stamp if it has one. Raises SourceFault."""
        try:
            found = next(self._parts, None)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._broken(str(_in_words(error)) or "it is silent") from error
        if found is None:
            raise self._broken("the camera ended it")
        return found

    def _broken(self, why: str) -> SourceFault:
        return SourceFault(SourceState.CONNECTING, f"{self.label}: the stream broke off ({why})")

    def _read_parts(self) -> Iterator[tuple[bytes, float | None]]:
        """The parts of the answer. Raises OSError or ValueError where they break off."""
        boundary = b""
        while True:
            line = self._line()
            while line.strip() in (b"", boundary):
                line = self._line()
            if not boundary:
                # What the answer's header calls it is wrong with some: it is what the first part begins with.
                boundary = line.strip()
                continue
            if line.strip() == boundary + b"--":
                return
            headers: dict[str, str] = {}
            while line.strip():
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
                if len(headers) > MAX_HEADERS:
                    raise ValueError("a part without pictures")
                line = self._line()
            length = headers.get("content-length", "")
            picture = self._exactly(int(length)) if length.isdigit() else self._until(boundary)
            yield picture, _number_in(headers.get("x-timestamp", ""))

    def _line(self) -> bytes:
        line = self._answer.readline(8192)
        if not line:
            raise ValueError("the camera ended it")
        return line

    def _exactly(self, length: int) -> bytes:
        if not 0 < length <= MAX_PICTURE_BYTES:
            raise ValueError(f"a picture of {length} bytes")
        data = self._answer.read(length)
        if len(data) < length:
            raise ValueError("the camera ended it")
        return data

    def _until(self, boundary: bytes) -> bytes:
        """A part whose length is not told: up to the next boundary."""
        lines: list[bytes] = []
        size = 0
        while (line := self._line()).strip() not in (boundary, boundary + b"--"):
            lines.append(line)
            size += len(line)
            if size > MAX_PICTURE_BYTES:
                raise ValueError(f"a picture of more than {MAX_PICTURE_BYTES} bytes")
        return b"".join(lines).rstrip(b"\r\n")


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    # Cameras sign their own certificates.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)


def _headers(login: str) -> dict[str, str]:
    told = {"User-Agent": "tagsight", "Accept": f"{_STREAM}, */*"}
    return {**told, "Authorization": login} if login else told


def _in_words(error: Exception) -> OSError | ValueError:
    """The error as `refusals.no_answer` takes it."""
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead):
        return ValueError(refusals.HUNG_UP)
    if isinstance(error, http.client.HTTPException):
        return ValueError(refusals.SPEAKS_NO_HTTP)
    return error if isinstance(error, OSError) else ValueError(str(error))


def _number_in(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def is_whole(jpeg: bytes) -> bool:
    """Whether a JPEG has its end.

    Neither mark can stand in the coded data between them (ITU-T T.81, B.1.1.5); a thumbnail in the header has
    its own before them. What comes after the end is none of the picture's: some cameras pad, or add remarks.
    """
    return jpeg.startswith(_JPEG_BEGIN) and jpeg.rfind(_JPEG_END) > jpeg.rfind(_JPEG_SCAN)


def _decoded(jpeg: bytes) -> Image | None:
    """A whole JPEG as BGR; None for anything else. Not each OpenCV refuses one that breaks off."""
    if not is_whole(jpeg):
        return None
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else np.asarray(image, np.uint8)
