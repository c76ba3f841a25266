"""The soak's own figures and its faults."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from bench.inputs import sample_clip
from bench.reliability.soak import command
from bench.reliability.soak import faults as soak_faults
from bench.reliability.soak.faults import NEEDS_A_BROKER, FaultKind, Faults, Mend
from bench.reliability.soak.figures import Sample, course_of, sample
from bench.reliability.soak.plot import draw
from bench.reliability.soak.record import SoakReport, Watch, save
from broker.mosquitto import find_mosquitto
from tagsight.errors import TagsightError

MB = 1_000_000


def life(pid: int, from_s: int, until_s: int, memory: int, per_hour: int = 0) -> list[Sample]:
    return [
        Sample(float(time_s), pid, memory + per_hour * (time_s - from_s) // 3600, 12, 3)
        for time_s in range(from_s, until_s, 5)
    ]


def test_memory_that_grows_is_told_by_its_slope() -> None:
    flat = course_of("store", life(7, 0, 3600, 40 * MB))
    growing = course_of("store", life(7, 0, 3600, 40 * MB, per_hour=10 * MB))
    assert flat is not None and growing is not None
    assert flat.mb_per_hour == 0.0
    assert growing.mb_per_hour == pytest.approx(10.0, abs=0.1)
    assert (flat.first_mb, flat.highest_mb, flat.last_mb) == (40.0, 40.0, 40.0)


def test_figures_are_of_the_longest_life_after_its_first_minute() -> None:
    samples = life(7, 0, 100, 90 * MB) + life(8, 100, 800, 30 * MB) + life(9, 800, 900, 60 * MB)
    course = course_of("vision", samples)
    assert course is not None
    assert course.lives == 3
    assert course.life_s == 695.0
    assert course.highest_mb == 30.0


def test_a_process_that_never_lived_a_minute_has_no_course() -> None:
    assert course_of("vision", life(7, 0, 50, 90 * MB) + life(8, 50, 100, 90 * MB)) is None


def test_a_sample_sees_memory_and_descriptors_of_a_real_process() -> None:
    spare = np.ones(20 * MB, np.uint8)  # so that nothing freed before is used again for what is measured
    before = sample(os.getpid(), 0.0)
    ballast = np.ones(100 * MB, np.uint8)
    ends = os.pipe()
    after = sample(os.getpid(), 1.0)
    for end in ends:
        os.close(end)
    assert before is not None and after is not None
    assert after.memory - before.memory > 0.7 * ballast.nbytes and spare.all()
    assert after.descriptors == before.descriptors + 2
    assert after.threads == len(list(Path("/proc/self/task").iterdir()))
    assert sample(2**22 + 1, 0.0) is None, "no such process"


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    samples = {"store": life(7, 0, 600, 40 * MB) + life(8, 610, 900, 41 * MB)}
    draw(samples, [(300.0, "broker killed")], 0.0, tmp_path / "soak.png")
    picture = cv2.imread(str(tmp_path / "soak.png"))
    assert picture is not None
    assert picture.std() > 5
    assert (tmp_path / "soak.png").stat().st_size < 150_000


class Struck:
    """What faults did to a store that only keeps count."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.most_at_once: dict[str, int] = {}

    def kind(self, name: str, lasts_s: tuple[float, float]) -> FaultKind:
        def strike(store: Any, rng: random.Random) -> Mend:
            self.open.append(name)
            self.most_at_once[name] = max(self.most_at_once.get(name, 0), self.open.count(name))
            assert sum(each in NEEDS_A_BROKER for each in self.open) <= 1
            return lambda: self.open.remove(name)

        return FaultKind(name, 1.0, lasts_s, strike)


