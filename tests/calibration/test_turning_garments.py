"""A guided session over LLRP: a simulated store in which the garments that are asked for are turned."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from quiet_stores import RACKS, epc_of, recorded, store_with

from calibration.cli import calibrate
from calibration.flips import command as flips_command
from calibration.flips.command import lines
from calibration.flips.trials import Tried
from rfid_reader.antenna_calibration import FlipTrial, calibrate_still, load_calibration, save_calibration
from rfid_reader.simulator.llrp.server import SimulatedReader
from rfid_reader.tuned_detector import detector_for, tuned_detector, usual_threshold

QUIET_S, FIRST_S, EACH_S, TURN_S = 5.0, 7.0, 3.4, 2.2


@pytest.fixture
def calibrated(tmp_path: Path) -> Path:
    path = tmp_path / "antenna.yaml"
    save_calibration(path, calibrate_still(recorded(store_with([]), 20.0)))
    return path


def test_the_session_asks_listens_measures_and_sets_the_threshold(
    calibrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flips = [
        {"rack": rack, "tag": 3, "start_s": FIRST_S + EACH_S * n, "end_s": FIRST_S + EACH_S * n + TURN_S}
        for n, rack in enumerate(RACKS)
    ]
    asked: list[str] = []
    with SimulatedReader(store_with(flips)) as reader:

        def technician(prompt: str) -> None:
            """Turns each garment when the scenario does, and presses Enter when it hangs again."""
            asked.append(prompt)
            if prompt.startswith("Garment"):
                done_s = reader.epoch + FIRST_S + EACH_S * (len(asked) // 2) + TURN_S + 0.3
                time.sleep(max(0.0, done_s - time.time()))

        monkeypatch.setattr(flips_command, "_by_enter", technician)
        monkeypatch.setattr(flips_command, "SETTLE_S", 3.0)
        arguments = [
            "flips",
            str(calibrated),
            "--reader",
            f"127.0.0.1:{reader.port}",
            "--quiet",
            str(QUIET_S),
        ]
        for number in range(3):
            arguments += ["--epc", epc_of(number, 3)]
        result = CliRunner().invoke(calibrate, arguments, catch_exceptions=False)
        assert reader.failure is None
    assert result.exit_code == 0, result.output
    assert len(asked) == 6 and "Garment 2 of 3: ...000003, near antenna 2" in asked[2]
    trial = load_calibration(calibrated).trial
    assert trial is not None
    assert (trial.found, trial.turned, trial.threshold) == (3, 3, usual_threshold())
    assert trial.false_alarms <= 1
    assert "3/3" in result.output and "<- chosen" in result.output


def test_a_reader_that_is_not_there_is_said(calibrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calibration.recording.Recording.wait_for_reads.__defaults__", (0.5,))
    result = CliRunner().invoke(calibrate, ["flips", str(calibrated), "--reader", "127.0.0.1:1"])
    assert result.exit_code == 1 and "nothing was read from 127.0.0.1:1" in str(result.exception)
    assert "cannot connect" in str(result.exception)


def test_a_garment_that_was_never_heard_is_refused(calibrated: Path) -> None:
    result = CliRunner().invoke(calibrate, ["flips", str(calibrated), "--reader", "h", "--epc", "ff"])
    assert "ff is not in" in str(result.exception)


def test_the_trial_sets_the_detectors_threshold(calibrated: Path) -> None:
    import msgspec

    calibration = load_calibration(calibrated)
    tried = msgspec.structs.replace(calibration, trial=FlipTrial(0.9, 10, 9, 0, 1.0))
    rules = [
        detector.events.rules  # type: ignore[attr-defined]
        for detector in (
            detector_for("production", calibration),
            detector_for("production", tried),
            tuned_detector(calibration, 0.9),
        )
    ]
    assert rules[0].start == usual_threshold() and rules[1].start == 0.9 and rules[1] == rules[2]
    assert rules[1].stop / rules[1].start == pytest.approx(rules[0].stop / rules[0].start)


def test_few_turns_seen_is_a_warning() -> None:
    tried = [Tried(0.5, 5, 10, 0, 1.0)]
    assert any("only 5 of 10 turns were seen" in line for line in lines(tried, tried[0]))
