from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime.clock import HostClock
from runtime.frames.files import playback
from runtime.frames.files.playback import FileSource
from runtime.frames.opening import open_source
from runtime.frames.sources import Frame, Source, SourceFault, SourceState, read
from runtime.frames.uri import parse_uri
from runtime.frames.video.demux import DecodedFrame
from tests.frames.clips import make_clip, number_in
from tests.frames.films import make_film


class Time:
    """A clock that only moves when somebody sleeps (or a test says so)."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s
        self.clock = HostClock(lambda: self.now_s, lambda: self.now_s)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def open(self, uri: str) -> FileSource:
        source = open_source(parse_uri(uri), self.clock, self.sleep)
        assert isinstance(source, FileSource)
        return source


def frames_of(source: Source, limit: int) -> list[Frame]:
    found = []
    while len(found) < limit and (frame := read(source)) is not None:
        found.append(Frame(frame.image.copy(), frame.grab))
    return found


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4")


def test_a_file_read_fast_gives_every_frame_with_its_time(clip: Path) -> None:
    found = frames_of(Time().open(f"file:{clip}?pace=fast"), 100)
    assert [number_in(frame.image) for frame in found] == list(range(30))
    assert [frame.grab.time_s for frame in found] == pytest.approx([number / 10 for number in range(30)])


def test_a_paced_file_gives_each_frame_when_it_is_due(clip: Path) -> None:
    time = Time(1000.0)
    for number, frame in enumerate(frames_of(time.open(str(clip)), 100)):
        assert frame.grab.time_s == pytest.approx(1000.0 + number / 10)
        assert frame.grab.arrived_s == pytest.approx(frame.grab.time_s)
    assert time.now_s == pytest.approx(1002.9)


def test_a_looped_file_goes_on_in_time_and_counts_its_turns(clip: Path) -> None:
    found = frames_of(Time().open(f"file:{clip}?pace=fast&loop=1"), 70)
    assert [frame.grab.loop for frame in found] == [0] * 30 + [1] * 30 + [2] * 10
    assert [frame.grab.number for frame in found] == list(range(70))
    assert [number_in(frame.image) for frame in found[28:33]] == [28, 29, 0, 1, 2]
    assert found[69].grab.time_s == pytest.approx(6.9)


def test_frames_that_are_overdue_are_skipped_and_counted(clip: Path) -> None:
    time = Time(1000.0)
    source = time.open(str(clip))
    read(source)
    time.now_s += 1.05
    frame = read(source)
    assert frame is not None
    assert frame.grab.time_s == pytest.approx(1000.9)
    assert number_in(frame.image) == 9
    assert source.stale == 8


class Starved(Time):
    """A machine that needs `cost_s` for every picture it decodes."""

    def __init__(self, cost_s: float) -> None:
        super().__init__()
        self.cost_s = cost_s

    def open(self, uri: str) -> FileSource:
        source = super().open(uri)
        read_picture, seek = source._video.read, source._video.seek
        self.sought = 0

        def slowly() -> DecodedFrame | None:
            self.now_s += self.cost_s
            return read_picture()

        def sought(stamp_s: float) -> None:
            self.sought += 1
            seek(stamp_s)

        source._video.read, source._video.seek = slowly, sought  # type: ignore[method-assign]
        return source


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catching up ends with the first picture that is skipped, however fast this machine is."""
    monkeypatch.setattr(playback, "CATCH_UP_S", 0.0)


@pytest.mark.usefixtures("hurried")
def test_a_starved_machine_plays_a_file_slower_and_says_so(tmp_path: Path) -> None:
    time = Starved(0.5)
    source = time.open(str(make_clip(tmp_path / "long.mp4", frames=100, fps=10)))
    found = [number_in(frame.image) for frame in frames_of(source, 200)]
    assert found == sorted(found)
    assert len(found) >= 90
    assert time.sought == 0
    assert time.now_s - 1000.0 == pytest.approx(50.0, abs=3.0)
    assert re.search(r"slower than recorded: [34]\d s behind", source.remark)
    assert not source.truncated


@pytest.mark.usefixtures("hurried")
def test_a_starved_machine_in_phase_does_not_seek_back_and_shows_late_frames(tmp_path: Path) -> None:
    clip = make_film(tmp_path / "long.mp4", times_s=[k / 10 for k in range(250)], key_every=250)
    time = Starved(0.5)
    source = time.open(f"file:{clip}?loop=1&epoch=1000")
    found = [frame.grab for frame in frames_of(source, 60)]
    assert time.sought == 0
    assert [grab.time_s for grab in found] == sorted(grab.time_s for grab in found)
    assert all(
        (grab.time_s - 1000.0) % 0.1 == pytest.approx(0.0, abs=1e-6)
        or (grab.time_s - 1000.0) % 0.1 == pytest.approx(0.1, abs=1e-6)
        for grab in found
    )
    assert "slower" not in source.remark


