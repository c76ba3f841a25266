"""Drives `engines.cuda.driver` over the fake libcuda, in a process of its own: libcuda loads once.

python gpu_path.py LIBRARY     what the abilities in $TAGSIGHT_STAND_IN lead to, as JSON
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np

from engines.cuda import frames
from engines.cuda.driver import Gpu, open_gpu
from engines.cuda.errors import GpuError
from engines.cuda.kernels import launches
from runtime.frames.ring.buffer import FrameHeader, FrameRing

SIZE = (64, 48)
CUBIN = b"\x7fELF"
"""The fake has the kernels itself; it only looks whether it is given an ELF file."""


def refused(call: object, *arguments: object, **named: object) -> str:
    """What the call says when it is refused."""
    try:
        call(*arguments, **named)  # type: ignore[operator]
    except GpuError as error:
        return str(error)
    return "not refused"


def written_ring() -> tuple[FrameRing, np.ndarray, int]:
    """A ring with a picture in slot 1, the picture, and where the ring's first frame begins."""
    ring = FrameRing.create(2, *SIZE)
    picture = np.random.default_rng(3).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    ring.slot_view(1, *SIZE)[...] = picture
    ring.stamp(1, FrameHeader(1, 0.0, 0.0, *SIZE))
    return ring, picture, ring.slot_view(0, *SIZE).ctypes.data


def letterboxed(gpu: Gpu, place: int, stream: int, size: int) -> np.ndarray:
    """The frame at `place` by the kernel, at its own size."""
    width, height = SIZE
    frame = frames.descriptors([frames.Placed(place, size, width, height, (0, 0), SIZE)])
    table, out = gpu.library.allocate(frame.nbytes), gpu.library.allocate(size * 4)
    gpu.library.copy_to_device(table, frame.ctypes.data, frame.nbytes, stream)
    rule = launches.pixel_rule((0.0,) * 3, (1.0,) * 3, rgb=False)
    start, end = gpu.library.event(), gpu.library.event()
    gpu.library.record(start, stream)
    gpu.run(launches.letterbox(table, 1, out, (1, height, width), rule, half=False), stream)
    gpu.library.record(end, stream)
    result = np.empty((3, height, width), np.float32)
    gpu.library.copy_to_host(result.ctypes.data, out, result.nbytes, stream)
    gpu.library.wait(stream)
    assert gpu.library.elapsed_ms(start, end) >= 0.0
    gpu.library.free(table)
    gpu.library.free(out)
    return result.transpose(1, 2, 0)


def main(library: str) -> dict[str, object]:
    """Open, share a ring, run a kernel on a frame of it, and try what must be refused."""
    gpu = open_gpu(library)  # type: ignore[arg-type]
    told: dict[str, object] = {"says": gpu.describe(writable=True), "wrong_cubin": refused(gpu.load, b"none")}
    gpu.load(CUBIN)
    ring, picture, start = written_ring()
    second = ring.slot_view(1, *SIZE).ctypes.data
    length = second - start + ring.frame_bytes
    shared = gpu.share(start, length, ring.frame_bytes, writable=True)
    stream = gpu.library.stream()
    place = shared.fetch(second - start, picture.nbytes, stream)
    told["in_place"] = place == second
    told["exact"] = bool((letterboxed(gpu, place, stream, picture.nbytes) == picture).all())
    told["twice"] = refused(gpu.share, second, ring.frame_bytes, ring.frame_bytes, writable=True)
    told["beyond"] = refused(shared.fetch, length - 5, 6, stream)
    told["too_long"] = refused(shared.fetch, 0, ring.frame_bytes + 1, stream)
    told["foreign"] = refused(gpu.library.copy_to_host, start, start, 8, stream)
    rows = np.ones((1, 4), np.float32)
    launch = launches.l2_normalise(rows.ctypes.data, rows.ctypes.data, 1, 4)
    told["ordinary_memory"] = refused(gpu.run, launch, stream)
    shared.close()
    if told["in_place"]:
        told["closed_ring"] = refused(letterboxed, gpu, place, stream, picture.nbytes)
    again = gpu.share(start, length, ring.frame_bytes, writable=True)
    told["again"] = again.way.name
    again.close()
    told["read_only"] = gpu.share(start, length, ring.frame_bytes).way.name
    gpu.close()
    return told


if __name__ == "__main__":
    # pycuda wants all of libcuda; bound lazily, it does without what is never called.
    sys.setdlopenflags(os.RTLD_LAZY)
    print(json.dumps(main(sys.argv[1])))
