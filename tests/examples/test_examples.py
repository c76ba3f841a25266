"""The examples, run as docs/examples.md prints them, on real parts."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import BrokerError
from broker.mosquitto import LocalBroker
from engines.catalogue import SHIPPED as WEIGHTS
from rfid_reader.simulator.llrp.server import SimulatedReader
from rfid_reader.simulator.scenarios.files import SHIPPED as SCENARIOS
from testing.delivery.device import Device

MOST_LINES = 39


def commands(repo: Path) -> dict[str, list[str]]:
    """Name of an example -> its command line's words behind `python`, as the page prints it."""
    page = (repo / "docs/examples.md").read_text()
    lines = re.findall(r"^python (examples/.*)$", page, re.M)
    return {Path(line.split()[0]).stem: shlex.split(line) for line in lines}


def run(repo: Path, folder: Path, name: str, **ports: str) -> str:
    """What the example prints, run in `folder`; `ports` are the words of the page to be put in."""
    script, *words = commands(repo)[name]
    words = [ports.get(f"port_{word}", word) for word in words]
    done = subprocess.run(
        [sys.executable, str(repo / script), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(repo), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_every_example_stands_on_the_page_and_is_short(repo: Path) -> None:
    names = {path.stem for path in (repo / "examples").glob("*.py")} - {"consumer"}
    assert len(names) == 5
    assert set(commands(repo)) == names
    shown = (repo / "docs/examples.md").read_text()
    for name in names:
        assert f'--8<-- "examples/{name}.py"' in shown
        lines = (repo / f"examples/{name}.py").read_text().splitlines()
        assert len(lines) <= MOST_LINES, f"{name}: {len(lines)} lines"


def test_people_in_a_video(repo: Path, tmp_path: Path) -> None:
    clip = os.environ.get("TAGSIGHT_CLIP")
    if not clip:
        pytest.skip("no clip: TAGSIGHT_CLIP=$(scripts/fetch-clip)")
    (tmp_path / "clip.mp4").symlink_to(clip)
    said = run(repo, tmp_path, "people_in_a_video").splitlines()
    assert [line.split(" s:")[0].strip() for line in said[:-1]] == ["0.0", "1.0", "2.0", "3.0", "4.0"]
    in_view = [int(re.findall(r"(\d+) in view", line)[0]) for line in said[1:-1]]
    assert all(3 <= count <= 12 for count in in_view), said
    assert 5 <= int(said[-1].split()[0]) <= 15, said


@pytest.fixture(scope="module")
def recording(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds of a boutique as the simulated reader hears it, without the radio in between."""
    path = tmp_path_factory.mktemp("recording") / "reads.csv"
    command = [
        sys.executable,
        "-m",
        "runtime",
        "rfid",
        "simulate",
        "--scenario",
        "boutique",
        "--seconds",
        "40",
    ]
    done = subprocess.run(
        [*command, "--reads", str(path), "--truth", str(path.with_name("truth.jsonl")), "--seed", "3"],
        cwd=repo,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return path


def test_reads_from_a_reader(repo: Path, tmp_path: Path) -> None:
    with SimulatedReader(SCENARIOS / "boutique.yaml") as reader:
        said = run(repo, tmp_path, "reads_from_a_reader", port_5084=str(reader.port)).splitlines()
    state, reads, tags = re.fullmatch(r"(\w+): (\d+) reads of (\d+) tags", said[0]).groups()  # type: ignore[union-attr]
    assert state == "reading"
    assert int(reads) > 100 and int(tags) > 10
    assert len((tmp_path / "reads.csv").read_text().splitlines()) == int(reads) + 1
    assert len(said) == 4 and all("dBm" in line for line in said[1:])


def test_flips_in_a_recording(repo: Path, recording: Path) -> None:
    said = run(repo, recording.parent, "flips_in_a_recording").splitlines()
    true = recording.with_name("truth.jsonl").read_text()
    found = [line.split(":")[0] for line in said[:-1]]
    assert found and all(epc in true for epc in found), (said, true)
    assert said[-1].startswith(f"{len(found)} flips; ")


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    try:
        local = LocalBroker()
    except BrokerError as error:
        pytest.skip(str(error))
    with local:
        yield local


def test_events_from_a_broker_into_a_table(repo: Path, broker: LocalBroker, tmp_path: Path) -> None:
    said: list[str] = []
    with Device(tmp_path / "box", broker.port) as device:
        device.say("before", 1, 30)
        reading = threading.Thread(
            target=lambda: said.append(run(repo, tmp_path, "events_into_a_table", port_1883=str(broker.port)))
        )
        reading.start()
        at = 0
        while reading.is_alive():
            at += 1
            device.say(f"while {at}", 1, 1)
            reading.join(0.2)
    assert said, "the example failed"
    kind, count = said[0].split()
    assert kind == "visit"
    assert int(count) >= 10


def test_own_onnx_detector(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "detector.onnx").symlink_to(WEIGHTS / "person-detector-lite.onnx")
    (tmp_path / "picture.jpg").symlink_to(repo / "engines/catalogue/judging/people.jpg")
    said = run(repo, tmp_path, "own_onnx_detector").splitlines()
    assert said[0].startswith("detector.onnx: ")
    assert 5 <= len(said) - 1 <= 7, f"seven persons are there: {said}"
