"""`tagsight rfid`, as a user calls it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from rfid_reader.antenna_calibration import calibrate_still, save_calibration
from rfid_reader.cli import rfid
from rfid_reader.errors import ReaderError
from rfid_reader.reads import ReadTable, load_reads, save_reads
from rfid_reader.simulator.llrp.server import SimulatedReader
from tests.rfid_reader.reshaped import Reshaping, without
from tests.rfid_reader.small_stores import small_store


def half_turned(reads: ReadTable) -> ReadTable:
    """The same from a reader whose phases are half a turn off on every other read, at random."""
    off = np.random.default_rng(1).random(len(reads)) < 0.5
    return replace(reads, phase_rad=(reads.phase_rad + np.pi * off) % (2 * np.pi))


GIVEN = [{"rack": "shirts", "tag": 2, "start_s": 20.0, "end_s": 23.0}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario, its reads for 40 s, and its truth."""
    folder = tmp_path_factory.mktemp("rfid")
    scenario = {
        "name": "small",
        "hop_plan": "etsi",
        "reader": {"antennas": 4, "mode": 2},
        "antennas": [{"port": 1, "at": [0, 0]}],
        "racks": [{"name": "shirts", "at": [0, 0.5], "tags": {"count": 4, "prefix": "e28011"}}],
        "flips": {"given": GIVEN},
    }
    (folder / "store.yaml").write_text(yaml.safe_dump(scenario))
    result = call(
        "simulate", "--scenario", folder / "store.yaml", "--seconds", 40, "--reads", folder / "reads.csv",
        "--truth", folder / "truth.jsonl", "--epoch", 1000,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder


def call(*arguments: object) -> Result:
    return CliRunner().invoke(rfid, [str(argument) for argument in arguments])


def test_simulate_writes_reads_and_the_truth_in_utc_and_scenario_time(folder: Path) -> None:
    truth = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    assert truth == [
        {
            "epc": "e28011" + "0" * 17 + "2",
            "start_s": 1020.0,
            "end_s": 1023.0,
            "person": None,
            "rack": "shirts",
            "scenario_start_s": 20.0,
            "scenario_end_s": 23.0,
        }
    ]
    reads = load_reads(folder / "reads.csv")
    assert reads.time_s.min() > 1000 and reads.time_s.max() < 1041


@pytest.mark.parametrize("method", ["js", "raw", "production"])
def test_flips_are_json_lines_and_the_same_bytes_every_time(folder: Path, method: str) -> None:
    once, again = folder / f"{method}1.jsonl", folder / f"{method}2.jsonl"
    for out in (once, again):
        result = call("flips", folder / "reads.csv", "--out", out, "--method", method)
        assert result.exit_code == 0, result.output
    assert once.read_bytes() == again.read_bytes()
    for line in once.read_text().splitlines():
        assert set(json.loads(line)) == {"epc", "start_s", "end_s", "score"}


def test_the_production_method_is_the_default_and_finds_the_flip(folder: Path) -> None:
    out = folder / "flips.jsonl"
    result = call("flips", folder / "reads.csv", "--out", out, "--json")
    figures = json.loads(result.stdout)
    assert figures["flips"] == 1 and figures["insufficient_reads"] == 0
    flip = json.loads(out.read_text())
    assert flip["epc"].endswith("2") and abs(flip["start_s"] - 1020) < 1.5


def test_tags_with_too_few_reads_have_a_line_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "reads.csv").write_text("time_s,epc,antenna,channel,rssi_dbm,phase_rad\n5,ab,1,1,-50,1\n")
    assert call("flips", tmp_path / "reads.csv", "--out", tmp_path / "out").exit_code == 0
    assert json.loads((tmp_path / "out").read_text()) == {"epc": "ab", "insufficient_reads": True}


REMARKS = [
    ("no phase", lambda reads: replace(reads, phase_rad=np.full(len(reads), np.nan)), "gives no phase"),
    ("no level", lambda reads: replace(reads, rssi_dbm=np.full(len(reads), np.nan)), "gives no RSSI"),
    ("no channel", lambda reads: replace(reads, channel=np.zeros(len(reads), np.int16)), "gives no channel"),
    ("backwards", lambda reads: reads.take(slice(None, None, -1)), "come more than 0.3 s after later ones"),
    ("no reads", lambda reads: reads.take(slice(0, 0)), "there are no reads in it"),
    ("half turns", half_turned, "jump by half a turn at random"),
]


@pytest.mark.parametrize(("reshaped", "says"), [row[1:] for row in REMARKS], ids=[row[0] for row in REMARKS])
def test_flips_says_what_a_recording_does_not_allow(
    folder: Path, tmp_path: Path, reshaped: Callable[[ReadTable], ReadTable], says: str
) -> None:
    save_reads(tmp_path / "reads.csv", reshaped(load_reads(folder / "reads.csv")))
    result = call("flips", tmp_path / "reads.csv", "--out", tmp_path / "out")
    assert result.exit_code == 0 and f"warning: {tmp_path / 'reads.csv'}: " in result.stderr
    assert says in result.stderr
    assert says in "".join(
        json.loads(call("flips", tmp_path / "reads.csv", "--out", tmp_path / "out", "--json").stdout)[
            "remarks"
        ]
    )


