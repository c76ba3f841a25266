"""Quiet recordings of a simulated store, and what a technician is told about its antennas."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from quiet_stores import EPOCH_S, RACKS, TAGS, epc_of, recorded, store_with, weaker, with_antennas

from calibration.antenna.drawing import (
    channel_noise,
    colours,
    draw_maps,
    ordered_tags,
    rate_map,
    short_names,
)
from calibration.antenna.findings import against_before, against_plan, too_loud
from calibration.antenna.rack_order import learn_racks
from calibration.antenna.report import html_of
from calibration.cli import calibrate
from calibration.errors import CalibrationError
from calibration.flips.trials import (
    THRESHOLDS,
    HandlingTrial,
    Tried,
    best_of,
    choose_garments,
    find_flips,
    score_turns,
    try_thresholds,
)
from calibration.store_plan import StorePlan, plan_from
from rfid_reader.antenna_calibration import (
    AntennaCalibration,
    FlipTrial,
    calibrate_still,
    load_calibration,
    save_calibration,
)
from rfid_reader.flips import DetectedFlip
from rfid_reader.reads import ReadTable, save_reads
from rfid_reader.tuned_detector import usual_threshold

STORE_YAML = """
site: {name: shop, device: box}
floor: {extent_m: [-2, -2, 10, 5]}
readers:
  - name: rails
    host: 192.0.2.20
    antennas:
      - {name: left, port: 1, fixture: shirts}
      - {name: middle, port: 2, fixture: coats}
      - {name: right, port: 3, fixture: skirts}
fixtures:
  - {name: shirts, at: [0, 0.5], skus: [{sku: SHIRT, epcs: ["e28010*"]}]}
  - {name: coats, at: [3, 0.5], skus: [{sku: COAT, epcs: ["e28011*"]}]}
  - {name: skirts, at: [6, 0.5], skus: [{sku: SKIRT, epcs: ["e28012*"]}]}
"""
ORDER_START_S, EACH_S, PAUSE_S = 10.0, 4.0, 14.0


@pytest.fixture(scope="module")
def still() -> ReadTable:
    return recorded(store_with([]), 20.0)


@pytest.fixture(scope="module")
def calibration(still: ReadTable) -> AntennaCalibration:
    return calibrate_still(still)


@pytest.fixture(scope="module")
def order() -> tuple[ReadTable, list[HandlingTrial]]:
    """Every garment turned once from left to right, rack after rack, and when."""
    flips, turns, time_s = [], [], ORDER_START_S
    for number, rack in enumerate(RACKS):
        for tag in range(1, TAGS + 1):
            flips.append({"rack": rack, "tag": tag, "start_s": time_s, "end_s": time_s + 2.5})
            began_s = EPOCH_S + time_s
            turns.append(HandlingTrial(epc_of(number, tag), began_s - 0.5, began_s + 3.0))
            time_s += EACH_S
        time_s += PAUSE_S
    return recorded(store_with(flips), time_s), turns


def plan() -> StorePlan:
    found = StorePlan((1, 2, 3))
    for number, rack in enumerate(RACKS):
        for tag in range(1, TAGS + 1):
            found.rack_of[epc_of(number, tag)] = rack
            found.port_of[epc_of(number, tag)] = number + 1
    return found


def share_in_order(epcs: list[str]) -> float:
    """Of all pairs of a rack's tags, those that are in the order in which they hang (their numbers rise)."""
    pairs = [left < right for place, left in enumerate(epcs) for right in epcs[place + 1 :]]
    return sum(pairs) / len(pairs)


def test_an_order_is_rated_by_its_pairs() -> None:
    assert share_in_order(["1", "2", "3"]) == 1.0
    assert share_in_order(["3", "2", "1"]) == 0.0


def test_a_store_that_is_well_has_nothing_to_mend(calibration: AntennaCalibration) -> None:
    assert calibration.findings == []
    assert against_plan(calibration, plan()) == []
    assert against_before(calibration, calibration) == []


