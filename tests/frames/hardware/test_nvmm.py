"""Surfaces of the video engine, made by hand: their memory is a memfd in the place of a dma-buf."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import pytest

from runtime.frames.errors import FrameError
from runtime.frames.hardware import nvmm, video_engine

WIDTH, HEIGHT, PITCH, CHROMA = 32, 24, 64, 4096


class MadeSurface:
    """An NvBufSurface of NV12 with gaps after its rows and between its planes."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.size = CHROMA + PITCH * HEIGHT // 2
        self.bytes = rng.integers(0, 256, self.size, np.uint8)
        self.fd = os.memfd_create("surface")
        os.write(self.fd, self.bytes.tobytes())
        self.params = nvmm.SurfaceParams(
            width=WIDTH, height=HEIGHT, pitch=PITCH, bufferDesc=self.fd, dataSize=self.size
        )
        planes = self.params.planeParams
        planes.num_planes = 2
        planes.pitch[:2] = (PITCH, PITCH)
        planes.offset[:2] = (0, CHROMA)
        self.surface = nvmm.Surface(batchSize=1, numFilled=1, surfaceList=ctypes.pointer(self.params))

    def copy(self, into: np.ndarray, *, sync: bool = False) -> None:
        length = ctypes.sizeof(self.surface)
        nvmm.copy_surface(ctypes.addressof(self.surface), length, into, sync=sync)


@pytest.fixture
def made() -> MadeSurface:
    return MadeSurface()


def frame() -> np.ndarray:
    return np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8)


def test_a_surface_is_copied_once_without_its_gaps(made: MadeSurface) -> None:
    into = frame()
    made.copy(into)
    luma = made.bytes[: PITCH * HEIGHT].reshape(HEIGHT, PITCH)[:, :WIDTH]
    chroma = made.bytes[CHROMA:].reshape(HEIGHT // 2, PITCH)[:, :WIDTH]
    assert (into[:HEIGHT] == luma).all() and (into[HEIGHT:] == chroma).all()


def test_what_is_no_pitch_linear_nv12_is_refused(made: MadeSurface) -> None:
    made.params.layout = 1
    with pytest.raises(FrameError, match="layout is 1, not pitch-linear"):
        made.copy(frame())
    made.params.layout, made.params.planeParams.num_planes = 0, 1
    with pytest.raises(FrameError, match="32 x 24, 1 planes; NV12 of 32 x 24 is wanted"):
        made.copy(frame())


def test_planes_beyond_the_surfaces_memory_are_refused(made: MadeSurface) -> None:
    made.params.planeParams.offset[1] = CHROMA + PITCH
    with pytest.raises(FrameError, match="do not lie in its"):
        made.copy(frame())
    made.params.planeParams.offset[1], made.params.planeParams.pitch[0] = CHROMA, WIDTH - 1
    with pytest.raises(FrameError, match="do not lie in its"):
        made.copy(frame())


def test_an_empty_surface_and_a_short_buffer_are_refused(made: MadeSurface) -> None:
    made.surface.numFilled = 0
    with pytest.raises(FrameError, match="holds no picture"):
        made.copy(frame())
    with pytest.raises(FrameError, match="a buffer of 4 bytes"):
        nvmm.copy_surface(ctypes.addressof(made.surface), 4, frame())


def test_memory_that_is_no_dma_buf_cannot_be_brought_in_order(made: MadeSurface) -> None:
    with pytest.raises(FrameError, match="cannot be read"):
        made.copy(frame(), sync=True)


def test_it_is_off_unless_asked_for() -> None:
    assert video_engine.is_wanted({"TAGSIGHT_CAPTURE": "nvmm"})
    sent = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000"
    usual = video_engine.pipeline_for(sent, "video engine", "door")
    assert "NVMM" not in usual
    asked = video_engine.pipeline_for(sent, "video engine, its own memory", "door")
    assert asked.endswith("nvv4l2decoder ! video/x-raw(memory:NVMM),format=NV12")