def test_flips_says_that_a_calibration_is_of_another_store(folder: Path, tmp_path: Path) -> None:
    reads = load_reads(folder / "reads.csv").in_time_order()
    own = calibrate_still(reads.take(reads.time_s < reads.time_s[0] + 15.0))
    save_calibration(tmp_path / "own.yaml", own)
    others = replace(reads, epc=np.char.replace(reads.epc, "e28011", "e28099"))
    save_reads(tmp_path / "others.csv", others)
    ghosts = replace(reads, epc=np.array([f"{number:024x}" for number in range(len(reads))])).take(slice(50))
    save_reads(tmp_path / "ghosts.csv", ReadTable.concatenate([reads, ghosts]).in_time_order())
    for name, known in (
        (folder / "reads.csv", True),
        (tmp_path / "ghosts.csv", True),
        (tmp_path / "others.csv", False),
    ):
        out = tmp_path / "out"
        result = call("flips", name, "--out", out, "--calibration", tmp_path / "own.yaml")
        says = "" if known else "the calibration knows none of the 4 tags that are read"
        assert says in result.stderr and ("the calibration knows" in result.stderr) != known, result.stderr


def test_capture_writes_what_a_reader_hears(tmp_path: Path) -> None:
    with SimulatedReader(small_store()) as reader:
        result = call(
            "capture", f"127.0.0.1:{reader.port}", "--seconds", 1.0, "--out", tmp_path / "reads.csv", "--json"
        )
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert len(load_reads(tmp_path / "reads.csv")) == figures["reads_written"] > 20
    assert figures["phase_known"] is True


def test_capture_says_why_it_took_none_of_a_readers_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Reshaping(without("antenna")).install(monkeypatch)
    with SimulatedReader(small_store()) as reader:
        address, out = f"127.0.0.1:{reader.port}", tmp_path / "reads.csv"
        several = call("capture", address, "--seconds", 1.0, "--out", out)
        one = call("capture", address, "--antennas", "2", "--seconds", 1.0, "--out", out)
    assert isinstance(several.exception, ReaderError)
    assert "name no antenna and are not counted, since 4 are in use" in str(several.exception)
    assert one.exit_code == 0, one.output
    assert "taken as antenna 2, the only one in use" in one.stderr
    assert set(load_reads(out).antenna.tolist()) == {2}


def test_capture_without_a_reader_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = call("capture", f"127.0.0.1:{port}", "--seconds", 0.3, "--out", tmp_path / "reads.csv")
    assert isinstance(result.exception, ReaderError)
    assert f"cannot connect to 127.0.0.1:{port}" in str(result.exception)


def test_replay_plays_a_recording_to_an_llrp_client(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runtime", "rfid", "replay", str(folder / "reads.csv")]
    with subprocess.Popen(
        [*command, "--port", "0", "--speed", "40"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        result = call("capture", address, "--seconds", 5, "--out", tmp_path / "again.csv")
        assert result.exit_code == 0, result.output
        rest = process.communicate(timeout=20)[0]
    assert process.returncode == 0
    played, heard = load_reads(folder / "reads.csv"), load_reads(tmp_path / "again.csv")
    assert f"{len(played)} reads sent" in rest
    assert heard.epc.tolist() == played.epc.tolist()
    assert abs(heard.phase_rad - played.phase_rad).max() < 2e-3
    assert (heard.rssi_dbm == played.rssi_dbm).all()


def test_simulate_serves_until_its_time_is_over(folder: Path) -> None:
    done: list[Result] = []
    arguments = ("simulate", "--scenario", folder / "store.yaml", "--port", 0, "--seconds", 0.5)
    thread = threading.Thread(target=lambda: done.append(call(*arguments)))
    start_s = time.monotonic()
    thread.start()
    thread.join(10)
    assert done and done[0].exit_code == 0
    assert "simulating small on 127.0.0.1:" in done[0].output
    assert time.monotonic() - start_s < 8


@pytest.mark.parametrize(
    "arguments",
    [
        ("flips", "none.csv", "--out", "x"),
        ("flips", "reads.csv", "--out", "x", "--calibration", "none.yaml"),
        ("replay", "none.csv"),
        ("simulate", "--scenario", "none.yaml"),
    ],
)
def test_missing_files_are_named(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reads.csv").write_text("time_s,epc,antenna,channel,rssi_dbm,phase_rad\n")
    error = call(*arguments).exception
    assert isinstance(error, ReaderError)
    assert "none." in str(error)


@pytest.mark.parametrize(
    "arguments", [("flips", "r.csv"), ("capture", "host:llrp", "--out", "x"), ("simulate",)]
)
def test_wrong_usage_exits_with_two(arguments: tuple[str, ...]) -> None:
    assert call(*arguments).exit_code == 2