@pytest.mark.parametrize(
    ("renamed", "says"),
    [
        ({1: 2, 2: 1}, ["antennas 1 and 2 are swapped"]),
        (
            {1: 2, 2: 3, 3: 1},
            ["antenna 1 is where antenna 3 belongs", "antenna 2 is where antenna 1 belongs"],
        ),
    ],
)
def test_swapped_antennas_are_found_by_the_plan_and_by_the_calibration_before(
    still: ReadTable, calibration: AntennaCalibration, renamed: dict[int, int], says: list[str]
) -> None:
    swapped = calibrate_still(with_antennas(still, renamed))
    for findings in (against_plan(swapped, plan()), against_before(swapped, calibration)):
        for sentence in says:
            assert any(sentence in finding for finding in findings), findings


@pytest.mark.parametrize(("by_db", "word"), [(6.0, "weaker"), (-6.0, "stronger")])
def test_a_power_that_changed_is_found_and_measured(
    still: ReadTable, calibration: AntennaCalibration, by_db: float, word: str
) -> None:
    findings = against_before(calibrate_still(weaker(still, 2, by_db)), calibration)
    assert len(findings) == 1 and f"antenna 2 hears the same tags 6 dB {word}" in findings[0]


def test_an_antenna_that_died_and_tags_that_went_are_found(
    still: ReadTable, calibration: AntennaCalibration
) -> None:
    rest = still.take((still.antenna != 3) & (still.epc != epc_of(0, 1)))
    findings = " ".join(against_before(calibrate_still(rest), calibration))
    assert "antenna 3 heard" in findings and "none now" in findings
    assert f"first: {epc_of(0, 1)}" in findings


def test_a_garment_on_another_rack_than_the_stores_is_named(calibration: AntennaCalibration) -> None:
    wrong = plan()
    wrong.port_of[epc_of(0, 2)], wrong.rack_of[epc_of(0, 2)] = 3, "skirts"
    assert any(epc_of(0, 2) in finding for finding in against_plan(calibration, wrong))


def test_an_antenna_that_hears_everything_with_power_to_spare_is_called_loud(
    still: ReadTable, calibration: AntennaCalibration
) -> None:
    others = still.take((still.antenna == 2) & ~np.char.startswith(still.epc, "e28010"))
    foreign = with_antennas(weaker(others, 2, 30.0), {2: 1})
    loud = calibrate_still(ReadTable.concatenate([still, foreign]).in_time_order())
    assert any(finding.startswith("antenna 1 also hears") for finding in too_loud(loud))
    assert not any(finding.startswith("antenna 3") for finding in too_loud(calibration))


def test_the_order_on_the_racks_is_learned_from_turning_each_garment_once(
    calibration: AntennaCalibration, order: tuple[ReadTable, list[HandlingTrial]]
) -> None:
    racks = learn_racks(find_flips(order[0], calibration, 0.5), calibration)
    assert [rack.antenna for rack in racks] == [1, 2, 3]
    assert sum(len(rack.epcs) for rack in racks) >= 0.8 * TAGS * len(RACKS)
    assert min(share_in_order(list(rack.epcs)) for rack in racks) >= 0.8


