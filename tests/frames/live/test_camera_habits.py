"""Habits of network cameras that are no faults: however odd, their pictures come."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import pytest

from runtime.frames.live.streams import StreamSource
from runtime.frames.opening import open_source
from runtime.frames.sources import Frame, SourceFault, SourceState, read
from testing.cameras.fake_camera import FakeCamera
from testing.cameras.manner import Manner
from testing.cameras.packets import access_units
from tests.frames.clips import number_in, numbered
from tests.frames.films import make_film

Units = list[list[bytes]]
IN_BAND = {"x264-params": "repeat-headers=1"}
VIDEO = ("m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1")
SOUND = ("m=audio 0 RTP/AVP 0", "a=control:track9")
NTP_S = 3.9e9


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Units:
    return coded(tmp_path_factory.mktemp("units"))


def coded(folder: Path, **how: object) -> Units:
    film = make_film(folder / "a.264", container="h264", coder=IN_BAND, **how)  # type: ignore[arg-type]
    return access_units(film.read_bytes())


def sdp(*lines: str, end: str = "\r\n") -> str:
    return end.join(["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=x", "t=0 0", *lines, ""])


def found(frame: Frame | None) -> Frame:
    assert frame is not None
    return frame


ELSEWHERE: dict[str, Manner] = {
    "no base": Manner(base="", track="{root}/live/track1"),
    "a relative base": Manner(base="/live/", track="{root}/live/track1"),
    "the root as base": Manner(base="/", track="{root}/track1"),
    "a base relative to the path": Manner(base="./", track="{root}/track1"),
    "a base without a slash at its end": Manner(base="{uri}", track="{root}/live/track1"),
    "the same, resolved by the standard": Manner(base="{root}/live/main", track="{root}/live/track1"),
    "a base of another host": Manner(base="rtsp://192.0.2.7/live/", track="{root}/live/track1"),
    "a control of another host": Manner(
        control="rtsp://192.0.2.7/live/track1", track="rtsp://192.0.2.7/live/track1"
    ),
    "a control from the root": Manner(control="/media/track1", track="{root}/media/track1"),
    "a control with its address": Manner(control="{root}/media/track1", track="{root}/media/track1"),
    "a control that is a query": Manner(base="", control="?track=2", track="{root}/live?track=2"),
    "a control of the whole for its part": Manner(control="*", track="{root}/live/"),
    "a relative control of the session": Manner(
        base="", description=sdp("a=control:all/", *VIDEO, "a=control:track1"), track="{root}/all/track1"
    ),
    "a query in the address": Manner(path="/live?ch=1", base="", track="{root}/live?ch=1/track1"),
    "a relative base and a login": Manner(base="/live/", track="{root}/live/track1", login=("MD5",)),
    "a relative base and SHA-256": Manner(base="/live/", track="{root}/live/track1", login=("SHA-256",)),
}
"""Cameras that know their pictures by one address only."""

HABITS: dict[str, Manner] = {
    "sound before the pictures": Manner(description=sdp(*SOUND, *VIDEO, "a=control:track1")),
    "two tracks of pictures": Manner(
        description=sdp(*VIDEO, "a=control:track1", *VIDEO, "a=control:track2"),
    ),
    "a control of the whole": Manner(description=sdp("a=control:*", *VIDEO, "a=control:trackID=1")),
    "no control": Manner(description=sdp(*VIDEO)),
    "lines without a carriage return": Manner(description=sdp(*VIDEO, "a=control:track1", end="\n")),
    "parameter sets in the stream only": Manner(parameter_sets=False),
    "other channels than asked for": Manner(channel=4),
    "other channels, behind the relay": Manner(channel=4, login=("SHA-256",)),
    "a nonce for one request": Manner(login=("MD5",), nonces=1),
    "a nonce for two requests": Manner(login=("MD5",), nonces=2),
    "qop auth": Manner(login=("MD5",), protection="auth"),
    "qop auth or auth-int": Manner(login=("MD5",), protection="auth,auth-int"),
    "qop auth-int": Manner(login=("MD5",), protection="auth-int"),
    "qop auth-int with SHA-256": Manner(login=("SHA-256",), protection="auth-int"),
    "an extension in each packet": Manner(extension=True),
    "padding in each packet": Manner(padding=12),
    "numbers of packets that wrap round": Manner(first_sequence=65_530),
    "another source in mid-stream": Manner(new_source_at=20),
    "requests to the viewer": Manner(asks=True),
    "packets of a channel that nobody set up": Manner(stray=True),
    "a session that ends after a second": Manner(session="8F2A;timeout=1"),
    "a session without a time": Manner(session="12345678;timeout=0"),
    "headers in small letters": Manner(small_letters=True),
    "headers in small letters and a login": Manner(small_letters=True, login=("SHA-256",)),
    "reports of its clock": Manner(reports=lambda taken_s, number: NTP_S + taken_s),
    "reports that jump ahead": Manner(
        reports=lambda taken_s, number: NTP_S + taken_s + 7200 * (taken_s > 0.5)
    ),
    "reports that jump back": Manner(reports=lambda taken_s, number: NTP_S - 7200 * (taken_s > 0.5)),
}


@pytest.mark.parametrize("habit", HABITS)
def test_the_pictures_of_a_camera_come_whatever_its_habit(units: Units, habit: str) -> None:
    # Where the camera itself got no processor for long, its stamps are rightly doubted: it may try again.
    frames, remark = _watched(units, habit)
    for _ in range(2):
        if remark:
            frames, remark = _watched(units, habit)
    assert remark == ""
    assert all(frame.grab.arrived_s - frame.grab.time_s < 1.0 for frame in frames)
    lasting_s = sum(b.grab.time_s - a.grab.time_s for a, b in pairwise(frames[-15:]))
    assert lasting_s == pytest.approx(14 / 50, abs=0.2)


def _watched(units: Units, habit: str) -> tuple[list[Frame], str]:
    """The pictures of a camera with this habit, of which none is missing, and what is remarked of it."""
    with FakeCamera(units, replace(HABITS[habit], fps=50)) as camera:
        source = open_source(camera.uri())
        assert isinstance(source, StreamSource)
        frames: list[Frame] = []
        # The first ones are those of the opening, which come at once; on a busy machine they are many.
        while len(frames) < 20 or (len(frames) < 500 and camera.sent - len(frames) > 3):
            frames.append(found(read(source)))
        frames += [found(read(source)) for _ in range(15)]
        source.close()
    numbers = [number_in(frame.image) for frame in frames]
    assert numbers == [number % 30 for number in range(numbers[0], numbers[0] + len(frames))]
    assert source.stale == source.spoiled == 0
    return frames, source.remark


@pytest.mark.parametrize("habit", ELSEWHERE)
def test_the_pictures_are_asked_for_where_the_camera_knows_them(units: Units, habit: str) -> None:
    with FakeCamera(units, replace(ELSEWHERE[habit], fps=100)) as camera:
        source = open_source(camera.uri())
        frames = [frame for frame in (read(source) for _ in range(10)) if frame is not None]
        source.close()
    numbers = [number_in(frame.image) for frame in frames]
    assert numbers == [number % 30 for number in range(numbers[0], numbers[0] + 10)]


def test_a_camera_that_knows_no_address_of_its_own_is_named(units: Units) -> None:
    with FakeCamera(units, Manner(track="{root}/nowhere")) as camera, pytest.raises(SourceFault) as fault:
        open_source(camera.uri())
    assert "SETUP with RTSP 404 Not Found" in str(fault.value)


def jpegs(size: tuple[int, int], *options: int) -> Units:
    return [[cv2.imencode(".jpg", numbered(number, size), options)[1].tobytes()] for number in range(30)]


JPEG = Manner(coding="JPEG", fps=100)
STATIC = sdp("m=video 0 RTP/AVP 26", "a=control:track1")
SAMPLED_422 = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422)


@pytest.mark.parametrize(
    ("manner", "options"),
    [
        (JPEG, ()),
        (JPEG, SAMPLED_422),
        (JPEG, (cv2.IMWRITE_JPEG_RST_INTERVAL, 4)),
        (replace(JPEG, transports=("udp",)), ()),
        (replace(JPEG, description=STATIC), ()),
        (replace(JPEG, login=("SHA-256",)), ()),
        (replace(JPEG, base="/live/", track="{root}/live/track1"), ()),
    ],
    ids=["4:2:0", "4:2:2", "restart marks", "UDP", "no rtpmap", "SHA-256", "relative base"],
)
def test_a_camera_that_knows_only_motion_jpeg_plays_over_rtsp(
    manner: Manner, options: tuple[int, ...]
) -> None:
    with FakeCamera(jpegs((320, 240), *options), manner) as camera:
        source = open_source(camera.uri())
        assert source.size == (320, 240)
        frames = [frame for frame in (read(source) for _ in range(12)) if frame is not None]
        source.close()
    assert [number_in(frame.image) for frame in frames] == list(range(12))
    assert source.remark == "" and source.spoiled == 0


def test_jpegs_too_large_for_rtp_are_named_within_seconds() -> None:
    with FakeCamera(jpegs((2560, 16)), JPEG) as camera:
        began_s = time.monotonic()
        with pytest.raises(
            SourceFault, match=r"Motion JPEG: no picture could be made of 25 packets"
        ) as fault:
            open_source(camera.uri())
    assert fault.value.state is SourceState.UNUSABLE
    assert time.monotonic() - began_s < 10.0


def test_pictures_that_refer_to_later_ones_come_in_order(tmp_path: Path) -> None:
    shown = coded(tmp_path, b_frames=2)
    with FakeCamera(shown) as camera:
        source = open_source(camera.uri())
        frames = [frame for frame in (read(source) for _ in range(20)) if frame is not None]
        source.close()
    numbers = [number_in(frame.image) for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + 20))
    assert source.stale == 0


def test_another_picture_size_in_mid_stream_is_a_reason_to_open_anew(units: Units, tmp_path: Path) -> None:
    larger = coded(tmp_path, size=(320, 240))
    with FakeCamera([*units, *larger], Manner(fps=50)) as camera:
        source = open_source(camera.uri())
        assert source.size == (160, 128)
        with pytest.raises(SourceFault, match="has changed its stream") as changed:
            for _ in range(70):
                read(source)
        source.close()
    assert changed.value.state is SourceState.RESOLUTION_CHANGED


def test_a_wrong_password_stays_one_where_the_decoder_cannot_log_in(units: Units) -> None:
    for manner in (Manner(login=("MD5",), protection="auth-int"), Manner(login=("MD5",), nonces=1)):
        with FakeCamera(units, manner) as camera, pytest.raises(SourceFault) as fault:
            open_source(camera.uri("ann:no"))
        assert fault.value.state is SourceState.WRONG_PASSWORD