def test_a_file_with_a_pause_is_waited_for_and_nothing_is_skipped(tmp_path: Path) -> None:
    times_s = [k / 10 + (20.0 if k >= 15 else 0.0) for k in range(30)]
    time = Time(1000.0)
    source = time.open(str(make_film(tmp_path / "pause.mp4", times_s=times_s)))
    found = frames_of(source, 100)
    assert [frame.grab.arrived_s - 1000.0 for frame in found] == pytest.approx(times_s, abs=1e-3)
    assert source.stale == 0


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.264"])
def test_turns_of_a_file_without_a_length_last_as_long_as_its_pictures(tmp_path: Path, name: str) -> None:
    clip = make_film(tmp_path / name, container="h264" if name.endswith("264") else None)
    time = Time(5000.0 + 7.25)
    for frame in frames_of(time.open(f"file:{clip}?loop=1&epoch=5000"), 40):
        due = round((frame.grab.time_s - 5000.0) * 10)
        assert frame.grab.time_s == pytest.approx(5000.0 + due / 10, abs=2e-3)
        assert number_in(frame.image) == due % 30


@pytest.mark.parametrize("joined_s", [0.0, 0.37, 2.95, 3.0, 123.45, 86_400.4])
def test_whoever_joins_a_file_with_an_epoch_is_in_phase(clip: Path, joined_s: float) -> None:
    time = Time(5000.0 + joined_s)
    source = time.open(f"file:{clip}?loop=1&epoch=5000")
    for frame in frames_of(source, 40):
        due = round((frame.grab.time_s - 5000.0) * 10)
        assert frame.grab.time_s == pytest.approx(5000.0 + due / 10)
        assert number_in(frame.image) == due % 30
        assert frame.grab.loop == due // 30
        assert frame.grab.arrived_s - frame.grab.time_s < 0.21


def test_an_epoch_to_come_is_waited_for(clip: Path) -> None:
    time = Time(1000.0)
    frame = read(time.open(f"file:{clip}?epoch=1020"))
    assert frame is not None and number_in(frame.image) == 0
    assert time.now_s == pytest.approx(1020.0)


def test_a_long_file_is_joined_by_seeking(tmp_path: Path) -> None:
    long_clip = make_clip(tmp_path / "long.mp4", frames=600, fps=10)
    source = Time(1000.0 + 45.0).open(f"file:{long_clip}?loop=1&epoch=1000")
    frame = read(source)
    assert frame is not None
    assert abs(frame.grab.number - 450) <= 2, "no more than 0.2 s late"
    assert number_in(frame.image) == frame.grab.number % 256


@pytest.mark.parametrize(
    ("name", "content", "state", "sentence"),
    [
        ("gone.mp4", None, SourceState.NO_SUCH_FILE, "there is no such file"),
        ("empty.mp4", b"", SourceState.TRUNCATED, "the file is empty"),
        ("notes.mp4", b"not a video at all " * 50, SourceState.UNUSABLE, "not a video that can be read"),
    ],
)
def test_a_file_that_is_no_video_says_why(
    tmp_path: Path, name: str, content: bytes | None, state: SourceState, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceFault, match=sentence) as fault:
        open_source(str(tmp_path / name))
    assert fault.value.state is state


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="not a file that can be read"):
        open_source(str(tmp_path))


def test_an_mp4_cut_before_its_index_is_truncated(clip: Path) -> None:
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with pytest.raises(SourceFault) as fault:
        open_source(str(clip))
    assert fault.value.state is SourceState.TRUNCATED


def test_a_file_that_breaks_off_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.avi", codec="MJPG")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    source = Time().open(f"file:{clip}?pace=fast")
    found = len(frames_of(source, 100))
    assert 5 < found < 25
    assert source.truncated
    assert source.cut_s == pytest.approx(found / 10)
    assert f"breaks off at {found / 10:.2f} s: it ends after {found} of its 30 frames" in source.remark


def test_a_truncated_file_that_is_looped_goes_on_and_says_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.avi", codec="MJPG")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    source = open_source(f"file:{clip}?pace=fast&loop=1")
    assert len(frames_of(source, 50)) == 50
    assert source.truncated
    assert "of its 30 frames" in source.remark


def test_a_file_that_is_gone_when_it_is_to_begin_again_ends(clip: Path) -> None:
    source = open_source(f"file:{clip}?pace=fast&loop=1")
    clip.unlink()
    assert len(frames_of(source, 50)) == 30


def test_a_missing_device_and_a_missing_gstreamer_say_so() -> None:
    with pytest.raises(SourceFault, match="no such device"):
        open_source("v4l2:/dev/video-of-nobody")


def test_spoiled_frames_in_the_middle_are_counted_and_the_rest_keeps_its_time(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size=(320, 240))
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6000] = bytes(6000)
    clip.write_bytes(content)
    source = open_source(f"file:{clip}?pace=fast")
    times = [round(frame.grab.time_s * 10) for frame in frames_of(source, 100)]
    lost = sorted(set(range(30)) - set(times))
    assert len(lost) == source.spoiled > 5
    assert times[-1] == 29
    assert f"cannot be decoded and are left out: {source.spoiled}" in source.remark
    assert not source.truncated
