"""Cameras that send Motion JPEG over HTTP."""

from __future__ import annotations

from itertools import pairwise

import cv2
import pytest

from runtime.frames.live.motion_jpeg import MotionJpegSource, is_whole
from runtime.frames.opening import open_source
from runtime.frames.sources import SourceFault, SourceState, read
from testing.cameras.fake_camera import FakeCamera
from testing.cameras.fake_web_camera import FakeWebCamera, WebManner
from tests.frames.clips import number_in, numbered
from tests.frames.conftest import free_port


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [jpeg(number) for number in range(30)]


def jpeg(number: int, size: tuple[int, int] = (160, 120)) -> bytes:
    ok, coded = cv2.imencode(".jpg", numbered(number, size))
    assert ok
    return bytes(coded)


def opened(uri: str) -> MotionJpegSource:
    source = open_source(uri)
    assert isinstance(source, MotionJpegSource)
    return source


@pytest.mark.parametrize(
    "manner",
    [
        WebManner(),
        WebManner(login="Basic"),
        WebManner(login="MD5"),
        WebManner(login="SHA-256"),
        WebManner(lengths=False),
        WebManner(chunked=True),
        WebManner(boundary="--another"),
        WebManner(kind="multipart/x-mixed-replace", boundary="myboundary"),
        WebManner(stamps=lambda taken_s, number: 1e6 + taken_s),
    ],
    ids=[
        "open",
        "Basic",
        "MD5",
        "SHA-256",
        "no lengths",
        "chunked",
        "wrong boundary",
        "no boundary",
        "stamps",
    ],
)
def test_every_picture_comes_in_order(pictures: list[bytes], manner: WebManner) -> None:
    with FakeWebCamera(pictures, manner) as camera:
        source = opened(camera.uri())
        assert source.size == (160, 120) and source.remark == ""
        frames = [frame for frame in (read(source) for _ in range(8)) if frame is not None]
        assert [number_in(frame.image) for frame in frames] == list(range(8))
        assert [frame.grab.number for frame in frames] == list(range(8))
        steps = [b.grab.time_s - a.grab.time_s for a, b in pairwise(frames)]
        assert sum(steps) == pytest.approx(7 / manner.fps, abs=0.15)
        source.close()


def test_stamps_of_a_wrong_clock_are_not_believed(pictures: list[bytes]) -> None:
    manner = WebManner(stamps=lambda taken_s, number: taken_s - 9000 * (number % 5 == 4))
    with FakeWebCamera(pictures, manner) as camera:
        source = opened(camera.uri())
        grabs = [source.grab() for _ in range(25)]
        assert source.stale == 0
        assert all(grab.arrived_s - grab.time_s < 0.15 for grab in grabs)
        assert "1 in 5" in source.remark
        source.close()


