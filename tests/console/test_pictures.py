"""Nobody can be recognised, at most two look, and nothing is shown that was not looked at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import cv2
import msgspec
import numpy as np
import pytest

from runtime.config import StoreConfig
from runtime.console.blurring import FRAMES_TO_LEARN, HEAD_SHARE, MovingThings, blur_heads
from runtime.console.pictures import MAX_VIEWERS, MAX_WIDTH, CameraPictures, Viewer
from runtime.console.shown import ShownStore
from runtime.frames.ring.buffer import FrameHeader, PixelFormat
from runtime.messages import CameraNow, InFrame

BOX = (300.0, 120.0, 60.0, 180.0)
RNG = np.random.default_rng(3)


def noise(width: int = 768, height: int = 576) -> np.ndarray:
    """A picture that is all detail."""
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


def detail(part: np.ndarray) -> float:
    return float(cv2.Laplacian(part, cv2.CV_32F).var())


def test_a_head_has_no_detail_left_and_the_rest_stays() -> None:
    image = noise()
    before = image.copy()
    blur_heads(image, [BOX])
    left, top, width, height = map(int, BOX)
    head = (slice(top, top + int(HEAD_SHARE * height)), slice(left, left + width))
    assert detail(image[head]) < 0.002 * detail(before[head])
    assert (image[top + height // 2 :] == before[top + height // 2 :]).all()
    assert (image[:, : left - width] == before[:, : left - width]).all()


@pytest.mark.parametrize(
    "box", [(-40, -40, 60, 90), (750, 560, 60, 90), (0, 0, 1, 1), (900, 900, 5, 5), (10, 10, 2, 400)]
)
def test_a_head_at_the_edge_of_the_picture_is_no_fault(box: tuple[float, float, float, float]) -> None:
    blur_heads(noise(), [box])


def test_who_moves_and_was_not_found_is_blurred() -> None:
    moving = MovingThings()
    still = cv2.GaussianBlur(noise(640, 480), (0, 0), 9)
    for _ in range(FRAMES_TO_LEARN):
        moving.blur(still.copy(), [])
    assert moving.has_learned
    image = still.copy()
    image[100:300, 200:300] = RNG.integers(150, 256, (200, 100, 3), np.uint8)
    before = image.copy()
    moving.blur(image, [])
    assert detail(image[120:280, 220:280]) < 0.01 * detail(before[120:280, 220:280])
    assert (image[:, 400:] == before[:, 400:]).all()
    found = before.copy()
    moving.blur(found, [(195.0, 95.0, 110.0, 210.0)])
    assert (found[120:280, 220:280] == before[120:280, 220:280]).all(), "a found person's body is shown"


class Desk:
    """Pictures of the plaza's camera with one viewer."""

    def __init__(self, config: StoreConfig) -> None:
        self.loop = asyncio.new_event_loop()
        self.pictures = CameraPictures(ShownStore.of(config), lambda: None)
        self.viewer = self.open()
        assert self.viewer is not None

    def open(self, who: str = "Ada") -> Viewer | None:
        async def opening() -> Viewer | None:
            return self.pictures.open("square", who)

        return self.loop.run_until_complete(opening())

    def frame(self, sequence: int, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        header = FrameHeader(sequence, sequence / 5, sequence / 5, width, height)
        self.pictures.frame("square", header, image)

    def found(self, sequence: int, *boxes: tuple[float, float, float, float], others: tuple = ()) -> None:  # type: ignore[type-arg]
        people = tuple(InFrame("2f1c8b7e9a04", box) for box in boxes)
        self.pictures.found(CameraNow("square", sequence, sequence / 5, people, others))

    def shown(self) -> np.ndarray | None:
        """The newest picture, if there is one."""

        async def asking() -> bytes | None:
            try:
                assert self.viewer is not None
                return await asyncio.wait_for(self.viewer.next(), 0.05)
            except asyncio.TimeoutError:
                return None

        jpeg = self.loop.run_until_complete(asking())
        return None if jpeg is None else cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)

    def warm_up(self, image: np.ndarray) -> None:
        for sequence in range(1, FRAMES_TO_LEARN + 1):
            self.frame(sequence, image)
            self.found(sequence)
        self.shown()


