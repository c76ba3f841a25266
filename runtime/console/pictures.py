"""Camera pictures on demand: for two viewers at most, five a second, 640 wide, nobody to be recognised.

A frame is shown only together with what the vision process found in that very frame. It is held in memory for
that long, is never stored, and a line in the log says who looks at which camera.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from contract.describe import short_visitor
from runtime.console.blurring import Box, Image, MovingThings, blur_heads
from runtime.console.overlay import draw_floor, draw_people, words_picture
from runtime.console.shown import ShownCamera, ShownStore
from runtime.frames.ring.buffer import FrameHeader, PixelFormat
from runtime.messages import CameraNow

MAX_VIEWERS = 2
EVERY_S = 0.2
MAX_WIDTH = 640
MAX_WHOLE_WIDTH = 1920
"""Of a still picture on which points are clicked."""
MAX_WAITING = 8
"""Frames of a camera that wait for what is found in them."""
KEEP_S = 4.0
RECENT_S = 2.0
"""Heads that were found so lately are blurred where they were, too."""
NOTHING_S = 4.0
LOOK_S = 120.0
"""Then who still looks has to say so again."""
QUALITY = 70
BOUNDARY = "tagsight-picture"
NOT_SEEN = ("No picture: nobody looks for heads", "in this camera's pictures at the moment.")

log = logging.getLogger(__name__)


@dataclass
class _Camera:
    """Frames that wait, and where heads were lately (time of the frame, boxes)."""

    waiting: dict[int, tuple[float, Image, float]] = field(default_factory=dict)
    recent: deque[tuple[float, list[Box]]] = field(default_factory=deque)
    moving: MovingThings = field(default_factory=MovingThings)


class Viewer:
    """One browser that looks at one camera: the newest picture, and no other, waits for it."""

    def __init__(self, camera: str, who: str, loop: asyncio.AbstractEventLoop, whole: bool = False) -> None:
        self.camera = camera
        self.who = who
        self.whole = whole
        """Of full size and with nothing drawn in it, to measure on."""
        self.began_s = time.monotonic()
        self._loop = loop
        self._newest: asyncio.Queue[bytes] = asyncio.Queue(1)

    def show(self, jpeg: bytes) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._put, jpeg)

    def _put(self, jpeg: bytes) -> None:
        if self._newest.full():
            self._newest.get_nowait()
        self._newest.put_nowait(jpeg)

    async def first(self) -> bytes:
        """The next picture, however long it takes."""
        return await self._newest.get()

    async def next(self) -> bytes | None:
        """The next picture; None where there is none to show for a while."""
        try:
            return await asyncio.wait_for(self._newest.get(), NOTHING_S)
        except asyncio.TimeoutError:
            return None


class CameraPictures:
    """Between the process, which brings frames and findings, and the server's loop, which has viewers.

    `on_viewers` is called when another camera is wanted, or none any more.
    """

    def __init__(self, shown: ShownStore, on_viewers: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._viewers: list[Viewer] = []
        self._cameras: dict[str, _Camera] = {}
        self._on_viewers = on_viewers
        self.use(shown)

    def use(self, shown: ShownStore) -> None:
        """Go on with another plan; without `pictures` everybody is sent away."""
        self._shown = shown
        self._known: dict[str, ShownCamera] = {camera.name: camera for camera in shown.cameras}
        if not shown.pictures:
            with self._lock:
                self._viewers.clear()

    def wanted(self) -> frozenset[str]:
        """The cameras that somebody looks at."""
        with self._lock:
            return frozenset(viewer.camera for viewer in self._viewers)

    def open(self, camera: str, who: str, *, whole: bool = False) -> Viewer | None:
        """One more viewer, in the server's loop; None where it is one too many."""
        viewer = Viewer(camera, who, asyncio.get_running_loop(), whole)
        with self._lock:
            if len(self._viewers) >= MAX_VIEWERS:
                return None
            self._viewers.append(viewer)
        log.info("%s looks at pictures of camera %s, heads blurred", who, camera)
        self._on_viewers()
        return viewer

    def close(self, viewer: Viewer) -> None:
        """They look no more."""
        with self._lock:
            if viewer in self._viewers:
                self._viewers.remove(viewer)
            if all(other.camera != viewer.camera for other in self._viewers):
                self._cameras.pop(viewer.camera, None)
        lasted_s = time.monotonic() - viewer.began_s
        log.info("%s looks no more at camera %s, after %.0f s", viewer.who, viewer.camera, lasted_s)
        self._on_viewers()

    async def stream(self, viewer: Viewer, still_may: Callable[[], bool]) -> AsyncIterator[bytes]:
        """A multipart body of pictures, until LOOK_S have passed or the viewer may no more."""
        try:
            while time.monotonic() - viewer.began_s < LOOK_S and still_may() and self._is_open(viewer):
                jpeg = await viewer.next()
                yield _part(words_picture(NOT_SEEN) if jpeg is None else jpeg)
        finally:
            self.close(viewer)

    def frame(self, camera: str, header: FrameHeader, pixels: Image) -> None:
        """A frame as it lies in the ring; it is copied, smaller, to wait for what is found in it."""
        if camera not in self.wanted():
            return
        image = pixels
        if header.pixel_format == PixelFormat.NV12:
            image = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_YUV2BGR_NV12), np.uint8)
        scale = min(1.0, (MAX_WHOLE_WIDTH if self._is_whole(camera) else MAX_WIDTH) / header.width)
        size = (round(header.width * scale), round(header.height * scale))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        if small is pixels:
            small = small.copy()
        waiting = self._camera(camera).waiting
        waiting[header.sequence] = (header.time_s, small, scale)
        for sequence, (time_s, _, _) in list(waiting.items()):
            if len(waiting) > MAX_WAITING or time_s < header.time_s - KEEP_S:
                del waiting[sequence]

    def found(self, now: CameraNow) -> None:
        """What was found in a frame; if it waits, it is shown, without a face."""
        if now.camera not in self.wanted():
            return
        camera = self._camera(now.camera)
        boxes = [*(person.box for person in now.people), *now.others]
        camera.recent.append((now.time_s, boxes))
        while camera.recent and camera.recent[0][0] < now.time_s - RECENT_S:
            camera.recent.popleft()
        time_s, image, scale = camera.waiting.get(now.sequence, (None, None, 1.0))
        if image is None or time_s != now.time_s:
            return
        del camera.waiting[now.sequence]
        heads = [_scaled(box, scale) for _, before in camera.recent for box in before]
        current = [_scaled(box, scale) for box in boxes]
        camera.moving.blur(image, current)
        blur_heads(image, heads)
        if not camera.moving.has_learned:
            return
        with self._lock:
            viewers = [viewer for viewer in self._viewers if viewer.camera == now.camera]
        for viewer in (viewer for viewer in viewers if viewer.whole):
            viewer.show(_jpeg(image))
        if all(viewer.whole for viewer in viewers):
            return
        ratio = min(1.0, MAX_WIDTH / image.shape[1])
        size = (round(image.shape[1] * ratio), round(image.shape[0] * ratio))
        drawn = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        draw_floor(drawn, self._known[now.camera], self._shown)
        named = [(short_visitor(one.visitor), _scaled(one.box, scale * ratio)) for one in now.people]
        draw_people(drawn, named)
        jpeg = _jpeg(drawn)
        for viewer in (viewer for viewer in viewers if not viewer.whole):
            viewer.show(jpeg)

    def _is_whole(self, camera: str) -> bool:
        with self._lock:
            return any(viewer.whole for viewer in self._viewers if viewer.camera == camera)

    def _camera(self, name: str) -> _Camera:
        with self._lock:
            return self._cameras.setdefault(name, _Camera())

    def _is_open(self, viewer: Viewer) -> bool:
        with self._lock:
            return viewer in self._viewers


def _scaled(box: Box, scale: float) -> Box:
    left, top, width, height = box
    return left * scale, top * scale, width * scale, height * scale


def _jpeg(image: Image) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())


def _part(jpeg: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"
