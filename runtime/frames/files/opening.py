"""Opening a video file, with a sentence for each way it may fail; what is unusual about one that was read."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path

from runtime.frames.files.endings import lacks_its_index
from runtime.frames.files.timestamps import FileTime
from runtime.frames.sources import SourceFault, SourceState
from runtime.frames.video.causes import CannotOpen, Cause
from runtime.frames.video.demux import VideoReader

AHEAD = 16
"""Packets whose stamps are known before they are needed; a stamp that lies is told by those that follow."""
SLOWEST_FPS, FASTEST_FPS = 0.1, 240.0
"""An AVI file has two headers: a rate outside of this is not believed where the other one tells a better."""
RATES_AGREE = 0.02
LEAST_REST = 188 * 20
"""Bytes behind the last picture of a transport stream that are looked into."""
LATE_START_S = 10.0
"""Transport streams usually begin a second or two after zero; that is not worth a word."""
_SAMPLE_ENTRY = re.compile(rb"stsd.{12}(\w{4})", re.DOTALL)
_CODEC_ID = re.compile(rb"\x86[\x80-\xbf](V_[A-Z0-9/_]+)")
_ENCRYPTED = ("encv", "drmi")


def open_video(path: Path) -> VideoReader:
    """The video at `path`, its first picture decoded. Raises SourceFault."""
    if not path.exists():
        raise SourceFault(SourceState.NO_SUCH_FILE, f"{path}: there is no such file")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise SourceFault(SourceState.NO_SUCH_FILE, f"{path}: not a file that can be read")
    if path.stat().st_size == 0:
        raise SourceFault(SourceState.TRUNCATED, f"{path}: the file is empty; copy it again")
    try:
        video = VideoReader(f"file:{path.absolute()}", {"protocol_whitelist": "file"}, ahead=AHEAD)
    except CannotOpen as error:
        if lacks_its_index(path):
            sentence = f"{path}: the file breaks off before its index; copy it again"
            raise SourceFault(SourceState.TRUNCATED, sentence) from error
        raise SourceFault(SourceState.UNUSABLE, f"{path}: {_sentence(path, error)}") from error
    if video.container == "avi":
        second = _second_rate(path)
        if SLOWEST_FPS <= second <= FASTEST_FPS and not SLOWEST_FPS <= video.fps <= FASTEST_FPS:
            video.believe_rate(second)
        video.second_fps = second
    return video


def _second_rate(path: Path) -> float:
    """Pictures a second by an AVI file's main header (`avih`), 0 where it says nothing.

    The stream's own header, which counts, has them once more.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    place = head.find(b"avih")
    interval_us = int.from_bytes(head[place + 8 : place + 12], "little") if place >= 0 else 0
    return 1e6 / interval_us if interval_us else 0.0


def open_rest(path: Path, video: VideoReader, from_byte: int) -> VideoReader | None:
    """What comes behind the last picture of a transport stream under other numbers; None where nothing does.

    Recordings that are joined together may number their streams anew: FFmpeg gives the first one's only.
    `from_byte` is where `video` began in the file.
    """
    size = path.stat().st_size
    start = from_byte + video.last_byte + 1
    if video.container != "mpegts" or size - start < LEAST_REST:
        return None
    part = f"subfile,,start,{start},end,{size},,:file:{path.absolute()}"
    try:
        return VideoReader(part, {"protocol_whitelist": "file,subfile"}, ahead=AHEAD)
    except CannotOpen:
        return None


def _sentence(path: Path, error: CannotOpen) -> str:
    if error.cause is Cause.NO_PICTURES:
        return f"{error}; a video is wanted"
    if error.cause is Cause.CODING:
        tag = _coding_tag(path)
        if tag in _ENCRYPTED:
            return "its pictures are encrypted and cannot be decoded; export it without protection"
        named = f"{error} [{tag}]" if tag else str(error)
        return f"{named}; convert it to H.264, for example: ffmpeg -i {path.name} -c:v libx264 new.mp4"
    if error.cause in (Cause.FORBIDDEN, Cause.NOT_FOUND):
        return "a list of other files, not a video; name the video itself"
    if error.cause is Cause.NOT_A_VIDEO:
        return "not a video that can be read here; MP4, AVI or MKV is"
    return str(error)


def _coding_tag(path: Path) -> str:
    """What an MP4 or Matroska file itself calls the coding of its pictures; empty where it is not found."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = _SAMPLE_ENTRY.search(content) or _CODEC_ID.search(content)
        return found[1].decode("ascii", "replace") if found else ""


def peculiarities(video: VideoReader, times: FileTime, truncated: bool) -> list[str]:
    """What is unusual about a file that was read, and what was made of it."""
    notes = []
    if video.interlaced:
        notes.append("it is interlaced: its half-pictures were put together")
    if video.tracks > 1:
        notes.append(f"it has {video.tracks} tracks of pictures, of which the largest is read")
    if video.resized:
        notes.append("its pictures change their size; all were scaled to {} x {}".format(*video.size))
    if not video.has_stamps or not times.stamped:
        notes.append(f"it has no time stamps: {1 / times.interval_s:g} frames a second were assumed")
    elif video.second_fps and abs(video.second_fps / video.fps - 1) > RATES_AGREE:
        both = f"{video.fps:g} and of {video.second_fps:g} frames a second"
        notes.append(f"its headers tell of {both}; the first is used")
    elif times.first_s is not None and abs(times.first_s) > LATE_START_S:
        notes.append(f"its time starts at {times.first_s:.1f} s; times here count from its first frame")
    if times.wrong:
        notes.append(f"{times.wrong} of its time stamps are far off and were left out")
    if times.clock_set:
        notes.append(f"its time stamps jump or stand still {times.clock_set} times; time went on by its rate")
    if times.uneven and not truncated:
        least_s, most_s = times.steps_s
        notes.append(
            f"its frames come unevenly, {least_s:.3f} to {most_s:.3f} s apart: its own stamps are used"
        )
    if not truncated and 0 < times.count < video.declared - 1:
        notes.append(f"it holds {video.declared} frames, of which {times.count} are to be shown")
    return notes
