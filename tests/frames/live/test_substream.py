"""A camera's second stream steps in while its first does not play."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runtime.config import Camera
from runtime.frames.live.substream import SHORT_S, MainOrSubstream
from runtime.frames.ring.buffer import Image, PixelFormat
from runtime.frames.sources import Grab, Source, SourceFault, SourceState
from testing.cameras.fake_camera import FakeCamera
from testing.cameras.manner import Manner
from testing.cameras.packets import access_units
from tests.frames.cameras import CameraUnderTest, collect
from tests.frames.conftest import free_port
from tests.frames.films import make_film

CODER = {"x264-params": "keyint=10:repeat-headers=1"}


class Scripted:
    """A source that gives `pictures` pictures and then breaks off."""

    scales = waits = truncated = False
    fps, stale, spoiled, remark, pixel_format = 10.0, 0, 0, "", PixelFormat.BGR

    def __init__(self, label: str, pictures: int = 1_000_000) -> None:
        self.label, self.size = label, (160, 120)
        self.closed = False
        self._left = pictures

    def grab(self) -> Grab:
        if self._left <= 0:
            raise SourceFault(SourceState.CONNECTING, f"{self.label}: the stream broke off")
        self._left -= 1
        return Grab(0.0, 0.0, 0)

    def retrieve(self, into: Image | None = None) -> Image | None:
        return None

    def close(self) -> None:
        self.closed = True


def script(outcomes: Sequence[Source | SourceFault]) -> Callable[[object], Source]:
    """Opens with these outcomes, one after another, then with the last again and again."""
    left = list(outcomes)

    def open_it(pause: object) -> Source:
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, SourceFault):
            raise outcome
        return outcome

    return open_it


def pause(seconds: float) -> None:
    raise AssertionError("nothing is paced here")


FULL = SourceFault(SourceState.CONNECTING, "main: RTSP 453 Not Enough Bandwidth")
WRONG = SourceFault(SourceState.WRONG_PASSWORD, "main: wrong password")


def test_the_main_stream_is_played_where_it_can_be() -> None:
    main = Scripted("main")
    streams = MainOrSubstream(script([main]), script([AssertionError]), retry_s=0.01)  # type: ignore[list-item]
    assert streams.open(pause) is main


def test_the_substream_steps_in_and_the_camera_goes_back_to_the_main_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    main, sub = Scripted("main"), Scripted("sub")
    streams = MainOrSubstream(script([FULL, FULL, main]), script([sub]), retry_s=0.02)
    source = streams.open(pause)
    assert source.label == "sub"
    assert "this is the substream" in source.remark and "453" in source.remark
    deadline_s = time.monotonic() + 10
    with pytest.raises(SourceFault, match="the main stream plays again") as fault:
        while time.monotonic() < deadline_s:
            source.grab()
            time.sleep(0.005)
    assert fault.value.state is SourceState.RESOLUTION_CHANGED, "opened anew without a wait"
    source.close()
    assert sub.closed and not main.closed
    assert streams.open(pause) is main
    told = [record.getMessage() for record in caplog.records]
    assert "sub: the substream is played, for the main stream does not play: main: RTSP 453" in told[0]
    assert told[-1] == "main: the main stream plays again"


def test_a_refused_login_is_not_tried_on_the_substream_too() -> None:
    streams = MainOrSubstream(script([WRONG]), script([Scripted("sub")]), retry_s=0.01)
    with pytest.raises(SourceFault) as fault:
        streams.open(pause)
    assert fault.value.state is SourceState.WRONG_PASSWORD


def test_where_neither_plays_both_reasons_are_given() -> None:
    gone = SourceFault(SourceState.NO_SUCH_FILE, "sub: no stream /2")
    streams = MainOrSubstream(script([FULL]), script([gone]), retry_s=0.01)
    with pytest.raises(SourceFault, match=r"453.*nor does its substream play: sub: no stream /2") as fault:
        streams.open(pause)
    assert fault.value.state is SourceState.CONNECTING


def test_a_main_stream_that_breaks_off_again_and_again_does_not_play() -> None:
    now_s = [0.0]
    streams = MainOrSubstream(
        script([Scripted("main", 1)]), script([Scripted("sub")]), now=lambda: now_s[0], retry_s=60.0
    )
    opened = []
    for lasted_s in (3 * SHORT_S, 1.0, 3 * SHORT_S, 1.0, 1.0, 0.0):
        source = streams.open(pause)
        opened.append(source.label)
        now_s[0] += lasted_s
        source.close()
    assert opened == ["main", "main", "main", "main", "main", "sub"]
    assert "again and again" in source.remark


def test_a_substream_that_is_closed_lets_go_of_the_main_stream_it_finds() -> None:
    main, sub = Scripted("main"), Scripted("sub")
    streams = MainOrSubstream(script([FULL, main]), script([sub]), retry_s=0.2)
    source = streams.open(pause)
    source.close()
    time.sleep(0.4)
    assert sub.closed and source.grab() is not None, "the main stream was not tried any more"


def test_the_daemon_plays_the_substream_and_says_so(tmp_path: Path) -> None:
    small = make_film(tmp_path / "small.h264", container="h264", coder=CODER, size=(96, 64))
    large = make_film(tmp_path / "large.h264", container="h264", coder=CODER)
    main_port = free_port()
    with FakeCamera(access_units(small.read_bytes()), Manner(fps=15)) as substream:
        camera = Camera(
            name="door", uri=f"rtsp://127.0.0.1:{main_port}/live", substream=substream.uri(), analysis_fps=15
        )
        with CameraUnderTest(camera) as door:
            collect(door.reader(), 5)
            health = door.wait_for(lambda health: "this is the substream" in health.detail)
            assert "nobody listens at port" in health.detail
            assert (health.values["width"], health.state) == (96, "live")
            with FakeCamera(access_units(large.read_bytes()), Manner(fps=15), port=main_port):
                back = door.wait_for(lambda health: health.values.get("width") == 160, within_s=40)
                assert "the main stream plays again" in back.detail or "substream" not in back.detail
