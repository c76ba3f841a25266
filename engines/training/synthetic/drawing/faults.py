"""What makes one camera's pictures unlike another's: exposure, colour, softness, few pixels, a codec."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


class CameraFaults:
    """The settings of one camera, from a seed; they stay the same from picture to picture."""

    def __init__(self, *seed: int) -> None:
        rng = np.random.default_rng([*seed, 47])
        self._brightness = float(rng.uniform(80, 145))
        self._gamma = float(rng.uniform(0.8, 1.25))
        self._contrast = float(rng.uniform(0.8, 1.2))
        self._white = rng.uniform(0.9, 1.1, 3)
        self._colourful = float(rng.uniform(0.6, 1.25))
        self._soft_px = float(rng.uniform(0.3, 1.2)) if rng.random() < 0.5 else 0.0
        self._pixels = float(rng.uniform(0.5, 0.8)) if rng.random() < 0.35 else 1.0
        self._quality = int(rng.integers(30, 92))
        self._h264_crf = int(rng.integers(22, 38)) if rng.random() < 0.5 else None

    def see(self, picture: Picture) -> Picture:
        """The picture as this camera sends it."""
        height, width = picture.shape[:2]
        if self._pixels < 1.0:
            small = cv2.resize(picture, None, fx=self._pixels, fy=self._pixels, interpolation=cv2.INTER_AREA)
            picture = np.asarray(cv2.resize(small, (width, height)), np.uint8)
        if self._soft_px:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self._soft_px), np.uint8)
        gain = float(np.clip(self._brightness / max(float(picture.mean()), 15.0), 0.5, 3.0))
        values = picture.astype(np.float32)
        grey = values.mean(2, keepdims=True)
        values = (grey + (values - grey) * self._colourful) * np.asarray(self._white * gain, np.float32)
        values = 255 * (np.clip(values, 0, 255) / 255) ** self._gamma
        values = (values - 120) * self._contrast + 120
        picture = np.clip(values, 0, 255).astype(np.uint8)
        if self._h264_crf is not None:
            return _h264(picture, self._h264_crf)
        written = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1]
        return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)


def _h264(picture: Picture, crf: int) -> Picture:
    """A key frame of H.264, decoded again."""
    import av

    held = io.BytesIO()
    planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    with av.open(held, "w", format="h264") as out:
        stream: Any = out.add_stream("libx264", rate=10)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "tune": "zerolatency"}
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        for packet in [*stream.encode(frame), *stream.encode()]:
            out.mux(packet)
    held.seek(0)
    with av.open(held, "r", format="h264") as read:
        decoded = next(read.decode(video=0))
        return np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)
