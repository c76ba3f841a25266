"""How fast this machine decodes and analyses frames, measured in a process of its own.

    python -m runtime.doctor.speed < request.json > speed.json

A process of its own can be ended when it takes too long, and is alone with its libraries.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable

import av
import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.backends.cpu import available_threads
from engines.errors import EngineError
from engines.inference.detector import PersonDetector
from runtime.config import Engines
from runtime.frames.ring.buffer import FrameHeader, FrameRing
from runtime.frames.video.pixels import Pixels
from runtime.vision.executors.choice import choose_executor
from runtime.vision.executors.executor import Executor
from runtime.vision.frame import LeasedFrame

FRAME_WH = (1920, 1080)
CLIP_FRAMES = 25
CLIP_BITS_PER_S = 4_000_000
"""What a network camera of that size commonly sends."""
CODINGS = ("libx264", "mpeg4")
"""What the clip is coded with: the first that this FFmpeg can write."""
BATCH = 4
ANALYSED_OF_DECODED = 10 / 25
"""Only analysed frames are turned into BGR."""


class SpeedRequest(msgspec.Struct, frozen=True):
    """What is to be measured: the engines as configured, for so long in all once they are ready."""

    engines: Engines
    seconds: float


class Speed(msgspec.Struct, frozen=True):
    """Frames of `FRAME_WH` a second. `way` says what looks at them, `coding` what was decoded.

    `looked_at_per_s` is with all cores, `decoded_per_s` with one; None: this FFmpeg writes no such clip.
    """

    way: str
    input_wh: tuple[int, int]
    cores: int
    looked_at_per_s: float
    decoded_per_s: float | None
    coding: str | None


def measure(request: SpeedRequest) -> Speed:
    """Compile, then measure: two thirds of the time for the network, one for decoding. Raises EngineError."""
    threads = request.engines.threads or available_threads()
    cv2.setNumThreads(1)
    detector = PersonDetector.open(
        request.engines.detector,
        input_size=request.engines.input_size,
        backend=request.engines.backend,
        threads=threads,
        streams=min(BATCH, threads),
        score=request.engines.score,
    )
    executor = choose_executor(request.engines.backend, detector)
    try:
        looked_at_per_s = _looked_at_per_s(executor, request.seconds * 2 / 3)
    finally:
        executor.close()
    coding, clip = clip_of(FRAME_WH)
    return Speed(
        way=executor.description,
        input_wh=detector.input_size_for(*FRAME_WH),
        cores=available_threads(),
        looked_at_per_s=looked_at_per_s,
        decoded_per_s=None if clip is None else _decoded_per_s(clip, request.seconds / 3),
        coding=coding,
    )


def _looked_at_per_s(executor: Executor, seconds: float) -> float:
    """As the vision process does it: batches of frames that lie in a camera's ring."""
    width, height = FRAME_WH
    ring = FrameRing.create(BATCH, width, height)
    try:
        frames = []
        for slot in range(BATCH):
            ring.write(slot, scene(FRAME_WH, slot), FrameHeader(slot + 1, 0.0, 0.0, width, height))
            frames.append(LeasedFrame("doctor", ring, slot))
        executor.add_camera("doctor", ring)
        return BATCH * _turns_per_s(lambda: executor.finish(executor.start(frames)), seconds)
    finally:
        executor.remove_camera("doctor")
        ring.close()


def _turns_per_s(turn: Callable[[], object], seconds: float) -> float:
    """How often a second; the first turn makes things ready and does not count."""
    turn()
    begun_s, turns = time.perf_counter(), 0
    while (passed_s := time.perf_counter() - begun_s) < seconds or not turns:
        turn()
        turns += 1
    return turns / passed_s


def _decoded_per_s(clip: bytes, seconds: float) -> float:
    """With one thread, as each camera process does it."""
    pixels, turned = Pixels(), 0.0

    def turn() -> None:
        nonlocal turned
        with av.open(io.BytesIO(clip)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                turned += ANALYSED_OF_DECODED
                if turned >= 1:
                    turned -= 1
                    pixels.bgr(frame, FRAME_WH)

    return CLIP_FRAMES * _turns_per_s(turn, seconds)


def clip_of(size: tuple[int, int]) -> tuple[str | None, bytes | None]:
    """A second of a moving scene as a network camera sends it, and its coding; None where none is written."""
    for coding in CODINGS:
        try:
            return coding, _coded(coding, size)
        except (av.FFmpegError, ValueError):
            continue
    return None, None


def _coded(coding: str, size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(coding, rate=CLIP_FRAMES)
        stream.width, stream.height = size
        stream.pix_fmt, stream.bit_rate = "yuv420p", CLIP_BITS_PER_S
        stream.options = {"preset": "ultrafast", "tune": "zerolatency"} if coding == "libx264" else {}
        for number in range(CLIP_FRAMES):
            picture = av.VideoFrame.from_ndarray(scene(size, number), format="bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return file.getvalue()


def scene(size: tuple[int, int], number: int) -> NDArray[np.uint8]:
    """Frame `number` of a still background with something textured that moves through it."""
    width, height = size
    rng = np.random.default_rng(1)
    coarse = rng.integers(40, 200, (height // 40, width // 40, 3), np.uint8)
    picture = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    side = height // 4
    left = 12 * number % (width - side)
    picture[side : 2 * side, left : left + side] = rng.integers(0, 255, (side, side, 3), np.uint8) // 2 + 60
    return picture


def main() -> int:
    """Measure what standard input asks for."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=SpeedRequest)
    try:
        speed = measure(request)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(speed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
