"""Bad configs, files, streams and reader frames: each is answered by one sentence, exit code 1, no traceback.

A row is what is wrong, the input, and what the user reads (its beginning, where the sentence goes on).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from rfid_reader.simulator.server import SimulatedReader
from runtime.cli import main

EXAMPLE = files("runtime.config").joinpath("example.yaml").read_text(encoding="utf-8")
TLS = "tls: {ca: keys/ca.pem, cert: keys/device.pem, key: keys/device.key}"
CAMERA = "uri: rtsp://192.0.2.10:554/stream1"
Says = Callable[[list[str]], str]


@pytest.fixture
def says(capsys: pytest.CaptureFixture[str]) -> Says:
    """Runs the command line in this process; what it says on stderr when it fails as it should."""

    def run(arguments: list[str]) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        output = capsys.readouterr()
        assert ended.value.code == 1, output
        assert "Traceback" not in output.out + output.err
        said = output.err.rpartition("tagsight: ")
        assert not said[0] or said[0].endswith("\n"), "the sentence begins a line of its own"
        return said[2].rstrip("\n")

    return run


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
    "a number for a list": (
        edited("cameras: [door]", "cameras: 4"),
        "FILE:39: entrances[0].cameras: 4 does not fit; give a list of items",
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
        "cameras[0].uri: unknown kind of source 'ftp'; a file, rtsp://, rtsps://, v4l2:/dev/video0 or csi:0",
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


READS = "time_s,epc,antenna,channel,rssi_dbm,phase_rad\n"
NOISE = bytes(range(256)) * 4

BAD_FILES: dict[str, tuple[dict[str, str | bytes], str, str]] = {
    # pictures and videos
    "a video that is not there": ({}, "calibrate camera DIR/none.mp4", "DIR/none.mp4: there is no such file"),
    "a text called a video": (
        {"a.mp4": "hello"},
        "calibrate camera DIR/a.mp4",
        "DIR/a.mp4: not a video that can be read here; MP4, AVI or MKV is",
    ),
    "an empty video": (
        {"a.mp4": ""},
        "calibrate camera DIR/a.mp4",
        "DIR/a.mp4: the file breaks off before its index; copy it again",
    ),
    "a folder for a video": ({}, "calibrate camera DIR", "DIR: not a file that can be read"),
    "an option no file has": (
        {"a.mp4": ""},
        "calibrate camera file:DIR/a.mp4?loop=7",
        "the options of a file are loop=0|1, pace=real|fast and epoch=SECONDS",
    ),
    "a text called a picture": (
        {"a.png": "hello", "p.csv": "u,v,x,y\n1,2,3,4\n"},
        "calibrate floor DIR/a.png --points DIR/p.csv",
        "DIR/a.png is not a picture that can be read; PNG or JPEG is right",
    ),
    # point pairs
    "points without a column": (
        {"p.csv": "u,v,x\n1,2,3\n"},
        "calibrate floor DIR/a.png --points DIR/p.csv",
        "DIR/p.csv: no column 'y'; the first line must name u,v,x,y",
    ),
    "points in words": (
        {"p.csv": "u,v,x,y\n1,2,3,four\n"},
        "calibrate floor DIR/a.png --points DIR/p.csv",
        "DIR/p.csv:2: '1,2,3,four' is not four numbers u,v,x,y",
    ),
    "half a point": (
        {"p.yaml": "points:\n - {image: [1, 2]}\n"},
        "calibrate floor DIR/a.png --points DIR/p.yaml",
        "DIR/p.yaml: points[0] is not {image: [u, v], floor: [x, y]}",
    ),
    "a point typed wrongly": (
        {},
        "calibrate floor DIR/a.png --point 1,2,3,4",
        "'1,2,3,4' is not a point pair; write pixels=metres, such as 412,380=2.5,6",
    ),
    # tag reads
    "reads that are not there": (
        {},
        "rfid flips DIR/r.csv --out DIR/o.jsonl --method js",
        "DIR/r.csv: no such file; a read table is a CSV or Parquet file",
    ),
    "reads without their columns": (
        {"r.csv": "time_s,epc\n1,aa\n"},
        "rfid flips DIR/r.csv --out DIR/o.jsonl --method js",
        "DIR/r.csv: column 'antenna' is missing; a read table's first line is time_s,epc,antenna",
    ),
    "reads that are noise": (
        {"r.csv": NOISE},
        "rfid flips DIR/r.csv --out DIR/o.jsonl --method js",
        "DIR/r.csv: column 'time_s' is missing",
    ),
    "an EPC that is no hex": (
        {"r.csv": f"{READS}1.0,zz,1,1,-50,1\n"},
        "rfid flips DIR/r.csv --out DIR/o.jsonl --method js",
        "DIR/r.csv: line 2: epc: 'zz' is not an EPC (1 to 124 hex digits)",
    ),
    "antenna nought": (
        {"r.csv": f"{READS}1.0,aabb,0,1,-50,1\n"},
        "rfid flips DIR/r.csv --out DIR/o.jsonl --method js",
        "DIR/r.csv: line 2: antenna: 0 is outside 1..255",
    ),
    "a time that is no number": (
        {"r.csv": f"{READS}nan,aabb,1,1,-50,1\n"},
        "rfid flips DIR/r.csv --out DIR/o.jsonl --method js",
        "DIR/r.csv: line 2: time_s: nan is not a finite number",
    ),
    "a quiet second for a quiet minute": (
        {"r.csv": f"{READS}1.0,aabb,1,1,-50,1\n2.0,aabb,1,1,-50,1\n"},
        "calibrate antenna DIR/r.csv --out DIR/c.yaml",
        "the recording lasts 1.0 s; at least 10 s",
    ),
    "a calibration that is something else": (
        {"r.csv": f"{READS}1.0,aabb,1,1,-50,1\n", "c.yaml": "x: 1\n"},
        "rfid flips DIR/r.csv --method js --out DIR/o.jsonl --calibration DIR/c.yaml",
        "DIR/c.yaml: not an antenna calibration",
    ),
    "a scenario with a misspelt key": (
        {"s.yaml": "nam: x\n"},
        "rfid simulate --scenario DIR/s.yaml --port 0",
        "DIR/s.yaml: Object contains unknown field `nam`",
    ),
    # networks and events
    "a network that is noise": (
        {"x.onnx": NOISE},
        "engines add DIR/x.onnx --name x --backend openvino",
        "DIR/x.onnx: OpenVINO cannot read this network: the file is damaged, cut short or not ONNX",
    ),
    "a network that is not there": ({}, "engines add DIR/x.onnx --name x", "DIR/x.onnx: no such file"),
    "an engine nobody knows": ({}, "engines verify nope", "no engine is called 'nope' (known: "),
    "events that are noise": ({"e": NOISE}, "events decode DIR/e", "not an event: JSON is malformed"),
    "a daemon without a config": (
        {},
        "run --config DIR/none.yaml",
        "DIR/none.yaml: no such file or directory",
    ),
    # streams and devices
    "a USB camera that is not plugged in": (
        {},
        "calibrate camera v4l2:/dev/video99",
        "v4l2:/dev/video99: there is no such device; is it plugged in?",
    ),
    "a stream of an unknown kind": (
        {},
        "calibrate camera ftp://host/clip",
        "ftp://host/clip: ftp is no kind of source; file, rtsp, rtsps, v4l2 and csi are",
    ),
}


@pytest.mark.parametrize(("made", "command", "sentence"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_answered_by_its_sentence(
    tmp_path: Path, says: Says, made: dict[str, str | bytes], command: str, sentence: str
) -> None:
    for name, content in made.items():
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    answer = says(command.replace("DIR", str(tmp_path)).split())
    assert sentence in answer.replace(str(tmp_path), "DIR")


class Peer:
    """A server that says the same thing to whoever connects and asks, then hangs up."""

    def __init__(self, answer: bytes, asked: bool) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, args=(answer, asked), daemon=True)
        self.thread.start()

    def serve(self, answer: bytes, asked: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                with self.listener.accept()[0] as client:
                    client.settimeout(5)
                    if not asked or client.recv(4096):
                        client.sendall(answer)
                        client.shutdown(socket.SHUT_WR)
                        client.recv(4096)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


def rtsp(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"RTSP/1.0 {status}", "CSeq: 1", *headers, "", ""]).encode()


BAD_STREAMS = {
    "a camera that refuses the password": (
        rtsp("401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"'),
        "rtsp://127.0.0.1:PORT/1: the camera refuses the password (none was given)",
    ),
    "a camera without that stream": (
        rtsp("404 Not Found"),
        "rtsp://127.0.0.1:PORT/1: the camera has no stream /1",
    ),
    "a web server for a camera": (b"HTTP/1.1 200 OK\r\n\r\n", "PORT/1: no answer (it does not speak RTSP)"),
    "a camera that hangs up": (b"", "PORT/1: no answer (it hung up)"),
}


@pytest.mark.parametrize(("answer", "sentence"), BAD_STREAMS.values(), ids=BAD_STREAMS)
def test_a_bad_stream_is_answered_by_its_sentence(says: Says, answer: bytes, sentence: str) -> None:
    peer = Peer(answer, asked=True)
    try:
        said = says(["calibrate", "camera", f"rtsp://127.0.0.1:{peer.port}/1", "--seconds", "1"])
    finally:
        peer.close()
    assert sentence in said.replace(str(peer.port), "PORT")


def llrp(kind: int, body: bytes = b"", length: int | None = None, version: int = 1) -> bytes:
    """An LLRP message: header (version and type, length, id) and body."""
    return struct.pack("!HII", version << 10 | kind, 10 + len(body) if length is None else length, 1) + body


EVENT, REPORT = 63, 61
BAD_FRAMES = {
    "a web server for a reader": (
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "an LLRP header says version 18 (1 or 2 would",
    ),
    "a version from the future": (
        llrp(EVENT, version=7),
        "an LLRP header says version 7 (1 or 2 would be right)",
    ),
    "a message shorter than its header": (llrp(EVENT, length=9), "an LLRP header says 9 bytes (10 to"),
    "a message of 4 GiB": (llrp(EVENT, length=2**32 - 1), "an LLRP header says 4294967295 bytes (10 to"),
    "a message cut short": (llrp(EVENT, length=400) + b"\0" * 20, "the reader closed the connection"),
    "an event whose parameter runs over its end": (
        llrp(EVENT, b"\x00\xf6\x00\x40" + b"\0" * 8),
        "an LLRP parameter says 64 bytes, 12 are left in its message",
    ),
    "a reader that hangs up": (b"", "the reader closed the connection"),
}


@pytest.mark.parametrize(("frame", "sentence"), BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_a_bad_llrp_frame_is_answered_by_its_sentence(
    tmp_path: Path, says: Says, frame: bytes, sentence: str
) -> None:
    peer = Peer(frame, asked=False)
    out = str(tmp_path / "reads.csv")
    try:
        said = says(["rfid", "capture", f"127.0.0.1:{peer.port}", "--seconds", "0.6", "--out", out])
    finally:
        peer.close()
    assert sentence in said


def test_a_reader_that_serves_another_client(tmp_path: Path, says: Says) -> None:
    scenario = tmp_path / "shelf.yaml"
    scenario.write_text(
        "name: s\nantennas: [{port: 1, at: [2, 1]}]\n"
        'racks: [{name: a, at: [2, 2], tags: {count: 1, prefix: "e280"}}]\n'
    )
    out = str(tmp_path / "reads.csv")
    with SimulatedReader(scenario) as reader:
        reader.fault("busy", seconds=10)
        time.sleep(0.3)
        said = says(["rfid", "capture", f"127.0.0.1:{reader.port}", "--seconds", "0.6", "--out", out])
    assert "it already serves another LLRP client; stop that client" in said


def test_the_table_is_as_long_as_promised() -> None:
    assert len(BAD_CONFIGS) + len(BAD_FILES) + len(BAD_STREAMS) + len(BAD_FRAMES) >= 25