def test_turning_garments_measures_recall_and_false_alarms(
    calibration: AntennaCalibration,
    order: tuple[ReadTable, list[HandlingTrial]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads, turns = order
    monkeypatch.setattr("calibration.flips.trials.THRESHOLDS", (0.4, 0.9))
    tried = try_thresholds(reads, turns, calibration)
    assert [one.threshold for one in tried] == sorted({0.4, 0.9, usual_threshold()})
    best = best_of(tried)
    assert best.turned == len(turns) and best.recall >= 0.9
    assert best.false_alarms <= 2
    flips = find_flips(reads, calibration, 0.5)
    unasked = score_turns(flips, turns[:3], 0.5, best.tag_hours)
    assert unasked.false_alarms >= len(turns) - 5


def test_a_flip_counts_for_its_own_garment_near_its_own_time() -> None:
    turns = [HandlingTrial("aa", 100.0, 104.0), HandlingTrial("bb", 110.0, 114.0)]
    flips = [
        DetectedFlip("aa", 101.0, 103.0, 0.9),
        DetectedFlip("aa", 103.5, 104.5, 0.8),
        DetectedFlip("bb", 101.0, 103.0, 0.7),
        DetectedFlip("bb", 117.0, 118.0, 0.7),
    ]
    assert score_turns(flips, turns, 0.5, 2.0) == Tried(0.5, 1, 2, 2, 2.0)


def test_among_equal_thresholds_the_usual_one_is_kept() -> None:
    tried = [Tried(threshold, 9, 10, 0 if threshold >= 0.4 else 3, 1.0) for threshold in THRESHOLDS]
    nearest = min(abs(one.threshold - usual_threshold()) for one in tried[1:])
    assert abs(best_of(tried).threshold - usual_threshold()) == nearest
    assert best_of([Tried(t, 10 if t == 0.8 else 9, 10, 0, 1.0) for t in THRESHOLDS]).threshold == 0.8


def test_garments_to_turn_come_from_every_antenna(calibration: AntennaCalibration) -> None:
    chosen = choose_garments(calibration, 9)
    assert len(set(chosen)) == 9
    assert sorted(calibration.strongest[epc] for epc in chosen) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_too_few_turns_say_how_many_would_do(calibration: AntennaCalibration) -> None:
    with pytest.raises(CalibrationError, match="at least 3 would be right"):
        try_thresholds(ReadTable.empty(), [HandlingTrial("aa", 0.0, 1.0)], calibration)


def test_maps_hold_every_read(calibration: AntennaCalibration, still: ReadTable) -> None:
    epcs = ordered_tags(calibration)
    rates = rate_map(calibration, epcs)
    assert rates.sum() * calibration.duration_s == pytest.approx(len(still))
    assert (np.argmax(rates, axis=1) + 1).shape == (len(epcs),)
    channels, phase, rssi = channel_noise(calibration)
    assert channels == [1, 2, 3, 4] and phase.shape == rssi.shape == (3, 4)
    assert np.nanmedian(phase) < 0.1


def test_good_is_green_bad_is_red_and_unknown_grey() -> None:
    good, bad, unknown = colours(np.array([4.0, 0.0, np.nan]), 4.0, 0.0).tolist()
    assert good[1] > good[2] and bad[2] > bad[1] and len(set(unknown)) == 1


class _Outside(HTMLParser):
    """Addresses that a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [
            str(value)
            for name, value in attrs
            if name in ("src", "href") and not str(value).startswith("data:")
        ]


def test_the_page_is_whole_in_itself_and_escapes_what_others_named(calibration: AntennaCalibration) -> None:
    evil = StorePlan(rack_of=dict.fromkeys(calibration.rates, "<b>rack</b>"))
    page = html_of(calibration, "Antennas <1>", evil, ["antenna 2 & cable"])
    parser = _Outside()
    parser.feed(page)
    assert parser.addresses == []
    assert "<b>rack" not in page and "&lt;b&gt;rack" in page and "antenna 2 &amp; cable" in page
    assert all(epc in page for epc in calibration.rates)


def test_the_plan_comes_from_store_yaml(tmp_path: Path, calibration: AntennaCalibration) -> None:
    config = tmp_path / "store.yaml"
    config.write_text(STORE_YAML)
    found = plan_from(config, None, sorted(calibration.rates))
    assert found.ports == (1, 2, 3)
    assert found.port_of == plan().port_of and found.rack_of == plan().rack_of
    assert found.sku_of[epc_of(1, 3)] == "COAT"
    with pytest.raises(CalibrationError, match="--name with one of: rails"):
        plan_from(config, "door", [])


def test_the_command_writes_calibration_page_and_picture(
    tmp_path: Path, still: ReadTable, order: tuple[ReadTable, list[HandlingTrial]]
) -> None:
    save_reads(tmp_path / "still.csv", with_antennas(still, {1: 2, 2: 1}))
    save_reads(tmp_path / "order.csv", order[0])
    (tmp_path / "store.yaml").write_text(STORE_YAML)
    arguments = ["antenna", "still.csv", "--out", "antenna.yaml", "--config", "store.yaml"]
    arguments += ["--order", "order.csv", "--report", "antenna.html"]
    runner = CliRunner()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = runner.invoke(calibrate, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "antennas 1 and 2 are swapped" in result.output
    saved = load_calibration(tmp_path / "antenna.yaml")
    assert set(saved.racks["shirts"]) <= {epc_of(0, tag) for tag in range(1, TAGS + 1)}
    assert share_in_order(saved.racks["shirts"]) >= 0.8
    assert any("swapped" in finding for finding in saved.findings)
    assert "are swapped" in (tmp_path / "antenna.html").read_text()
    picture = cv2.imread(str(tmp_path / "antenna.png"))
    assert picture is not None and picture.shape[0] > 100


def test_a_new_quiet_minute_keeps_the_threshold_and_order_of_the_calibration_before(
    tmp_path: Path, still: ReadTable, calibration: AntennaCalibration
) -> None:
    trial = FlipTrial(0.7, 10, 9, 0, 1.0)
    save_reads(tmp_path / "still.csv", weaker(still, 2, 6.0))
    before, out = tmp_path / "before.yaml", tmp_path / "now.yaml"
    racks = {"shirts": [epc_of(0, 2), epc_of(0, 1)]}
    save_calibration(before, msgspec.structs.replace(calibration, trial=trial, racks=racks))
    arguments = ["antenna", str(tmp_path / "still.csv"), "--out", str(out), "--before", str(before)]
    result = CliRunner().invoke(calibrate, arguments, catch_exceptions=False)
    assert "antenna 2 hears the same tags 6 dB weaker" in result.output
    saved = load_calibration(out)
    assert saved.trial == trial and saved.racks == racks


def test_json_has_the_findings(tmp_path: Path, still: ReadTable) -> None:
    save_reads(tmp_path / "still.csv", still)
    out = tmp_path / "antenna.yaml"
    arguments = ["antenna", str(tmp_path / "still.csv"), "--out", str(out), "--antenna", "4", "--json"]
    result = CliRunner().invoke(calibrate, arguments, catch_exceptions=False)
    assert any("antenna 4 heard nothing" in finding for finding in json.loads(result.output)["findings"])


@pytest.mark.parametrize(
    ("column", "unknown", "says"),
    [("phase_rad", np.nan, "gives no phase"), ("channel", 0, "gives no channel")],
)
def test_a_reader_that_lacks_what_flips_need_is_said(
    tmp_path: Path, still: ReadTable, column: str, unknown: float, says: str
) -> None:
    values = np.full_like(getattr(still, column), unknown)
    save_reads(tmp_path / "still.csv", replace(still, **{column: values}))
    arguments = ["antenna", str(tmp_path / "still.csv"), "--out", str(tmp_path / "out.yaml")]
    result = CliRunner().invoke(calibrate, arguments, catch_exceptions=False)
    assert f"warning: the reader {says}" in result.output


def test_with_one_antenna_nothing_in_the_picture_lies_over_another(
    still: ReadTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The boxes of all texts are apart, and inside the picture."""
    one = ReadTable(**{name: getattr(still, name)[still.antenna == 1] for name in still.__dataclass_fields__})
    boxes: list[tuple[int, int, int, int, str]] = []
    put_text = cv2.putText

    def noted(
        image: np.ndarray, text: str, at: tuple[int, int], font: int, size: float, *rest: object
    ) -> object:
        width, height = cv2.getTextSize(text, font, size, 1)[0]
        boxes.append((at[0], at[1] - height, at[0] + width, at[1], text))
        return put_text(image, text, at, font, size, *rest)

    monkeypatch.setattr(cv2, "putText", noted)
    picture = draw_maps(calibrate_still(one))
    assert len(boxes) > 10
    for number, (left, top, right, bottom, text) in enumerate(boxes):
        assert left >= 0 and right <= picture.shape[1] and bottom <= picture.shape[0], text
        for other in boxes[:number]:
            apart = right < other[0] or other[2] < left or bottom < other[1] or other[3] < top
            assert apart, f"{text} over {other[4]}"


def test_tags_that_end_alike_are_told_apart() -> None:
    assert short_names(["aa00000000000001", "bb00000000000002"]) == ["...00000001", "...00000002"]
    assert short_names(["aabbcc0000000001", "ddeeff0000000001"]) == [
        "...cc0000000001",
        "...ff0000000001",
    ]
    assert short_names(["aa" + "0" * 16, "bb" + "0" * 16]) == ["aa0000..0000", "bb0000..0000"]
    alike = [f"e28011606000020{rack}0000000{tag}" for rack in (1, 2) for tag in (1, 2)]
    assert short_names(alike) == [f"...{rack}0000000{tag}" for rack in ("01", "02") for tag in (1, 2)]
    assert short_names(["ab", "cd"]) == ["ab", "cd"]
