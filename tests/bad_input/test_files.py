"""Bad files and devices: pictures, points, tag reads, networks, events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Says = Callable[[list[str]], str]


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
        "DIR/a.mp4: the file is empty; copy it again",
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
    "points that are one endless word": (
        {"p.csv": "x" * 200_000},
        "calibrate floor DIR/a.png --points DIR/p.csv",
        "DIR/p.csv is not CSV (field larger than field limit (131072)); the first line must name u,v,x,y",
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
        "DIR/r.csv: not text in UTF-8; a read table's first line is time_s,epc,antenna",
    ),
    "reads that are one endless word": (
        {"r.csv": "x" * 200_000},
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
        "DIR/s.yaml:1: nam: unknown field `nam`; did you mean name?",
    ),
    # networks and events
    "a network that is noise": (
        {"x.onnx": NOISE},
        "engines add DIR/x.onnx --name x --backend openvino",
        "DIR/x.onnx: the file is damaged, cut short or not ONNX",
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
        "ftp://host/clip: ftp is no kind of source; file, rtsp, http, v4l2 and csi are",
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
