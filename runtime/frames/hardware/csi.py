"""A camera on the board's own connector (Jetson CSI), through GStreamer."""

from __future__ import annotations

from runtime.clock import HostClock
from runtime.frames.hardware.gstreamer import Pipeline, bindings
from runtime.frames.ring.buffer import Image, PixelFormat
from runtime.frames.sources import Grab, SourceFault, SourceState
from runtime.frames.uri import SourceUri

SENSOR = (
    "nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM),format=NV12 "
    "! nvvidconv ! video/x-raw,format=NV12"
)
"""NV12 pictures of a sensor on a Jetson; nvvidconv copies them out of the video engine's memory."""

FIRST_PICTURE_S = 10.0
NEXT_PICTURE_S = 5.0


class CsiSource:
    """Pictures of a sensor; only the newest waits."""

    scales = False
    waits = False
    truncated = False
    pixel_format = PixelFormat.NV12

    def __init__(self, where: SourceUri, clock: HostClock, pipeline: str = SENSOR) -> None:
        """Start the pipeline and wait for the first picture. Raises SourceFault."""
        self.label = where.label
        self.remark = ""
        self.stale = 0
        self.spoiled = 0
        self.fps = 0.0
        self._clock = clock
        self._number = 0
        bindings(where.label)
        try:
            self._pipeline = Pipeline(where.label, pipeline.format(sensor=where.target), FIRST_PICTURE_S)
        except SourceFault as fault:
            if fault.state is not SourceState.UNUSABLE:
                raise
            raise SourceFault(fault.state, f"{fault}; such a camera is a Jetson's") from fault
        self.size = self._pipeline.size

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes."""
        self._pipeline.next(NEXT_PICTURE_S)
        self._number += 1
        arrived_s = self._clock.now()
        return Grab(arrived_s, arrived_s, self._number - 1)

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last, NV12."""
        return self._pipeline.copy(into)

    def close(self) -> None:
        """Stop the pipeline."""
        self._pipeline.close()
