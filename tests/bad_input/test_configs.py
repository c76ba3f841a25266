"""Bad configs: each is answered by one sentence that names the line and what would be right."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

Says = Callable[[list[str]], str]


EXAMPLE = files("runtime.config").joinpath("example.yaml").read_text(encoding="utf-8")
TLS = "tls: {ca: keys/ca.pem, cert: keys/device.pem, key: keys/device.key}"
CAMERA = "uri: rtsp://192.0.2.10:554/stream1"


def edited(old: str, new: str) -> str:
    """The example config with one edit."""
    assert old in EXAMPLE, f"the example has no {old!r}"
    return EXAMPLE.replace(old, new, 1)


BAD_CONFIGS = {
    # the file as a whole
    "an empty file": ("", "FILE: empty; tagsight config init writes an example to start from"),
    "a list": ("- a\n- b\n", "FILE:1: not a mapping of sections; begin with 'site:'"),
    "a tab for indentation": (
        "site:\n\tname: x\n",
        "FILE:2: not YAML: found character '\\t' that cannot start",
    ),
    "an open bracket": (
        "site: {name: x\nfloor: 1",
        "FILE:2: not YAML: expected ',' or '}', but got ':'; check",
    ),
    "a control character": ("site: \x07", "FILE: not YAML: unacceptable character #x0007"),
    "a python object": (
        "site: !!python/object:os.system {}",
        "FILE:1: site: the tag 'os.system'; plain values",
    ),
    "an alias of itself": (
        "site: &a [*a]",
        "FILE:1: site[0]: an alias that contains itself; write the values",
    ),
    "a key twice": (
        edited("device: box-1", "name: again"),
        "FILE:12: site.name: given twice, first on line 11; keep one of the two",
    ),
    # keys and kinds
    "no site": (edited("site:", "sight:"), "FILE:10: sight: unknown key; did you mean 'site'?"),
    "a misspelt key": (
        edited("grid_m:", "grid:"),
        "FILE:19: floor.grid: unknown key; did you mean 'grid_m'?",
    ),
    "a password as a key": (
        edited("  protocol: 5", "  password: x"),
        "uplink.password: unknown key; put it in a file of its own and give password_file",
    ),
    "text for a number": (
        edited("analysis_fps: 10", "analysis_fps: ten"),
        "cameras[0].analysis_fps: 'ten' does not fit; give a number from 0.2 to 60",
    ),
    "a rate of zero": (
        edited("analysis_fps: 10", "analysis_fps: 0"),
        "cameras[0].analysis_fps: 0 does not fit; give a number from 0.2 to 60",
    ),
    "pictures larger than a ring holds": (
        edited("analysis_fps: 10", "max_size: [9000, 4320]"),
        "cameras[0].max_size[0]: 9000 does not fit; give a whole number from 64 to 7680",
    ),
    "a number for a list": (
        edited("cameras: [door]", "cameras: 4"),
        "FILE:41: entrances[0].cameras: 4 does not fit; give a list of items",
    ),
    "a topic wildcard": (
        edited("name: my-store", "name: a/+"),
        "site.name: 'a/+' does not fit; give a name of letters, digits, '-', '_' and '.', at most 64",
    ),
    "MQTT 4": (edited("protocol: 5", "protocol: 4"), "uplink.protocol: 4 does not fit; give one of 5, 311"),
    "a time zone nobody knows": (
        edited("Europe/Berlin", "Europe/Belin"),
        "site.timezone: 'Europe/Belin' is not a known time zone; did you mean 'Europe/Berlin'?",
    ),
    # the floor
    "a floor inside out": (
        edited("[0, 0, 20, 12]", "[20, 0, 0, 12]"),
        "floor.extent_m: the floor has no area; [x0, y0, x1, y1] with x0 < x1 and y0 < y1",
    ),
    "a floor of unknown size": (
        edited("extent_m: [0, 0, 20, 12]", ""),
        "floor: its size is unknown; give extent_m, or image with scale_px_per_m",
    ),
    "an entrance off the floor": (
        edited("[9, 10]]", "[90, 10]]"),
        "entrances[0].line[1]: [90, 10] lies off the floor; x from 0 to 20 and y from 0 to 12 m",
    ),
    "a camera off the floor": (
        edited("    entrance: true", "    entrance: true\n    at: [-1, 3]"),
        "cameras[0].at: [-1, 3] lies off the floor; x from 0 to 20 and y from 0 to 12 m",
    ),
    "an entrance with no inside": (
        edited("inside: [7, 8]", "inside: [7, 10]"),
        "entrances[0].inside: lies on the line, so neither side is inside; a point at least 0.1 m off",
    ),
    "a zone crossing itself": (
        edited("[10, 3], [10, 7]", "[10, 7], [10, 3]"),
        "zones[0].polygon: its edges cross each other; list the corners in order, walking along the edge",
    ),
    "a zone of two corners": (
        edited("[17, 1], [19, 1], [19, 3], [17, 3]", "[17, 1], [19, 1]"),
        "zones[1].polygon: a list of 2 does not fit; give a list of 3 to 200 items",
    ),
    # cameras
    "an unknown kind of source": (
        edited(CAMERA, "uri: ftp://x/y"),
        "cameras[0].uri: unknown kind of source 'ftp'; a file, rtsp://, rtsps://, http://, "
        "v4l2:/dev/video0 or csi:0",
    ),
    "a second stream that is none": (
        edited(CAMERA, "uri: rtsp://h/1\n    substream: /clips/door.mp4"),
        "cameras[0].substream: not the address of a network stream",
    ),
    "a second stream that is the first": (
        edited(CAMERA, "uri: rtsp://h/1\n    substream: rtsp://h/1"),
        "cameras[0].substream: the same address as uri",
    ),
    "a second stream with a password in the clear": (
        edited(CAMERA, "uri: rtsp://h/1\n    substream: rtsp://a:b@h/2"),
        "cameras[0].substream: a password in the clear",
    ),
    "a transport for what has none": (
        edited(CAMERA, "uri: http://h/video.mjpg\n    transport: udp"),
        "cameras[0].transport: only rtsp:// has a choice of transports",
    ),
    "a transport nobody knows": (
        edited(CAMERA, "uri: rtsp://h/1\n    transport: quic"),
        "cameras[0].transport",
    ),
    "a password in the clear": (
        edited(CAMERA, "uri: rtsp://a:b@h/x"),
        "cameras[0].uri: a password in the clear; write username and password_file beside the uri instead",
    ),
    "a clip that is not there": (
        edited(CAMERA, "uri: clip.mp4"),
        "cameras[0].uri: DIR/clip.mp4: there is no such file; a video file; relative paths start at DIR",
    ),
    "an unknown camera": (
        edited("cameras: [door]", "cameras: [dor]"),
        "entrances[0].cameras: there is no camera 'dor'; did you mean 'door'?",
    ),
    "a floor map from points on a line": (
        edited("[1600, 1010], floor: [10, 11]", "[500, 1010], floor: [5, 11]").replace(
            "[1330, 520], floor: [10, 3]", "[600, 1010], floor: [6, 11]"
        ),
        "cameras[0].points: the points do not fix a homography: too many of them lie on one line; tagsight",
    ),
    "a floor map with points swapped": (
        edited("[1330, 520], floor: [10, 3]", "[960, 1005], floor: [8, 3]"),
        "cameras[0].points: the horizon of these points runs between them: some pair is wrong; tagsight",
    ),
    "a floor map whose horizon is where people walk": (
        edited("[1330, 520], floor: [10, 3]", "[1010, 700], floor: [10, -40]").replace(
            "[590, 520], floor: [4, 3]", "[910, 700], floor: [4, -40]"
        ),
        "cameras[0].points: the horizon runs through the lower half of the picture; measure the points again",
    ),
    "an entrance behind the camera": (
        edited("line: [[5, 10], [9, 10]]", "line: [[19, 0], [19.5, 0]]"),
        "entrances[0].cameras: the line is in the picture of none of 'door'; move the line, or name another",
    ),
    "an entrance for a camera without a floor map": (
        edited("    image_size: [1920", "  - name: till\n    uri: csi:0\n    image_size: [1920").replace(
            "cameras: [door]", "cameras: [door, till]"
        ),
        "entrances[0].cameras: camera 'door' has no floor map, so it cannot count; tagsight calibrate floor",
    ),
    # tags and readers
    "an EPC that is not hex": (
        edited("3034257BF7194E4000001A85", "SHIRT"),
        "fixtures[0].skus[0].epcs[0]: 'SHIRT' is not an EPC; pairs of hex digits such as 3034257BF7194E40",
    ),
    "EPC patterns that overlap": (
        edited("3034257BF7194E4000001A85", "3034257B*"),
        "'3034257bf7194e50*' overlaps '3034257b*' at fixtures[0].skus[0].epcs[0]; a tag belongs to one",
    ),
    "two antennas on a port": (
        edited("{port: 2, name: fitting", "{port: 1, name: fitting"),
        "readers[0].antennas[1].port: port 1 is also that of antenna 'coats'; one antenna a port",
    ),
    "an antenna over no zone": (
        edited("zone: coats,", "zone: coat,"),
        "readers[0].antennas[0].zone: there is no zone 'coat'; did you mean 'coats'?",
    ),
    "a reader's address as a URL": (
        edited("host: 192.0.2.20", "host: llrp://192.0.2.20"),
        "readers[0].host: 'llrp://192.0.2.20' is not a host name; a name or address alone; port has its own",
    ),
    # the uplink
    "a certificate without its key": (
        edited(TLS, "tls: {cert: store.yaml}"),
        "uplink.tls.cert: cert without key; a certificate and its key go together",
    ),
    "a password that is not there": (
        edited("# password_file: broker.password", "password_file: broker.password\n  username: my-store"),
        "uplink.password_file: DIR/broker.password: there is no such file; one line of text; relative paths",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_bad_config_is_answered_by_its_sentence(
    tmp_path: Path, says: Says, text: str, sentence: str
) -> None:
    file = tmp_path / "store.yaml"
    file.write_text(text, encoding="utf-8")
    answer = says(["config", "check", str(file)])
    assert sentence in answer.replace(str(file), "FILE").replace(str(tmp_path), "DIR")


def test_a_config_that_is_not_there(tmp_path: Path, says: Says) -> None:
    sentence = says(["config", "check", str(tmp_path / "none.yaml")])
    assert sentence == f"{tmp_path}/none.yaml: no such file or directory; " + (
        "give the path of a readable store.yaml (tagsight config init writes one)"
    )


def test_a_config_that_is_a_folder(tmp_path: Path, says: Says) -> None:
    assert f"{tmp_path}: is a directory; give the path of a readable" in says(
        ["config", "check", str(tmp_path)]
    )


def test_a_config_that_is_a_video(tmp_path: Path, says: Says) -> None:
    (tmp_path / "store.yaml").write_bytes(b"\0\0\0\x1cftypisom\xff\xfe")
    assert "is not UTF-8 text; save the file as UTF-8" in says(
        ["config", "check", str(tmp_path / "store.yaml")]
    )


def test_a_config_as_large_as_a_disk_image(tmp_path: Path, says: Says) -> None:
    with (tmp_path / "store.yaml").open("wb") as stream:
        stream.truncate(2**40)
    assert "larger than 4 MiB; a store.yaml is a few" in says(
        ["config", "check", str(tmp_path / "store.yaml")]
    )