def test_faults_strike_about_as_often_as_asked_and_each_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    struck = Struck()
    kinds = [struck.kind(name, (1.0, 60.0)) for name in (*NEEDS_A_BROKER, "camera unplugged")]
    kinds.append(struck.kind("process killed", (0.0, 0.0)))
    monkeypatch.setattr(soak_faults, "KINDS", tuple(kinds))
    faults = Faults(None, 10.0, seed=5, now_s=0.0)  # type: ignore[arg-type]
    for half_second in range(7200):
        faults.advance(half_second / 2)
    assert 300 < sum(faults.struck.values()) < 420
    assert set(faults.struck) == {kind.name for kind in kinds}
    assert set(struck.most_at_once.values()) == {1}, "none strikes again while it lasts"
    faults.mend_all()
    assert struck.open == []
    before = faults.struck.total()
    faults.advance(1e6)
    assert faults.struck.total() == before, "no more strikes after that"


class Stopped:
    """A store whose daemon has ended, or whose cloud never heard anything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "daemon.log"
        self.log.write_text("MainProcess: store started, pid 1\nTraceback (most recent call last)\n")
        self.pids = {"supervisor": os.getpid()}

    def check(self) -> None:
        raise TagsightError(f"the daemon ended by itself; its last words are in {self.log}")

    def starts(self) -> int:
        return 1

    def stop(self) -> float:
        raise TagsightError("it is gone")


def test_what_was_measured_is_there_although_the_daemon_ended(tmp_path: Path) -> None:
    watch = Watch(Stopped(tmp_path), tmp_path / "soak.json")  # type: ignore[arg-type]
    watch.samples = {"store": life(7, 0, 600, 40 * MB)}
    with pytest.raises(TagsightError):
        watch.turn(None)
    report = watch.close("the daemon ended by itself")
    save(report, watch.record)
    kept = msgspec.json.decode(watch.record.read_bytes(), type=SoakReport)
    assert kept.ended == "the daemon ended by itself; it is gone"
    assert [course.process for course in kept.processes] == ["store"]
    assert (kept.account, kept.stop_s, kept.tracebacks, kept.sound) == (None, None, 1, False)


@pytest.mark.parametrize(
    ("clip", "hidden", "said"),
    [
        ("absent.avi", "", "absent.avi"),
        ("notes.avi", "", "notes.avi"),
        ("room.avi", "TAGSIGHT_MOSQUITTO", "mosquitto"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: str, hidden: str, said: str
) -> None:
    (tmp_path / "notes.avi").write_text("no video")
    write_clip(tmp_path / "room.avi")
    if hidden:
        monkeypatch.setenv(hidden, str(tmp_path / "nowhere" / "mosquitto"))
    monkeypatch.setattr(command, "run_soak", None)
    result = CliRunner().invoke(command.soak, ["--clip", str(tmp_path / clip), "--out", str(tmp_path / "o")])
    assert result.exit_code == 1
    assert isinstance(result.exception, TagsightError)
    assert said in str(result.exception)
    assert not list(tmp_path.glob("o/*"))


def write_clip(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()


@pytest.mark.slow
def test_a_soak_that_is_interrupted_keeps_its_figures_and_says_where(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    try:
        find_mosquitto()
        clip = sample_clip()
    except TagsightError as error:
        pytest.skip(str(error))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "runtime", "bench", "soak", "--clip", str(clip), "--out", str(out)]
    # Who starts the tests in a shell's background passes on that Ctrl-C is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    deadline_s = time.monotonic() + 120.0
    while not any("ready: " in log.read_text() for log in out.glob("box-*/daemon.log")):
        assert process.poll() is None and time.monotonic() < deadline_s
        time.sleep(0.2)
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=400.0)
    assert process.returncode == 130, said
    assert "it did not go to the end: interrupted" in said
    report = msgspec.json.decode((out / "soak.json").read_bytes(), type=SoakReport)
    assert report.account is not None, report.ended
    assert report.account.on_disk > 0 and report.account.lost == 0, report
    assert (out / "soak.png").exists()
    (box,) = out.glob("box-*")
    assert str(box) in "".join(said.split()) and (box / "daemon.log").exists()
