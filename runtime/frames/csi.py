"""A camera on the board's own connector (Jetson CSI), through GStreamer.

Needs PyGObject and GStreamer from the system (on a Jetson: python3-gi and NVIDIA's plugins); where they
cannot be imported the source says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.clock import HostClock
from runtime.frames.ring import Image
from runtime.frames.sources import Grab, SourceFault, SourceState
from runtime.frames.uri import SourceUri

SENSOR = (
    "nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM),format=NV12 "
    "! nvvidconv ! video/x-raw,format=BGRx"
)
"""What gives BGRx pictures of a sensor on a Jetson."""

_TAIL = " ! appsink name=pictures max-buffers=1 drop=true sync=false"
FIRST_PICTURE_S = 10.0
NEXT_PICTURE_S = 5.0


class CsiSource:
    """Pictures of a sensor; only the newest waits."""

    waits = False

    def __init__(self, where: SourceUri, clock: HostClock, pipeline: str = SENSOR) -> None:
        """Start the pipeline and wait for the first picture. Raises SourceFault."""
        self.label = where.label
        self.remark = ""
        self.stale = 0
        self.spoiled = 0
        self.fps = 0.0
        self._clock = clock
        self._number = 0
        self._gst = _gstreamer(where.label)
        try:
            self._pipeline: Any = self._gst.parse_launch(pipeline.format(sensor=where.target) + _TAIL)
        except Exception as error:
            raise SourceFault(
                SourceState.UNUSABLE, f"{where.label}: GStreamer has no such camera ({error}); a Jetson has"
            ) from error
        self._sink: Any = self._pipeline.get_by_name("pictures")
        self._pipeline.set_state(self._gst.State.PLAYING)
        try:
            self._sample = self._pull(FIRST_PICTURE_S)
        except SourceFault:
            self.close()
            raise
        structure = self._sample.get_caps().get_structure(0)
        self.size = (int(structure.get_value("width")), int(structure.get_value("height")))
        self._first: Any = self._sample

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes."""
        self._sample = self._first or self._pull(NEXT_PICTURE_S)
        self._first = None
        self._number += 1
        arrived_s = self._clock.now()
        return Grab(arrived_s, arrived_s, self._number - 1)

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last."""
        width, height = self.size
        buffer = self._sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        if len(data) < width * height * 4:
            return None
        bgrx = np.frombuffer(data, np.uint8, width * height * 4).reshape(height, width, 4)
        image = (
            into
            if into is not None and into.shape == (height, width, 3)
            else np.empty((height, width, 3), np.uint8)
        )
        np.copyto(image, bgrx[:, :, :3])
        return image

    def close(self) -> None:
        """Stop the pipeline."""
        self._pipeline.set_state(self._gst.State.NULL)

    def _pull(self, timeout_s: float) -> Any:
        sample = self._sink.emit("try-pull-sample", int(timeout_s * 1e9))
        if sample is None:
            raise SourceFault(SourceState.CONNECTING, f"{self.label}: the sensor gives no pictures")
        return sample


def _gstreamer(label: str) -> Any:
    try:
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
    except (ImportError, ValueError) as error:
        raise SourceFault(
            SourceState.UNUSABLE,
            f"{label}: no GStreamer for Python ({error}); install python3-gi and gir1.2-gstreamer-1.0",
        ) from error
    Gst.init(None)
    return Gst
