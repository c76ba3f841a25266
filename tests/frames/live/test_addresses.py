"""Where the parts of an RTSP stream may be."""

from __future__ import annotations

import pytest

from runtime.frames.live.addresses import addresses, joined

PICTURES = "v=0\r\nm=video 0 RTP/AVP 96\r\na=control:{}\r\n"


def test_a_usual_description_has_its_usual_addresses_first() -> None:
    found = addresses("rtsp://h/live", "rtsp://h/live/", PICTURES.format("track1"))
    assert found.whole[0] == "rtsp://h/live/"
    assert found.pictures[0][0] == "rtsp://h/live/track1"


def test_sound_has_no_addresses_and_each_part_with_pictures_its_own() -> None:
    sound = "v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:track0\r\n"
    found = addresses("rtsp://h/a", "", sound + PICTURES.format("t1")[5:] + PICTURES.format("t2")[5:])
    assert [part[0] for part in found.pictures] == ["rtsp://h/a/t1", "rtsp://h/a/t2"]


def test_an_address_of_another_host_is_tried_at_the_one_that_answered_too() -> None:
    found = addresses("rtsp://h:8554/live", "", PICTURES.format("rtsp://192.0.2.7/x/t1"))
    assert found.pictures == (("rtsp://192.0.2.7/x/t1", "rtsp://h:8554/x/t1"),)


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "http"])
def test_references_are_resolved_in_each_scheme(scheme: str) -> None:
    assert joined(f"{scheme}://h:1/a/b?c=1", "d") == f"{scheme}://h:1/a/d"
    assert joined(f"{scheme}://h:1/a/b", "/d") == f"{scheme}://h:1/d"
    assert joined(f"{scheme}://h:1/a", "?d=1") == f"{scheme}://h:1/a?d=1"
    assert joined(f"{scheme}://h:1/a", "rtsp://g/x") == "rtsp://g/x"