@pytest.fixture
def desk(config: StoreConfig) -> Iterator[Desk]:
    opened = Desk(config)
    yield opened
    opened.loop.close()


def test_a_frame_is_shown_only_with_what_was_found_in_that_very_frame(desk: Desk) -> None:
    image = noise()
    desk.warm_up(image)
    desk.frame(10, image)
    assert desk.shown() is None
    desk.found(11, BOX)
    assert desk.shown() is None
    desk.found(10, BOX)
    shown = desk.shown()
    assert shown is not None and shown.shape[1] == MAX_WIDTH


@pytest.mark.parametrize("as_others", [False, True])
def test_heads_are_blurred_in_what_is_shown_also_of_who_is_not_counted_yet(
    desk: Desk, as_others: bool
) -> None:
    image = noise()
    desk.warm_up(image)
    desk.frame(10, image)
    desk.found(10, others=(BOX,)) if as_others else desk.found(10, BOX)
    shown = desk.shown()
    assert shown is not None
    scale = MAX_WIDTH / image.shape[1]
    left, top, width, height = (int(value * scale) for value in BOX)
    head = shown[top + 3 : top + int(0.25 * height), left + 3 : left + width - 3]
    assert detail(head) < 0.05 * detail(shown[:60, :60])


def test_a_head_that_is_lost_for_a_moment_stays_blurred(desk: Desk) -> None:
    image = noise()
    desk.warm_up(image)
    desk.found(9, BOX)
    desk.frame(10, image)
    desk.found(10)
    shown = desk.shown()
    assert shown is not None
    scale = MAX_WIDTH / image.shape[1]
    left, top, width, height = (int(value * scale) for value in BOX)
    assert detail(shown[top + 3 : top + int(0.25 * height), left + 3 : left + width - 3]) < 0.05 * detail(
        shown[:60, :60]
    )


def test_two_look_and_no_third_and_the_log_says_who(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    second = desk.open("Bob")
    assert second is not None and MAX_VIEWERS == 2
    assert desk.open("Eve") is None
    assert desk.pictures.wanted() == {"square"}
    desk.pictures.close(second)
    assert desk.viewer is not None
    desk.pictures.close(desk.viewer)
    assert desk.pictures.wanted() == frozenset()
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "Bob looks at pictures of camera square" in told and "Ada looks no more at camera square" in told
    assert "Eve" not in told


def test_nothing_is_kept_while_nobody_looks(desk: Desk) -> None:
    assert desk.viewer is not None
    desk.frame(1, noise())
    desk.pictures.close(desk.viewer)
    desk.frame(2, noise())
    desk.found(2, BOX)
    assert desk.pictures._cameras == {}


def test_pictures_that_are_turned_off_end_at_once(desk: Desk) -> None:
    desk.pictures.use(msgspec.structs.replace(desk.pictures._shown, pictures=False))
    assert desk.pictures.wanted() == frozenset()


def test_frames_that_wait_are_few_and_the_ring_is_not_held(desk: Desk) -> None:
    image = noise(640, 480)
    for sequence in range(1, 100):
        desk.frame(sequence, image)
    waiting = desk.pictures._cameras["square"].waiting
    assert len(waiting) <= 8
    assert all(not np.shares_memory(kept, image) for _, kept, _ in waiting.values())


def test_a_frame_of_a_video_engine_is_shown_too(desk: Desk) -> None:
    bgr = noise(640, 480)
    nv12 = np.vstack([cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.full((240, 640), 128, np.uint8)])
    for sequence in range(1, FRAMES_TO_LEARN + 2):
        header = FrameHeader(sequence, sequence / 5, 0.0, 640, 480, PixelFormat.NV12)
        desk.pictures.frame("square", header, nv12)
        desk.found(sequence)
    shown = desk.shown()
    assert shown is not None and shown.shape == (480, 640, 3)


def test_what_is_told_of_an_earlier_frame_shows_no_later_one(desk: Desk) -> None:
    """People who are confirmed are told as seen before, under the number of the frame that confirmed them."""
    image = noise()
    desk.warm_up(image)
    desk.frame(10, image)
    desk.pictures.found(CameraNow("square", 10, 9 / 5, ()))
    assert desk.shown() is None
    desk.found(10, BOX)
    assert desk.shown() is not None