def test_a_picture_that_is_cut_short_is_left_out(pictures: list[bytes]) -> None:
    broken = [pictures[0], pictures[1][: len(pictures[1]) // 2], pictures[2]]
    with FakeWebCamera(broken) as camera:
        source = opened(camera.uri())
        found = [number_in(frame.image) for frame in (read(source) for _ in range(4)) if frame is not None]
        assert found == [0, 2, 0, 2]
        source.close()


def with_thumbnail(picture: bytes, thumbnail: bytes) -> bytes:
    """A JPEG with another one in its header, as cameras with EXIF send it."""
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    return picture[:2] + segment + picture[2:]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
def test_a_picture_without_its_end_is_left_out_though_it_could_be_decoded(
    pictures: list[bytes], share: float
) -> None:
    whole = with_thumbnail(pictures[1], pictures[9])
    cut = whole[: -round((1 - share) * len(pictures[1])) - 1]
    assert is_whole(whole) and not is_whole(cut)
    with FakeWebCamera([pictures[0], cut, pictures[2]]) as camera:
        source = opened(camera.uri())
        grabs = [source.grab() and source.retrieve() for _ in range(3)]
        assert [image is None for image in grabs] == [False, True, False]
        source.close()


@pytest.mark.parametrize(
    "behind",
    [b"\0" * 500, b"\xff" * 3, b"\r\n" * 3, b"firmware 1.2 " * 30],
    ids=["zeros", "fill", "lines", "text"],
)
def test_what_a_camera_sends_behind_a_picture_does_no_harm(pictures: list[bytes], behind: bytes) -> None:
    padded = [with_thumbnail(picture, pictures[9]) + behind for picture in pictures[:3]]
    with FakeWebCamera(padded) as camera:
        source = opened(camera.uri())
        found = [number_in(frame.image) for frame in (read(source) for _ in range(3)) if frame is not None]
        assert found == [0, 1, 2]
        source.close()


REFUSED = {
    "a wrong password": (
        WebManner(login="MD5"),
        "ann:no",
        SourceState.WRONG_PASSWORD,
        "refuses this user name and password (login by Digest MD5)",
    ),
    "no password": (WebManner(login="Basic"), "", SourceState.WRONG_PASSWORD, "none was given"),
    "no rights": (
        WebManner(status=403),
        None,
        SourceState.WRONG_PASSWORD,
        "HTTP 403 Forbidden: access is forbidden",
    ),
    "no such path": (
        WebManner(status=404),
        None,
        SourceState.NO_SUCH_FILE,
        "has no /video.mjpg (HTTP 404 Not Found)",
    ),
    "too many viewers": (WebManner(status=503), None, SourceState.CONNECTING, "too many viewers"),
    "a fault of its own": (
        WebManner(status=500),
        None,
        SourceState.CONNECTING,
        "the camera has a fault of its own",
    ),
    "a single picture": (
        WebManner(kind="image/jpeg"),
        None,
        SourceState.UNUSABLE,
        "this is a single picture, not Motion JPEG",
    ),
    "a web page": (
        WebManner(kind="text/html"),
        None,
        SourceState.UNUSABLE,
        "this is a web page, not Motion JPEG",
    ),
    "a coded video": (WebManner(kind="video/x-flv"), None, SourceState.UNUSABLE, "this is video/x-flv"),
    "another server": (
        WebManner(status=302, headers={"Location": "http://elsewhere/a"}),
        None,
        SourceState.UNUSABLE,
        "sends us on to http://elsewhere/a",
    ),
    "circles": (
        WebManner(status=302, headers={"Location": "/video.mjpg"}),
        None,
        SourceState.UNUSABLE,
        "in circles",
    ),
    "an end at once": (
        WebManner(ends_after=0),
        None,
        SourceState.CONNECTING,
        "the stream broke off (the camera ended it)",
    ),
}


@pytest.mark.parametrize(("manner", "login", "state", "words"), REFUSED.values(), ids=REFUSED)
def test_a_failed_open_says_what_the_camera_said(
    pictures: list[bytes], manner: WebManner, login: str | None, state: SourceState, words: str
) -> None:
    with FakeWebCamera(pictures, manner) as camera, pytest.raises(SourceFault) as fault:
        opened(camera.uri(login))
    assert words in str(fault.value)
    assert fault.value.state is state
    assert "geheim" not in str(fault.value)


def test_parts_that_are_no_pictures_are_named() -> None:
    with FakeWebCamera([b"hello"]) as camera, pytest.raises(SourceFault, match="no JPEG pictures") as fault:
        opened(camera.uri())
    assert fault.value.state is SourceState.UNUSABLE


def test_a_stream_that_ends_is_a_fault_and_another_size_too(pictures: list[bytes]) -> None:
    with FakeWebCamera(pictures, WebManner(ends_after=3)) as camera:
        source = opened(camera.uri())
        with pytest.raises(SourceFault, match="the stream broke off") as ended:
            for _ in range(5):
                source.grab()
    assert ended.value.state is SourceState.CONNECTING
    with FakeWebCamera([pictures[0], jpeg(1, (320, 240))]) as camera:
        source = opened(camera.uri())
        with pytest.raises(SourceFault) as changed:
            for _ in range(5):
                read(source)
    assert changed.value.state is SourceState.RESOLUTION_CHANGED


def test_who_is_no_web_server_is_named() -> None:
    with pytest.raises(SourceFault, match="is HTTP switched on"):
        opened(f"http://127.0.0.1:{free_port()}/video.mjpg")
    with FakeCamera([[b"x"]]) as rtsp, pytest.raises(SourceFault) as fault:
        opened(f"http://127.0.0.1:{rtsp.port}/video.mjpg")
    assert "it does not speak HTTP there" in str(fault.value) or "hung up" in str(fault.value)
