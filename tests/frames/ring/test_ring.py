from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from runtime.frames.errors import RingError
from runtime.frames.ring.buffer import FrameHeader, FrameRing, PixelFormat, create_ring

HEADER = FrameHeader(sequence=7, time_s=1.5, arrived_s=1.75, width=64, height=48, epoch=2, loop=3)


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_what_is_written_is_read_through_another_mapping() -> None:
    with FrameRing.create(3, 64, 48) as writer, FrameRing.attach(os.dup(writer.fd)) as reader:
        writer.write(1, picture(), HEADER)
        assert reader.header(1) == HEADER
        assert np.array_equal(reader.frame(1), picture())


def test_a_frame_is_a_view_and_follows_the_writer() -> None:
    with FrameRing.create(2, 64, 48) as writer, FrameRing.attach(os.dup(writer.fd)) as reader:
        writer.write(0, picture(), HEADER)
        seen = reader.frame(0)
        writer.slot_view(0, 64, 48)[:] = 9
        assert (seen == 9).all()


def test_a_reader_cannot_write() -> None:
    with FrameRing.create(2, 64, 48) as writer, FrameRing.attach(os.dup(writer.fd)) as reader:
        writer.write(0, picture(), HEADER)
        with pytest.raises(ValueError, match="read-only"):
            reader.frame(0)[0, 0, 0] = 1


def test_every_frame_and_header_starts_on_a_page() -> None:
    with FrameRing.create(3, 50, 40) as ring:
        addresses = [ring.slot_view(slot, 50, 40).ctypes.data for slot in range(3)]
        assert all(address % mmap.PAGESIZE == 0 for address in addresses)
        assert addresses[1] - addresses[0] == 3 * mmap.PAGESIZE  # a page of header, 6000 bytes in two pages


def test_memory_is_allocated_and_sealed_when_the_ring_is_made() -> None:
    fd = create_ring(4, 320, 240)
    try:
        status = os.fstat(fd)
        assert status.st_blocks * 512 >= status.st_size
        with pytest.raises(PermissionError):
            os.ftruncate(fd, status.st_size - mmap.PAGESIZE)
        with pytest.raises(PermissionError):
            os.ftruncate(fd, status.st_size + mmap.PAGESIZE)
        with pytest.raises(PermissionError):
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    finally:
        os.close(fd)


def test_a_smaller_frame_and_then_a_larger_one_share_a_slot() -> None:
    with FrameRing.create(2, 64, 48) as ring:
        for width, height in ((32, 20), (64, 48), (48, 64)):
            ring.write(0, picture(height, width), HEADER._replace(width=width, height=height))
            assert np.array_equal(ring.frame(0), picture(height, width))


def test_nv12_frames_have_their_own_shape() -> None:
    luma_and_chroma = np.arange(72 * 64, dtype=np.uint32).astype(np.uint8).reshape(72, 64)
    with FrameRing.create(2, 64, 48) as ring:
        ring.write(0, luma_and_chroma, HEADER._replace(pixel_format=PixelFormat.NV12))
        assert np.array_equal(ring.frame(0), luma_and_chroma)


@pytest.mark.parametrize(
    ("width", "height", "message"),
    [(128, 128, "does not fit a slot"), (0, 48, "no frame has 0 x 48"), (64, 9000, "no frame has 64 x 9000")],
)
def test_a_frame_that_cannot_be_in_a_slot_is_refused(width: int, height: int, message: str) -> None:
    with FrameRing.create(2, 64, 48) as ring, pytest.raises(RingError, match=message):
        ring.stamp(0, HEADER._replace(width=width, height=height))


def test_a_header_that_contradicts_its_image_is_refused() -> None:
    with FrameRing.create(2, 64, 48) as ring, pytest.raises(RingError, match="the header says"):
        ring.write(0, picture(40, 64), HEADER)


def test_a_slot_that_is_not_there_is_refused() -> None:
    with FrameRing.create(2, 64, 48) as ring, pytest.raises(RingError, match="no slot 2"):
        ring.frame(2)


@pytest.mark.parametrize("slots", [0, 1, 65])
def test_a_ring_with_too_few_or_too_many_slots_is_refused(slots: int) -> None:
    with pytest.raises(RingError, match="2 to 64"):
        create_ring(slots, 64, 48)


def test_memory_that_is_not_a_ring_is_refused_and_closed() -> None:
    unsealed = os.memfd_create("other")
    os.ftruncate(unsealed, 1 << 20)
    with pytest.raises(RingError, match="no frame ring"):
        FrameRing.attach(unsealed)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(unsealed)


def test_a_sealed_memory_with_a_wrong_size_is_refused() -> None:
    good = create_ring(2, 64, 48)
    forged = os.memfd_create("forged", os.MFD_ALLOW_SEALING)
    os.write(forged, os.pread(good, mmap.PAGESIZE, 0))
    fcntl.fcntl(forged, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    os.close(good)
    with pytest.raises(RingError, match="do not make"):
        FrameRing.attach(forged)


def test_closing_leaves_no_descriptor_and_no_mapping() -> None:
    ring = FrameRing.create(2, 640, 480)
    ring.write(0, picture(480, 640), HEADER._replace(width=640, height=480))
    fd = ring.fd
    ring.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    assert "tagsight-frames" not in Path("/proc/self/maps").read_text()
    with pytest.raises(RingError, match="closed"):
        ring.frame(0)
