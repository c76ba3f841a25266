from __future__ import annotations

from pathlib import Path

import pytest

from runtime.frames.errors import FrameError
from runtime.frames.uri import parse_uri, redact


def test_a_bare_path_is_a_file_paced_in_real_time_once() -> None:
    where = parse_uri("/clips/a b?.mp4")
    assert (where.kind, where.target, where.loop, where.pace, where.epoch_s) == (
        "file",
        "/clips/a b?.mp4",
        False,
        "real",
        None,
    )


@pytest.mark.parametrize(
    "uri", ["file:/a.mp4?loop=1&pace=fast&epoch=12.5", "file:///a.mp4?loop=1&pace=fast&epoch=12.5"]
)
def test_a_file_has_options(uri: str) -> None:
    where = parse_uri(uri)
    assert (where.target, where.loop, where.pace, where.epoch_s) == ("/a.mp4", True, "fast", 12.5)


@pytest.mark.parametrize(
    ("uri", "kind", "target"),
    [
        ("v4l2:/dev/video2", "v4l2", "/dev/video2"),
        ("csi:1", "csi", "1"),
        ("rtsp://host:8554/a?b=c", "rtsp", "rtsp://host:8554/a?b=c"),
        ("RTSPS://host/a", "rtsp", "RTSPS://host/a"),
    ],
)
def test_streams_and_devices(uri: str, kind: str, target: str) -> None:
    where = parse_uri(uri)
    assert (where.kind, where.target) == (kind, target)


def test_a_password_comes_from_the_environment_and_is_never_shown() -> None:
    where = parse_uri("rtsp://ann:${DOOR}@host/1", {"DOOR": "s/cr@t"})
    assert where.target == "rtsp://ann:s%2Fcr%40t@host/1"
    assert where.label == "rtsp://***@host/1"
    assert "s%2Fcr" not in repr(where)


def test_a_text_with_an_address_in_it_is_redacted() -> None:
    assert redact("cannot open rtsp://ann:pw:x@h/1, sorry") == "cannot open rtsp://***@h/1, sorry"
    assert redact("rtsp://host:554/1") == "rtsp://host:554/1"


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("", "the address of the source is empty"),
        ("file:", "no file is named"),
        ("file:/a.mp4?loop=yes", "loop=0|1"),
        ("file:/a.mp4?speed=2", "the options of a file are"),
        ("file:/a.mp4?epoch=noon", "epoch=noon is not a number"),
        ("rtsp:///1", "no host is named"),
        ("rtsp://host:99999/1", "not an address"),
        ("rtsp://ann:${NOPE}@host/1", "the environment has no NOPE"),
        ("v4l2:video0", "v4l2:/dev/video0 would be one"),
        ("csi:front", "csi:0 is the first"),
        ("ftp://host/a.mp4", "ftp is no kind of source"),
    ],
)
def test_an_address_that_cannot_be_one_is_told_in_a_sentence(uri: str, sentence: str) -> None:
    with pytest.raises(FrameError) as error:
        parse_uri(uri, {})
    assert sentence in str(error.value)


def test_an_error_about_a_stream_does_not_show_its_password() -> None:
    with pytest.raises(FrameError) as error:
        parse_uri("rtsp://ann:geheim@host:99999/1", {})
    assert "geheim" not in str(error.value)


def test_the_configuration_knows_the_options_that_a_source_takes(tmp_path: Path) -> None:
    from runtime.config.checks.cameras import FILE_OPTIONS, FROM_ENVIRONMENT

    clip = tmp_path / "a.mp4"
    for key, value in (("loop", "1"), ("pace", "real"), ("epoch", "1763769600.5")):
        assert FILE_OPTIONS[key][0].fullmatch(value)
        parse_uri(f"file:{clip}?{key}={value}")
    assert FROM_ENVIRONMENT.fullmatch("${DOOR_PASSWORD}")


def test_a_file_may_have_a_question_mark_in_its_name() -> None:
    assert parse_uri("file:/films/what?.mp4?pace=fast").target == "/films/what?.mp4"
    assert parse_uri("file:/films/what?.mp4?pace=fast").pace == "fast"
    assert parse_uri("/films/what?.mp4").target == "/films/what?.mp4"
